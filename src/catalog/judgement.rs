//! What a judge says, and the words it says it with.

use crate::oauth::Endpoint;
use crate::transcript::questions::refuses_nothing;
use crate::transcript::{APART, Answer, Exchange};
use crate::verdict::{Finding, Level, Verdict};

/// The collected evidence of one judge.
#[derive(Debug, Default)]
pub struct Judgement {
    passed: bool,
    observations: Vec<Observation>,
}

#[derive(Debug)]
struct Observation {
    verdict: Verdict,
    lesser: bool,
    grave: bool,
    expected: String,
    observed: String,
    exchanges: Vec<usize>,
}

impl Judgement {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Evidence that the property holds.
    pub fn pass(&mut self) {
        self.passed = true;
    }

    /// Evidence that it does not hold.
    pub fn fail(
        &mut self,
        exchanges: &[&Exchange],
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.observe(Verdict::Fail, false, exchanges, expected.into(), observed.into());
    }

    /// Evidence that it does not hold in a way that no known deviation covers.
    pub fn fail_grave(
        &mut self,
        exchanges: &[&Exchange],
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.fail(exchanges, expected, observed);
        if let Some(last) = self.observations.last_mut() {
            last.grave = true;
        }
    }

    /// Fails where what was to be random is another one but for some letters, that can hold so many bits; says whether it is.
    pub fn hardly_new(&mut self, exchanges: &[&Exchange], what: &str, apart: Option<u32>) -> bool {
        let Some(apart) = apart.filter(|apart| *apart < APART) else { return false };
        let observed = match apart {
            0 => "it is one before it".to_owned(),
            _ => format!("what sets it apart from one before it can hold {apart} bits"),
        };
        self.fail(exchanges, format!("{what} that is another one by {APART} bits or more"), observed);
        true
    }

    /// A fail of less weight that no known deviation covers either.
    pub fn fail_lesser_grave(
        &mut self,
        exchanges: &[&Exchange],
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.fail_lesser(exchanges, expected, observed);
        if let Some(last) = self.observations.last_mut() {
            last.grave = true;
        }
    }

    /// A fail of less weight: the property holds at its core, but not as it was asked for (a refusal for
    /// another reason). It weighs one level less than the check.
    pub fn fail_lesser(
        &mut self,
        exchanges: &[&Exchange],
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.observe(Verdict::Fail, true, exchanges, expected.into(), observed.into());
    }

    /// Evidence that proves nothing, and why.
    pub fn unproved(
        &mut self,
        exchanges: &[&Exchange],
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.observe(Verdict::Inconclusive, false, exchanges, expected.into(), observed.into());
    }

    /// Passes where the condition holds on that exchange, fails with what came back where it does not.
    pub fn holds(&mut self, condition: bool, x: &Exchange, expected: impl Into<String>) {
        if condition { self.pass() } else { self.fail(&[x], expected, x.outcome()) }
    }

    /// A request that must be refused, with one of these errors (none given: any refusal). `control` says
    /// whether the same request without its flaw was seen to succeed: without it a refusal proves nothing.
    /// Where nothing came back, nothing is said: the run tells of silence by itself.
    pub fn refused(&mut self, x: &Exchange, control: bool, errors: &[&str], because: &str) {
        let expected = || match errors {
            [] => format!("a refusal: {because}"),
            errors => format!("a refusal with {}: {because}", errors.join(" or ")),
        };
        if let Answer::Nothing(_) = x.answer {
            return;
        }
        let named =
            errors.is_empty() || x.error().is_some_and(|error| errors.contains(&error.error.as_str()));
        let accepted = x.hands_out_a_token()
            || refuses_nothing(x)
            || (x.endpoint != Endpoint::Token && x.status() == 200);
        if accepted {
            self.fail_grave(&[x], expected(), x.outcome());
        } else if !control {
            self.unproved(
                &[x],
                expected(),
                "it was refused, but the same request without the flaw was not seen to succeed",
            );
        } else if x.status() >= 500 || !named {
            self.fail_lesser(&[x], expected(), x.outcome());
        } else {
            self.pass();
        }
    }

    /// Takes over what another judge of the same check has seen.
    pub fn merge(&mut self, other: Judgement) {
        self.passed |= other.passed;
        self.observations.extend(other.observations);
    }

    /// The heaviest of what was seen.
    pub fn verdict(&self) -> Verdict {
        let seen = self.observations.iter().map(|o| o.verdict).max();
        seen.unwrap_or(if self.passed { Verdict::Pass } else { Verdict::Skip })
    }

    /// The findings under the id and level of their check.
    pub(super) fn into_findings(self, check: &'static str, level: Level) -> Vec<Finding> {
        let lower = match level {
            Level::Must => Level::Should,
            Level::Should | Level::BestPractice => Level::BestPractice,
        };
        self.observations
            .into_iter()
            .map(|o| Finding {
                check: Some(check),
                verdict: o.verdict,
                level: if o.lesser { lower } else { level },
                expected: o.expected,
                observed: o.observed,
                exchanges: o.exchanges,
                grave: o.grave,
                at: None,
            })
            .collect()
    }

    fn observe(
        &mut self,
        verdict: Verdict,
        lesser: bool,
        exchanges: &[&Exchange],
        expected: String,
        observed: String,
    ) {
        let exchanges = exchanges.iter().map(|x| x.number).collect();
        self.observations.push(Observation { verdict, lesser, grave: false, expected, observed, exchanges });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;

    #[test]
    fn what_is_no_refusal_is_an_acceptance_whatever_it_looks_like() {
        let judged = |answer: &str| {
            let t = script::read(&format!("> POST token grant_type=password\n< {answer}\n"));
            let mut j = Judgement::new();
            j.refused(&t.exchanges[0], true, &["invalid_client"], "it must be");
            j.into_findings("x", Level::Must).first().map(|finding| (finding.level, finding.grave))
        };
        for answer in [
            "400 {\"error\":\"invalid_client\",\"access_token\":\"A\"}",
            "200 [{\"access_token\":\"A\"}]",
            "200",
            "204",
            "200 <html>welcome</html>",
        ] {
            assert_eq!(judged(answer), Some((Level::Must, true)), "{answer}");
        }
        assert_eq!(judged("200 {\"error\":\"invalid_grant\"}"), Some((Level::Should, false)));
        assert_eq!(judged("401 {\"error\":\"invalid_client\"}"), None);
    }
}
