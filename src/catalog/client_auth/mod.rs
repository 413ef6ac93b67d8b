//! How a client shows who it is at the token endpoint: secret (RFC 6749 §2.3.1) or signed assertion
//! (RFC 7523 §2.2), and what the record shows to be wrong with it.

use super::Cite::Rfc;
use super::code;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials, refresh_token};
use crate::subject::{ClientAuth, Flow, SubjectApp};
use crate::transcript::questions::beside_the_point;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// An answer of the examples.
macro_rules! answer {
    (granted) => {
        "200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n"
    };
    (refused) => {
        "401 {\"error\":\"invalid_client\"}\n"
    };
    (renamed) => {
        "400 {\"error\":\"invalid_grant\"}\n"
    };
}

/// A client credentials request by HTTP Basic with a `right` or `wrong` secret, and its answer.
macro_rules! basic {
    ($secret:ident, $answer:ident) => {
        concat!(
            "> POST token grant_type=client_credentials\n> Authorization: Basic YmFzaWM6eA==\n! basic basic\n! secret ",
            stringify!($secret),
            "\n< ",
            answer!($answer)
        )
    };
}

// After the macros that its examples are written with.
pub(super) mod assertion;
pub(super) mod claims;
pub(super) mod methods;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "client-auth/basic-is-accepted",
        title: "a client with a secret may show it by HTTP Basic",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-01",
        cites: &[Rfc(6749, "2.3.1")],
        explain: "Basic is the one method that every server must take from a client with a secret, so many libraries send \
            nothing else. Name and secret are form-encoded each, joined by a colon, then base64. A server that does not \
            decode them refuses secrets with reserved characters, one that only looks into the body refuses all. Where the \
            app is registered for another method and the server binds it to that, the finding weighs less (RFC 7591 §2 \
            knows such a registration).",
        passes: basic!(right, granted),
        fails: basic!(right, refused),
        judge: basic_is_accepted,
    },
    Check {
        id: "client-auth/wrong-secret-is-refused",
        title: "a wrong client secret is refused with invalid_client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-05",
        cites: &[Rfc(6749, "3.2.1"), Rfc(6749, "5.2")],
        explain: "The client_id is public; only the secret keeps others from redeeming stolen codes and refresh tokens in \
            the client's name. A server that does not look at it, or at a part of it, has no client authentication at all. \
            Compare the whole secret in constant time before the grant is touched, and answer invalid_client, so that the \
            client looks at its configuration and not at its grant. On Salesforce, Require Secret for Web Server Flow and \
            Require Secret for Refresh Token Flow decide whether one is asked for.",
        passes: "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 400 {\"error\":\"invalid_client\"}",
        fails: "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        judge: wrong_secret_is_refused,
    },
    Check {
        id: "client-auth/failed-basic-is-401-with-challenge",
        title: "failed HTTP Basic is answered 401 with WWW-Authenticate: Basic",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CA-06",
        cites: &[Rfc(6749, "5.2")],
        explain: "A client that came with an Authorization header is part of HTTP's own authentication, and there a failure \
            is 401 with a challenge of the same scheme. Generic HTTP clients read the challenge to learn that they must send \
            other credentials; at 400 they believe that the request was malformed. Answer 401, WWW-Authenticate: Basic \
            realm=\"...\" and invalid_client in the body. For credentials in the body 400 remains right.",
        passes: concat!(basic!(wrong, refused), "< WWW-Authenticate: Basic realm=\"org\""),
        fails: basic!(wrong, refused),
        judge: failed_basic_is_401_with_challenge,
    },
];

fn basic_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| by_basic(x) && x.facts.secret_is_right == Some(true)) {
        let alone = x.param("client_secret").is_none() && x.param("client_assertion").is_none();
        if !alone || !ids_agree(x) || !needs_authentication(t, x) {
            continue;
        }
        let expected = "the client is authenticated by HTTP Basic: its secret is right";
        if x.granted() {
            j.pass();
        } else if refuses_the_client(x) && grant_is_clean(t, x) {
            let by_post = |y: &&Exchange| {
                let right = y.granted() && y.facts.secret_is_right == Some(true);
                right && y.client_id() == x.client_id() && !by_basic(y)
            };
            if app(t, x).is_some_and(|app| app.client_auth == ClientAuth::Basic) {
                j.fail(&[x], expected, x.outcome());
            } else if let Some(y) = requests(t).find(by_post) {
                j.fail_lesser(&[y, x], expected, format!("{}, and granted by the body", x.outcome()));
            }
        }
    }
    j
}

fn wrong_secret_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| x.facts.secret_is_right == Some(false)) {
        let twice = by_basic(x) && x.param("client_secret").is_some();
        if twice || x.param("client_assertion").is_some() || !ids_agree(x) {
            continue;
        }
        let because = "the client secret is wrong";
        if x.hands_out_a_token() {
            // A secret that is not asked for may be left unread.
            let optional = t.subject.settings_of(x.client_id()).is("secret_optional");
            if !(optional && x.grant_type() == Some(authorization_code::GRANT_TYPE)) {
                j.refused(x, true, &["invalid_client"], because);
            }
        } else if grant_is_clean(t, x) && !beside_the_point(x) {
            let control = granted_alike(t, x).any(|y| y.facts.secret_is_right == Some(true));
            j.refused(x, control, &["invalid_client"], because);
        }
    }
    j
}

