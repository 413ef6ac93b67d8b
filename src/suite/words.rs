//! The words of the suite language: keys of every record, kinds of step, names that a tweak knows.

use super::shape::{Key, Shape, Variant, may, must};
use crate::client::Place;
use crate::oauth::salesforce::OUTCOMES;
use crate::subject::{ClientAuth, Flow, SETTINGS};

/// What `needs:` may name besides flows and roles, with what it means.
pub const CAPABILITIES: &[(&str, &str)] = &[
    ("authorize", "the pages of the web server flow can be passed"),
    ("clock", "time can be made to pass; the embedded org alone can"),
    ("discovery", "a discovery document is published"),
    ("deny", "the target says how a user refuses"),
    ("embedded", "the target is the embedded org"),
    ("https_callback", "the app's callback URL is https"),
    ("identity", "Salesforce's identity URL"),
    ("introspection", "an introspection endpoint is known"),
    ("keys", "a JSON Web Key Set is published"),
    ("query_callback", "the app registered a callback URL with a query"),
    ("resource", "a protected resource is known"),
    ("revocation", "a revocation endpoint is known"),
    ("salesforce", "the target has profile salesforce"),
    ("userinfo", "a userinfo endpoint is known"),
];

/// The whole suite file.
pub(super) const SUITE: Shape = Shape::Record(&[
    must("suite", Shape::Text, "what the suite is about"),
    must("judges", Shape::Words("party", || vec!["org"]), "which end is under test: `org`"),
    may("app", Shape::Text, "role of the app that its scenarios use, `main` where it is not given"),
    may("user", Shape::Text, "role of the user, `main` where it is not given"),
    may("tags", Shape::OneOrMany(&Shape::Text), "tags of all its scenarios"),
    may("needs", Shape::OneOrMany(&NEED), "what the target must have for all its scenarios"),
    may("settings", SETTINGS_SHAPE, "what the server must be set up for, in all its scenarios"),
    may("waive", Shape::List(&WAIVER), "checks that its scenarios are let off, each with the reason"),
    must("scenarios", Shape::List(&SCENARIO), "what is played"),
]);

const SCENARIO: Shape = Shape::Record(&[
    must("scenario", Shape::Text, "a sentence that says what holds"),
    may("app", Shape::Text, "role of the app"),
    may("user", Shape::Text, "role of the user"),
    may(
        "tags",
        Shape::OneOrMany(&Shape::Text),
        "tags; `destructive` needs `--allow destructive` on foreign targets",
    ),
    may("needs", Shape::OneOrMany(&NEED), "what the target must have; unmet means not testable"),
    may(
        "settings",
        SETTINGS_SHAPE,
        "what the server must be set up for; the embedded org is, others must say so",
    ),
    may(
        "for_each",
        Shape::List(&Shape::Map(&Shape::Any)),
        "rows of data: one scenario each, `${row.NAME}` stands for a value",
    ),
    must("steps", Shape::List(&STEP), "what is done, in order"),
    may("cleanup", Shape::List(&STEP), "what is done afterwards, whatever came"),
    may(
        "checks",
        Shape::OneOrMany(&Shape::Text),
        "checks, or families that end in `/`, that must have evidence here",
    ),
    may("waive", Shape::List(&WAIVER), "checks that it is let off, each with the reason"),
]);

/// `{ check: ..., because: ... }`, in suites and targets.
pub(super) const WAIVER: Shape = Shape::Record(&[
    must("check", Shape::Text, "id of the check, or a family that ends in `/`"),
    must("because", Shape::Text, "why it is let off"),
]);

const NEED: Shape = Shape::Short(
    &Shape::Text,
    &[
        may("flow", Shape::Words("flow", flows), "the app lists this flow"),
        may("unlisted", Shape::Words("flow", flows), "the app does not list this flow"),
        may("app", Shape::Text, "the target has an app of this role"),
        may("user", Shape::Text, "the target has a user of this role"),
        may("scenario", Shape::Text, "this scenario of the suite passed"),
    ],
);

/// `settings:` of suites and targets; the values are checked against their own table.
pub(super) const SETTINGS_SHAPE: Shape = Shape::Map(&Shape::Scalar);

pub(super) const STEP: Shape = Shape::Step(STEP_KEYS, variants);

