//! Who the user is: userinfo and the identity URL (Salesforce Help: Identity URLs, UserInfo). Both answer 403 and a word of plain text to
//! those whom they refuse.

use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::answer::{self, Format, Style, is_get_or_post};
use super::ask::{Ask, Host, given};
use super::registry::{Account, UserId, my_domain_name, org_id};
use super::session::{Presented, present};
use super::store::Session;
use super::{ORG_ID, Org, Reply, data, fault, forge, signing};
use crate::oauth::Params;

/// What is refused, by its word.
struct Forbidden(StatusCode, &'static str);

const MISSING: Forbidden = Forbidden(StatusCode::FORBIDDEN, "Missing_OAuth_Token");
const BAD: Forbidden = Forbidden(StatusCode::FORBIDDEN, "Bad_OAuth_Token");
const OTHER_ORG: Forbidden = Forbidden(StatusCode::FORBIDDEN, "Wrong_Org");
const NO_SUCH: Forbidden = Forbidden(StatusCode::NOT_FOUND, "Bad_Id");
const NOT_OPEN: Forbidden = Forbidden(StatusCode::FORBIDDEN, "Invalid_Scope");

pub(super) fn userinfo(org: &Org, ask: &Ask) -> Reply {
    if org.faults.has(&fault::USERINFO_GET_ONLY) && ask.is(&http::Method::POST) {
        return answer::method_not_allowed("GET", ask.now);
    }
    let tell = |user| {
        let account = org.registry.user(user);
        let mut claims = claims(&ask.host, account);
        if org.faults.has(&fault::USERINFO_SUB) {
            claims.insert("sub".into(), account.id.as_str().into());
        }
        claims
    };
    let nobody = ask.header(header::AUTHORIZATION).is_none() && org.faults.has(&fault::USERINFO_OPEN);
    if let Some((first, _)) = org.registry.user_ids().next().filter(|_| nobody) {
        return written(ask, &Params::new(), &tell(first));
    }
    if org.registry.switches.signed_userinfo && is_get_or_post(ask) {
        let params = ask.params().unwrap_or_default();
        return match authenticate(org, ask, &params) {
            Ok(session) => signed(org, ask, &session, tell(session.user)),
            Err(forbidden) => refuse(org, ask, &forbidden),
        };
    }
    respond(org, ask, |session, _| Ok(tell(session.user)))
}

/// Claims as a JWT of the org for the client (OpenID Connect Core §5.3.2).
fn signed(org: &Org, ask: &Ask, session: &Session, mut claims: Map<String, Value>) -> Reply {
    let has = |fault| org.faults.has(fault);
    let client = session.app.map_or("", |app| org.registry.app(app).registered.client_id.as_str());
    let issuer = &ask.host.origin;
    claims.insert(
        "iss".into(),
        if has(&fault::USERINFO_ISS) { format!("{issuer}/") } else { issuer.clone() }.into(),
    );
    claims.insert("aud".into(), if has(&fault::USERINFO_AUD) { "another-client" } else { client }.into());
    let header = object(json!({ "typ": "JWT", "kid": signing::ID_TOKEN_KID }));
    let jwt = match has(&fault::USERINFO_FORGED) {
        true => forge::signed(header, claims),
        false => signing::sign(header, claims),
    };
    answer::text(StatusCode::OK, "application/jwt", jwt, ask.now).into()
}

pub(super) fn identity(org: &Org, ask: &Ask) -> Reply {
    let parts: Vec<&str> = ask.path().split('/').skip(2).collect();
    respond(org, ask, |session, params| {
        let [asked_org, asked_user] = parts[..] else { return Err(NO_SUCH) };
        if asked_org != org_id() && asked_org != ORG_ID {
            return Err(OTHER_ORG);
        }
        let user = org.registry.user_of_record(asked_user).ok_or(NO_SUCH)?;
        if !may_read(session, user) && !org.faults.has(&fault::IDENTITY_OPEN) {
            return Err(NOT_OPEN);
        }
        Ok(described(org, ask, org.registry.user(user), given(params, "version")))
    })
}

/// Oneself always; others with the scope to call the API.
fn may_read(session: &Session, user: UserId) -> bool {
    session.user == user || session.scopes.api()
}

fn respond(
    org: &Org,
    ask: &Ask,
    tell: impl FnOnce(&Session, &Params) -> Result<Map<String, Value>, Forbidden>,
) -> Reply {
    if !is_get_or_post(ask) {
        return answer::method_not_allowed("GET, POST", ask.now);
    }
    let params = ask.params().unwrap_or_default();
    match authenticate(org, ask, &params).and_then(|session| tell(&session, &params)) {
        Ok(members) => written(ask, &params, &members),
        Err(forbidden) => refuse(org, ask, &forbidden),
    }
}

/// A live session, from the header or from a parameter.
fn authenticate(org: &Org, ask: &Ask, params: &Params) -> Result<Session, Forbidden> {
    let token = ask
        .authorization(&["Bearer", "OAuth"])
        .filter(|token| !token.is_empty())
        .or(given(params, "oauth_token"))
        .or(given(params, "access_token"))
        .ok_or(MISSING)?;
    let (key, session) = match present(org, token) {
        Presented::Known { key, session, .. } => (key, session),
        Presented::OtherOrg => return Err(OTHER_ORG),
        Presented::BadJwt | Presented::Unknown => return Err(BAD),
    };
    let mut state = org.store.lock();
    if state.end(&session, ask.now).is_some() {
        return Err(BAD);
    }
    state.touch(&key, ask.now);
    Ok(session)
}

fn refuse(org: &Org, ask: &Ask, Forbidden(status, word): &Forbidden) -> Reply {
    if org.faults.has(&fault::IDENTITY_401) && *status == StatusCode::FORBIDDEN {
        let body = json!({ "error": "invalid_token", "error_description": word }).to_string();
        return answer::text(StatusCode::UNAUTHORIZED, "application/json;charset=UTF-8", body, ask.now)
            .into();
    }
    let rfc = org.registry.switches.rfc && *status == StatusCode::FORBIDDEN;
    let status = if rfc { StatusCode::UNAUTHORIZED } else { *status };
    let mut response = answer::text(status, "text/plain;charset=UTF-8", *word, ask.now);
    if rfc {
        let scheme = match *word {
            "Missing_OAuth_Token" => "Bearer realm=\"Salesforce\"",
            _ => "Bearer realm=\"Salesforce\", error=\"invalid_token\"",
        };
        answer::challenge(&mut response, scheme);
    }
    response.into()
}

/// JSON, XML, or a script where `format=jsonp` names a function.
fn written(ask: &Ask, params: &Params, members: &Map<String, Value>) -> Reply {
    let style = Style::of(ask, params);
    let json = answer::json_text(members, style.pretty);
    let callback = given(params, "callback").filter(|name| {
        name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$.".contains(&b))
    });
    let (kind, body) = match (given(params, "format"), callback, style.format) {
        (Some("jsonp"), Some(name), _) => {
            ("application/javascript;charset=UTF-8", format!("{name}({json});"))
        }
        (_, _, Format::Xml) => {
            let root = "user xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
            ("application/xml;charset=UTF-8", answer::xml_text(root, answer::each(members)))
        }
        _ => ("application/json;charset=UTF-8", json),
    };
    let mut response = answer::text(StatusCode::OK, kind, body, ask.now);
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Accept-Encoding"));
    response.into()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn photos(host: &Host) -> Value {
    let photo = |size: &str| format!("{}/profilephoto/005/{size}", host.instance());
    json!({ "picture": photo("F"), "thumbnail": photo("T") })
}

/// The claims of userinfo.
fn claims(host: &Host, account: &Account) -> Map<String, Value> {
    let email = &account.user.username;
    object(json!({
        "sub": account.identity_url(&host.origin),
        "user_id": account.id,
        "organization_id": org_id(),
        "preferred_username": account.user.username,
        "nickname": account.nick_name,
        "name": account.name(),
        "email": email,
        "email_verified": true,
        "given_name": account.first_name,
        "family_name": "User",
        "zoneinfo": "America/Los_Angeles",
        "photos": photos(host),
        "profile": format!("{}/{}", host.instance(), account.id),
        "picture": photos(host)["picture"],
        "address": {},
        "urls": urls(host, account, None),
        "active": !account.user.inactive,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": -28_800_000,
        // A text, not a number (measured with twenty client libraries).
        "updated_at": "2026-01-01T00:00:00Z",
        "is_app_installed": true,
    }))
}

/// What the identity URL tells, in the order of the wire.
fn described(org: &Org, ask: &Ask, account: &Account, version: Option<&str>) -> Map<String, Value> {
    let modified = match org.registry.switches.last_modified_offset {
        true => "2026-01-01T00:00:00.000+0000",
        false => "2026-01-01T00:00:00Z",
    };
    let version = match version {
        Some("latest") => Some(data::latest()),
        Some(version) if data::is_version(&format!("v{version}")) => Some(version.to_owned()),
        _ => None,
    };
    object(json!({
        "id": account.identity_url(&ask.host.origin),
        "asserted_user": true,
        "user_id": account.id,
        "organization_id": org_id(),
        "username": account.user.username,
        "nick_name": account.nick_name,
        "display_name": account.name(),
        "email": account.user.username,
        "email_verified": true,
        "first_name": account.first_name,
        "last_name": "User",
        "timezone": "America/Los_Angeles",
        "photos": photos(&ask.host),
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": { "created_date": null, "body": null },
        "urls": urls(&ask.host, account, version.as_deref()),
        "active": !account.user.inactive,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": -28_800_000,
        "last_modified_date": modified,
        "is_app_installed": true,
    }))
}

/// Where the APIs are, with `{version}` left open unless a version was named. SOAP ends in the 15-character org id.
fn urls(host: &Host, account: &Account, version: Option<&str>) -> Map<String, Value> {
    let base = host.instance();
    let version = version.unwrap_or("{version}");
    let soap = |kind: &str| format!("{base}/services/Soap/{kind}/{version}/{ORG_ID}");
    let rest = |path: &str| format!("{base}/services/data/v{version}/{path}");
    object(json!({
        "enterprise": soap("c"),
        "metadata": soap("m"),
        "partner": soap("u"),
        "rest": rest(""),
        "sobjects": rest("sobjects/"),
        "search": rest("search/"),
        "query": rest("query/"),
        "recent": rest("recent/"),
        "tooling_soap": soap("T"),
        "tooling_rest": rest("tooling/"),
        "profile": format!("{base}/{}", account.id),
        "feeds": rest("chatter/feeds"),
        "groups": rest("chatter/groups"),
        "users": rest("chatter/users"),
        "feed_items": rest("chatter/feed-items"),
        "feed_elements": rest("chatter/feed-elements"),
        "custom_domain": if host.login { format!("https://{}", my_domain_name()) } else { base.to_owned() },
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::org::{Org, Reply};

    const ID: &str = "/id/00Dxx0000000001EAA/005xx0000000001AAA";

    fn ask(org: &Org, path: &str, token: Option<&str>) -> Reply {
        let header = bearer(token.unwrap_or(""));
        let headers: &[(&str, &str)] = if token.is_some() { &[("authorization", &header)] } else { &[] };
        org.handle(&get(path, headers), NOW)
    }

    #[test]
    fn the_identity_url_of_an_answer_tells_its_user() {
        let org = org();
        let tokens = tokens(&org, NOW);
        let token = text(&tokens, "access_token");
        let told = json(&ask(&org, &text(&tokens, "id"), Some(&token)));
        assert_eq!(told["username"], "svc@acme.com");
        assert_eq!(
            told.keys().take(4).collect::<Vec<_>>(),
            ["id", "asserted_user", "user_id", "organization_id"]
        );
        assert_eq!(told["urls"]["rest"], "https://acme.my.salesforce.com/services/data/v{version}/");
        let latest = json(&ask(&org, &format!("{ID}?version=latest&oauth_token={token}"), None));
        assert_eq!(
            latest["urls"]["partner"],
            "https://acme.my.salesforce.com/services/Soap/u/68.0/00Dxx0000000001"
        );
        let claims = json(&ask(&org, "/services/oauth2/userinfo", Some(&token)));
        assert_eq!(claims["sub"].as_str(), Some(text(&tokens, "id").as_str()));
        assert!(claims["updated_at"].is_string());
    }

    #[test]
    fn refusals_are_a_word_of_plain_text() {
        let org = org();
        let token = text(&tokens(&org, NOW), "access_token");
        for (path, token, expected) in [
            ("/services/oauth2/userinfo", None, (403, "Missing_OAuth_Token")),
            ("/services/oauth2/userinfo", Some("nobody"), (403, "Bad_OAuth_Token")),
            (ID, Some("00Dxx0000000002!x"), (403, "Wrong_Org")),
            ("/id/00Dxx0000000002EAA/005xx0000000001AAA", Some(token.as_str()), (403, "Wrong_Org")),
            ("/id/00Dxx0000000001EAA/005xx0000000009AAA", Some(token.as_str()), (404, "Bad_Id")),
            ("/id/x", Some(token.as_str()), (404, "Bad_Id")),
        ] {
            let reply = ask(&org, path, token);
            assert_eq!((status(&reply), body(&reply).as_str()), expected, "{path}");
            assert!(header_of(&reply, "content-type").starts_with("text/plain"));
        }
        assert_eq!(status(&ask(&faulty(&["identity-401"]), ID, Some("x"))), 401);
    }

    #[test]
    fn it_is_told_as_xml_and_as_a_script_too() {
        let org = org();
        let token = text(&tokens(&org, NOW), "access_token");
        let xml = body(&ask(&org, &format!("{ID}?format=xml"), Some(&token)));
        let document = roxmltree::Document::parse(&xml).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "user");
        assert!(xml.contains("<mobile_phone xsi:nil=\"true\"/>"));
        let script = body(&ask(&org, &format!("{ID}?format=jsonp&callback=tell"), Some(&token)));
        assert!(script.starts_with("tell({\"id\":") && script.ends_with(");"));
    }
}
