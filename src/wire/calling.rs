//! Calls of our own client beyond the first answer: to the instance that the org names, from page to page, and in ways
//! that no client should.

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use serde_json::Value;
use std::sync::Arc;

use super::renewal::{GaveUp, Renewing};
use crate::client::wrong::authentication::SECRET_TO_THE_API;
use crate::client::wrong::renewal::{BLIND_TO_FAULTS, OLD_ENVELOPE, STARTS_OVER};
use crate::client::wrong::resource::{
    ASKS_ANY_IDENTITY, FOLLOWS_CALLS_ANYWHERE, FOLLOWS_LINKS_ANYWHERE, HAMMERS, NEEDS_A_CODE,
    READS_ARRAYS_ALONE, READS_FIRST_CHALLENGE, RENEWS_FOR_SCOPE, RENEWS_WHEN_DOWN, SCHEME_OF_ITS_OWN,
    TOKEN_IN_URL,
};
use crate::client::wrong::robustness::{RENEWS_ON_ANY_ERROR, REPEATS_SUCCESS};
use crate::client::{Outgoing, Remember};
use crate::oauth::Secret;
use crate::transcript::questions::{origin, same_origin};
use crate::transcript::{Answer, Response};

/// The most pages of one call.
const MOST_PAGES: usize = 100;

/// The header of a call whose access token stands in its envelope.
pub(super) const ENVELOPE: &str = "soapaction";
/// Where it stands there.
pub(super) const SESSION_ID: &str = "{session id}";

impl Renewing {
    /// Puts the access token into the envelope of a SOAP call.
    pub(super) fn enclose(&self, request: &mut Request<Bytes>, token: &Secret, sent: Option<&Secret>) {
        let token = sent.filter(|_| self.wrong().has(&OLD_ENVELOPE)).unwrap_or(token);
        let envelope = String::from_utf8_lossy(request.body()).replace(SESSION_ID, token.expose());
        *request.body_mut() = envelope.into();
    }

    /// Calls a resource, and then whatever its answer says comes next, as long as that is on the same host.
    ///
    /// # Errors
    /// [`GaveUp`], where there is no answer, or the next page is somewhere else.
    pub async fn pages(self: &Arc<Self>, request: &Request<Bytes>) -> Result<Response, GaveUp> {
        let first = request;
        let mut request = request.clone();
        for _ in 0..MOST_PAGES {
            let response = self.call(&request).await?;
            if self.wrong().has(&STARTS_OVER) && response.status == 401 && first.uri() != request.uri() {
                return self.call(first).await;
            }
            let Some(link) = next(&response) else { return Ok(response) };
            let here = origin(&request.uri().to_string()).to_owned();
            let url = if link.starts_with('/') { format!("{here}{link}") } else { link.to_owned() };
            let stays = same_origin(&url, &here) || self.wrong().has(&FOLLOWS_LINKS_ANYWHERE);
            let Some(uri) = url.parse().ok().filter(|_| stays) else { return Err(GaveUp::LedAway) };
            *request.uri_mut() = uri;
        }
        Err(GaveUp::LedAway)
    }

    /// Asks the org whom the access token is for, where it says so at a host that the token may go to.
    pub(super) async fn introduce(&self, token: &Secret, identity_url: Option<&str>) {
        let trusted =
            |url: &&str| self.manner().trusts(self.org(), url) || self.wrong().has(&ASKS_ANY_IDENTITY);
        let request = identity_url.filter(trusted).map(|url| {
            Request::get(url)
                .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
                .header(header::ACCEPT, "application/json")
                .body(Bytes::new())
        });
        if let Some(Ok(request)) = request {
            let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
            // Whoever it is: the calls show what the token is good for.
            let _ = self.transport().send(&outgoing).await;
        }
    }

