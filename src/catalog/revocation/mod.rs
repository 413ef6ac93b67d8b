//! Token revocation (RFC 7009): what is revoked is dead, at once, with what hangs on it.

pub(super) mod request;

use super::Cite::Rfc;
use super::resource::{
    calls, ended, grant_of, grant_of_refresh_token, handed_out, is_expired, is_forged, is_live, let_in,
    opens_otherwise, owner, presented, sent_once, undisturbed,
};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::oauth::grant::refresh_token::GRANT_TYPE;
use crate::oauth::salesforce::Profile;
use crate::transcript::questions::together;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "revocation/revoked-refresh-token-is-refused",
        title: "a refresh token can be revoked, and is refused from then on",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-01",
        cites: &[Rfc(7009, "2"), Rfc(7009, "2.1")],
        explain: "Logging out means that the refresh token dies: it is the one credential that could bring the \
            access back for months. A server with a revocation endpoint must support refresh tokens there, so neither \
            unsupported_token_type nor a 200 without effect will do. Delete the token, or mark its grant, in the same \
            transaction that answers 200, and look at that mark at every refresh. On Salesforce the same happens when an \
            admin revokes the app's entry under OAuth usage.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B\"}\n\
            > POST revoke token=R&client_id=main&client_secret=s\n\
            < 200\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 400 {\"error\":\"invalid_grant\"}",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST revoke token=R&client_id=main&client_secret=s\n\
            < 200\n\
            > POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"B\"}",
        judge: revoked_refresh_token_is_refused,
    },
    Check {
        id: "revocation/revoked-access-token-is-refused",
        title: "an access token can be revoked, and is refused from then on",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "RV-02",
        cites: &[Rfc(7009, "2"), Rfc(7009, "2.1")],
        explain: "A client that found its token in a log wants to end it before it expires. Support for access \
            tokens is a SHOULD, and a server whose resources check tokens without asking may refuse it with \
            unsupported_token_type; what it may not do is answer 200 and go on taking the token. Let the resource server ask \
            (introspection), or share a list of revoked tokens. Salesforce ends the session behind the token.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}",
        judge: revoked_access_token_is_refused,
    },
    Check {
        id: "revocation/refresh-token-takes-access-tokens-along",
        title: "revoking a refresh token ends the access tokens of its grant",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "RV-03",
        cites: &[Rfc(7009, "2.1")],
        explain: "A user who disconnects an app expects it to be out, not out in two hours. A server that can revoke \
            access tokens at all should end those of the grant together with its refresh token. Keep tokens under their grant \
            and revoke the grant. Salesforce does: revoking the refresh token ends the sessions that came of it.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            > POST revoke token=R&client_id=main&client_secret=s\n\
            < 200\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > POST revoke token=R&client_id=main&client_secret=s\n\
            < 200\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}",
        judge: refresh_token_takes_access_tokens_along,
    },
    Check {
        id: "revocation/dead-token-is-answered-200",
        title: "revoking an unknown or already dead token is answered 200",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-05",
        cites: &[Rfc(7009, "2.2")],
        explain: "The client wanted the token gone, and it is: an error would only teach clients to ignore errors of \
            this endpoint, and tell a guesser which tokens exist. Answer 200 for anything that cannot be found, also on the \
            second try. Salesforce answers 400 invalid_token or unsupported_token_type here, so a client that logs out \
            there has to take that for done.",
        passes: "> POST revoke token=no-such-token&client_id=main&client_secret=s\n\
            ! tweak token\n\
            < 200",
        fails: "> POST revoke token=no-such-token&client_id=main&client_secret=s\n\
            ! tweak token\n\
            < 400 {\"error\":\"invalid_token\"}",
        judge: dead_token_is_answered_200,
    },
    Check {
        id: "revocation/takes-effect-at-once",
        title: "a revoked token is refused from the first use after the answer",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "RV-10",
        cites: &[Rfc(7009, "2.1")],
        explain: "The 200 is a promise: from now on the token cannot be used. Whoever answers first and revokes in the \
            background leaves a window in which the thief is faster than the queue. The check looks at every use that began \
            within five seconds of the answer, of a refresh token or of an access token. Commit before answering, and let \
            caches of the resource servers be invalidated rather than run out.",
        passes: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"",
        fails: "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
            < 200 {\"access_token\":\"A\"}\n\
            > POST revoke token=A&client_id=main&client_secret=s\n\
            < 200\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 200 {}\n\
            + 10s\n\
            > GET api\n\
            > Authorization: Bearer A\n\
            < 401\n\
            < WWW-Authenticate: Bearer error=\"invalid_token\"",
        judge: takes_effect_at_once,
    },
];

