//! What a refresh hands out, beside what the grant began with.

use serde_json::Value;

use super::super::Cite::{OpenIdCore, Rfc, Salesforce};
use super::super::resource::calls;
use super::super::resource::{let_in, opens_otherwise};
use super::super::revocation::revoked;
use super::super::{Check, Judgement, Party};
use super::tokens::{
    Family, authenticated, first_call, has_refreshed, lives, owner, refreshes, rejected, says, sound,
};
use crate::oauth::salesforce::Profile;
use crate::transcript::{Exchange, TokenFacts, Transcript};
use crate::verdict::{Basis, Level};

/// A code that is redeemed for an ID token, and a refresh whose ID token is this one.
macro_rules! id_tokens {
    ($claims:literal) => {
        concat!(
            code!(),
            "! id_token {\"claims\":{\"iss\":\"https://org.example\",\"sub\":\"005\",\"aud\":\"main\",\"iat\":{now},\"nonce\":\"n\"}}\n",
            "+ 1m\n",
            refresh!("R1" => "A2"),
            "! id_token {\"claims\":",
            $claims,
            "}\n"
        )
    };
}

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "refresh/scope-is-kept",
        title: "a refresh that names no scope gets the scope of the grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-06",
        cites: &[Rfc(6749, "6"), Rfc(6749, "5.1")],
        explain: "Who leaves scope out asks for what was granted at first, all of it. An access token with less stops the client \
            in the middle of its work, with an error about rights that nobody took away. Keep the scope with the grant and \
            issue from there, whatever was asked for last. Scope values that only ask for the refresh token itself are not counted.",
        passes: concat!(code!(), refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"scope\":\"api\"}")),
        fails: concat!(
            "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
             < 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"scope\":\"api id\"}\n",
            refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"scope\":\"id\"}")
        ),
        judge: scope_is_kept,
    },
    Check {
        id: "refresh/narrower-scope-is-for-once",
        title: "a refresh may ask for less scope, and the next one has the whole again",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-07",
        cites: &[Rfc(6749, "6"), Rfc(6749, "3.3")],
        explain: "A client that hands an access token on to a helper asks for just the scope that the helper needs. What it gets \
            must be no wider, or must say so; and the refresh token keeps the scope that it was issued with, also where it is \
            rotated. A server that stores the narrower scope with the grant takes rights away that nobody meant to give up. \
            Narrow the access token alone. Salesforce takes no scope with a refresh.",
        passes: concat!(
            "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n! secret right\n\
             < 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"scope\":\"api id\"}\n",
            refresh!("R1&scope=id" => raw "200 {\"access_token\":\"A2\",\"scope\":\"id\"}"),
            refresh!("R1" => raw "200 {\"access_token\":\"A3\",\"scope\":\"api id\"}")
        ),
        fails: concat!(
            "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n! secret right\n\
             < 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"scope\":\"api id\"}\n",
            refresh!("R1&scope=id" => raw "200 {\"access_token\":\"A2\",\"scope\":\"id\"}"),
            refresh!("R1" => raw "200 {\"access_token\":\"A3\",\"scope\":\"id\"}")
        ),
        judge: narrower_scope_is_for_once,
    },
    Check {
        id: "refresh/token-without-successor-stays-valid",
        title: "a refresh token in whose place no other was given works again",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "RF-21",
        cites: &[Rfc(6749, "6"), Rfc(6749, "1.5")],
        explain: "A server may answer a refresh with a new refresh token or without one. Without one the client goes on with the \
            old, as it has no other: if that has died, the integration stops at its second refresh and a user has to log in \
            again. Either keep the token alive or hand out its successor in the same answer.",
        passes: concat!(code!(), refresh!("R1" => "A2"), refresh!("R1" => "A3")),
        fails: concat!(code!(), refresh!("R1" => "A2"), refresh!("R1" => dead)),
        judge: token_without_successor_stays_valid,
    },
    Check {
        id: "refresh/token-kinds-are-not-mixed",
        title: "a refresh token opens no resource, and an access token refreshes nothing",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-23",
        cites: &[Rfc(6749, "1.5"), Rfc(6749, "6")],
        explain: "A refresh token is meant for the authorization server alone, and lives for months; an access token goes to every \
            resource, and lives for minutes. If a resource takes the first, a lifetime and a logout say nothing any more; if the \
            token endpoint takes the second, whoever sees one call can call for ever. Look each up among its own kind, and \
            give self-contained tokens a type or an audience that tells them apart.",
        passes: concat!(code!(), call!("A1" => "200 []"), call!("R1" => "401")),
        fails: concat!(code!(), call!("R1" => "200 []")),
        judge: token_kinds_are_not_mixed,
    },
    Check {
        id: "refresh/token-cannot-be-guessed",
        title: "a refresh token is long enough to hold 128 random bits, better 160",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-24",
        cites: &[Rfc(6749, "10.10"), Rfc(6749, "10.4")],
        explain: "The probability that somebody guesses a token must be at most 2 to the power of -128, and should be 2 to the \
            power of -160: a refresh token is a password for months that may be tried from everywhere. The check counts what the \
            length and the characters of a token can hold at most, and by how much it differs from another one, so what fails \
            here can be guessed for certain; what passes may still be badly made. Draw 32 bytes or more from the random source of the operating system.",
        passes: concat!(code!(), "! refresh_token_bits 258\n"),
        fails: concat!(code!(), "! refresh_token_bits 96\n"),
        judge: token_cannot_be_guessed,
    },
    Check {
        id: "refresh/id-token-is-of-the-same-login",
        title: "the ID token of a refresh has issuer, subject, audience and auth_time of the first, and a newer iat",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-25",
        cites: &[OpenIdCore("12.2")],
        explain: "A refresh is no login: the ID token that comes with it speaks of the same user at the same issuer, for the same \
            client, and of the moment of the first login where it names one. Another sub means that the client now holds \
            somebody else's token. Take these claims from the grant; iat is the one that is new.",
        passes: id_tokens!(
            "{\"iss\":\"https://org.example\",\"sub\":\"005\",\"aud\":\"main\",\"iat\":{now}}"
        ),
        fails: id_tokens!("{\"iss\":\"https://org.example\",\"sub\":\"006\",\"aud\":\"main\",\"iat\":{now}}"),
        judge: id_token_is_of_the_same_login,
    },
    Check {
        id: "refresh/id-token-has-no-new-nonce",
        title: "the ID token of a refresh holds no nonce, or that of the login",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RF-26",
        cites: &[OpenIdCore("12.2")],
        explain: "A nonce ties an ID token to one authorization request, and a refresh has none. The ID token should leave it out; \
            where it is there it must be the first one, or clients that compare it throw the token away and log their \
            user out. Do not make one up.",
        passes: id_tokens!("{\"sub\":\"005\",\"iat\":{now}}"),
        fails: id_tokens!("{\"sub\":\"005\",\"iat\":{now},\"nonce\":\"m\"}"),
        judge: id_token_has_no_new_nonce,
    },
    Check {
        id: "refresh/keeps-instance-and-identity",
        title: "a refresh names the instance and the identity of the first token response",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "RF-27",
        cites: &[super::RENEWAL, Salesforce("OAuth 2.0 Web Server Flow for Web App Integration")],
        explain: "Clients of Salesforce call the API at instance_url and know their user by id. Both belong to the grant: another \
            id after a refresh means that the access token is another user's, and every record that is written with it bears \
            the wrong name. Another instance_url is right only after the org has moved. The host of id follows the host \
            that was asked, so its path alone is compared.",
        passes: concat!(
            "= salesforce\n",
            "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
             < 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"id\":\"https://org.example/id/00D/005\"}\n",
            refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"id\":\"https://org.example/id/00D/005\"}")
        ),
        fails: concat!(
            "= salesforce\n",
            "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
             < 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"id\":\"https://org.example/id/00D/005\"}\n",
            refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"id\":\"https://org.example/id/00D/006\"}")
        ),
        judge: keeps_instance_and_identity,
    },
    Check {
        id: "refresh/revoked-grant-gives-no-dead-token",
        title: "a refresh with a revoked refresh token is refused, not answered with a dead access token",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "RF-29",
        cites: &[Rfc(6749, "5.2"), Rfc(6749, "6")],
        explain: "A client learns that its grant is over by invalid_grant at the token endpoint, and by nothing else. A 200 whose \
            access token no resource takes sends it round in circles: 401, refresh, 401, refresh. Look at the state of the \
            grant before anything is issued, in the same transaction, and do not leave it to the resource server to find out.",
        passes: concat!(
            code!(),
            refresh!("R1" => "A2"),
            "> POST revoke token=R1&client_id=main&client_secret=s\n< 200\n",
            refresh!("R1" => dead)
        ),
        fails: concat!(
            code!(),
            "> POST revoke token=R1&client_id=main&client_secret=s\n< 200\n",
            refresh!("R1" => "A2"),
            call!("A2" => "401")
        ),
        judge: revoked_grant_gives_no_dead_token,
    },
];

