//! The redemption of an authorization code (RFC 6749 §4.1.3), and what the record shows to be wrong
//! with one.

mod flaws;

pub(super) use flaws::{Flaw, flaws};

use std::collections::BTreeMap;

use super::Cite::Rfc;
use super::{Check, Judgement, Party, client_auth};
use crate::oauth::Endpoint;
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::oauth::salesforce::Profile;
use crate::subject::Flow;
use crate::transcript::questions::beside_the_point;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};
use flaws::{code_of, earlier, has_redeemed, redemptions, shown_dead, sound};

/// An authorization of `main` that ends in a code.
macro_rules! authorized {
    ($code:literal) => {
        concat!(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback\n",
            "< 302\n< Location: https://client.example/callback?code=",
            $code,
            "\n"
        )
    };
}

/// A redemption by a client with its right secret, what it adds to the redirect_uri, and the answer.
macro_rules! redeemed {
    ($code:literal, $client:literal, granted) => {
        redeemed!($code, $client, "", "200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}")
    };
    ($code:literal, $client:literal, refused) => {
        redeemed!($code, $client, "", "400 {\"error\":\"invalid_grant\"}")
    };
    ($code:literal, $client:literal, $more:literal, $answer:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&client_secret=s&client_id=",
            concat!($client, "&code=", $code, "&redirect_uri=https://client.example/callback", $more),
            concat!("\n! secret right\n< ", $answer, "\n")
        )
    };
}

