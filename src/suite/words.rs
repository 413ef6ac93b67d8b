//! The words of the suite language: keys of suites, scenarios and expectations. Steps have a file of
//! their own.

use serde_json::json;
use std::sync::LazyLock;

use super::shape::{Either, Form, Key, Never, Record, Shape, may, must, named, one_or_many, record};
use super::{client, load, steps, stubs};
use crate::oauth::salesforce::OUTCOMES;
use crate::oauth::{Endpoint, duration};
use crate::subject::{Flow, Kind, SETTINGS};

/// What `needs:` may name besides flows and roles, with what it means.
pub const CAPABILITIES: &[(&str, &str)] = &[
    ("authorize", "the pages of the web server flow can be passed"),
    ("clock", "time can be made to pass; the embedded org alone can"),
    ("discovery", "a discovery document is published"),
    ("deny", "the target says how a user refuses"),
    ("embedded", "the target is the embedded org"),
    ("https", "the server is reached over TLS"),
    ("https_callback", "the app's callback URL is https"),
    ("identity", "Salesforce's identity URL"),
    ("introspection", "an introspection endpoint is known"),
    ("keys", "a JSON Web Key Set is published"),
    ("pages", "the pages of the login are passed page by page, in a browser without a session"),
    ("query_callback", "the app registered a callback URL with a query"),
    ("resource", "a protected resource is known"),
    ("revocation", "a revocation endpoint is known"),
    ("salesforce", "the target has profile salesforce"),
    ("several_callbacks", "the app registered more than one callback URL"),
    ("userinfo", "a userinfo endpoint is known"),
];

/// A duration such as `15m`.
pub(super) const DURATION: Form = Form {
    code: "wrong-type",
    expected: "a duration",
    help: "write a number and a unit: `250ms`, `30s`, `15m`, `2h`, `30d`",
    fits: |text| duration(text).is_some(),
    schema: || json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
};

/// The longest that time goes by in one step, in milliseconds: a hundred years. It stays a date that can be written.
const LONGEST_ADVANCE: i64 = 36_525 * 86_400_000;

/// How far time goes by.
pub(super) const ADVANCE: Form = Form {
    expected: "a duration of a hundred years at most",
    fits: |text| duration(text).is_some_and(|millis| millis <= LONGEST_ADVANCE),
    help: "write a number and a unit: `30s`, `15m`, `2h`, `30d`, up to `36525d`",
    ..DURATION
};

/// A status or a class of them.
const STATUS: Form = Form {
    code: "bad-status",
    expected: "an HTTP status",
    help: "write a number such as `400`, or a class such as `4xx`",
    fits: |text| status(text).is_some(),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^[1-5]([0-9]{2}|xx)$" }
        ] })
    },
};

/// How often, as a key.
const TIMES: Form = Form {
    code: "wrong-type",
    expected: "a whole number of repetitions",
    help: "for example `at_most: { 1: { status: 200 } }`",
    fits: |text| text.parse::<u32>().is_ok(),
    schema: || json!({ "type": "string", "pattern": "^[0-9]+$" }),
};

/// A status, or the hundred of a class.
pub(super) fn status(text: &str) -> Option<(u16, bool)> {
    match (text.parse::<u16>(), text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok())) {
        (Ok(status), _) if (100..600).contains(&status) => Some((status, false)),
        (_, Some(class)) if (1..6).contains(&class) => Some((class, true)),
        _ => None,
    }
}

/// The whole suite file.
pub(super) static SUITE: LazyLock<Shape> = LazyLock::new(|| suite(scenario_shape()));

/// The suite file without its scenarios, which are looked at row by row.
pub(super) static FRAME: LazyLock<Shape> =
    LazyLock::new(|| suite(Shape::Map(None, Box::new(Shape::Any), None)));

/// One scenario.
pub(super) static SCENARIO: LazyLock<Shape> = LazyLock::new(scenario_shape);

