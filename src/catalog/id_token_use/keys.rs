//! The keys that verify ID tokens, and that change.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "id-token-use/one-key-needs-no-name",
        title: "an ID token that names no key is verified all the same, where there is one key",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CLI-13",
        cites: &[OpenIdCore("10.1")],
        explain: "kid must be there where the key set has several keys; with one key there is nothing to choose. A client that insists \
            on it fails on servers that are right, and one that skips the verification because it finds no key is open to \
            everybody. With one key use it; with several try those of the algorithm, or refuse the token.",
        passes: concat!(
            "> GET keys\n< 200 {\"keys\":[{\"kid\":\"k\"}]}\n",
            login!("C1", "A1", right!("C1")),
            calls!("A1"),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\"}",
                    "true"
                )
            ),
            calls!("A2")
        ),
        fails: concat!(
            "> GET keys\n< 200 {\"keys\":[{\"kid\":\"k\"}]}\n",
            login!("C1", "A1", right!("C1")),
            calls!("A1"),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\"}",
                    "true"
                )
            ),
            "> GET keys\n< 200 {\"keys\":[{\"kid\":\"k\"}]}\n"
        ),
        judge: one_key_needs_no_name,
    },
    Check {
        id: "id-token-use/rolled-key-is-taken",
        title: "after the org has rolled its keys, the next login works",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-16",
        cites: &[OpenIdCore("10.1.1")],
        explain: "An issuer changes its keys when it wants to, and publishes old and new together for a while. A client that takes the \
            first key of the set, or has one in its configuration, stops on the day of the change, for all users at once, and no \
            deployment of its own explains it. Choose the key by the kid of the token, from a set that is read again from time \
            to time.",
        passes: concat!(
            keys!(),
            login!("C1", "A1", right!("C1")),
            calls!("A1"),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                    "true"
                )
            ),
            calls!("A2")
        ),
        fails: concat!(
            keys!(),
            login!("C1", "A1", right!("C1")),
            calls!("A1"),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                    "true"
                )
            )
        ),
        judge: rolled_key_is_taken,
    },
    Check {
        id: "id-token-use/unknown-key-is-looked-up",
        title: "for a key that is not in the set that was read, the set is read again",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLI-17",
        cites: &[OpenIdCore("10.1.1")],
        explain: "Between reading the keys and the login the org may have rolled them. The token then names a key that the client has \
            not seen, and that is no forgery: read the set once more, and verify with what is there now. Do that once for a token \
            and not too often in all, so that nobody can have the client ask for keys all day.",
        passes: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                    "true"
                )
            ),
            "> GET keys\n< 200 {\"keys\":[{\"kid\":\"k\"},{\"kid\":\"new\"}]}\n",
            calls!("A2")
        ),
        fails: concat!(
            keys!(),
            login!("C1", "A1", right!("C1")),
            calls!("A1"),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                    "true"
                )
            )
        ),
        judge: unknown_key_is_looked_up,
    },
];

/// `kid` of every key of a set that the client read.
fn kids(x: &Exchange) -> Option<Vec<&str>> {
    let keys = x.member("keys").filter(|_| x.endpoint == Endpoint::Keys && x.status() == 200)?;
    Some(keys.as_array()?.iter().filter_map(|key| key.get("kid")?.as_str()).collect())
}

fn kid<'t>(b: &Brought<'t>) -> Option<&'t str> {
    b.token.header.get("kid").and_then(Value::as_str)
}

/// What the client read last, before an answer.
fn read_before<'t>(t: &'t Transcript, x: &Exchange) -> Option<Vec<&'t str>> {
    t.before(x).rev().find_map(kids)
}

/// Judges a right token that the client must go on with.
fn taken(j: &mut Judgement, b: &Brought<'_>, control: bool, expected: &str) {
    match b.went_on {
        Some(_) => j.pass(),
        None if control => j.fail(&[b.x], expected, "the client did not go on"),
        None => j.unproved(
            &[b.x],
            expected,
            "the client did not go on, and was not seen to with another token either",
        ),
    }
}

fn one_key_needs_no_name(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = brought(t);
    let control = all.iter().any(|b| b.flaws.is_empty() && kid(b).is_some() && b.went_on.is_some());
    for b in all.iter().filter(|b| kid(b).is_none() && b.token.verifies.is_some()) {
        let sets: Vec<Vec<&str>> = t.at(Endpoint::Keys).filter_map(kids).collect();
        let single = !sets.is_empty() && sets.iter().all(|kids| kids.len() == 1);
        if b.flaws.is_empty() && single {
            taken(&mut j, b, control, "a call: the one key verifies the ID token");
        }
    }
    j
}

fn rolled_key_is_taken(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = brought(t);
    for (n, b) in all.iter().enumerate().filter(|(_, b)| b.flaws.is_empty() && b.token.verifies == Some(true))
    {
        let other = |a: &&Brought<'_>| kid(a).is_some() && kid(a) != kid(b) && a.went_on.is_some();
        if let Some(old) = all[..n].iter().find(other).filter(|_| kid(b).is_some() && reads_keys(t)) {
            match b.went_on {
                Some(_) => j.pass(),
                None => j.fail(&[old.x, b.x], "a call: the new key is published", "the client did not go on"),
            }
        }
    }
    j
}

fn unknown_key_is_looked_up(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let all = brought(t);
    let control = all.iter().any(|b| b.flaws.is_empty() && b.went_on.is_some());
    for b in all.iter().filter(|b| b.flaws.is_empty() && b.token.verifies == Some(true)) {
        let (Some(kid), Some(known)) = (kid(b), read_before(t, b.x)) else { continue };
        if known.contains(&kid) {
            continue;
        }
        let again = t.after(b.x).any(|y| kids(y).is_some_and(|kids| kids.contains(&kid)));
        let expected = "the keys are read again, and verify the ID token";
        match (b.went_on, again) {
            (Some(_), true) => j.pass(),
            // It may well not verify at all; that is another check's.
            (Some(_), false) => {}
            (None, _) if control => j.fail(&[b.x], expected, "the client did not go on"),
            (None, _) => j.unproved(
                &[b.x],
                expected,
                "the client did not go on, and was not seen to with another token either",
            ),
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn of_several_keys_a_token_without_a_name_may_be_refused() {
        let id = "id-token-use/one-key-needs-no-name";
        let nameless = login!(
            "C2",
            "A2",
            token!(
                "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                "{\"alg\":\"RS256\"}",
                "true"
            )
        );
        let record = format!("{}{nameless}", control!());
        comes_to(id, &record, Verdict::Fail);
        comes_to(
            id,
            &record.replace("[{\"kid\":\"k\"}]", "[{\"kid\":\"k\"},{\"kid\":\"l\"}]"),
            Verdict::Skip,
        );
        comes_to(id, &format!("{}{nameless}", keys!()), Verdict::Inconclusive);
    }

    #[test]
    fn a_key_that_was_read_before_is_not_unknown() {
        comes_to("id-token-use/unknown-key-is-looked-up", control!(), Verdict::Skip);
        comes_to("id-token-use/rolled-key-is-taken", control!(), Verdict::Skip);
    }
}
