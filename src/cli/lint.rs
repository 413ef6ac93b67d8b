//! `grantcheck lint`: metadata of apps and credentials, judged by rules.

use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::apps::{project, tell_links};
use super::{CannotStart, Exit, Io};
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::metadata::{self, Context, Finding, Profile};
use crate::oauth::keys::{PrivateKey, PublicKey};
use crate::report::{At, LINT_VERSION, LintReport, LintRow, ProblemRow};
use crate::suite::{LintWaiver, read_waivers};
use crate::wire::{clock, files};

/// The name under which waivers are found by themselves.
const WAIVERS: &str = "grantcheck-lint.yaml";

/// The most findings of one rule that are told of one file.
const MOST: usize = 100;

#[derive(Args)]
pub(super) struct Arguments {
    /// Folders of a project, or single files; what is no metadata of apps and credentials is left alone
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Which rules hold: `general`, or `partner-2026`, Salesforce's controls of 2026 for partner apps
    #[arg(long, default_value = "general")]
    profile: String,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Console)]
    format: Format,
    /// A file of waivers, in place of `grantcheck-lint.yaml` beside the project
    #[arg(long, value_name = "FILE")]
    waive: Option<PathBuf>,
    /// A private key in PEM form that an app's certificate must belong to; may be repeated
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Certificates are told so many days before they expire
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    expires_within: u16,
    /// Judge certificates as of that day, in place of today
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people, with carets
    Console,
    /// The report as JSON
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines
    Github,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let profile = profile(&arguments.profile)?;
    let now = moment(arguments.on.as_deref())?;
    let waivers = waivers(arguments)?;
    let (keys, unusable) = keys(&arguments.key)?;
    let (mut project, links) = project(&arguments.paths)?;
    project.problems.extend(unusable);
    let apps = project.apps();
    let count = apps.len();
    let context = Context { project: &project, apps, now, soon_days: arguments.expires_within.into(), keys };
    let mut used = vec![false; waivers.len()];
    let all = metadata::lint(&context, profile);
    let findings = few(&all)
        .into_iter()
        .map(|(finding, more)| {
            let by = waivers.iter().position(|waiver| waiver.covers(finding.rule.id, &finding.of));
            by.into_iter().for_each(|number| used[number] = true);
            let mut row = LintRow::new(finding, by.map(|number| waivers[number].because.clone()));
            if more > 0 {
                let _ = write!(row.message, "; it is so at {more} more places of this file");
            }
            row
        })
        .collect();
    // Under a profile that does not look at its rule a waiver says nothing.
    let judged = |waiver: &LintWaiver| {
        metadata::rules().any(|rule| rule.level_under(profile).is_some() && waiver.is_about(rule.id))
    };
    let unused = waivers.iter().zip(&used).filter(|(waiver, used)| !**used && judged(waiver));
    let unused: Vec<&LintWaiver> = unused.map(|(waiver, _)| waiver).collect();
    let report = LintReport {
        version: LINT_VERSION,
        tool: concat!("grantcheck ", env!("CARGO_PKG_VERSION")).into(),
        profile: profile.name().into(),
        files: project.items.len(),
        apps: count,
        findings,
        problems: project.problems.iter().map(ProblemRow::new).collect(),
        unused_waivers: unused.iter().map(|waiver| waiver.rule.clone()).collect(),
        unused_at: unused.iter().map(|waiver| At::of(&waiver.at.0, waiver.at.1)).collect(),
    };
    match arguments.format {
        Format::Console => write!(io.out, "{}", report.console(io.colour))?,
        Format::Json => writeln!(io.out, "{:#}", serde_json::json!(report))?,
        Format::Sarif => writeln!(io.out, "{:#}", report.sarif())?,
        Format::Github => write!(io.out, "{}", report.github())?,
    }
    tell_links(&links, io)?;
    if report.files == 0 && report.problems.is_empty() {
        writeln!(io.err, "no metadata of apps or credentials is there: nothing was judged")?;
    }
    Ok(report.exit())
}

/// The findings that are told, each with the number of those that are not: of one rule, in one file, of one app no more than can
/// be read.
fn few(all: &[Finding]) -> Vec<(&Finding, usize)> {
    let mut told: Vec<(&Finding, usize)> = Vec::new();
    let mut seen: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for finding in all {
        let key = (finding.rule.id, finding.place.text.name(), finding.of.as_str());
        let (count, last) = seen.entry(key).or_default();
        *count += 1;
        if *count <= MOST {
            *last = told.len();
            told.push((finding, 0));
        } else {
            told[*last].1 += 1;
        }
    }
    told
}

fn profile(name: &str) -> Result<Profile, CannotStart> {
    let known = Profile::ALL.into_iter().find(|profile| profile.name() == name);
    known.ok_or_else(|| {
        let near = closest(name, Profile::ALL.map(Profile::name));
        let help = near
            .map_or("write `general` or `partner-2026`".to_owned(), |near| format!("did you mean `{near}`?"));
        Diagnostic::bare("bad-flag", format!("`--profile {name}` is no profile")).help(help).into()
    })
}

/// Seconds since the epoch: noon of a day in UTC, or now.
fn moment(day: Option<&str>) -> Result<i64, CannotStart> {
    let Some(day) = day else { return Ok(clock::real_now() / 1000) };
    let read: Option<jiff::Timestamp> = format!("{day}T12:00:00Z").parse().ok();
    let told = || {
        Diagnostic::bare("bad-flag", format!("`--on {day}` is no day")).help("write for example `2026-11-22`")
    };
    read.map(jiff::Timestamp::as_second).ok_or_else(|| told().into())
}

fn waivers(arguments: &Arguments) -> Result<Vec<LintWaiver>, CannotStart> {
    let beside = |path: &PathBuf| {
        let folder =
            if files::is_folder(path) { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        folder.join(WAIVERS)
    };
    let found = || {
        arguments.paths.iter().map(beside).chain([PathBuf::from(WAIVERS)]).find(|path| files::exists(path))
    };
    let Some(path) = arguments.waive.clone().or_else(found) else { return Ok(Vec::new()) };
    let text = Text::new(path.display().to_string(), files::read(&path)?);
    let known: Vec<&str> = metadata::rules().map(|rule| rule.id).collect();
    Ok(read_waivers(&text, &known)?)
}

/// The public halves of the keys at hand, and what cannot be used of them. Where one cannot, none is compared: a certificate may
/// be of that one.
fn keys(paths: &[PathBuf]) -> Result<(Vec<PublicKey>, Vec<Diagnostic>), CannotStart> {
    let (mut keys, mut unusable) = (Vec::new(), Vec::new());
    for path in paths {
        match PrivateKey::from_pem(&files::read(path)?) {
            Ok(key) => keys.push(key.public()),
            Err(why) => {
                let file = Text::new(path.display().to_string(), "");
                let message = format!("{why}; no certificate is compared with a key");
                let help = "name the file of the private key of the certificate, `server.key` say";
                unusable.push(Diagnostic::at("bad-key", &file, Span::new(0, 0), message).help(help));
            }
        }
    }
    if !unusable.is_empty() {
        keys.clear();
    }
    Ok((keys, unusable))
}
