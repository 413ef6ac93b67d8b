//! What OpenID Connect adds to the authorization request: `nonce` and `prompt` (OpenID Connect Core §3.1.2).

use super::Cite::OpenIdCore;
use super::authorize::{End, Journey, journeys};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::questions::same_step;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A login of the user `main`, page by page, that ends in a code.
macro_rules! logged_in {
    () => {
        "> GET authorize response_type=code&client_id=main&scope=openid&redirect_uri=https://client.example/callback\n\
         < 302\n\
         < Location: /login\n\
         > GET page /login\n\
         < 200 <form><input type=\"password\"></form>\n\
         > POST page /login pw=x\n\
         < 302\n\
         < Location: https://client.example/callback?code=C1\n"
    };
}

/// The same request with a `prompt`, without its answer.
macro_rules! prompted {
    ($prompt:literal) => {
        concat!(
            "> GET authorize response_type=code&client_id=main&scope=openid&redirect_uri=https://client.example/callback&prompt=",
            $prompt,
            "\n> Cookie: sid=1\n"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "openid/nonce-is-optional",
        title: "a request for a code is granted without a nonce",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-08",
        cites: &[OpenIdCore("3.1.2.1")],
        explain: "nonce is optional where the ID token comes from the token endpoint; only the implicit and hybrid flows \
            require it. Clients that rely on PKCE and state send none, and are locked out by a server that insists. Ask for a nonce \
            only where the response type has id_token in it.",
        passes: "> GET authorize response_type=code&client_id=main&scope=openid&redirect_uri=https://client.example/callback\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1",
        fails: "> GET authorize response_type=code&client_id=main&scope=openid&redirect_uri=https://client.example/callback\n\
            < 302\n\
            < Location: https://client.example/callback?error=invalid_request&error_description=nonce+is+missing",
        judge: nonce_is_optional,
    },
    Check {
        id: "openid/prompt-none-shows-no-page",
        title: "prompt=none shows no page: where somebody would have to be asked, the client is told so",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-14",
        cites: &[OpenIdCore("3.1.2.1"), OpenIdCore("3.1.2.6")],
        explain: "Apps look with prompt=none, often in a hidden frame, whether their user is still logged in. A login page in there \
            is a dead end that nobody sees; the app waits until it gives up. The server must send the user agent straight back, \
            with login_required, consent_required, interaction_required or account_selection_required. Another error weighs less. \
            Look at prompt before anything is rendered.",
        passes: concat!(
            logged_in!(),
            prompted!("none"),
            "< 302\n< Location: https://client.example/callback?error=login_required\n"
        ),
        fails: concat!(prompted!("none"), "< 200 <form><input type=\"password\"></form>\n"),
        judge: prompt_none_shows_no_page,
    },
    Check {
        id: "openid/prompt-login-asks-again",
        title: "prompt=login asks for the password again, though the user is logged in",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "ID-15",
        cites: &[OpenIdCore("3.1.2.1"), OpenIdCore("3.1.2.3")],
        explain: "With prompt=login a client asks for proof that the user sits there now: before a payment, or on a machine that \
            several people use. A server that answers from the session lets whoever found the browser open go on. The check \
            looks at a second authorization in the browser of the first: it must meet a page before the code. Put the session aside for this \
            request, and answer with an error where the user cannot be asked.",
        passes: concat!(
            logged_in!(),
            prompted!("login"),
            "< 302\n< Location: /login\n> GET page /login\n< 200 <form><input type=\"password\"></form>\n\
             > POST page /login pw=x\n< 302\n< Location: https://client.example/callback?code=C2\n"
        ),
        fails: concat!(
            logged_in!(),
            prompted!("login"),
            "< 302\n< Location: https://client.example/callback?code=C2\n"
        ),
        judge: prompt_login_asks_again,
    },
];

/// Errors by which a client is told that somebody would have to be asked (OpenID Connect Core §3.1.2.6).
const ASKS: [&str; 4] =
    ["login_required", "consent_required", "interaction_required", "account_selection_required"];

/// The exchanges of an authorization, from the request to where it ended.
fn way<'t>(t: &'t Transcript, journey: &Journey<'t>) -> Vec<&'t Exchange> {
    let (first, last) = (journey.request, journey.last);
    let pages = t.after(first).take_while(|x| x.number <= last.number);
    let pages = pages.filter(|x| x.endpoint == Endpoint::Page && same_step(x, first));
    std::iter::once(first).chain(pages).collect()
}

/// Whether an answer shows a page to the user.
fn is_page(x: &Exchange) -> bool {
    x.response().is_some_and(|r| (200..300).contains(&r.status) && r.body.contains('<'))
}

/// Whether an answer shows a page that asks for a password.
fn asks_for_a_password(x: &Exchange) -> bool {
    let body = x.response().map_or(String::new(), |r| r.body.to_ascii_lowercase());
    is_page(x)
        && ["type=\"password\"", "type='password'", "type=password"].iter().any(|field| body.contains(field))
}

fn has(values: Option<&str>, value: &str) -> bool {
    values.is_some_and(|values| values.split_whitespace().any(|one| one == value))
}

fn nonce_is_optional(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let code = journey.one("response_type") == Some("code") && journey.registered_uri(t).is_some();
        let bare = journey.values("nonce").next().is_none() && journey.request.tweak.is_none();
        if !code || !bare || !has(journey.one("scope"), "openid") {
            continue;
        }
        let says = |x: &Exchange| {
            let told = x.error().map(|error| error.one_line());
            told.or_else(|| Some(x.response()?.body.clone())).is_some_and(|text| text.contains("nonce"))
        };
        match journey.end {
            End::Code => j.pass(),
            End::Error(_) | End::Shown if says(journey.last) => {
                j.fail(&journey.evidence(), "a code: nonce is optional here", journey.last.outcome());
            }
            _ => {}
        }
    }
    j
}

