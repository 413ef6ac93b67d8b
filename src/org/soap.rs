//! As much of the SOAP API as tells how a session ends there: `login`, `getUserInfo`, `query` (REST API Developer Guide: Status Codes; jsforce).

use http::{Method, StatusCode, header};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::answer::{self, escape};
use super::ask::{Ask, Host};
use super::registry::{Account, UserId, org_id};
use super::scopes::Scopes;
use super::session::{Presented, present};
use super::store::{Grant, Session};
use super::{Begun, ORG_ID, Org, Pending, Reply, Work, data, fault};

const NAMESPACE: &str = "urn:partner.soap.sforce.com";
/// The session timeout of the org, in milliseconds.
const SESSION: i64 = 2 * 3_600_000;
/// The most nodes of an envelope that are looked at.
const NODES: u32 = 2_000;

/// A login with the right password.
pub(super) struct Login {
    user: UserId,
    host: Host,
    version: String,
}

/// A SOAP fault.
struct Fault {
    status: StatusCode,
    code: &'static str,
    text: String,
}

impl Fault {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code, text: text.into() }
    }
}

pub(super) fn begin(org: &Org, ask: &Ask) -> Begun {
    if !ask.is(&Method::POST) {
        return Begun::Reply(answer::method_not_allowed("POST", ask.now));
    }
    match operation(org, ask) {
        Ok(begun) => begun,
        Err(fault) => Begun::Reply(failed(&fault, ask.now)),
    }
}

/// Opens the session of a login.
pub(super) fn commit(org: &Org, login: &Login, now: i64) -> Reply {
    let mut state = org.store.lock();
    if !state.login(login.user, now) {
        drop(state);
        return failed(&Fault::new("LOGIN_RATE_EXCEEDED", "LOGIN_RATE_EXCEEDED: login rate exceeded"), now);
    }
    let session = state.open(Session {
        app: None,
        user: login.user,
        scopes: Scopes::default(),
        grant: Grant::Soap,
        issued_at: now,
        ttl: SESSION,
        slides: true,
        expires: now.saturating_add(SESSION),
        family: None,
        revoked_at: None,
        refused_from: None,
    });
    drop(state);
    let server = format!("{}/services/Soap/u/{}/{ORG_ID}", login.host.instance(), login.version);
    let account = org.registry.user(login.user);
    let body = format!(
        "<loginResponse><result><metadataServerUrl>{}</metadataServerUrl><passwordExpired>false</passwordExpired>\
        <sandbox>false</sandbox><serverUrl>{}</serverUrl><sessionId>{}</sessionId><userId>{}</userId>{}</result></loginResponse>",
        escape(&server.replace("/Soap/u/", "/Soap/m/")),
        escape(&server),
        escape(&session),
        account.id,
        user_info("userInfo", account),
    );
    envelope(StatusCode::OK, &body, now)
}

fn operation(org: &Org, ask: &Ask) -> Result<Begun, Fault> {
    let parts: Vec<&str> = ask.path().split('/').collect();
    let version = match parts.as_slice() {
        [_, _, _, "u" | "c", version, ..] if data::is_version(&format!("v{version}")) => *version,
        _ => {
            return Err(Fault::new(
                "UNSUPPORTED_API_VERSION",
                "UNSUPPORTED_API_VERSION: Invalid Api version specified on URL",
            ));
        }
    };
    let malformed = || Fault::new("soapenv:Client", "The request is not a SOAP envelope");
    let text = std::str::from_utf8(ask.request.body()).map_err(|_| malformed())?;
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| malformed())?;
    let body = child(document.root_element(), "Body").ok_or_else(malformed)?;
    let operation = body.children().find(Node::is_element).ok_or_else(malformed)?;
    let argument = |name: &str| child(operation, name).and_then(|node| node.text()).unwrap_or("");

    if operation.tag_name().name() == "login" {
        let user = org.registry.user_of(argument("username")).filter(|id| {
            let account = org.registry.user(*id);
            account.is_right(&argument("password").into())
                && !account.is_shut_out()
                && !account.user.ip_restricted
        });
        let user = user.ok_or_else(|| {
            Fault::new(
                "INVALID_LOGIN",
                "INVALID_LOGIN: Invalid username, password, security token; or user locked out.",
            )
        })?;
        let login = Login { user, host: ask.host.clone(), version: version.to_owned() };
        return Ok(Begun::Pending(Pending(Work::Soap(login))));
    }
    let session_id = child(document.root_element(), "Header")
        .and_then(|header| child(header, "SessionHeader"))
        .and_then(|header| child(header, "sessionId"))
        .and_then(|node| node.text());
    let session = authenticate(org, ask, session_id.unwrap_or("").trim())?;
    if ask.host.login {
        let text = "URL_NOT_RESET: Destination URL not reset. The URL returned from login must be set in the SforceService";
        return Err(Fault::new("sf:URL_NOT_RESET", text));
    }
    let answer = match operation.tag_name().name() {
        "getUserInfo" => {
            format!(
                "<getUserInfoResponse>{}</getUserInfoResponse>",
                user_info("result", org.registry.user(session.user))
            )
        }
        "query" => query(org, version, argument("queryString"))?,
        name => {
            let name: String = name.chars().take(40).collect();
            let text = format!(
                "No operation available for request {{{NAMESPACE}}}{name}, please check the WSDL for the service."
            );
            return Err(Fault::new("soapenv:Client", text));
        }
    };
    Ok(Begun::Reply(envelope(StatusCode::OK, &answer, ask.now)))
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

