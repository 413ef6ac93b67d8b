//! Answers: the errors of the catalogue, the three forms of a token response, the headers.

use std::borrow::Cow;

use bytes::Bytes;
use http::response::Builder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ask::{Ask, given};
use super::{Org, Reply, fault};
use crate::oauth::Params;
use crate::oauth::params::form_encode;

/// Two years (captures of response headers).
const HSTS: &str = "max-age=63072000; includeSubDomains";

/// An OAuth error: HTTP 400 unless it says otherwise (Salesforce Help: OAuth 2.0 Authorization Errors).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub error: Cow<'static, str>,
    pub description: Cow<'static, str>,
    /// Whether it is about who the client is: 401 where RFC 6749 §5.2 asks for it.
    pub client: bool,
}

/// What is said where two requests with one refresh token are under way at the same time (field reports).
pub(super) const COLLISION: &str = "token request is already being processed";

/// In which form a token response is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
    Form,
}

/// What a token response holds, in the order of the wire. Its names are known beforehand, so none of them is copied: it is
/// made for every token.
#[derive(Default)]
pub(super) struct Members(Vec<(&'static str, Value)>);

/// How the token endpoint writes what it answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub format: Format,
    pub pretty: bool,
    /// Whether the client tried HTTP Basic, and so must be told of it (RFC 6749 §5.2).
    pub basic: bool,
    pub secure: bool,
}

pub(super) fn refused(
    error: impl Into<Cow<'static, str>>,
    description: impl Into<Cow<'static, str>>,
) -> Refused {
    Refused { error: error.into(), description: description.into(), client: false }
}

/// `invalid_grant` with a description.
pub(super) fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Refused {
    refused("invalid_grant", description)
}

/// `invalid_request` with a description.
pub(super) fn invalid_request(description: impl Into<Cow<'static, str>>) -> Refused {
    refused("invalid_request", description)
}

/// An error about who the client is.
pub(super) fn invalid_client(error: &'static str, description: &'static str) -> Refused {
    Refused { client: true, ..refused(error, description) }
}

impl Refused {
    /// Whether two requests with one refresh token were under way at the same time.
    pub fn is_collision(&self) -> bool {
        self.description == COLLISION
    }

    /// The code as the RFCs have it, where Salesforce has one of its own.
    pub fn registered(mut self) -> Self {
        let code = match self.error.as_ref() {
            "invalid_grant" if self.description == "client credentials flow not enabled" => {
                "unauthorized_client"
            }
            "invalid_client_id" | "app_not_found" | "app_blocked" | "invalid_basic_auth_header" => {
                self.client = true;
                "invalid_client"
            }
            "oauth_flow_disabled" => "unauthorized_client",
            "redirect_uri_mismatch" | "invalid_app_access" | "inactive_user" => "invalid_grant",
            "redirect_uri_missing" | "invalid_assertion_type" => "invalid_request",
            _ => return self,
        };
        self.error = code.into();
        self
    }

    /// As the body of a token response.
    pub fn members(&self) -> Members {
        let mut members = Members::default();
        members.put("error", self.error.as_ref());
        members.put("error_description", self.description.as_ref());
        members
    }

    /// As a form, with `%20` for a space, as captures show it (Salesforce Help: OAuth 2.0 Authorization Errors; field reports).
    pub fn form(&self) -> String {
        let spaced = |text: &str| form_encode(text).replace('+', "%20");
        format!("error={}&error_description={}", spaced(&self.error), spaced(&self.description))
    }
}

impl Members {
    /// With room for those of a token response.
    pub fn new() -> Self {
        Self(Vec::with_capacity(12))
    }

    /// Adds one after the others.
    pub fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    /// One of them that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| *n == name)?.1.as_str()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl Serialize for Members {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Style {
    /// `format` wins over `Accept`, whose list is read left to right (REST API Developer Guide; captures of response headers).
    pub fn of(ask: &Ask, params: &Params) -> Self {
        let named = given(params, "format").and_then(|format| match format {
            "json" => Some(Format::Json),
            "xml" => Some(Format::Xml),
            "urlencoded" => Some(Format::Form),
            _ => None,
        });
        let accepted = || {
            let list = ask.header(header::ACCEPT)?;
            list.split(',').find_map(|one| match one.split(';').next().unwrap_or("").trim() {
                "application/json" | "*/*" => Some(Format::Json),
                "application/xml" => Some(Format::Xml),
                "application/x-www-form-urlencoded" => Some(Format::Form),
                _ => None,
            })
        };
        Self {
            format: named.or_else(accepted).unwrap_or(Format::Json),
            pretty: ask.pretty(),
            basic: ask.authorization(&["Basic"]).is_some(),
            secure: ask.host.origin.starts_with("https:"),
        }
    }
}

/// A successful token response.
pub(super) fn granted(org: &Org, members: &Members, style: Style, now: i64) -> Reply {
    let mut response = members_in(StatusCode::OK, members, style, now);
    let headers = response.headers_mut();
    if org.faults.has(&fault::NO_STORE_MISSING) {
        headers.remove(header::CACHE_CONTROL);
    }
    if org.faults.has(&fault::PRAGMA_MISSING) {
        headers.remove(header::PRAGMA);
    }
    if org.faults.has(&fault::TOKEN_AS_TEXT) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    response.into()
}

/// An error of the token endpoint. Under profile `rfc` with the codes and statuses of RFC 6749 §5.2.
pub(super) fn refuse(org: &Org, error: Refused, style: Style, now: i64) -> Reply {
    let rfc = org.registry.switches.rfc;
    let error = if rfc { error.registered() } else { error };
    if error.is_collision() && org.faults.has(&fault::COLLISION_500) {
        return bare(StatusCode::INTERNAL_SERVER_ERROR, now);
    }
    let unauthorized = rfc && error.client && !org.faults.has(&fault::BASIC_401_LESS);
    let status = if unauthorized { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let mut response = members_in(status, &error.members(), style, now);
    if unauthorized && style.basic {
        challenge(&mut response, "Basic realm=\"OAuth 2.0\"");
    }
    if org.faults.has(&fault::ERROR_AS_HTML) {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html;charset=UTF-8"));
    }
    response.into()
}

/// Names the scheme that would be accepted.
pub(super) fn challenge(response: &mut Response<Bytes>, scheme: &'static str) {
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
}

fn members_in(status: StatusCode, members: &Members, style: Style, now: i64) -> Response<Bytes> {
    let (kind, body) = match style.format {
        Format::Json => ("application/json;charset=UTF-8", json_text(members, style.pretty)),
        Format::Xml => ("application/xml;charset=UTF-8", xml_text("OAuth", members.iter())),
        Format::Form => ("application/x-www-form-urlencoded;charset=UTF-8", form_text(members)),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(16);
    let headers = response.headers_mut();
    // The order of the capture; `Cache-Control` stands twice there.
    headers.insert(header::DATE, date(now));
    let secure = [(header::STRICT_TRANSPORT_SECURITY, HSTS)];
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (header::PRAGMA, "no-cache"),
        (header::CACHE_CONTROL, "no-cache, no-store"),
        (HeaderName::from_static("x-readonlymode"), "false"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, kind),
        (header::VARY, "Accept-Encoding"),
    ];
    for (name, value) in secure.into_iter().filter(|_| style.secure).chain(always) {
        headers.append(name, HeaderValue::from_static(value));
    }
    response
}

/// JSON, on lines where that was asked for.
pub(super) fn json_text(members: &impl Serialize, pretty: bool) -> String {
    // Room for a token response without an ID token.
    let mut out = Vec::with_capacity(1024);
    let written = match pretty {
        true => serde_json::to_writer_pretty(&mut out, members),
        false => serde_json::to_writer(&mut out, members),
    };
    written.ok().and_then(|()| String::from_utf8(out).ok()).unwrap_or_default()
}

/// One element for each member; nested ones nest, null is `xsi:nil`.
pub(super) fn xml_text<'m>(root: &str, mut members: impl Iterator<Item = (&'m str, &'m Value)>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    out.push_str(&format!("<{root}>"));
    xml_members(&mut out, &mut members);
    out.push_str(&format!("</{}>", root.split(' ').next().unwrap_or(root)));
    out
}

/// Each member of an object.
pub(super) fn each(members: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    members.iter().map(|(name, value)| (name.as_str(), value))
}

fn xml_members<'m>(out: &mut String, members: &mut dyn Iterator<Item = (&'m str, &'m Value)>) {
    for (name, value) in members {
        match value {
            Value::Null => out.push_str(&format!("<{name} xsi:nil=\"true\"/>")),
            Value::Object(inner) => {
                out.push_str(&format!("<{name}>"));
                xml_members(out, &mut each(inner));
                out.push_str(&format!("</{name}>"));
            }
            Value::String(text) => out.push_str(&format!("<{name}>{}</{name}>", escape(text))),
            other => out.push_str(&format!("<{name}>{}</{name}>", escape(&other.to_string()))),
        }
    }
}

