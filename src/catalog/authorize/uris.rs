//! Redirect URIs that differ from a registered one in what parsers disagree about, and requests that name no client or
//! no redirect URI at all.

use super::redirect_uri::{Flaw, is_at, judge};
use super::{End, journeys};
use crate::catalog::Cite::{OpenIdCore, Rfc};
use crate::catalog::{Check, Judgement, Party};
use crate::transcript::Transcript;
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "authorize/other-port-is-refused",
        title: "a redirect URI with another port than the registered one is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-11",
        cites: &[Rfc(9700, "2.1"), Rfc(9700, "4.1.3")],
        explain: "Behind another port of the same host may sit another service: a test server, a container, a page that \
            anybody may run. If the port is not compared, it receives the codes. The one exception is the loopback \
            interface of native apps, which learn their port when they start. Compare the URI as a string, port included.",
        passes: concat!(granted!(), asks_for!("https://client.example:8443/callback"), shown!()),
        fails: concat!(
            asks_for!("https://client.example:8443/callback"),
            "< 302\n",
            "< Location: https://client.example:8443/callback?code=C2&state=s2"
        ),
        judge: other_port_is_refused,
    },
    Check {
        id: "authorize/redirect-uri-is-not-normalised",
        title: "letter case, percent-encoding and a slash at the end are not evened out before redirect URIs are compared",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-12",
        cites: &[Rfc(9700, "2.1"), Rfc(9700, "4.1.3")],
        explain: "What looks equal to one parser is another place to the next: web servers tell /callback from /Callback \
            and from /callback/, and each rule by which a comparison is made lenient has been a way past it. Redirect URIs \
            are compared character by character. Take the URI from the request as it came, after decoding the parameter \
            once, and look it up in the list; on Salesforce a slash at the end is the usual cause of redirect_uri_mismatch.",
        passes: concat!(granted!(), asks_for!("https://client.example/callback/"), shown!()),
        fails: concat!(
            asks_for!("https://client.example/Callback"),
            "< 302\n",
            "< Location: https://client.example/Callback?code=C2&state=s2"
        ),
        judge: redirect_uri_is_not_normalised,
    },
    Check {
        id: "authorize/confusing-path-is-refused",
        title: "a path with dots, encoded slashes, backslashes or semicolons does not pass for the registered one",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-13",
        cites: &[Rfc(9700, "2.1"), Rfc(9700, "4.1.3")],
        explain: "Browsers, proxies and libraries each resolve dots, encoded slashes, backslashes and path parameters in \
            their own way. A server that validates the path in one way and redirects by another sends the code to a page \
            that nobody registered, often one that redirects further. Do not parse the URI in order to validate it: \
            compare the text.",
        passes: concat!(granted!(), asks_for!("https://client.example/callback/../other"), shown!()),
        fails: concat!(
            asks_for!("https://client.example/callback%252f..%252fother"),
            "< 302\n",
            "< Location: https://client.example/callback%2f..%2fother?code=C2&state=s2"
        ),
        judge: confusing_path_is_refused,
    },
    Check {
        id: "authorize/confusing-authority-is-refused",
        title: "a redirect URI that has the registered host in another place is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-14",
        cites: &[Rfc(9700, "2.1"), Rfc(9700, "4.1.1"), Rfc(9700, "4.1.3")],
        explain: "https://good@evil/ goes to evil: what stands before the at sign is a user name. In https://evil#good and \
            https://evil?good the registered name only decorates. A server that looks for the registered host somewhere in \
            the URI, or that takes the host from one library while the browser uses another, hands the code to a stranger. \
            Compare the whole URI as a string.",
        passes: concat!(granted!(), asks_for!("https://client.example@rogue.test/callback"), shown!()),
        fails: concat!(
            asks_for!("https://rogue.test/%3Fclient.example"),
            "< 302\n",
            "< Location: https://rogue.test/?client.example&code=C2&state=s2"
        ),
        judge: confusing_authority_is_refused,
    },
    Check {
        id: "authorize/fragment-is-refused",
        title: "a redirect URI with a fragment is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-16",
        cites: &[Rfc(6749, "3.1.2"), Rfc(9700, "2.1")],
        explain: "A redirect URI must not have a fragment. The browser keeps it over the redirect and hands it to the \
            scripts of the callback page, so that a stranger chooses what they act on while the code of the user stands in \
            the address. Compare the URI as it came, with everything behind the number sign, and refuse to register one.",
        passes: concat!(granted!(), asks_for!("https://client.example/callback%23to=rogue"), shown!()),
        fails: concat!(
            asks_for!("https://client.example/callback%23to=rogue"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2#to=rogue"
        ),
        judge: fragment_is_refused,
    },
    Check {
        id: "authorize/missing-redirect-uri-is-refused",
        title: "of several registered redirect URIs none is guessed where the request names none",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-17",
        cites: &[Rfc(6749, "3.1.2.3"), OpenIdCore("3.1.2.1")],
        explain: "A client with several redirect URIs must say which one it means. A server that takes the first of its \
            list sends codes to a callback that did not ask, for example to the test installation of the same client, whose \
            logs fewer people guard. Show an error where the parameter is missing; only a client that registered a single \
            complete URI may leave it out.",
        passes: concat!(
            granted!(),
            "> GET authorize response_type=code&client_id=main&state=s2\n\
             < 400 error=redirect_uri_missing&error_description=redirect_uri%20not%20provided"
        ),
        fails: "> GET authorize response_type=code&client_id=main&state=s2\n\
            < 302\n\
            < Location: https://client.example/callback?code=C2&state=s2",
        judge: missing_redirect_uri_is_refused,
    },
    Check {
        id: "authorize/script-uri-is-refused",
        title: "javascript:, data: and their like are no redirect URIs, nor are they written into the page",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-18",
        cites: &[Rfc(9700, "2.1"), Rfc(8252, "8.4")],
        explain: "A browser that is sent to a javascript: URI, or clicks on one, runs it on the page that it stands on: the \
            login page. So such a URI is neither redirected to, nor offered as a link on the error page, nor written there \
            without escaping. Compare redirect URIs with the registered list, accept private-use schemes only as a reversed \
            domain name, and escape what an error page repeats.",
        passes: concat!(granted!(), asks_for!("javascript:alert(1)"), shown!()),
        fails: concat!(
            asks_for!("javascript:alert(1)"),
            "< 302\n",
            "< Location: javascript:alert(1)?code=C2&state=s2"
        ),
        judge: script_uri_is_refused,
    },
    Check {
        id: "authorize/missing-client-is-not-redirected",
        title: "a request without a client_id is refused without a redirect",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-21",
        cites: &[Rfc(6749, "4.1.1"), Rfc(6749, "4.1.2.1")],
        explain: "Without a client nobody can say which redirect URIs are good, so the one in the request is a stranger's \
            word, even if it happens to be registered for some client. A server that redirects all the same, be it an \
            error, is an open redirector; one that guesses the client hands out codes in its name. Show the error.",
        passes: concat!(
            granted!(),
            "> GET authorize response_type=code&redirect_uri=https://client.example/callback&state=s2\n\
             < 400 error=invalid_client_id&error_description=client%20identifier%20invalid"
        ),
        fails: "> GET authorize response_type=code&redirect_uri=https://client.example/callback&state=s2\n\
            < 302\n\
            < Location: https://client.example/callback?error=invalid_request&state=s2",
        judge: missing_client_is_not_redirected,
    },
];

