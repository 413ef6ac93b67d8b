//! The refresh of an access token (RFC 6749 §6): who may ask and for what.

mod tokens;

use super::Cite::{Rfc, Salesforce};
use super::{Check, Judgement, Party};
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};
use tokens::{
    Family, authenticated, credentials, first_call, has_refreshed, lists_refresh, lives, owner, refreshes,
    rejected, says, sound, works,
};

/// The redemption of a code by `main`, which gives R1 for the scope `api`.
macro_rules! code {
    () => {
        "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n! secret right\n\
         < 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"scope\":\"api\",\"token_type\":\"Bearer\"}\n"
    };
}

/// A refresh by `main` with this token (and more), and what comes of it.
macro_rules! refresh {
    ($token:literal => $($answer:tt)+) => {
        concat!(
            "> POST token grant_type=refresh_token&client_id=main&client_secret=s&refresh_token=",
            $token, "\n! secret right\n< ", answer!($($answer)+), "\n"
        )
    };
}

/// An access token (and a refresh token), a refusal, or anything else.
macro_rules! answer {
    (dead) => {
        "400 {\"error\":\"invalid_grant\",\"error_description\":\"expired access/refresh token\"}"
    };
    (busy) => {
        "400 {\"error\":\"invalid_grant\",\"error_description\":\"token request is already being processed\"}"
    };
    (raw $answer:literal) => {
        $answer
    };
    ($access:literal $($refresh:literal)?) => {
        concat!("200 {\"access_token\":\"", $access, "\"", $(",\"refresh_token\":\"", $refresh, "\"",)? "}")
    };
}

/// A refresh by `other` with R1, without its answer.
macro_rules! stranger {
    () => {
        "> POST token grant_type=refresh_token&refresh_token=R1&client_id=other&client_secret=o\n! secret right\n< "
    };
}

/// A refresh by `main` with R1 and no secret, without its answer.
macro_rules! unauthenticated {
    () => {
        "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main\n< "
    };
}

/// A call with this access token, and its answer.
macro_rules! call {
    ($access:literal => $answer:literal) => {
        concat!("> GET api\n> Authorization: Bearer ", $access, "\n< ", $answer, "\n")
    };
}

pub(super) mod policy;
pub(super) mod renewal;
pub(super) mod rotation;

