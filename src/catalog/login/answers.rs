//! What a client makes of a callback that brings a code.

use super::*;
use crate::transcript::questions::same_origin;
use scraper::{Html, Selector};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "login/wrong-issuer-is-refused",
        title: "a callback that names another issuer is refused",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-15",
        cites: &[Rfc(9207, "2.4"), Rfc(9700, "4.4.2")],
        explain: "An answer that names its issuer tells a client of several orgs whose code it holds: without the comparison, a code \
            of the honest org is sent to the token endpoint of the one that the login was begun with, and that may be an \
            attacker's. Compare iss, letter by letter, with the issuer to which the user was sent, and end the login where they \
            differ. RFC 9207 binds clients that support it: where the client never read metadata that promises iss, this weighs \
            less.",
        passes: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789&iss=https://rogue.example", "400")
        ),
        fails: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789&iss=https://rogue.example"),
            redeems!("C1")
        ),
        judge: wrong_issuer_is_refused,
    },
    Check {
        id: "login/promised-issuer-must-be-there",
        title: "a callback without the issuer is refused where the metadata promises it",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-16",
        cites: &[Rfc(9207, "2.4"), Rfc(9207, "3")],
        explain: "Metadata with authorization_response_iss_parameter_supported: true says that every answer names its issuer. One that \
            does not is not of that server, or somebody took the name out, which is what an attacker does who cannot put in the \
            right one. Keep the promise with the configuration of the issuer, and take an answer without iss for none.",
        passes: concat!(
            "> GET discovery\n< 200 {\"issuer\":\"https://org.example\",\"authorization_response_iss_parameter_supported\":true}\n",
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789", "400")
        ),
        fails: concat!(
            "> GET discovery\n< 200 {\"issuer\":\"https://org.example\",\"authorization_response_iss_parameter_supported\":true}\n",
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789"),
            redeems!("C1")
        ),
        judge: promised_issuer_must_be_there,
    },
    Check {
        id: "login/code-beside-an-error-is-refused",
        title: "a callback with a code and an error is not gone on with",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLA-18",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "4.1.2.1")],
        explain: "A server answers with a code or with an error. What has both was put together by somebody: a code of an attacker \
            was appended to a denial, or an error to hide a code. A client that looks for the code first redeems it. Look for error \
            first, and end the login where there is one, whatever stands beside it.",
        passes: concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789&error=access_denied")),
        fails: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789&error=access_denied"),
            redeems!("C1")
        ),
        judge: code_beside_an_error_is_refused,
    },
    Check {
        id: "login/two-codes-are-refused",
        title: "a callback with two codes is not gone on with",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLA-19",
        cites: &[Rfc(6749, "3.1")],
        explain: "Response parameters stand once. Which of two codes a framework takes, the first, the last or a list of both, is \
            chance, and a filter in front of it may have looked at the other. Such a callback is none that an org sends. Read the \
            query as a list, and refuse it where code, state, error or iss stands twice.",
        passes: concat!(answered!(), brings!("code=C1&code=C2&state=S1-0123456789-0123456789", "400")),
        fails: concat!(
            answered!(),
            brings!("code=C1&code=C2&state=S1-0123456789-0123456789"),
            redeems!("C2")
        ),
        judge: two_codes_are_refused,
    },
    Check {
        id: "login/two-states-are-refused",
        title: "a callback with two states is not gone on with",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLA-19b",
        cites: &[Rfc(6749, "3.1"), Rfc(9700, "4.7")],
        explain: "A parameter stands once. Where a state that nobody sent stands beside the right one, somebody has added it, and \
            whether it is the first or the last that is compared is up to the framework: with the other order, or after the next \
            upgrade, the wrong one is. As long as the right one is among them nobody is harmed, so this weighs less than a state \
            that is not looked at. Read the query as a list, and refuse it where code, state, error or iss stands twice.",
        passes: concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789&state=other", "400")),
        fails: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789&state=other"),
            redeems!("C1")
        ),
        judge: two_states_are_refused,
    },
    Check {
        id: "login/unknown-parameters-are-passed-over",
        title: "a callback with parameters that are not known is gone on with",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-20",
        cites: &[Rfc(6749, "4.1.2"), Salesforce("OAuth 2.0 Web Server Flow for Web App Integration")],
        explain: "Servers add parameters to their answers: session_state, and at Salesforce sfdc_community_url and sfdc_community_id \
            for users of a site. A client must ignore what it does not know. One that checks the callback against a closed list \
            of names works for employees and fails for customers. Take the parameters that you need, and leave the others.",
        passes: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789&foo=bar"),
            redeems!("C1")
        ),
        fails: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789"),
            redeems!("C1"),
            asks!("&state=S2"),
            sends_back!("code=C2&state=S2"),
            brings!("code=C2&state=S2&foo=bar", "400")
        ),
        judge: unknown_parameters_are_passed_over,
    },
    Check {
        id: "login/code-is-redeemed-as-it-came",
        title: "the code of the token request is, letter by letter, the code of the callback",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLA-21",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "B")],
        explain: "A code has any length and any letters; the RFC sets no limit. Codes of Salesforce end in ==, which arrive as %3D%3D. \
            A client that does not decode them, decodes them twice, takes a plus for a space or keeps them in a column of 255 \
            letters sends another code, and reads invalid_grant. Let the framework decode the query once, and the HTTP library \
            encode the form once.",
        passes: concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789"), redeems!("C1")),
        fails: concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789"),
            redeems!("C" => "400 {\"error\":\"invalid_grant\"}")
        ),
        judge: code_is_redeemed_as_it_came,
    },
    Check {
        id: "login/callback-page-keeps-the-code",
        title: "the page at the callback shows the code to nobody, and loads nothing from elsewhere",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CLA-22",
        cites: &[Rfc(6749, "3.1.2.5"), Rfc(9700, "4.2.4")],
        explain: "The address of this page holds the code. A script of somebody else on it can read that address; an image or a link \
            to another host may carry it along as the referrer; a page that prints the code shows it to whoever looks. Redeem the \
            code, then redirect to a page whose address has nothing in it, or answer with a plain page of your own, with \
            Referrer-Policy: no-referrer.",
        passes: concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789")),
        fails: concat!(
            answered!(),
            brings!(
                "code=C1&state=S1-0123456789-0123456789",
                "200 <script src='https://metrics.example/count.js'></script>Logged in"
            )
        ),
        judge: callback_page_keeps_the_code,
    },
];

