//! The authorization endpoint (RFC 6749 §3.1 and §4.1): where the user agent is sent, and what it brings along.

use super::Cite::{OpenIdCore, Rfc};
use super::{Check, Party};
use crate::verdict::{Basis, Level};

/// The authorization that ends in a code, as examples begin with it: the positive control.
macro_rules! granted {
    () => {
        "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=s1\n\
         < 302\n\
         < Location: https://client.example/callback?code=C1&state=s1\n"
    };
}

/// The same request with another `redirect_uri`, without its answer.
macro_rules! asks_for {
    ($uri:literal) => {
        concat!("> GET authorize response_type=code&client_id=main&state=s2&redirect_uri=", $uri, "\n")
    };
}

/// Salesforce's way to refuse on the spot.
macro_rules! shown {
    () => {
        "< 400 error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration\n"
    };
}

mod answers;
mod journey;
mod pages;
mod redirect_uri;
mod requests;
mod response;
mod uris;

pub(super) use answers::CHECKS as ANSWERS;
pub(super) use journey::{End, Journey, journeys};
pub(super) use pages::CHECKS as PAGES;
pub(super) use requests::CHECKS as REQUESTS;
pub(super) use uris::CHECKS as URIS;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "authorize/code-is-in-the-query",
        title: "a granted authorization puts the code into the query of the redirect URI",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-01",
        cites: &[Rfc(6749, "4.1.2")],
        explain: "With response_type=code the code comes back as a query parameter of the redirect URI that was asked \
            for. A fragment never leaves the browser, so a web application would not receive the code, and every script on \
            its page could read it. Append code to the query, whatever other response types use, and send it to the URI \
            that was validated and nowhere else.",
        passes: granted!(),
        fails: concat!(
            asks_for!("https://client.example/callback"),
            "< 302\n",
            "< Location: https://client.example/callback#code=C2&state=s2"
        ),
        judge: response::code_is_in_the_query,
    },
    Check {
        id: "authorize/state-comes-back-unchanged",
        title: "state comes back character for character",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-02",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "A.5")],
        explain: "The client compares the state that returns with the one that it sent, and drops the answer if they \
            differ: this is its guard against forged callbacks. A server that drops it, shortens it or decodes it once too \
            often locks out honest users whose state happens to hold a plus or a percent sign. Keep the value decoded once, \
            and form-encode it again when the redirect is written.",
        passes: "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=a%2Bb%252Bc+d\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1&state=a%2Bb%252Bc%20d",
        fails: "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=a%252Bb\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1&state=a%2Bb",
        judge: response::state_comes_back_unchanged,
    },
    Check {
        id: "authorize/no-state-is-invented",
        title: "without a state in the request there is none in the response",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "AZ-03",
        cites: &[Rfc(6749, "4.1.2")],
        explain: "The response carries state because the request did. A client that sent none and is given one has to \
            take the answer for somebody else's and refuse it. Leave the parameter out where there is nothing to return, \
            also as an empty one.",
        passes: "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1",
        fails: "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\n\
            < 302\n\
            < Location: https://client.example/callback?code=C1&state=null",
        judge: response::no_state_is_invented,
    },
    Check {
        id: "authorize/unregistered-redirect-uri-is-refused",
        title: "the user agent is not sent to a redirect URI that the client did not register",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-04",
        cites: &[Rfc(6749, "3.1.2.4"), Rfc(9700, "2.1"), Rfc(9700, "4.11.2")],
        explain: "Whoever chooses the redirect URI receives the code: a server that follows any URI hands the account to \
            whoever wrote the link. Not even an error may go there, or the server is an open redirector for phishing. Show \
            the error to the user instead. On Salesforce the callback URLs of the app are the whole list, one a line; take \
            away what is not used.",
        passes: concat!(granted!(), asks_for!("https://rogue.test/callback"), shown!()),
        fails: concat!(
            asks_for!("https://rogue.test/callback"),
            "< 302\n",
            "< Location: https://rogue.test/callback?error=invalid_request&state=s2"
        ),
        judge: redirect_uri::unregistered_is_refused,
    },
    Check {
        id: "authorize/other-path-is-refused",
        title: "a redirect URI with another path than the registered one is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-05",
        cites: &[Rfc(9700, "2.1"), Rfc(9700, "4.1.3"), Rfc(6749, "3.1.2.3")],
        explain: "Redirect URIs are compared as strings. If a registered URI also stands for what lies below it, a page \
            of the same site that redirects further, or that shows what users upload, is enough to carry the code away. \
            Compare the whole URI, and register each callback in full.",
        passes: concat!(granted!(), asks_for!("https://client.example/callback/x"), shown!()),
        fails: concat!(
            asks_for!("https://client.example/callback/x"),
            "< 302\n",
            "< Location: https://client.example/callback/x?code=C2&state=s2"
        ),
        judge: redirect_uri::other_path_is_refused,
    },
    Check {
        id: "authorize/other-host-is-refused",
        title: "a redirect URI on a sub-domain or a look-alike of the registered host is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-06",
        cites: &[Rfc(9700, "4.1.3"), Rfc(9700, "2.1")],
        explain: "A host that ends or begins with the registered one need not belong to the same people: sub-domains are \
            given away or taken over, and evilclient.example ends with client.example. Patterns and suffix matches let \
            those collect codes. Compare the URI as a string, host included.",
        passes: concat!(granted!(), asks_for!("https://evil.client.example/callback"), shown!()),
        fails: concat!(
            asks_for!("https://evil.client.example/callback"),
            "< 302\n",
            "< Location: https://evil.client.example/callback?code=C2&state=s2"
        ),
        judge: redirect_uri::other_host_is_refused,
    },
    Check {
        id: "authorize/added-query-is-refused",
        title: "a redirect URI with a query that the registered one does not have is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-07",
        cites: &[Rfc(9700, "2.1"), OpenIdCore("3.1.2.1")],
        explain: "The query is part of the redirect URI. If a stranger may add parameters, he decides what the callback \
            page gets to see beside the code: a second code, a tenant, an address to forward to. Compare the URI with its \
            query; what the client wants to remember belongs into state.",
        passes: concat!(granted!(), asks_for!("https://client.example/callback%3Fadded%3D1"), shown!()),
        fails: concat!(
            asks_for!("https://client.example/callback%3Fadded%3D1"),
            "< 302\n",
            "< Location: https://client.example/callback?added=1&code=C2&state=s2"
        ),
        judge: redirect_uri::added_query_is_refused,
    },
    Check {
        id: "authorize/changed-query-is-refused",
        title: "a redirect URI whose query has another value than the registered one is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-08",
        cites: &[OpenIdCore("3.1.2.1"), Rfc(9700, "2.1")],
        explain: "Where a client registered its callback with a fixed query, the value often says for whom the answer is. \
            A server that looks at the names alone lets a stranger send the code of one tenant to another. Compare the URI \
            as a string, values included.",
        passes: concat!(granted!(), asks_for!("https://client.example/callback%3Ftenant%3Db"), shown!()),
        fails: concat!(
            asks_for!("https://client.example/callback%3Ftenant%3Db"),
            "< 302\n",
            "< Location: https://client.example/callback?tenant=b&code=C2&state=s2"
        ),
        judge: redirect_uri::changed_query_is_refused,
    },
    Check {
        id: "authorize/registered-query-is-kept",
        title: "a registered redirect URI keeps its query, and the code is appended to it",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-09",
        cites: &[Rfc(6749, "3.1.2")],
        explain: "A registered redirect URI may have a query of its own; the response parameters are added to it with an \
            ampersand. If the query is dropped, or a second question mark is written, the client no longer knows which \
            tenant the answer belongs to, or does not find the code. Build the redirect with a URL library and not by \
            gluing texts together.",
        passes: concat!(
            asks_for!("https://client.example/callback%3Ftenant%3Da"),
            "< 302\n",
            "< Location: https://client.example/callback?tenant=a&code=C2&state=s2"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback%3Ftenant%3Da"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        judge: response::registered_query_is_kept,
    },
    Check {
        id: "authorize/http-for-https-is-refused",
        title: "http in place of the registered https is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-10",
        cites: &[Rfc(9700, "2.6"), Rfc(9700, "2.1"), Rfc(6749, "3.1.2.1")],
        explain: "Over plain http everybody on the way reads the code. If the scheme is not compared, a single prepared \
            link moves the callback from https to http. Compare the URI with its scheme, and register no http callback \
            except on the loopback interface of native apps.",
        passes: concat!(granted!(), asks_for!("http://client.example/callback"), shown!()),
        fails: concat!(
            asks_for!("http://client.example/callback"),
            "< 302\n",
            "< Location: http://client.example/callback?code=C2&state=s2"
        ),
        judge: redirect_uri::http_for_https_is_refused,
    },
    Check {
        id: "authorize/two-redirect-uris-are-refused",
        title: "a request with two redirect_uri parameters is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-15",
        cites: &[Rfc(6749, "3.1"), Rfc(6749, "4.1.2.1")],
        explain: "No parameter may stand twice. Of two redirect URIs the part that validates often reads the first and \
            the part that redirects the last, and between them the code goes to a stranger. Refuse the request before \
            either is used, whichever of them is registered.",
        passes: concat!(
            granted!(),
            asks_for!("https://client.example/callback&redirect_uri=https://rogue.test/"),
            "< 400 error=invalid_request"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback&redirect_uri=https://rogue.test/"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        judge: redirect_uri::two_are_refused,
    },
    Check {
        id: "authorize/unknown-client-is-not-redirected",
        title: "a request with an unknown client_id is refused without a redirect",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-20",
        cites: &[Rfc(6749, "4.1.2.1")],
        explain: "Nobody registered a redirect URI for a client that does not exist, so the one in the request is a \
            stranger's word. A server that reports the error there forwards its users wherever a link says. Show the error \
            instead. Salesforce answers 400 with invalid_client_id; a new app needs some minutes until it is known \
            everywhere, and an external client app is known on its My Domain only.",
        passes: concat!(
            granted!(),
            "> GET authorize response_type=code&client_id=nobody&redirect_uri=https://client.example/callback&state=s2\n\
             < 400 error=invalid_client_id&error_description=client%20identifier%20invalid"
        ),
        fails: "> GET authorize response_type=code&client_id=nobody&redirect_uri=https://client.example/callback&state=s2\n\
            < 302\n\
            < Location: https://client.example/callback?error=unauthorized_client&state=s2",
        judge: redirect_uri::unknown_client_is_not_redirected,
    },
    Check {
        id: "authorize/unknown-response-type-is-refused",
        title: "an unknown response_type is refused with unsupported_response_type and the state",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-23",
        cites: &[Rfc(6749, "3.1.1"), Rfc(6749, "4.1.2.1")],
        explain: "A response type that the server does not know must not be taken for another one: the client would be \
            given something that it did not ask for, and does not expect where it arrives. The error goes to the client as \
            unsupported_response_type with its state, so that it can tell what happened. A server that does not trust the \
            redirect URI may show the error on a page instead; that page should name it.",
        passes: concat!(
            granted!(),
            "> GET authorize response_type=bogus&client_id=main&redirect_uri=https://client.example/callback&state=s2\n\
             < 302\n\
             < Location: https://client.example/callback?error=unsupported_response_type&state=s2"
        ),
        fails: "> GET authorize response_type=bogus&client_id=main&redirect_uri=https://client.example/callback&state=s2\n\
            < 302\n\
            < Location: https://client.example/callback?code=C2&state=s2",
        judge: response::unknown_response_type_is_refused,
    },
    Check {
        id: "authorize/unknown-parameter-is-ignored",
        title: "a parameter that the server does not know changes nothing",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-25",
        cites: &[Rfc(6749, "3.1")],
        explain: "Extensions of OAuth add parameters, and a client sends them without knowing which server understands \
            them. A server that refuses what it does not know breaks such clients for no gain. Read the parameters that \
            you know and leave the others alone.",
        passes: concat!(
            asks_for!("https://client.example/callback&extra=foobar"),
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        fails: concat!(
            granted!(),
            asks_for!("https://client.example/callback&extra=foobar"),
            "< 302\n",
            "< Location: https://client.example/callback?error=invalid_request&state=s2"
        ),
        judge: response::unknown_parameter_is_ignored,
    },
    Check {
        id: "authorize/denial-is-told",
        title: "when the user says no, the client is told access_denied with its state",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-30",
        cites: &[Rfc(6749, "4.1.2.1")],
        explain: "A user who refuses goes back to the client, which learns of it by error=access_denied and by its own \
            state; otherwise it waits for ever, or takes the answer for a forged one. Salesforce sends access_denied with \
            the description end-user denied authorization; the access-denied of one sample in its help has not been seen \
            on the wire. On the approval page it is the Deny button that sends it.",
        passes: concat!(
            granted!(),
            asks_for!("https://client.example/callback"),
            "! tweak the user denies\n",
            "< 302\n",
            "< Location: https://client.example/callback?error=access_denied&state=s2"
        ),
        fails: concat!(
            granted!(),
            asks_for!("https://client.example/callback"),
            "! tweak the user denies\n",
            "< 200 <p>You did not allow access. You may close this window.</p>"
        ),
        judge: response::denial_is_told,
    },
];