/// A live session that may call APIs. A JWT is never one here.
fn authenticate(org: &Org, ask: &Ask, session_id: &str) -> Result<Session, Fault> {
    let dead = || {
        let text = "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash";
        let mut fault = Fault::new("sf:INVALID_SESSION_ID", text);
        if org.faults.has(&fault::SOAP_401) {
            fault.status = StatusCode::UNAUTHORIZED;
        }
        fault
    };
    match present(org, session_id) {
        Presented::Known { key, session, jwt: false } => {
            let mut state = org.store.lock();
            if state.end(&session, ask.now).is_some() || session.is_oauth() && !session.scopes.api() {
                return Err(dead());
            }
            state.touch(&key, ask.now);
            Ok(session)
        }
        _ => Err(dead()),
    }
}

fn user_info(element: &str, account: &Account) -> String {
    let (name, username) = (escape(&account.name()), escape(&account.user.username));
    format!(
        "<{element}><organizationId>{}</organizationId><organizationName>Acme</organizationName>\
        <sessionSecondsValid>{}</sessionSecondsValid><userEmail>{username}</userEmail><userFullName>{name}</userFullName>\
        <userId>{}</userId><userLanguage>en_US</userLanguage><userLocale>en_US</userLocale><userName>{username}</userName>\
        <userTimeZone>America/Los_Angeles</userTimeZone><userType>Standard</userType></{element}>",
        org_id(),
        SESSION / 1000,
        account.id,
    )
}

fn query(org: &Org, version: &str, text: &str) -> Result<String, Fault> {
    let found = data::query(org, &format!("v{version}"), text)
        .map_err(|error| Fault::new("sf:MALFORMED_QUERY", format!("MALFORMED_QUERY: {}", error.message)))?;
    let records = found["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let records: String = records.iter().map(record).collect();
    Ok(format!(
        "<queryResponse><result xsi:type=\"QueryResult\"><done>true</done><queryLocator xsi:nil=\"true\"/>{records}\
        <size>{}</size></result></queryResponse>",
        found["totalSize"]
    ))
}

fn record(record: &Value) -> String {
    let mut out = String::from("<records xsi:type=\"sf:sObject\">");
    let kind = record["attributes"]["type"].as_str().unwrap_or("");
    out.push_str(&format!("<sf:type>{kind}</sf:type>"));
    for (name, value) in record.as_object().into_iter().flatten().filter(|(name, _)| *name != "attributes") {
        // The name is what the query said: only a name of a field is a name of an element.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || name.is_empty() {
            continue;
        }
        match value {
            Value::Null => out.push_str(&format!("<sf:{name} xsi:nil=\"true\"/>")),
            Value::String(text) => out.push_str(&format!("<sf:{name}>{}</sf:{name}>", escape(text))),
            other => out.push_str(&format!("<sf:{name}>{}</sf:{name}>", escape(&other.to_string()))),
        }
    }
    out.push_str("</records>");
    out
}

