//! The redemption of an authorization code: once, by its client, with its redirect URI and its verifier.

use super::{Checked, Issued, Kind, first_tokens, login_rate, missing, user_may};
use crate::oauth::pkce;
use crate::oauth::{Params, from_base64url};
use crate::org::answer::{Refused, invalid_grant, invalid_request, refused};
use crate::org::ask::{Ask, given};
use crate::org::authentication::{admit, identify, is_required, prove};
use crate::org::registry::{App, AppId};
use crate::org::store::{Code, State};
use crate::org::{Org, fault};
use crate::subject::Flow;

/// The shortest verifier (RFC 7636 §4.1).
const SHORTEST_VERIFIER: usize = 43;
/// What is said of a code that is unknown, or somebody else's.
const UNKNOWN: &str = "invalid authorization code";

/// A code that was good when it was looked at.
pub(super) struct Redemption {
    text: crate::oauth::Secret,
    code: Code,
}

/// Everything but whether somebody else is faster.
pub(super) fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    let claimed = identify(org, ask, params)?;
    let app = org.registry.app(claimed.id);
    admit(app, Flow::WebServer)?;
    let required = is_required(app, Flow::WebServer) && !org.faults.has(&fault::SECRET_NOT_ASKED);
    let proof = match prove(org, ask, &claimed, required, true) {
        Err(error) if !org.faults.has(&fault::PKCE_FOR_SECRET) => return Err(error),
        proof => proof,
    };
    let text = given(params, "code").ok_or_else(|| match org.faults.has(&fault::CODE_MISSING_RENAMED) {
        true => refused("unsupported_grant_type", "grant type not supported"),
        false => missing("code"),
    })?;
    let code = org.store.lock().code(text).cloned();
    let fits = |code: &Code| {
        let verifier = given(params, "code_verifier");
        code.challenge.is_some() && fitting_verifier(org, code, verifier).is_ok()
    };
    let jti = match proof {
        Err(_) if code.as_ref().is_some_and(fits) => None,
        proof => proof?.jti,
    };
    let Some(code) = code else {
        return Err(match org.faults.has(&fault::CODE_UNKNOWN_RENAMED) {
            true => invalid_request(UNKNOWN),
            false => invalid_grant(UNKNOWN),
        });
    };
    if code.app != claimed.id && !org.faults.has(&fault::CODE_UNBOUND) {
        return Err(invalid_grant(UNKNOWN));
    }
    let eternal = org.faults.has(&fault::CODE_ETERNAL);
    if code.expires <= ask.now && !eternal || code.used && !org.faults.has(&fault::CODE_REUSABLE) {
        return Err(expired());
    }
    if !org.faults.has(&fault::REDIRECT_UNCHECKED_AT_TOKEN) {
        let sent = given(params, "redirect_uri");
        if sent.is_some() || !org.faults.has(&fault::REDIRECT_OPTIONAL_AT_TOKEN) {
            same_redirect_uri(app, &code, sent)?;
        }
    }
    fitting_verifier(org, &code, given(params, "code_verifier"))?;
    user_may(org, claimed.id, code.user)?;
    let redemption = Redemption { text: text.into(), code };
    Ok(Checked { app: claimed.id, jti, kind: Kind::Code(redemption) })
}

/// Uses the code up and issues, if nobody was faster.
pub(super) fn redeem(
    org: &Org,
    state: &mut State,
    id: AppId,
    redemption: Redemption,
    now: i64,
) -> Result<Issued, Refused> {
    let Redemption { text, code } = redemption;
    let twelfth = org.faults.has(&fault::CODE_TWO_OF_TWENTY)
        && state.code(text.expose()).is_some_and(|code| code.tries == 11);
    let first = state.use_code(text.expose()) || twelfth;
    let looks_again = !org.faults.has(&fault::CODE_RACY) && !org.faults.has(&fault::CODE_REUSABLE);
    if !first && looks_again || code.expires <= now && !org.faults.has(&fault::CODE_ETERNAL) {
        return Err(expired());
    }
    if !state.login(code.user, now) {
        return Err(login_rate());
    }
    let others = || org.registry.user_ids().map(|(other, _)| other).find(|other| *other != code.user);
    let wrong = if org.faults.has(&fault::CODE_WRONG_USER) { others() } else { None };
    let code = Code { user: wrong.unwrap_or(code.user), ..code };
    let issued = first_tokens(org, state, id, code.user, code.scopes, now);
    Ok(Issued { nonce: code.nonce, auth_time: code.auth_time, ..issued })
}

fn expired() -> Refused {
    invalid_grant("expired authorization code")
}

/// The one of the authorization request, or the only one there is where that named none (RFC 6749 §4.1.3).
fn same_redirect_uri(app: &App, code: &Code, sent: Option<&str>) -> Result<(), Refused> {
    match (&code.redirect_uri, sent) {
        (Some(before), Some(now)) if before == now => Ok(()),
        (None, Some(now)) if now == app.registered.redirect_uri() => Ok(()),
        (None, None) => Ok(()),
        (Some(_), None) => Err(refused("redirect_uri_missing", "redirect_uri not provided")),
        _ => Err(refused("redirect_uri_mismatch", "redirect_uri must match configuration")),
    }
}