fn form_text(members: &Members) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.iter().map(|(name, value)| (name, text(value))).collect::<Params>().write()
}

/// A text inside of HTML or XML, in an attribute as well.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `Date` of the org's own clock.
pub(super) fn date(now: i64) -> HeaderValue {
    let at = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default();
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// A response whose headers were all chosen here.
pub(super) fn finish(builder: Builder, body: impl Into<Bytes>) -> Response<Bytes> {
    builder.body(body.into()).unwrap_or_else(|_| {
        let mut broken = Response::new(Bytes::new());
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

/// A text with a status and a type.
pub(super) fn text(status: StatusCode, kind: &str, body: impl Into<Bytes>, now: i64) -> Response<Bytes> {
    let builder = Response::builder()
        .status(status)
        .header(header::DATE, date(now))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CACHE_CONTROL, "no-cache,must-revalidate,max-age=0,no-store,private")
        .header(header::EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT")
        .header(header::CONTENT_TYPE, kind);
    finish(builder, body)
}

/// Tells a browser to come by TLS alone (captures of response headers).
pub(super) fn demand_tls(org: &Org, response: &mut Response<Bytes>) {
    if org.faults.has(&fault::HSTS_MISSING) {
        response.headers_mut().remove(header::STRICT_TRANSPORT_SECURITY);
    } else {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}

/// A status and nothing else.
pub(super) fn bare(status: StatusCode, now: i64) -> Reply {
    let builder = Response::builder().status(status).header(header::DATE, date(now));
    finish(builder, Bytes::new()).into()
}

/// An error that must not be redirected: HTTP 400, a form as body and **no** `Content-Type` (Salesforce Help: OAuth 2.0 Authorization Errors; field reports).
pub(super) fn shown(error: &Refused, now: i64) -> Reply {
    let builder = Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header(header::DATE, date(now))
        .header(header::CACHE_CONTROL, "no-cache, no-store");
    finish(builder, error.form()).into()
}

/// A path that the org does not serve.
pub(super) fn not_found(ask: &Ask) -> Reply {
    let page = "<!DOCTYPE html><title>URL No Longer Exists</title><h1>URL No Longer Exists</h1>\
        <p>The embedded org does not serve this path.</p>";
    text(StatusCode::NOT_FOUND, "text/html; charset=UTF-8", page, ask.now).into()
}

/// A method that a path does not take.
pub(super) fn method_not_allowed(allowed: &'static str, now: i64) -> Reply {
    let mut reply = bare(StatusCode::METHOD_NOT_ALLOWED, now);
    reply.response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// Whether the request only reads, or asks by form.
pub(super) fn is_get_or_post(ask: &Ask) -> bool {
    super::is_get(ask.request.method()) || ask.is(&Method::POST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Members {
        refused("invalid_grant", "a <b> & c").members()
    }

    #[test]
    fn the_three_forms_say_the_same() {
        assert_eq!(
            json_text(&members(), false),
            r#"{"error":"invalid_grant","error_description":"a <b> & c"}"#
        );
        assert!(xml_text("OAuth", members().iter()).ends_with(
            "<OAuth><error>invalid_grant</error><error_description>a &lt;b&gt; &amp; c</error_description></OAuth>"
        ));
        assert_eq!(form_text(&members()), "error=invalid_grant&error_description=a+%3Cb%3E+%26+c");
        assert!(json_text(&members(), true).contains("\n"));
    }

    #[test]
    fn the_date_is_that_of_http() {
        assert_eq!(date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(i64::MAX), date(0));
    }
}
