//! The `grantcheck` program.

// Load is small allocations without end: see `benches/numbers.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use grantcheck::cli::{self, Io};

#[allow(clippy::disallowed_methods)]
fn main() -> ExitCode {
    // A name that is no Unicode cannot be any of ours; it is told as far as it can be.
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let terminal = err.is_terminal() && std::io::stdin().is_terminal();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut ask = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line)
    };
    let mut ask_secret = || rpassword::read_password().ok();
    let mut io =
        Io { out: &mut out, err: &mut err, colour, terminal, ask: &mut ask, ask_secret: &mut ask_secret };
    let exit = cli::run(&arguments, &mut io);
    let _ = out.flush();
    ExitCode::from(exit)
}
