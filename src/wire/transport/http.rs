//! Servers over HTTP with reqwest: no redirect is followed, no cookie kept, everything has a limit.

use bytes::Bytes;
use http::Request;
use std::sync::Arc;
use std::time::Duration;

use super::{LONGEST_BODY, Timed, bare, headers_of, text_of};
use crate::transcript::questions::is_loopback;
use crate::transcript::{Answer, Failure, Response};
use crate::wire::{Error, tls};

/// A way to servers over HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
    within: Duration,
}

impl Http {
    pub(super) fn new(ca: Option<&str>, within: Duration, org: &str) -> Result<Self, Error> {
        let tls = tls::client(ca)?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(within)
            .connect_timeout(within)
            .http1_only()
            // A server may close a connection that it kept open just as the next request goes out: nobody's fault,
            // and a POST must not be sent twice to find out. Every request has a connection of its own.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("grantcheck/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls.clone());
        // A proxy of the environment stands between this machine and the outside, never in front of the machine itself.
        if is_loopback(org) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|why| Error::Authority(why.to_string()))?;
        Ok(Self { client, tls: Arc::new(tls), within })
    }

    pub(super) async fn send(&self, request: &Request<Bytes>) -> Answer {
        let request = match reqwest::Request::try_from(request.clone()) {
            Ok(request) => request,
            Err(why) => return Answer::Nothing(Failure::Unreachable(why.to_string())),
        };
        let mut response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(why) => return Answer::Nothing(self.failure(&why)),
        };
        let (status, headers) = (response.status().as_u16(), headers_of(response.headers()));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(why) => return Answer::Nothing(self.failure(&why)),
            }
            if body.len() > LONGEST_BODY {
                break;
            }
        }
        Answer::Response(Response::new(status, headers, text_of(&body)))
    }

    pub(super) async fn send_truncated(&self, request: &Request<Bytes>) -> Answer {
        bare::truncated(request, &self.tls, self.within).await
    }

    pub(super) async fn race(&self, requests: &[Request<Bytes>]) -> Vec<Timed> {
        bare::race(requests, &self.tls, self.within).await
    }

    fn failure(&self, why: &reqwest::Error) -> Failure {
        if why.is_connect() {
            return Failure::Unreachable(chain(why));
        }
        if why.is_timeout() {
            return Failure::TimedOut(u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX));
        }
        Failure::Broken(chain(why))
    }
}

/// The innermost cause, which is what helps; the outer ones repeat the URL, and with it its parameters.
fn chain(why: &dyn std::error::Error) -> String {
    let mut cause = why;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
