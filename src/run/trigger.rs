//! A client that runs already: it is told to do its work, by a request or by a person, and nobody starts or ends it.

use http::{Request, header};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::launch::{Ended, LONGEST_WORDS, Life};
use crate::client::{Outgoing, Remember};
use crate::subject::Program;
use crate::subject::program::{Trigger, variable};
use crate::transcript::questions::{is_loopback, origin};
use crate::transcript::{Answer, Failure};
use crate::wire::counterpart::Counterpart;
use crate::wire::{Error, Transport};

/// With which status a client says that it does not do what it is asked (RFC 9110 §15.6.2).
const NOT_IMPLEMENTED: u16 = 501;
/// How long nothing has to come until a client that a person set going is taken to be done.
const QUIET: Duration = Duration::from_secs(5);

/// Sets a client going, and waits until it is done. `say` is what a person is told.
///
/// # Errors
/// There is no way to it.
pub(super) async fn triggered(
    program: &Program,
    trigger: &Trigger,
    values: &BTreeMap<&str, String>,
    org: &Arc<Counterpart>,
    say: impl FnOnce(String),
) -> Result<Life, Error> {
    let within = Duration::from_millis(program.within.try_into().unwrap_or(0));
    let text = match program.filled(trigger.text(), values) {
        Ok(text) => text,
        Err(why) => return Ok(Life::new(Ended::Unfilled(why.to_string()))),
    };
    let ended = match trigger {
        Trigger::Request(_) => requested(&text, values, within).await?,
        Trigger::Person(_) => {
            say(text);
            match tokio::time::timeout(within, org.quiet(QUIET)).await {
                Ok(()) => Ended::Done,
                Err(_) => Ended::TimedOut,
            }
        }
    };
    Ok(Life::new(ended))
}

/// Requests that URL, with everything that a program would find in its environment, and waits for the answer.
async fn requested(url: &str, values: &BTreeMap<&str, String>, within: Duration) -> Result<Ended, Error> {
    let told: Map<String, Value> =
        values.iter().map(|(name, value)| (variable(name), Value::from(value.as_str()))).collect();
    // What was never told anything has not given up: it was not started, as a command that is not there.
    if !is_loopback(url) {
        return Err(cannot(url, "it is not on this machine, and what is told has secrets in it".to_owned()));
    }
    let request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
    let Ok(request) = request.body(Value::Object(told).to_string().into()) else {
        return Err(cannot(url, "it is not a URL".to_owned()));
    };
    let transport = Transport::http(None, within, url)?;
    let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
    Ok(match transport.send(&outgoing).await.0 {
        Answer::Response(response) if (200..300).contains(&response.status) => Ended::Done,
        Answer::Response(response) if response.status == NOT_IMPLEMENTED => Ended::NotImplemented,
        Answer::Response(response) => {
            Ended::GaveUp(response.one_line().chars().take(LONGEST_WORDS).collect())
        }
        Answer::Nothing(Failure::TimedOut(_)) => Ended::TimedOut,
        Answer::Nothing(Failure::Unreachable(why)) => {
            return Err(cannot(url, format!("{why}; start the client that listens there before the run")));
        }
        // Who breaks off in the middle gave no answer, as a program that ends by a signal.
        Answer::Nothing(why) => Ended::Crashed(format!("its trigger: {why}")),
    })
}

/// A trigger that did not set anything going, and why. What stands behind its host and port may be a secret.
fn cannot(url: &str, why: String) -> Error {
    let host = origin(url).rsplit('@').next().unwrap_or_default();
    Error::Trigger { host: host.trim_start_matches("http://").to_owned(), why }
}