/// A redemption of `D` by `main` without its redirect_uri.
macro_rules! without_uri {
    ($answer:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&client_secret=s&client_id=main&code=D\n! secret right\n< ",
            $answer,
            "\n"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "code/valid-code-is-granted",
        title: "a valid code is redeemed for an access token with its type",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-01",
        cites: &[Rfc(6749, "4.1.4"), Rfc(6749, "5.1")],
        explain: "A client that redeems a fresh code with its own credentials, the redirect_uri of the authorization \
            request and the right verifier gets 200 and a JSON object with access_token and token_type. Without it no \
            login ends well, and every refusal of a wrong code proves nothing. On Salesforce compare consumer secret and \
            callback URL with the app's OAuth settings, and wait ten minutes after a change of either: until then some \
            servers still answer by the old values.",
        passes: concat!(authorized!("C"), redeemed!("C", "main", granted)),
        fails: concat!(authorized!("C"), redeemed!("C", "main", refused)),
        judge: valid_code_is_granted,
    },
    Check {
        id: "code/works-once",
        title: "a code that was redeemed is refused with invalid_grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-05",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "10.5"), Rfc(6749, "5.2")],
        explain: "A code travels through the browser, its history and other people's logs; single use is what makes a copy \
            worthless. A server that takes one a second time hands the account to whoever reads such a log within the code's \
            lifetime. Mark the code as redeemed in the same transaction that issues the tokens, refuse it from then on, and \
            revoke what was issued for it.",
        passes: concat!(redeemed!("C", "main", granted), redeemed!("C", "main", refused)),
        fails: concat!(redeemed!("C", "main", granted), redeemed!("C", "main", granted)),
        judge: works_once,
    },
    Check {
        id: "code/race-has-one-winner",
        title: "of simultaneous redemptions of one code at most one is granted",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-09",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "10.5")],
        explain: "Single use must hold under load too: a server that first looks whether the code is fresh and later marks \
            it as used lets through everybody who arrives in between. Whoever saw the code then only has to be as fast as \
            the client. Make check and mark one atomic step (a compare-and-set, a conditional update, a lock by code). \
            Where the server takes the tokens back once it notices, the finding weighs less, for the tokens were good in the meantime.",
        passes: concat!("= race\n", redeemed!("C", "main", refused), redeemed!("C", "main", granted)),
        fails: concat!("= race\n", redeemed!("C", "main", granted), redeemed!("C", "main", granted)),
        judge: race_has_one_winner,
    },
    Check {
        id: "code/bound-to-its-client",
        title: "a code is refused to any client but the one that it was issued to",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-12",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "5.2")],
        explain: "The user approved one client; a code that another one can redeem turns that approval into an approval of \
            everybody who holds credentials of his own. It also lets a rogue client inject codes that it caught elsewhere. \
            Store the client_id with the code and compare it with the authenticated client, or with the client_id parameter \
            of a public one, before anything is issued.",
        passes: concat!(
            authorized!("C"),
            redeemed!("C", "main", granted),
            authorized!("D"),
            redeemed!("D", "other", refused)
        ),
        fails: concat!(authorized!("D"), redeemed!("D", "other", granted)),
        judge: bound_to_its_client,
    },
    Check {
        id: "code/redirect-uri-is-compared",
        title: "a code is refused with another redirect_uri than that of its authorization request",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-13",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "5.2")],
        explain: "The comparison catches a code that was sent to another address than the client believes: an attacker who \
            lured the user to a second registered or badly matched URI cannot have the honest client redeem what he caught. \
            Store the redirect_uri with the code and compare both as strings, character by character. It is not enough that \
            the second one is registered as well. RFC 6749 calls the refusal invalid_grant, Salesforce redirect_uri_mismatch.",
        passes: concat!(
            authorized!("C"),
            redeemed!("C", "main", granted),
            authorized!("D"),
            redeemed!("D", "main", "/x", "400 {\"error\":\"invalid_grant\"}")
        ),
        fails: concat!(
            authorized!("D"),
            redeemed!("D", "main", "/x", "200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}")
        ),
        judge: redirect_uri_is_compared,
    },
    Check {
        id: "code/unknown-code-is-refused",
        title: "a code that the server never issued is refused with invalid_grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-16",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "5.2")],
        explain: "A made-up or mangled code must end in 400 invalid_grant, which tells the client to send the user through \
            the authorization again. A server that takes any code, as a mock often does, gives tokens for nothing; one that \
            answers another error, or 500, keeps clients in a loop of retries. Look the code up as a whole and treat a miss \
            like an expired one. A client that meets this refusal with a real code has often encoded it twice (%253D).",
        passes: concat!(
            authorized!("C"),
            redeemed!("C", "main", granted),
            redeemed!("made-up", "main", refused)
        ),
        fails: concat!(authorized!("C"), redeemed!("made-up", "main", granted)),
        judge: unknown_code_is_refused,
    },
    Check {
        id: "code/redirect-uri-is-required-again",
        title: "a redemption without redirect_uri is refused where the authorization request had one",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-14",
        cites: &[Rfc(6749, "4.1.3"), Rfc(6749, "5.2")],
        explain: "Leaving the parameter out must not be a way around the comparison: if the authorization request \
            named a redirect_uri, the redemption has to name the same one. A server that compares only what it \
            is sent lets whoever caught a code at another address say nothing of it. OAuth 2.1 drops the \
            parameter where PKCE does its work, so the finding weighs less where a right verifier came along. \
            Salesforce says redirect_uri_missing.",
        passes: concat!(
            authorized!("C"),
            redeemed!("C", "main", granted),
            authorized!("D"),
            without_uri!("400 {\"error\":\"invalid_request\"}")
        ),
        fails: concat!(
            authorized!("D"),
            without_uri!("200 {\"access_token\":\"A\",\"token_type\":\"Bearer\"}")
        ),
        judge: redirect_uri_is_required_again,
    },
    Check {
        id: "code/expires",
        title: "a code is refused once its lifetime is over",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-15",
        cites: &[Rfc(6749, "4.1.2"), Rfc(6749, "10.5")],
        explain: "A code lies in browser histories and logs for ever; that it must be redeemed within minutes is what \
            keeps it from being found there. RFC 6749 says that it must expire shortly and recommends ten \
            minutes at most. The check takes the setting code_ttl of the target, an hour where none is given; a \
            code that lives longer than ten minutes and less than that weighs less. Store the moment of issue \
            with the code and compare it at redemption.",
        passes: concat!(
            "= setting code_ttl 10m\n",
            authorized!("C"),
            redeemed!("C", "main", granted),
            authorized!("D"),
            "+ 12m\n",
            redeemed!("D", "main", refused)
        ),
        fails: concat!(
            "= setting code_ttl 10m\n",
            authorized!("D"),
            "+ 12m\n",
            redeemed!("D", "main", granted)
        ),
        judge: expires,
    },
    Check {
        id: "code/tokens-are-of-the-user-who-agreed",
        title: "the tokens of a code belong to the user who agreed",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CD-39",
        cites: &[Rfc(6749, "1.3.1"), Rfc(6749, "4.1.4")],
        explain: "A code stands for the consent of one user. If the tokens that come of it are another's, that one's \
            data is read and written under a stranger's login: the worst that an authorization server can do, \
            and most often the work of a session or a cache that two requests share. What userinfo and the \
            identity URL say of the token is compared with the users of the target: a failure names another one \
            of them.",
        passes: concat!(
            authorized!("C"),
            redeemed!("C", "main", granted),
            "> GET userinfo\n> Authorization: Bearer A\n< 200 {\"preferred_username\":\"svc@example.com\"}\n"
        ),
        fails: concat!(
            authorized!("C"),
            redeemed!("C", "main", granted),
            "> GET userinfo\n> Authorization: Bearer A\n< 200 {\"preferred_username\":\"stranger@example.com\"}\n"
        ),
        judge: tokens_are_of_the_user_who_agreed,
    },
];