    /// The same request at the instance that the org named, where it was to go to the org. This is on the way of every call:
    /// no URL is written out to be read again.
    pub(super) fn addressed(&self, request: &Request<Bytes>) -> Request<Bytes> {
        let mut request = request.clone();
        // Most instances are the org itself, which takes no URL to find out.
        let Some(instance) = self.other_instance() else { return request };
        let uri = request.uri();
        let is_for_the_org = self
            .place()
            .is_some_and(|org| org.scheme() == uri.scheme() && org.authority() == uri.authority());
        let path = uri.path_and_query().cloned();
        let mut parts = instance.into_parts();
        parts.path_and_query = path;
        if is_for_the_org && let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        request
    }

    /// Puts the access token of a call where it does not belong, where a wrong has it.
    pub(super) fn misplace(&self, request: &mut Request<Bytes>, token: &Secret) {
        let header = |text: String| HeaderValue::try_from(text).ok();
        if self.wrong().has(&SCHEME_OF_ITS_OWN)
            && let Some(value) = header(format!("Token {}", token.expose()))
        {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        if self.wrong().has(&SECRET_TO_THE_API)
            && let Some(value) = self.client_secret().and_then(|secret| header(secret.expose().to_owned()))
        {
            request.headers_mut().insert("x-client-secret", value);
        }
        if self.wrong().has(&TOKEN_IN_URL) {
            let url = request.uri().to_string();
            let mark = if url.contains('?') { '&' } else { '?' };
            if let Ok(uri) = format!("{url}{mark}access_token={}", token.expose()).parse() {
                request.headers_mut().remove(header::AUTHORIZATION);
                *request.uri_mut() = uri;
            }
        }
    }

    /// Sends one call. No redirect is followed, but by a wrong.
    pub(super) async fn sent(&self, mut outgoing: Outgoing) -> Answer {
        let answer = self.transport().send(&outgoing).await.0;
        let Answer::Response(response) = &answer else { return answer };
        if self.wrong().has(&HAMMERS) && response.body.contains("REQUEST_LIMIT_EXCEEDED") {
            for _ in 0..4 {
                let _ = self.transport().send(&outgoing).await;
            }
        }
        let to = response.header("location").and_then(|to| to.parse().ok());
        match to.filter(|_| self.wrong().has(&FOLLOWS_CALLS_ANYWHERE) && response.redirect().is_some()) {
            Some(to) => {
                *outgoing.request.uri_mut() = to;
                self.transport().send(&outgoing).await.0
            }
            None => answer,
        }
    }

    /// What a wrong takes an answer for; none where it has nothing to say.
    pub(super) fn misread(&self, response: &Response) -> Option<bool> {
        let challenges = || response.header_list("www-authenticate");
        let wrong = self.wrong();
        match response.status {
            401 if wrong.has(&NEEDS_A_CODE) => Some(response.body.contains("INVALID_SESSION_ID")),
            401 if wrong.has(&READS_FIRST_CHALLENGE) && !challenges().is_empty() => {
                let challenges = challenges();
                let first = challenges.split(',').next().unwrap_or("");
                challenges.contains("invalid_token").then(|| first.contains("Bearer error=\"invalid_token\""))
            }
            401 if wrong.has(&READS_ARRAYS_ALONE) && response.json().is_some_and(Value::is_object) => {
                Some(false)
            }
            502..=504 if wrong.has(&RENEWS_WHEN_DOWN) => Some(true),
            500 if wrong.has(&BLIND_TO_FAULTS) => Some(false),
            status if wrong.has(&RENEWS_ON_ANY_ERROR) && status >= 400 => Some(true),
            status if wrong.has(&REPEATS_SUCCESS) && !matches!(status, 200 | 201 | 204 | 400..) => Some(true),
            403 if wrong.has(&RENEWS_FOR_SCOPE) && challenges().contains("insufficient_scope") => Some(true),
            _ => None,
        }
    }
}

/// The link to what comes next.
fn next(response: &Response) -> Option<&str> {
    let more = (200..300).contains(&response.status);
    response.json().filter(|_| more)?.get("nextRecordsUrl").and_then(Value::as_str)
}
