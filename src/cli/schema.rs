//! `grantcheck schema`: JSON Schemas for editors and for readers of reports.

use clap::Args;

use super::{Exit, Io};
use crate::diagnostic::{Diagnostic, closest};

#[derive(Args)]
pub(super) struct Arguments {
    /// `suite`, `target`, `program`, `report` or `load-report`
    kind: String,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let schema = match arguments.kind.as_str() {
        "report" => Some(crate::report::schema()),
        "load-report" => Some(crate::load::report::schema()),
        kind => crate::suite::schema(kind),
    };
    let Some(schema) = schema else {
        let near = closest(&arguments.kind, ["suite", "target", "program", "report", "load-report"]);
        let help = near
            .map_or("write `suite`, `target`, `program`, `report` or `load-report`".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
        return Err(Diagnostic::bare("unknown-kind", format!("there is no schema of `{}`", arguments.kind))
            .help(help)
            .into());
    };
    writeln!(io.out, "{schema:#}")?;
    Ok(super::CONFORMS)
}
