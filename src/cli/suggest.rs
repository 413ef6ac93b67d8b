//! `grantcheck suggest`: the target file and the suites that fit apps.

use clap::Args;
use std::path::PathBuf;

use super::{CannotStart, Exit, Io, apps};
use crate::diagnostic::Diagnostic;
use crate::metadata::suggest;
use crate::report::visible;
use crate::wire::files;

#[derive(Args)]
pub(super) struct Arguments {
    /// Metadata of apps: files, or folders that hold external client apps
    #[arg(value_name = "XML", required = true)]
    paths: Vec<PathBuf>,
    /// Folder to write into
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

pub(super) fn exec(arguments: &Arguments, io: &mut Io<'_>) -> Exit {
    let registrations = apps::registrations(&arguments.paths, io)?;
    let named = suggest::named(&registrations);
    let target = arguments.out.join("target.yaml");
    let mut written = vec![(target.clone(), suggest::target(&named), None)];
    for (name, suite, count) in suggest::suites(&named) {
        written.push((arguments.out.join(name), suite, Some(count)));
    }
    if let Some((path, ..)) =
        written.iter().find(|(path, ..)| files::exists(path)).filter(|_| !arguments.force)
    {
        return Err(Diagnostic::bare("exists", format!("{} is there already", path.display()))
            .help("name another folder with `--out`, or write over it with `--force`")
            .into());
    }
    let left_out = suggest::left_out(&named);
    if written.len() == 1 {
        for line in &left_out {
            writeln!(io.err, "left out: {}", visible(line))?;
        }
        writeln!(io.err, "there is nothing to play, so nothing was written")?;
        return Ok(super::CANNOT_VOUCH);
    }
    files::make_folder(&arguments.out)?;
    for (path, content, count) in &written {
        files::write(path, content)?;
        match count {
            None => writeln!(io.out, "wrote {}", path.display())?,
            Some(1) => writeln!(io.out, "wrote {}: 1 scenario", path.display())?,
            Some(count) => writeln!(io.out, "wrote {}: {count} scenarios", path.display())?,
        }
    }
    for line in &left_out {
        writeln!(io.out, "left out: {}", visible(line))?;
    }
    tell_what_is_missing(&written[0].1, io)?;
    let suites: Vec<String> = written[1..].iter().map(|(path, ..)| path.display().to_string()).collect();
    let metadata: Vec<String> =
        arguments.paths.iter().map(|path| format!("--app {}", path.display())).collect();
    writeln!(io.out, "before deployment: grantcheck run {} {}", suites.join(" "), metadata.join(" "))?;
    writeln!(
        io.out,
        "afterwards:        grantcheck run {} --target {} {} --allow destructive",
        suites.join(" "),
        target.display(),
        metadata.join(" ")
    )?;
    Ok(if suggest::suites(&named).len() < named.len() { super::CANNOT_VOUCH } else { super::CONFORMS })
}

/// The variables and files that the target takes from outside.
fn tell_what_is_missing(target: &str, io: &mut Io<'_>) -> Result<(), CannotStart> {
    let lines = target.lines().map(|line| line.trim_start()).filter(|line| !line.starts_with('#'));
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        for rest in line.split("${").skip(1) {
            names.extend(rest.split('}').next().filter(|name| !names.contains(name)));
        }
    }
    writeln!(io.out, "the target takes from outside: {}", names.join(", "))?;
    Ok(())
}