fn valid_code_is_granted(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in redemptions(t).filter(|x| sound(t, x) && !beside_the_point(x)) {
        let has = |name: &str| x.text(name).is_some_and(|text| !text.is_empty());
        if x.granted() && has("access_token") && !has("token_type") {
            j.fail(&[x], "an access token with its token_type", "an access token without a token_type");
        } else {
            let expected = "200 with an access token: code and client are right";
            j.holds(x.granted() && has("access_token"), x, expected);
        }
    }
    j
}

fn works_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in redemptions(t) {
        let flaws = flaws(t, x);
        if !flaws.contains(&Flaw::Spent) {
            continue;
        }
        let first = earlier(t, x).find(|y| y.granted());
        let alike = first.is_some_and(|y| {
            let same_client =
                y.client_id() == x.client_id() && y.facts.verifier_s256 == x.facts.verifier_s256;
            same_client && y.param("redirect_uri") == x.param("redirect_uri")
        });
        if x.hands_out_a_token() || alike && flaws == [Flaw::Spent] && !beside_the_point(x) {
            j.refused(x, true, &["invalid_grant"], "the code was redeemed before");
        }
    }
    j
}

fn race_has_one_winner(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let mut races: BTreeMap<(u32, &str), Vec<&Exchange>> = BTreeMap::new();
    for x in redemptions(t) {
        if let (Some(race), Some(code)) = (x.race, code_of(x)) {
            races.entry((race, code)).or_default().push(x);
        }
    }
    for runners in races.values().filter(|runners| runners.len() > 1) {
        let winners: Vec<&Exchange> = runners.iter().copied().filter(|x| x.hands_out_a_token()).collect();
        // Who ran with a flaw of his own could not have won, and says nothing of the race.
        let fit = runners.iter().filter(|x| flaws(t, x).iter().all(|flaw| *flaw == Flaw::Raced)).count();
        let expected =
            format!("at most one of {} simultaneous redemptions of one code is granted", runners.len());
        match winners[..] {
            [] | [_] if fit < 2 => {}
            [_] => j.pass(),
            [] if runners[0].client_id().is_some_and(|client| has_redeemed(t, client)) => j.pass(),
            [] => j.unproved(runners, expected, "none was granted, and nothing shows that the code was good"),
            _ => {
                let alive = winners.iter().filter(|x| !shown_dead(t, x)).count();
                let count = winners.len();
                if alive > 1 {
                    j.fail(&winners, expected, format!("{count} were granted"));
                } else {
                    let observed =
                        format!("{count} were granted; the tokens of all but {alive} were soon dead");
                    j.fail_lesser(&winners, expected, observed);
                }
            }
        }
    }
    j
}