const RENEWAL: super::Cite = Salesforce("OAuth 2.0 Refresh Token Flow for Renewed Sessions");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "refresh/gives-a-working-access-token",
        title: "a living refresh token gives an access token that works",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-01",
        cites: &[Rfc(6749, "6"), Rfc(6749, "5.1")],
        explain: "A refresh token that nothing has ended is exchanged by its client for an access token, and the resource \
            server takes that token. Without it every integration stops when its first session ends, and a user has to log in \
            again. On Salesforce, look at the app's refresh token policy (anything but \"immediately expire\"), whether the app \
            has the scope refresh_token, and whether the request goes to the org that issued the token; five approvals per user \
            and app are kept, and a further one ends the oldest.",
        passes: concat!(code!(), refresh!("R1" => "A2"), call!("A2" => "200 []")),
        fails: concat!(code!(), call!("A1" => "200 []"), refresh!("R1" => "A2"), call!("A2" => "401")),
        judge: gives_a_working_access_token,
    },
    Check {
        id: "refresh/unknown-token-is-refused",
        title: "a refresh token that was never issued is refused with 400 invalid_grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-02",
        cites: &[Rfc(6749, "6"), Rfc(6749, "5.2")],
        explain: "The server must look the refresh token up and refuse one that it did not issue, however much it resembles a \
            real one. A server that grants it hands access tokens to whoever can make up a string. The answer is 400 with \
            invalid_grant: clients take that code, and no other, as the sign that the user must log in again.",
        passes: concat!(code!(), refresh!("R1" => "A2"), refresh!("R1x\n! tweak with refresh_token" => dead)),
        fails: concat!(code!(), refresh!("R1x\n! tweak with refresh_token" => "A2")),
        judge: unknown_token_is_refused,
    },
    Check {
        id: "refresh/token-is-bound-to-its-client",
        title: "a refresh token is refused when another client presents it",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-03",
        cites: &[Rfc(6749, "6"), Rfc(6749, "10.4")],
        explain: "A refresh token belongs to the client that it was issued to, and the server must check that binding even where \
            the presenting client authenticates well. Otherwise a stolen token works in the thief's own app, and no secret of the \
            robbed app protects it. Compare the client of the grant with the client of the request and answer invalid_grant; \
            a server may also end the token then, as somebody else evidently holds it.",
        passes: concat!(code!(), refresh!("R1" => "A2"), stranger!(), answer!(dead)),
        fails: concat!(code!(), stranger!(), answer!("A2")),
        judge: token_is_bound_to_its_client,
    },
    Check {
        id: "refresh/confidential-client-must-authenticate",
        title: "a confidential client that does not authenticate is refused a refresh",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-04",
        cites: &[Rfc(6749, "6"), Rfc(6749, "3.2.1"), RENEWAL],
        explain: "A client that has credentials must prove who it is at every refresh, so that a leaked refresh token alone is \
            worth nothing. On Salesforce this is the app's setting \"Require Secret for Refresh Token Flow\" \
            (isSecretRequiredForRefreshToken), on by default. If it is off on purpose, because the same app also serves clients \
            that keep no secret, say so in the target (secret_for_refresh: false), and switch refresh token rotation on.",
        passes: concat!(
            code!(),
            refresh!("R1" => "A2"),
            unauthenticated!(),
            "400 {\"error\":\"invalid_client\"}"
        ),
        fails: concat!(code!(), unauthenticated!(), answer!("A2")),
        judge: confidential_client_must_authenticate,
    },
    Check {
        id: "refresh/scope-is-never-widened",
        title: "a refresh that asks for more scope than was granted does not get it",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-05",
        cites: &[Rfc(6749, "6"), Rfc(6749, "5.2"), Rfc(6749, "3.3")],
        explain: "The user agreed to a scope once; a refresh may narrow it and never add to it, even where the app is allowed \
            more. Otherwise consent to a harmless scope becomes consent to every scope of the app. Refuse with invalid_scope, or \
            leave the surplus out and name the scope that was granted. Salesforce takes no scope here at all and answers \
            invalid_request (scope parameter not supported).",
        passes: concat!(
            code!(),
            refresh!("R1" => "A2"),
            refresh!("R1&scope=api+full" => raw "400 {\"error\":\"invalid_scope\"}")
        ),
        fails: concat!(
            code!(),
            refresh!("R1&scope=api+full" => raw "200 {\"access_token\":\"A2\",\"scope\":\"api full\"}")
        ),
        judge: scope_is_never_widened,
    },
];

fn gives_a_working_access_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in refreshes(t).filter(|(x, _)| x.race.is_none() && x.tweak.is_none() && sound(t, x)) {
        if x.granted() {
            j.pass();
            let expected = "the access token of the refresh works";
            match first_call(t, x).filter(|call| rejected(call)) {
                Some(call) if works(t, call) => j.fail(&[x, call], expected, call.outcome()),
                Some(call) => {
                    j.unproved(&[x, call], expected, "no other access token was seen to work there")
                }
                None => {}
            }
        } else if lists_refresh(t, x) && owner(t, token) == x.client_id() && lives(t, token, x) {
            j.fail(&[x], "200 with an access token", x.outcome());
        }
    }
    j
}

fn unknown_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // A token may have been given from outside of the record: only one that was put there on purpose is unknown.
    let tweaked = |x: &Exchange| x.tweak.as_ref().is_some_and(|tweak| tweak.contains("with refresh_token"));
    for (x, token) in refreshes(t).filter(|(x, _)| tweaked(x)) {
        let works = |(y, other): (&Exchange, &str)| other == token && y.granted() && !tweaked(y);
        if t.origin_of_refresh_token(token).is_some() || refreshes(t).any(works) {
            continue;
        }
        if x.hands_out_a_token() || sound(t, x) {
            let control = has_refreshed(t, x.client_id());
            j.refused(x, control, &["invalid_grant"], "the refresh token was never issued");
            if control && (401..500).contains(&x.status()) && says(x, "invalid_grant") {
                j.fail_lesser(&[x], "400 (RFC 6749 §5.2)", x.outcome());
            }
        }
    }
    j
}

