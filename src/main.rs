//! The `grantcheck` program.

// Load is small allocations without end: see `benches/numbers.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::future::Future as _;
use std::io::{IsTerminal, Read};
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
        asked(false, || {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|read| Some(line).filter(|_| read > 0))
        })
    };
    let mut ask_all = || asked(false, || everything(std::io::stdin().lock()).map(Some));
    let mut ask_secret = || asked(true, || rpassword::read_password().map(Some));
    // Where no browser comes up, the person opens the page that was told.
    let mut open = |page: &str| drop(opener::open_browser(page));
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        colour,
        terminal,
        ask: &mut ask,
        ask_all: &mut ask_all,
        ask_secret: &mut ask_secret,
        open: &mut open,
    };
    ExitCode::from(cli::run(&arguments, &mut io))
}

/// The most bytes that are read of standard input: no answer of a server, and no piece of a log, is as long.
const LONGEST_INPUT: u64 = 16 * 1024 * 1024;

/// All that a stream has, as far as it is not too long; what is no text stands for itself.
fn everything(input: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    input.take(LONGEST_INPUT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a person types. Ctrl-C ends the program when the terminal shows again what is typed: whoever reads in secret raises the
/// signal before that, so it must not kill, and comes back as an error.
fn asked(
    in_secret: bool,
    read: impl FnOnce() -> std::io::Result<Option<String>> + Send + 'static,
) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let told = runtime.block_on(async {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        // Looked at once, it takes the signal.
        let over =
            std::future::poll_fn(|cx| std::task::Poll::Ready(interrupted.as_mut().poll(cx).is_ready())).await;
        let reading = tokio::task::spawn_blocking(read);
        if in_secret || over {
            return reading.await.ok();
        }
        tokio::select! {
            told = reading => told.ok(),
            _ = interrupted => Some(Err(std::io::ErrorKind::Interrupted.into())),
        }
    })?;
    match told {
        Err(why) if why.kind() == std::io::ErrorKind::Interrupted =>
        {
            #[allow(clippy::disallowed_methods, clippy::exit)]
            std::process::exit(i32::from(cli::INTERRUPTED))
        }
        told => told.ok().flatten(),
    }
}
