//! The REST API: who may call it, what it says to those who may not, and where each resource is
//! (REST API Developer Guide: Status Codes; jsforce; measured with twenty client libraries).

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::answer::{self, escape};
use super::ask::{Ask, given};
use super::data;
use super::session::{Presented, present};
use super::store::{End, Grant, Session};
use super::token::signed_by_client;
use super::{Begun, Org, Pending, Reply, Work, fault, is_get};

const SESSION_INVALID: (&str, &str) = ("INVALID_SESSION_ID", "Session expired or invalid");

/// A record that will be created.
pub(super) struct Write {
    object: &'static str,
    fields: Map<String, Value>,
    pretty: bool,
}

/// An error of the REST API.
pub(super) struct RestError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<String>,
}

impl RestError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new() }
    }
}

pub(super) fn begin(org: &Org, ask: &Ask) -> Begun {
    let rest = ask.path().strip_prefix("/services/data").unwrap_or("");
    if matches!(rest, "" | "/") {
        return Begun::Reply(versions(ask));
    }
    let calls = match authenticate(org, ask) {
        Ok(calls) => calls,
        Err(mut error) => {
            let dead =
                error.status == StatusCode::UNAUTHORIZED && ask.header(header::AUTHORIZATION).is_some();
            if dead && org.faults.has(&fault::DEAD_TOKEN_403) {
                error.status = StatusCode::FORBIDDEN;
            }
            return Begun::Reply(failed(org, ask, &error));
        }
    };
    if ask.host.login {
        let message =
            "Destination URL not reset. The URL returned from login must be set in the SforceService";
        return Begun::Reply(failed(
            org,
            ask,
            &RestError::new(StatusCode::BAD_REQUEST, "URL_NOT_RESET", message),
        ));
    }
    match route(org, ask, rest) {
        Ok(Routed::Found(body)) => {
            let text =
                if ask.pretty() { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
            Begun::Reply(counted(json_reply(StatusCode::OK, text.unwrap_or_default(), ask.now), calls))
        }
        Ok(Routed::Create { object, fields }) => {
            Begun::Pending(Pending(Work::Resource(Write { object, fields, pretty: ask.pretty() })))
        }
        Err(error) => Begun::Reply(counted(failed(org, ask, &error), calls)),
    }
}

/// Creates the record.
pub(super) fn commit(org: &Org, write: Write, now: i64) -> Reply {
    let mut state = org.store.lock();
    let calls = state.api_calls;
    let created = data::create(&mut state, write.object, write.fields);
    drop(state);
    let reply = match created {
        Some(id) => {
            let body = Map::from_iter([
                ("id".to_owned(), Value::from(id)),
                ("success".to_owned(), true.into()),
                ("errors".to_owned(), json!([])),
            ]);
            json_reply(StatusCode::CREATED, answer::json_text(&body, write.pretty), now)
        }
        None => {
            let body =
                json!([{ "message": "storage limit exceeded", "errorCode": "STORAGE_LIMIT_EXCEEDED" }]);
            json_reply(StatusCode::BAD_REQUEST, body.to_string(), now)
        }
    };
    counted(reply, calls)
}

enum Routed {
    Found(Value),
    Create { object: &'static str, fields: Map<String, Value> },
}

fn route(org: &Org, ask: &Ask, rest: &str) -> Result<Routed, RestError> {
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let (version, parts) = match parts.split_first() {
        Some((version, parts)) if data::is_version(version) => (*version, parts),
        _ => return Err(nothing_here()),
    };
    let get = is_get(ask.request.method());
    let found =
        |value: Value| if get { Ok(Routed::Found(value)) } else { Err(wrong_method(ask, "GET, HEAD")) };
    match parts {
        [] => found(data::root(version)),
        ["limits"] => found(data::limits(org.store.lock().api_calls)),
        ["query"] if get => {
            let params = ask.query().unwrap_or_default();
            let text =
                given(&params, "q").ok_or_else(|| data::malformed("a query is missing: parameter q"))?;
            match params.get("columns") {
                Some("true") => data::columns(text).map(Routed::Found),
                _ => data::query(org, version, text).map(Routed::Found),
            }
        }
        ["query"] => Err(wrong_method(ask, "GET, HEAD")),
        ["sobjects"] => found(data::objects(version)),
        ["sobjects", object] if ask.is(&Method::POST) => {
            let object = data::creatable(object).ok_or_else(nothing_here)?;
            Ok(Routed::Create { object, fields: data::fields(object, ask.request.body())? })
        }
        ["sobjects", object] => {
            let object = data::object(object).ok_or_else(nothing_here)?;
            if get {
                Ok(Routed::Found(data::about(org, version, object)))
            } else {
                Err(wrong_method(ask, "GET, HEAD, POST"))
            }
        }
        ["sobjects", object, "describe"] => {
            found(data::describe(version, data::object(object).ok_or_else(nothing_here)?))
        }
        ["sobjects", object, id] => {
            let object = data::object(object).ok_or_else(nothing_here)?;
            found(data::record(org, version, object, id).ok_or_else(|| {
                let message =
                    format!("Provided external ID field does not exist or is not accessible: {}", short(id));
                RestError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
            })?)
        }
        _ => Err(nothing_here()),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn nothing_here() -> RestError {
    RestError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist")
}

fn wrong_method(ask: &Ask, allowed: &str) -> RestError {
    let message =
        format!("HTTP Method '{}' not allowed. Allowed are {allowed}", short(ask.request.method().as_str()));
    RestError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
}

/// Lets a live session with the right scope through, extends it, and counts the call.
fn authenticate(org: &Org, ask: &Ask) -> Result<u64, RestError> {
    let unauthorized =
        |(code, message): (&'static str, &str)| Err(RestError::new(StatusCode::UNAUTHORIZED, code, message));
    if ask.header(header::AUTHORIZATION).is_none() {
        if org.faults.has(&fault::REST_ANONYMOUS) {
            return Ok(0);
        }
        return unauthorized(SESSION_INVALID);
    }
    let spelt = ask.header(header::AUTHORIZATION).is_some_and(|value| value.starts_with(['B', 'O']));
    let known = |_: &&str| spelt || !org.faults.has(&fault::SCHEME_CASE);
    let first = |token| match org.faults.has(&fault::BEARER_FIRST_WORD) {
        true => str::split_whitespace(token).next().unwrap_or(token),
        false => token,
    };
    let Some(token) = ask.authorization(&["Bearer", "OAuth"]).filter(known).map(first) else {
        return unauthorized(("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"));
    };
    if org.faults.has(&fault::REFRESH_TOKEN_OPENS) && org.store.lock().refresh(token).is_some() {
        return Ok(0);
    }
    let (key, session, jwt) = match present(org, token) {
        Presented::Known { key, session, jwt } => (key, session, jwt),
        Presented::BadJwt if org.registry.switches.client_jwts && signed_by_client(org, ask, token) => {
            return Ok(0);
        }
        Presented::BadJwt if org.faults.has(&fault::ID_TOKEN_OPENS) && is_signed_here(token) => return Ok(0),
        Presented::BadJwt => return unauthorized(("INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT")),
        Presented::OtherOrg | Presented::Unknown => return unauthorized(SESSION_INVALID),
    };
    let refreshed = session.grant == Grant::Refresh;
    let stillborn = refreshed && !rotates(org, &session) && org.faults.has(&fault::REFRESH_DEAD_ON_ARRIVAL);
    let bearer = ask.authorization(&["Bearer"]).is_some();
    if stillborn || bearer && !refreshed && org.faults.has(&fault::BEARER_REFUSED) {
        return unauthorized(SESSION_INVALID);
    }
    let mut state = org.store.lock();
    let end = state
        .end(&session, ask.now)
        .filter(|end| *end != End::Expired || !org.faults.has(&fault::ACCESS_ETERNAL));
    if end.is_none() && is_enough(&session) {
        state.touch(&key, ask.now);
        state.api_calls += 1;
        return Ok(state.api_calls);
    }
    drop(state);
    match end {
        Some(End::Expired) if jwt => unauthorized(("INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT")),
        Some(_) => unauthorized(SESSION_INVALID),
        None => Err(insufficient(org)),
    }
}

/// Whether a JWT bears the org's signature, whatever it was made for.
fn is_signed_here(token: &str) -> bool {
    crate::oauth::jwt::Jwt::read(token).is_ok_and(|jwt| jwt.verifies(&super::signing::key().public()))
}

fn rotates(org: &Org, session: &Session) -> bool {
    session.app.is_some_and(|id| org.registry.app(id).registered.policy.rotation)
}

fn is_enough(session: &Session) -> bool {
    !session.is_oauth() || session.scopes.api()
}

/// A live token that lacks the scope.
fn insufficient(org: &Org) -> RestError {
    let status = if org.registry.switches.rfc { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
    let message = match org.faults.has(&fault::SCOPE_AS_EXPIRY) {
        true => "Session expired or invalid",
        false => "This session is not valid for use with the REST API",
    };
    RestError::new(status, "INVALID_SESSION_ID", message)
}

/// The one resource without authentication and without a count.
fn versions(ask: &Ask) -> Reply {
    if !is_get(ask.request.method()) {
        return answer::method_not_allowed("GET, HEAD", ask.now);
    }
    json_reply(StatusCode::OK, data::versions().to_string(), ask.now)
}

fn json_reply(status: StatusCode, body: String, now: i64) -> Reply {
    let mut response = answer::text(status, "application/json;charset=UTF-8", body, now);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response.into()
}

/// Tells how much of the daily limit is used. The limit is told, never enforced.
fn counted(mut reply: Reply, calls: u64) -> Reply {
    let value = format!("api-usage={}/{}", calls.min(data::DAILY_CALLS), data::DAILY_CALLS);
    if let Ok(value) = HeaderValue::from_str(&value) {
        reply.response.headers_mut().insert("sforce-limit-info", value);
    }
    reply
}

/// An error: an array of one, or XML where that was asked for.
fn failed(org: &Org, ask: &Ask, error: &RestError) -> Reply {
    let mut reply = if ask.header(header::ACCEPT).is_some_and(|accept| accept.starts_with("application/xml"))
    {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Errors><Error><errorCode>{}</errorCode><message>{}</message></Error></Errors>",
            error.code,
            escape(&error.message)
        );
        answer::text(error.status, "application/xml;charset=UTF-8", body, ask.now).into()
    } else {
        let mut one = match error.status {
            // The order of the capture.
            StatusCode::NOT_FOUND => json!({ "errorCode": error.code, "message": error.message }),
            _ => json!({ "message": error.message, "errorCode": error.code }),
        };
        if !error.fields.is_empty() {
            one["fields"] = json!(error.fields);
        }
        let object = error.status == StatusCode::UNAUTHORIZED && org.faults.has(&fault::REST_ERROR_OBJECT);
        let body = if object { one } else { json!([one]) };
        json_reply(error.status, body.to_string(), ask.now)
    };
    if !org.faults.has(&fault::REST_UNCHALLENGED) {
        let scheme = match (error.status, org.registry.switches.rfc) {
            (StatusCode::UNAUTHORIZED, false) => Some("Token"),
            (StatusCode::UNAUTHORIZED, true) if ask.header(header::AUTHORIZATION).is_none() => {
                Some("Bearer realm=\"Salesforce\"")
            }
            (StatusCode::UNAUTHORIZED, true) => Some("Bearer realm=\"Salesforce\", error=\"invalid_token\""),
            (StatusCode::FORBIDDEN, true) => {
                Some("Bearer realm=\"Salesforce\", error=\"insufficient_scope\"")
            }
            _ => None,
        };
        if let Some(scheme) = scheme {
            answer::challenge(&mut reply.response, scheme);
        }
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::org::{Begun, Org, Reply};
    use serde_json::{Value, json as value};

    const DEAD: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;

    fn read(org: &Org, path: &str) -> Reply {
        let token = bearer(&text(&tokens(org, NOW), "access_token"));
        org.handle(&get(&format!("/services/data{path}"), &[("authorization", &token)]), NOW)
    }

    fn create(org: &Org, body: &str) -> http::Request<bytes::Bytes> {
        let token = bearer(&text(&tokens(org, NOW), "access_token"));
        let mut request = post("/services/data/v62.0/sobjects/Account", body, &[("authorization", &token)]);
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        request
    }

    fn parsed(reply: &Reply) -> Value {
        serde_json::from_slice(reply.response.body()).unwrap()
    }

    #[test]
    fn a_dead_token_is_an_array_and_a_challenge() {
        let org = org();
        let ask =
            |header: &str| org.handle(&get("/services/data/v62.0/limits", &[("authorization", header)]), NOW);
        let reply = ask("Bearer nobody");
        assert_eq!((status(&reply), body(&reply).as_str()), (401, DEAD));
        assert_eq!(header_of(&reply, "www-authenticate"), "Token");
        assert!(body(&ask("Basic eDp5")).contains("INVALID_HEADER_TYPE"));
        assert!(body(&ask("Bearer eyJ.eyJ.x")).contains("INVALID_JWT_FORMAT"));
        assert_eq!(body(&org.handle(&get("/services/data/v62.0/limits", &[]), NOW)), DEAD);
        let token = text(&tokens(&org, NOW), "access_token");
        assert_eq!(status(&ask(&format!("OAuth {token}"))), 200);
        assert_eq!(status(&ask(&format!("Bearer {}", token.to_lowercase()))), 401);
    }

    #[test]
    fn a_token_without_the_scope_is_refused() {
        let mut target = target();
        target.apps.get_mut("main").unwrap().scopes = vec!["openid".into()];
        let reply = read(&org_of(&target), "/v62.0/limits");
        assert!(status(&reply) == 401 && body(&reply).contains("not valid for use with the REST API"));
    }

    #[test]
    fn versions_need_no_token_and_are_not_counted() {
        let org = org();
        for path in ["/services/data", "/services/data/"] {
            let reply = org.handle(&get(path, &[]), NOW);
            let list = parsed(&reply);
            assert_eq!(list.as_array().unwrap().last().unwrap()["version"], "68.0");
            assert_eq!(list.as_array().unwrap()[40]["label"], "Spring '24");
            assert_eq!(header_of(&reply, "sforce-limit-info"), "");
        }
        assert_eq!(status(&org.handle(&get("/services/database", &[]), NOW)), 404);
    }

    #[test]
    fn resources_are_where_clients_look_for_them() {
        let org = org();
        for (path, pointer, expected) in [
            ("/v44.0", "/sobjects", value!("/services/data/v44.0/sobjects")),
            ("/v60.0/limits", "/DailyApiRequests/Max", value!(15000)),
            ("/v60.0/query?q=SELECT+Id,Name+FROM+Account", "/records/0/Name", value!("Acme")),
            ("/v60.0/query/?q=select+count()+from+User", "/totalSize", value!(2)),
            ("/v60.0/query?q=SELECT+Id+FROM+User+WHERE+Username+=+'new@acme.com'", "/totalSize", value!(1)),
            ("/v60.0/query?q=SELECT+Id+FROM+Account&columns=true", "/entityName", value!("Account")),
            ("/v60.0/sobjects/User/005xx0000000001AAA", "/Username", value!("svc@acme.com")),
            ("/v60.0/sobjects/Account/describe", "/name", value!("Account")),
            ("/v60.0/query?q=nonsense", "/0/errorCode", value!("MALFORMED_QUERY")),
            ("/v60.0/query?q=SELECT+Id+FROM+Nothing", "/0/errorCode", value!("INVALID_TYPE")),
            ("/v99.0/limits", "/0/errorCode", value!("NOT_FOUND")),
        ] {
            let reply = read(&org, path);
            assert_eq!(parsed(&reply).pointer(pointer), Some(&expected), "{path}: {}", body(&reply));
            assert!(header_of(&reply, "sforce-limit-info").starts_with("api-usage="));
        }
    }

    #[test]
    fn a_record_is_created_by_the_commit_alone() {
        let org = org();
        let found = || {
            parsed(&read(&org, "/v62.0/query?q=SELECT+Id+FROM+Account+WHERE+Name='New'"))["totalSize"].clone()
        };
        let request = create(&org, r#"{"Name":"New"}"#);
        drop(org.begin(&request, NOW));
        assert_eq!(found(), 0);
        let Begun::Pending(pending) = org.begin(&request, NOW) else { panic!() };
        let reply = org.commit(pending, NOW);
        assert_eq!(status(&reply), 201);
        let id = text(&json(&reply), "id");
        assert_eq!(found(), 1);
        assert_eq!(parsed(&read(&org, &format!("/v62.0/sobjects/Account/{}", &id[..15])))["Name"], "New");
        assert!(body(&org.handle(&create(&org, "{}"), NOW)).contains("REQUIRED_FIELD_MISSING"));
        assert!(body(&org.handle(&create(&org, "["), NOW)).contains("JSON_PARSER_ERROR"));
    }

    #[test]
    fn login_hosts_hold_no_data() {
        let org = org();
        let token = bearer(&text(&tokens(&org, NOW), "access_token"));
        let url = "https://login.salesforce.com/services/data/v62.0/limits";
        assert!(body(&org.handle(&get(url, &[("authorization", &token)]), NOW)).contains("URL_NOT_RESET"));
    }

    #[test]
    fn under_profile_rfc_the_challenge_is_that_of_rfc_6750() {
        let mut target = target();
        target.profile = crate::oauth::salesforce::Profile::Rfc;
        let ask =
            |org: Org| org.handle(&get("/services/data/v62.0/limits", &[("authorization", "Bearer x")]), NOW);
        assert!(header_of(&ask(org_of(&target)), "www-authenticate").contains("error=\"invalid_token\""));
        let fault = [crate::org::fault::find("rest-unchallenged").unwrap()];
        assert_eq!(header_of(&ask(Org::new(&target, &fault, [0; 32])), "www-authenticate"), "");
    }
}
