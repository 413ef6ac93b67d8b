//! `grantcheck inside`: not for people. It stands in the network that a client program was cut off in.

use std::path::PathBuf;

use super::Io;
use super::runtime::deaf;
use crate::wire::isolation;

/// What it is started with by grantcheck itself.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the sockets that lead out
    #[arg(long)]
    folder: PathBuf,
    /// A port that leads out
    #[arg(long = "port")]
    ports: Vec<u16>,
    /// The port to which callbacks are led
    #[arg(long)]
    back: Option<u16>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> u8 {
    let Arguments { folder, ports, back, command } = arguments;
    let Ok(runtime) = deaf() else { return isolation::CANNOT };
    let exit = runtime.block_on(isolation::inside(folder, ports, *back, command));
    exit.unwrap_or_else(|why| {
        let _ = writeln!(io.err, "error: {}: {why}", command.first().map_or("", String::as_str));
        isolation::CANNOT
    })
}