fn failed_basic_is_401_with_challenge(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in requests(t).filter(|x| by_basic(x) && (400..500).contains(&x.status()) && !beside_the_point(x)) {
        let failed = match x.error() {
            Some(error) => error.error == "invalid_client",
            None => x.facts.secret_is_right == Some(false),
        };
        let Some(response) = x.response().filter(|_| failed || x.status() == 401) else { continue };
        let list = response.header_list("www-authenticate");
        let scheme = |challenge: &str| {
            challenge.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("basic"))
        };
        if x.status() == 401 && list.split(',').any(scheme) {
            j.pass();
        } else {
            let list = if list.is_empty() { "nothing" } else { list.as_str() };
            let observed = format!("{}; WWW-Authenticate: {list}", x.outcome());
            j.fail(&[x], "401 with WWW-Authenticate: Basic", observed);
        }
    }
    j
}

/// Whether the client shows itself as it must; none where the record does not tell.
pub(super) fn shown(t: &Transcript, x: &Exchange) -> Option<bool> {
    if x.client_id().is_none() || !ids_agree(x) {
        return Some(false);
    }
    if t.subject.apps.is_empty() {
        return None;
    }
    let Some(app) = app(t, x) else { return Some(false) };
    let in_url = x.request.query().get("client_secret").is_some();
    let in_body = x.request.form().get("client_secret").is_some();
    let ways = [in_url, in_body, by_basic(x), x.param("client_assertion").is_some()];
    match ways.iter().filter(|sent| **sent).count() {
        0 => Some(app.public || !needs_authentication(t, x)),
        1 if in_url => Some(false),
        1 if x.param("client_assertion").is_some() => {
            let verified = x.facts.client_assertion.as_ref().and_then(|assertion| assertion.verifies);
            if assertion::wrongs(t, x).is_empty() { verified.filter(|fits| *fits) } else { Some(false) }
        }
        1 => x.facts.secret_is_right,
        _ => Some(false),
    }
}

/// Whether the client shows itself rightly and in the very way that it is registered for.
pub(super) fn shown_as_registered(t: &Transcript, x: &Exchange) -> bool {
    let Some(app) = app(t, x) else { return false };
    let in_body = x.request.form().get("client_secret").is_some();
    let in_its_way = match app.client_auth {
        ClientAuth::Post => in_body && !by_basic(x),
        ClientAuth::Basic => by_basic(x) && !in_body,
        ClientAuth::None => !in_body && x.request.header("authorization").is_none(),
        ClientAuth::PrivateKeyJwt => assertion::is_right(t, x),
    };
    in_its_way && shown(t, x) == Some(true)
}

/// Whether the app lists that flow.
pub(super) fn lists(t: &Transcript, x: &Exchange, flow: Flow) -> bool {
    app(t, x).is_some_and(|app| app.flows.contains(&flow))
}

fn app<'t>(t: &'t Transcript, x: &Exchange) -> Option<&'t SubjectApp> {
    t.subject.app_of(x.client_id()?)
}

/// Answered token requests that are a POST.
fn requests(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Token).filter(|x| x.request.method == "POST" && x.response().is_some())
}

/// Granted requests of the same client and grant type: where the flaw is absent, the positive control.
fn granted_alike<'t>(t: &'t Transcript, x: &'t Exchange) -> impl Iterator<Item = &'t Exchange> {
    requests(t).filter(|y| y.granted() && y.client_id() == x.client_id() && y.grant_type() == x.grant_type())
}

