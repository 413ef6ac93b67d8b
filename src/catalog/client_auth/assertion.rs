//! Client assertions (`private_key_jwt`, RFC 7523 §2.2), and what the record shows to be wrong with one.

use url::Url;

use super::super::Cite::{OpenIdCore, Rfc};
use super::super::{Check, Judgement, Party};
use super::{app, by_basic, grant_is_clean, needs_authentication, refuses_the_client, requests};
use crate::oauth::Endpoint;
use crate::oauth::grant::CLIENT_ASSERTION_TYPE;
use crate::oauth::salesforce::Profile;
use crate::subject::ClientAuth;
use crate::transcript::questions::beside_the_point;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A client credentials request with a client assertion that is right or wrong in one thing, and its answer.
macro_rules! asserted {
    (right, $answer:ident) => {
        asserted!("1", "org", "+150", "\"verifies\":true,\"alg\":\"RS256\"", $answer)
    };
    (misdirected, $answer:ident) => {
        asserted!("2", "another", "+150", "\"verifies\":true,\"alg\":\"RS256\"", $answer)
    };
    (expired, $answer:ident) => {
        asserted!("2", "org", "-600", "\"verifies\":true,\"alg\":\"RS256\"", $answer)
    };
    (forged, $answer:ident) => {
        asserted!("2", "org", "+150", "\"verifies\":false,\"alg\":\"RS256\"", $answer)
    };
    (unsigned, $answer:ident) => {
        asserted!("2", "org", "+150", "\"verifies\":false,\"unsigned\":true,\"alg\":\"none\"", $answer)
    };
    ($jti:literal, $host:literal, $exp:literal, $facts:literal, $answer:ident) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=assertion&client_assertion_type=",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=J",
            concat!(
                $jti,
                "\n! client_assertion {\"claims\":{\"jti\":\"",
                $jti,
                "\",\"aud\":\"https://",
                $host
            ),
            concat!(".example/token\",\"iss\":\"assertion\",\"sub\":\"assertion\",\"exp\":{now", $exp, "}},"),
            concat!($facts, "}\n< ", answer!($answer))
        )
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "client-auth/right-assertion-is-accepted",
        title: "a client may show itself by a signed assertion (private_key_jwt)",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-15",
        cites: &[Rfc(7523, "2.2"), Rfc(7523, "3"), OpenIdCore("9")],
        explain: "A client that is registered with a key signs a short-lived JWT instead of sending a secret: iss and sub \
            are its client_id, aud is the token endpoint or the issuer. If the server refuses a right one, the safest way of \
            authentication is closed and people fall back to secrets. Look first at the certificate that the server holds, \
            then at its clock and at the audience that it expects. On Salesforce the assertion is read only where no \
            client_secret is sent, and an external client app has a certificate of its own for it.",
        passes: asserted!(right, granted),
        fails: asserted!(right, refused),
        judge: right_assertion_is_accepted,
    },
    Check {
        id: "client-auth/assertion-for-another-audience-is-refused",
        title: "a client assertion that is meant for another server is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-16",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.2")],
        explain: "Without the audience an assertion is good everywhere: another server to which the client showed itself can \
            carry the assertion here and be the client. The server must find its own identity in aud, the token endpoint URL or \
            its issuer identifier, and refuse everything else with invalid_client. Compare whole strings; a prefix or the mere \
            presence of the claim is no check.",
        passes: concat!(asserted!(right, granted), asserted!(misdirected, refused)),
        fails: asserted!(misdirected, granted),
        judge: assertion_for_another_audience_is_refused,
    },
    Check {
        id: "client-auth/expired-assertion-is-refused",
        title: "a client assertion past its exp is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-18",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.2")],
        explain: "The lifetime bounds the damage of an assertion that leaked into a log or a trace: past exp it must be \
            worthless, some clock skew apart. A server that does not look turns every assertion ever sent into a password. \
            Refuse with invalid_client once exp plus the leeway has passed, and keep the leeway at minutes. The check takes the \
            target's setting leeway, and three minutes where none is given.",
        passes: concat!(asserted!(right, granted), asserted!(expired, refused)),
        fails: asserted!(expired, granted),
        judge: expired_assertion_is_refused,
    },
    Check {
        id: "client-auth/assertion-signature-is-verified",
        title: "a client assertion with a signature that does not fit is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-21",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.2")],
        explain: "The claims of an assertion are public knowledge; the signature alone proves that the client wrote them. A \
            server that reads the claims and skips the verification lets anybody in who can spell a client_id. Verify against \
            the certificate or key that is registered for this very client, never against one that the assertion brings along, \
            and answer invalid_client. Most libraries have a decode and a verify call: check that it is the second.",
        passes: concat!(asserted!(right, granted), asserted!(forged, refused)),
        fails: concat!(asserted!(right, granted), asserted!(forged, granted)),
        judge: assertion_signature_is_verified,
    },
    Check {
        id: "client-auth/unsigned-assertion-is-refused",
        title: "a client assertion with alg none or without a signature is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-22",
        cites: &[Rfc(7523, "3"), Rfc(8725, "3.2")],
        explain: "JWT knows an algorithm called none, and a library that goes by the header of the token takes such a token \
            for verified. Then no key is needed to be any client. Fix the algorithms that are accepted (RS256 on Salesforce) when \
            the verifier is built, never take them from the token, and refuse an empty signature with invalid_client whatever \
            the header says.",
        passes: concat!(asserted!(right, granted), asserted!(unsigned, refused)),
        fails: asserted!(unsigned, granted),
        judge: unsigned_assertion_is_refused,
    },
];