/// The whole suite file, where it judges clients.
pub(super) static CLIENT_SUITE: LazyLock<Shape> = LazyLock::new(|| client::suite(client::scenario()));

/// The same without its scenarios.
pub(super) static CLIENT_FRAME: LazyLock<Shape> =
    LazyLock::new(|| client::suite(Shape::Map(None, Box::new(Shape::Any), None)));

/// One scenario that judges a client.
pub(super) static CLIENT_SCENARIO: LazyLock<Shape> = LazyLock::new(client::scenario);

fn suite(scenario: Shape) -> Shape {
    let no_scenarios: Never = ("the suite has no scenarios, so it would judge nothing", "add a scenario");
    record(vec![
        must("suite", Shape::Name, "what the suite is about"),
        must(
            "judges",
            Shape::Words("party", vec!["org"]),
            "which end is under test: `org`, or `client` (see there)",
        ),
        may("app", Shape::Name, "role of the app that its scenarios use, `main` where it is not given"),
        may("user", Shape::Name, "role of the user, `main` where it is not given"),
        may("tags", one_or_many("a tag or a list of tags", Shape::Name), "tags of all its scenarios"),
        may("needs", needs(), "what the target must have for all its scenarios"),
        may("settings", settings(), "what the server must be set up for, in all its scenarios"),
        may("waive", waivers(), "checks that its scenarios are let off, each with the reason"),
        may("stubs", stubs::stubs(), "a server that its scenarios are played against"),
        may("load", load::load(), "how much of it is played at a time, for `grantcheck load`"),
        must(
            "scenarios",
            Shape::Item(Box::new(Shape::List(Box::new(scenario), Some(no_scenarios)))),
            "what is played",
        ),
    ])
}

fn scenario_shape() -> Shape {
    let no_steps: Never = ("the scenario does nothing", "add a step, for example `- do: jwt-bearer`");
    let no_rows: Never =
        ("`for_each` has no rows, so the scenario would not be played", "add a row, or leave `for_each` out");
    let row = Shape::Map(None, Box::new(Shape::Any), Some(("this row has no values", "write `name: value`")));
    named(
        "scenario",
        Shape::Item(Box::new(record(vec![
            must("scenario", Shape::Name, "a sentence that says what holds"),
            may("app", Shape::Name, "role of the app"),
            may("user", Shape::Name, "role of the user"),
            may(
                "tags",
                one_or_many("a tag or a list of tags", Shape::Name),
                "tags; `destructive` needs `--allow destructive` on foreign targets",
            ),
            may("needs", needs(), "what the target must have; unmet means not testable"),
            may(
                "settings",
                settings(),
                "what the server must be set up for; the embedded org is, others must say so",
            ),
            may(
                "for_each",
                Shape::List(Box::new(row), Some(no_rows)),
                "rows of data: one scenario each, `${row.NAME}` stands for a value",
            ),
            must("steps", Shape::List(Box::new(steps::step()), Some(no_steps)), "what is done, in order"),
            may(
                "cleanup",
                Shape::List(Box::new(steps::cleanup()), None),
                "what is done afterwards, whatever came",
            ),
            may(
                "checks",
                one_or_many("a check or a list of checks", Shape::Name),
                "checks, or families that end in `/`, that must have evidence here",
            ),
            may("waive", waivers(), "checks that it is let off, each with the reason"),
            may(
                "weight",
                Shape::Form(&load::WEIGHT),
                "how often it is played in proportion to others, under load",
            ),
        ]))),
    )
}

/// `{ check: ..., because: ... }`, in suites and targets.
pub(super) fn waivers() -> Shape {
    let waiver = record(vec![
        must("check", Shape::Name, "id of the check, or a family that ends in `/`"),
        must("because", Shape::Name, "why it is let off"),
    ]);
    Shape::List(Box::new(waiver), None)
}