fn other_port_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Port, "the port of the redirect_uri is not the registered one")
}

fn redirect_uri_is_not_normalised(t: &Transcript) -> Judgement {
    judge(t, Flaw::Normalised, "the redirect_uri is only similar to the registered one")
}

fn confusing_path_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Confusing, "the path of the redirect_uri can be read in several ways")
}

fn confusing_authority_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Authority, "the redirect_uri has the registered host in another place, or a user name")
}

fn fragment_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Fragment, "the redirect_uri has a fragment")
}

fn script_uri_is_refused(t: &Transcript) -> Judgement {
    let mut j = judge(t, Flaw::Script, "a browser runs or shows the redirect_uri by itself");
    let lower = |text: &str| text.to_ascii_lowercase();
    for journey in journeys(t).filter(|journey| journey.end == End::Shown) {
        let Some(uri) = journey.one("redirect_uri").map(lower) else { continue };
        let response = journey.last.response().filter(|r| {
            let kind = lower(r.header("content-type").unwrap_or(""));
            kind.contains("html") || kind.is_empty() && r.body.trim_start().starts_with('<')
        });
        let Some(body) = response.map(|response| lower(&response.body)) else { continue };
        let scheme = uri.split(':').next().unwrap_or("");
        let linked = ["javascript", "data", "vbscript"].contains(&scheme)
            && ["href=", "src=", "action=", "url="].iter().any(|name| {
                ["", "\"", "'"].iter().any(|quote| body.contains(&format!("{name}{quote}{uri}")))
            });
        let written = uri.contains("<script") && body.contains(&uri);
        if linked || written {
            let observed = "the page holds the redirect_uri as a link or as markup";
            j.fail(&journey.evidence(), "a page without the redirect_uri, or with it escaped", observed);
        }
    }
    j
}