fn right_assertion_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in with_assertion(t).filter(|x| is_right(t, x) && !names_the_issuer(t, x)) {
        let registered = app(t, x).is_some_and(|app| app.client_auth == ClientAuth::PrivateKeyJwt);
        if x.granted() {
            j.pass();
        } else if registered && refuses_the_client(x) && grant_is_clean(t, x) {
            j.fail(
                &[x],
                "the client is authenticated by its assertion: it is right in every part",
                x.outcome(),
            );
        }
    }
    j
}

/// Whether the audience is the issuer and not the token endpoint: that is judged by itself.
pub(super) fn names_the_issuer(t: &Transcript, x: &Exchange) -> bool {
    let Some(assertion) = &x.facts.client_assertion else { return false };
    let (issuer, token) = (t.subject.endpoints.issuer.as_deref(), t.subject.endpoints.token.as_deref());
    let names = |url: Option<&str>| url.is_some_and(|url| assertion.audiences().contains(&url));
    names(issuer) && !names(token)
}

fn assertion_for_another_audience_is_refused(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Audience, "the assertion is meant for another server")
}

fn expired_assertion_is_refused(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Expired, "the assertion is past its exp and any leeway")
}

fn assertion_signature_is_verified(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Signature, "the signature does not fit the key of the client")
}

fn unsigned_assertion_is_refused(t: &Transcript) -> Judgement {
    assertion_is_refused(t, Wrong::Unsigned, "the assertion is not signed")
}

fn assertion_is_refused(t: &Transcript, wrong: Wrong, because: &str) -> Judgement {
    refused_for(t, wrong, &["invalid_client"], because)
}

/// Judges assertions with that flaw: a granted one is a fail whatever else is wrong with it, a refused one
/// counts where nothing else is and the client got a token with another assertion.
pub(super) fn refused_for(t: &Transcript, wrong: Wrong, errors: &[&str], because: &str) -> Judgement {
    let mut j = Judgement::new();
    for x in with_assertion(t) {
        let found = wrongs(t, x);
        if !found.contains(&wrong) {
            continue;
        }
        let control = has_control(t, x, wrong);
        // That a signature does not fit is known as well as the key is: a grant that nothing was done to
        // and no other assertion of the client vouches for may be one of a key that the target does not state.
        let by_key = matches!(wrong, Wrong::Signature | Wrong::Carried);
        let vouched = !by_key || control || x.tweak.is_some();
        let alone = found == [wrong] && grant_is_clean(t, x) && !beside_the_point(x);
        if x.hands_out_a_token() && vouched || !x.hands_out_a_token() && alone {
            j.refused(x, control, errors, because);
        }
    }
    j
}