/// Uses that begin within so many milliseconds of the answer show whether the effect is immediate.
pub(super) const AT_ONCE: i64 = 5_000;

const UNSUPPORTED: &str = "unsupported_token_type";

/// Whether a request shows any credentials of its caller.
pub(super) fn shows_credentials(x: &Exchange) -> bool {
    let params = ["client_secret", "client_assertion"];
    x.request.header("authorization").is_some() || params.iter().any(|name| x.param(name).is_some())
}

/// Whether the caller shows credentials that are not known to be wrong, or is a client that has none.
pub(super) fn authenticated(t: &Transcript, x: &Exchange) -> bool {
    let wrong = x.facts.secret_is_right == Some(false)
        || x.facts
            .client_assertion
            .as_ref()
            .is_some_and(|a| a.verifies == Some(false) || a.malformed.is_some());
    let public = x.client_id().and_then(|id| t.subject.app_of(id)).is_some_and(|app| app.public);
    !wrong && (public || shows_credentials(x))
}

/// The revocation before `x` that was answered 200 (or 204, as some do who have nothing to say) for this token, well-formed and asked for by the client that
/// the token was issued to.
pub(super) fn revoked<'t>(t: &'t Transcript, token: &str, x: &Exchange) -> Option<&'t Exchange> {
    let owner = owner(t, token)?;
    t.before(x).find(|y| {
        y.param("token") == Some(token)
            && matches!(y.status(), 200 | 204)
            && y.error().is_none()
            && well_formed(t, y, token)
            && y.client_id().is_none_or(|client| client == owner)
            && !together(y, x)
    })
}

/// Whether a revocation bears no flaw that the record shows. Salesforce takes it by GET too and asks for no
/// credentials.
fn well_formed(t: &Transcript, y: &Exchange, token: &str) -> bool {
    let salesforce = t.subject.profile == Profile::Salesforce;
    let fits = |hint: &str| match hint {
        "access_token" => t.origin_of_refresh_token(token).is_none(),
        "refresh_token" => t.origin_of_access_token(token).is_none(),
        _ => false,
    };
    y.endpoint == Endpoint::Revoke
        && (y.request.method == "POST" || salesforce)
        && y.param("callback").is_none()
        && y.param("token_type_hint").is_none_or(fits)
        && (authenticated(t, y) || salesforce && !shows_credentials(y))
}

/// A use of a revoked token.
struct Use<'t> {
    token: &'t str,
    revoke: &'t Exchange,
    x: &'t Exchange,
    through: bool,
    /// Whether other tokens of the kind are taken, so that a refusal says something.
    controlled: bool,
}

/// Refreshes with a revoked refresh token. Refusals that may have another cause are left out.
fn refreshes(t: &Transcript) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for x in t.requests_of(GRANT_TYPE) {
        let Some(token) = x.param("refresh_token") else { continue };
        let Some(revoke) = revoked(t, token, x) else { continue };
        let needs_none = t.subject.settings_of(x.client_id()).flag("secret_for_refresh") == Some(false);
        let sound = (authenticated(t, x) || needs_none && !shows_credentials(x))
            && x.request.form().repeated().is_none()
            && x.param("scope").is_none()
            && x.client_id() == owner(t, token);
        let rotated = t.rotated_before(token, revoke).is_some();
        let through = x.granted();
        if !rotated && (through || sound && matches!(x.status(), 400 | 401)) {
            let live = |y: &Exchange| {
                y.granted() && y.param("refresh_token").is_some_and(|token| revoked(t, token, y).is_none())
            };
            let controlled = t.requests_of(GRANT_TYPE).any(live);
            uses.push(Use { token, revoke, x, through, controlled });
        }
    }
    uses
}