/// Scope values that ask for the refresh token itself, which an access token need not show.
const OFFLINE: [&str; 2] = ["refresh_token", "offline_access"];

fn values(scope: &str) -> impl Iterator<Item = &str> {
    scope.split(' ').filter(|value| !value.is_empty() && !OFFLINE.contains(value))
}

/// What of a granted scope a told one lacks.
fn lost<'s>(granted: &'s str, told: &str) -> Vec<&'s str> {
    values(granted).filter(|value| !told.split(' ').any(|t| t == *value || t == "full")).collect()
}

fn asks_for_scope(x: &Exchange) -> bool {
    x.param("scope").is_some_and(|scope| !scope.is_empty())
}

/// Every refresh by the client of the grant that was granted, with the answer that began the grant.
fn renewals(t: &Transcript) -> impl Iterator<Item = (&Exchange, &str, &Exchange)> {
    refreshes(t).filter(|(x, token)| x.granted() && owner(t, token) == x.client_id()).filter_map(
        |(x, token)| {
            let first = Family::of(t, token).origin.filter(|first| first.number < x.number)?;
            Some((x, token, first))
        },
    )
}

/// Whether some refresh of the same grant before `x` asked for a scope.
fn narrowed(t: &Transcript, token: &str, x: &Exchange) -> bool {
    let family = Family::of(t, token);
    t.before(x)
        .any(|y| asks_for_scope(y) && y.param("refresh_token").is_some_and(|r| family.refresh.contains(&r)))
}

