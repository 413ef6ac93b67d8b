//! `grantcheck explain`: what a check means, why it matters, how to mend it.

use clap::Args;

use super::{Exit, Io};
use crate::catalog;
use crate::diagnostic::{Diagnostic, closest};

#[derive(Args)]
pub(super) struct Arguments {
    /// Id of a check
    what: String,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let Some(check) = catalog::find(&arguments.what) else {
        let near = closest(&arguments.what, catalog::all().map(|check| check.id));
        let help = near.map_or("`grantcheck checks` lists them all".to_owned(), |near| {
            format!("did you mean `{near}`?")
        });
        return Err(Diagnostic::bare(
            "unknown-check",
            format!("the catalogue has no check `{}`", arguments.what),
        )
        .help(help)
        .into());
    };
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