/// Calls with a revoked access token. Refusals that may have another cause are left out.
fn revoked_calls(t: &Transcript) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for x in calls(t) {
        let Some(token) = presented(x) else { continue };
        let Some(revoke) = revoked(t, token, x) else { continue };
        let sound = sent_once(x)
            && !is_expired(t, token, x)
            && handed_out(t, token, x).is_some_and(|handed| undisturbed(t, handed, x, Some(revoke)));
        match let_in(x) {
            Some(through) if through || sound => {
                uses.push(Use { token, revoke, x, through, controlled: opens_otherwise(t, x) });
            }
            _ => {}
        }
    }
    uses
}

/// Judges uses by whether the token is dead in the end: what dies late is told of by `takes-effect-at-once`.
fn dead_in_the_end(j: &mut Judgement, uses: &[Use<'_>], because: &str) {
    for u in uses {
        let renewed = u.x.text("refresh_token").is_some_and(|new| new != u.token);
        let died = uses.iter().any(|v| v.token == u.token && v.x.number > u.x.number && !v.through);
        if u.through && (renewed || !died) {
            j.fail(&[u.revoke, u.x], format!("a refusal: {because}"), u.x.outcome());
        } else if !u.through && u.controlled {
            j.pass();
        } else if !u.through {
            j.unproved(&[u.x], format!("a refusal: {because}"), "it was refused, but so was every other");
        }
    }
}

/// Revocations of a live token of that kind by its client that were answered unsupported_token_type.
fn not_supported(t: &Transcript, refresh: bool) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Revoke).filter(move |y| {
        let Some(token) = y.param("token") else { return false };
        let live = if refresh { is_live_refresh_token(t, token, y) } else { is_live(t, token, y) };
        live && well_formed(t, y, token)
            && y.client_id().is_none_or(|client| Some(client) == owner(t, token))
            && y.error().is_some_and(|error| error.error == UNSUPPORTED)
    })
}

/// Whether a refresh token was handed out a moment ago, and nothing happened since.
pub(super) fn is_live_refresh_token(t: &Transcript, token: &str, x: &Exchange) -> bool {
    t.origin_of_refresh_token(token).is_some_and(|handed| {
        handed.number < x.number && ended(x) < handed.at + 60_000 && undisturbed(t, handed, x, None)
    })
}

fn revoked_refresh_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for y in not_supported(t, true) {
        j.fail(&[y], "200: refresh tokens can be revoked", y.outcome());
    }
    let uses = refreshes(t);
    dead_in_the_end(&mut j, &uses, "the refresh token was revoked");
    for u in uses.iter().filter(|u| !u.through && u.controlled) {
        j.refused(u.x, true, &["invalid_grant"], "the refresh token was revoked");
    }
    j
}

fn revoked_access_token_is_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for y in not_supported(t, false) {
        j.fail(&[y], "200: access tokens can be revoked", y.outcome());
    }
    dead_in_the_end(&mut j, &revoked_calls(t), "the access token was revoked");
    j
}