fn bound_to_its_client(t: &Transcript) -> Judgement {
    flaw_is_refused(t, Flaw::Stranger, &["invalid_grant"], "the code was issued to another client")
}

fn redirect_uri_is_compared(t: &Transcript) -> Judgement {
    // By profile and not by a known deviation: that would excuse an org that does not compare at all.
    let errors: &[&str] = match t.subject.profile {
        Profile::Rfc => &["invalid_grant"],
        Profile::Salesforce => &["redirect_uri_mismatch", "invalid_grant"],
    };
    flaw_is_refused(t, Flaw::RedirectUri, errors, "the redirect_uri is not that of the authorization request")
}

fn unknown_code_is_refused(t: &Transcript) -> Judgement {
    flaw_is_refused(t, Flaw::Unknown, &["invalid_grant"], "no such code was issued")
}

fn redirect_uri_is_required_again(t: &Transcript) -> Judgement {
    let errors: &[&str] = match t.subject.profile {
        Profile::Rfc => &["invalid_request", "invalid_grant"],
        Profile::Salesforce => {
            &["redirect_uri_missing", "redirect_uri_mismatch", "invalid_request", "invalid_grant"]
        }
    };
    let because = "the authorization request had a redirect_uri";
    let mut j = Judgement::new();
    for x in redemptions(t) {
        let flaws = flaws(t, x);
        if !flaws.contains(&Flaw::RedirectUriMissing) {
            continue;
        }
        let counts = || flaws[..] == [Flaw::RedirectUriMissing] && client_auth::lists(t, x, Flow::WebServer);
        if x.hands_out_a_token() && x.facts.verifier_s256.is_some() && !flaws.contains(&Flaw::Verifier) {
            let observed = format!("{}; a right PKCE verifier came along", x.outcome());
            j.fail_lesser(&[x], format!("a refusal: {because}"), observed);
        } else if x.hands_out_a_token() || counts() && !beside_the_point(x) {
            let control = x.client_id().is_some_and(|client| has_redeemed(t, client));
            j.refused(x, control, errors, because);
        }
    }
    j
}

fn expires(t: &Transcript) -> Judgement {
    /// What RFC 6749 §4.1.2 recommends, and what nobody may exceed, in milliseconds.
    const RECOMMENDED: i64 = 600_000;
    const LONGEST: i64 = 3_600_000;
    let mut j = Judgement::new();
    for x in redemptions(t) {
        let flaws = flaws(t, x);
        let Some(issued) = code_of(x).and_then(|code| t.code(code)) else { continue };
        let age = x.at - issued.issued.at;
        let over = age > t.subject.settings.millis("code_ttl").unwrap_or(LONGEST);
        let counts = || flaws[..] == [Flaw::Late] && client_auth::lists(t, x, Flow::WebServer);
        let because = format!("the code is {} minutes old", age / 60_000);
        if over && (x.hands_out_a_token() || counts() && !beside_the_point(x)) {
            let control = x.client_id().is_some_and(|client| has_redeemed(t, client));
            j.refused(x, control, &["invalid_grant"], &because);
        } else if x.hands_out_a_token() && age > RECOMMENDED {
            j.fail_lesser(&[x], "codes that live ten minutes at most", format!("{}: {because}", x.outcome()));
        }
    }
    j
}

