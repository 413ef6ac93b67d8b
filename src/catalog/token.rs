//! The token endpoint whatever the grant: the form of its answers and of its refusals (RFC 6749 §3.2, §5).

use super::Cite::Rfc;
use super::{Check, Judgement, Party, client_auth, code};
use crate::oauth::grant::{authorization_code, client_credentials, jwt_bearer, refresh_token, saml_bearer};
use crate::oauth::{Endpoint, Params};
use crate::transcript::questions::beside_the_point;
use crate::transcript::{Exchange, Response, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "token/response-is-json",
        title: "a token response is application/json",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-02",
        cites: &[Rfc(6749, "5.1")],
        explain: "Clients choose their parser by the media type, and strict ones refuse a token response that is not \
            application/json. A JSON body under text/html is also read as a page by a browser that comes across it. Send \
            application/json, with or without a charset. Salesforce answers in XML or as a form where the request asks for it \
            (format, Accept); that is judged only where the request asked for nothing else than JSON.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            < Content-Type: application/json;charset=UTF-8",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            < Content-Type: text/html",
        judge: response_is_json,
    },
    Check {
        id: "token/response-is-not-cached",
        title: "a response with tokens says Cache-Control: no-store",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-03",
        cites: &[Rfc(6749, "5.1")],
        explain: "A cache on the way, or the one in the client's own HTTP library, must never keep an access token where \
            others can fetch it. no-cache or private alone do not forbid to store; no-store does. Send it with every answer \
            that holds a token, the answers to refreshes and assertion grants included. A proxy in front of the server that \
            rewrites caching headers is the usual cause when only some answers lack it.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            < Cache-Control: no-cache, no-store",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            < Cache-Control: no-cache, private",
        judge: response_is_not_cached,
    },
    Check {
        id: "token/response-has-pragma-no-cache",
        title: "a response with tokens says Pragma: no-cache",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-04",
        cites: &[Rfc(6749, "5.1")],
        explain: "Pragma: no-cache is the word for HTTP/1.0 caches, and RFC 6749 asks for it beside Cache-Control. Caches of \
            today go by Cache-Control (RFC 9111 §5.4 calls Pragma deprecated, and OAuth 2.1 no longer asks for it), so the \
            finding weighs less where no-store is there. Add the header where something old may stand in between; it costs \
            one line.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            < Cache-Control: no-store\n\
            < Pragma: no-cache",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            < Cache-Control: no-store",
        judge: response_has_pragma_no_cache,
    },
    Check {
        id: "token/get-is-refused",
        title: "a token request by GET gets no token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-21",
        cites: &[Rfc(6749, "3.2"), Rfc(6749, "2.3.1")],
        explain: "Token requests carry codes, refresh tokens and secrets; in a URL these end up in access logs, proxies and \
            browser history. RFC 6749 knows POST alone for them, and keeps credentials out of the request URI. A server that \
            answers GET with a token invites clients to do so and lets a mere link trigger a grant. Refuse the method, best with \
            405, before the parameters are looked at.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 405",
        fails: "> GET token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        judge: get_is_refused,
    },
    Check {
        id: "token/unknown-grant-type-is-refused",
        title: "an unknown grant_type is refused with unsupported_grant_type",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-28",
        cites: &[Rfc(6749, "5.2")],
        explain: "The error tells a client that this server will never speak that grant, so that it can choose another one \
            instead of asking the user again. A server that falls through to some default grants more than was asked for. \
            Match grant_type as a whole against what is supported, after the client is authenticated. Salesforce gives the same \
            error when it cannot read the parameters at all: a JSON body, a missing Content-Type, http instead of https.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=urn:example:unknown&client_id=main&client_secret=s\n\
            ! secret right\n\
            ! tweak grant_type is another\n\
            < 400 {\"error\":\"unsupported_grant_type\"}",
        fails: "> POST token grant_type=urn:example:unknown&client_id=main&client_secret=s\n\
            ! secret right\n\
            ! tweak grant_type is another\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        judge: unknown_grant_type_is_refused,
    },
    Check {
        id: "token/error-code-is-registered",
        title: "a refused token request is 400 or 401 JSON with a registered error code",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-33",
        cites: &[Rfc(6749, "5.2"), Rfc(6749, "8.5")],
        explain: "The error code is the only part of a refusal that a program may act on: invalid_grant means ask the user, \
            invalid_client look at the configuration, slow_down wait. A code that no registry knows, an HTML page or a 200 with an \
            error inside leaves every client guessing. Map whatever went wrong to a code of RFC 6749 §5.2, or of a registered \
            extension that is in use, and put the detail into error_description. Salesforce has codes of its own \
            (redirect_uri_mismatch, invalid_client_id and others), which is a known deviation.",
        passes: "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"expired access/refresh token\"}",
        fails: "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 400 {\"error\":\"token_expired\"}",
        judge: error_code_is_registered,
    },
];

