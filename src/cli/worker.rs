//! `grantcheck worker`: joins a Locust master, or writes the file that it is started with.

use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

use super::load::{done_showing, show};
use super::load_reports::Format;
use super::loading::{Playing, Prepared, Ready, nothing_selected};
use super::runtime::told_to_end;
use super::{CANNOT_VOUCH, Exit, INTERRUPTED, Io, load_files, load_reports};
use crate::diagnostic::Diagnostic;
use crate::load::drive::{Selected, playable};
use crate::load::worker::{Away, PATIENCE, Tells, Worker, bridge, work};
use crate::load::{self, LoadReport, Plan};
use crate::subject::workload::Workload;
use crate::wire::{dice, files, process};

/// Where a Locust master listens, where nothing else is said.
const PORT: u16 = 5557;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    playing: Playing,
    /// The Locust master, HOST or HOST:PORT; 5557 where no port is said
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "bridge")]
    master: Option<String>,
    /// Write the file that the master is started with, and do nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "master")]
    bridge: Option<PathBuf>,
    /// A user of the master is a play that begins each second, however the last ones went; so it is too where the suite
    /// says `rate`
    #[arg(long)]
    open: bool,
    /// The most users of a scenario that are played here, whatever the master says
    #[arg(long, value_name = "N", default_value_t = 1000)]
    most_users: usize,
    /// The name by which the master knows this worker; the machine's with a random number where it is not given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    if let Some(path) = &arguments.bridge {
        return write_bridge(arguments, path, io);
    }
    let reports = arguments.playing.reports()?;
    let (suites, in_file) = arguments.playing.suites()?;
    let mut problems = Vec::new();
    let mut asked = arguments.playing.asked(&mut problems);
    let master = master(arguments.master.as_deref().unwrap_or_default(), &mut problems);
    if let Some(name) = arguments.name.as_ref().filter(|name| !is_name(name)) {
        let message = format!("`--name {name}` is no name of a worker");
        problems.push(
            Diagnostic::bare("bad-flag", message).help("write up to 200 letters, digits, `-`, `_` and `.`"),
        );
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if arguments.open {
        asked.rate = Some(1.0);
        asked.pacing = None;
    }
    // Whoever is told how many play, and for how long, takes nothing of that from the file; but whether it is open.
    let open = asked.rate.or(in_file.rate);
    let asked = Workload { rate: open, ..asked.over(&in_file) };
    let plan = Plan::told(&asked, arguments.most_users, arguments.playing.threads(), arguments.playing.seed)?;
    let Ready { options, around, runtime } = match arguments.playing.prepare(suites, plan, None, io)? {
        Prepared::Ready(ready) => *ready,
        Prepared::DoesNotHold(exit) => return Ok(exit),
    };
    let name = arguments.name.clone().unwrap_or_else(own_name);
    let worker = Worker { master, name, options, around, patience: PATIENCE };
    let (tell, mut told) = mpsc::unbounded_channel();
    let (mut stop, mut said) = (runtime.stop(), false);
    let mut last = None;
    let outcome: Result<_, Away> = runtime.block_on(async {
        let working = work(&worker, &tell, runtime.stop());
        tokio::pin!(working);
        loop {
            tokio::select! {
                biased;
                () = told_to_end(&mut stop), if !said => {
                    let _ = writeln!(io.err, "\ninterrupted: no more plays begin; then leaving the master");
                    said = true;
                }
                Some(tells) = told.recv() => hear(tells, &reports, &mut last, io),
                outcome = &mut working => return outcome,
            }
        }
    });
    while let Ok(tells) = told.try_recv() {
        hear(tells, &reports, &mut last, io);
    }
    if let Err(away) = outcome {
        let _ = writeln!(io.err, "{away}");
        return Ok(CANNOT_VOUCH);
    }
    if *runtime.stop().borrow() {
        return Ok(INTERRUPTED);
    }
    Ok(last.map_or(CANNOT_VOUCH, |report| report.exit()))
}

