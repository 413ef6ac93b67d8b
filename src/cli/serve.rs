//! `grantcheck serve`: the embedded org for people and for tests.

use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::outputs::outputs;
use super::run::faults_named;
use super::runtime::{Runtime, told_to_end};
use super::{CannotStart, Exit, Io, apps, load_files};
use crate::diagnostic::Diagnostic;
use crate::metadata::Keys;
use crate::oauth::pkce::Method;
use crate::org::Org;
use crate::report;
use crate::run::fixture::{Fixture, PREFIX};
use crate::wire::authority::Authority;
use crate::wire::host::Host;
use crate::wire::{Clock, dice, files};

#[derive(Args)]
pub(super) struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: String,
    /// A target file with `org: embedded` that says which apps and users there are
    #[arg(long, value_name = "FILE")]
    target: Option<String>,
    /// Metadata of an app, a file or the folder of an external client app: the org has it as `main`; may be repeated. A
    /// target file beside it gives what metadata cannot say: secret and users
    #[arg(long, value_name = "XML")]
    app: Vec<PathBuf>,
    /// Commit a fault on purpose
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
    /// Serve an API under `/__grantcheck/` that places behaviour, lets tokens die, and tells record and verdicts
    #[arg(long)]
    admin: bool,
    /// When it ends, write what was asked and answered, without secrets, for `grantcheck judge`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Serve over TLS, with an authority made for this run; its certificate is written there for clients to trust
    #[arg(long, value_name = "CA-FILE")]
    tls: Option<PathBuf>,
}

pub(super) fn exec(arguments: Arguments, io: &mut Io<'_>) -> Exit {
    let files = [("the recording", &arguments.record), ("the certificate", &arguments.tls)];
    let named = arguments.app.iter().map(PathBuf::as_path);
    let read: Vec<&Path> = named.chain(arguments.target.as_ref().map(Path::new)).collect();
    outputs(files.into_iter().filter_map(|(what, path)| Some((what, path.as_deref()?))), &read)?;
    let target = match arguments.app.as_slice() {
        [] => load_files::target(arguments.target.as_deref())?,
        paths => {
            let joined = apps::embedded(paths, arguments.target.as_deref(), Keys::Kept, io)?;
            apps::tell(&joined, io)?;
            joined.target
        }
    };
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
    let runtime = Runtime::new()?;
    let mut stop = runtime.stop();
    runtime.block_on(async {
        let fixture = (arguments.admin || arguments.record.is_some())
            .then(|| Fixture::new(target.clone(), &faults, arguments.admin));
        let host = match (&fixture, &arguments.tls) {
            (Some(fixture), None) => Host::serving(fixture.clone(), &arguments.listen).await?,
            (Some(fixture), Some(ca)) => {
                Host::serving_tls(fixture.clone(), &authority(ca)?, &arguments.listen).await?
            }
            (None, tls) => {
                let org = Arc::new(Org::new(&target, &faults, dice::seed()));
                match tls {
                    None => Host::start(org, Clock::real(), &arguments.listen).await?,
                    Some(ca) => {
                        Host::start_tls(org, Clock::real(), &authority(ca)?, &arguments.listen).await?
                    }
                }
            }
        };
        if let Some(fixture) = &fixture {
            fixture.listens_at(&host.url());
        }
        writeln!(io.out, "listening on {}", host.url())?;
        // What was told must be there before anybody connects.
        io.out.flush()?;
        describe(&target, &host.url(), arguments.target.as_deref(), io)?;
        if arguments.admin {
            writeln!(io.err, "its API\n  {}{PREFIX}/openapi.json", host.url())?;
        }
        told_to_end(&mut stop).await;
        host.stop().await;
        if let (Some(fixture), Some(path)) = (&fixture, &arguments.record) {
            files::write(path, &fixture.recording())?;
            writeln!(io.err, "recorded in {}", path.display())?;
        }
        Ok(super::CONFORMS)
    })
}

/// An authority for this run, its certificate written to a file.
fn authority(path: &Path) -> Result<Arc<Authority>, CannotStart> {
    let authority = Authority::new()?;
    files::write(path, authority.pem())?;
    Ok(authority)
}

/// The verifier of the login that a person tries: everybody knows it, and it protects nothing (RFC 7636 appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What a person needs to try it: apps, users, and a first URL.
fn describe(
    target: &crate::subject::Target,
    url: &str,
    file: Option<&str>,
    io: &mut Io<'_>,
) -> Result<(), CannotStart> {
    writeln!(io.err, "\napps")?;
    for (role, app) in &target.apps {
        writeln!(io.err, "  {role:<15} {}", app.client_id)?;
    }
    match file {
        Some(file) => writeln!(io.err, "users (passwords stand in {})", report::visible(file))?,
        None => writeln!(
            io.err,
            "users (passwords are published: `grantcheck suites --export DIR` writes them to DIR/targets/embedded.yaml, by role)"
        )?,
    }
    for (role, user) in &target.users {
        writeln!(io.err, "  {role:<15} {}", user.username)?;
    }
    if let Some(app) = target.apps.get("main") {
        let query = crate::oauth::Params::new()
            .with("response_type", "code")
            .with("client_id", app.client_id.as_str())
            .with("redirect_uri", app.redirect_uri())
            .with("code_challenge", Method::S256.challenge(VERIFIER))
            .with("code_challenge_method", Method::S256.name());
        writeln!(io.err, "try in a browser\n  {url}/services/oauth2/authorize?{}", query.write())?;
        writeln!(io.err, "the code is redeemed with code_verifier={VERIFIER}")?;
    }
    Ok(())
}