/// Whether the same client was granted the same by an assertion that is right.
pub(super) fn has_control(t: &Transcript, x: &Exchange, wrong: Wrong) -> bool {
    let aud = |z: &Exchange| z.facts.client_assertion.as_ref().and_then(|a| a.claims.get("aud").cloned());
    let issuer = x.facts.client_assertion.as_ref().and_then(|assertion| assertion.issuer());
    let client = if wrong == Wrong::Named { issuer } else { x.client_id() };
    let granted = requests(t).filter(|y| y.granted() && y.grant_type() == x.grant_type());
    granted.filter(|y| y.client_id() == client).any(|y| {
        // Which audiences a server takes is not always known: the control had the same one.
        let alike = matches!(wrong, Wrong::Audience | Wrong::AudienceMissing) || aud(y) == aud(x);
        y.facts.client_assertion.is_some() && alike && wrongs(t, y).is_empty()
    })
}

/// What is wrong with a client assertion, as far as the record proves it (RFC 7523 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It cannot be read.
    Malformed,
    /// `client_assertion_type` is missing or another one.
    Type,
    /// `iss` or `sub` is not the client.
    Party,
    /// It is right for another client than `client_id` names.
    Named,
    /// `aud` names other servers only.
    Audience,
    /// No `aud`.
    AudienceMissing,
    /// Past `exp` and leeway.
    Expired,
    /// No `exp`.
    ExpMissing,
    /// Before `nbf` and leeway.
    Early,
    /// `exp` or `nbf` within the leeway.
    Time,
    /// RS256 with a signature that does not fit.
    Signature,
    /// RS256 with a signature that does not fit, and a header that brings a key or names where one is.
    Carried,
    /// Signed with an HMAC though the client is registered with a key pair.
    Symmetric,
    /// A header that must be understood and that nobody defines.
    Crit,
    /// `alg: none` or no signature.
    Unsigned,
    /// The same assertion, or its `jti`, came before.
    Replayed,
}

/// How much clock skew a server forgives where no setting says it, in milliseconds.
const LEEWAY: i64 = 180_000;