fn scope_is_kept(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let whole = |(x, token, _): &(&Exchange, &str, &Exchange)| !asks_for_scope(x) && !narrowed(t, token, x);
    for (x, _, first) in renewals(t).filter(whole) {
        let Some(granted) = t.granted_scope(first) else { continue };
        // None told is the one that was asked for (RFC 6749 §5.1), which is that of the grant.
        let told = x.text("scope").unwrap_or(granted);
        match lost(granted, told)[..] {
            [] => j.pass(),
            ref lost => {
                let observed = format!("scope {told}: {} is lost", lost.join(" "));
                j.fail(&[first, x], format!("scope {granted}"), observed);
            }
        }
    }
    j
}

fn narrower_scope_is_for_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in refreshes(t).filter(|(x, token)| asks_for_scope(x) && owner(t, token) == x.client_id())
    {
        let Some(first) = Family::of(t, token).origin else { continue };
        let (Some(granted), Some(asked)) = (t.granted_scope(first), x.request.form().get("scope")) else {
            continue;
        };
        let within = asked.split(' ').all(|value| granted.split(' ').any(|g| g == value));
        if !within || lost(granted, asked).is_empty() {
            continue;
        }
        let expected = format!("an access token with scope {asked}, which is part of what was granted");
        let more =
            x.text("scope").map(|told| values(told).filter(|v| !asked.split(' ').any(|a| a == *v)).count());
        if !x.granted() {
            // One that meets another is refused for that, whatever scope it asks for.
            let alone = x.race.is_none();
            if alone && authenticated(t, x) && x.request.form().repeated().is_none() && lives(t, token, x) {
                match has_refreshed(t, x.client_id()) {
                    true => j.fail_lesser(&[x], expected, x.outcome()),
                    false => j.unproved(&[x], expected, "it was refused, and no refresh was seen to succeed"),
                }
            }
            continue;
        }
        if more.unwrap_or(0) > 0 {
            j.fail_lesser(&[x], expected, format!("scope {}", x.text("scope").unwrap_or_default()));
        }
        // The next one that names no scope, and what was granted before.
        let family = Family::of(t, token);
        let next = renewals(t)
            .find(|(z, r, _)| z.number > x.number && family.refresh.contains(r) && !asks_for_scope(z));
        match next.and_then(|(z, ..)| Some((z, z.text("scope")?))) {
            Some((z, told)) if !lost(granted, told).is_empty() => {
                j.fail(
                    &[x, z],
                    format!("scope {granted}: the refresh token keeps what it was issued with"),
                    format!("scope {told}"),
                );
            }
            Some(_) => j.pass(),
            None => {}
        }
    }
    j
}

