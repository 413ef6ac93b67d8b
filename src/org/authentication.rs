//! Who the client is, and whether it can show so: by a secret in the body or by HTTP Basic, or by a signed
//! assertion.

use std::borrow::Cow;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::answer::{Refused, invalid_client, invalid_request, refused};
use super::ask::{Ask, given};
use super::registry::{App, AppId};
use super::{Org, fault};
use crate::oauth::grant::CLIENT_ASSERTION_TYPE;
use crate::oauth::jwt::Jwt;
use crate::oauth::params::form_decode;
use crate::oauth::{Params, from_base64};
use crate::subject::Flow;

/// The most that a `jti` is remembered for, in milliseconds.
const LONGEST_MEMORY: i64 = 24 * 3_600_000;
/// The longest `jti` that is looked at.
pub(super) const LONGEST_JTI: usize = 1024;

/// A client that says who it is.
pub(super) struct Claimed {
    pub id: AppId,
    proof: Proof,
}

/// A client that showed who it is.
pub(super) struct Authenticated {
    /// A `jti` that must not have been used before, and until when it counts.
    pub jti: Option<(String, i64)>,
}

/// What a client shows.
enum Proof {
    Nothing,
    /// Readings of a secret: one of them has to be right.
    Secret(Vec<String>),
    /// A signed assertion.
    Assertion(Box<Jwt>),
    /// Something that can never be right.
    Broken,
}

const WRONG: Refused = Refused {
    error: Cow::Borrowed("invalid_client"),
    description: Cow::Borrowed("invalid client credentials"),
    client: true,
};