fn token_is_bound_to_its_client(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let because = "the refresh token was issued to another client";
    for (x, token) in refreshes(t) {
        let Some(owner) = owner(t, token).filter(|&owner| x.client_id().is_some_and(|id| id != owner)) else {
            continue;
        };
        if x.facts.basic_client_id.as_deref().is_some_and(|id| Some(id) != x.client_id()) {
            continue;
        }
        if x.hands_out_a_token() {
            let origin = t.origin_of_refresh_token(token);
            let seen: Vec<_> = origin.into_iter().chain([x]).collect();
            j.fail(&seen, format!("a refusal with invalid_grant: {because}"), x.outcome());
        } else if sound(t, x) && lives(t, token, x) {
            // A client that may not refresh at all is refused for that, whoever's token it is.
            let control = has_refreshed(t, Some(owner)) && (lists_refresh(t, x) || says(x, "invalid_grant"));
            j.refused(x, control, &["invalid_grant"], because);
        }
    }
    j
}

fn confidential_client_must_authenticate(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in refreshes(t).filter(|(x, _)| credentials(x) == 0) {
        let owner = owner(t, token);
        let Some(client) = x.client_id().or(owner).filter(|&id| owner.is_none_or(|owner| owner == id)) else {
            continue;
        };
        if t.subject.settings_of(Some(client)).flag("secret_for_refresh") == Some(false) {
            continue;
        }
        let public = t.subject.app_of(client).is_none_or(|app| app.public);
        let authenticates = |y: &Exchange| y.client_id() == Some(client) && credentials(y) > 0;
        if public || !t.exchanges.iter().any(authenticates) {
            continue;
        }
        let control = refreshes(t).any(|(y, _)| y.granted() && authenticates(y));
        let alone = x.param("scope").is_none() && lives(t, token, x);
        if x.hands_out_a_token() || alone || says(x, "invalid_client") {
            let errors = ["invalid_client", "invalid_request"];
            j.refused(x, control, &errors, "a confidential client did not authenticate");
        }
    }
    j
}

