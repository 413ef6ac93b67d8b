//! What a client makes of a callback that brings an error.

use super::*;
use scraper::Html;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "login/denial-ends-the-login",
        title: "after error=access_denied no token is asked for",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-12",
        cites: &[Rfc(6749, "4.1.2.1")],
        explain: "A user may say no, and then there is no code. A client that goes on without one sends an empty code to the token \
            endpoint, is refused there, and tells the user of a server error instead of their own decision; some begin the login \
            again at once, for ever. Look for error before anything else, end the login, say that it was declined, and let the \
            user begin a new one where they want to.",
        passes: concat!(answered!(), brings!("error=access_denied&state=S1-0123456789-0123456789")),
        fails: concat!(
            answered!(),
            brings!("error=access_denied&state=S1-0123456789-0123456789"),
            redeems!("" => "400 {\"error\":\"invalid_request\"}")
        ),
        judge: denial_ends_the_login,
    },
    Check {
        id: "login/other-spelling-of-a-denial-ends-the-login",
        title: "after error=access-denied no token is asked for either",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLA-13",
        cites: &[Salesforce("OAuth 2.0 Authorization Errors")],
        explain: "Salesforce's pages write the error of a denial in two ways, access_denied and access-denied. A client that compares \
            with one of them takes the other for no error. Do not compare at all to find out whether there is an error: any value \
            of the parameter is one. Compare only to choose the words for the user, and then with both.",
        passes: concat!(answered!(), brings!("error=access-denied&state=S1-0123456789-0123456789")),
        fails: concat!(
            answered!(),
            brings!("error=access-denied&state=S1-0123456789-0123456789"),
            redeems!("" => "400 {\"error\":\"invalid_request\"}")
        ),
        judge: other_spelling_of_a_denial_ends_the_login,
    },
    Check {
        id: "login/any-error-is-borne",
        title: "an error that is not known ends the login, and nothing of it becomes part of a page",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLA-14",
        cites: &[Rfc(6749, "4.1.2.1"), Rfc(6749, "A.8")],
        explain: "Servers have errors of their own, and anybody can write a URL with error and error_description in it and have \
            somebody click on it. A client that knows only the errors of the RFC goes on, or falls over; one that puts the \
            description into its page as it came runs whatever script stands there, in the origin that has the user's session. \
            Treat every error as the end of the login, and escape what is shown, or show words of your own.",
        passes: concat!(
            answered!(),
            brings!("error=server_is_tired&error_description=%3Cscript%3E&state=S1-0123456789-0123456789")
        ),
        fails: concat!(
            answered!(),
            brings!(
                "error=server_is_tired&error_description=%3Cscript%3Ex()%3C/script%3E&state=S1-0123456789-0123456789",
                "200 <p>server_is_tired: <script>x()</script></p>"
            )
        ),
        judge: any_error_is_borne,
    },
];

/// Judges callbacks that bring one of these errors and no code.
fn ends(t: &Transcript, meant: impl Fn(&str) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let all = callbacks(t);
    let brought = |code: &str| all.iter().any(|b| b.params.all("code").any(|one| one == code));
    for b in all.iter().filter(|b| b.code().is_none() && b.get("error").is_some_and(&meant)) {
        let next =
            requests(t).iter().map(|x| x.number).find(|number| *number > b.x.number).unwrap_or(usize::MAX);
        let mut asked = t.after(b.x).filter(|x| x.grant_type() == Some(GRANT_TYPE) && x.number < next);
        // Somebody else's code, which is not in the record, is somebody else's login.
        let own = |x: &&Exchange| {
            let code = x.param("code").unwrap_or("");
            NONE.contains(&code) || !brought(code) && !x.granted() && x.response().is_some()
        };
        let expected = "no token request: there is no code";
        match asked.find(own) {
            Some(x) if NONE.contains(&x.param("code").unwrap_or("")) => {
                j.fail(&[b.x, x], expected, "one without a code");
            }
            Some(x) => j.unproved(&[b.x, x], expected, "one with a code that is not in the record"),
            None if b.x.status() >= 500 => j.fail_lesser(&[b.x], "a page that tells the user", b.x.outcome()),
            None if b.is_heard() => j.pass(),
            None => {}
        }
    }
    j
}

fn denial_ends_the_login(t: &Transcript) -> Judgement {
    ends(t, |error| error == "access_denied")
}

fn other_spelling_of_a_denial_ends_the_login(t: &Transcript) -> Judgement {
    ends(t, |error| error == "access-denied")
}

fn any_error_is_borne(t: &Transcript) -> Judgement {
    let mut j = ends(t, |error| !matches!(error, "access_denied" | "access-denied"));
    for b in callbacks(t) {
        let Some(page) = b.x.response() else { continue };
        let kind = page.header("content-type").unwrap_or("").to_ascii_lowercase();
        let is_page =
            kind.contains("html") || kind.contains("svg") || kind.is_empty() && page.body.contains('<');
        let markup = |value: &&str| value.contains('<') && has_elements(value);
        let brought = b.params.iter().map(|(_, value)| value).filter(markup);
        for value in brought {
            if is_page && page.body.contains(value) {
                j.fail(
                    &[b.x],
                    "a page without markup of somebody else",
                    "what the callback says is part of the page",
                );
            } else {
                j.pass();
            }
        }
    }
    j
}

/// Whether a browser finds elements in a text.
fn has_elements(text: &str) -> bool {
    let fragment = Html::parse_fragment(text);
    fragment.root_element().descendants().skip(1).any(|node| node.value().is_element())
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_denial_of_one_user_says_nothing_of_another() {
        let id = "login/denial-ends-the-login";
        let denied = concat!(answered!(), brings!("error=access_denied&state=S1-0123456789-0123456789"));
        let other = concat!(asks!("&state=S2"), sends_back!("code=C2&state=S2"), brings!("code=C2&state=S2"));
        comes_to(id, &format!("{denied}{other}{}", redeems!("C2")), Verdict::Pass);
        comes_to(id, &format!("{denied}{}", redeems!("C7")), Verdict::Pass);
        comes_to(
            id,
            &format!("{denied}{}", redeems!("C7" => "400 {\"error\":\"invalid_grant\"}")),
            Verdict::Inconclusive,
        );
        comes_to(id, &denied.replace("200 You", "500 You"), Verdict::Fail);
        comes_to(id, &denied.replace("200 You can close this page.", "nothing"), Verdict::Skip);
    }

    #[test]
    fn markup_is_harmless_where_it_is_escaped_or_no_page() {
        let id = "login/any-error-is-borne";
        let error = "error=x&error_description=%3Cimg%20src%3Dx%20onerror%3Dy()%3E";
        let shown = |page: &str| format!("{}> GET callback {error}\n< {page}\n", answered!());
        comes_to(id, &shown("200 <p>&lt;img src=x onerror=y()&gt;</p>"), Verdict::Pass);
        comes_to(id, &shown("200 <p><img src=x onerror=y()></p>"), Verdict::Fail);
        comes_to(id, &shown("200 said: <img src=x onerror=y()>\n< Content-Type: text/plain"), Verdict::Pass);
        comes_to(id, &shown("500"), Verdict::Fail);
    }
}