fn needs() -> Shape {
    let flow = || Shape::Words("flow", flows());
    let words = flows().into_iter().chain(CAPABILITIES.iter().map(|(name, _)| *name)).collect();
    let keys = vec![
        may("flow", flow(), "the app lists this flow"),
        may("unlisted", flow(), "the app does not list this flow"),
        may("app", Shape::Name, "the target has an app of this role"),
        may("user", Shape::Name, "the target has a user of this role"),
        may("scenario", Shape::Name, "this scenario of the suite passed"),
    ];
    let never = Some(("this need names nothing", "for example `app: other`"));
    let one = Either {
        expected: "a need",
        help: "write a flow, a capability, or `{ app: other }`".into(),
        scalar: Some(Shape::Words("need", words)),
        list: None,
        map: Some(Shape::Record(Record { keys, never, ..Record::default() })),
    };
    let list = Shape::List(Box::new(Shape::Either(Box::new(one.clone()))), None);
    let expected = "a need or a list of needs";
    let all = Shape::Either(Box::new(Either { expected, list: Some(list), ..one }));
    named("needs", all)
}

/// `settings:` of suites and targets, out of their table.
pub(super) fn settings() -> Shape {
    let all: Vec<&str> = SETTINGS.iter().map(|row| row.name).collect();
    named("settings", settings_named(&all))
}

/// Those of the settings that have these names.
pub(super) fn settings_named(names: &[&str]) -> Shape {
    let keys = SETTINGS
        .iter()
        .filter(|row| names.contains(&row.name))
        .map(|row| {
            let shape = match row.kind {
                Kind::Flag => Shape::Flag,
                Kind::Duration => Shape::Form(&DURATION),
                Kind::Words(words) => Shape::Words("value", words.to_vec()),
            };
            may(row.name, shape, row.doc)
        })
        .collect();
    Shape::Record(Record { noun: "setting", keys, ..Record::default() })
}

/// What a value must be: a literal, or one of these operators.
pub(super) fn operators() -> Vec<Key> {
    let mut all = plain_operators();
    all.push(may("not", matcher_of(plain_operators()), "not this value"));
    all
}

fn plain_operators() -> Vec<Key> {
    let types = vec!["string", "number", "integer", "boolean", "object", "array", "null"];
    let never: Never = ("a list without values fits nothing", "write the values that are right");
    vec![
        may("equals", Shape::Any, "exactly this value; also for the literal texts `absent` and `present`"),
        may("one_of", Shape::List(Box::new(Shape::Any), Some(never)), "one of these values"),
        may("matches", Shape::Text, "a regular expression that finds something in it"),
        may("contains", Shape::Text, "a text that it holds"),
        may("type", Shape::Words("type", types), "its JSON type"),
    ]
}

fn matcher_of(operators: Vec<Key>) -> Shape {
    let no_values: Never = ("a list without values fits nothing", "write the values that are right");
    let never = Some(("nothing is said of this value", "write `present`, a value, or an operator"));
    Shape::Either(Box::new(Either {
        expected: "a value, a list of values or an operator",
        help: "write `absent`, `present`, `null`, a value, or for example `{ matches: '^00D' }`".into(),
        scalar: Some(Shape::Scalar),
        list: Some(Shape::List(Box::new(Shape::Any), Some(no_values))),
        map: Some(Shape::Record(Record { noun: "operator", keys: operators, never, ..Record::default() })),
    }))
}

fn matcher() -> Shape {
    named("matcher", matcher_of(operators()))
}

fn matchers(never: Never) -> Shape {
    Shape::Map(None, Box::new(matcher()), Some(never))
}

const NOTHING: Never =
    ("nothing is expected here", "leave it out: a step without `expect` expects its own success");