fn token_without_successor_stays_valid(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // A server may say the same token again.
    let kept = |(x, token, _): &(&Exchange, &str, &Exchange)| {
        x.race.is_none() && x.member("refresh_token").is_none_or(|given| given.as_str() == Some(token))
    };
    for (x, token, _) in renewals(t).filter(kept) {
        let again = refreshes(t).find(|(z, r)| z.number > x.number && *r == token && sound(t, z));
        let Some((z, _)) = again.filter(|(z, _)| z.race.is_none() && z.client_id() == x.client_id()) else {
            continue;
        };
        if z.granted() {
            j.pass();
        } else if says(z, "invalid_grant") && lives(t, token, z) {
            j.fail(
                &[x, z],
                "200 with an access token: no other refresh token was given in its place",
                z.outcome(),
            );
        }
    }
    j
}

fn token_kinds_are_not_mixed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in calls(t) {
        let Some(token) = super::super::resource::presented(x) else { continue };
        if t.origin_of_refresh_token(token).is_none() || t.origin_of_access_token(token).is_some() {
            continue;
        }
        let expected = "401: a refresh token is no access token";
        match let_in(x) {
            Some(true) => j.fail(&[x], expected, x.outcome()),
            Some(false) if opens_otherwise(t, x) => j.pass(),
            Some(false) => j.unproved(&[x], expected, "it was refused, but no call was seen to be let in"),
            None => {}
        }
    }
    for (x, token) in refreshes(t) {
        if t.origin_of_access_token(token).is_none() || t.origin_of_refresh_token(token).is_some() {
            continue;
        }
        let because = "an access token is no refresh token";
        if x.hands_out_a_token() || sound(t, x) {
            j.refused(x, has_refreshed(t, x.client_id()), &["invalid_grant"], because);
        }
    }
    j
}

fn token_cannot_be_guessed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.grants() {
        let Some(bits) = x.facts.refresh_token_bits else { continue };
        let observed = format!("its length and characters hold {bits} bits at most");
        match bits {
            0..128 => j.fail(&[x], "a refresh token of 128 random bits or more", observed),
            _ if j.hardly_new(&[x], "a refresh token", x.facts.refresh_token_apart) => {}
            128..160 => j.fail_lesser(&[x], "a refresh token of 160 random bits or more", observed),
            _ => j.pass(),
        }
    }
    j
}