const STEP_KEYS: &[Key] = &[
    must("do", Shape::Text, "what the step does"),
    may("step", Shape::Text, "its name, for `control:` and reports"),
    may("app", Shape::Text, "role of the app, if another than the scenario's"),
    may("user", Shape::Text, "role of the user, if another than the scenario's"),
    may(
        "client_auth",
        Shape::Words("client authentication", client_auths),
        "how the client authenticates, if not in the app's way",
    ),
    may("with", Shape::Edits, "parameters, claims or headers set to other values"),
    may("without", Shape::Edits, "parameters, claims or headers left out"),
    may("twice", Shape::Edits, "parameters or claims that stand twice"),
    may("times", Shape::Count, "how often it is done"),
    may("at_once", Shape::Flag, "whether all repetitions are held and released together"),
    may(
        "capture",
        Shape::Map(&Shape::Text),
        "what is kept: `name: body.member`, `header.name` or `redirect.name`",
    ),
    may("expect", EXPECT, "what must come of it; without it, its own success"),
    may(
        "control",
        Shape::Short(
            &Shape::Text,
            &[
                may("app", Shape::Text, "the same play with this app must succeed"),
                may("user", Shape::Text, "the same play with this user must succeed"),
                may(
                    "client_auth",
                    Shape::Words("client authentication", client_auths),
                    "the same play authenticated so must succeed",
                ),
            ],
        ),
        "what proves a refusal: an earlier step, a scenario, or the same play with another app or user",
    ),
];

const TOKEN: Key =
    may("token", Shape::Text, "which token: `access_token`, `refresh_token`, `id_token` or `${captured}`");
const METHOD: Key =
    may("method", Shape::Words("method", || vec!["GET", "POST", "PUT", "PATCH", "DELETE"]), "HTTP method");

/// Every kind of step.
pub(super) fn variants() -> Vec<Variant> {
    vec![
        Variant {
            name: "authorize",
            doc: "sends the user agent to the authorization endpoint and through the pages to the callback",
            keys: const {
                &[
                    may(
                        "scope",
                        Shape::OneOrMany(&Shape::Text),
                        "requested scope values; all of the app's where it is not given",
                    ),
                    may(
                        "pkce",
                        Shape::Words("PKCE method", || vec!["S256", "plain", "none"]),
                        "PKCE method, S256 where it is not given",
                    ),
                    may("state", Shape::Text, "sent as `state` instead of a random one"),
                    may("nonce", Shape::Flag, "whether a random nonce is sent"),
                    may("prompt", Shape::Text, "sent as `prompt`"),
                    may("login_hint", Shape::Text, "sent as `login_hint`"),
                    may("immediate", Shape::Flag, "sent as `immediate`"),
                    may("deny", Shape::Flag, "whether the user says no"),
                    may(
                        "follow",
                        Shape::Flag,
                        "whether pages are passed; `false`: the first answer is the last",
                    ),
                ]
            },
        },
        Variant { name: "redeem", doc: "redeems the code for tokens", keys: const { &[] } },
        Variant { name: "jwt-bearer", doc: "signs a JWT and presents it as a grant", keys: const { &[] } },
        Variant {
            name: "saml-bearer",
            doc: "signs a SAML assertion and presents it as a grant",
            keys: const { &[] },
        },
        Variant {
            name: "client-credentials",
            doc: "asks for a token with the app's own credentials",
            keys: const { &[] },
        },
        Variant {
            name: "refresh",
            doc: "exchanges the refresh token for an access token",
            keys: const { &[] },
        },
        Variant {
            name: "introspect",
            doc: "asks the introspection endpoint about a token",
            keys: const { &[TOKEN, may("hint", Shape::Text, "sent as `token_type_hint`"), METHOD] },
        },
        Variant {
            name: "revoke",
            doc: "revokes a token",
            keys: const { &[TOKEN, may("hint", Shape::Text, "sent as `token_type_hint`"), METHOD] },
        },
        Variant { name: "userinfo", doc: "calls the userinfo endpoint", keys: const { &[TOKEN, METHOD] } },
        Variant {
            name: "identity",
            doc: "calls Salesforce's identity URL",
            keys: const { &[TOKEN, METHOD] },
        },
        Variant {
            name: "discover",
            doc: "fetches a discovery document",
            keys: const {
                &[may(
                    "document",
                    Shape::Words("document", || vec!["openid", "oauth"]),
                    "OpenID Connect's or RFC 8414's",
                )]
            },
        },
        Variant { name: "keys", doc: "fetches the JSON Web Key Set", keys: const { &[] } },
        Variant {
            name: "call",
            doc: "calls the protected resource with the access token in the header",
            keys: const {
                &[
                    may(
                        "token",
                        Shape::Text,
                        "which token: `access_token`, `refresh_token`, `id_token`, `none` or `${captured}`",
                    ),
                    METHOD,
                    may(
                        "path",
                        Shape::Text,
                        "path on the target's host, the target's `api` where it is not given",
                    ),
                    may("json", Shape::Any, "JSON body"),
                ]
            },
        },
        Variant {
            name: "soap",
            doc: "calls Salesforce's SOAP API with the access token as session id",
            keys: const { &[TOKEN] },
        },
        Variant {
            name: "advance",
            doc: "lets time go by; the embedded org alone can",
            keys: const { &[must("by", Shape::Duration, "how much time goes by")] },
        },
    ]
}