fn missing_redirect_uri_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal: redirect_uri is missing, and several are registered";
    for journey in journeys(t) {
        let several = journey.app(t).is_some_and(|app| app.redirect_uris.len() > 1);
        let named = ["redirect_uri", "request", "request_uri"]
            .iter()
            .any(|name| journey.values(name).any(|value| !value.is_empty()));
        if named || !several {
            continue;
        }
        if journey.refused(&mut j, t, journey.end == End::Code, &["redirect_uri"], expected) {
            j.pass();
        }
    }
    j
}

fn missing_client_is_not_redirected(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal without a redirect to the redirect_uri: there is no client_id";
    for journey in journeys(t) {
        let named = ["client_id", "request", "request_uri"]
            .iter()
            .any(|name| journey.values(name).any(|value| !value.is_empty()));
        if named || t.subject.apps.is_empty() || journey.values("redirect_uri").next().is_none() {
            continue;
        }
        let accepted =
            journey.end == End::Code || journey.values("redirect_uri").any(|uri| is_at(&journey, uri));
        if journey.refused(&mut j, t, accepted, &["client_id"], expected) {
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
    fn an_error_at_the_registered_place_is_no_redirect_to_its_fragment() {
        let id = "authorize/fragment-is-refused";
        let script = find(id).unwrap().passes.replace(
            shown!(),
            "< 302\n< Location: https://client.example/callback?error=invalid_request&state=s2\n",
        );
        comes_to(id, &script, Verdict::Pass);
        comes_to(id, &script.replace("error=invalid_request", "code=C2"), Verdict::Fail);
    }

    #[test]
    fn a_client_with_one_redirect_uri_may_leave_it_out() {
        let id = "authorize/missing-redirect-uri-is-refused";
        let fails = find(id).unwrap().fails.replace("client_id=main", "client_id=other");
        comes_to(id, &fails.replace("client.example", "other.example"), Verdict::Skip);
        let object = find(id).unwrap().fails.replace("&state=s2\n", "&request_uri=urn:x&state=s2\n");
        comes_to(id, &object, Verdict::Skip);
    }

    #[test]
    fn a_page_may_repeat_a_script_uri_only_when_it_is_escaped() {
        let id = "authorize/script-uri-is-refused";
        let page = |page: &str| {
            format!(
                "{}{}< 400 {page}\n< Content-Type: text/html\n",
                granted!(),
                asks_for!("data:text/html,<script>alert(1)</script>")
            )
        };
        comes_to(id, &page("<p>data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;</p>"), Verdict::Pass);
        comes_to(id, &page("<p>data:text/html,<script>alert(1)</script></p>"), Verdict::Fail);
        let link = page("<a href=\"javascript:alert(1)\">back</a>");
        comes_to(
            id,
            &link.replace("data:text/html,<script>alert(1)</script>", "javascript:alert(1)"),
            Verdict::Fail,
        );
    }

    #[test]
    fn a_request_that_names_its_client_elsewhere_is_not_without_one() {
        let id = "authorize/missing-client-is-not-redirected";
        let fails = find(id).unwrap().fails;
        comes_to(id, &fails.replace("&state=s2\n", "&request=e30.e30.&state=s2\n"), Verdict::Skip);
        comes_to(id, &fails.replace("response_type=code", "response_type=code&client_id="), Verdict::Fail);
    }
}
