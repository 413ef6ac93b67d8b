//! `grantcheck init`: a first target and a first suite.

use clap::Args;
use std::path::PathBuf;

use super::{Exit, Io};
use crate::diagnostic::Diagnostic;
use crate::suite::init::{SUITE, TARGET};
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// Folder to write them into
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let target = arguments.folder.join("target.yaml");
    let suite = arguments.folder.join("first.yaml");
    for path in [&target, &suite] {
        if files::exists(path) {
            return Err(Diagnostic::bare("exists", format!("{} is there already", path.display()))
                .help("name another folder")
                .into());
        }
    }
    files::make_folder(&arguments.folder)?;
    files::write(&target, TARGET)?;
    files::write(&suite, SUITE)?;
    writeln!(io.out, "wrote {} and {}", target.display(), suite.display())?;
    writeln!(io.out, "try: grantcheck run {} --target {}", suite.display(), target.display())?;
    Ok(super::CONFORMS)
}
