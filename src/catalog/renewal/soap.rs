//! The SOAP API: how it says that a session is over, and where the new one belongs.

use super::super::resource::is_soap;
use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[Check {
    id: "renewal/soap-fault-starts-a-refresh",
    title: "the SOAP fault INVALID_SESSION_ID starts a refresh, and the call is repeated with the new session id",
    binds: Party::Client,
    level: Level::Must,
    basis: Basis::Vendor,
    origin: "CLR-32",
    cites: &[
        Salesforce("SOAP API Developer Guide: Error Handling"),
        Community("jetstream pull request 1664"),
    ],
    explain: "The SOAP and Metadata APIs tell a dead session by a fault with status 500, and take the access token as sessionId inside \
        the envelope. A client that looks at 401 alone reports a server error; one that renews and repeats the request as it was \
        sends the old session id again, which stands in the body and not in a header. Look for INVALID_SESSION_ID in the fault, and \
        build the envelope anew with the new access token.",
    passes: concat!(login!(), soap!("A1" => dead), refresh!("R1" => "A2"), soap!("A2" => "200 <ok/>")),
    fails: concat!(login!(), soap!("A1" => dead), refresh!("R1" => "A2"), soap!("A1" => dead)),
    judge: soap_fault_starts_a_refresh,
}];

/// Whether a call of the SOAP API was refused because its session is over.
fn is_over(x: &Exchange) -> bool {
    is_soap(x) && let_in(x) == Some(false)
}

fn soap_fault_starts_a_refresh(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let grants = Grants::of(t);
    for grant in grants.iter() {
        let over = grant.calls.iter().copied().filter(|x| is_over(x));
        for call in over.filter(|x| grant.has_refresh_token(x)) {
            let again = |z: &&&Exchange| is_soap(z) && z.began_after(call) && presented(z) == presented(call);
            let again = grant.calls.iter().find(again).copied();
            let renewal = grant.answers().find(|y| y.began_after(call) || y.overlaps(call));
            let Some(renewal) = renewal else {
                let asked = grant
                    .requests
                    .iter()
                    .chain(&grants.logins(grant).collect::<Vec<_>>())
                    .any(|y| y.over_at > call.number && y.number != call.number && !call.began_after(y));
                match again {
                    Some(again)
                        if !asked && (grant.is_sequential(again) || !within(again, call, IN_FLIGHT)) =>
                    {
                        j.fail(
                            &[call, again],
                            "a refresh",
                            "the dead session id was sent again, and nothing was renewed",
                        );
                    }
                    _ if asked => {}
                    _ => j.unproved(
                        &[call],
                        "a refresh",
                        "the record does not tell whether the client gave up or was ended",
                    ),
                }
                continue;
            };
            let expected = "the call once more, with the new access token in its envelope";
            if renewal.text("access_token") == presented(call) {
                let observed = "a renewal that brought the same access token again";
                j.unproved(&[call, renewal], expected, observed);
                continue;
            }
            let repeated = |z: &&&Exchange| {
                is_soap(z) && z.began_after(renewal) && grant.is_newer(presented(call), presented(z))
            };
            match again.filter(|z| z.began_after(renewal)) {
                Some(again) if grant.is_sequential(again) || !within(again, renewal, IN_FLIGHT) => {
                    j.fail(&[call, renewal, again], expected, "the old session id");
                }
                _ if grant.calls.iter().any(|z| repeated(&z)) => j.pass(),
                _ => j.unproved(&[call, renewal], expected, "no further SOAP call in the record"),
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    const ID: &str = "renewal/soap-fault-starts-a-refresh";

    #[test]
    fn a_renewal_may_bring_the_dead_session_once_more() {
        let same = concat!(login!(), soap!("A1" => dead), refresh!("R1" => "A1"), soap!("A1" => dead));
        comes_to(ID, same, Verdict::Inconclusive);
    }

    #[test]
    fn a_fault_that_nobody_heeds() {
        comes_to(ID, concat!(login!(), soap!("A1" => dead), soap!("A1" => dead)), Verdict::Fail);
        comes_to(ID, concat!(login!(), soap!("A1" => dead)), Verdict::Inconclusive);
        comes_to(
            ID,
            concat!(login!(), soap!("A1" => "500 <soapenv:Fault/>"), soap!("A1" => dead)),
            Verdict::Inconclusive,
        );
        let without = concat!(login!("{\"access_token\":\"A1\"}"), soap!("A1" => dead), soap!("A1" => dead));
        comes_to(ID, without, Verdict::Skip);
    }
}
