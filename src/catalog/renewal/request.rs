//! The refresh request itself.

use super::*;
use crate::oauth::salesforce::Profile;
use crate::subject::ClientAuth;
use crate::transcript::questions::same_origin;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "renewal/refresh-is-a-form-post",
        title: "a refresh is a form that is posted, with one refresh token of the client and its right authentication",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-01",
        cites: &[Rfc(6749, "6"), Rfc(6749, "3.2"), Rfc(6749, "2.3")],
        explain: "The refresh request is a POST with a form body: grant_type=refresh_token, the refresh token once, and the client \
            authentication that the app is registered with, in one way and not in two. A token in the URL stands in every log on the \
            way; a JSON body is not read by Salesforce, which answers unsupported_grant_type; a wrong or missing secret is \
            invalid_client. Build the request with the same code as the first token request, and send no access token in place of \
            the refresh token.",
        passes: concat!(login!(), refresh!("R1" => "A2")),
        fails: concat!(
            login!(),
            "> GET token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=s\n< 405\n"
        ),
        judge: refresh_is_a_form_post,
    },
    Check {
        id: "renewal/refresh-widens-no-scope",
        title: "a refresh asks for no scope beyond that of the grant",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLR-35",
        cites: &[Rfc(6749, "6")],
        explain: "A refresh renews what the user agreed to; it may ask for less, and must not ask for more. A client that sends its \
            configured scope with every refresh is refused with invalid_scope the day after somebody adds a scope to its \
            configuration, for every grant from before. Leave the parameter out, which means the scope of the grant, and send the \
            user through a new authorization where more is needed.",
        passes: concat!(login!(), refresh!("R1" => "A2")),
        fails: concat!(login!(), refresh!("R1&scope=api+full" => error "invalid_scope")),
        judge: refresh_widens_no_scope,
    },
    Check {
        id: "renewal/no-scope-towards-salesforce",
        title: "a refresh at Salesforce has no scope parameter",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLR-46",
        cites: &[RENEWAL],
        explain: "Salesforce takes no scope with a refresh and answers invalid_request (scope parameter not supported), also where it \
            is the scope of the grant. A client whose library always adds the parameter works until its first access token ends, and \
            never after. Switch it off for Salesforce; a client that serves other servers too should have a setting for it.",
        passes: concat!("= salesforce\n", login!(), refresh!("R1" => "A2")),
        fails: concat!("= salesforce\n", login!(), refresh!("R1&scope=api" => error "invalid_request")),
        judge: no_scope_towards_salesforce,
    },
    Check {
        id: "renewal/redirected-refresh-stays-on-its-host",
        title: "the redirect of a refresh does not take the refresh token to another host",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLR-43",
        cites: &[Rfc(9700, "4.12"), Rfc(9110, "15.4")],
        explain: "A token endpoint answers; it has no reason to redirect. An HTTP library that follows 307 or 308 sends the form again, \
            with refresh token and client secret in it, to whatever host the answer names. Switch following off for token requests, \
            and take a redirect for what it is, an error. Where an org has moved, its new address belongs into the configuration.",
        passes: concat!(
            login!(),
            refresh!("R1" => raw "307\n< Location: https://rogue.example/token"),
            refresh!("R1" => "A2")
        ),
        fails: concat!(
            login!(),
            refresh!("R1" => raw "307\n< Location: https://rogue.example/token"),
            refresh!("R1" => "A2"),
            "! host https://rogue.example\n"
        ),
        judge: redirected_refresh_stays_on_its_host,
    },
];

fn refresh_is_a_form_post(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| is_refresh(x)) {
        match flaw(t, x) {
            Some((expected, observed)) => j.fail(&[x], expected, observed),
            None => j.pass(),
        }
    }
    j
}

/// What is wrong with a refresh request, as far as the record can tell.
fn flaw(t: &Transcript, x: &Exchange) -> Option<(&'static str, String)> {
    let form = x.request.form();
    if x.request.method != "POST" {
        return Some(("a POST", format!("a {}", x.request.method)));
    }
    if form.get("grant_type").is_none() || x.request.query().get("refresh_token").is_some() {
        return Some(("every parameter in a form body", "parameters elsewhere".to_owned()));
    }
    if let Some(name) = form.repeated() {
        return Some(("every parameter once", format!("{name} more than once")));
    }
    let Some(token) = refresh_token(x) else { return Some(("a refresh token", "none".to_owned())) };
    let origin = t.origin_of_refresh_token(token);
    if origin.is_none() && t.origin_of_access_token(token).is_some() {
        return Some(("a refresh token", "an access token".to_owned()));
    }
    if origin.is_some_and(|origin| !same_client(origin, x)) {
        return Some(("a refresh token of this client", "one that another client was given".to_owned()));
    }
    let sent = |name| form.get(name).is_some_and(|value| !value.is_empty());
    let basic = x.facts.basic_client_id.is_some();
    let ways =
        usize::from(sent("client_secret")) + usize::from(sent("client_assertion")) + usize::from(basic);
    if ways > 1 {
        return Some(("one way of client authentication", format!("{ways} of them")));
    }
    if x.facts.secret_is_right == Some(false) {
        return Some(("the secret of the app", "another one".to_owned()));
    }
    let app = x.client_id().and_then(|id| t.subject.app_of(id))?;
    let owes =
        app.client_auth != ClientAuth::None && t.subject.settings.flag("secret_for_refresh") != Some(false);
    (owes && ways == 0).then(|| ("the client authentication of the app", "none".to_owned()))
}