fn failed(fault: &Fault, now: i64) -> Reply {
    let body = format!(
        "<soapenv:Fault><faultcode>{}</faultcode><faultstring>{}</faultstring></soapenv:Fault>",
        if fault.code.contains(':') { fault.code.to_owned() } else { format!("sf:{}", fault.code) },
        escape(&fault.text)
    );
    envelope(fault.status, &body, now)
}

fn envelope(status: StatusCode, body: &str, now: i64) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
        xmlns=\"{NAMESPACE}\" xmlns:sf=\"urn:fault.partner.soap.sforce.com\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    );
    let mut response = answer::text(status, "text/xml; charset=utf-8", text, now);
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Accept-Encoding"));
    response.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::org::{Org, Reply};
    use crate::subject::Setting;

    fn ask(org: &Org, session: &str, operation: &str, now: i64) -> Reply {
        let envelope = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header><SessionHeader>\
            <sessionId>{session}</sessionId></SessionHeader></e:Header><e:Body>{operation}</e:Body></e:Envelope>"
        );
        org.handle(&post("/services/Soap/u/60.0", &envelope, &[("soapaction", "\"\"")]), now)
    }

    fn login(org: &Org, password: &str) -> Reply {
        let operation =
            format!("<login><username>svc@acme.com</username><password>{password}</password></login>");
        ask(org, "", &operation, NOW)
    }

    #[test]
    fn a_dead_session_is_500_with_its_fault() {
        let org = org();
        let token = text(&tokens(&org, NOW), "access_token");
        assert_eq!(status(&ask(&org, &token, "<getUserInfo/>", NOW)), 200);
        let dead = ask(&org, &token, "<getUserInfo/>", NOW + 2 * HOUR);
        assert_eq!(status(&dead), 500);
        assert!(body(&dead).contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"));
        assert_eq!(status(&ask(&faulty(&["soap-401"]), "x", "<getUserInfo/>", NOW)), 401);
    }

    #[test]
    fn a_jwt_is_no_session_here() {
        let org = org_of(&set(target(), "jwt_access_tokens", Setting::Flag(true)));
        let token = text(&tokens(&org, NOW), "access_token");
        assert_eq!(status(&ask(&org, &token, "<getUserInfo/>", NOW)), 500);
    }

    #[test]
    fn a_login_opens_a_session_for_rest_that_oauth_does_not_know() {
        let org = org();
        assert!(body(&login(&org, "x")).contains("INVALID_LOGIN"));
        let answer = body(&login(&org, "svc@acme.com-pw"));
        let session = answer.split("<sessionId>").nth(1).unwrap().split('<').next().unwrap();
        assert!(answer.contains("<sessionSecondsValid>7200<"));
        assert_eq!(call(&org, session, NOW), 200);
        let reply = org.handle(&post("/services/oauth2/revoke", &format!("token={session}"), &[]), NOW);
        assert!(body(&reply).starts_with("error=unsupported_token_type"));
        let query = "<query><queryString>SELECT Id, Name FROM Account</queryString></query>";
        assert!(body(&ask(&org, session, query, NOW)).contains("<sf:Name>Acme</sf:Name>"));
    }

    #[test]
    fn a_call_that_is_not_known_here_is_told_as_such() {
        let org = org();
        let token = text(&tokens(&org, NOW), "access_token");
        for operation in ["<create/>", "<retrieve/>", "<describeGlobal/>"] {
            let reply = ask(&org, &token, operation, NOW);
            assert_eq!(status(&reply), 500, "{operation}");
            let told = body(&reply);
            assert!(told.contains("<faultcode>soapenv:Client</faultcode>"), "{told}");
            assert!(told.contains("No operation available for request"), "{told}");
        }
        let reply = org.handle(&post("/services/Soap/m/60.0", "", &[]), NOW);
        assert!(status(&reply) == 500 && body(&reply).contains("UNSUPPORTED_API_VERSION"));
    }

    #[test]
    fn what_is_no_envelope_is_a_fault() {
        let org = org();
        for text in ["", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<e><Body/></e>"] {
            assert_eq!(status(&org.handle(&post("/services/Soap/u/60.0", text, &[]), NOW)), 500, "{text}");
        }
        assert_eq!(status(&ask(&org, "x", "<nothing/>", NOW)), 500);
    }
}
