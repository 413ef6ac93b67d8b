//! `grantcheck explain`: what a check means and how to mend it, or what an error means, its causes and their cures.

use clap::Args;

use super::{Exit, Io};
use crate::catalog::{self, Check};
use crate::diagnostic::{Diagnostic, closest};
use crate::errors::{self, How, Match};
use crate::metadata::{self, Rule};
use crate::report::visible;
use crate::subject::Flow;
use crate::transcript::is_secret_parameter;

/// The most bytes of what may be meant as an id; the longest has some seventy.
const LONGEST_ID: usize = 120;
/// How many letters of a text are looked at to say again what is not known.
const SHOWN: usize = 4096;
/// How many entries are told in full where a text may be several.
const FEW: usize = 3;

#[derive(Args)]
pub(super) struct Arguments {
    /// Id of a check or of a lint rule, or an error as you have it: a JSON body, a URL, `error: description`, a status of the Login
    /// History, a line of a log; `-` reads standard input up to its end, which is Ctrl-D on a terminal
    #[arg(required = true, num_args = 1.., value_name = "WHAT")]
    what: Vec<String>,
    /// Only causes in this flow: `web-server`, `jwt-bearer`, `saml-bearer`, `client-credentials` or `refresh-token`
    #[arg(long)]
    flow: Option<String>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let flow = match arguments.flow.as_deref().map(|name| (name, Flow::read(name))) {
        Some((name, None)) => {
            let help = match closest(name, Flow::ALL.map(Flow::name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", Flow::ALL.map(Flow::name).join(", ")),
            };
            return Err(Diagnostic::bare("bad-flag", format!("`--flow {name}` is no flow"))
                .help(help)
                .into());
        }
        Some((_, flow)) => flow,
        None => None,
    };
    let mut what = arguments.what.join(" ");
    if what == "-" {
        what = (io.ask_all)().unwrap_or_default().trim().to_owned();
    }
    if let Some(check) = catalog::find(&what) {
        return explain_check(check, io);
    }
    if let Some(rule) = metadata::find(&what) {
        return explain_rule(rule, io);
    }
    if let Some(entry) = errors::find(&what) {
        write!(io.out, "{}", errors::full(&Match { entry, how: How::Exact, place: entry.place }, flow))?;
        return Ok(super::CONFORMS);
    }
    let found = errors::look_up(&what, flow);
    // A slug with a slash that is nearly a check is meant to be one, unless it is a code that is known.
    let near = Some(what.as_str()).filter(|what| what.len() <= LONGEST_ID);
    let near = near.and_then(|what| closest(what, all_ids()));
    match (found.as_slice(), near) {
        ([], near) => Err(unknown(&what, near).into()),
        ([first, ..], Some(near)) if what.contains('/') && !matches!(first.how, How::Exact | How::Code) => {
            Err(unknown(&what, Some(near)).into())
        }
        (found, _) => explain_error(found, &what, flow, io),
    }
}

fn all_ids() -> impl Iterator<Item = &'static str> {
    let checks = catalog::all().map(|check| check.id);
    checks.chain(errors::all().map(|entry| entry.id)).chain(metadata::rules().map(|rule| rule.id))
}

fn unknown(what: &str, near: Option<&str>) -> Diagnostic {
    let beginning: String = what.chars().take(SHOWN).collect();
    let shown: String = visible(&without_secrets(&beginning)).chars().take(120).collect();
    let help = near.map_or(
        "give the whole answer of the server; `grantcheck checks` lists the checks, docs/errors.md the errors".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Diagnostic::bare("unknown-to-explain", format!("`{shown}` is no check and no error that is known"))
        .help(help)
}

/// What somebody pasted, without the values of what is secret: `name=value`, `"name": "value"` and bearer tokens.
fn without_secrets(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((name, behind)) = next_name(rest) {
        let quoted = behind.strip_prefix('"').map(str::trim_start).and_then(|rest| rest.strip_prefix(':'));
        let opened = quoted.map(str::trim_start).map(|rest| rest.strip_prefix('"').unwrap_or(rest));
        let bearer = name.eq_ignore_ascii_case("bearer") || name.eq_ignore_ascii_case("basic");
        let value = match opened.or_else(|| behind.strip_prefix('=')) {
            Some(value) if is_secret_parameter(name) => value,
            _ if bearer && behind.starts_with(' ') => &behind[1..],
            _ => {
                out.push_str(&rest[..rest.len() - behind.len()]);
                rest = behind;
                continue;
            }
        };
        out.push_str(&rest[..rest.len() - value.len()]);
        let end = value.find(|c: char| c.is_whitespace() || "&\"',;}<>".contains(c)).unwrap_or(value.len());
        out.push_str(if end > 0 { "***" } else { "" });
        rest = &value[end..];
    }
    out + rest
}

/// The next word of a text that could be the name of a parameter, and what stands behind it.
fn next_name(text: &str) -> Option<(&str, &str)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begin = text.find(word)?;
    let end = text[begin..].find(|c| !word(c)).map_or(text.len(), |length| begin + length);
    Some((&text[begin..end], &text[end..]))
}

