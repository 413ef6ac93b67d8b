//! The redemption of an authorization code, and token requests in general: what a client sends, to whom, and how often
//! (RFC 6749 §4.1.3).

use super::Cite::Rfc;
use super::evidence::{again, holds, not_tried_again, same_client};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::{authorization_code, refresh_token};
use crate::transcript::questions::same_origin;
use crate::transcript::{Answer, Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A login of `main` that brings the code C.
macro_rules! login {
    () => {
        "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=s\n< 302\n\
         < Location: https://client.example/callback?code=C&state=s\n"
    };
}

/// The redemption of C, and its answer.
macro_rules! redeem {
    () => {
        redeem!("200 {\"access_token\":\"A1\"}")
    };
    ($answer:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&code=C&redirect_uri=https://client.example/callback&client_id=main&client_secret=s\n\
             ! secret right\n< ",
            $answer,
            "\n"
        )
    };
}

pub(super) mod once;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "redeeming/code-is-redeemed-by-a-form-post",
        title: "a code is redeemed in a form that is posted, with grant_type and code, each once",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-01",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "3.2")],
        explain: "The token request is a POST whose body is a form: grant_type=authorization_code and the code, besides what names the \
            client. A GET puts the code into logs, and servers must not take it; a JSON body is not read, and Salesforce answers \
            unsupported_grant_type, which reads as if the flow were switched off. A parameter that stands twice is refused. Post a \
            form, and let the HTTP library encode it: codes of Salesforce end with equals signs.",
        passes: concat!(login!(), redeem!()),
        fails: concat!(
            login!(),
            "> POST token {\"grant_type\":\"authorization_code\",\"code\":\"C\"}\n> Content-Type: application/json\n< 400\n"
        ),
        judge: code_is_redeemed_by_a_form_post,
    },
    Check {
        id: "redeeming/redirect-uri-is-the-same",
        title: "the redirect_uri of the redemption is that of the authorization request, letter by letter",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-02",
        cites: &[Rfc(6749, "4.1.3")],
        explain: "Where the authorization request named a redirect_uri, the redemption names the same: the server compares both to see \
            that the code comes back from where it was sent. A client that builds it anew, from the host that the user's browser \
            asked for, meets redirect_uri_mismatch behind a proxy, with another port, or with a slash at the end. Keep the value of \
            the authorization request with its state, and send that.",
        passes: concat!(login!(), redeem!()),
        fails: concat!(
            login!(),
            "> POST token grant_type=authorization_code&code=C&redirect_uri=https://client.example/callback/&client_id=main\n< 400\n"
        ),
        judge: redirect_uri_is_the_same,
    },
    Check {
        id: "redeeming/nothing-secret-stands-in-the-url",
        title: "the URL of a token request holds no code, token, assertion or secret",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLT-03",
        cites: &[Rfc(6749, "2.3.1"), Rfc(6749, "3.2")],
        explain: "RFC 6749 forbids client credentials in the request URI, and everything else that a token request carries is as good: a \
            code or a refresh token with the secret beside it is a login. URLs are logged by the server, by the proxies before it, \
            and by whatever measures the client. Put every parameter into the form body, and leave the URL of the token endpoint as \
            it was configured.",
        passes: concat!(login!(), redeem!()),
        fails: "> POST token grant_type=client_credentials&client_id=main\n< 400\n> GET token client_id=main&client_secret=s\n< 400\n",
        judge: nothing_secret_stands_in_the_url,
    },
    Check {
        id: "redeeming/redirect-takes-nothing-along",
        title: "a redirect of the token endpoint takes no code, assertion or secret to another host",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLT-20",
        cites: &[Rfc(9700, "4.12"), Rfc(9110, "15.4")],
        explain: "A token endpoint answers. An HTTP library that follows 307 or 308 sends the same form again, with code and client secret \
            in it, to whatever host the answer names; with 301 and 302 many drop the body, and the host still learns who asks. \
            Switch following off for token requests and report the redirect: where an org moved, its new address belongs into the \
            configuration. The refresh has a check of its own.",
        passes: concat!(login!(), redeem!("307\n< Location: https://rogue.example/token")),
        fails: concat!(
            login!(),
            redeem!("307\n< Location: https://rogue.example/token"),
            redeem!(),
            "! host https://rogue.example\n"
        ),
        judge: redirect_takes_nothing_along,
    },
    Check {
        id: "redeeming/request-says-what-it-takes",
        title: "a token request says that it takes JSON, and who asks",
        binds: Party::Client,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "CLT-24",
        cites: &[Rfc(9110, "12.5.1"), Rfc(9110, "10.1.5")],
        explain: "Token endpoints answer with JSON unless they are asked for something else; Accept: application/json keeps gateways, and \
            servers that know more formats, from choosing another. A User-Agent with the name and version of the client is what the \
            people of the other side see when they look for who floods them, and it is what a vendor asks for first. Set both.",
        passes: concat!(login!(), redeem!(), "> Accept: application/json\n> User-Agent: acme-sync/1.2\n"),
        fails: concat!(login!(), redeem!(), "> Accept: text/html\n> User-Agent: acme-sync/1.2\n"),
        judge: request_says_what_it_takes,
    },
];

/// Every request that was meant to redeem a code, in whatever form, with the code where it is known.
fn redemptions(t: &Transcript) -> impl Iterator<Item = (&Exchange, Option<String>)> {
    t.at(Endpoint::Token).filter_map(|x| {
        let json: Option<serde_json::Value> = serde_json::from_str(&x.request.body).ok();
        let in_json = || Some(json.as_ref()?.get("code")?.as_str()?.to_owned());
        let code = x.param("code").map(str::to_owned).or_else(in_json);
        let meant = x.grant_type() == Some(authorization_code::GRANT_TYPE) || code.is_some();
        meant.then_some((x, code))
    })
}

