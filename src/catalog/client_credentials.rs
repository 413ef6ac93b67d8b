//! The client credentials grant (RFC 6749 §4.4), and what Salesforce asks of it beyond.

use super::Cite::{Rfc, Salesforce};
use super::{Check, Judgement, Party};
use crate::oauth::grant::client_credentials::GRANT_TYPE;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "client-credentials/right-secret-is-granted",
        title: "a client credentials request with the right secret is granted",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CC-01",
        cites: &[Rfc(6749, "4.4.2"), Rfc(6749, "4.4.3")],
        explain: "A confidential client that is allowed this grant gets an access token for its own \
            credentials. If it is refused, no server-to-server integration works. On Salesforce, look at three places: \
            the flow is enabled in the app's OAuth settings, it is enabled again in its policies with a Run As user, \
            and the request goes to the My Domain host.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 400 {\"error\":\"invalid_grant\"}",
        judge: right_secret_is_granted,
    },
    Check {
        id: "client-credentials/wrong-secret-is-refused",
        title: "a client credentials request with a wrong secret is refused with invalid_client",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CC-03",
        cites: &[Rfc(6749, "5.2"), Rfc(6749, "3.2.1")],
        explain: "In this grant the secret is all that stands between a stranger and the data: a server that takes a \
            wrong one hands out tokens to anybody who knows the public client_id. Compare the whole secret, in constant time, \
            and answer invalid_client.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 401 {\"error\":\"invalid_client\"}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=x\n\
            ! secret wrong\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        judge: wrong_secret_is_refused,
    },
    Check {
        id: "client-credentials/needs-a-run-as-user",
        title: "an app without an execution user is refused client credentials",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CC-05",
        cites: &[Salesforce("OAuth 2.0 Client Credentials Flow for Server-to-Server Integration")],
        explain: "Salesforce gives a client credentials token the permissions of the Run As user that the app's policy \
            names. An app without one must be refused (no client credentials user enabled): a token without a user would have \
            permissions that nobody chose. Set the Run As user in the policies of the app, not in its OAuth settings.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=client_credentials&client_id=no-run-as&client_secret=s\n\
            ! app no-run-as\n\
            ! secret right\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"no client credentials user enabled\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=no-run-as&client_secret=s\n\
            ! app no-run-as\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}",
        judge: needs_a_run_as_user,
    },
];

/// The role of an app that may use the flow but names no user; suites speak of it by this name.
const WITHOUT_USER: &str = "no-run-as";

/// A request that is well-formed as far as the record shows: right secret, an app that lists the flow, no tweak.
fn well_formed(t: &Transcript, x: &Exchange) -> bool {
    let listed = x
        .client_id()
        .and_then(|id| t.subject.app_of(id))
        .is_some_and(|app| app.flows.contains(&crate::subject::Flow::ClientCredentials));
    x.facts.secret_is_right == Some(true) && listed && x.tweak.is_none()
}

fn right_secret_is_granted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(GRANT_TYPE).filter(|x| well_formed(t, x) && x.response().is_some()) {
        j.holds(x.granted(), x, "200 with an access token");
    }
    j
}

fn wrong_secret_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let control = t.has_granted(GRANT_TYPE);
    for x in t.requests_of(GRANT_TYPE).filter(|x| x.facts.secret_is_right == Some(false)) {
        j.refused(x, control, &["invalid_client"], "the client secret is wrong");
    }
    j
}

/// Nothing that an app asks for beyond its own scope is granted. An answer that does not name the scope says that
/// all of what was asked for is (RFC 6749 §5.1).
pub(super) fn scope_is_not_widened(t: &Transcript, grant_type: &str) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(grant_type).filter(|x| x.facts.secret_is_right != Some(false)) {
        let Some(asked) = x.param("scope") else { continue };
        let app = x.client_id().and_then(|id| t.subject.app_of(id)).filter(|app| !app.scopes.is_empty());
        let Some(app) = app else { continue };
        let own = |scope: &str| app.scopes.iter().any(|own| own == scope || own == "full");
        let beyond: Vec<&str> = asked.split_whitespace().filter(|scope| !own(scope)).collect();
        if beyond.is_empty() {
            continue;
        }
        let expected =
            format!("a refusal, or a token without {}: the app does not have it", beyond.join(", "));
        match x.text("scope") {
            Some(told) if x.granted() && !told.split(' ').any(|told| beyond.contains(&told)) => j.pass(),
            Some(told) if x.granted() => j.fail(&[x], expected, format!("a token with scope {told}")),
            None if x.granted() => {
                j.fail(&[x], expected, "a token, and no scope in the answer: all of what was asked for");
            }
            _ if !(400..500).contains(&x.status()) || x.status() == 429 => {}
            _ if t.has_granted(grant_type) => j.pass(),
            _ => j.unproved(&[x], expected, "it was refused, but nothing shows that the app is ever granted"),
        }
    }
    j
}

fn needs_a_run_as_user(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let control = t.has_granted(GRANT_TYPE);
    let without = |x: &&Exchange| x.app == WITHOUT_USER && x.facts.secret_is_right == Some(true);
    for x in t.requests_of(GRANT_TYPE).filter(without) {
        j.refused(x, control, &["invalid_grant"], "the app names no user to run as");
    }
    j
}