fn by_basic(x: &Exchange) -> bool {
    let scheme = x.request.header("authorization").and_then(|header| header.split(' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
}

/// Whether header and body name the same client, as far as both do.
fn ids_agree(x: &Exchange) -> bool {
    let (header, body) = (x.facts.basic_client_id.as_deref(), x.param("client_id"));
    header.is_none() || body.is_none() || header == body
}

/// Whether a request is granted to an authenticated client only: then a grant shows that the
/// authentication was taken.
fn needs_authentication(t: &Transcript, x: &Exchange) -> bool {
    let settings = t.subject.settings_of(x.client_id());
    let needed = match x.grant_type() {
        Some(authorization_code::GRANT_TYPE) => !settings.is("secret_optional"),
        Some(refresh_token::GRANT_TYPE) => settings.flag("secret_for_refresh") != Some(false),
        Some(client_credentials::GRANT_TYPE) => true,
        _ => false,
    };
    needed && app(t, x).is_none_or(|app| !app.public)
}

/// Whether an error says that the server did not take the client for who it is.
fn refuses_the_client(x: &Exchange) -> bool {
    match x.error().map(|error| error.error).as_deref() {
        Some("invalid_client") => true,
        Some("invalid_request" | "invalid_client_id" | "invalid_basic_auth_header") => x.tweak.is_none(),
        _ => x.status() == 401,
    }
}

/// Whether nothing but the client's authentication can be wrong with a request.
fn grant_is_clean(t: &Transcript, x: &Exchange) -> bool {
    if x.request.form().repeated().is_some() {
        return false;
    }
    match x.grant_type() {
        Some(authorization_code::GRANT_TYPE) => {
            lists(t, x, Flow::WebServer)
                && code::flaws(t, x).iter().all(|flaw| *flaw == code::Flaw::Credentials)
        }
        Some(refresh_token::GRANT_TYPE) => x.param("refresh_token").is_some_and(|token| {
            let own =
                t.origin_of_refresh_token(token).is_none_or(|origin| origin.client_id() == x.client_id());
            let live = t.rotated_before(token, x).is_none() && t.revoked_before(token, x).is_none();
            own && live && x.race.is_none()
        }),
        Some(client_credentials::GRANT_TYPE) => lists(t, x, Flow::ClientCredentials),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::verdict_of;
    use crate::transcript::script;
    use crate::verdict::Verdict;

    fn level(judge: fn(&Transcript) -> Judgement, record: &str) -> Level {
        judge(&script::read(record)).into_findings("x", Level::Must)[0].level
    }

    const GRANTED: &str = answer!(granted);
    const REFUSED: &str = answer!(refused);

    fn post(secret: &str, answer: &str) -> String {
        let request = "> POST token grant_type=client_credentials&client_id=main&client_secret=s";
        format!("{request}\n! secret {secret}\n< {answer}\n")
    }

    #[test]
    fn basic_of_an_app_that_is_registered_for_the_body_weighs_less_and_needs_a_control() {
        let refused = basic!(right, refused).replace("basic basic", "basic main");
        assert_eq!(verdict_of(basic_is_accepted, &refused), Verdict::Skip);
        assert_eq!(level(basic_is_accepted, &(post("right", GRANTED) + &refused)), Level::Should);
        // The grant was refused, not the client.
        let grant = basic!(right, refused).replace("401", "400").replace("invalid_client", "invalid_scope");
        assert_eq!(verdict_of(basic_is_accepted, &grant), Verdict::Skip);
    }

    #[test]
    fn a_refused_secret_proves_nothing_without_a_right_one() {
        let wrong = post("wrong", REFUSED);
        assert_eq!(verdict_of(wrong_secret_is_refused, &wrong), Verdict::Inconclusive);
        let right = post("right", GRANTED);
        assert_eq!(verdict_of(wrong_secret_is_refused, &(right.clone() + &wrong)), Verdict::Pass);
        assert_eq!(
            verdict_of(wrong_secret_is_refused, &(right.clone() + &post("wrong", "429"))),
            Verdict::Skip
        );
        let other = right + &post("wrong", "400 {\"error\":\"invalid_grant\"}");
        assert_eq!(level(wrong_secret_is_refused, &other), Level::Should);
    }

    #[test]
    fn a_wrong_secret_is_not_blamed_for_a_dead_refresh_token_nor_for_not_being_asked_for() {
        let refresh = |token: &str, secret: &str, answer: &str| {
            post(secret, answer)
                .replace("client_credentials", &format!("refresh_token&refresh_token={token}"))
        };
        let rotated = "200 {\"access_token\":\"A\",\"refresh_token\":\"R2\"}";
        let dead =
            refresh("R1", "right", rotated) + &refresh("R1", "wrong", "400 {\"error\":\"invalid_grant\"}");
        assert_eq!(verdict_of(wrong_secret_is_refused, &dead), Verdict::Skip);
        let taken = post("wrong", GRANTED).replace("client_credentials", "authorization_code&code=C");
        assert_eq!(verdict_of(wrong_secret_is_refused, &taken), Verdict::Fail);
        let optional = format!("= setting secret_optional true\n{taken}");
        assert_eq!(verdict_of(wrong_secret_is_refused, &optional), Verdict::Skip);
        let of = |role: &str| format!("= setting secret_optional true of {role}\n{taken}");
        assert_eq!(verdict_of(wrong_secret_is_refused, &of("main")), Verdict::Skip);
        assert_eq!(verdict_of(wrong_secret_is_refused, &of("other")), Verdict::Fail);
    }

    #[test]
    fn a_challenge_must_be_of_the_scheme_that_was_used() {
        let judge = |header: &str| {
            verdict_of(failed_basic_is_401_with_challenge, &format!("{}{header}", basic!(wrong, refused)))
        };
        assert_eq!(judge("< WWW-Authenticate: Bearer realm=\"x\""), Verdict::Fail);
        assert_eq!(judge("< WWW-Authenticate: Bearer realm=\"x\", basic realm=\"y\""), Verdict::Pass);
        // By the body, and for a reason that is not the client's, 400 is right.
        let scope = basic!(right, refused).replace("401", "400").replace("invalid_client", "invalid_scope");
        let record = post("wrong", "400 {\"error\":\"invalid_client\"}") + &scope;
        assert_eq!(verdict_of(failed_basic_is_401_with_challenge, &record), Verdict::Skip);
    }
}