/// What a value must be: a literal, or one of these operators.
pub(super) const MATCHER_KEYS: &[Key] = &[
    may("equals", Shape::Any, "exactly this value; also for the literal texts `absent` and `present`"),
    may("one_of", Shape::List(&Shape::Any), "one of these values"),
    may("matches", Shape::Text, "a regular expression that finds something in it"),
    may("contains", Shape::Text, "a text that it holds"),
    may(
        "type",
        Shape::Words("type", || vec!["string", "number", "integer", "boolean", "object", "array", "null"]),
        "its JSON type",
    ),
    may("not", Shape::Any, "not this value"),
];

const EXPECT: Shape = Shape::Record(EXPECT_KEYS);

/// Expectations about one answer.
const ONE: Shape = Shape::Record(ONE_KEYS);

macro_rules! one_keys {
    ($($more:expr),* $(,)?) => {
        &[
            may("refused", Shape::Words("outcome", outcomes), "a refusal by its name; the profile says what it looks like"),
            may("status", Shape::OneOrMany(&Shape::Scalar), "HTTP status, several, or a class such as `4xx`"),
            may("headers", Shape::Map(&Shape::Any), "header fields"),
            may("body", Shape::Map(&Shape::Any), "members of the JSON body, by name or JSONPath"),
            may("text", Shape::Any, "the body as text"),
            may("scope", SCOPE, "granted scope values"),
            may("redirect", Shape::Map(&Shape::Any), "parameters of the redirect to the client; `to` is its URL without them"),
            may("id_token", TOKEN_SHAPE, "the ID token of the answer"),
            may("access_token", TOKEN_SHAPE, "the access token of the answer, as a JWT"),
            may("error", Shape::Any, "`error` of the answer or the redirect"),
            may("error_description", Shape::Any, "`error_description` of the answer or the redirect"),
            may("within", Shape::Duration, "how long the answer may take"),
            $($more),*
        ]
    };
}

const ONE_KEYS: &[Key] = one_keys![];

const EXPECT_KEYS: &[Key] = one_keys![
    may("exactly", COUNTS, "so many of the repetitions are as said"),
    may("at_most", COUNTS, "at most so many of the repetitions are as said"),
    may("at_least", COUNTS, "at least so many of the repetitions are as said"),
    may("others", ONE, "what holds of the repetitions that no count took"),
];

const COUNTS: Shape = Shape::Map(&ONE);

const SCOPE: Shape = Shape::Record(&[
    may("includes", Shape::OneOrMany(&Shape::Text), "values that are among them"),
    may("excludes", Shape::OneOrMany(&Shape::Text), "values that are not"),
    may("equals", Shape::OneOrMany(&Shape::Text), "exactly these, in any order"),
]);

const TOKEN_SHAPE: Shape = Shape::Short(
    &Shape::Text,
    &[
        may("claims", Shape::Map(&Shape::Any), "its claims"),
        may("header", Shape::Map(&Shape::Any), "its JOSE header"),
        may("verifies", Shape::Flag, "whether its signature fits a published key"),
    ],
);

fn flows() -> Vec<&'static str> {
    Flow::ALL.map(Flow::name).to_vec()
}

fn client_auths() -> Vec<&'static str> {
    ClientAuth::ALL.map(ClientAuth::name).to_vec()
}

fn outcomes() -> Vec<&'static str> {
    let mut names: Vec<_> = OUTCOMES.iter().map(|outcome| outcome.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

const AUTHORIZE: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "login_hint",
    "immediate",
    "display",
    "max_age",
    "response_mode",
];
const CLIENT: &[&str] =
    &["client_id", "client_secret", "client_assertion", "client_assertion_type", "format"];