/// What may be expected of an answer of that endpoint.
pub(super) fn expect(endpoint: Endpoint) -> Shape {
    let one = Shape::Record(Record {
        keys: one_keys(endpoint),
        elsewhere: elsewhere(endpoint),
        place: answer(endpoint).to_owned(),
        never: Some(("nothing is said of these repetitions", "for example `{ status: 200 }`")),
        ..Record::default()
    });
    let (name, one_name) = definition(endpoint);
    let mut keys = one_keys(endpoint);
    keys.extend(counts(named(one_name, one)));
    let counted: Vec<_> = ["exactly", "at_most", "at_least"].map(|key| json!({ "required": [key] })).into();
    let all = Record {
        keys,
        elsewhere: elsewhere(endpoint),
        place: answer(endpoint).to_owned(),
        never: Some(NOTHING),
        rules: vec![json!({ "if": { "required": ["others"] }, "then": { "anyOf": counted } })],
        ..Record::default()
    };
    let either = Either {
        expected: "a mapping",
        help: "for example `expect: { status: 200 }` or `expect: { refused: NAME }`".into(),
        map: Some(Shape::Record(all)),
        ..Either::default()
    };
    named(name, Shape::Either(Box::new(either)))
}

/// The keys that speak of repetitions together, with what holds of one.
fn counts(one: Shape) -> Vec<Key> {
    let never = ("no count is given", "for example `at_most: { 1: { status: 200 } }`");
    let counts = || Shape::Map(Some(&TIMES), Box::new(one.clone()), Some(never));
    vec![
        may("exactly", counts(), "so many of the repetitions are as said"),
        may("at_most", counts(), "at most so many of the repetitions are as said"),
        may("at_least", counts(), "at least so many of the repetitions are as said"),
        may("others", one.clone(), "what holds of the repetitions that no count took"),
    ]
}

/// Every key of an expectation; the docs list them in this order.
pub(super) fn expectations() -> Vec<Key> {
    let mut all = one_keys(Endpoint::Token);
    for key in one_keys(Endpoint::Authorize).into_iter().chain(counts(Shape::Any)) {
        if !all.iter().any(|known| known.name == key.name) {
            all.push(key);
        }
    }
    all
}

/// The names under which a JSON Schema defines the expectations of an endpoint.
fn definition(endpoint: Endpoint) -> (&'static str, &'static str) {
    match endpoint {
        Endpoint::Authorize | Endpoint::Page | Endpoint::Callback => ("expect-authorize", "answer-authorize"),
        Endpoint::Token => ("expect-token", "answer-token"),
        Endpoint::Introspect => ("expect-introspect", "answer-introspect"),
        Endpoint::Revoke => ("expect-revoke", "answer-revoke"),
        Endpoint::Userinfo => ("expect-userinfo", "answer-userinfo"),
        Endpoint::Identity => ("expect-identity", "answer-identity"),
        Endpoint::Keys => ("expect-keys", "answer-keys"),
        Endpoint::Discovery => ("expect-discovery", "answer-discovery"),
        Endpoint::Resource => ("expect-resource", "answer-resource"),
    }
}

fn answer(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Authorize | Endpoint::Page | Endpoint::Callback => "the answer to an authorization request",
        Endpoint::Token => "the answer to a token request",
        Endpoint::Introspect => "the answer to an introspection",
        Endpoint::Revoke => "the answer to a revocation",
        Endpoint::Userinfo | Endpoint::Identity => "the answer about a user",
        Endpoint::Keys | Endpoint::Discovery => "a published document",
        Endpoint::Resource => "the answer of a resource",
    }
}