/// Tells a person what a worker tells.
fn hear(tells: Tells, reports: &[(&Format, PathBuf)], last: &mut Option<LoadReport>, io: &mut Io<'_>) {
    match tells {
        Tells::Line(line) => {
            let _ = writeln!(io.err, "{}", crate::report::visible(&line));
        }
        Tells::Progress(progress) => show(&load::progress_line(&progress), io),
        Tells::Report(report) => {
            done_showing(io);
            if load_reports::tell(&report, reports, io).is_err() {
                let _ = writeln!(io.err, "the report could not be written");
            }
            *last = Some(*report);
        }
    }
}

fn write_bridge(arguments: &Arguments, path: &std::path::Path, io: &mut Io<'_>) -> Exit {
    super::outputs::outputs(std::iter::once(("the bridge", path)), &[])?;
    let (suites, in_file) = arguments.playing.suites()?;
    let mut problems = Vec::new();
    let asked = arguments.playing.asked(&mut problems).over(&in_file);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let target = load_files::target(arguments.playing.target.as_deref())?;
    let selection = arguments.playing.selection();
    let selected: Vec<Selected> = suites
        .into_iter()
        .flat_map(|suite| {
            suite.scenarios.into_iter().map(move |scenario| (suite.id.clone(), Arc::new(scenario)))
        })
        .filter(|(suite, scenario)| selection.takes(suite, scenario))
        .collect();
    // A class of users who could play nothing would be counted as users all the same.
    let (scenarios, not) = playable(&selected, &target, asked.tokens.unwrap_or_default());
    for (suite, name, why) in &not {
        let name = crate::report::visible(&format!("{suite} › {name}"));
        writeln!(io.err, "{name} cannot be played under load: {why}; the bridge has no class for it")?;
    }
    if scenarios.is_empty() {
        return Err(nothing_selected().into());
    }
    files::write(
        path,
        &bridge::bridge(scenarios.iter().map(|(suite, scenario)| (suite.as_str(), &**scenario))),
    )?;
    let shown = path.display();
    writeln!(io.out, "wrote {shown}: {} scenarios", scenarios.len())?;
    writeln!(io.out, "  locust -f {shown} --master --expect-workers N")?;
    writeln!(
        io.out,
        "  grantcheck worker --master HOST:{PORT} SUITE...   on each machine, with the same suites"
    )?;
    Ok(super::CONFORMS)
}

/// `HOST:PORT`.
fn master(text: &str, problems: &mut Vec<Diagnostic>) -> String {
    let text = text.strip_prefix("tcp://").unwrap_or(text);
    let whole = match text.rsplit_once(':') {
        // An IPv6 address has colons of its own, and stands in brackets where a port follows.
        Some((host, port)) if !host.is_empty() && (!host.contains(':') || host.ends_with(']')) => {
            port.parse::<u16>().is_ok().then(|| text.to_owned())
        }
        _ if text.contains(':') => Some(format!("[{}]:{PORT}", text.trim_matches(['[', ']']))),
        _ if text.is_empty() => None,
        _ => Some(format!("{text}:{PORT}")),
    };
    whole.unwrap_or_else(|| {
        let message = format!("`--master {text}` is no address");
        problems.push(Diagnostic::bare("bad-flag", message).help("write for example `locust.example:5557`"));
        String::new()
    })
}

fn is_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The machine's name and 64 random bits, so that no two are the same.
fn own_name() -> String {
    let random: String = dice::seed().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}_{random}", process::host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port() {
        let read = |text: &str| {
            let mut problems = Vec::new();
            let read = master(text, &mut problems);
            problems.is_empty().then_some(read)
        };
        for (text, wanted) in [
            ("localhost", Some("localhost:5557")),
            ("10.0.0.1:7000", Some("10.0.0.1:7000")),
            ("tcp://m:1", Some("m:1")),
            ("[::1]:7000", Some("[::1]:7000")),
            ("::1", Some("[::1]:5557")),
            ("m:x", None),
            ("", None),
        ] {
            assert_eq!(read(text).as_deref(), wanted, "{text}");
        }
        assert!(is_name(&own_name()) && !is_name("a b") && !is_name(""));
    }
}
