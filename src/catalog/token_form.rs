//! How a token request must be formed, and what a server may not read into one (RFC 6749 §3.2, Appendix B).

use super::Cite::Rfc;
use super::code;
use super::{Check, Judgement, Party, client_auth};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, client_credentials};
use crate::subject::Flow;
use crate::transcript::questions::beside_the_point;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A client credentials request that was granted.
macro_rules! granted {
    ($params:literal) => {
        granted!("POST", concat!("grant_type=client_credentials", $params))
    };
    ($method:literal, $params:expr) => {
        concat!(
            "> ",
            $method,
            " token ",
            $params,
            "\n! secret right\n! tweak grantcheck_extra\n< 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n"
        )
    };
}

/// A token request that was refused.
macro_rules! refused {
    ($params:literal, $facts:literal, $error:literal) => {
        concat!(
            "> POST token ",
            $params,
            "\n! secret right\n! tweak x\n",
            $facts,
            "< 400 {\"error\":\"",
            $error,
            "\"}\n"
        )
    };
}

/// A JSON body, and its answer.
macro_rules! with_json {
    ($answer:literal) => {
        concat!(
            "> POST token {\"grant_type\":\"client_credentials\"}\n> Content-Type: application/json\n! tweak body: json\n< ",
            $answer,
            "\n"
        )
    };
}

/// Client credentials of `other`, which nobody changed.
macro_rules! plainly {
    ($answer:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=other&client_secret=s\n! secret right\n< ",
            $answer,
            "\n"
        )
    };
}

