//! How long a refresh token lives, used and unused, and for whom it must be rotated.

use super::super::Cite::{Rfc, Salesforce};
use super::super::resource::ended;
use super::super::{Check, Judgement, Party};
use super::tokens::{
    Family, calls_with, has_refreshed, owner, refreshes, rejected, reuses, says, sound, works,
};
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

const POLICY: super::super::Cite =
    Salesforce("Manage OAuth Access Policies for a Connected App: Refresh Token Policy");

/// A refresh by the public app with R1, without its answer.
macro_rules! public {
    () => {
        "> POST token grant_type=refresh_token&refresh_token=R1&client_id=public\n< "
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "refresh/public-client-gets-rotation",
        title: "a client without credentials is given a new refresh token with each refresh",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-08",
        cites: &[Rfc(9700, "2.2.2"), Rfc(9700, "4.14.2"), super::RENEWAL],
        explain: "Nothing but the refresh token itself stands between a public client's user and a thief: there is no secret to \
            ask for. So the token must either be bound to a key of the client or be rotated, which lets a copy be noticed as \
            soon as both copies are used. On Salesforce switch refresh token rotation on for every app that serves mobile, \
            desktop or browser clients (isRefreshTokenRotationEnabled). Answers with another token_type than Bearer are \
            taken for bound ones and not judged.",
        passes: concat!(
            public!(),
            "200 {\"access_token\":\"A2\",\"refresh_token\":\"R2\",\"token_type\":\"Bearer\"}\n"
        ),
        fails: concat!(public!(), "200 {\"access_token\":\"A2\",\"token_type\":\"Bearer\"}\n"),
        judge: public_client_gets_rotation,
    },
    Check {
        id: "refresh/reuse-kills-the-access-tokens",
        title: "the use of a rotated-out refresh token ends the access tokens of its grant",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Vendor,
        origin: "RF-11",
        cites: &[super::RENEWAL, Rfc(9700, "4.14.2")],
        explain: "When a rotated-out token comes back, one of two parties is a thief, and it may hold an access token as well as \
            a refresh token. Salesforce documents that both end then; an access token that goes on working leaves the \
            thief in for a whole session, which slides with every call. End the sessions of the grant together with its \
            refresh token. Servers with self-contained access tokens cannot, and RFC 9700 asks for no more than the refresh \
            token, so this is judged on orgs of Salesforce only.",
        passes: concat!(
            "= salesforce\n",
            code!(),
            refresh!("R1" => "A2" "R2"),
            call!("A2" => "200 []"),
            refresh!("R1" => dead),
            "> GET api\n> Authorization: Bearer OTHER\n< 200 []\n",
            call!("A2" => "401")
        ),
        fails: concat!(
            "= salesforce\n",
            code!(),
            refresh!("R1" => "A2" "R2"),
            refresh!("R1" => dead),
            call!("A2" => "200 []")
        ),
        judge: reuse_kills_the_access_tokens,
    },
    Check {
        id: "refresh/idle-token-expires",
        title: "a refresh token that was not used for as long as the policy says is refused",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "RF-18",
        cites: &[Rfc(9700, "4.14.2"), POLICY],
        explain: "Refresh tokens of integrations that nobody runs any more lie in old backups and on old machines, and are missed \
            by nobody. They should end when they were not used for some time. The check knows that time from the settings \
            of the target (refresh_policy: inactivity, refresh_token_ttl). On Salesforce choose \"Expire refresh token if not \
            used for\" in the app's refresh token policy; it is looked at whenever a token is used.",
        passes: concat!(
            "= setting refresh_policy inactivity\n= setting refresh_token_ttl 30d\n",
            code!(),
            refresh!("R1" => "A2"),
            "+ 31d\n",
            refresh!("R1" => dead)
        ),
        fails: concat!(
            "= setting refresh_policy inactivity\n= setting refresh_token_ttl 30d\n",
            code!(),
            "+ 31d\n",
            refresh!("R1" => "A2")
        ),
        judge: idle_token_expires,
    },
    Check {
        id: "refresh/idle-period-slides-with-use",
        title: "under an inactivity policy a refresh token that is used in time lives on",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "RF-19",
        cites: &[POLICY, Rfc(9700, "4.14.2")],
        explain: "The policy says \"if not used for\": each use begins the period anew. Where it is counted from the grant, every \
            integration stops after one period, however busy it is, and a user has to come and approve it again. Note the \
            moment of each refresh with the grant and count from there.",
        passes: concat!(
            "= setting refresh_policy inactivity\n= setting refresh_token_ttl 30d\n",
            code!(),
            "+ 27d\n",
            refresh!("R1" => "A2"),
            "+ 27d\n",
            refresh!("R1" => "A3")
        ),
        fails: concat!(
            "= setting refresh_policy inactivity\n= setting refresh_token_ttl 30d\n",
            code!(),
            "+ 27d\n",
            refresh!("R1" => "A2"),
            "+ 27d\n",
            refresh!("R1" => dead)
        ),
        judge: idle_period_slides_with_use,
    },
    Check {
        id: "refresh/lifetime-counts-from-the-grant",
        title: "under a lifetime policy neither use nor rotation prolongs a refresh token",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "RF-28",
        cites: &[POLICY, Rfc(9700, "4.14.2")],
        explain: "A fixed lifetime is there so that a user is asked again after that time. If each refresh begins it anew, or each \
            rotated token starts with a life of its own, the grant never ends, and the one who keeps it alive may be a thief. \
            Store the end with the grant, and give it to every token that comes of it. The check knows the time from the \
            settings of the target (refresh_policy: lifetime, refresh_token_ttl).",
        passes: concat!(
            "= setting refresh_policy lifetime\n= setting refresh_token_ttl 30d\n",
            code!(),
            "+ 20d\n",
            refresh!("R1" => "A2" "R2"),
            "+ 20d\n",
            refresh!("R2" => dead)
        ),
        fails: concat!(
            "= setting refresh_policy lifetime\n= setting refresh_token_ttl 30d\n",
            code!(),
            "+ 20d\n",
            refresh!("R1" => "A2" "R2"),
            "+ 20d\n",
            refresh!("R2" => "A3" "R3")
        ),
        judge: lifetime_counts_from_the_grant,
    },
];

