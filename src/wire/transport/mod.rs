//! How a request reaches the org: as a function call, over reqwest, or over a bare connection where the
//! bytes matter.

mod bare;
mod http;

use ::http::{Request, header};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Watch;
use super::{Clock, Error, stubs};
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
    /// A server of ours that answers for whatever host a URL names.
    Stubs(Http, SocketAddr),
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

    /// A way to a server of ours at that address, whatever host a URL names: each play has a port of its own, and what
    /// the client says and hears must not depend on it.
    ///
    /// # Errors
    /// The platform's authorities cannot be used.
    pub fn stubs(address: SocketAddr, within: Duration) -> Result<Self, Error> {
        Ok(Self::Stubs(Http::new(None, within, &format!("http://{address}"))?, address))
    }

    /// Sends one request and waits for the answer.
    pub async fn send(&self, outgoing: &Outgoing) -> Timed {
        let watch = Watch::start();
        if let (Transport::Stubs(http, to), false) = (self, outgoing.truncated) {
            let answer = Box::pin(http.send(&toward(&outgoing.request, *to))).await;
            return told(answer, watch.micros());
        }
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
            // wiremock would break down over it.
            Transport::Stubs(..) => {
                Answer::Nothing(Failure::Broken("a server of stubs takes no half request".into()))
            }
            // What waits for a socket is large, and would be moved about with every call in process as well.
            Transport::Http(http) if outgoing.truncated => {
                Box::pin(http.send_truncated(&outgoing.request)).await
            }
            Transport::Http(http) => Box::pin(http.send(&outgoing.request)).await,
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
            Transport::Stubs(http, to) => {
                let requests: Vec<_> = requests.iter().map(|request| toward(request, *to)).collect();
                http.race(&requests).await.into_iter().map(|(answer, took)| told(answer, took)).collect()
            }
        }
    }
}

/// The same request to another address; the host that it means stays in its header.
fn toward(request: &Request<Bytes>, to: SocketAddr) -> Request<Bytes> {
    let mut request = request.clone();
    let host = request.uri().authority().and_then(|authority| authority.as_str().parse().ok());
    if let Some(host) = host.filter(|_| !request.headers().contains_key(header::HOST)) {
        request.headers_mut().insert(header::HOST, host);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = format!("http://{to}{path}").parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// An answer of a server of ours, which may say that there is none, or how long it is to have taken.
fn told(mut answer: Answer, mut took: u64) -> Timed {
    if let Answer::Response(response) = &mut answer {
        if let Some(why) = response.header(stubs::NOTHING) {
            let broken = |_| Failure::Broken("the server of stubs broke off".into());
            return (Answer::Nothing(serde_json::from_str(why).unwrap_or_else(broken)), took);
        }
        took = response.header(stubs::TOOK).and_then(|took| took.parse().ok()).unwrap_or(took);
        response.headers.retain(|(name, _)| name != stubs::TOOK);
    }
    (answer, took)
}

fn response_of(reply: &Reply) -> Answer {
    if reply.cut_after.is_some() {
        return Answer::Nothing(Failure::Broken("the org cut the connection".into()));
    }
    let (parts, body) = (&reply.response, reply.response.body());
    Answer::Response(Response::new(parts.status().as_u16(), headers_of(parts.headers()), text_of(body)))
}

/// Header fields as text, in order.
pub(super) fn headers_of(headers: &::http::HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect()
}

fn text_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(LONGEST_BODY)]).into_owned()
}