/// What may be expected of one answer of that endpoint.
fn one_keys(endpoint: Endpoint) -> Vec<Key> {
    let mut keys = vec![
        may(
            "refused",
            Shape::Elsewhere(Box::new(Shape::Words("outcome", outcomes(Some(endpoint))))),
            "a refusal by its name; the profile says what it looks like",
        ),
        may(
            "status",
            Shape::Either(Box::new(Either {
                expected: "an HTTP status or a list of them",
                scalar: Some(Shape::Form(&STATUS)),
                list: Some(Shape::List(
                    Box::new(Shape::Form(&STATUS)),
                    Some(("a list without a status fits nothing", "write the statuses that are right")),
                )),
                ..Either::default()
            })),
            "HTTP status, several, or a class such as `4xx`",
        ),
        may(
            "headers",
            matchers((
                "no header is named",
                "for example `headers: { cache-control: { contains: no-store } }`",
            )),
            "header fields",
        ),
        may(
            "body",
            matchers(("no member is named", "for example `body: { token_type: Bearer }`")),
            "members of the JSON body, by name or JSONPath",
        ),
        may("text", matcher(), "the body as text"),
        may("scope", scope(), "granted scope values"),
        may(
            "redirect",
            matchers(("no parameter is named", "for example `redirect: { state: \"${state}\" }`")),
            "parameters of the redirect to the client; `to` is its URL without them",
        ),
        may("id_token", token(), "the ID token of the answer"),
        may("access_token", token(), "the access token of the answer, as a JWT"),
        may("error", matcher(), "`error` of the answer or the redirect"),
        may("error_description", matcher(), "`error_description` of the answer or the redirect"),
        may("within", Shape::Form(&DURATION), "how long the answer may take"),
    ];
    let foreign = elsewhere(endpoint);
    keys.retain(|key| !foreign.iter().any(|(name, _)| *name == key.name));
    keys
}

/// Keys of expectations that an endpoint never has, and why.
fn elsewhere(endpoint: Endpoint) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if endpoint != Endpoint::Authorize {
        all.push(("redirect", "`do: authorize` alone ends in a redirect to the client".to_owned()));
    }
    if endpoint != Endpoint::Token {
        let help = "a token request is answered with it: put it on the step that gets the token";
        all.push(("id_token", help.to_owned()));
        all.push(("access_token", help.to_owned()));
    }
    if !matches!(endpoint, Endpoint::Token | Endpoint::Introspect) {
        all.push(("scope", "a token request and an introspection answer with it".to_owned()));
    }
    all
}

fn scope() -> Shape {
    let values = || one_or_many("a scope value or a list of them", Shape::Name);
    let keys = vec![
        may("includes", values(), "values that are among them"),
        may("excludes", values(), "values that are not"),
        may("equals", values(), "exactly these, in any order"),
    ];
    let never = Some(("nothing is said of the scope", "for example `scope: { includes: [api] }`"));
    let either = Either {
        expected: "a mapping",
        help: "write `{ includes: [api] }`, `{ excludes: [full] }` or `{ equals: [api, id] }`".into(),
        map: Some(Shape::Record(Record { keys, never, ..Record::default() })),
        ..Either::default()
    };
    named("scope", Shape::Either(Box::new(either)))
}

fn token() -> Shape {
    let part = || matchers(("no member is named", "for example `claims: { aud: present }`"));
    let keys = vec![
        may("claims", part(), "its claims"),
        may("header", part(), "its JOSE header"),
        may("verifies", Shape::Flag, "whether its signature fits a published key"),
    ];
    let never = Some(("nothing is said of the token", "for example `id_token: { verifies: true }`"));
    let either = Either {
        expected: "`present`, `absent` or a mapping",
        help: "for example `id_token: { verifies: true, claims: { aud: \"${app.client_id}\" } }`".into(),
        scalar: Some(Shape::Scalar),
        list: None,
        map: Some(Shape::Record(Record { keys, never, ..Record::default() })),
    };
    named("token", Shape::Either(Box::new(either)))
}

pub(super) fn flows() -> Vec<&'static str> {
    Flow::ALL.map(Flow::name).to_vec()
}

/// Names of outcomes, of one endpoint or of all.
pub(super) fn outcomes(endpoint: Option<Endpoint>) -> Vec<&'static str> {
    let here = |e: Endpoint| endpoint.is_none_or(|endpoint| endpoint == e);
    let mut names: Vec<_> = OUTCOMES.iter().filter(|o| here(o.endpoint)).map(|o| o.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}