fn refresh_token_takes_access_tokens_along(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    if not_supported(t, false).next().is_some() {
        return j;
    }
    let mut uses = Vec::new();
    for x in calls(t) {
        let Some(token) = presented(x) else { continue };
        let Some(handed) = handed_out(t, token, x) else { continue };
        let Some(grant) = grant_of(t, handed) else { continue };
        // At the same time is in between too, whichever came first: unless the refresh took another token's place.
        let between = |y: &&Exchange| match together(y, handed) {
            true => handed.text("refresh_token").is_none(),
            false => y.number > handed.number,
        };
        // The newest refresh token of the same grant, revoked in between.
        let revoke = t.before(x).filter(between).find(|y| {
            y.param("token").is_some_and(|gone| {
                t.origin_of_refresh_token(gone).is_some()
                    && grant_of_refresh_token(t, gone) == grant
                    && t.rotated_before(gone, y).is_none()
                    && revoked(t, gone, x).is_some_and(|revoke| revoke.number == y.number)
            })
        });
        let Some(revoke) = revoke.filter(|_| revoked(t, token, x).is_none()) else { continue };
        let sound = sent_once(x) && !is_expired(t, token, x) && undisturbed(t, handed, revoke, None);
        if let Some(through) = let_in(x).filter(|through| *through || sound) {
            uses.push(Use { token, revoke, x, through, controlled: opens_otherwise(t, x) });
        }
    }
    dead_in_the_end(&mut j, &uses, "the refresh token of its grant was revoked");
    j
}

fn dead_token_is_answered_200(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Revoke) {
        let Some(token) = x.param("token") else { continue };
        let again = revoked(t, token, x).is_some() || t.rotated_before(token, x).is_some();
        let own = x.client_id().is_none_or(|client| Some(client) == owner(t, token));
        let dead = is_forged(t, token, x) || again && own;
        let credentials =
            x.error().is_some_and(|e| ["invalid_client", "unauthorized_client"].contains(&e.error.as_str()));
        let busy = matches!(x.status(), 0 | 429 | 503);
        if dead && well_formed(t, x, token) && !credentials && !busy {
            j.holds(x.status() == 200, x, "200: the token is dead, which is what the client wanted");
        }
    }
    j
}

