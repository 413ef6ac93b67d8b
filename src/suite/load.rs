//! `load:` of a suite: how much of it is played at a time, and what must hold of that. Playing it once takes no notice.

use serde_json::json;

use super::parse::Node;
use super::shape::{Either, Form, Key, Never, Record, Shape, may, must, named};
use super::words::DURATION;
use crate::diagnostic::{Diagnostic, Text};
use crate::subject::workload::{
    Arrivals, Assertions, Connections, Stage, Threshold, Tokens, Workload, level, micros,
};

const RATE: Form = Form {
    code: "wrong-type",
    expected: "a rate",
    help: "write how many plays begin in a second, for example `200` or `200/s`",
    fits: |text| level(text).is_some(),
    schema: || {
        json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1_000_000 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(/s)?$" }
        ] })
    },
};
const LEVEL: Form = Form {
    code: "wrong-type",
    expected: "a number of users, or of plays a second",
    help: "for example `100`",
    fits: |text| level(text).is_some(),
    schema: || {
        json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1_000_000 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(/s)?$" }
        ] })
    },
};
const MANY: Form = Form {
    code: "wrong-type",
    expected: "a whole number from 1 to a million",
    help: "for example `50`",
    fits: |text| text.parse::<u64>().is_ok_and(|many| (1..=1_000_000).contains(&many)),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 1_000_000 },
            { "type": "string", "pattern": "^\\+?0*[1-9][0-9]{0,6}$" }
        ] })
    },
};
/// How often a scenario is played in proportion to the others of a load run.
pub(super) const WEIGHT: Form = Form {
    code: "wrong-type",
    expected: "a whole number from 1 to a thousand",
    help: "for example `3`: it is played three times as often as one of weight 1",
    fits: |text| text.parse::<u32>().is_ok_and(|weight| (1..=1000).contains(&weight)),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 1000 },
            { "type": "string", "pattern": "^\\+?0*[1-9][0-9]{0,3}$" }
        ] })
    },
};
const THRESHOLD: Form = Form {
    code: "bad-threshold",
    expected: "a threshold",
    help: Threshold::HELP,
    fits: |text| Threshold::read(text).is_some(),
    schema: || {
        json!({ "type": "string",
            "pattern": "^(.*: )?\\s*(p[0-9.]+|mean|max|rate|errors)\\s*[<>]=?\\s*[0-9.]+\\s*(ms|s|m|h|d|%|/s)?\\s*$" })
    },
};

/// One word, or a number under a word.
fn word_or(expected: &'static str, help: &str, words: &[&'static str], numbered: Key) -> Shape {
    let never: Never = ("nothing is said here", "write a word, or a number under its name");
    let keys = vec![numbered];
    Shape::Either(Box::new(Either {
        expected,
        help: help.to_owned(),
        scalar: Some(Shape::Words(expected, words.to_vec())),
        list: None,
        map: Some(Shape::Record(Record { keys, never: Some(never), ..Record::default() })),
    }))
}

/// `load:`.
pub(super) fn load() -> Shape {
    let stage = Shape::Record(Record {
        keys: vec![
            must("to", Shape::Form(&LEVEL), "the level at its end: users, or plays a second"),
            must("over", Shape::Form(&DURATION), "how long it takes"),
        ],
        ..Record::default()
    });
    let no_stages: Never = ("there is no stage", "for example `- { to: 100, over: 30s }`");
    let thresholds = Shape::List(Box::new(Shape::Form(&THRESHOLD)), None);
    let never: Never = ("it says nothing", "for example `{ users: 50, for: 30s }`");
    let keys = vec![
        may(
            "users",
            Shape::Form(&MANY),
            "closed: so many users, each of whom begins its next play when the last is over",
        ),
        may("rate", Shape::Form(&RATE), "open: so many plays begin in a second, however the last ones went"),
        may(
            "arrivals",
            Shape::Words("kind of arrivals", Arrivals::WORDS.to_vec()),
            "`constant`, or `poisson`: at random",
        ),
        may(
            "stages",
            Shape::List(Box::new(stage), Some(no_stages)),
            "users or rate move in straight lines from level to level",
        ),
        may("pacing", Shape::Form(&DURATION), "how often a user begins a play"),
        may("for", Shape::Form(&DURATION), "for how long plays begin"),
        may("count", Shape::Form(&MANY), "how many plays begin at most"),
        may("warm_up", Shape::Form(&DURATION), "for how long at the begin nothing is counted"),
        may(
            "in_flight",
            Shape::Form(&MANY),
            "the most plays in flight in an open run; what is beyond it is dropped and fails the run",
        ),
        may("allow_drops", Shape::Flag, "whether dropped plays are no failure"),
        may(
            "tokens",
            word_or(
                "where sessions come from",
                Tokens::HELP,
                &["fresh", "per-user", "shared"],
                may("pool", Shape::Form(&MANY), "so many sessions, which the users share among them"),
            ),
            "where sessions come from: `fresh` for each play, `per-user`, `shared` by all, or `{ pool: n }`",
        ),
        may(
            "assertion",
            word_or(
                "what becomes of assertions",
                Assertions::HELP,
                &["fresh", "reuse"],
                may(
                    "presigned",
                    Shape::Form(&MANY),
                    "so many are made before the run begins, for each step that signs",
                ),
            ),
            "`fresh` for each request, `reuse` until shortly before it expires, or `{ presigned: n }`",
        ),
        may(
            "connections",
            word_or(
                "what becomes of connections",
                Connections::HELP,
                &["per-user", "none"],
                may("shared", Shape::Form(&MANY), "so many are kept, which all users share"),
            ),
            "`per-user`, `{ shared: n }`, or `none` is kept",
        ),
        may(
            "herd",
            Shape::Form(&MANY),
            "so many callers find all sessions dead at once, in the middle of the run",
        ),
        may(
            "thresholds",
            thresholds,
            "what must hold: `p99 < 250ms`, `errors < 1%`, `rate >= 100/s`, with `STEP: ` before it for one step",
        ),
        may(
            "abort_after",
            Shape::Form(&DURATION),
            "ends the run when a threshold does not hold after so long",
        ),
    ];
    named(
        "load",
        Shape::Item(Box::new(Shape::Record(Record { keys, never: Some(never), ..Record::default() }))),
    )
}

