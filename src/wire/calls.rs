//! What our own client calls: each call a request of its own, made by so many callers at a time.

use bytes::Bytes;
use http::{Method, Request, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Clock;
use super::calling::{ENVELOPE, SESSION_ID};
use super::renewal::{GaveUp, Renewing};
use crate::subject::Endpoints;
use crate::transcript::Response;

/// Where the version of the API that it calls begins.
const LIMITS: &str = "/limits";
/// What it reads there, one after the other.
const READ: [&str; 8] = [
    LIMITS,
    "/sobjects",
    "/sobjects/Account",
    "/sobjects/Account/describe",
    "/sobjects/User",
    "/sobjects/User/describe",
    "/sobjects/Contact/describe",
    "/query",
];

/// What each of its calls does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Call {
    /// Reads something.
    #[default]
    Read,
    /// Creates a record.
    Create,
    /// Asks who the user is.
    Userinfo,
    /// Reads something by the SOAP API.
    Soap,
}

impl Call {
    /// Every word for it in a suite.
    const WORDS: [(&str, Self); 5] = [
        ("read", Self::Read),
        ("pages", Self::Read),
        ("create", Self::Create),
        ("userinfo", Self::Userinfo),
        ("soap", Self::Soap),
    ];

    /// By its word.
    pub fn read(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, call)| *call)
    }
}

/// The calls of one client.
pub(super) struct Calls {
    pub(super) call: Call,
    pub(super) endpoints: Endpoints,
    /// How many at a time.
    pub(super) concurrency: u32,
    /// How long it waits before each call but the first.
    pub(super) pause: Duration,
    pub(super) clock: Clock,
    /// Where they say that they come from.
    pub(super) referer: Option<String>,
}

/// What came of calls.
#[derive(Default)]
pub(super) struct Made {
    /// Those that were not answered because the grant is over.
    pub(super) left: Vec<u32>,
    /// Whether any other was not answered with success.
    pub(super) failed: bool,
}

impl Calls {
    /// Makes the calls of those numbers.
    pub(super) async fn make(&self, session: &Arc<Renewing>, numbers: Vec<u32>) -> Made {
        let room = Arc::new(Semaphore::new(usize::try_from(self.concurrency.max(1)).unwrap_or(1)));
        let begun = Arc::new(AtomicBool::new(false));
        let mut calls = JoinSet::new();
        for number in numbers {
            let Some(request) = self.request(number) else { continue };
            let (session, room, begun) = (session.clone(), room.clone(), begun.clone());
            let (clock, pause) = (self.clock.clone(), self.pause);
            calls.spawn(async move {
                let _permit = room.acquire_owned().await;
                if begun.swap(true, Ordering::Relaxed) && !pause.is_zero() {
                    clock.wait(pause).await;
                }
                (number, session.pages(&request).await)
            });
        }
        let mut made = Made::default();
        for (number, came) in calls.join_all().await {
            match came {
                Ok(response) => made.failed |= !is_success(&response),
                Err(GaveUp::NoToken(why)) if why.is_final => made.left.push(number),
                Err(_) => made.failed = true,
            }
        }
        made.left.sort_unstable();
        made
    }

    /// The call of that number: one of its own, so that its repetition can be told from another.
    pub(super) fn request(&self, number: u32) -> Option<Request<Bytes>> {
        let api = self.endpoints.api.as_deref().unwrap_or_default();
        let (method, url, body) = match self.call {
            Call::Read => (Method::GET, self.resource(number), None),
            Call::Create => {
                let url = format!("{}/sobjects/Account", api.strip_suffix(LIMITS)?);
                (Method::POST, url, Some(format!("{{\"Name\":\"call {number}\"}}")))
            }
            Call::Userinfo => (Method::GET, self.endpoints.userinfo.clone()?, None),
            Call::Soap => {
                let (host, _) = api.split_once("/services/")?;
                (Method::POST, format!("{host}/services/Soap/u/62.0"), Some(envelope(number)))
            }
        };
        let mut request = Request::builder().method(method).uri(url);
        if let Some(referer) = &self.referer {
            request = request.header(header::REFERER, referer);
        }
        let request = match body {
            Some(_) if self.call == Call::Soap => {
                request.header("content-type", "text/xml; charset=UTF-8").header(ENVELOPE, "query")
            }
            Some(_) => request.header("content-type", "application/json"),
            None => request,
        };
        request.body(body.unwrap_or_default().into()).ok()
    }

    /// What the call of that number reads.
    fn resource(&self, number: u32) -> String {
        let api = self.endpoints.api.as_deref().unwrap_or_default();
        let Some(version) = api.strip_suffix(LIMITS) else { return format!("{api}?call={number}") };
        let resource = READ[usize::try_from(number).unwrap_or(0) % READ.len()];
        let query = if resource == "/query" { "q=SELECT+Id+FROM+User&" } else { "" };
        format!("{version}{resource}?{query}call={number}")
    }
}

/// A query by the SOAP API, without the session id.
fn envelope(number: u32) -> String {
    format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:u=\"urn:partner.soap.sforce.com\">\
         <e:Header><u:SessionHeader><u:sessionId>{SESSION_ID}</u:sessionId></u:SessionHeader></e:Header>\
         <e:Body><u:query><u:queryString>SELECT Id FROM User LIMIT {}</u:queryString></u:query></e:Body></e:Envelope>",
        number + 1
    )
}

fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_calls_are_the_same_and_neighbours_read_different_things() {
        let api = Some("https://org.example/services/data/v62.0/limits".to_owned());
        let endpoints = Endpoints { api, ..Endpoints::default() };
        let calls = Calls {
            call: Call::Read,
            endpoints,
            concurrency: 1,
            pause: Duration::ZERO,
            clock: Clock::own(0),
            referer: None,
        };
        let urls: Vec<String> = (0..20).map(|n| calls.request(n).unwrap().uri().to_string()).collect();
        assert_eq!(urls.iter().collect::<HashSet<_>>().len(), 20);
        let paths: HashSet<&str> = urls[..8].iter().map(|url| url.split('?').next().unwrap()).collect();
        assert_eq!(paths.len(), 8);
        let elsewhere = Endpoints { api: Some("https://api.example/me".into()), ..Endpoints::default() };
        let calls = Calls {
            call: Call::Read,
            endpoints: elsewhere,
            concurrency: 1,
            pause: Duration::ZERO,
            clock: Clock::own(0),
            referer: None,
        };
        assert_eq!(calls.request(3).unwrap().uri(), "https://api.example/me?call=3");
    }
}