/// The same as a granted one with a header.
macro_rules! with_type {
    ($kind:literal, $answer:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n> Content-Type: ",
            $kind,
            "\n! secret right\n! tweak content-type\n< ",
            $answer,
            "\n"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "token/missing-code-is-refused",
        title: "a redemption without a code is refused with invalid_request",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-17",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "5.2")],
        explain: "code is required in this grant. Its absence is a mistake in the client's program, which \
            invalid_request says; invalid_grant would send the user through the login again for nothing. A \
            server that grants without one gives tokens for no consent at all. Check that the parameter is there \
            and not empty before anything is looked up.",
        passes: concat!(
            granted!("POST", "grant_type=authorization_code&code=C&client_id=main&client_secret=s"),
            refused!("grant_type=authorization_code&client_id=main&client_secret=s", "", "invalid_request")
        ),
        fails: concat!(
            granted!("POST", "grant_type=authorization_code&code=C&client_id=main&client_secret=s"),
            granted!("POST", "grant_type=authorization_code&client_id=main&client_secret=s")
        ),
        judge: missing_code_is_refused,
    },
    Check {
        id: "token/credentials-in-the-url-are-refused",
        title: "client credentials in the request URI are not accepted",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-22",
        cites: &[Rfc(6749, "2.3.1")],
        explain: "URLs are written to access logs, kept by proxies and shown by monitoring; a secret in one is a \
            secret that is known. RFC 6749 says that credentials must not be included in the request URI, and a \
            server that reads them there teaches clients to do it. Read the parameters of the token endpoint \
            from the body alone. Salesforce reads the query as well, which is a known deviation.",
        passes: concat!(
            granted!("&client_id=main&client_secret=s"),
            "> POST token /token?grant_type=client_credentials&client_id=main&client_secret=s\n< 400 {\"error\":\"invalid_request\"}\n"
        ),
        fails: "> POST token /token?grant_type=client_credentials&client_id=main&client_secret=s\n< 200 {\"access_token\":\"A\"}\n",
        judge: credentials_in_the_url_are_refused,
    },
    Check {
        id: "token/json-body-is-refused",
        title: "a JSON body is not taken for a form",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CD-23",
        cites: &[Rfc(6749, "4.4.2"), Rfc(6749, "B")],
        explain: "Token requests are forms. A server that reads JSON as well has a second parser to keep to the rules \
            of the first: parameters that stand twice, empty values, values that are lists or numbers. Some \
            servers offer it on purpose, so the finding is no more than a warning; what must not happen is a \
            request that is half understood, or 500. Refuse with invalid_request, or 415.",
        passes: concat!(
            granted!("&client_id=main&client_secret=s"),
            with_json!("400 {\"error\":\"invalid_request\"}")
        ),
        fails: concat!(
            granted!("&client_id=main&client_secret=s"),
            with_json!("200 {\"access_token\":\"A\"}")
        ),
        judge: json_body_is_refused,
    },
    Check {
        id: "token/repeated-parameter-is-refused",
        title: "a parameter that stands twice makes a token request invalid",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-24",
        cites: &[Rfc(6749, "3.2"), Rfc(6749, "5.2")],
        explain: "Where a value stands twice, one part of a server may take the first and another the last: a proxy \
            checks one code or client, and the server redeems the other. RFC 6749 forbids repetition and has \
            invalid_request for it. Most frameworks hide it, giving one value or a list; count the names before \
            anything is read. Only what RFC 6749 and its assertions define is judged: resource of RFC 8707 may \
            stand several times.",
        passes: concat!(
            granted!("&client_id=main&client_secret=s"),
            refused!(
                "grant_type=client_credentials&client_id=main&client_secret=s&grant_type=client_credentials",
                "",
                "invalid_request"
            )
        ),
        fails: granted!("&client_id=main&client_secret=s&grant_type=client_credentials"),
        judge: repeated_parameter_is_refused,
    },
    Check {
        id: "token/unknown-parameter-is-ignored",
        title: "an unknown parameter of a token request is ignored",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-25",
        cites: &[Rfc(6749, "3.2")],
        explain: "Extensions of OAuth add parameters, and a client that knows one sends it to servers that do not. RFC \
            6749 has them ignore it, so that clients and servers can move on at their own pace; a server that \
            validates strictly breaks with every new version of a library. Read the parameters that the grant \
            needs and leave the rest alone.",
        passes: concat!(
            granted!("&client_id=main&client_secret=s"),
            granted!("&client_id=main&client_secret=s&grantcheck_extra=1")
        ),
        fails: concat!(
            granted!("&client_id=main&client_secret=s"),
            refused!(
                "grant_type=client_credentials&client_id=main&client_secret=s&grantcheck_extra=1",
                "! tweak grantcheck_extra\n",
                "invalid_request"
            )
        ),
        judge: unknown_parameter_is_ignored,
    },
    Check {
        id: "token/form-with-charset-is-accepted",
        title: "a form whose media type has a charset is accepted",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "CD-27",
        cites: &[Rfc(6749, "B")],
        explain: "RFC 6749 fixes the encoding to UTF-8, so a charset parameter says nothing new; several HTTP \
            libraries add it to every form all the same. A server that compares the whole header with \
            application/x-www-form-urlencoded sees no form, no grant_type, and answers an error that leads \
            nowhere. Compare the media type without its parameters, in any letter case.",
        passes: concat!(
            granted!("&client_id=main&client_secret=s"),
            with_type!("application/x-www-form-urlencoded; charset=UTF-8", "200 {\"access_token\":\"A\"}")
        ),
        fails: concat!(
            granted!("&client_id=main&client_secret=s"),
            with_type!(
                "application/x-www-form-urlencoded; charset=UTF-8",
                "400 {\"error\":\"invalid_request\"}"
            )
        ),
        judge: form_with_charset_is_accepted,
    },
    Check {
        id: "token/missing-grant-type-is-refused",
        title: "a token request without grant_type is refused with invalid_request",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-29",
        cites: &[Rfc(6749, "5.2")],
        explain: "Without grant_type nobody has said what is asked for. A server that falls through to a default \
            grants something else than the client believes, most often a token for the client itself. RFC 6749 \
            calls a missing parameter invalid_request; unsupported_grant_type, which Salesforce says, is for a \
            value that is there. Check for the parameter first.",
        passes: concat!(
            granted!("&client_id=main&client_secret=s"),
            refused!("client_id=main&client_secret=s", "", "invalid_request")
        ),
        fails: granted!("POST", "client_id=main&client_secret=s"),
        judge: missing_grant_type_is_refused,
    },
    Check {
        id: "token/unlisted-grant-is-unauthorized-client",
        title: "a grant that the client may not use is refused with unauthorized_client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-30",
        cites: &[Rfc(6749, "5.2"), Rfc(6749, "4.4")],
        explain: "Which grants a client may use is part of its registration: an app that logs users in and never \
            needed client credentials must not get a token without a user, and whoever steals its secret must \
            not either. Compare the grant with the registration once the client is authenticated. \
            unauthorized_client tells the developer where to look; the check also takes unsupported_grant_type. \
            Salesforce says invalid_grant.",
        passes: concat!(
            "= unlisted\n",
            granted!("POST", "grant_type=authorization_code&code=C&client_id=other&client_secret=s"),
            plainly!("400 {\"error\":\"unauthorized_client\"}")
        ),
        fails: concat!(
            "= unlisted\n",
            granted!("POST", "grant_type=authorization_code&code=C&client_id=other&client_secret=s"),
            plainly!("200 {\"access_token\":\"A\"}")
        ),
        judge: unlisted_grant_is_unauthorized_client,
    },
];

