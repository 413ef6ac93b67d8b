//! The client credentials grant (RFC 6749 §4.4), and what Salesforce asks of it beyond.

use super::Cite::{Rfc, Salesforce};
use super::assertion::{same_user, shown_user};
use super::revocation::shows_credentials;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::client_credentials::GRANT_TYPE;
use crate::oauth::salesforce::{Profile, Refusal, outcome};
use crate::subject::Flow;
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
    Check {
        id: "client-credentials/public-client-is-refused",
        title: "a public client is refused client credentials",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CC-02",
        cites: &[Rfc(6749, "4.4"), Rfc(6749, "2.1")],
        explain: "This grant is for confidential clients and no others: its credentials are all that it asks for, and \
            a public client has none that anybody could not read out of it. A server that grants hands the \
            rights of the app to whoever knows its client_id. Refuse with invalid_client or unauthorized_client \
            before anything else is looked at, and do not offer the flow for such an app.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=client_credentials&client_id=public\n\
            < 400 {\"error\":\"unauthorized_client\"}",
        fails: "> POST token grant_type=client_credentials&client_id=public\n\
            < 200 {\"access_token\":\"B\",\"token_type\":\"Bearer\"}",
        judge: public_client_is_refused,
    },
    Check {
        id: "client-credentials/unlisted-app-is-refused",
        title: "an app for which the flow is switched off is refused client credentials",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CC-04",
        cites: &[
            Rfc(6749, "5.2"),
            Rfc(6749, "4.4"),
            Salesforce("OAuth 2.0 Client Credentials Flow for Server-to-Server Integration"),
        ],
        explain: "That an app has a secret does not say that it may act without a user: most apps have one to redeem \
            codes. A server that grants client credentials to each of them gives rights that no admin gave. Look \
            the grant up in the registration of the app and answer unauthorized_client; Salesforce answers \
            invalid_grant (client credentials flow not enabled). The flows of an app are what the target lists.",
        passes: "= unlisted other client-credentials\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=client_credentials&client_id=other&client_secret=s\n\
            ! secret right\n\
            < 400 {\"error\":\"unauthorized_client\"}",
        fails: "= unlisted other client-credentials\n\
            > POST token grant_type=client_credentials&client_id=other&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"B\",\"token_type\":\"Bearer\"}",
        judge: unlisted_app_is_refused,
    },
    Check {
        id: "client-credentials/acts-for-the-run-as-user",
        title: "a client credentials token acts for the Run As user of the app",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CC-06",
        cites: &[Salesforce("OAuth 2.0 Client Credentials Flow for Server-to-Server Integration")],
        explain: "On Salesforce a token without a user does not exist: client credentials act for the Run As user that \
            the policy of the app names, with the permissions of that user, and records bear that name. A token \
            for somebody else writes under a stranger's name and may reach what nobody meant it to. Look at the \
            identity URL of the answer when permissions are not what they should be. The policy of the app in \
            the target, or the target's user integration, states who it has to be.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"preferred_username\":\"svc@example.com\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > GET userinfo\n\
            > Authorization: Bearer A\n\
            < 200 {\"preferred_username\":\"stranger@example.com\"}",
        judge: acts_for_the_run_as_user,
    },
    Check {
        id: "client-credentials/scope-is-not-widened",
        title: "client credentials do not bring a scope that the app does not have",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CC-08",
        cites: &[Rfc(6749, "4.4.2"), Rfc(6749, "3.3"), Rfc(6749, "5.1")],
        explain: "No user is there to say no, so the registration of the app is the only bound of what it gets. What \
            goes beyond must not come back: refuse with invalid_scope, or grant less and say in scope what was \
            granted. An answer without scope says that all of what was asked for is in the token. Salesforce \
            takes no scope here at all. The scopes of an app are what the target lists.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s&scope=admin\n\
            ! secret right\n\
            < 400 {\"error\":\"invalid_scope\"}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s&scope=admin\n\
            ! secret right\n\
            < 200 {\"access_token\":\"B\",\"token_type\":\"Bearer\",\"scope\":\"admin\"}",
        judge: scope_stays,
    },
    Check {
        id: "client-credentials/needs-a-scope-without-a-user",
        title: "an app with scopes of users alone is refused client credentials",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CC-09",
        cites: &[Salesforce("OAuth 2.0 Client Credentials Flow for Server-to-Server Integration")],
        explain: "full, web and refresh_token mean nothing without a user in front of a screen, and Salesforce drops \
            them from client credentials without a word. An app that has nothing else is refused (no valid \
            scopes defined) since Winter '26; before, it got a token that opened nothing. Give the app a scope \
            that stands for an API, such as api. The target's app user-scopes states which app it is.",
        passes: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            ! secret right\n\
            < 200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}\n\
            > POST token grant_type=client_credentials&client_id=user-scopes&client_secret=s\n\
            ! app user-scopes\n\
            ! secret right\n\
            < 400 {\"error\":\"invalid_grant\",\"error_description\":\"no valid scopes defined\"}",
        fails: "= salesforce\n\
            > POST token grant_type=client_credentials&client_id=user-scopes&client_secret=s\n\
            ! app user-scopes\n\
            ! secret right\n\
            < 200 {\"access_token\":\"B\",\"token_type\":\"Bearer\"}",
        judge: needs_a_scope_without_a_user,
    },
];