pub(super) fn wrongs(t: &Transcript, x: &Exchange) -> Vec<Wrong> {
    let Some(assertion) = &x.facts.client_assertion else { return vec![Wrong::Malformed] };
    if assertion.malformed.is_some() {
        return vec![Wrong::Malformed];
    }
    let mut found = Vec::new();
    let mut note = |seen: bool, wrong: Wrong| {
        if seen {
            found.push(wrong);
        }
    };
    note(x.param("client_assertion_type") != Some(CLIENT_ASSERTION_TYPE), Wrong::Type);
    let claim = |name: &str| assertion.claims.get(name).and_then(serde_json::Value::as_str);
    let client = x.client_id();
    // Both name one client of the server, and the parameter another.
    let named = x.param("client_id").is_some_and(|id| claim("iss").is_some_and(|iss| iss != id))
        && claim("iss") == claim("sub")
        && claim("iss").is_some_and(|iss| t.subject.app_of(iss).is_some());
    let party = !named && (claim("iss") != client || claim("sub") != client || app(t, x).is_none());
    note(named, Wrong::Named);
    note(party, Wrong::Party);
    note(audience(t, x) == Audience::Another, Wrong::Audience);
    note(assertion.audiences().is_empty(), Wrong::AudienceMissing);
    let leeway = t.subject.settings.millis("leeway").unwrap_or(LEEWAY);
    let millis = |seconds: i64| seconds.saturating_mul(1000);
    let past = assertion.exp().map(|exp| x.at.saturating_sub(millis(exp)));
    note(past.is_some_and(|past| past >= leeway.max(1)), Wrong::Expired);
    note(past.is_none(), Wrong::ExpMissing);
    let ahead = assertion.nbf().map(|nbf| millis(nbf).saturating_sub(x.at));
    let early = ahead.is_some_and(|ahead| ahead > leeway);
    note(early, Wrong::Early);
    let doubtful = past.is_some_and(|past| (0..leeway.max(1)).contains(&past));
    note(doubtful || !early && ahead.is_some_and(|ahead| ahead > 0), Wrong::Time);
    let unsigned = assertion.unsigned || assertion.alg.eq_ignore_ascii_case("none");
    note(unsigned, Wrong::Unsigned);
    let by_key = app(t, x).is_some_and(|app| app.client_auth == ClientAuth::PrivateKeyJwt);
    note(!unsigned && by_key && assertion.alg.starts_with("HS"), Wrong::Symmetric);
    let crit = assertion.header.contains_key("crit");
    note(crit, Wrong::Crit);
    // Of other algorithms the fact does not tell: a server may take them, and the verifier here knows RS256 alone.
    // Whose key it is to fit is not known where the issuer is wrong, and what must be understood is refused anyway.
    let unfit = !unsigned && !party && !crit && assertion.verifies == Some(false) && assertion.alg == "RS256";
    let carried = ["jwk", "jku", "x5u", "x5c"].iter().any(|name| assertion.header.contains_key(*name));
    note(unfit && carried, Wrong::Carried);
    note(unfit && !carried, Wrong::Signature);
    let replayed = t.before(x).any(|y| {
        let same_text =
            y.param("client_assertion").is_some_and(|text| x.param("client_assertion") == Some(text));
        let jti = |z: &Exchange| z.facts.client_assertion.as_ref().and_then(|a| a.claims.get("jti").cloned());
        same_text || jti(x).is_some() && jti(x) == jti(y) && y.client_id() == client
    });
    note(replayed, Wrong::Replayed);
    found
}

/// Whether an assertion is right in every part that a server may look at.
pub(super) fn is_right(t: &Transcript, x: &Exchange) -> bool {
    const LONGEST: i64 = 300;
    let Some(assertion) = &x.facts.client_assertion else { return false };
    let now = x.at / 1000;
    let issued = assertion.claims.get("iat").and_then(crate::oauth::jwt::seconds);
    assertion.verifies == Some(true)
        && assertion.alg == "RS256"
        && audience(t, x) == Audience::Exact
        && assertion.exp().is_some_and(|exp| (now + 30..=now + LONGEST).contains(&exp))
        && issued.is_none_or(|iat| (now - LONGEST..=now).contains(&iat))
        && wrongs(t, x).is_empty()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// The token endpoint or the issuer, to the letter.
    Exact,
    /// Not to the letter, or not enough is known of the server.
    Doubtful,
    /// Other servers only.
    Another,
}

fn audience(t: &Transcript, x: &Exchange) -> Audience {
    let Some(assertion) = &x.facts.client_assertion else { return Audience::Doubtful };
    let told = t.at(Endpoint::Discovery).filter_map(|d| d.text("issuer"));
    let e = &t.subject.endpoints;
    let known = [&e.issuer, &e.token, &e.authorize, &e.introspect, &e.revoke, &e.discovery, &e.metadata];
    let asked = std::iter::once(x.request.url.as_str());
    let own: Vec<&str> = known.into_iter().flatten().map(String::as_str).chain(told).chain(asked).collect();
    let audiences = assertion.audiences();
    let exact = [e.token.as_deref(), e.issuer.as_deref()];
    if audiences.iter().any(|aud| exact.contains(&Some(aud))) {
        return Audience::Exact;
    }
    // An issuer may live on another host than the endpoints: unless it is known, only a change on purpose is another.
    let informed = e.issuer.is_some() || x.tweak.is_some();
    let near = |aud: &&str| {
        own.iter().any(|url| same_host(aud, url))
            || same_host(aud, &t.subject.org)
            || t.subject.profile == Profile::Salesforce && is_salesforce(aud)
    };
    if audiences.is_empty() || !informed || audiences.iter().any(near) {
        return Audience::Doubtful;
    }
    Audience::Another
}

