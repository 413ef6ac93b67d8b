//! `grantcheck matrix`: several reports side by side, programs beside checks.

use clap::Args;
use std::path::{Path, PathBuf};

use super::outputs::outputs;
use super::{CannotStart, Exit, Io};
use crate::catalog;
use crate::diagnostic::Diagnostic;
use crate::report::{Report, VERSION, matrix};
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// JSON reports, one a program
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Write the table as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let files = [("the JSON", &arguments.json), ("the page", &arguments.html)];
    let given: Vec<&Path> = arguments.reports.iter().map(PathBuf::as_path).collect();
    outputs(files.into_iter().filter_map(|(what, path)| Some((what, path.as_deref()?))), &given)?;
    let reports: Vec<Report> = arguments.reports.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let rotation: Vec<&str> = catalog::for_rotation().map(|check| check.id).collect();
    let table = matrix::table(&reports, &rotation);
    if let Some(path) = &arguments.json {
        files::write(path, &format!("{:#}\n", matrix::json(&table)))?;
    }
    if let Some(path) = &arguments.html {
        files::write(path, &matrix::html(&table))?;
    }
    write!(io.out, "{}", matrix::console(&table))?;
    Ok(super::CONFORMS)
}

fn read(path: &Path) -> Result<Report, CannotStart> {
    let wrong = |message: String| {
        Diagnostic::bare("bad-report", message).help("write one with `grantcheck run --report json=FILE`")
    };
    if !files::exists(path) {
        return Err(wrong(format!("there is no report at {}", path.display())).into());
    }
    let text = files::read(path)?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|why| wrong(format!("{} is not a JSON report: {why}", path.display())))?;
    if report.version != VERSION {
        let message =
            format!("{} is of version {}, and {VERSION} is read here", path.display(), report.version);
        return Err(wrong(message).into());
    }
    Ok(report)
}