/// Grant types that RFCs, OpenID and Salesforce define: none of them is unknown, whether a server has it or not.
const GRANT_TYPES: &[&str] = &[
    authorization_code::GRANT_TYPE,
    refresh_token::GRANT_TYPE,
    client_credentials::GRANT_TYPE,
    jwt_bearer::GRANT_TYPE,
    saml_bearer::GRANT_TYPE,
    "password",
    "implicit",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:uma-ticket",
    "urn:ietf:params:oauth:grant-type:pre-authorized_code",
    "urn:openid:params:grant-type:ciba",
    "assertion",
    "device",
    "hybrid_auth_code",
    "hybrid_refresh",
];

/// Error codes with the usage location token endpoint in the IANA registry OAuth Extensions Error.
const ERRORS: &[&str] = &[
    // RFC 6749 §5.2
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    // RFC 8628 §3.5
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    // RFC 8707 §2
    "invalid_target",
    // RFC 9200 §5.8.3
    "unsupported_pop_key",
    "incompatible_ace_profiles",
    // RFC 9396 §5
    "invalid_authorization_details",
    // RFC 9449 §5, §8
    "invalid_dpop_proof",
    "use_dpop_nonce",
    // UMA 2.0 Grant §3.3.6
    "need_info",
    "request_denied",
    "request_submitted",
];

fn response_is_json(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, response) in with_tokens(t).filter(|(x, _)| !asks_for_another_format(x)) {
        if is_json(response) {
            j.pass();
        } else {
            let media = response.header("content-type").unwrap_or("none");
            j.fail(
                &[x],
                "Content-Type: application/json",
                format!("{} with Content-Type: {media}", response.status),
            );
        }
    }
    j
}

fn response_is_not_cached(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, response) in with_tokens(t) {
        if directives(response, "cache-control").iter().any(|word| word == "no-store") {
            j.pass();
        } else {
            j.fail(&[x], "Cache-Control: no-store", said(response, "Cache-Control"));
        }
    }
    j
}

fn response_has_pragma_no_cache(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, response) in with_tokens(t) {
        let expected = "Pragma: no-cache";
        if directives(response, "pragma").iter().any(|word| word == "no-cache") {
            j.pass();
        } else if directives(response, "cache-control").iter().any(|word| word == "no-store") {
            let observed = format!("{}; Cache-Control: no-store is there", said(response, "Pragma"));
            j.fail_lesser(&[x], expected, observed);
        } else {
            j.fail(&[x], expected, said(response, "Pragma"));
        }
    }
    j
}

fn get_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let gets =
        |x: &&Exchange| x.request.method == "GET" && x.grant_type().is_some() && x.response().is_some();
    for x in t.at(Endpoint::Token).filter(gets) {
        // The facts of an exchange tell of secrets in the body alone: that this one is right shows in its
        // equal, which was granted.
        let same = |y: &&Exchange| {
            y.request.method == "POST"
                && y.grant_type() == x.grant_type()
                && y.client_id() == x.client_id()
                && y.param("client_secret") == x.param("client_secret")
                && y.facts.basic_client_id == x.facts.basic_client_id
        };
        let control = t.grants().any(|y| same(&y));
        let only_by_url = |flaw: &code::Flaw| matches!(flaw, code::Flaw::Shape | code::Flaw::Credentials);
        let clean = match x.grant_type() {
            Some(authorization_code::GRANT_TYPE) => code::flaws(t, x).iter().all(only_by_url),
            Some(refresh_token::GRANT_TYPE) => x.param("refresh_token").is_some_and(|token| {
                t.rotated_before(token, x).is_none() && t.revoked_before(token, x).is_none()
            }),
            _ => true,
        };
        if x.hands_out_a_token() || clean && x.facts.secret_is_right != Some(false) && !beside_the_point(x) {
            j.refused(x, control, &[], "token requests are made by POST");
        }
    }
    j
}

fn unknown_grant_type_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| is_form_post(x) && x.response().is_some()) {
        let Some(grant_type) = x.grant_type().filter(|name| !name.is_empty()) else { continue };
        if GRANT_TYPES.contains(&grant_type) || is_advertised(t, grant_type) {
            continue;
        }
        let expected = &["unsupported_grant_type"];
        let control = t.grants().any(|y| y.client_id() == x.client_id());
        // A server may know a grant type of its own. This one is unknown where the request was changed on
        // purpose, or where the server says so to a client that it serves.
        let unsupported = x.error().is_some_and(|error| error.error == expected[0]);
        if x.tweak.is_none() && !(unsupported && control) {
            continue;
        }
        // Who does not show himself may hear of that first.
        let clean =
            unsupported || client_auth::shown_as_registered(t, x) && x.request.form().repeated().is_none();
        if x.hands_out_a_token() || clean && !beside_the_point(x) {
            j.refused(x, control, expected, "no such grant type exists");
        }
    }
    j
}