const CLAIMS: &[&str] = &["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "prn"];
const SAML: &[&str] = &[
    "issuer",
    "subject",
    "audience",
    "recipient",
    "method",
    "not_before",
    "not_on_or_after",
    "confirmation_not_on_or_after",
];
const HEADERS: &[&str] = &["authorization", "accept", "content-type", "x-prettyprint"];
const JOSE: &[&str] = &["kid", "typ", "crit", "jku", "jwk", "x5c", "x5u"];

/// The names that a step's tweak knows, with their places.
pub(super) fn names(step: &str) -> Vec<(&'static str, Place)> {
    let mut all: Vec<(&'static str, Place)> = Vec::new();
    let mut add = |names: &[&'static str], place: Place| all.extend(names.iter().map(|name| (*name, place)));
    match step {
        "authorize" => add(AUTHORIZE, Place::Param),
        "redeem" => add(&["grant_type", "code", "redirect_uri", "code_verifier"], Place::Param),
        "jwt-bearer" | "saml-bearer" => add(&["grant_type", "assertion", "scope"], Place::Param),
        "client-credentials" => add(&["grant_type", "scope"], Place::Param),
        "refresh" => add(&["grant_type", "refresh_token", "scope"], Place::Param),
        "introspect" | "revoke" => add(&["token", "token_type_hint"], Place::Param),
        "userinfo" | "identity" => add(&["oauth_token", "access_token", "format", "version"], Place::Param),
        _ => {}
    }
    match step {
        "redeem" | "jwt-bearer" | "saml-bearer" | "client-credentials" | "refresh" | "introspect"
        | "revoke" => {
            add(CLIENT, Place::Param);
            if step == "saml-bearer" {
                add(SAML, Place::Saml);
            } else {
                add(CLAIMS, Place::Claim);
                add(JOSE, Place::Jose);
            }
        }
        _ => {}
    }
    add(HEADERS, Place::Header);
    all
}

/// The words as a page of the documentation.
pub(super) fn markdown() -> String {
    use std::fmt::Write as _;
    let mut out = String::from("## Steps\n\n| `do:` | does | keys of its own |\n|---|---|---|\n");
    for variant in variants() {
        let keys: Vec<String> = variant.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        let _ = writeln!(out, "| `{}` | {} | {} |", variant.name, variant.doc, keys.join(" "));
    }
    out.push_str("\nEvery step may also have:\n\n| key | means |\n|---|---|\n");
    for key in STEP_KEYS {
        let _ = writeln!(out, "| `{}` | {} |", key.name, key.doc);
    }
    out.push_str("\n## Names that a tweak knows\n\n| `do:` | parameters | claims of the assertion | SAML | JOSE header | HTTP headers |\n|---|---|---|---|---|---|\n");
    for variant in variants().iter().filter(|v| v.name != "advance") {
        let of = |place: Place| {
            let names = names(variant.name);
            let names: Vec<String> =
                names.iter().filter(|(_, p)| *p == place).map(|(n, _)| format!("`{n}`")).collect();
            names.join(" ")
        };
        let (p, c, s, j, h) =
            (of(Place::Param), of(Place::Claim), of(Place::Saml), of(Place::Jose), of(Place::Header));
        let _ = writeln!(out, "| `{}` | {p} | {c} | {s} | {j} | {h} |", variant.name);
    }
    out.push_str("\n## Expectations\n\n| key | means |\n|---|---|\n");
    for key in EXPECT_KEYS {
        let _ = writeln!(out, "| `{}` | {} |", key.name, key.doc);
    }
    out.push_str("\nA value is a literal, a list (one of them), `absent`, `present`, or one of:\n\n| operator | means |\n|---|---|\n");
    for key in MATCHER_KEYS {
        let _ = writeln!(out, "| `{}` | {} |", key.name, key.doc);
    }
    out.push_str("\n## Outcomes\n\n| `refused:` | at | means |\n|---|---|---|\n");
    for outcome in OUTCOMES {
        let endpoint = format!("{:?}", outcome.endpoint).to_lowercase();
        let _ = writeln!(out, "| `{}` | {endpoint} | {} |", outcome.name, outcome.doc);
    }
    out.push_str("\n## Settings\n\n| setting | means |\n|---|---|\n");
    for row in SETTINGS {
        let _ = writeln!(out, "| `{}` | {} |", row.name, row.doc);
    }
    out.push_str("\n## Capabilities\n\n| `needs:` | means |\n|---|---|\n");
    for (name, doc) in CAPABILITIES {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_place_in_each_step() {
        for variant in variants() {
            let names = names(variant.name);
            for (i, (name, _)) in names.iter().enumerate() {
                assert!(!names[..i].iter().any(|(n, _)| n == name), "{name} in {}", variant.name);
            }
        }
    }
}