/// Every refresh that brought an ID token, and the ID token that the grant began with.
fn id_tokens(t: &Transcript) -> impl Iterator<Item = (&Exchange, &TokenFacts, &Exchange, &TokenFacts)> {
    renewals(t).filter_map(|(x, _, first)| {
        Some((x, x.facts.id_token.as_ref()?, first, first.facts.id_token.as_ref()?))
    })
}

fn audiences(token: &TokenFacts) -> Vec<&str> {
    match token.claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn id_token_is_of_the_same_login(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token, first, original) in id_tokens(t) {
        let mut same = true;
        for name in ["iss", "sub", "auth_time"] {
            let (now, then) = (token.claims.get(name), original.claims.get(name));
            // A login time that is named in one of both only is no other login time.
            if now != then && (name != "auth_time" || now.is_some() && then.is_some()) {
                let shown = |value: Option<&Value>| value.map_or("none".to_owned(), Value::to_string);
                j.fail(
                    &[first, x],
                    format!("{name} {}, as at the login", shown(then)),
                    format!("{name} {}", shown(now)),
                );
                same = false;
            }
        }
        let client = x.client_id().unwrap_or_default();
        if audiences(original).contains(&client) && !audiences(token).contains(&client) {
            j.fail(
                &[x],
                format!("an aud with the client {client}"),
                format!("aud {}", audiences(token).join(" ")),
            );
            same = false;
        }
        let issued = |token: &TokenFacts| token.claims.get("iat").and_then(Value::as_i64);
        if let (Some(now), Some(then)) = (issued(token), issued(original))
            && now < then
        {
            j.fail(&[x], format!("an iat of the refresh, not before {then}"), format!("iat {now}"));
            same = false;
        }
        if same {
            j.pass();
        }
    }
    j
}

fn id_token_has_no_new_nonce(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token, first, original) in id_tokens(t) {
        match (token.claims.get("nonce"), original.claims.get("nonce")) {
            (Some(now), then) if Some(now) != then => {
                j.fail(&[first, x], "no nonce, or that of the login", "another nonce");
            }
            _ => j.pass(),
        }
    }
    j
}

fn keeps_instance_and_identity(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if t.subject.profile != Profile::Salesforce {
        return j;
    }
    let path = |id: &str| id.find("/id/").map_or(id.to_owned(), |at| id[at..].to_owned());
    for (x, _, first) in renewals(t) {
        for name in ["instance_url", "id"] {
            let (Some(now), Some(then)) = (x.text(name), first.text(name)) else { continue };
            let same = if name == "id" { path(now) == path(then) } else { now == then };
            match same {
                true => j.pass(),
                false => j.fail(
                    &[first, x],
                    format!("{name} {then}, as the grant began with"),
                    format!("{name} {now}"),
                ),
            }
        }
    }
    j
}