fn error_code_is_registered(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| x.request.method == "POST" && !x.granted()) {
        let Some(response) = x.response() else { continue };
        let error = response.json().and_then(|json| json.get("error")?.as_str());
        match (response.status, error) {
            (400 | 401, Some(error)) => {
                // A grant type of the server's own may have codes of its own (RFC 6749 §8.5).
                let is_private =
                    x.tweak.is_none() && x.grant_type().is_some_and(|name| !GRANT_TYPES.contains(&name));
                if !ERRORS.contains(&error) && !is_private {
                    j.fail(&[x], "an error code of RFC 6749 §5.2 or of a registered extension", x.outcome());
                } else if !is_json(response) {
                    let media = response.header("content-type").unwrap_or("none");
                    let observed = format!("{} with Content-Type: {media}", x.outcome());
                    j.fail_grave(&[x], "an error as application/json", observed);
                } else {
                    j.pass();
                }
            }
            (400 | 401, None) if !asks_for_another_format(x) && is_form_post(x) && is_readable(x) => {
                j.fail_grave(&[x], "a JSON object with an error code", x.outcome());
            }
            // What HTTP itself has a status for is not OAuth's to say.
            (404..=406 | 408 | 411 | 413..=415 | 417 | 421 | 426 | 429 | 431, _) => {}
            (200..300 | 402..500, Some(_)) => {
                j.fail_grave(&[x], "an error with status 400 or 401", x.outcome())
            }
            _ => {}
        }
    }
    j
}

/// Every answer of the token endpoint that hands out an access token, in whatever form.
fn with_tokens(t: &Transcript) -> impl Iterator<Item = (&Exchange, &Response)> {
    t.at(Endpoint::Token).filter_map(|x| {
        let response = x.response().filter(|response| (200..300).contains(&response.status))?;
        let holds = match response.json() {
            Some(json) => json.get("access_token").is_some_and(serde_json::Value::is_string),
            None => {
                let form =
                    Params::read(response.body.trim()).is_ok_and(|form| form.get("access_token").is_some());
                form || response.body.contains("<access_token>")
            }
        };
        holds.then_some((x, response))
    })
}