fn takes_effect_at_once(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for u in refreshes(t).iter().chain(&revoked_calls(t)) {
        let expected = "a refusal: the token was revoked a moment ago";
        if u.x.at > ended(u.revoke) + AT_ONCE {
            continue;
        }
        match (u.through, u.controlled) {
            (true, _) => j.fail(&[u.revoke, u.x], expected, u.x.outcome()),
            (false, true) => j.pass(),
            (false, false) => j.unproved(&[u.x], expected, "it was refused, but so was every other"),
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

    const GRANTED: &str = "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n\
        < 200 {\"access_token\":\"A\",\"refresh_token\":\"R\"}\n";
    const REFRESH: &str =
        "> POST token grant_type=refresh_token&refresh_token=R&client_id=main&client_secret=s\n";
    const REVOKE: &str = "> POST revoke token=R&client_id=main&client_secret=s\n< 200\n";
    const CALL: &str = "> GET api\n> Authorization: Bearer A\n";

    #[test]
    fn what_dies_late_fails_only_for_being_late() {
        let text = format!(
            "{GRANTED}{REFRESH}< 200 {{\"access_token\":\"B\"}}\n{REVOKE}{REFRESH}< 200 {{\"access_token\":\"D\"}}\n+ 6s\n\
             {REFRESH}< 400 {{\"error\":\"invalid_grant\"}}\n"
        );
        assert_eq!(verdict("revocation/takes-effect-at-once", &text), Verdict::Fail);
        assert_eq!(verdict("revocation/revoked-refresh-token-is-refused", &text), Verdict::Pass);
    }

    #[test]
    fn who_refreshes_while_the_token_is_revoked_has_nothing_that_lives() {
        let id = "revocation/refresh-token-takes-access-tokens-along";
        let call = CALL.replace("Bearer A", "Bearer B");
        let met = |answer: &str| {
            let refreshed = format!("{REFRESH}< 200 {{\"access_token\":\"B\"{answer}}}\n");
            [format!("{REVOKE}{refreshed}"), format!("{refreshed}{REVOKE}")]
                .map(|race| verdict(id, &format!("{GRANTED}= race\n{race}= end\n{call}< 200 []\n")))
        };
        assert_eq!(met(""), [Verdict::Fail; 2]);
        assert_eq!(met(",\"refresh_token\":\"S\""), [Verdict::Skip; 2], "another token had taken its place");
    }

    #[test]
    fn a_204_is_a_promise_too() {
        let revoke = REVOKE.replace("token=R", "token=A").replace("200", "204");
        let text = format!("{GRANTED}{revoke}{CALL}< 200 []\n");
        assert_eq!(verdict("revocation/revoked-access-token-is-refused", &text), Verdict::Fail);
        let text =
            format!("{GRANTED}{}{REFRESH}< 200 {{\"access_token\":\"B\"}}\n", REVOKE.replace("200", "204"));
        assert_eq!(verdict("revocation/revoked-refresh-token-is-refused", &text), Verdict::Fail);
    }

    #[test]
    fn a_200_for_another_client_promises_nothing() {
        let text = format!(
            "{GRANTED}> POST revoke token=R&client_id=other&client_secret=s\n< 200\n{REFRESH}< 200 {{\"access_token\":\"B\"}}\n"
        );
        assert_eq!(verdict("revocation/revoked-refresh-token-is-refused", &text), Verdict::Skip);
        assert_eq!(verdict("revocation/takes-effect-at-once", &text), Verdict::Skip);
    }

    #[test]
    fn a_refusal_proves_nothing_without_a_refresh_that_worked() {
        let text = format!("{GRANTED}{REVOKE}{REFRESH}< 400 {{\"error\":\"invalid_grant\"}}\n");
        assert_eq!(verdict("revocation/revoked-refresh-token-is-refused", &text), Verdict::Inconclusive);
    }

    #[test]
    fn another_error_code_weighs_less() {
        let text = format!(
            "{GRANTED}{REFRESH}< 200 {{\"access_token\":\"B\"}}\n{REVOKE}{REFRESH}< 400 {{\"error\":\"invalid_request\"}}\n"
        );
        let check = find("revocation/revoked-refresh-token-is-refused").unwrap();
        let judged = judge_one(check, &script::read(&text));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn a_live_refresh_token_is_a_supported_type() {
        let revoke = "> POST revoke token=R&client_id=main&client_secret=s\n\
            < 400 {\"error\":\"unsupported_token_type\"}\n";
        let id = "revocation/revoked-refresh-token-is-refused";
        assert_eq!(verdict(id, &format!("{GRANTED}{revoke}")), Verdict::Fail);
        assert_eq!(verdict(id, &format!("{GRANTED}+ 5m\n{revoke}")), Verdict::Skip);
    }

    #[test]
    fn a_rotated_out_token_takes_nothing_along() {
        let text = format!(
            "{GRANTED}{REFRESH}< 200 {{\"access_token\":\"B\",\"refresh_token\":\"S\"}}\n{REVOKE}\
             > GET api\n> Authorization: Bearer B\n< 200 {{}}\n"
        );
        assert_eq!(verdict("revocation/refresh-token-takes-access-tokens-along", &text), Verdict::Skip);
    }

    #[test]
    fn a_server_without_access_token_revocation_need_not_take_them_along() {
        let text = format!(
            "{GRANTED}> POST revoke token=A&client_id=main&client_secret=s\n< 400 {{\"error\":\"unsupported_token_type\"}}\n\
             {REVOKE}{CALL}< 200 {{}}\n"
        );
        assert_eq!(verdict("revocation/refresh-token-takes-access-tokens-along", &text), Verdict::Skip);
        assert_eq!(verdict("revocation/revoked-access-token-is-refused", &text), Verdict::Fail);
    }

    #[test]
    fn a_revocation_without_its_credentials_may_be_refused_whatever_the_token() {
        let id = "revocation/dead-token-is-answered-200";
        let text = "> POST revoke token=x&client_id=main\n! tweak client_secret\n< 401 {\"error\":\"invalid_token\"}\n";
        assert_eq!(verdict(id, text), Verdict::Skip);
        let twice =
            format!("{GRANTED}{REVOKE}{}", REVOKE.replace("200", "400 {\"error\":\"invalid_token\"}"));
        assert_eq!(verdict(id, &twice), Verdict::Fail);
    }
}