/// Parameters of a callback that the RFCs know.
const KNOWN: [&str; 6] = ["code", "state", "error", "error_description", "error_uri", "iss"];

/// Whether the client has read, before that callback, that answers name their issuer.
fn is_promised(t: &Transcript, b: &Callback<'_>) -> bool {
    let name = "authorization_response_iss_parameter_supported";
    let read = |x: &Exchange| x.endpoint == Endpoint::Discovery && x.status() == 200 && x.action != "browser";
    t.before(b.x).any(|x| read(x) && x.member(name).is_some_and(|flag| flag == true))
}

fn wrong_issuer_is_refused(t: &Transcript) -> Judgement {
    let read = t.at(Endpoint::Discovery).filter_map(|x| x.text("issuer"));
    let known: Vec<&str> = read.chain(t.subject.endpoints.issuer.as_deref()).collect();
    let wrong = |b: &Callback<'_>| !known.is_empty() && b.get("iss").is_some_and(|iss| !known.contains(&iss));
    let expected = "no token request: another issuer answers";
    let mut j = refused(t, |b| wrong(b) && is_promised(t, b), expected, false);
    j.merge(refused(t, |b| wrong(b) && !is_promised(t, b), expected, true));
    j
}

fn promised_issuer_must_be_there(t: &Transcript) -> Judgement {
    let missing = |b: &Callback<'_>| is_promised(t, b) && b.get("iss").is_none();
    refused(t, missing, "no token request: the issuer was promised and is missing", false)
}

fn code_beside_an_error_is_refused(t: &Transcript) -> Judgement {
    let both = |b: &Callback<'_>| b.get("error").is_some();
    refused(t, both, "no token request: there is an error", false)
}

fn two_codes_are_refused(t: &Transcript) -> Judgement {
    let two = |b: &Callback<'_>| b.params.all("code").count() > 1;
    refused(t, two, "no token request: there are two codes", false)
}

fn two_states_are_refused(t: &Transcript) -> Judgement {
    let two = |b: &Callback<'_>| b.params.all("state").count() > 1;
    refused(t, two, "no token request: there are two states", false)
}