fn tokens_are_of_the_user_who_agreed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.exchanges.iter().filter(|x| matches!(x.endpoint, Endpoint::Userinfo | Endpoint::Identity)) {
        let grant = x.request.bearer().and_then(|token| t.origin_of_access_token(token));
        // Another user's identity URL tells of that user, whoever asks.
        let own = |grant: &Exchange| {
            x.endpoint == Endpoint::Userinfo
                || grant.text("id").is_none_or(|id| x.request.url.starts_with(id))
        };
        let redeemed = |grant: &&Exchange| grant.grant_type() == Some(GRANT_TYPE) && own(grant);
        let Some(grant) = grant.filter(redeemed).filter(|_| x.status() == 200) else {
            continue;
        };
        let agreed = code_of(grant).and_then(|code| t.code(code)).and_then(|i| i.authorize.user.as_deref());
        let Some(own) = agreed.and_then(|role| t.subject.users.get(role)) else { continue };
        let named: Vec<&str> = ["preferred_username", "username"].iter().filter_map(|m| x.text(m)).collect();
        let is = |name: &str| named.iter().any(|one| one.eq_ignore_ascii_case(name));
        if is(own) {
            j.pass();
        } else if t.subject.users.values().any(|other| is(other)) {
            j.fail(&[grant, x], "the user who agreed", "another user of the target");
        }
    }
    j
}

