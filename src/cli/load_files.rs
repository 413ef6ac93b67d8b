//! From paths to suites, targets and programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::shipped;
use crate::diagnostic::{Diagnostic, Text};
use crate::oauth::salesforce::Profile;
use crate::subject::{Program, Target};
use crate::suite::{Lookup, Suite, kind, read_program, read_suite, read_target};
use crate::transcript::{self, Recording, Transcript};
use crate::wire::files;

/// The suites at these paths, the shipped ones of these folders where there is no path. All problems of all files at once.
pub(super) fn suites(paths: &[PathBuf], shipped: &[&str]) -> Result<Vec<Suite>, super::CannotStart> {
    let mut texts = Vec::new();
    let mut seen = BTreeSet::new();
    let mut ids: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut problems = Vec::new();
    if paths.is_empty() {
        texts.extend(
            shipped
                .iter()
                .flat_map(|folder| shipped::suites(folder))
                .map(|(path, content)| (id(Path::new(path)), Text::new(format!("suites/{path}"), content))),
        );
    }
    for path in paths {
        if !files::exists(path) {
            return Err(no_such_path(path).into());
        }
        for file in files::suites(path)? {
            // A file that is named twice is one suite.
            if !seen.insert(files::canonical(&file)) {
                continue;
            }
            let text = Text::new(file.display().to_string(), files::read(&file)?);
            match kind(&text) {
                // A folder may hold targets beside suites.
                Some("target" | "program") if file != *path => continue,
                Some(other @ ("target" | "program")) => return Err(wrong_kind(path, other).into()),
                _ => {}
            }
            let id = id(&file);
            if let Some(first) = ids.get(&id) {
                problems.push(same_name(first, &file));
                continue;
            }
            texts.push((id.clone(), text));
            ids.insert(id, file);
        }
    }
    if texts.is_empty() {
        let shown = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Diagnostic::bare("no-suites", format!("there is no suite file (.yaml) at {shown}"))
            .help("name a file or a folder of suites, or no path at all for the shipped ones")
            .into());
    }
    let mut suites = Vec::new();
    for (id, text) in texts {
        match read_suite(&text, &id) {
            Ok(suite) => suites.push(suite),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(suites) } else { Err(problems.into()) }
}

fn wrong_kind(path: &Path, kind: &str) -> Diagnostic {
    let shown = path.display();
    Diagnostic::bare("wrong-kind", format!("{shown} is a {kind} file, and a suite is asked for here"))
        .help(format!("write `--{kind} {shown}`"))
}

fn no_such_path(path: &Path) -> Diagnostic {
    let shown = path.display().to_string();
    let help = match shown.contains("://") {
        true => format!("an org is judged by `--target {shown}`; what stands here is a suite"),
        false => "name a file or a folder of suites, or no path at all for the shipped ones".to_owned(),
    };
    Diagnostic::bare("no-suites", format!("there is nothing at {shown}")).help(help)
}

/// A recording and a report know a suite by its folder and name: two of the same would be taken for one.
fn same_name(first: &Path, second: &Path) -> Diagnostic {
    let message =
        format!("{} and {} are suites of the same folder and name", first.display(), second.display());
    Diagnostic::bare("duplicate-name", message).help("rename one of them, or play them in two runs")
}

/// `org/jwt-bearer` of `suites/org/jwt-bearer.yaml`.
fn id(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match path.parent().and_then(Path::file_name) {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem,
    }
}

/// The target of a flag: the embedded org, a URL, or a file.
pub(super) fn target(named: Option<&str>) -> Result<Target, super::CannotStart> {
    target_with(named, &|_| None)
}

