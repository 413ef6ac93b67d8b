//! What a target lacks is asked for, where a person sits in front of the terminal: the value of a variable that is not set,
//! and the app of a target that is nothing but a URL. Nothing of it is written down.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{CannotStart, Io, load_files};
use crate::diagnostic::Text;
use crate::oauth::is_loopback;
use crate::subject::Target;
use crate::suite::{Lookup, read_target};

/// The target of a flag, complete as far as the person in front of the terminal knows.
pub(super) fn target(named: Option<&str>, io: &mut Io<'_>) -> Result<Target, CannotStart> {
    if !io.terminal {
        return load_files::target(named);
    }
    let (io, told) = (RefCell::new(io), RefCell::new(BTreeMap::new()));
    let ask = |name: &str| -> Option<String> {
        // The same variable may stand in a file more than once.
        let mut told = told.borrow_mut();
        if !told.contains_key(name) {
            let question = format!("the variable `{name}` is not set; its value");
            told.insert(name.to_owned(), secret(*io.borrow_mut(), &question).ok()?);
        }
        told.get(name).cloned().flatten()
    };
    let target = load_files::target_with(named, &ask)?;
    match target.org.as_deref().filter(|_| target.apps.is_empty() && !target.is_embedded()) {
        Some(org) => Ok(app_of(org, *io.borrow_mut())?.unwrap_or(target)),
        None => Ok(target),
    }
}

/// A target with one app of an org, if the person names one.
fn app_of(org: &str, io: &mut Io<'_>) -> Result<Option<Target>, CannotStart> {
    writeln!(io.err, "the target names no app of {org}, and without one little can be judged")?;
    let Some(key) = line(io, "consumer key (Setup > App Manager > View > Manage Consumer Details)")? else {
        return Ok(None);
    };
    let secret = secret(io, "consumer secret")?;
    let callback = callback(io)?;
    let username = match callback {
        Some(_) => line(io, "username that logs in there")?,
        None => None,
    };
    let mut flows = Vec::new();
    flows.extend(secret.is_some().then_some("client-credentials"));
    flows.extend(callback.is_some().then_some("web-server, refresh-token"));
    if flows.is_empty() {
        writeln!(io.err, "neither a secret nor a callback: no flow can be played with this app")?;
        return Ok(None);
    }
    // What was typed goes in as values of variables: no letter of it is YAML.
    let mut text = format!(
        "org: ${{org}}\napps:\n  main:\n    client_id: ${{key}}\n    flows: [{}]\n",
        flows.join(", ")
    );
    if secret.is_some() {
        text.push_str("    client_secret: ${secret}\n");
    }
    if callback.is_some() {
        text.push_str("    redirect_uri: ${callback}\n");
        text.push_str("users: { main: { username: \"${username}\" } }\nlogin: browser\n");
    }
    let value = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable("org") => Some(org.to_owned()),
        Lookup::Variable("key") => Some(key.clone()),
        Lookup::Variable("secret") => secret.clone(),
        Lookup::Variable("callback") => callback.clone(),
        Lookup::Variable("username") => username.clone().or_else(|| Some("whoever logs in".to_owned())),
        Lookup::Variable(_) | Lookup::File(_) => None,
    };
    Ok(Some(read_target(&Text::new("what was answered", text), &value)?))
}

/// The callback of a login in the browser, which comes back to this machine; asked for until it is one or none.
fn callback(io: &mut Io<'_>) -> Result<Option<String>, CannotStart> {
    loop {
        let Some(told) = line(io, "callback URL on this machine, for a login in the browser")? else {
            return Ok(None);
        };
        if url::Url::parse(&told).is_ok_and(|url| url.scheme() == "http" && is_loopback(&told)) {
            return Ok(Some(told));
        }
        writeln!(
            io.err,
            "a login comes back to a callback such as http://localhost:1717/callback, which the app must have"
        )?;
    }
}

/// One line; none where it is empty.
fn line(io: &mut Io<'_>, what: &str) -> Result<Option<String>, CannotStart> {
    write!(io.err, "{what} (Enter: none): ")?;
    io.err.flush()?;
    Ok(given((io.ask)()))
}

/// One line that is not shown while it is typed; none where it is empty.
fn secret(io: &mut Io<'_>, what: &str) -> Result<Option<String>, CannotStart> {
    write!(io.err, "{what} (not shown; Enter: none): ")?;
    io.err.flush()?;
    let told = given((io.ask_secret)());
    writeln!(io.err)?;
    Ok(told)
}

fn given(told: Option<String>) -> Option<String> {
    told.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