fn refresh_widens_no_scope(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    for grant in grants.iter() {
        for x in grant.refreshes() {
            let Some(asked) = x.param("scope") else {
                j.pass();
                continue;
            };
            // Some servers name the scope that asks for the refresh token itself in no answer.
            let told = |scope: &&str| !matches!(*scope, "refresh_token" | "offline_access" | "");
            let granted = grant.origin.and_then(|origin| t.granted_scope(origin));
            let expected = "no scope, or a part of that of the grant";
            match granted {
                None => j.unproved(&[x], expected, "the scope of the grant is not in the record"),
                // `full` stands for all that there is.
                Some(granted) if granted.split(' ').any(|scope| scope == "full") => j.pass(),
                Some(granted) => {
                    let more =
                        asked.split(' ').filter(told).find(|one| !granted.split(' ').any(|g| g == *one));
                    match more {
                        Some(more) => j.fail(&[x], expected, format!("{more}, which was not granted")),
                        None => j.pass(),
                    }
                }
            }
        }
    }
    j
}

fn no_scope_towards_salesforce(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if t.subject.profile == Profile::Salesforce {
        for x in t.exchanges.iter().filter(|x| is_refresh(x)) {
            match x.param("scope") {
                Some(_) => j.fail(&[x], "no scope parameter", "scope is sent"),
                None => j.pass(),
            }
        }
    }
    j
}

fn redirected_refresh_stays_on_its_host(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| is_refresh(x)) {
        let Some(token) = refresh_token(x) else { continue };
        let Some((to, _)) = x.response().and_then(|response| response.redirect()) else { continue };
        if !to.contains("://") || same_origin(&to, &x.request.url) {
            continue;
        }
        let holds = |y: &Exchange| {
            y.param("refresh_token") == Some(token) || token.len() > 15 && y.request.body.contains(token)
        };
        let followed = t.after(x).find(|y| same_origin(&y.request.url, &to) && y.began_after(x) && holds(y));
        match followed {
            Some(y) => j.fail(&[x, y], "no request to the other host", "the refresh token was sent there"),
            None => j.pass(),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn what_is_not_known_is_not_called_wrong() {
        let id = "renewal/refresh-is-a-form-post";
        comes_to(id, refresh!("R9" => "A2"), Verdict::Pass);
        comes_to(
            id,
            "> POST token grant_type=refresh_token&refresh_token=R9&client_id=who\n< 200\n",
            Verdict::Pass,
        );
        let bare = "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main\n< 200\n";
        comes_to(id, bare, Verdict::Fail);
        comes_to(id, &format!("= setting secret_for_refresh false\n{bare}"), Verdict::Pass);
        comes_to(id, &bare.replace("main", "public"), Verdict::Pass);
    }

    #[test]
    fn flaws_of_a_refresh() {
        let id = "renewal/refresh-is-a-form-post";
        for (from, to) in [
            ("R1", "R1&refresh_token=R1"),
            ("R1", ""),
            ("R1", "A1"),
            ("main&client_secret=s&refresh", "other&refresh"),
        ] {
            let refresh = refresh!("R1" => "A2").replace(from, to);
            comes_to(id, &format!("{}{refresh}", login!()), Verdict::Fail);
        }
        let wrong = refresh!("R1" => "A2").replace("secret right", "secret wrong");
        comes_to(id, &format!("{}{wrong}", login!()), Verdict::Fail);
    }

    #[test]
    fn a_narrower_scope_is_no_wider_one() {
        let id = "renewal/refresh-widens-no-scope";
        comes_to(id, concat!(login!(), refresh!("R1&scope=api+offline_access" => "A2")), Verdict::Pass);
        comes_to(id, refresh!("R1&scope=api" => "A2"), Verdict::Inconclusive);
        comes_to("renewal/no-scope-towards-salesforce", refresh!("R1&scope=api" => "A2"), Verdict::Skip);
    }

    #[test]
    fn a_redirect_within_the_host_may_be_followed() {
        let id = "renewal/redirected-refresh-stays-on-its-host";
        let within =
            concat!(login!(), refresh!("R1" => raw "307\n< Location: /token2"), refresh!("R1" => "A2"));
        comes_to(id, within, Verdict::Skip);
    }
}
