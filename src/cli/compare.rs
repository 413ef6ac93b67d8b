//! `grantcheck compare`: two load reports side by side.

use clap::Args;
use std::path::PathBuf;

use super::{Exit, Io, load_reports};
use crate::load::compare::{compare, told};

#[derive(Args)]
pub(super) struct Arguments {
    /// JSON report of the first load run
    first: PathBuf,
    /// JSON report of the second
    second: PathBuf,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let comparison = compare(&load_reports::read(&arguments.first)?, &load_reports::read(&arguments.second)?);
    write!(io.out, "{}", told(&comparison))?;
    Ok(comparison.exit())
}