fn scope_is_never_widened(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let errors: &[&str] = match t.subject.profile {
        Profile::Rfc => &["invalid_scope"],
        Profile::Salesforce => &["invalid_scope", "invalid_request"],
    };
    for (x, token) in refreshes(t).filter(|(x, token)| owner(t, token) == x.client_id()) {
        // Who names no scope asks for what was granted (RFC 6749 §6); what comes on top of that is more.
        let unasked = x.granted() && x.param("scope").is_none();
        let told = x.text("scope").filter(|_| unasked);
        let Some(asked) = x.request.form().get("scope").or(told) else { continue };
        let family = Family::of(t, token);
        let Some(granted) = family.origin.and_then(|origin| t.granted_scope(origin)) else { continue };
        let had = |value: &str| granted.split(' ').any(|g| g == value || g == "full");
        let surplus: Vec<&str> = asked.split(' ').filter(|v| !v.is_empty() && !had(v)).collect();
        if surplus.is_empty() {
            continue;
        }
        let because = format!("{} was not granted at first", surplus.join(" "));
        match (x.granted(), x.text("scope")) {
            (true, Some(scope)) if !scope.split(' ').any(|v| surplus.contains(&v)) => j.pass(),
            (true, Some(scope)) => {
                j.fail(&[x], format!("no more scope: {because}"), format!("granted with scope {scope}"));
            }
            (true, None) => j.fail_lesser(
                &[x],
                format!("a refusal, or the scope that was granted: {because}"),
                "granted without naming a scope, which says that all that was asked for was granted (RFC 6749 §5.1)",
            ),
            (false, _) if authenticated(t, x) && x.request.form().repeated().is_none() && lives(t, token, x) => {
                j.refused(x, has_refreshed(t, x.client_id()), errors, &because);
            }
            (false, _) => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn more_scope_is_more_though_nobody_asked_for_it() {
        let id = "refresh/scope-is-never-widened";
        let told = |scope: &str| {
            let answer = format!("200 {{\"access_token\":\"A2\",\"scope\":\"{scope}\"}}");
            let refresh = refresh!("R1" => dead).replace(answer!(dead), &answer);
            verdict(id, &format!("{}{refresh}", code!()))
        };
        assert_eq!(told("api full"), Verdict::Fail);
        assert_eq!(told("api"), Verdict::Skip);
    }

    #[test]
    fn a_refresh_that_something_speaks_against_may_be_refused() {
        let id = "refresh/gives-a-working-access-token";
        let refused = refresh!("R1" => dead);
        let after = |what: &str| verdict(id, &format!("{}{what}\n{refused}", code!()));
        assert_eq!(after(""), Verdict::Fail);
        for what in [
            "> POST revoke token=A1\n< 200",
            "> POST token grant_type=refresh_token&refresh_token=R1&client_id=other\n< 400 {\"error\":\"invalid_grant\"}",
            "> POST token grant_type=authorization_code&code=C&client_id=main\n< 400 {\"error\":\"invalid_grant\"}",
            "> POST token grant_type=refresh_token&refresh_token=R1&client_id=main\n< nothing",
            "+ 2h",
            "= setting refresh_policy zero",
        ] {
            assert_eq!(after(what), Verdict::Skip, "{what}");
        }
        assert_eq!(after("= setting refresh_policy infinite\n+ 30d"), Verdict::Fail);
        // Of redemptions at once the one that was sent first may lose, and take the grant with it.
        let lost = "> POST token grant_type=authorization_code&code=C&client_id=main\n< 400 {\"error\":\"invalid_grant\"}\n";
        let raced = format!("{lost}= hold\n{}= release\n{refused}", code!());
        assert_eq!(verdict(id, &raced), Verdict::Skip);
        // One that was over before the code won is another matter.
        assert_eq!(verdict(id, &format!("{lost}{}{refused}", code!())), Verdict::Fail);
    }

    #[test]
    fn a_new_access_token_may_expire() {
        let id = "refresh/gives-a-working-access-token";
        let begin = concat!(code!(), call!("A1" => "200 []"), refresh!("R1" => "A2"));
        let refused = |before: &str| verdict(id, &format!("{begin}{before}\n{}", call!("A2" => "401")));
        assert_eq!((refused(""), refused("+ 5m")), (Verdict::Fail, Verdict::Pass));
        assert_eq!(refused("= setting access_token_ttl 15m\n+ 5m"), Verdict::Fail);
        assert_eq!(refused("> POST revoke token=R1\n< 200"), Verdict::Pass);
        let alone = concat!(code!(), refresh!("R1" => "A2"), call!("A2" => "401"));
        assert_eq!(verdict(id, alone), Verdict::Inconclusive, "the resource may refuse every token");
    }

    #[test]
    fn a_refused_stranger_proves_nothing_without_the_owner() {
        let id = "refresh/token-is-bound-to-its-client";
        let refused = |before: &str, error: &str| {
            verdict(id, &format!("{}{before}{}400 {{\"error\":\"{error}\"}}", code!(), stranger!()))
        };
        assert_eq!(refused("", "invalid_grant"), Verdict::Inconclusive);
        assert_eq!(refused(refresh!("R1" => "A2"), "invalid_client"), Verdict::Fail, "of less weight");
        assert_eq!(refused(refresh!("R1" => "A2" "R2"), "invalid_grant"), Verdict::Skip, "R1 is dead");
    }

    #[test]
    fn a_secret_that_is_not_asked_for_may_be_left_out() {
        let id = "refresh/confidential-client-must-authenticate";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, fails), Verdict::Fail);
        assert_eq!(verdict(id, &format!("= setting secret_for_refresh false\n{fails}")), Verdict::Skip);
        assert_eq!(verdict(id, &fails.replace("main", "public")), Verdict::Skip);
    }

    #[test]
    fn a_surplus_that_is_left_out_is_no_wider_scope() {
        let id = "refresh/scope-is-never-widened";
        let asked = |profile: &str, answer: &str| {
            let control = refresh!("R1" => "A2");
            let request = refresh!("R1&scope=api+full" => raw "ANSWER").replace("ANSWER", answer);
            verdict(id, &format!("= {profile}\n{}{control}{request}", code!()))
        };
        assert_eq!(asked("rfc", "200 {\"access_token\":\"A3\",\"scope\":\"api\"}"), Verdict::Pass);
        assert_eq!(asked("rfc", "400 {\"error\":\"invalid_request\"}"), Verdict::Fail);
        assert_eq!(asked("salesforce", "400 {\"error\":\"invalid_request\"}"), Verdict::Pass);
    }
}