/// The clock skew that is forgiven where the target does not say, in milliseconds.
const LEEWAY: i64 = 180_000;

/// How old a grant is when one of its refresh tokens is presented, and for how long it was not used.
struct Age<'t> {
    family: Family<'t>,
    /// Since the answer that began it.
    total: i64,
    /// Since the last use.
    idle: i64,
    /// The lifetime that the target states, and what is forgiven.
    ttl: i64,
    leeway: i64,
}

/// The ages of the grant at every refresh by its client, where the target states that policy.
fn ages<'t>(t: &'t Transcript, policy: &str) -> Vec<(&'t Exchange, &'t str, Age<'t>)> {
    let leeway = t.subject.settings.millis("leeway").unwrap_or(LEEWAY) + 1000;
    let stated = |x: &Exchange| {
        let settings = t.subject.settings_of(x.client_id());
        settings.millis("refresh_token_ttl").filter(|_| settings.word("refresh_policy") == Some(policy))
    };
    let own = |x: &Exchange, token: &str| owner(t, token).is_some() && owner(t, token) == x.client_id();
    let age = |(x, token): (&'t Exchange, &'t str)| {
        let ttl = stated(x)?;
        let family = Family::of(t, token);
        let first = family.origin.filter(|first| first.number < x.number)?;
        let used = t
            .before(x)
            .filter(|y| y.granted() && y.param("refresh_token").is_some_and(|r| family.refresh.contains(&r)));
        let last = used.map(ended).max().unwrap_or(0).max(ended(first));
        Some((x, token, Age { total: x.at - ended(first), idle: x.at - last, family, ttl, leeway }))
    };
    refreshes(t)
        .filter(|(x, token)| x.race.is_none() && sound(t, x) && own(x, token))
        .filter_map(age)
        .collect()
}

/// Judges a refresh that comes too late.
fn too_late(j: &mut Judgement, t: &Transcript, x: &Exchange, token: &str, age: &Age<'_>, because: &str) {
    let alone = t.rotated_before(token, x).is_none() && !t.before(x).any(|y| age.family.disturbs(t, y));
    if x.hands_out_a_token() {
        j.fail(&[x], format!("a refusal with invalid_grant: {because}"), x.outcome());
    } else if alone {
        j.refused(x, has_refreshed(t, x.client_id()), &["invalid_grant"], because);
    }
}

fn public_client_gets_rotation(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let public = |x: &Exchange| {
        x.client_id().and_then(|id| t.subject.app_of(id)).is_some_and(|app| app.public && !app.key_bound)
    };
    let bearer = |x: &Exchange| x.text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    for (x, token) in refreshes(t).filter(|(x, _)| x.granted() && public(x) && bearer(x)) {
        let expected = "a new refresh token in place of the one that a client without credentials presented";
        match x.text("refresh_token") {
            Some(new) if new != token => j.pass(),
            Some(_) => j.fail(&[x], expected, "the same refresh token again"),
            None => j.fail(&[x], expected, "no refresh token, so that the old one goes on"),
        }
    }
    j
}

