//! `grantcheck checks`: the catalogue as a list.

use clap::Args;
use serde_json::json;

use super::{Exit, Io};
use crate::catalog::{self, Check};
use crate::diagnostic::{Diagnostic, closest};

#[derive(Args)]
pub(super) struct Arguments {
    /// Only checks whose id begins so, for example `refresh/`
    prefix: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let prefix = arguments.prefix.as_deref().unwrap_or("");
    let checks: Vec<&Check> = catalog::all().filter(|check| check.id.starts_with(prefix)).collect();
    if checks.is_empty() {
        let families = catalog::all().filter_map(|check| check.id.find('/').map(|slash| &check.id[..=slash]));
        let near = closest(prefix, families).map(|near| format!("did you mean `{near}`?"));
        return Err(Diagnostic::bare("unknown-check", format!("no check begins with `{prefix}`"))
            .help_opt(near)
            .into());
    }
    if arguments.json {
        let rows: Vec<_> = checks.iter().map(|check| row(check)).collect();
        writeln!(io.out, "{:#}", serde_json::Value::Array(rows))?;
        return Ok(super::CONFORMS);
    }
    for check in &checks {
        let cite = check.cites.first().map_or(String::new(), ToString::to_string);
        writeln!(io.out, "{:<6} {:<6} {:<58} {cite}", check.level.word(), check.binds.word(), check.id)?;
    }
    writeln!(io.out, "{} checks; `grantcheck explain ID` tells more", checks.len())?;
    Ok(super::CONFORMS)
}

fn row(check: &Check) -> serde_json::Value {
    json!({
        "id": check.id,
        "title": check.title,
        "binds": check.binds.word(),
        "level": check.level,
        "basis": check.basis,
        "origin": check.origin,
        "cites": check.cites.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "known_deviation": catalog::deviation(check.id).map(|d| d.because),
    })
}
