//! What a fault needs to be seen: one request, one that is malformed, or several that are each as they should be.

use super::Row;
use crate::client::{Action, Call, Edit, Place, Template, TokenUse, Tweak, TweakValue};
use crate::oauth::Endpoint;
use crate::suite::{Scenario, Step, Suite};

/// What a fault needs to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A single request to a token, revocation, introspection, userinfo or resource endpoint, or none.
    OneRequest,
    /// Several, one of which no client would send by itself.
    Malformed,
    /// Several requests that are each as they should be: what is wrong is wrong only after or beside the others.
    Sequence,
}

/// What a fault needs, as the scenarios show that notice it: the least of them counts.
pub fn needs(row: &Row, suites: &[Suite]) -> Needs {
    let name = |scenario: &Scenario| scenario.full_name();
    let all = suites.iter().flat_map(|suite| &suite.scenarios);
    let noticing: Vec<&Scenario> = all.filter(|scenario| row.scenarios.contains(&name(scenario))).collect();
    if noticing.iter().any(|scenario| requests(scenario) < 2) {
        return Needs::OneRequest;
    }
    let is_plain =
        |scenario: &&Scenario| scenario.stubs.is_none() && scenario.steps.iter().all(is_well_formed);
    if noticing.iter().any(is_plain) { Needs::Sequence } else { Needs::Malformed }
}

/// How many requests a scenario makes of endpoints that ask for a token or hand one out.
fn requests(scenario: &Scenario) -> u32 {
    let counts = |step: &&Step| {
        matches!(
            step.action.endpoint(),
            Some(
                Endpoint::Token
                    | Endpoint::Revoke
                    | Endpoint::Introspect
                    | Endpoint::Userinfo
                    | Endpoint::Identity
                    | Endpoint::Resource
            )
        )
    };
    scenario.steps.iter().filter(counts).map(|step| step.times).sum()
}

/// Whether a client would send it: it differs from the usual request by values that the play itself brought, if at all.
fn is_well_formed(step: &Step) -> bool {
    let brought = |template: &Option<Template>| template.as_ref().is_none_or(is_a_name);
    let about = |which: &TokenUse| brought(&which.token) && which.method.is_none();
    let action = match &step.action {
        Action::Introspect(which)
        | Action::Revoke(which)
        | Action::Userinfo(which)
        | Action::Identity(which)
        | Action::Soap(which) => about(which),
        Action::Call(Call { token, anonymous, .. }) => brought(token) && !anonymous,
        Action::CallOut(_) | Action::Discover { .. } => false,
        _ => true,
    };
    action && step.client_auth.is_none() && is_as_usual(&step.tweak)
}

fn is_as_usual(tweak: &Tweak) -> bool {
    const VALUES: [&str; 7] =
        ["code", "code_verifier", "redirect_uri", "refresh_token", "assertion", "token", "client_assertion"];
    let usual = |edit: &Edit| match edit {
        Edit::Set(Place::Param, name, TweakValue::Text(value)) if VALUES.contains(&name.as_str()) => {
            is_a_name(value)
        }
        // Less scope, an identifier of one's own, an older login are asked for by clients too.
        Edit::Set(Place::Param, name, _) => matches!(name.as_str(), "scope" | "max_age" | "nonce"),
        Edit::Set(Place::Claim, name, _) => name == "jti",
        _ => false,
    };
    let edits = tweak.edits.iter().all(usual);
    let plain = Tweak { edits: tweak.edits.clone(), words: tweak.words.clone(), ..Tweak::default() };
    edits && plain == *tweak
}

/// Whether a text is nothing but a name.
fn is_a_name(template: &Template) -> bool {
    let mut names = template.names();
    names.next().is_some_and(|name| Template::new(&format!("${{{name}}}")) == *template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;
    use crate::oauth::salesforce::Profile;
    use crate::score::{Fate, Mutant};
    use crate::suite::read_suite;
    use std::collections::BTreeSet;

    fn needs_by(steps: &[&str]) -> Needs {
        let scenarios: Vec<String> = steps
            .iter()
            .enumerate()
            .map(|(i, steps)| format!("- scenario: s{i}\n  steps: [{steps}]\n"))
            .collect();
        let source = format!("suite: s\njudges: org\nscenarios:\n{}", scenarios.concat());
        let suite = read_suite(&Text::new("s.yaml", source), "s").unwrap();
        let row = Row {
            mutant: Mutant::Org(&crate::org::fault::all()[0]),
            profile: Profile::Salesforce,
            fate: Fate::Caught,
            checks: BTreeSet::new(),
            scenarios: suite.scenarios.iter().map(Scenario::full_name).collect(),
        };
        needs(&row, &[suite])
    }

    #[test]
    fn the_least_scenario_says_what_a_fault_needs() {
        let login = "{ do: authorize }, { do: redeem }";
        let race = "{ do: authorize }, { do: redeem, times: 2, at_once: true, expect: { status: 2xx } }";
        let odd = format!("{login}, {{ do: refresh, with: {{ scope: all }} }}, {{ do: call, token: x }}");
        let old = format!("{login}, {{ do: refresh, with: {{ refresh_token: \"${{refresh_token}}\" }} }}");
        let spoiled = old.replace("refresh_token}\"", "refresh_token}x\"");
        assert_eq!(needs_by(&[login, race]), Needs::OneRequest);
        assert_eq!(needs_by(&[race]), Needs::Sequence);
        assert_eq!(needs_by(&[&old]), Needs::Sequence);
        assert_eq!(needs_by(&[&odd]), Needs::Malformed);
        assert_eq!(needs_by(&[&spoiled]), Needs::Malformed);
        assert_eq!(needs_by(&[&odd, &old]), Needs::Sequence);
    }
}