fn reuse_kills_the_access_tokens(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if t.subject.profile != Profile::Salesforce {
        return j;
    }
    let detected = |x: &Exchange| !x.granted() && sound(t, x) && says(x, "invalid_grant");
    for (x, token, _) in reuses(t).filter(|(x, ..)| detected(x)) {
        let family = Family::of(t, token);
        let handed = |z: &Exchange| {
            let own = |y: &&Exchange| y.granted() && y.number < x.number && calls_with(t, z, y);
            t.grants().filter(own).any(|y| y.text("access_token").is_some_and(|a| family.access.contains(&a)))
        };
        for z in t.after(x).filter(|z| z.began_after(x) && handed(z) && !family.was_revoked(t, z)) {
            if (200..300).contains(&z.status()) {
                let expected = "401: a refresh token of the same grant had been used again";
                j.fail(&[x, z], expected, z.outcome());
            } else if rejected(z) && works(t, z) {
                j.pass();
            }
        }
    }
    j
}

fn idle_token_expires(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token, age) in ages(t, "inactivity").iter().filter(|(.., age)| age.idle > age.ttl + age.leeway) {
        too_late(&mut j, t, x, token, age, "the refresh token was not used for longer than the policy says");
    }
    j
}

fn idle_period_slides_with_use(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let kept = |age: &Age<'_>| age.idle < age.ttl - age.leeway && age.total > age.ttl + age.leeway;
    for (x, token, age) in ages(t, "inactivity").iter().filter(|(.., age)| kept(age)) {
        let alone = t.rotated_before(token, x).is_none() && !t.before(x).any(|y| age.family.disturbs(t, y));
        if x.granted() {
            j.pass();
        } else if alone && says(x, "invalid_grant") {
            j.fail(
                &[x],
                "200 with an access token: the refresh token was used within the idle period",
                x.outcome(),
            );
        }
    }
    j
}

fn lifetime_counts_from_the_grant(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token, age) in ages(t, "lifetime").iter().filter(|(.., age)| age.total > age.ttl + age.leeway) {
        too_late(&mut j, t, x, token, age, "the grant is older than the policy allows");
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn a_token_that_is_bound_to_a_key_need_not_be_rotated() {
        let id = "refresh/public-client-gets-rotation";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &fails.replace("Bearer", "DPoP")), Verdict::Skip);
        assert_eq!(verdict(id, &fails.replace("client_id=public", "client_id=main")), Verdict::Skip);
    }

    #[test]
    fn reuse_is_judged_by_what_salesforce_documents_on_salesforce_alone() {
        let id = "refresh/reuse-kills-the-access-tokens";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &fails.replace("= salesforce", "= rfc")), Verdict::Skip);
        assert_eq!(verdict(id, &fails.replace("< 200 []", "< 401")), Verdict::Skip, "no control");
    }

    #[test]
    fn a_call_beside_the_reuse_may_have_come_first() {
        let id = "refresh/reuse-kills-the-access-tokens";
        let record = |open: &str, close: &str| {
            let begin = concat!("= salesforce\n", code!(), refresh!("R1" => "A2" "R2"));
            format!("{begin}{open}{}{close}{}", refresh!("R1" => dead), call!("A2" => "200 []"))
        };
        assert_eq!(verdict(id, &record("", "")), Verdict::Fail);
        assert_eq!(verdict(id, &format!("{}= end\n", record("= race\n", ""))), Verdict::Skip);
        assert_eq!(verdict(id, &record("= race\n", "= end\n")), Verdict::Fail);
    }

    #[test]
    fn a_policy_that_is_not_stated_is_not_judged() {
        for id in ["refresh/idle-token-expires", "refresh/lifetime-counts-from-the-grant"] {
            let fails = find(id).unwrap().fails;
            let unstated: String =
                fails.lines().filter(|l| !l.contains("refresh_policy")).map(|l| format!("{l}\n")).collect();
            assert_eq!(verdict(id, &unstated), Verdict::Skip, "{id}");
        }
    }

    #[test]
    fn a_revoked_token_may_be_refused_within_its_period() {
        let id = "refresh/idle-period-slides-with-use";
        let fails = find(id).unwrap().fails;
        let revoked = fails.replacen("+ 27d\n", "+ 27d\n> POST revoke token=R1&client_id=main\n< 200\n", 2);
        assert_eq!(verdict(id, &revoked), Verdict::Skip);
    }
}