/// Which client speaks. The secret is not looked at yet: that it is unknown, blocked or without the flow is
/// told first (inferred from field reports). A pair in the body wins over the header, and an assertion is
/// read only where there is no secret.
pub(super) fn identify(org: &Org, ask: &Ask, params: &Params) -> Result<Claimed, Refused> {
    let named = given(params, "client_id");
    let ways = [
        given(params, "client_secret").is_some(),
        given(params, "client_assertion").is_some(),
        ask.authorization(&["Basic"]).is_some(),
    ];
    // RFC 6749 §2.3 and §5.2; Salesforce takes the first that it finds.
    let several = ways.iter().filter(|way| **way).count() > 1;
    if several && org.registry.switches.rfc && !org.faults.has(&fault::TWO_METHODS) {
        return Err(invalid_request("more than one way of client authentication"));
    }
    let sent_empty = params.get("client_secret").is_some_and(str::is_empty);
    if let Some(id) = named.and_then(|name| org.registry.app_of(name)).filter(|_| sent_empty)
        && org.faults.has(&fault::EMPTY_SECRET)
    {
        let own = org.registry.app(id).registered.client_secret.as_ref();
        let readings = own.map(|secret| secret.expose().to_owned()).into_iter().collect();
        return Ok(Claimed { id, proof: Proof::Secret(readings) });
    }
    let unread = given(params, "client_assertion").is_some() && org.faults.has(&fault::TWO_METHODS);
    if let Some(secret) = given(params, "client_secret").filter(|_| !unread) {
        let id = named.and_then(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
        return Ok(Claimed { id, proof: Proof::Secret(vec![secret.to_owned()]) });
    }
    if let Some(assertion) = given(params, "client_assertion") {
        return by_assertion(org, named, params, assertion);
    }
    if let Some(encoded) = ask.authorization(&["Basic"]) {
        return by_basic(org, named, encoded);
    }
    let id = named.and_then(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
    Ok(Claimed { id, proof: Proof::Nothing })
}

/// What is said of a consumer key that nobody has (sources contradict each other).
pub(super) fn unknown(org: &Org) -> Refused {
    // An RFC has one error for both (RFC 6749 §5.2), and one text tells nobody which clients there are.
    if org.registry.switches.rfc && !org.faults.has(&fault::UNKNOWN_CLIENT_TOLD) {
        return WRONG;
    }
    match org.registry.switches.unknown_client_error {
        "invalid_client" => WRONG,
        "app_not_found" => {
            invalid_client("app_not_found", "External client app is not installed in this org")
        }
        _ if org.faults.has(&fault::UNKNOWN_CLIENT_RENAMED) => {
            invalid_client("invalid_client_id", "no such app")
        }
        _ => invalid_client("invalid_client_id", "client identifier invalid"),
    }
}

/// Whether the org lets the app in and the app lists the flow.
pub(super) fn admit(app: &App, flow: Flow) -> Result<(), Refused> {
    if !app.registered.policy.installed {
        return Err(invalid_client("invalid_client", "app must be installed into org"));
    }
    if app.registered.policy.blocked {
        return Err(invalid_client("app_blocked", "this app is blocked by admin"));
    }
    match (app.may(flow) && !app.registered.policy.disabled, flow) {
        (true, _) => Ok(()),
        (false, Flow::ClientCredentials) if !app.registered.policy.disabled => {
            Err(super::answer::invalid_grant("client credentials flow not enabled"))
        }
        (false, _) => {
            Err(refused("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled."))
        }
    }
}

/// Whether a client must show who it is for that grant (Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide; Metadata API Developer Guide: ConnectedApp).
pub(super) fn is_required(app: &App, flow: Flow) -> bool {
    let policy = &app.registered.policy;
    match flow {
        Flow::WebServer => !app.registered.is_public() && !policy.secret_optional,
        Flow::RefreshToken => !app.registered.is_public() && policy.secret_for_refresh,
        Flow::JwtBearer | Flow::SamlBearer | Flow::ClientCredentials => true,
    }
}

/// Whether a client shows who it is. What it shows is checked even where it need not show anything. `redeems` says
/// whether it is to redeem a code.
pub(super) fn prove(
    org: &Org,
    ask: &Ask,
    claimed: &Claimed,
    required: bool,
    redeems: bool,
) -> Result<Authenticated, Refused> {
    let app = org.registry.app(claimed.id);
    match &claimed.proof {
        Proof::Nothing if required => Err(WRONG),
        Proof::Nothing => Ok(Authenticated { jti: None }),
        Proof::Secret(readings) => {
            let is = |one: &str, secret: &str| match one.len().min(secret.len()) {
                0 => false,
                both if org.faults.has(&fault::SECRET_PREFIX) => one.get(..both) == secret.get(..both),
                _ if org.faults.has(&fault::SECRET_CASELESS) => one.eq_ignore_ascii_case(secret),
                _ => same(one, secret),
            };
            let own = app.registered.client_secret.as_ref();
            let right = own.is_some_and(|secret| readings.iter().any(|one| is(one, secret.expose())));
            let secrets =
                || org.registry.apps().iter().filter_map(|app| app.registered.client_secret.as_ref());
            let anybodys = || secrets().any(|secret| readings.iter().any(|one| same(one, secret.expose())));
            let right = right || org.faults.has(&fault::SECRET_OF_ANYBODY) && anybodys();
            if right || org.faults.has(&fault::ANY_SECRET) {
                Ok(Authenticated { jti: None })
            } else if org.faults.has(&fault::SECRET_RENAMED) {
                Err(invalid_client("invalid_client", "wrong secret"))
            } else {
                Err(WRONG)
            }
        }
        Proof::Assertion(_) if !redeems && org.faults.has(&fault::CLIENT_ASSERTION_REFUSED) => Err(WRONG),
        Proof::Assertion(jwt) => verify(org, ask, app, jwt),
        Proof::Broken => Err(WRONG),
    }
}

/// A comparison that takes as long whatever the difference.
pub(super) fn same(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// HTTP Basic, raw or form-encoded first (RFC 6749 §2.3.1): both readings are accepted.
fn by_basic(org: &Org, named: Option<&str>, encoded: &str) -> Result<Claimed, Refused> {
    if org.faults.has(&fault::BASIC_REFUSED) {
        return Err(WRONG);
    }
    let pair = from_base64(encoded).and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((user, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
        return Err(invalid_client("invalid_basic_auth_header", "invalid basic authentication header"));
    };
    let readings = |text: &str| {
        let mut all = vec![text.to_owned()];
        let decoded = form_decode(text).ok().filter(|decoded| decoded != text);
        all.extend(decoded.filter(|_| !org.faults.has(&fault::BASIC_RAW)));
        all
    };
    let id = readings(user).iter().find_map(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
    let proof = match password {
        _ if named.is_some_and(|name| org.registry.app_of(name) != Some(id))
            && !org.faults.has(&fault::BASIC_ID_IGNORED) =>
        {
            Proof::Broken
        }
        "" => Proof::Nothing,
        password => Proof::Secret(readings(password)),
    };
    Ok(Claimed { id, proof })
}

fn by_assertion(
    org: &Org,
    named: Option<&str>,
    params: &Params,
    assertion: &str,
) -> Result<Claimed, Refused> {
    let any = org.faults.has(&fault::CLIENT_ASSERTION_TYPE_ANY);
    if given(params, "client_assertion_type") != Some(CLIENT_ASSERTION_TYPE) && !any {
        return Err(refused("invalid_assertion_type", "invalid client assertion type"));
    }
    let Ok(jwt) = Jwt::read(assertion) else {
        let id = named.and_then(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
        return Ok(Claimed { id, proof: Proof::Broken });
    };
    let sub = || {
        jwt.text("sub").filter(|name| jwt.text("iss") == Some(name) && org.registry.app_of(name).is_some())
    };
    let beyond = if org.faults.has(&fault::CLIENT_ASSERTION_ID_IGNORED) { sub() } else { None };
    let name = beyond.or(named).or(jwt.text("sub")).or(jwt.text("iss"));
    let id = name.and_then(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
    Ok(Claimed { id, proof: Proof::Assertion(Box::new(jwt)) })
}

/// `private_key_jwt` (Salesforce Help: OAuth 2.0 Web Server Flow, RFC 7523 §3).
fn verify(org: &Org, ask: &Ask, app: &App, jwt: &Jwt) -> Result<Authenticated, Refused> {
    let leeway = org.registry.switches.leeway / 1000;
    let now = ask.seconds();
    let has = |fault| org.faults.has(fault);
    let itself = Some(app.registered.client_id.as_str());
    let signed = match app.key_at(now) {
        Some(key) => {
            jwt.verifies(key)
                || has(&fault::CLIENT_ASSERTION_NONE) && jwt.is_unsigned()
                || has(&fault::CLIENT_ASSERTION_HS256) && jwt.verifies_hs256(key.pem().as_bytes())
                || has(&fault::CLIENT_ASSERTION_JWK) && brings_its_key(jwt)
                || has(&fault::CLIENT_ASSERTION_CRIT_IGNORED) && without_crit(jwt).verifies(key)
                || has(&fault::CLIENT_ASSERTION_UNVERIFIED) && !jwt.is_unsigned() && jwt.alg() == "RS256"
        }
        None => false,
    };
    let wrong = || match has(&fault::CLIENT_ASSERTION_RENAMED) {
        true => refused("invalid_grant", "invalid client assertion"),
        false => WRONG,
    };
    let endless = has(&fault::CLIENT_ASSERTION_EXP_OPTIONAL) && !jwt.claims.contains_key("exp");
    let expires = if endless { now + 300 } else { jwt.seconds("exp").ok_or_else(wrong)? };
    let in_time = expires.saturating_add(leeway) > now || has(&fault::CLIENT_ASSERTION_EXPIRED);
    let begun = !jwt.claims.contains_key("nbf")
        || jwt.seconds("nbf").is_some_and(|nbf| nbf.saturating_sub(leeway) <= now)
        || has(&fault::CLIENT_ASSERTION_NBF_IGNORED);
    let is_audience = |aud: &&str| match has(&fault::CLIENT_ASSERTION_ISSUER_REFUSED) {
        true => ask.host.is_token_endpoint(aud),
        false => ask.host.is_audience(aud),
    };
    let meant = jwt.audiences().iter().any(is_audience)
        || has(&fault::CLIENT_ASSERTION_AUD_ANY) && jwt.claims.contains_key("aud")
        || has(&fault::CLIENT_ASSERTION_AUD_OPTIONAL) && !jwt.claims.contains_key("aud");
    let itself_twice = jwt.text("iss") == itself && jwt.text("sub") == itself;
    let jti = jwt.text("jti").filter(|jti| jti.len() <= LONGEST_JTI);
    let good = signed
        && in_time
        && begun
        && meant
        && (itself_twice || has(&fault::CLIENT_ASSERTION_PARTY_ANY))
        && (jti.is_some() || !jwt.claims.contains_key("jti"));
    if !good {
        return Err(wrong());
    }
    let until = expires.saturating_add(leeway).saturating_mul(1000).min(ask.now + LONGEST_MEMORY);
    Ok(Authenticated { jti: jti.map(|jti| (jti.to_owned(), until)) })
}

/// Whether the signature fits the key that the header brings along.
fn brings_its_key(jwt: &Jwt) -> bool {
    jwt.header.get("jwk").is_some_and(|key| jwt.verifies_with_set(&serde_json::json!({ "keys": [key] })))
}

/// The same as a reader sees it who does not know `crit`.
fn without_crit(jwt: &Jwt) -> Jwt {
    let mut other = jwt.clone();
    other.header.shift_remove("crit");
    other
}

/// What is said of a `jti` that was used before.
pub(super) fn replayed() -> Refused {
    WRONG
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::CLIENT_ASSERTION_TYPE;
    use crate::oauth::Params;
    use crate::oauth::grant::jwt_bearer::client_claims;
    use crate::oauth::jwt::{Draft, Signing};
    use crate::org::Org;
    use crate::subject::{Setting, Target};
    use serde_json::{Map, Value};

    fn server(org: &Org, form: &str, headers: &[(&str, &str)]) -> u16 {
        let form = format!("grant_type=client_credentials&{form}");
        status(&org.handle(&post("/services/oauth2/token", &form, headers), NOW))
    }

    fn reserved() -> Target {
        let mut target = target();
        target.apps.get_mut("main").unwrap().client_secret = Some("a+b %:c".into());
        target
    }

    #[test]
    fn basic_is_read_raw_and_form_encoded() {
        let org = org_of(&reserved());
        for secret in ["a+b %:c", "a%2Bb+%25%3Ac"] {
            assert_eq!(server(&org, "", &[("authorization", &basic("main", secret))]), 200, "{secret}");
        }
        assert_eq!(server(&org, "", &[("authorization", &basic("main", "a b %:c"))]), 400);
        assert_eq!(
            server(&faulty(&["basic-refused"]), "", &[("authorization", &basic("main", "main-s3cret"))]),
            400
        );
    }

    #[test]
    fn the_body_wins_over_the_header() {
        let org = org();
        let wrong = basic("main", "x");
        assert_eq!(
            server(&org, "client_id=main&client_secret=main-s3cret", &[("authorization", &wrong)]),
            200
        );
        let right = basic("main", "main-s3cret");
        assert_eq!(server(&org, "client_id=main&client_secret=x", &[("authorization", &right)]), 400);
        assert_eq!(server(&org, "client_id=other", &[("authorization", &right)]), 400);
        let broken = org.handle(
            &post("/services/oauth2/token", "grant_type=client_credentials", &[("authorization", "Basic !")]),
            NOW,
        );
        assert_eq!(refusal(&broken).1, "invalid_basic_auth_header");
    }

    /// Client credentials with an assertion whose claims were changed.
    fn asserted(org: &Org, change: impl Fn(&mut Map<String, Value>), how: &Signing<'_>) -> bool {
        let audience = "https://acme.my.salesforce.com/services/oauth2/token";
        let mut claims = client_claims("main", audience, NOW / 1000, "j-1");
        change(&mut claims);
        let form = Params::new()
            .with("grant_type", "client_credentials")
            .with("client_assertion_type", CLIENT_ASSERTION_TYPE)
            .with("client_assertion", Draft::of(claims).sign(how));
        status(&org.handle(&token_request(&form), NOW)) == 200
    }

    #[test]
    fn a_client_assertion_is_judged_whole() {
        let key = main_key();
        let rs256 = Signing::Rsa(&key, crate::oauth::keys::RsaAlgorithm::Rs256);
        let with = |name: &'static str, value: Value| {
            asserted(&org(), |claims| drop(claims.insert(name.into(), value.clone())), &rs256)
        };
        assert!(asserted(&org(), |_| {}, &rs256));
        for (claim, value) in [
            ("iss", "other".into()),
            ("sub", "other".into()),
            ("aud", "https://x.example".into()),
            ("exp", Value::from(NOW / 1000 - 600)),
            ("nbf", Value::from(NOW / 1000 + 600)),
        ] {
            assert!(!with(claim, value), "{claim}");
        }
        for claim in ["iss", "sub", "aud", "exp"] {
            assert!(!asserted(&org(), |claims| drop(claims.remove(claim)), &rs256), "{claim}");
        }
        let wrong = other_key();
        for how in [
            Signing::None,
            Signing::Stripped,
            Signing::Broken(&key),
            Signing::Rsa(&wrong, crate::oauth::keys::RsaAlgorithm::Rs256),
        ] {
            assert!(!asserted(&org(), |_| {}, &how));
        }
    }

    #[test]
    fn a_client_assertion_works_once() {
        let key = main_key();
        let rs256 = Signing::Rsa(&key, crate::oauth::keys::RsaAlgorithm::Rs256);
        let org = org();
        assert_eq!([asserted(&org, |_| {}, &rs256), asserted(&org, |_| {}, &rs256)], [true, false]);
    }

    #[test]
    fn faults_of_client_assertions_let_just_their_own_wrong_pass() {
        let key = main_key();
        let rs256 = Signing::Rsa(&key, crate::oauth::keys::RsaAlgorithm::Rs256);
        let late =
            |claims: &mut Map<String, Value>| drop(claims.insert("exp".into(), (NOW / 1000 - 600).into()));
        let away =
            |claims: &mut Map<String, Value>| drop(claims.insert("aud".into(), "https://x.example".into()));
        let played = |fault: &str| {
            [
                asserted(&faulty(&[fault]), |_| {}, &rs256),
                asserted(&faulty(&[fault]), late, &rs256),
                asserted(&faulty(&[fault]), away, &rs256),
                asserted(&faulty(&[fault]), |_| {}, &Signing::Broken(&key)),
                asserted(&faulty(&[fault]), |_| {}, &Signing::None),
            ]
        };
        assert_eq!(played("client-assertion-refused"), [false; 5]);
        assert_eq!(played("client-assertion-expired"), [true, true, false, false, false]);
        assert_eq!(played("client-assertion-aud-any"), [true, false, true, false, false]);
        assert_eq!(played("client-assertion-unverified"), [true, false, false, true, false]);
        assert_eq!(played("client-assertion-none"), [true, false, false, false, true]);
    }

    #[test]
    fn public_clients_and_settings_need_no_secret() {
        let org = org();
        let mut form = redemption(&code(&org, "public", NOW));
        form.set("client_id", "public");
        form.remove("client_secret");
        let answer = json(&org.handle(&token_request(&form), NOW));
        let mut form = refreshing(&text(&answer, "refresh_token"));
        form.set("client_id", "public");
        form.remove("client_secret");
        assert_eq!(status(&org.handle(&token_request(&form), NOW)), 200);
        form.set("client_secret", "guess");
        assert_eq!(refusal(&org.handle(&token_request(&form), NOW)).1, "invalid_client");

        let lenient = org_of(&set(target(), "secret_optional", Setting::Flag(true)));
        let mut form = redemption(&code(&lenient, "main", NOW));
        form.remove("client_secret");
        assert_eq!(status(&lenient.handle(&token_request(&form), NOW)), 200);
        let lenient = org_of(&set(target(), "secret_for_refresh", Setting::Flag(false)));
        let mut form = refreshing(&text(&tokens(&lenient, NOW), "refresh_token"));
        form.remove("client_secret");
        assert_eq!(status(&lenient.handle(&token_request(&form), NOW)), 200);
    }
}