fn code_is_redeemed_by_a_form_post(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a posted form with grant_type=authorization_code and the code";
    for (x, _) in redemptions(t) {
        let form = x.request.form();
        if x.request.method != "POST" {
            j.fail(&[x], expected, format!("a {}", x.request.method));
        } else if form.get("grant_type") != Some(authorization_code::GRANT_TYPE) {
            j.fail(&[x], expected, "no such grant_type in a form");
        } else if form.get("code").is_none_or(str::is_empty) {
            j.fail(&[x], expected, "no code in the form");
        } else if let Some(name) = form.repeated() {
            j.fail(&[x], expected, format!("{name} more than once"));
        } else {
            j.pass();
        }
    }
    j
}

fn redirect_uri_is_the_same(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, code) in redemptions(t) {
        let asked = code.as_deref().and_then(|code| t.code(code)).map(|code| code.authorize);
        let Some((asked, uri)) = asked.and_then(|asked| Some((asked, asked.param("redirect_uri")?))) else {
            continue;
        };
        match x.param("redirect_uri") {
            Some(again) if again == uri => j.pass(),
            Some(again) => j.fail(&[asked, x], uri, again),
            None => j.fail(&[asked, x], uri, "no redirect_uri"),
        }
    }
    j
}

/// What stands in a token request and in no URL.
const SECRET: [&str; 8] = [
    "code",
    "client_secret",
    "refresh_token",
    "assertion",
    "client_assertion",
    "code_verifier",
    "password",
    "access_token",
];

fn nothing_secret_stands_in_the_url(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token) {
        let query = x.request.query();
        let told = |name: &&&str| query.get(name).is_some_and(|value| !value.is_empty());
        let by_name = SECRET.iter().find(told).copied();
        let by_value = x.facts.secret_in.as_deref().filter(|place| *place == "the URL");
        match by_name.or(by_value.map(|_| "the client secret")) {
            Some(name) => j.fail(&[x], "a URL without secrets", format!("{name} in it")),
            None => j.pass(),
        }
    }
    j
}

fn redirect_takes_nothing_along(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| x.grant_type() != Some(refresh_token::GRANT_TYPE)) {
        let Some((to, _)) = x.response().and_then(|response| response.redirect()) else { continue };
        if !to.contains("://") || same_origin(&to, &x.request.url) {
            continue;
        }
        let secrets: Vec<&str> =
            SECRET.iter().filter_map(|name| x.param(name)).filter(|value| !value.is_empty()).collect();
        let basic = x.request.header("authorization");
        let takes = |y: &Exchange| {
            secrets.iter().any(|secret| match secret.len() {
                ..16 => SECRET.iter().any(|name| y.param(name) == Some(*secret)),
                _ => holds(y, secret),
            }) || basic.is_some() && y.request.header("authorization") == basic
        };
        let there = |y: &&Exchange| same_origin(&y.request.url, &to) && y.began_after(x) && takes(y);
        match t.after(x).find(there) {
            Some(y) => j.fail(&[x, y], "no request with these at the other host", "they are sent there"),
            None => j.pass(),
        }
    }
    j
}

fn request_says_what_it_takes(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token) {
        let accepts = x.request.header("accept").unwrap_or("").to_ascii_lowercase();
        if !accepts.contains("json") {
            j.fail(&[x], "Accept: application/json", "an Accept without it, or none");
        } else if x.request.header("user-agent").is_none_or(|agent| agent.trim().is_empty()) {
            j.fail(&[x], "a User-Agent with the name of the client", "none");
        } else {
            j.pass();
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_redemption_is_a_form() {
        let id = "redeeming/code-is-redeemed-by-a-form-post";
        for (from, to) in [("POST", "GET"), ("authorization_code", "code"), ("code=C&", "code=C&code=C&")] {
            comes_to(id, &redeem!().replace(from, to), Verdict::Fail);
        }
        comes_to(id, &redeem!().replace("code=C&", ""), Verdict::Fail);
    }

    #[test]
    fn a_code_of_nobody_has_no_redirect_uri() {
        let id = "redeeming/redirect-uri-is-the-same";
        comes_to(id, redeem!(), Verdict::Skip);
        let without = redeem!().replace("&redirect_uri=https://client.example/callback", "");
        comes_to(id, &format!("{}{without}", login!()), Verdict::Fail);
        let asked = login!().replace("&redirect_uri=https://client.example/callback", "");
        comes_to(id, &format!("{asked}{without}"), Verdict::Skip);
    }

    #[test]
    fn a_url_without_values_tells_nothing() {
        let id = "redeeming/nothing-secret-stands-in-the-url";
        comes_to(id, "> GET token client_id=main&client_secret=\n< 400\n", Verdict::Pass);
        comes_to(id, "> GET token x=y\n! secret-in the URL\n< 400\n", Verdict::Fail);
    }

    #[test]
    fn a_redirect_may_be_followed_without_what_is_secret() {
        let id = "redeeming/redirect-takes-nothing-along";
        let fails = find(id).unwrap().fails;
        let (first, second) = fails.split_at(fails.rfind("> POST").unwrap());
        let bare = second.replace("&code=C", "").replace("&client_secret=s", "");
        comes_to(id, &format!("{first}{bare}"), Verdict::Pass);
        comes_to(
            id,
            &fails.replace("Location: https://rogue.example/token", "Location: /token2"),
            Verdict::Skip,
        );
    }

    #[test]
    fn who_says_nothing_of_itself_is_noted() {
        let id = "redeeming/request-says-what-it-takes";
        comes_to(id, redeem!(), Verdict::Fail);
        comes_to(id, concat!(redeem!(), "> Accept: application/json\n"), Verdict::Fail);
    }
}
