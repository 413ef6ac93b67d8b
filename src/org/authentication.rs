//! Who the client is, and whether it can show so: by a secret in the body or by HTTP Basic, or by a signed
//! assertion.

use std::borrow::Cow;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::answer::{Refused, invalid_client, refused};
use super::ask::{Ask, given};
use super::registry::{App, AppId};
use super::{Org, fault};
use crate::oauth::grant::{CLIENT_ASSERTION_TYPE, client_credentials};
use crate::oauth::jwt::Jwt;
use crate::oauth::params::form_decode;
use crate::oauth::{Params, from_base64};
use crate::subject::Flow;

/// The most that a `jti` is remembered for, in milliseconds.
const LONGEST_MEMORY: i64 = 24 * 3_600_000;
/// The longest `jti` that is looked at.
const LONGEST_JTI: usize = 1024;

/// A client that says who it is.
pub(super) struct Claimed {
    pub id: AppId,
    proof: Proof,
}

/// A client that showed who it is.
#[derive(Debug)]
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
/// told first (SALESFORCE.md appendix B). A pair in the body wins over the header (§1.4), and an assertion is
/// read only where there is no secret (§2.2).
pub(super) fn identify(org: &Org, ask: &Ask, params: &Params) -> Result<Claimed, Refused> {
    let named = given(params, "client_id");
    if let Some(secret) = given(params, "client_secret") {
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

/// What is said of a consumer key that nobody has (SALESFORCE.md §13.14).
pub(super) fn unknown(org: &Org) -> Refused {
    match org.registry.switches.unknown_client_error {
        "invalid_client" => WRONG,
        "app_not_found" => {
            invalid_client("app_not_found", "External client app is not installed in this org")
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
    match (app.may(flow), flow) {
        (true, _) => Ok(()),
        (false, Flow::ClientCredentials) => {
            Err(super::answer::invalid_grant("client credentials flow not enabled"))
        }
        (false, _) => {
            Err(refused("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled."))
        }
    }
}

/// Whether a client must show who it is for that grant (SALESFORCE.md §6, §10.2).
pub(super) fn is_required(app: &App, flow: Flow) -> bool {
    let policy = &app.registered.policy;
    match flow {
        Flow::WebServer => !app.registered.is_public() && !policy.secret_optional,
        Flow::RefreshToken => !app.registered.is_public() && policy.secret_for_refresh,
        Flow::JwtBearer | Flow::SamlBearer | Flow::ClientCredentials => true,
    }
}

/// Whether a client shows who it is. What it shows is checked even where it need not show anything.
pub(super) fn prove(
    org: &Org,
    ask: &Ask,
    claimed: &Claimed,
    required: bool,
    grant_type: &str,
) -> Result<Authenticated, Refused> {
    let app = org.registry.app(claimed.id);
    match &claimed.proof {
        Proof::Nothing if required => Err(WRONG),
        Proof::Nothing => Ok(Authenticated { jti: None }),
        Proof::Secret(readings) => {
            let any = match grant_type {
                client_credentials::GRANT_TYPE => &fault::CLIENT_CREDENTIALS_ANY_SECRET,
                _ => &fault::ANY_SECRET,
            };
            let right = app
                .registered
                .client_secret
                .as_ref()
                .is_some_and(|secret| readings.iter().any(|one| same(one, secret.expose())));
            if right || org.faults.has(any) { Ok(Authenticated { jti: None }) } else { Err(WRONG) }
        }
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
        all.extend(form_decode(text).ok().filter(|decoded| decoded != text));
        all
    };
    let id = readings(user).iter().find_map(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
    let proof = match password {
        _ if named.is_some_and(|name| org.registry.app_of(name) != Some(id)) => Proof::Broken,
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
    if given(params, "client_assertion_type") != Some(CLIENT_ASSERTION_TYPE) {
        return Err(refused("invalid_assertion_type", "invalid client assertion type"));
    }
    let Ok(jwt) = Jwt::read(assertion) else {
        let id = named.and_then(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
        return Ok(Claimed { id, proof: Proof::Broken });
    };
    let name = named.or(jwt.text("sub")).or(jwt.text("iss"));
    let id = name.and_then(|name| org.registry.app_of(name)).ok_or_else(|| unknown(org))?;
    Ok(Claimed { id, proof: Proof::Assertion(Box::new(jwt)) })
}

/// `private_key_jwt` (SALESFORCE.md §4.2, RFC 7523 §3).
fn verify(org: &Org, ask: &Ask, app: &App, jwt: &Jwt) -> Result<Authenticated, Refused> {
    let leeway = org.registry.switches.leeway / 1000;
    let now = ask.seconds();
    let has = |fault| org.faults.has(fault);
    let itself = Some(app.registered.client_id.as_str());
    let signed = match &app.key {
        Some(key) => {
            jwt.verifies(key)
                || has(&fault::CLIENT_ASSERTION_NONE) && jwt.is_unsigned()
                || has(&fault::CLIENT_ASSERTION_UNVERIFIED) && !jwt.is_unsigned() && jwt.alg() == "RS256"
        }
        None => false,
    };
    let expires = jwt.seconds("exp").ok_or(WRONG)?;
    let in_time = expires.saturating_add(leeway) > now || has(&fault::CLIENT_ASSERTION_EXPIRED);
    let begun = !jwt.claims.contains_key("nbf")
        || jwt.seconds("nbf").is_some_and(|nbf| nbf.saturating_sub(leeway) <= now);
    let meant = jwt.audiences().iter().any(|aud| ask.host.is_audience(aud))
        || has(&fault::CLIENT_ASSERTION_AUD_ANY) && jwt.claims.contains_key("aud");
    let jti = jwt.text("jti").filter(|jti| jti.len() <= LONGEST_JTI);
    let good = signed
        && in_time
        && begun
        && meant
        && jwt.text("iss") == itself
        && jwt.text("sub") == itself
        && (jti.is_some() || !jwt.claims.contains_key("jti"))
        && !has(&fault::CLIENT_ASSERTION_REFUSED);
    if !good {
        return Err(WRONG);
    }
    let until = expires.saturating_add(leeway).saturating_mul(1000).min(ask.now + LONGEST_MEMORY);
    Ok(Authenticated { jti: jti.map(|jti| (jti.to_owned(), until)) })
}

/// What is said of a `jti` that was used before.
pub(super) fn replayed() -> Refused {
    WRONG
}
