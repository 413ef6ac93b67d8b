//! What is said of tokens under a wrong hint, after a revocation, after a rotation.

use super::super::Cite::Rfc;
use super::super::resource::{ended, is_live, owner};
use super::super::revocation::{AT_ONCE, authenticated, is_live_refresh_token, revoked};
use super::super::{Check, Judgement, Party};
use super::{active, busy, inactive, questions, sees_live_tokens};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "introspection/wrong-hint-hides-nothing",
        title: "a live token is found whatever token_type_hint says",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-08",
        cites: &[Rfc(7662, "2.1")],
        explain: "The hint helps a server to look in the right place first, and no more: if the token is not there, the server \
            must go on and look everywhere else. One that believes the hint calls live tokens dead as soon as a caller guesses \
            their kind wrong. Search all kinds of tokens, or ignore the parameter; a value that nobody knows is no error either.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=A&token_type_hint=refresh_token&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST introspect token=A&token_type_hint=refresh_token&client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        judge: wrong_hint_hides_nothing,
    },
    Check {
        id: "introspection/revocation-shows-at-once",
        title: "the first answer after a revocation says that the token is inactive",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "IN-16",
        cites: &[Rfc(7662, "4"), Rfc(7009, "2.1")],
        explain: "The client was told that its token is gone; a resource server that asks a moment later must hear the same, on \
            whichever connection and from whichever node of the server. An answer out of a cache, or of a replica that lags, \
            keeps the thief in for as long as it is old. Read the state from where revocation writes it, or let the \
            revocation clear the caches before it is answered. The check looks at every question within five seconds of the \
            revocation's answer.",
        passes: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        fails: "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > POST introspect token=A&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}",
        judge: revocation_shows_at_once,
    },
    Check {
        id: "introspection/rotated-out-token-is-inactive",
        title: "a refresh token that was rotated out is told to be inactive",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "IN-18",
        cites: &[Rfc(7662, "2.2"), Rfc(9700, "4.14.2")],
        explain: "Active means that the token can still be used. A refresh token in whose place another one was given cannot, \
            and a server that calls it active tells whoever holds an old copy that it is worth trying. Answer from the \
            state of the token itself, not from that of its grant, which lives on. A server that re-issues refresh tokens \
            without meaning to rotate them says rotation: false in its target.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST introspect token=R&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B\",\"refresh_token\":\"S\"}\n\
            > POST introspect token=R&client_id=main&client_secret=s\n\
            < 200 {\"active\":false}",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B\",\"refresh_token\":\"S\"}\n\
            > POST introspect token=R&client_id=main&client_secret=s\n\
            < 200 {\"active\":true}",
        judge: rotated_out_token_is_inactive,
    },
];

/// Whether the hint of a question does not name the kind of its token.
fn misleads(t: &Transcript, x: &Exchange, token: &str) -> bool {
    let fits = |hint: &str| match hint {
        "access_token" => t.origin_of_access_token(token).is_some(),
        "refresh_token" => t.origin_of_refresh_token(token).is_some(),
        _ => false,
    };
    x.param("token_type_hint").is_some_and(|hint| !fits(hint))
}

fn wrong_hint_hides_nothing(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in questions(t).filter(|(x, token)| misleads(t, x, token) && !busy(x)) {
        let own = authenticated(t, x) && x.client_id() == owner(t, token);
        if !own || !(is_live(t, token, x) || is_live_refresh_token(t, token, x)) {
            continue;
        }
        // The same question without the hint.
        let plain = |(y, asked): (&Exchange, &str)| {
            asked == token
                && !misleads(t, y, asked)
                && active(y) == Some(true)
                && y.client_id() == x.client_id()
        };
        let expected = "active: true: the token lives, whatever the hint says of it";
        match active(x) {
            Some(true) => j.pass(),
            _ if questions(t).any(plain) => j.fail(&[x], expected, x.outcome()),
            _ => j.unproved(&[x], expected, "the token was not told to be active without the hint either"),
        }
    }
    j
}

fn revocation_shows_at_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, token) in questions(t) {
        let Some(revoke) = revoked(t, token, x).filter(|revoke| x.at <= ended(revoke) + AT_ONCE) else {
            continue;
        };
        let expected = "active: false: the token was revoked a moment ago";
        match active(x) {
            Some(true) => j.fail(&[revoke, x], expected, x.outcome()),
            Some(false) if sees_live_tokens(t, token, x) => j.pass(),
            Some(false) => j.unproved(&[x], expected, "no token was ever told to be active"),
            None => {}
        }
    }
    j
}

fn rotated_out_token_is_inactive(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let gone = |x: &Exchange, token: &str| t.rotated_out_before(token, x).is_some();
    for (x, token) in questions(t).filter(|(x, token)| gone(x, token)) {
        inactive(&mut j, t, x, token, "another refresh token was given in its place");
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::find;
    use crate::catalog::testing::verdict;

    use crate::verdict::Verdict;

    #[test]
    fn a_server_that_knows_no_refresh_tokens_is_not_blamed_for_the_hint() {
        let id = "introspection/wrong-hint-hides-nothing";
        let text = "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST introspect token=R&client_id=main&client_secret=s\n< 200 {\"active\":false}\n\
            > POST introspect token=R&token_type_hint=access_token&client_id=main&client_secret=s\n< 200 {\"active\":false}\n";
        assert_eq!(verdict(id, text), Verdict::Inconclusive);
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &fails.replace("hint=refresh_token", "hint=what")), Verdict::Fail);
    }

    #[test]
    fn a_server_that_does_not_rotate_may_call_the_old_token_active() {
        let id = "introspection/rotated-out-token-is-inactive";
        let fails = find(id).unwrap().fails;
        assert_eq!(verdict(id, &format!("= setting rotation false\n{fails}")), Verdict::Skip);
    }

    #[test]
    fn what_is_said_later_is_not_judged_as_at_once() {
        let id = "introspection/revocation-shows-at-once";
        let fails = find(id).unwrap().fails;
        assert_eq!(
            verdict(id, &fails.replace("> POST introspect", "+ 1m\n> POST introspect")),
            Verdict::Skip
        );
    }
}