/// RFC 7636 §4.6. A verifier that no challenge asks for is ignored, or refused, as RFC 9700 §2.1.1 has it.
fn fitting_verifier(org: &Org, code: &Code, verifier: Option<&str>) -> Result<(), Refused> {
    let has = |fault| org.faults.has(fault);
    let fits = match (&code.challenge, verifier) {
        (None, None) => true,
        (None, Some(_)) => !org.registry.switches.unasked_verifier_refused || has(&fault::PKCE_DOWNGRADE),
        (Some(_), None) => has(&fault::PKCE_OPTIONAL),
        (Some((challenge, method)), Some(verifier)) => {
            let long = (SHORTEST_VERIFIER..=org.registry.switches.longest_verifier).contains(&verifier.len());
            let formed = (long || has(&fault::PKCE_SHORT_OK))
                && (pkce::is_unreserved(verifier) || has(&fault::PKCE_CHARACTERS_ANY));
            let made = method.challenge(verifier);
            let right = made == *challenge && !has(&fault::PKCE_BROKEN)
                || has(&fault::PKCE_ENCODINGS) && is_written_otherwise(challenge, &made)
                || has(&fault::PKCE_SWAPPED) && org.store.lock().has_challenge(&made)
                || has(&fault::PKCE_CASE) && made.eq_ignore_ascii_case(challenge);
            let itself = verifier == challenge;
            formed && (right || has(&fault::PKCE_ANY) && !itself || has(&fault::PKCE_PLAIN_TOO) && itself)
        }
    };
    if fits { Ok(()) } else { Err(refused(org.registry.switches.pkce_error, "invalid code verifier")) }
}

/// Whether a challenge is the right one in hexadecimal digits, with padding, or in the standard alphabet.
fn is_written_otherwise(challenge: &str, right: &str) -> bool {
    let hash = from_base64url(right).unwrap_or_default();
    let hexadecimal: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    challenge == hexadecimal || challenge.trim_end_matches('=').replace('+', "-").replace('/', "_") == right
}

#[cfg(test)]
mod tests {
    use crate::org::testing::*;
    use crate::org::{Begun, Org};

    fn redeem(org: &Org, code: &str, change: impl Fn(&mut crate::oauth::Params)) -> crate::org::Reply {
        let mut form = redemption(code);
        change(&mut form);
        org.handle(&token_request(&form), NOW)
    }

    #[test]
    fn a_code_works_once_and_expires() {
        let org = org();
        let one = code(&org, "main", NOW);
        assert_eq!(status(&redeem(&org, &one, |_| {})), 200);
        says(&redeem(&org, &one, |_| {}), "expired authorization code");
        let late = code(&org, "main", NOW - 15 * MINUTE);
        says(&redeem(&org, &late, |_| {}), "expired authorization code");
        says(&redeem(&org, "aPrxNobody==", |_| {}), "invalid authorization code");
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let race = |org: &Org| {
            let request = token_request(&redemption(&code(org, "main", NOW)));
            let begun: Vec<Begun> = (0..8).map(|_| org.begin(&request, NOW)).collect();
            begun
                .into_iter()
                .map(|begun| match begun {
                    Begun::Reply(reply) => reply,
                    Begun::Pending(pending) => org.commit(pending, NOW),
                })
                .filter(|reply| status(reply) == 200)
                .count()
        };
        assert_eq!(race(&org()), 1);
        assert_eq!(race(&faulty(&["code-racy"])), 8);
    }

    #[test]
    fn threads_do_not_win_twice_either() {
        let org = org();
        let request = token_request(&redemption(&code(&org, "main", NOW)));
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| status(&org.handle(&request, NOW)) == 200)).collect();
            threads.into_iter().filter(|_| true).map(|t| usize::from(t.join().unwrap())).sum::<usize>()
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn a_code_is_bound_to_client_redirect_uri_and_verifier() {
        let org = org();
        let fresh = || code(&org, "main", NOW);
        let other = |form: &mut crate::oauth::Params| {
            form.set("client_id", "other");
            form.set("client_secret", "other-s3cret");
        };
        says(&redeem(&org, &fresh(), other), "invalid authorization code");
        let error = |reply| refusal(&reply).1;
        let elsewhere = redeem(&org, &fresh(), |form| form.set("redirect_uri", "https://client.example/cb/"));
        assert_eq!(error(elsewhere), "redirect_uri_mismatch");
        let nowhere = redeem(&org, &fresh(), |form| {
            form.remove("redirect_uri");
        });
        assert_eq!(error(nowhere), "redirect_uri_missing");
        let missing = redeem(&org, &fresh(), |form| {
            form.remove("code_verifier");
        });
        says(&missing, "invalid code verifier");
        let short = redeem(&org, &fresh(), |form| form.set("code_verifier", "x".repeat(42)));
        says(&short, "invalid code verifier");
        // What was refused did not use the code up.
        let code = fresh();
        says(&redeem(&org, &code, |form| form.set("code_verifier", "y".repeat(43))), "invalid code verifier");
        assert_eq!(status(&redeem(&org, &code, |_| {})), 200);
    }

    #[test]
    fn faults_of_pkce_let_just_their_own_wrong_pass() {
        use crate::oauth::pkce::Method;
        let wrong = "w".repeat(43);
        let challenge = Method::S256.challenge(VERIFIER);
        let answers = |faults: &[&str]| {
            let org = faulty(faults);
            [Some(VERIFIER), Some(wrong.as_str()), Some(challenge.as_str()), None].map(|verifier| {
                let reply = redeem(&org, &code(&org, "main", NOW), |form| match verifier {
                    Some(verifier) => form.set("code_verifier", verifier),
                    None => assert!(form.remove("code_verifier")),
                });
                status(&reply) == 200
            })
        };
        assert_eq!(answers(&[]), [true, false, false, false]);
        assert_eq!(answers(&["pkce-broken"]), [false, false, false, false]);
        assert_eq!(answers(&["pkce-any"]), [true, true, false, false]);
        assert_eq!(answers(&["pkce-plain-too"]), [true, false, true, false]);
        assert_eq!(answers(&["pkce-optional"]), [true, false, false, true]);
    }
}
