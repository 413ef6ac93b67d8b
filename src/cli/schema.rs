//! `grantcheck schema`: JSON Schemas for editors and for readers of reports.

use clap::Args;

use super::{Exit, Io};
use crate::diagnostic::{Diagnostic, closest};
use crate::report;

/// What there are schemas of.
const KINDS: [&str; 8] =
    ["suite", "client-suite", "target", "program", "report", "load-report", "lint", "drift"];

#[derive(Args)]
pub(super) struct Arguments {
    /// `suite`, `client-suite`, `target`, `program`, `report`, `load-report`, `lint` or `drift`
    kind: String,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let schema = match arguments.kind.as_str() {
        "report" => Some(report::schema()),
        "load-report" => Some(crate::load::report::schema()),
        "lint" => Some(report::lint_schema()),
        "drift" => Some(report::drift_schema()),
        kind => crate::suite::schema(kind),
    };
    let Some(schema) = schema else {
        let near = closest(&arguments.kind, KINDS);
        let help = near.map_or_else(
            || format!("write one of {}", KINDS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Diagnostic::bare("unknown-kind", format!("there is no schema of `{}`", arguments.kind))
            .help(help)
            .into());
    };
    writeln!(io.out, "{schema:#}")?;
    Ok(super::CONFORMS)
}
