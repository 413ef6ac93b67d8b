//! The file that a Locust master is started with: a class of users for each scenario, and the collecting of reports.

use super::class;
use crate::suite::Scenario;

const TEMPLATE: &str = include_str!("bridge.py");

/// The bridge for scenarios, each with the id of its suite.
pub fn bridge<'s>(scenarios: impl Iterator<Item = (&'s str, &'s Scenario)>) -> String {
    let rows: Vec<String> = scenarios
        .map(|(suite, scenario)| {
            // What JSON writes for texts and numbers, Python reads.
            let row = serde_json::json!([
                class(suite, &scenario.name),
                scenario.weight,
                format!("{suite} › {}", scenario.name)
            ]);
            format!("    {row},\n")
        })
        .collect();
    TEMPLATE.replace("@SCENARIOS@", &format!("[\n{}]", rows.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;

    #[test]
    fn each_scenario_is_a_class() {
        let source = "suite: s\njudges: org\nscenarios:\n- scenario: 'a \"quoted\" one'\n  weight: 3\n  steps: [{ do: jwt-bearer }]\n";
        let suite = crate::suite::read_suite(&Text::new("t.yaml", source), "load/t").unwrap();
        let text = bridge(suite.scenarios.iter().map(|scenario| ("load/t", scenario)));
        let row = r#"["a_quoted_one_"#;
        assert!(text.contains(row) && text.contains(r#"",3,"load/t › a \"quoted\" one"],"#), "{text}");
        assert!(!text.contains("@SCENARIOS@"));
    }
}