fn is_json(response: &Response) -> bool {
    let media = response.header("content-type").and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether a request asks for something else than JSON, as Salesforce lets it by `format` or `Accept`.
fn asks_for_another_format(x: &Exchange) -> bool {
    let format = x.param("format").is_some_and(|format| !format.eq_ignore_ascii_case("json"));
    let accept = x.request.header("accept").map(str::to_ascii_lowercase);
    let first = accept.as_deref().and_then(|accept| accept.split([',', ';']).next()).map(str::trim);
    format || first.is_some_and(|first| !matches!(first, "" | "*/*" | "application/*" | "application/json"))
}

/// The comma-separated words of a header, each without its value, in lower case.
fn directives(response: &Response, header: &str) -> Vec<String> {
    let list = response.header_list(header).to_ascii_lowercase();
    list.split(',').map(|word| word.split('=').next().unwrap_or("").trim().to_owned()).collect()
}

fn said(response: &Response, header: &str) -> String {
    let list = response.header_list(header);
    if list.is_empty() { format!("no {header}") } else { format!("{header}: {list}") }
}

fn is_form_post(x: &Exchange) -> bool {
    x.request.method == "POST" && !x.request.form().is_empty()
}

/// Whether a body is a form that no parser stumbles over: a server in front may answer others by itself.
fn is_readable(x: &Exchange) -> bool {
    const SMALL: usize = 32 * 1024;
    x.request.body.len() < SMALL && Params::read(&x.request.body).is_ok()
}

/// Whether a discovery document of the record lists the grant type.
fn is_advertised(t: &Transcript, grant_type: &str) -> bool {
    t.at(Endpoint::Discovery).any(|d| {
        let list = d.member("grant_types_supported").and_then(serde_json::Value::as_array);
        list.is_some_and(|list| list.iter().any(|name| name.as_str() == Some(grant_type)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;
    use crate::verdict::Verdict;

    const CREDENTIALS: &str = "client_id=main&client_secret=s";
    const GRANTED: &str = "< 200 {\"access_token\":\"A\",\"token_type\":\"bearer\"}\n";

    fn granted() -> String {
        format!("> POST token grant_type=client_credentials&{CREDENTIALS}\n! secret right\n{GRANTED}")
    }

    #[test]
    fn a_form_that_was_asked_for_is_right_and_one_that_was_not_is_wrong() {
        let answer =
            "< 200 access_token=A&token_type=Bearer\n< Content-Type: application/x-www-form-urlencoded\n";
        let request = format!("> POST token grant_type=client_credentials&{CREDENTIALS}");
        let asked = format!("{request}&format=urlencoded\n{answer}");
        assert_eq!(response_is_json(&script::read(&asked)).verdict(), Verdict::Skip);
        let unasked = format!("{request}\n> Accept: */*\n{answer}");
        assert_eq!(response_is_json(&script::read(&unasked)).verdict(), Verdict::Fail);
        let page = format!("{request}\n< 200 <html>device code</html>\n");
        assert_eq!(response_is_json(&script::read(&page)).verdict(), Verdict::Skip);
    }

    #[test]
    fn a_refusal_need_not_say_no_store() {
        let record = format!(
            "> POST token grant_type=client_credentials&{CREDENTIALS}\n< 400 {{\"error\":\"invalid_grant\"}}\n"
        );
        assert_eq!(response_is_not_cached(&script::read(&record)).verdict(), Verdict::Skip);
    }

    #[test]
    fn pragma_weighs_less_beside_no_store() {
        let level = |record: &str| {
            response_has_pragma_no_cache(&script::read(record)).into_findings("x", Level::Must)[0].level
        };
        assert_eq!(level(&granted()), Level::Must);
        assert_eq!(level(&(granted() + "< Cache-Control: No-Store\n")), Level::Should);
    }

    #[test]
    fn a_get_with_other_credentials_than_the_control_is_inconclusive() {
        let get = format!("> GET token grant_type=client_credentials&{CREDENTIALS}x\n< 405\n");
        assert_eq!(get_is_refused(&script::read(&(granted() + &get))).verdict(), Verdict::Inconclusive);
        // A page of a server that shows its name at every URL is no token.
        let page = format!("> GET token grant_type=client_credentials&{CREDENTIALS}\n< 200 <html>\n");
        assert_eq!(get_is_refused(&script::read(&(granted() + &page))).verdict(), Verdict::Pass);
        assert_eq!(get_is_refused(&script::read("> GET token\n< 404\n")).verdict(), Verdict::Skip);
    }

    #[test]
    fn a_grant_type_of_the_servers_own_is_not_unknown() {
        let request = format!("> POST token grant_type=urn:example:own&{CREDENTIALS}\n! secret right\n");
        let taken = format!("{}{request}{GRANTED}", granted());
        assert_eq!(unknown_grant_type_is_refused(&script::read(&taken)).verdict(), Verdict::Skip);
        let advertised = format!(
            "> GET discovery\n< 200 {{\"grant_types_supported\":[\"urn:example:own\"]}}\n{request}! tweak x\n{GRANTED}"
        );
        assert_eq!(unknown_grant_type_is_refused(&script::read(&advertised)).verdict(), Verdict::Skip);
    }

    #[test]
    fn another_error_for_an_unknown_grant_type_weighs_less_and_a_wrong_secret_excuses_it() {
        let request = format!("> POST token grant_type=foo&{CREDENTIALS}\n! tweak x\n");
        let refused = |fact: &str, error: &str| {
            let record = format!("{}{request}{fact}< 400 {{\"error\":\"{error}\"}}\n", granted());
            unknown_grant_type_is_refused(&script::read(&record)).into_findings("x", Level::Must)
        };
        assert_eq!(refused("! secret right\n", "invalid_request")[0].level, Level::Should);
        assert!(refused("! secret wrong\n", "invalid_client").is_empty());
    }

    #[test]
    fn what_http_says_by_itself_is_no_error_of_oauth() {
        let judge = |answer: &str| {
            let record = format!("> POST token grant_type=client_credentials&{CREDENTIALS}\n< {answer}\n");
            error_code_is_registered(&script::read(&record)).verdict()
        };
        for silent in [
            "413",
            "429 {\"error\":\"too_many\"}",
            "503 <html>",
            "502",
            "302",
            "404 {\"error\":\"Not Found\"}",
            "200 {}",
        ] {
            assert_eq!(judge(silent), Verdict::Skip, "{silent}");
        }
        for wrong in [
            "400 <html>",
            "401",
            "403 {\"error\":\"invalid_grant\"}",
            "200 {\"error\":\"bad_verification_code\"}",
        ] {
            assert_eq!(judge(wrong), Verdict::Fail, "{wrong}");
        }
        for right in [
            "401 {\"error\":\"invalid_client\"}",
            "400 {\"error\":\"slow_down\"}",
            "400 {\"error\":\"use_dpop_nonce\"}",
        ] {
            assert_eq!(judge(right), Verdict::Pass, "{right}");
        }
    }

    #[test]
    fn a_body_that_is_no_form_may_be_refused_in_any_form() {
        let record = "> POST token {\"grant_type\":\"client_credentials\"}\n> Content-Type: application/json\n< 400 <html>\n";
        assert_eq!(error_code_is_registered(&script::read(record)).verdict(), Verdict::Skip);
    }
}
