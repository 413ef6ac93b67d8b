//! `grantcheck suites`: the shipped suites, listed or written out.

use clap::Args;
use std::path::PathBuf;

use super::{Exit, Io, shipped};
use crate::diagnostic::Diagnostic;
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// Write the shipped suites, targets and metadata of apps below this folder
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let Some(folder) = &arguments.export else {
        let suites = shipped::FILES.iter().filter(|(path, _)| !path.starts_with("targets/"));
        for (path, _) in suites {
            writeln!(io.out, "{}", path.trim_end_matches(".yaml"))?;
        }
        return Ok(super::CONFORMS);
    };
    // Somebody's changes are worth more than our convenience.
    if let Some((path, _)) = shipped::all().find(|(path, _)| files::exists(&folder.join(path))) {
        return Err(Diagnostic::bare("exists", format!("{} is there already", folder.join(path).display()))
            .help("name an empty folder, or move the file away")
            .into());
    }
    for (path, content) in shipped::all() {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            files::make_folder(parent)?;
        }
        files::write(&path, content)?;
    }
    writeln!(io.out, "wrote {} files below {}", shipped::all().count(), folder.display())?;
    Ok(super::CONFORMS)
}