fn revoked_grant_gives_no_dead_token(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in refreshes(t).filter(|(x, token)| owner(t, token) == x.client_id()) {
        let Some(revoke) = revoked(t, token, x) else { continue };
        let expected = "a refusal with invalid_grant: the refresh token was revoked";
        if x.granted() {
            let call = x.text("access_token").and_then(|access| {
                t.after(x).find(|z| super::super::resource::presented(z) == Some(access) && z.tweak.is_none())
            });
            if let Some(call) = call.or_else(|| first_call(t, x)).filter(|call| rejected(call)) {
                j.fail(&[revoke, x, call], expected, "200 with an access token that no resource takes");
            }
        } else if says(x, "invalid_grant") && sound(t, x) && has_refreshed(t, x.client_id()) {
            j.pass();
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
    fn a_scope_that_asks_for_the_refresh_token_itself_may_be_gone() {
        let id = "refresh/scope-is-kept";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &fails.replace("api id", "refresh_token id")), Verdict::Pass);
        assert_eq!(
            verdict(id, &fails.replace(",\"scope\":\"id\"", "")),
            Verdict::Pass,
            "none told is the same"
        );
    }

    #[test]
    fn a_narrower_scope_that_is_not_given_weighs_less() {
        let id = "refresh/narrower-scope-is-for-once";
        let passes = find(id).unwrap().passes;
        let lesser = |text: &str| {
            let judged = judge_one(find(id).unwrap(), &script::read(text));
            (judged.verdict, judged.findings[0].level)
        };
        let wider = passes.replacen("\"scope\":\"id\"", "\"scope\":\"api id\"", 1);
        assert_eq!(lesser(&wider), (Verdict::Fail, Level::Should));
        let refused = passes
            .replace("200 {\"access_token\":\"A2\",\"scope\":\"id\"}", "400 {\"error\":\"invalid_scope\"}");
        assert_eq!(lesser(&refused), (Verdict::Fail, Level::Should));
        let asks = refused.find("> POST token grant_type=refresh_token").unwrap();
        let raced = format!("{}= race\n{}", &refused[..asks], &refused[asks..]).replacen(
            "invalid_scope",
            "invalid_grant",
            1,
        );
        assert_eq!(verdict(id, &raced), Verdict::Skip);
    }

    #[test]
    fn an_access_token_refreshes_nothing() {
        let id = "refresh/token-kinds-are-not-mixed";
        let refused = concat!(code!(), refresh!("R1" => "A2"), refresh!("A1" => dead));
        assert_eq!(verdict(id, refused), Verdict::Pass);
        assert_eq!(verdict(id, concat!(code!(), refresh!("A1" => "A2"))), Verdict::Fail);
    }

    #[test]
    fn a_token_that_something_ended_need_not_work_again() {
        let id = "refresh/token-without-successor-stays-valid";
        let fails = find(id).unwrap().fails;
        let revoked = fails.replacen(
            "> POST token grant_type=refresh_token",
            "> POST revoke token=R1&client_id=main\n< 200\n> POST token grant_type=refresh_token",
            2,
        );
        assert_eq!(verdict(id, &revoked), Verdict::Skip);
        let same = |token: &str| {
            let says = format!("\"access_token\":\"A2\",\"refresh_token\":\"{token}\"");
            let told = fails.replacen("\"access_token\":\"A2\"", &says, 1);
            assert!(told.contains(&says), "{told}");
            verdict(id, &told)
        };
        assert_eq!((same("R1"), same("R2")), (Verdict::Fail, Verdict::Skip));
    }

    #[test]
    fn bits_between_both_bounds_weigh_less() {
        let id = "refresh/token-cannot-be-guessed";
        let text = find(id).unwrap().fails.replace("96", "132");
        let judged = judge_one(find(id).unwrap(), &script::read(&text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn an_issuer_or_a_login_time_that_changes_is_another_login() {
        let id = "refresh/id-token-is-of-the-same-login";
        let with = |claims: &str| {
            let text = id_tokens!("CLAIMS").replace("CLAIMS", claims);
            verdict(id, &text)
        };
        assert_eq!(
            with("{\"iss\":\"https://evil.example\",\"sub\":\"005\",\"aud\":\"main\"}"),
            Verdict::Fail
        );
        assert_eq!(
            with("{\"iss\":\"https://org.example\",\"sub\":\"005\",\"aud\":[\"x\",\"main\"]}"),
            Verdict::Pass
        );
        assert_eq!(
            with("{\"iss\":\"https://org.example\",\"sub\":\"005\",\"aud\":\"other\"}"),
            Verdict::Fail
        );
        assert_eq!(
            with("{\"iss\":\"https://org.example\",\"sub\":\"005\",\"aud\":\"main\",\"auth_time\":1}"),
            Verdict::Pass
        );
    }
}
