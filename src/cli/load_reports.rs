//! In which formats the report of a load run is written, and from where one is read.

use std::path::{Path, PathBuf};

use super::{CannotStart, Io};
use crate::diagnostic::Diagnostic;
use crate::load::{self, LoadReport};
use crate::wire::files;

/// A format that a report can be written in.
pub(super) struct Format {
    name: &'static str,
    write: fn(&LoadReport) -> String,
}

const FORMATS: &[Format] = &[
    Format { name: "json", write: load::report::json },
    Format { name: "prometheus", write: load::formats::prometheus },
    Format { name: "csv", write: load::formats::csv },
];

/// Formats and files of `--report`, looked at before anything is done.
pub(super) fn wanted(list: &[String]) -> Result<Vec<(&'static Format, PathBuf)>, CannotStart> {
    let mut reports = Vec::new();
    for item in list {
        let found = item.split_once('=').filter(|(_, path)| !path.is_empty());
        let found =
            found.and_then(|(name, path)| Some((FORMATS.iter().find(|format| format.name == name)?, path)));
        let Some((format, path)) = found else {
            let names: Vec<String> = FORMATS.iter().map(|format| format!("`{}=FILE`", format.name)).collect();
            return Err(Diagnostic::bare("bad-flag", format!("`--report {item}` names no format and file"))
                .help(format!("write {}, several with commas between", names.join(" or ")))
                .into());
        };
        reports.push((format, PathBuf::from(path)));
    }
    super::outputs::outputs(reports.iter().map(|(_, path)| ("a report", path.as_path())), &[])?;
    Ok(reports)
}

/// Tells a report, and writes it.
pub(super) fn tell(
    report: &LoadReport,
    wanted: &[(&Format, PathBuf)],
    io: &mut Io<'_>,
) -> Result<(), CannotStart> {
    write!(io.out, "{}", load::console(report, io.colour))?;
    io.out.flush()?;
    for (format, path) in wanted {
        files::write(path, &(format.write)(report))?;
    }
    Ok(())
}

/// The JSON report of a load run.
pub(super) fn read(path: &Path) -> Result<LoadReport, CannotStart> {
    let read = serde_json::from_str::<LoadReport>(&files::read(path)?).ok();
    let report = read.filter(|report| report.kind == "load");
    Ok(report.ok_or_else(|| {
        Diagnostic::bare("bad-report", format!("{} is no report of a load run", path.display()))
            .help("`grantcheck load SUITE --report json=FILE` writes one")
    })?)
}