fn explain_error(found: &[Match], what: &str, flow: Option<Flow>, io: &mut Io<'_>) -> Exit {
    let flow = flow.or(errors::Told::read(what).flow);
    match found[0].how {
        How::Exact => {}
        How::Near => writeln!(io.out, "This text is not known; it is near to what follows.\n")?,
        How::Text => writeln!(io.out, "This text is known with another code.\n")?,
        How::Code => writeln!(io.out, "The code is known, this text is not; it may be one of these.\n")?,
    }
    let few = if found[0].how == How::Code { 1 } else { FEW };
    for (number, one) in found.iter().take(few).enumerate() {
        if number > 0 {
            writeln!(io.out)?;
        }
        write!(io.out, "{}", errors::full(one, flow))?;
    }
    if found.len() > few {
        let more: Vec<&str> = found[few..].iter().map(|one| one.entry.id).collect();
        writeln!(io.out, "\nor one of: {}", more.join(", "))?;
    }
    Ok(super::CONFORMS)
}

fn explain_rule(rule: &Rule, io: &mut Io<'_>) -> Exit {
    let level = rule.level.map_or("only under --profile partner-2026", |level| level.word());
    writeln!(io.out, "{}\n{level}: {}\n\n{}\n", rule.id, rule.title, wrap(rule.explain, 100))?;
    if !rule.setup.is_empty() {
        writeln!(io.out, "Setup    {}", rule.setup)?;
    }
    writeln!(io.out, "XML      {}\nsource   {} ({})", rule.xml, rule.cites.join("; "), rule.basis.word())?;
    Ok(super::CONFORMS)
}

fn explain_check(check: &Check, io: &mut Io<'_>) -> Exit {
    writeln!(io.out, "{}\n{}: {}\n", check.id, check.level.word(), check.title)?;
    writeln!(io.out, "{}\n", wrap(check.explain, 100))?;
    let cites: Vec<String> = check.cites.iter().map(ToString::to_string).collect();
    writeln!(io.out, "source   {} ({})", cites.join("; "), check.basis.word())?;
    if let Some(deviation) = catalog::deviation(check.id) {
        writeln!(io.out, "known    {} ({})", deviation.because, deviation.source)?;
    }
    writeln!(io.out, "\na record on which it passes")?;
    indent(check.passes, io)?;
    writeln!(io.out, "\na record on which it fails")?;
    indent(check.fails, io)?;
    Ok(super::CONFORMS)
}

fn indent(script: &str, io: &mut Io<'_>) -> Result<(), std::io::Error> {
    for line in script.lines() {
        writeln!(io.out, "  {}", line.trim())?;
    }
    Ok(())
}

fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + word.chars().count() > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_a_pasted_text_is_not_said_again() {
        for (text, shown) in [
            ("https://a.example/cb?code=aPrx1&state=x", "https://a.example/cb?code=***&state=x"),
            ("grant_type=refresh_token&refresh_token=5Aep8", "grant_type=refresh_token&refresh_token=***"),
            (r#"{"client_secret" : "5E", "a": "b"}"#, r#"{"client_secret" : "***", "a": "b"}"#),
            ("Authorization: Bearer 00D!x y", "Authorization: Bearer *** y"),
            ("the code is client_secret", "the code is client_secret"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
