//! How a request reaches the org: as a function call, over reqwest, or over a bare connection where the
//! bytes matter.

mod bare;
mod http;

use ::http::Request;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Watch;
use super::{Clock, Error};
use crate::client::Outgoing;
use crate::org::{Begun, Org, Reply};
use crate::transcript::{Answer, Failure, Response};

pub use http::Http;

/// The most bytes of a body that are kept.
pub const LONGEST_BODY: usize = 1024 * 1024;

/// A way to an org.
#[derive(Clone)]
pub enum Transport {
    /// The embedded org, called directly.
    InProcess(Arc<Org>, Clock),
    /// A server at a URL.
    Http(Http),
}

/// What came back, and how long it took in microseconds.
pub type Timed = (Answer, u64);

impl Transport {
    /// A way to servers over HTTP.
    ///
    /// # Errors
    /// The authority of the target cannot be used.
    pub fn http(ca: Option<&str>, within: Duration, org: &str) -> Result<Self, Error> {
        Http::new(ca, within, org).map(Self::Http)
    }

    /// Sends one request and waits for the answer.
    pub async fn send(&self, outgoing: &Outgoing) -> Timed {
        let watch = Watch::start();
        // Nobody waits in process, but how long the org would have kept its client waiting is told.
        let mut delay = 0;
        let answer = match self {
            Transport::InProcess(..) if outgoing.truncated => {
                Answer::Nothing(Failure::Broken("a cut body needs a socket".into()))
            }
            Transport::InProcess(org, clock) => {
                let reply = org.handle(&outgoing.request, clock.now());
                delay = reply.delay_ms.saturating_mul(1000);
                response_of(&reply)
            }
            Transport::Http(http) if outgoing.truncated => http.send_truncated(&outgoing.request).await,
            Transport::Http(http) => http.send(&outgoing.request).await,
        };
        (answer, watch.micros().saturating_add(delay))
    }

    /// Sends several requests so that the org has all of them before it can finish one: connections are open and
    /// everything but the last byte is there before the last bytes are released together.
    pub async fn race(&self, requests: &[Request<Bytes>]) -> Vec<Timed> {
        let watch = Watch::start();
        match self {
            Transport::InProcess(org, clock) => {
                let now = clock.now();
                let begun: Vec<Begun> = requests.iter().map(|request| org.begin(request, now)).collect();
                begun
                    .into_iter()
                    .map(|begun| match begun {
                        Begun::Reply(reply) => reply,
                        Begun::Pending(pending) => org.commit(pending, now),
                    })
                    .map(|reply| (response_of(&reply), watch.micros() + reply.delay_ms.saturating_mul(1000)))
                    .collect()
            }
            Transport::Http(http) => http.race(requests).await,
        }
    }
}

fn response_of(reply: &Reply) -> Answer {
    if reply.cut_after.is_some() {
        return Answer::Nothing(Failure::Broken("the org cut the connection".into()));
    }
    let (parts, body) = (&reply.response, reply.response.body());
    Answer::Response(Response::new(parts.status().as_u16(), headers_of(parts.headers()), text_of(body)))
}

/// Header fields as text, in order.
fn headers_of(headers: &::http::HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect()
}

fn text_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(LONGEST_BODY)]).into_owned()
}
