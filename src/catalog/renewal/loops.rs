//! A call that is refused again with the access token of a renewal is not renewed for ever.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[Check {
    id: "renewal/refused-again-is-not-renewed-for-ever",
    title: "a call that is refused with a new access token too is not renewed and repeated again and again",
    binds: Party::Client,
    level: Level::Must,
    basis: Basis::Derived,
    origin: "CLR-05",
    cites: &[Rfc(6750, "3.1")],
    explain: "A 401 for a token that is seconds old has a reason that no renewal cures: the user was locked, the app was blocked, \
            the resource belongs to another org. A client that renews and repeats without end turns it into a storm that uses up the \
            login rate of the user. Count the repetitions of each call: after one renewal the second 401 is the answer, and goes to \
            the caller. It fails where one call is refused three times in a row, each time with the token of another renewal.",
    passes: concat!(login!(), call!("A1" => "401"), refresh!("R1" => "A2"), call!("A2" => "401")),
    fails: concat!(
        login!(),
        call!("A1" => "401"),
        refresh!("R1" => "A2"),
        call!("A2" => "401"),
        refresh!("R1" => "A3"),
        call!("A3" => "401")
    ),
    judge: refused_again_is_not_renewed_for_ever,
}];

/// A call and its repetitions, each refused for such a reason and each with the token of a renewal of its own.
pub(super) fn chain<'t>(
    grant: &Grant<'t>,
    first: &'t Exchange,
    refused: fn(&Exchange) -> bool,
) -> Vec<&'t Exchange> {
    let mut chain = vec![first];
    while let Some(next) = chain.last().and_then(|x| next(grant, x)).filter(|next| refused(next)) {
        chain.push(next);
    }
    chain
}

/// The call that repeats this one after a renewal that no other call asked for.
fn next<'t>(grant: &Grant<'t>, x: &Exchange) -> Option<&'t Exchange> {
    let next = grant
        .calls
        .iter()
        .copied()
        .find(|r| r.began_after(x) && grant.is_newer(presented(x), presented(r)))?;
    let renewal = grant.answers().find(|y| y.text("access_token") == presented(next) && y.began_after(x))?;
    let other = |z: &&Exchange| {
        z.number != x.number && gives_reason(z) && z.over_at > x.number && z.number < renewal.number
    };
    (same_call(x, next) && !grant.calls.iter().copied().any(|z| other(&z))).then_some(next)
}

/// Every chain of at least so many links.
pub(super) fn chains<'t>(grant: &Grant<'t>, refused: fn(&Exchange) -> bool) -> Vec<Vec<&'t Exchange>> {
    let mut taken = Vec::new();
    let mut chains = Vec::new();
    for &x in grant.calls.iter().filter(|x| refused(x)) {
        if !taken.contains(&x.number) {
            let chain = chain(grant, x, refused);
            taken.extend(chain.iter().map(|x| x.number));
            chains.push(chain);
        }
    }
    chains
}

fn refused_again_is_not_renewed_for_ever(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for grant in Grants::of(t).iter() {
        for chain in chains(grant, is_dead) {
            match chain.len() {
                ..2 => {}
                2 => j.pass(),
                many => {
                    j.fail(&chain, "one renewal, and one repetition", format!("it was sent {many} times"))
                }
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn many_calls_that_are_each_refused_twice_are_no_loop() {
        let id = "renewal/refused-again-is-not-renewed-for-ever";
        let calls = concat!(
            login!(),
            call!("A1" => "401"),
            refresh!("R1" => "A2"),
            call!("A2" => "401"),
            call!("A2" => "401"),
            refresh!("R1" => "A3"),
            call!("A3" => "401"),
            call!("A3" => "401"),
            refresh!("R1" => "A4"),
            call!("A4" => "401")
        );
        comes_to(id, calls, Verdict::Pass);
    }
}