/// Whether two texts name the same host, be they URLs or not.
fn same_host(a: &str, b: &str) -> bool {
    let host = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
    host(a).unwrap_or_else(|| bare(a)) == host(b).unwrap_or_else(|| bare(b))
}

/// Whether a URL is on a host of Salesforce: an org answers to its login hosts and sites too.
fn is_salesforce(text: &str) -> bool {
    let Some(host) = Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned)) else {
        return false;
    };
    [".salesforce.com", ".force.com", ".my.site.com", ".salesforce.mil", ".sfcrmproducts.cn"]
        .iter()
        .any(|suffix| host.ends_with(suffix))
}

/// Token requests in which a client assertion alone stands for the client.
pub(super) fn with_assertion(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    requests(t)
        .filter(|x| x.facts.client_assertion.is_some() && needs_authentication(t, x))
        .filter(|x| x.param("client_secret").is_none() && !by_basic(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::verdict_of;

    use crate::verdict::Verdict;

    const RIGHT: &str = asserted!(right, granted);
    const GRANTED: &str = answer!(granted);
    const REFUSED: &str = answer!(refused);

    #[test]
    fn an_assertion_that_runs_out_within_the_leeway_may_go_either_way() {
        let soon = RIGHT.replace("+150", "-60");
        for record in [soon.clone(), soon.replace(GRANTED, REFUSED)] {
            assert_eq!(verdict_of(expired_assertion_is_refused, &record), Verdict::Skip);
            assert_eq!(verdict_of(right_assertion_is_accepted, &record), Verdict::Skip);
        }
        let strict = format!("= setting leeway 30s\n{soon}");
        assert_eq!(verdict_of(expired_assertion_is_refused, &strict), Verdict::Fail);
    }

    #[test]
    fn an_audience_on_a_host_of_the_server_is_not_another_server() {
        let judge = |profile: &str, aud: &str| {
            let record = format!("{profile}\n{}", RIGHT.replace("https://org.example/token", aud));
            verdict_of(assertion_for_another_audience_is_refused, &record)
        };
        assert_eq!(judge("= rfc", "https://org.example/"), Verdict::Skip);
        assert_eq!(judge("= rfc", "https://ORG.example:443/introspect"), Verdict::Skip);
        assert_eq!(judge("= rfc", "https://login.salesforce.com"), Verdict::Fail);
        assert_eq!(judge("= salesforce", "https://login.salesforce.com"), Verdict::Skip);
    }

    #[test]
    fn a_refused_assertion_with_two_flaws_says_nothing_of_either() {
        let refused = asserted!(misdirected, refused);
        assert_eq!(verdict_of(assertion_for_another_audience_is_refused, refused), Verdict::Inconclusive);
        let both = format!("{RIGHT}{}", refused.replace("+150", "-900"));
        assert_eq!(verdict_of(assertion_for_another_audience_is_refused, &both), Verdict::Skip);
        assert_eq!(verdict_of(expired_assertion_is_refused, &both), Verdict::Skip);
    }

    #[test]
    fn what_only_we_cannot_verify_or_a_public_client_need_not_send_is_no_evidence() {
        let forged = asserted!(forged, granted);
        assert_eq!(verdict_of(assertion_signature_is_verified, forged), Verdict::Skip);
        let other_algorithm = format!("{RIGHT}{}", forged.replace("RS256", "PS256"));
        assert_eq!(verdict_of(assertion_signature_is_verified, &other_algorithm), Verdict::Skip);
        let public = asserted!(unsigned, granted)
            .replace("client_id=assertion", "client_id=public")
            .replace("client_credentials", "refresh_token&refresh_token=R");
        assert_eq!(verdict_of(unsigned_assertion_is_refused, &public), Verdict::Skip);
    }
}
