//! `grantcheck serve`: the embedded org for people and for tests.

use clap::Args;
use std::sync::Arc;

use super::run::faults_named;
use super::{CannotStart, Exit, Io, load_files, runtime};
use crate::diagnostic::Diagnostic;
use crate::org::Org;
use crate::wire::host::Host;
use crate::wire::{Clock, dice};

#[derive(Args)]
pub(super) struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: String,
    /// A target file with `org: embedded` that says which apps and users there are
    #[arg(long, value_name = "FILE")]
    target: Option<String>,
    /// Commit a fault on purpose
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
}

pub(super) fn exec(arguments: Arguments, io: &mut Io<'_>) -> Exit {
    let target = load_files::target(arguments.target.as_deref())?;
    if !target.is_embedded() {
        return Err(Diagnostic::bare("bad-flag", "only the embedded org can be served")
            .help("say `org: embedded` in the target file")
            .into());
    }
    let mut problems = Vec::new();
    let faults = faults_named(&arguments.fault, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        let org = Arc::new(Org::new(&target, &faults, dice::seed()));
        let host = Host::start(org, Clock::real(), &arguments.listen).await?;
        writeln!(io.out, "listening on {}", host.url())?;
        // What was told must be there before anybody connects.
        io.out.flush()?;
        describe(&target, &host.url(), io)?;
        let _ = tokio::signal::ctrl_c().await;
        host.stop().await;
        Ok(super::CONFORMS)
    })
}

/// What a person needs to try it: apps, users, and a first URL.
fn describe(target: &crate::subject::Target, url: &str, io: &mut Io<'_>) -> Result<(), CannotStart> {
    writeln!(io.err, "\napps")?;
    for (role, app) in &target.apps {
        writeln!(io.err, "  {role:<15} {}", app.client_id)?;
    }
    writeln!(io.err, "users (passwords stand in the target file)")?;
    for (role, user) in &target.users {
        writeln!(io.err, "  {role:<15} {}", user.username)?;
    }
    if let Some(app) = target.apps.get("main") {
        let query = crate::oauth::Params::new()
            .with("response_type", "code")
            .with("client_id", app.client_id.as_str())
            .with("redirect_uri", app.redirect_uri());
        writeln!(io.err, "try in a browser\n  {url}/services/oauth2/authorize?{}", query.write())?;
    }
    Ok(())
}
