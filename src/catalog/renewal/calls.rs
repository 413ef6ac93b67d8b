//! What a client has to tell apart in the answers to its calls, and when a call is the same as another.

use std::borrow::Cow;

use super::super::resource::{is_soap, let_in, presented};
use crate::transcript::Exchange;

/// What a 401 says that a new access token of the same grant does not cure.
const INCURABLE: [&str; 7] = [
    "not valid for use with",
    "not attached to Agent",
    "insufficient_scope",
    "INVALID_HEADER_TYPE",
    "INVALID_SCOPES",
    "INVALID_ISS",
    "cannot perform API operations",
];

fn body(x: &Exchange) -> &str {
    x.response().map_or("", |response| response.body.as_str())
}

/// Whether a call was refused with 401 for a reason that is known to outlast every renewal.
pub(in crate::catalog) fn is_incurable(x: &Exchange) -> bool {
    let challenge = x.response().and_then(|response| response.header("www-authenticate")).unwrap_or("");
    x.status() == 401 && INCURABLE.iter().any(|text| body(x).contains(text) || challenge.contains(text))
}

/// Whether a call was refused because its access token is dead, in the one way that every client must understand.
pub(in crate::catalog) fn is_dead(x: &Exchange) -> bool {
    x.status() == 401 && !is_incurable(x)
}

/// Whether Salesforce's identity endpoints refused the access token: they say so with 403.
pub(in crate::catalog) fn is_bad_oauth_token(x: &Exchange) -> bool {
    x.status() == 403 && body(x).contains("Bad_OAuth_Token")
}

/// Whether an answer gives any reason to renew, in whatever dialect.
pub(in crate::catalog) fn gives_reason(x: &Exchange) -> bool {
    let_in(x) == Some(false) || is_bad_oauth_token(x) || body(x).contains("INVALID_SESSION_ID")
}

/// Whether two calls are the same but for the access token and the host, which a renewal may change. What is called after
/// another start is called anew.
pub(in crate::catalog) fn same_call(a: &Exchange, b: &Exchange) -> bool {
    a.same_start(b) && a.request.method == b.request.method && target(a) == target(b) && sent(a) == sent(b)
}

/// Whether two calls bear the same key that makes a repetition harmless.
pub(in crate::catalog) fn same_key(a: &Exchange, b: &Exchange) -> bool {
    a.request.header("idempotency-key") == b.request.header("idempotency-key")
}

/// Whether two calls have the same method and path and differ in query or body.
pub(in crate::catalog) fn alike(a: &Exchange, b: &Exchange) -> bool {
    a.request.method == b.request.method && a.request.path() == b.request.path() && !same_call(a, b)
}

/// What became of a call that was repeated and lost something on the way; none where the other may be a call of its own.
pub(in crate::catalog) fn mangled(a: &Exchange, b: &Exchange) -> Option<&'static str> {
    let (first, second) = (sent(a), sent(b));
    let cut = first != second && first.starts_with(second.as_ref());
    if a.request.path() != b.request.path() {
        return None;
    }
    match (a.request.method == b.request.method, a.request.query() == b.request.query()) {
        (false, true) if cut || first == second => Some("another method"),
        (true, true) if cut && second.is_empty() => Some("no body"),
        (true, true) if cut => Some("a part of the body"),
        (true, false) if b.request.query().iter().next().is_none() && first == second => Some("no query"),
        _ => None,
    }
}

/// Path and query.
fn target(x: &Exchange) -> &str {
    let url = x.request.url.as_str();
    let url = &url[crate::transcript::questions::origin(url).len()..];
    url.split('#').next().unwrap_or(url)
}

/// The body, without what a repetition has to change: the session id of a SOAP envelope, and the boundary of parts.
fn sent(x: &Exchange) -> Cow<'_, str> {
    let body = x.request.body.as_str();
    if is_soap(x)
        && let Some(token) = presented(x)
    {
        return body.replace(token, "").into();
    }
    let boundary = x.request.header("content-type").and_then(|kind| kind.split_once("boundary="));
    match boundary.map(|(_, rest)| rest.split(';').next().unwrap_or(rest).trim_matches(['"', ' '])) {
        Some(boundary) if !boundary.is_empty() => body.replace(boundary, "").into(),
        _ => body.into(),
    }
}