/// Whether nothing but an unknown parameter can be held against a callback.
fn is_right(b: &Callback<'_>) -> bool {
    let state = b.request.is_some() && b.sent_state().unwrap_or("") == b.params.get("state").unwrap_or("");
    state
        && b.code().is_some()
        && b.get("error").is_none()
        && b.params.repeated().is_none()
        && b.get("iss").is_none()
}

fn unknown_parameter<'t>(b: &Callback<'t>) -> Option<&'t str> {
    b.params.iter().map(|(name, _)| name).find(|name| !KNOWN.contains(name))
}

fn unknown_parameters_are_passed_over(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = callbacks(t);
    for b in all.iter().filter(|b| is_right(b)) {
        let Some(name) = unknown_parameter(b) else { continue };
        let expected = "a token request with its code";
        // The same client, that went on where there was no such parameter.
        let plain =
            all.iter().find(|o| o.x.number < b.x.number && is_right(o) && unknown_parameter(o).is_none());
        match (b.redemption(t), plain.and_then(|o| o.redemption(t))) {
            (Some(_), _) => j.pass(),
            (None, Some(control)) if b.is_heard() => {
                j.fail(&[control, b.x], expected, format!("none, where there is {name} besides"));
            }
            (None, _) => {
                j.unproved(&[b.x], expected, "none, and none was seen without such a parameter either")
            }
        }
    }
    j
}

fn code_is_redeemed_as_it_came(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = callbacks(t);
    for x in t.requests_of(GRANT_TYPE) {
        let Some(sent) = x.param("code").filter(|code| !NONE.contains(code)) else { continue };
        let earlier = || all.iter().filter(|b| b.x.number < x.number && b.is_heard());
        if earlier().any(|b| b.params.all("code").any(|code| code == sent)) {
            j.pass();
            continue;
        }
        // What the org granted tokens for is the code of a login that is not in the record.
        let mut open = earlier().filter(|b| b.code().is_some() && b.redemption(t).is_none());
        match (open.next(), open.next()) {
            (Some(b), None) if !x.granted() && x.response().is_some() => {
                j.fail(&[b.x, x], "the code that the callback brought", "another one");
            }
            (Some(b), Some(_)) if !x.granted() => {
                j.unproved(&[b.x, x], "the code that a callback brought", "one that none of them did");
            }
            _ => {}
        }
    }
    j
}

fn callback_page_keeps_the_code(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for b in callbacks(t) {
        let (Some(code), Some(page)) = (b.code(), b.x.response()) else { continue };
        let kind = page.header("content-type").unwrap_or("").to_ascii_lowercase();
        let html = kind.contains("html") || kind.is_empty() && page.body.contains('<');
        let policy = page.header_list("referrer-policy").to_ascii_lowercase();
        let keeps = ["no-referrer", "same-origin", "origin", "strict-origin"];
        let hides = policy.split(',').map(str::trim).any(|word| keeps.contains(&word));
        let leads_on =
            page.redirect().is_some_and(|(_, params)| params.iter().any(|(_, value)| value == code));
        if leads_on {
            j.fail(&[b.x], "a redirect without the code", "the code goes along");
        } else if page.body.contains(code) && code.len() > 1 {
            j.fail(&[b.x], "a page without the code", "it shows the code");
        } else if let Some(away) = carried_away(t, &b, code) {
            j.fail(
                &[b.x, away],
                "a page that tells nobody the code",
                "the browser was to bring it to another host",
            );
        } else if let Some(what) = foreign(&page.body, &b.x.request.url, hides).filter(|_| html) {
            j.fail(&[b.x], "nothing from another host on a page whose address holds the code", what);
        } else {
            j.pass();
        }
    }
    j
}

/// A request by which a page of the client would have brought the code to somebody else.
fn carried_away<'t>(t: &'t Transcript, b: &Callback<'_>, code: &str) -> Option<&'t Exchange> {
    let led = |x: &&Exchange| x.action == "browser" && x.endpoint == Endpoint::Page && x.response().is_none();
    let holds = |text: &str| {
        let plain = crate::oauth::Params::read_lossy(&format!("v={}", text.replace('&', "%26")));
        text.contains(code) || plain.get("v").is_some_and(|plain| plain.contains(code))
    };
    let told = |x: &&Exchange| {
        holds(&x.request.url) || holds(&x.request.body) || x.request.header("referer").is_some_and(holds)
    };
    t.exchanges.iter().filter(|x| x.number > b.x.number && code.len() > 1).filter(led).find(told)
}