/// Judges redemptions with that flaw: a granted one is a fail whatever else is wrong with it, a refused
/// one counts where nothing else is and the client of the code has redeemed another.
fn flaw_is_refused(t: &Transcript, flaw: Flaw, errors: &[&str], because: &str) -> Judgement {
    let mut j = Judgement::new();
    for x in redemptions(t) {
        let flaws = flaws(t, x);
        let counts = || flaws == [flaw] && client_auth::lists(t, x, Flow::WebServer) && !beside_the_point(x);
        if flaws.contains(&flaw) && (x.hands_out_a_token() || counts()) {
            let issued = code_of(x).and_then(|code| t.code(code));
            let owner = issued.map_or(x.client_id(), |issued| issued.authorize.client_id());
            j.refused(x, owner.is_some_and(|client| has_redeemed(t, client)), errors, because);
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::verdict_of;
    use crate::transcript::script;
    use crate::verdict::Verdict;

    fn level(judge: fn(&Transcript) -> Judgement, record: &str) -> Level {
        judge(&script::read(record)).into_findings("x", Level::Must)[0].level
    }

    const ISSUED: &str = authorized!("C");
    const REDEEMED: &str = redeemed!("C", "main", granted);
    const REFUSED: &str = redeemed!("C", "main", refused);

    #[test]
    fn a_race_is_won_with_another_status_of_success_as_well() {
        let again = REDEEMED.replace("200", "201").replace("\"A\"", "\"B\"");
        assert_eq!(verdict_of(race_has_one_winner, &format!("= race\n{REDEEMED}{again}")), Verdict::Fail);
        assert_eq!(level(works_once, &format!("{REDEEMED}{again}")), Level::Must);
    }

    #[test]
    fn an_old_code_may_be_refused_unless_its_lifetime_is_known() {
        let record = format!("{ISSUED}+ 45s\n{REFUSED}");
        assert_eq!(verdict_of(valid_code_is_granted, &record), Verdict::Skip);
        let known = format!("= setting code_ttl 10m\n{record}");
        assert_eq!(verdict_of(valid_code_is_granted, &known), Verdict::Fail);
    }

    #[test]
    fn a_server_that_has_no_time_is_not_judged() {
        for answer in
            ["429", "503", "400 {\"error\":\"invalid_grant\",\"error_description\":\"login rate exceeded\"}"]
        {
            let record = ISSUED.to_owned() + &REFUSED.replace("400 {\"error\":\"invalid_grant\"}", answer);
            assert_eq!(verdict_of(valid_code_is_granted, &record), Verdict::Skip, "{answer}");
        }
    }

    #[test]
    fn a_spent_code_with_another_flaw_proves_nothing_unless_it_is_taken() {
        let refused = redeemed!("C", "other", "", "400 {\"error\":\"invalid_client\"}");
        assert_eq!(verdict_of(works_once, &format!("{REDEEMED}{refused}")), Verdict::Skip);
        let taken = redeemed!("C", "other", granted);
        assert_eq!(verdict_of(works_once, &format!("{REDEEMED}{taken}")), Verdict::Fail);
        let for_another_reason = redeemed!("C", "main", "", "400 {\"error\":\"invalid_request\"}");
        assert_eq!(level(works_once, &format!("{REDEEMED}{for_another_reason}")), Level::Should);
    }

    #[test]
    fn a_token_beside_an_error_is_a_token() {
        let both = REFUSED.replace("{\"error\":", "{\"access_token\":\"B\",\"error\":");
        let found = works_once(&script::read(&format!("{REDEEMED}{both}"))).into_findings("x", Level::Must);
        assert!(found[0].grave && found[0].level == Level::Must);
        let race = format!("= race\n{REDEEMED}{both}= end\n");
        assert_eq!(verdict_of(race_has_one_winner, &race), Verdict::Fail);
    }

    #[test]
    fn the_loser_of_a_race_did_not_send_a_spent_code() {
        let race = format!("= race\n{REDEEMED}{REFUSED}= end\n");
        assert_eq!(verdict_of(works_once, &race), Verdict::Skip);
        assert_eq!(verdict_of(race_has_one_winner, &race), Verdict::Pass);
        let lost = format!("= race\n{REFUSED}{REFUSED}= end\n");
        assert_eq!(verdict_of(race_has_one_winner, &lost), Verdict::Inconclusive);
        assert_eq!(
            verdict_of(race_has_one_winner, &(lost + &REDEEMED.replace("code=C", "code=D"))),
            Verdict::Pass
        );
    }

    #[test]
    fn two_winners_weigh_less_where_their_tokens_were_taken_back() {
        let race = format!("= race\n{REDEEMED}{}= end\n", REDEEMED.replace("\"A\"", "\"B\""));
        let call =
            |token: &str, status: u16| format!("> GET api\n> Authorization: Bearer {token}\n< {status}\n");
        assert_eq!(level(race_has_one_winner, &race), Level::Must);
        assert_eq!(
            level(race_has_one_winner, &(race.clone() + &call("A", 401) + &call("B", 200))),
            Level::Should
        );
        assert_eq!(level(race_has_one_winner, &(race + &call("A", 200) + &call("B", 200))), Level::Must);
    }

    #[test]
    fn a_refused_stranger_proves_nothing_without_the_owner() {
        let stranger = redeemed!("C", "other", refused);
        assert_eq!(verdict_of(bound_to_its_client, &format!("{ISSUED}{stranger}")), Verdict::Inconclusive);
        assert_eq!(verdict_of(bound_to_its_client, &format!("{ISSUED}{REFUSED}{stranger}")), Verdict::Skip);
    }

    #[test]
    fn salesforce_has_its_own_word_for_another_redirect_uri() {
        let bad = redeemed!("D", "main", "/x", "400 {\"error\":\"redirect_uri_mismatch\"}");
        let record = format!("{ISSUED}{REDEEMED}{}{bad}", authorized!("D"));
        assert_eq!(level(redirect_uri_is_compared, &record), Level::Should);
        assert_eq!(verdict_of(redirect_uri_is_compared, &format!("= salesforce\n{record}")), Verdict::Pass);
    }

    #[test]
    fn a_code_that_may_have_come_unseen_is_not_unknown() {
        assert_eq!(verdict_of(unknown_code_is_refused, REDEEMED), Verdict::Skip);
        // It may have stood on the page of the second authorization.
        let page = "> GET authorize response_type=code&client_id=main\n< 200 <html>\n";
        let record = format!("{}{page}{REDEEMED}", authorized!("D"));
        assert_eq!(verdict_of(unknown_code_is_refused, &record), Verdict::Skip);
    }
}