/// The parameters of token requests that may stand once (RFC 6749 §4, §6; RFC 7521 §4; RFC 7636 §4.5).
const ONCE: [&str; 11] = [
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_secret",
    "code_verifier",
    "refresh_token",
    "scope",
    "assertion",
    "client_assertion",
    "client_assertion_type",
];

fn missing_code_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let without = |x: &&Exchange| form(x) && x.param("code").is_none_or(str::is_empty);
    for x in t.requests_of(authorization_code::GRANT_TYPE).filter(without) {
        let own = |y: &&Exchange| y.granted() && y.client_id() == x.client_id() && y.param("code").is_some();
        let control = t.requests_of(authorization_code::GRANT_TYPE).any(|y| own(&y));
        let clean = client_auth::shown_as_registered(t, x) && client_auth::lists(t, x, Flow::WebServer);
        if x.hands_out_a_token() || clean && !beside_the_point(x) {
            let errors: &[&str] = match t.subject.profile {
                crate::oauth::salesforce::Profile::Rfc => &["invalid_request"],
                crate::oauth::salesforce::Profile::Salesforce => &["invalid_request", "invalid_grant"],
            };
            j.refused(x, control, errors, "there is no code");
        }
    }
    j
}

fn credentials_in_the_url_are_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let in_url = |x: &&Exchange| {
        let query = x.request.query();
        x.request.method == "POST"
            && (query.get("client_secret").is_some() || query.get("client_assertion").is_some())
    };
    for x in answered(t).filter(in_url) {
        let in_body =
            |y: &&Exchange| y.request.form().get("client_secret") == x.request.query().get("client_secret");
        let control = alike(t, x).any(|y| in_body(&y));
        let listed = x.grant_type() == Some(client_credentials::GRANT_TYPE)
            && client_auth::lists(t, x, Flow::ClientCredentials);
        if x.hands_out_a_token() || listed && !beside_the_point(x) {
            j.refused(x, control, &[], "the credentials of the client stand in the URL");
        }
    }
    j
}

fn json_body_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let json = |x: &&Exchange| {
        let kind = x.request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        x.request.method == "POST" && kind && x.request.body.trim_start().starts_with('{')
    };
    for x in answered(t).filter(json) {
        // What the body says is not read here: that a token request is granted at all to that app shows that it could be.
        let control = t.grants().any(|y| y.app == x.app);
        if x.hands_out_a_token() || !beside_the_point(x) {
            j.refused(x, control, &[], "a token request is a form");
        }
    }
    j
}

fn repeated_parameter_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let repeated = |x: &&Exchange| ONCE.iter().any(|name| x.request.form().all(name).count() > 1);
    for x in answered(t).filter(|x| form(x)).filter(repeated) {
        let clean = x.facts.secret_is_right != Some(false)
            && x.grant_type() == Some(client_credentials::GRANT_TYPE)
            && client_auth::lists(t, x, Flow::ClientCredentials);
        if x.hands_out_a_token() || clean && !beside_the_point(x) {
            let control = alike(t, x).any(|y| y.request.form().repeated().is_none());
            j.refused(x, control, &["invalid_request"], "a parameter stands twice");
        }
    }
    j
}