/// The role of an app that may use the flow but names no user; suites speak of it by this name.
const WITHOUT_USER: &str = "no-run-as";

/// The role of an app that may use the flow and has no scope for it.
const WITHOUT_SCOPE: &str = "user-scopes";

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
        if !has_nobody_to_run_as(t, x) {
            j.holds(x.granted(), x, "200 with an access token");
        }
    }
    j
}

/// Whether it is refused because the app lacks a user, or a scope that needs none, and nothing shows that it has them. On
/// an org that is not ours, what an admin gave the app is not in the target.
fn has_nobody_to_run_as(t: &Transcript, x: &Exchange) -> bool {
    let meant = [WITHOUT_USER, WITHOUT_SCOPE].contains(&x.app.as_str());
    let app = x.client_id().and_then(|id| t.subject.app_of(id));
    // The texts are Salesforce's; the RFCs have none for it, and every refusal would look like that.
    let unknown = t.subject.profile == Profile::Salesforce && app.is_none_or(|app| app.run_as.is_none());
    let Some(error) = x.error().filter(|_| meant || unknown) else { return false };
    let told = |name: &str| match outcome(Endpoint::Token, name)?.refusal(t.subject.profile) {
        Refusal::Error { status, error: codes, description } => {
            let described = error.description.as_deref().is_some_and(|text| description.contains(&text));
            let fits = status.contains(&x.status()) && codes.contains(&error.error.as_str());
            (fits && (description.is_empty() || described)).then_some(())
        }
        _ => None,
    };
    ["no-run-as-user", "no-valid-scopes"].iter().any(|name| told(name).is_some())
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
                // RFC 6749 §5.1 takes this for all of what was asked for; whether it is, no answer shows.
                j.fail_lesser(
                    &[x],
                    expected,
                    "a token, and no scope in the answer: all of what was asked for",
                );
            }
            _ if !(400..500).contains(&x.status()) || x.status() == 429 => {}
            _ if t.has_granted(grant_type) => j.pass(),
            _ => j.unproved(&[x], expected, "it was refused, but nothing shows that the app is ever granted"),
        }
    }
    j
}

fn scope_stays(t: &Transcript) -> Judgement {
    scope_is_not_widened(t, GRANT_TYPE)
}

fn public_client_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let control = t.has_granted(GRANT_TYPE);
    let public = |x: &&Exchange| {
        x.client_id().and_then(|id| t.subject.app_of(id)).is_some_and(|app| app.public)
            && !shows_credentials(x)
    };
    for x in t.requests_of(GRANT_TYPE).filter(public) {
        j.refused(x, control, &[], "the client is public and shows nothing");
    }
    j
}

fn unlisted_app_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let control = t.has_granted(GRANT_TYPE);
    for x in t.requests_of(GRANT_TYPE).filter(|x| x.facts.secret_is_right == Some(true)) {
        // Where no flow is listed, nothing is known of the app, or its policies stand in the way of all.
        let app = x.client_id().and_then(|id| t.subject.app_of(id)).filter(|app| !app.flows.is_empty());
        if app.is_some_and(|app| !app.flows.contains(&Flow::ClientCredentials)) {
            j.refused(x, control, &[], "the app does not list the flow");
        }
    }
    j
}

fn acts_for_the_run_as_user(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.requests_of(GRANT_TYPE).filter(|x| x.granted() && t.subject.profile == Profile::Salesforce) {
        let app = x.client_id().and_then(|id| t.subject.app_of(id));
        let Some(user) = app.and_then(|app| app.run_as.as_deref()) else { continue };
        match shown_user(t, x) {
            Some((_, name)) if same_user(name, user) => j.pass(),
            Some((z, name)) => {
                j.fail(&[x, z], format!("a token that acts for {user}"), format!("it acts for {name}"));
            }
            None => {}
        }
    }
    j
}

fn needs_a_scope_without_a_user(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let control = t.has_granted(GRANT_TYPE);
    let without = |x: &&Exchange| x.app == WITHOUT_SCOPE && x.facts.secret_is_right == Some(true);
    for x in t.requests_of(GRANT_TYPE).filter(without) {
        j.refused(x, control, &["invalid_grant", "invalid_scope"], "the app has scopes of users alone");
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

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn an_app_that_nobody_let_run_says_nothing_of_the_secret() {
        let id = "client-credentials/right-secret-is-granted";
        let refused = |facts: &str, text: &str| {
            format!(
                "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n! secret right\n{facts}\
                 < 400 {{\"error\":\"invalid_grant\",\"error_description\":\"{text}\"}}\n"
            )
        };
        let lacks = "no client credentials user enabled";
        comes_to(id, &format!("= salesforce\n{}", refused("! app no-run-as\n", lacks)), Verdict::Skip);
        let scopes = refused("! app user-scopes\n", "no valid scopes defined");
        comes_to(id, &format!("= salesforce\n{scopes}"), Verdict::Skip);
        comes_to(id, &refused("! app no-run-as\n", "whatever"), Verdict::Skip);
        comes_to(id, &format!("= salesforce\n{}", refused("! app no-run-as\n", "whatever")), Verdict::Fail);
        // The record has a user for this one to run as.
        comes_to(id, &format!("= salesforce\n{}", refused("", lacks)), Verdict::Fail);
    }
}
