//! What a plan would do to the users of a real org: Salesforce lets a user log in 3,600 times an hour and then answers
//! `login rate exceeded` to everybody who comes as that user (Salesforce Help: login rate limit; field reports).

use std::collections::BTreeMap;

use super::pace::SECOND;
use super::plan::{Model, Plan};
use crate::client::Action;
use crate::subject::workload::Tokens;
use crate::suite::Scenario;

/// Logins of a user within an hour.
pub const LOGINS_AN_HOUR: u64 = 3600;

const HOUR: u64 = 3600 * SECOND;

/// How often each user would be logged in within an hour at most, by role; none where nothing bounds it.
pub fn logins<'s>(
    plan: &Plan,
    scenarios: impl Iterator<Item = &'s Scenario> + Clone,
) -> BTreeMap<String, Option<u64>> {
    let mut logins: BTreeMap<String, Option<u64>> = BTreeMap::new();
    let all: u64 = scenarios.clone().map(|scenario| u64::from(scenario.weight)).sum();
    let plays = plays(plan);
    for scenario in scenarios {
        for step in &scenario.steps {
            let logs_in = matches!(
                step.action,
                Action::Authorize(_) | Action::JwtBearer | Action::SamlBearer | Action::ClientCredentials
            );
            if !logs_in {
                continue;
            }
            let user = step.user.as_ref().unwrap_or(&scenario.user);
            let here = match plan.tokens {
                Tokens::Fresh => plays.map(|plays| {
                    let share = plays.saturating_mul(u64::from(scenario.weight)).div_ceil(all.max(1));
                    share.saturating_mul(u64::from(step.times))
                }),
                // Once for each session; what is renewed beyond that nobody knows beforehand.
                _ => Some(plan.sessions() as u64),
            };
            let so_far = logins.entry(user.clone()).or_insert(Some(0));
            *so_far = so_far.zip(here).map(|(so_far, here)| so_far.saturating_add(here));
        }
    }
    logins
}

/// How many plays begin within an hour at most; none where nothing bounds it.
fn plays(plan: &Plan) -> Option<u64> {
    let length = plan.length.unwrap_or(HOUR).min(HOUR);
    let begin = match &plan.model {
        // No hour has more of them than one at the highest rate, nor than the whole run.
        Model::Rate(course, _) => {
            let whole = plan.length.map_or(f64::INFINITY, |length| course.sum(length));
            Some((course.highest() * length as f64 / SECOND as f64).min(whole).ceil() as u64)
        }
        Model::Users(course, Some(pacing)) => {
            let each = length.div_ceil((*pacing).max(1)) + 1;
            Some((course.highest().ceil() as u64).saturating_mul(each))
        }
        Model::Users(_, None) | Model::Told(_) => None,
    };
    match (begin, plan.count) {
        (Some(begin), Some(count)) => Some(begin.min(count)),
        (begin, count) => begin.or(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;
    use crate::subject::workload::{Workload, micros};

    fn within_an_hour(asked: Workload) -> Option<u64> {
        let source = "suite: s\njudges: org\nscenarios:\n- scenario: a\n  weight: 3\n  steps: [{ do: jwt-bearer }, { do: call }]\n\
                      - scenario: b\n  user: second\n  steps: [{ do: jwt-bearer }]\n";
        let suite = crate::suite::read_suite(&Text::new("t.yaml", source), "t").unwrap();
        let plan = Plan::new(&asked, 1, 1).unwrap();
        logins(&plan, suite.scenarios.iter())["main"]
    }

    #[test]
    fn logins_are_counted_before_they_happen() {
        let open = |rate: f64, length: &str| Workload {
            rate: Some(rate),
            length: micros(length),
            ..Workload::default()
        };
        assert_eq!(within_an_hour(open(1.0, "10m")), Some(450));
        assert_eq!(within_an_hour(open(2.0, "10h")), Some(5400));
        let closed = Workload { users: Some(10.0), length: micros("1m"), ..Workload::default() };
        assert_eq!(within_an_hour(closed.clone()), None);
        assert_eq!(within_an_hour(Workload { count: Some(100), ..closed.clone() }), Some(75));
        let paced = Workload { pacing: micros("10s"), ..closed.clone() };
        assert_eq!(within_an_hour(paced), Some(53));
        let shared = Workload { tokens: Some(Tokens::Pool(1)), ..closed };
        assert_eq!(within_an_hour(shared), Some(1));
    }
}