fn unknown_parameter_is_ignored(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in answered(t).filter(|x| form(x) && is_clean(t, x)) {
        let Some(tweak) = x.tweak.as_deref() else { continue };
        // A name that the tweak brought, and that no specification has: nobody but this program sends it.
        let Some((name, _)) = x.request.form().iter().find(|(name, _)| name.starts_with("grantcheck_"))
        else {
            continue;
        };
        let control = alike(t, x).any(|y| y.request.form().get(name).is_none());
        if x.granted() {
            j.pass();
        } else if tweak.contains(name) && control && !beside_the_point(x) {
            j.fail(
                &[x],
                format!("200 with an access token: `{name}` is not known and is ignored"),
                x.outcome(),
            );
        }
    }
    j
}

fn form_with_charset_is_accepted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let with_charset = |x: &&Exchange| {
        let kind = x.request.header("content-type").unwrap_or("").to_ascii_lowercase();
        form(x) && kind.split_once(';').is_some_and(|(_, rest)| rest.trim().starts_with("charset=utf-8"))
    };
    for x in answered(t).filter(with_charset).filter(|x| is_clean(t, x)) {
        if x.granted() {
            j.pass();
        } else if alike(t, x).any(|y| !with_charset(&y)) && !beside_the_point(x) {
            j.fail(
                &[x],
                "200 with an access token: the body is a form, in UTF-8 as it has to be",
                x.outcome(),
            );
        }
    }
    j
}

fn missing_grant_type_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let without = |x: &&Exchange| form(x) && x.param("grant_type").is_none_or(str::is_empty);
    for x in answered(t).filter(without) {
        let control = t.grants().any(|y| y.client_id() == x.client_id());
        let clean = client_auth::shown_as_registered(t, x) && x.request.form().repeated().is_none();
        if x.hands_out_a_token() || clean && !beside_the_point(x) {
            j.refused(x, control, &["invalid_request"], "there is no grant_type");
        }
    }
    j
}

fn unlisted_grant_is_unauthorized_client(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(client_credentials::GRANT_TYPE).filter(|x| form(x) && x.tweak.is_none()) {
        let known = x.client_id().is_some_and(|id| t.subject.app_of(id).is_some_and(|app| !app.public));
        if !known
            || client_auth::lists(t, x, Flow::ClientCredentials)
            || !client_auth::shown_as_registered(t, x)
        {
            continue;
        }
        if x.hands_out_a_token() || !beside_the_point(x) {
            let control = t.grants().any(|y| y.client_id() == x.client_id());
            let errors = &["unauthorized_client", "unsupported_grant_type"];
            j.refused(x, control, errors, "the client may not use client credentials");
        }
    }
    j
}

fn answered(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Token).filter(|x| x.response().is_some())
}

fn form(x: &Exchange) -> bool {
    x.request.method == "POST" && !x.request.form().is_empty() && x.response().is_some()
}

/// Granted requests of the same client and grant type.
fn alike<'t>(t: &'t Transcript, x: &'t Exchange) -> impl Iterator<Item = &'t Exchange> {
    t.grants().filter(|y| {
        y.grant_type() == x.grant_type() && y.client_id() == x.client_id() && y.number != x.number
    })
}

/// Whether a request asks for nothing that may be refused, but for what its form has beside.
fn is_clean(t: &Transcript, x: &Exchange) -> bool {
    let good = match x.grant_type() {
        Some(authorization_code::GRANT_TYPE) => {
            client_auth::lists(t, x, Flow::WebServer) && code::flaws(t, x).is_empty()
        }
        Some(client_credentials::GRANT_TYPE) => {
            client_auth::lists(t, x, Flow::ClientCredentials) && x.param("scope").is_none()
        }
        _ => false,
    };
    good && client_auth::shown_as_registered(t, x) && x.request.form().repeated().is_none()
}