/// Reads `load:`. What is wrong with its shape was told.
pub(super) fn read(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) -> Workload {
    let word = |key: &str| node.get(key).and_then(Node::text);
    let number = |key: &str| word(key).and_then(|text| text.parse::<u64>().ok());
    let time = |key: &str| word(key).and_then(micros);
    // A word, or a number under one.
    let either = |key: &str| {
        let value = node.get(key)?;
        match value.entries().first() {
            Some((name, number)) => Some(format!("{}={}", name.text()?, number.text()?)),
            None => value.text().map(str::to_owned),
        }
    };
    if let (Some(_), Some(rate)) = (node.get("users"), node.key("rate")) {
        let message =
            "`users` and `rate` contradict each other: the first is a closed run, the second an open one";
        problems
            .push(Diagnostic::at("contradiction", text, rate.span, message).help("leave one of them out"));
    }
    if let (Some(_), Some(pacing)) = (node.get("rate"), node.key("pacing")) {
        let message = "`pacing` is for users; in an open run the rate says when plays begin";
        problems.push(Diagnostic::at("contradiction", text, pacing.span, message).help("leave it out"));
    }
    if let (Some(rate), None) = (node.get("rate"), node.get("stages"))
        && rate.text().and_then(level) == Some(0.0)
    {
        let message = "at this rate no play ever begins";
        let help = "write a rate above 0, or `stages` that lead away from it";
        problems.push(Diagnostic::at("wrong-type", text, rate.span, message).help(help));
    }
    let stages = node.get("stages").map(|stages| {
        let stage = |stage: &Node| {
            Some(Stage { to: level(stage.get("to")?.text()?)?, over: micros(stage.get("over")?.text()?)? })
        };
        stages.items().iter().filter_map(stage).collect()
    });
    Workload {
        users: number("users").map(|users| users as f64),
        rate: word("rate").and_then(level),
        arrivals: word("arrivals").and_then(Arrivals::read),
        stages,
        pacing: time("pacing"),
        length: time("for"),
        count: number("count"),
        warm_up: time("warm_up"),
        in_flight: number("in_flight"),
        drops: node.get("allow_drops").and_then(Node::flag),
        tokens: either("tokens").and_then(|text| Tokens::read(&text)),
        assertion: either("assertion").and_then(|text| Assertions::read(&text)),
        connections: either("connections").and_then(|text| Connections::read(&text)),
        herd: number("herd"),
        thresholds: node
            .get("thresholds")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|threshold| Threshold::read(threshold.text()?))
            .collect(),
        abort_after: time("abort_after"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::read_suite;

    fn suite(load: &str) -> Result<Workload, String> {
        let source = format!(
            "suite: s\njudges: org\nload: {load}\nscenarios:\n- scenario: a\n  weight: 3\n  steps: [{{ do: client-credentials }}]\n"
        );
        let told = |problems: Vec<Diagnostic>| problems.iter().map(ToString::to_string).collect::<String>();
        let suite = read_suite(&Text::new("t.yaml", source), "t").map_err(told)?;
        assert_eq!(suite.scenarios[0].weight, 3);
        Ok(suite.load.unwrap_or_default())
    }

    #[test]
    fn what_is_written_is_read() {
        let load = suite(
            "{ rate: 200/s, arrivals: poisson, stages: [{ to: 300, over: 10s }], for: 30s, warm_up: 5s, in_flight: 50, \
             tokens: { pool: 10 }, assertion: { presigned: 100 }, connections: none, thresholds: [\"p99 < 250ms\"] }",
        );
        let load = load.unwrap();
        assert_eq!(
            (load.rate, load.length, load.tokens),
            (Some(200.0), Some(30_000_000), Some(Tokens::Pool(10)))
        );
        assert_eq!(load.assertion, Some(Assertions::Presigned(100)));
        assert_eq!(load.stages, Some(vec![Stage { to: 300.0, over: 10_000_000 }]));
        assert_eq!((load.thresholds.len(), load.connections), (1, Some(Connections::None)));
        let rising = suite("{ rate: 0, stages: [{ to: 300, over: 10s }] }").unwrap();
        assert_eq!(rising.rate, Some(0.0));
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        for (wrong, told) in [
            ("{ users: 0 }", "a whole number from 1"),
            ("{ rate: 0, for: 10s }", "no play ever begins"),
            ("{ user: 5 }", "did you mean `users`"),
            ("{ users: 5, rate: 7 }", "contradict"),
            ("{ rate: 7, pacing: 1s }", "`pacing` is for users"),
            ("{ tokens: sharde }", "where sessions come from"),
            ("{ tokens: { pol: 3 } }", "did you mean `pool`"),
            ("{ thresholds: [\"p99 < 250\"] }", "p99 < 250ms"),
            ("{ stages: [] }", "no stage"),
            ("{}", "says nothing"),
            ("{ for: 10 }", "a duration"),
        ] {
            let problems = suite(wrong).unwrap_err();
            assert!(problems.contains(told), "{wrong}: {problems}");
        }
    }
}