/// The same, with somebody who may know the values of variables that are not set.
pub(super) fn target_with(
    named: Option<&str>,
    ask: &dyn Fn(&str) -> Option<String>,
) -> Result<Target, super::CannotStart> {
    let Some(named) = named.filter(|named| *named != "embedded") else {
        let text = Text::new(
            "suites/targets/embedded.yaml",
            shipped::file("targets/embedded.yaml").unwrap_or_default(),
        );
        let look_up = |lookup: Lookup<'_>| match lookup {
            Lookup::File(path) => shipped::file(&format!("targets/{path}")).map(str::to_owned),
            Lookup::Variable(_) => None,
        };
        return Ok(read_target(&text, &look_up)?);
    };
    if named.starts_with("https://") || named.starts_with("http://") {
        if url::Url::parse(named).is_err() {
            return Err(Diagnostic::bare("bad-url", format!("`{named}` is not a URL"))
                .help("write `https://HOST`, or the path of a target file")
                .into());
        }
        let org = named.trim_end_matches('/').to_owned();
        let profile = Profile::of(Some(&org));
        return Ok(Target { org: Some(org), profile, ..Target::default() });
    }
    let path = Path::new(named);
    if !files::exists(path) {
        return Err(Diagnostic::bare("no-target", format!("there is no target file {named}"))
            .help("a URL begins with `https://` or `http://`; `embedded` is the embedded org")
            .into());
    }
    let text = Text::new(named, files::read(path)?);
    if kind(&text) == Some("suite") {
        return Err(Diagnostic::bare(
            "wrong-kind",
            format!("{named} is a suite, and a target is asked for here"),
        )
        .help("name it without `--target`")
        .into());
    }
    let beside = beside(path);
    let look_up = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable(name) => beside(lookup).or_else(|| ask(name)),
        Lookup::File(_) => beside(lookup),
    };
    Ok(read_target(&text, &look_up)?)
}

/// The client program of a file.
pub(super) fn program(path: &Path) -> Result<Program, super::CannotStart> {
    let text = Text::new(path.display().to_string(), files::read(path)?);
    // From the root: a program is started in another folder than ours.
    Ok(read_program(&text, &files::absolute(path), &beside(path))?)
}

/// What a file takes from outside: variables, and files from its own folder on.
fn beside(path: &Path) -> impl Fn(Lookup<'_>) -> Option<String> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    move |lookup| match lookup {
        Lookup::File(path) => files::read(&folder.join(path)).ok(),
        Lookup::Variable(name) => files::variable(name),
    }
}

/// The transcript that `run --record` wrote.
pub(super) fn transcript(path: &Path) -> Result<Transcript, super::CannotStart> {
    let read = transcript::read(&files::read(path)?).map_err(|why| {
        Diagnostic::bare("bad-recording", format!("{}: {why}", path.display())).help(
            "`grantcheck run --record FILE` and `serve --record FILE` write one; `judge` takes HAR files too",
        )
    })?;
    Ok(read)
}

/// The record of a HAR file, where it is one, with what a target says of the server, and that target.
pub(super) fn har(
    path: &Path,
    target: Option<&str>,
) -> Result<Option<(Transcript, Target)>, super::CannotStart> {
    let text = files::read(path)?;
    if !transcript::is_har(&text) {
        return Ok(None);
    }
    let named = target.is_some();
    let target = match target {
        Some(named) => self::target(Some(named))?,
        None => Target::default(),
    };
    let read = transcript::read_har(&text, &target).map_err(|why| {
        Diagnostic::bare("bad-har", format!("{}: {why}", path.display())).help(
            "save it with bodies; `--target FILE` says which apps there are and where the server answers",
        )
    })?;
    // What somebody says of the server goes before what its host looks like.
    let profile = if named { target.profile } else { read.subject.profile };
    let subject = crate::subject::Subject { profile, ..read.subject.clone() };
    Ok(Some((Transcript { subject, ..read }, target)))
}

/// A recording that answers in place of that target. What the target sends as its own must be what was sent then.
pub(super) fn recording(path: &Path, target: &Target) -> Result<Arc<Recording>, super::CannotStart> {
    let transcript = transcript(path)?;
    let mut roles: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (role, app) in &transcript.subject.apps {
        roles.entry(role).or_default().0 = Some(&app.client_id);
    }
    for (role, app) in &target.apps {
        roles.entry(role).or_default().1 = Some(&app.client_id);
    }
    let strange: Vec<_> = roles.into_iter().filter(|(_, (recorded, now))| recorded != now).collect();
    if let Some((role, (recorded, now))) = strange.first() {
        let said = |id: &Option<&str>| match id {
            Some(id) => format!("the client_id `{id}`"),
            None => "no such app".to_owned(),
        };
        let message = format!(
            "{} is a recording of another target: for the app `{role}` it has {}, the target {}",
            path.display(),
            said(recorded),
            said(now),
        );
        return Err(Diagnostic::bare("another-target", message)
            .help("name the target of the recorded run with `--target`")
            .into());
    }
    Ok(Arc::new(Recording::new(transcript)))
}