/// What a page has of another host: a script in any case, everything else where the address goes along as the referrer.
fn foreign(html: &str, at: &str, hides: bool) -> Option<String> {
    let document = Html::parse_document(html);
    let selector = Selector::parse("script[src], img[src], iframe[src], link[href], a[href]").ok()?;
    let at = url::Url::parse(at).ok()?;
    let mut elements = document.select(&selector);
    elements.find_map(|element| {
        let value = element.value();
        let to = at.join(value.attr("src").or(value.attr("href"))?).ok()?;
        let elsewhere = matches!(to.scheme(), "http" | "https") && !same_origin(to.as_str(), at.as_str());
        let tells = value.name() == "script" || !hides;
        (elsewhere && tells)
            .then(|| format!("<{}> of {}", value.name(), to.host_str().unwrap_or("elsewhere")))
    })
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn the_right_issuer_is_taken() {
        let id = "login/wrong-issuer-is-refused";
        let right = concat!(
            answered!(),
            brings!("code=C1&state=S1-0123456789-0123456789&iss=https://org.example"),
            redeems!("C1")
        );
        comes_to(id, right, Verdict::Skip);
        comes_to(id, &right.replace("iss=https://org.example", "iss=https://org.example/"), Verdict::Fail);
        comes_to("login/promised-issuer-must-be-there", right, Verdict::Skip);
    }

    #[test]
    fn a_client_that_was_never_seen_to_go_on_proves_nothing() {
        let id = "login/unknown-parameters-are-passed-over";
        let odd = concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789&foo=bar", "400"));
        comes_to(id, odd, Verdict::Inconclusive);
        comes_to(id, &odd.replace("&foo=bar", "x&foo=bar"), Verdict::Skip);
        comes_to(id, concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789")), Verdict::Skip);
    }

    #[test]
    fn a_code_of_a_login_that_is_not_in_the_record_is_no_other_code() {
        let id = "login/code-is-redeemed-as-it-came";
        let brought = concat!(answered!(), brings!("code=C1&state=S1-0123456789-0123456789"));
        comes_to(id, &format!("{brought}{}", redeems!("C7")), Verdict::Skip);
        let unknown = redeems!("C7" => "400 {\"error\":\"invalid_grant\"}");
        comes_to(id, unknown, Verdict::Skip);
        let second =
            concat!(asks!("&state=S2"), sends_back!("code=C2&state=S2"), brings!("code=C2&state=S2"));
        comes_to(id, &format!("{brought}{second}{unknown}"), Verdict::Inconclusive);
    }

    #[test]
    fn a_page_may_have_what_is_its_own() {
        let id = "login/callback-page-keeps-the-code";
        let page = |answer: &str| format!("{}> GET callback code=C1&state=S\n< {answer}\n", answered!());
        for (answer, verdict) in [
            ("302\n< Location: https://client.example/home", Verdict::Pass),
            ("302\n< Location: https://client.example/home?code=C1", Verdict::Fail),
            ("200 <script src=/app.js></script><img src=logo.png>", Verdict::Pass),
            ("200 <p>C1</p>", Verdict::Fail),
            ("200 <img src=https://cdn.example/x.png>", Verdict::Fail),
            ("200 <img src=https://cdn.example/x.png>\n< Referrer-Policy: no-referrer", Verdict::Pass),
            ("200 <script src=//cdn.example/x.js></script>\n< Referrer-Policy: no-referrer", Verdict::Fail),
            ("200 <a href=https://help.example>help</a>", Verdict::Fail),
            ("200 <a href=mailto:a@b.example>help</a>", Verdict::Pass),
            ("nothing", Verdict::Skip),
        ] {
            comes_to(id, &page(answer), verdict);
        }
        // What a script on the page does is seen where a browser runs it.
        for (query, verdict) in [("code=C1", Verdict::Fail), ("a=b", Verdict::Pass)] {
            let away =
                format!("> GET page {query}\n! host https://app.example\n! action browser\n< nothing\n");
            comes_to(id, &format!("{}{away}", page("200 <p>Logged in</p>")), verdict);
        }
    }
}