fn prompt_none_shows_no_page(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "no page: prompt is none";
    for journey in journeys(t) {
        // The answer itself may be a page that posts or tells it.
        let plain = journey.values("response_mode").next().is_none() && journey.registered_uri(t).is_some();
        if !plain || journey.one("prompt") != Some("none") || !has(journey.one("scope"), "openid") {
            continue;
        }
        let way = way(t, &journey);
        if let Some(page) = way.iter().find(|x| is_page(x)) {
            j.fail(&[journey.request, page], expected, page.outcome());
            continue;
        }
        match &journey.end {
            End::Error(error) if !ASKS.contains(&error.as_str()) => {
                j.fail_lesser(&journey.evidence(), "login_required or its like", journey.last.outcome());
            }
            End::Error(_) if journeys(t).any(|other| other.end == End::Code) => j.pass(),
            End::Error(_) => {
                j.unproved(&journey.evidence(), expected, "no authorization was ever granted");
            }
            End::Shown => {
                j.fail_lesser(&journey.evidence(), "a redirect to the client", journey.last.outcome())
            }
            _ => {}
        }
    }
    j
}

fn prompt_login_asks_again(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let x = journey.request;
        let in_session = x.request.header("cookie").is_some()
            && journeys(t).any(|before| {
                let same = before.request.user == x.user && before.request.part == x.part;
                same && before.last.number < x.number && before.end == End::Code
            });
        if !in_session || !has(journey.one("prompt"), "login") {
            continue;
        }
        let way = way(t, &journey);
        if way.iter().any(|x| asks_for_a_password(x)) {
            j.pass();
        } else if journey.end == End::Code && !way.iter().any(|x| is_page(x)) {
            j.fail(&journey.evidence(), "a login page: prompt is login", "a code, and no page before it");
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn a_code_for_prompt_none_comes_of_a_session() {
        let text = concat!(prompted!("none"), "< 302\n< Location: https://client.example/callback?code=C2\n");
        assert_eq!(verdict("openid/prompt-none-shows-no-page", text), Verdict::Skip);
    }

    #[test]
    fn salesforces_own_error_weighs_less_than_a_page() {
        let text = concat!(
            prompted!("none"),
            "< 302\n< Location: https://client.example/callback?error=immediate_unsuccessful\n"
        );
        let judged = judge_one(find("openid/prompt-none-shows-no-page").unwrap(), &script::read(text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn without_a_session_prompt_login_proves_nothing() {
        let text =
            concat!(prompted!("login"), "< 302\n< Location: https://client.example/callback?code=C2\n");
        assert_eq!(verdict("openid/prompt-login-asks-again", text), Verdict::Skip);
    }

    #[test]
    fn a_page_without_a_password_is_not_judged() {
        let text = concat!(
            logged_in!(),
            prompted!("login"),
            "< 302\n< Location: /sso\n> GET page /sso\n< 200 <form></form>\n> POST page /sso\n< 302\n\
             < Location: https://client.example/callback?code=C2\n"
        );
        assert_eq!(verdict("openid/prompt-login-asks-again", text), Verdict::Skip);
    }
}
