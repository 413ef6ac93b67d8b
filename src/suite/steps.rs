//! The kinds of step and the keys that each has.

use super::edits::{has_form, names, options, sections, twice, with, without};
use super::shape::{Either, Form, Key, Record, Shape, Variant, may, must, named, one_or_many};
use super::words::{ADVANCE, expect};
use crate::oauth::Endpoint;
use crate::subject::named_credential::may_be_listed;
use crate::subject::{ClientAuth, Protocol};
use serde_json::{Value, json};

/// Where a captured value comes from.
const SOURCE: Form = Form {
    code: "bad-capture",
    expected: "a place in the answer",
    help: "write `body.MEMBER`, a JSONPath, `header.NAME`, `redirect.PARAMETER` or `${name}`",
    fits: |_| true,
    schema: || json!({ "type": "string", "pattern": r"^(\$|(body|header|redirect)\..)" }),
};

/// A path on the target's host.
const PATH: Form = Form {
    code: "bad-path",
    expected: "a path that begins with `/`",
    help: "a suite calls the target's host only: write the path alone",
    fits: |text| text.starts_with('/') || text.starts_with("${"),
    schema: || json!({ "type": "string", "pattern": r"^(/|\$\{)" }),
};

/// A path that an issuer could have.
const BELOW: Form = Form {
    code: "bad-path",
    expected: "a path that begins with `/`",
    help: "write the path of an issuer on the target's host, such as `/tenant`",
    fits: |text| text.starts_with('/'),
    schema: || json!({ "type": "string", "pattern": "^/" }),
};

/// A text that is sent as it stands.
const LITERAL: Form = Form {
    code: "wrong-type",
    expected: "a single text",
    help: "write the text that is sent",
    fits: |text| !text.trim().is_empty(),
    schema: || json!({ "type": ["string", "number", "boolean"], "pattern": r"^(?!.*\$\{(?!row\.))" }),
};

/// A status that makes a Named Credential get a new token.
const LISTED: Form = Form {
    code: "bad-status",
    expected: "a status that can be listed",
    help: "write a status such as `403`: 4xx, 6xx, 7xx, 8xx or 9xx",
    fits: |text| text.parse().is_ok_and(may_be_listed),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "anyOf": [
                { "minimum": 400, "maximum": 499 }, { "minimum": 600, "maximum": 999 }
            ] },
            { "type": "string", "pattern": "^[46789][0-9]{2}$" }
        ] })
    },
};

/// The steps whose tweak knows a name, a section or a word for the whole request.
pub(super) fn owners(name: &str) -> Vec<&'static str> {
    let knows = |step: &str| {
        names(step).iter().any(|(known, _)| *known == name)
            || sections(step).any(|(section, ..)| section == name)
            || options(step).iter().any(|choice| choice.name == name)
    };
    kinds().iter().map(|(step, ..)| *step).filter(|step| *step != "advance" && knows(step)).collect()
}

/// Every kind of step, as `steps:` has it.
pub(super) fn step() -> Shape {
    named("step", Shape::Item(Box::new(Shape::Step(variants(false)))))
}

/// Every kind of step, as `cleanup:` has it: nothing is judged there.
pub(super) fn cleanup() -> Shape {
    named("cleanup", Shape::Item(Box::new(Shape::Step(variants(true)))))
}

/// The kinds of step with the keys that each alone has.
pub(super) fn kinds() -> Vec<(&'static str, Option<Endpoint>, &'static str, Vec<Key>)> {
    let methods = || Shape::Words("method", vec!["GET", "POST", "PUT", "PATCH", "DELETE"]);
    let path = || {
        may("path", Shape::Form(&PATH), "path on the target's host, the target's `api` where it is not given")
    };
    let method = || may("method", methods(), "HTTP method");
    let token = || {
        let doc = "which token: `access_token`, `refresh_token`, `id_token` or `${captured}`";
        may("token", Shape::Name, doc)
    };
    let hint = || may("hint", Shape::Form(&LITERAL), "sent as `token_type_hint`");
    let authorize = vec![
        may(
            "scope",
            one_or_many("a scope value or a list of them", Shape::Name),
            "requested scope values; all of the app's where it is not given",
        ),
        may(
            "pkce",
            Shape::Words("PKCE method", vec!["S256", "plain", "none"]),
            "PKCE method, S256 where it is not given",
        ),
        may("state", Shape::Text, "sent as `state` instead of a random one"),
        may("nonce", Shape::Flag, "whether a random nonce is sent"),
        may("prompt", Shape::Form(&LITERAL), "sent as `prompt`"),
        may("login_hint", Shape::Form(&LITERAL), "sent as `login_hint`"),
        may("immediate", Shape::Flag, "sent as `immediate`"),
        may("deny", Shape::Flag, "whether the user says no"),
        may("follow", Shape::Flag, "whether pages are passed; `false`: the first answer is the last"),
    ];
    let call_token = may(
        "token",
        Shape::Name,
        "which token: `access_token`, `refresh_token`, `id_token`, `none` or `${captured}`",
    );
    let call = vec![call_token, method(), path(), may("json", Shape::Any, "JSON body")];
    let call_out = vec![
        must(
            "credential",
            Shape::Words("protocol of a Named Credential", Protocol::words()),
            "how the Named Credential gets its tokens",
        ),
        may(
            "renew_on",
            one_or_many("a status or a list of them", Shape::Form(&LISTED)),
            "statuses that make it get a new token besides 401, as the External Credential lists them",
        ),
        may(
            "token",
            Shape::Name,
            "a token that it begins with, in place of one that it got: a stored one that is dead",
        ),
        may("kid", Shape::Form(&LITERAL), "`kid` of its JWTs: the developer name of the certificate"),
        method(),
        path(),
        may("json", Shape::Any, "JSON body"),
    ];
    let document = may(
        "document",
        Shape::Words("document", vec!["openid", "oauth"]),
        "OpenID Connect's or RFC 8414's, OpenID Connect's where it is not given",
    );
    let below = may(
        "below",
        Shape::Form(&BELOW),
        "path of another issuer on the target's host, whose document is asked for instead",
    );
    let by = must("by", Shape::Form(&ADVANCE), "how much time goes by");
    let (token_endpoint, resource) = (Some(Endpoint::Token), Some(Endpoint::Resource));
    vec![
        (
            "authorize",
            Some(Endpoint::Authorize),
            "sends the user agent to the authorization endpoint and through the pages to the callback",
            authorize,
        ),
        ("redeem", token_endpoint, "redeems the code for tokens", vec![]),
        ("jwt-bearer", token_endpoint, "signs a JWT and presents it as a grant", vec![]),
        ("saml-bearer", token_endpoint, "signs a SAML assertion and presents it as a grant", vec![]),
        ("client-credentials", token_endpoint, "asks for a token with the app's own credentials", vec![]),
        ("refresh", token_endpoint, "exchanges the refresh token for an access token", vec![]),
        (
            "introspect",
            Some(Endpoint::Introspect),
            "asks the introspection endpoint about a token",
            vec![token(), hint(), method()],
        ),
        ("revoke", Some(Endpoint::Revoke), "revokes a token", vec![token(), hint(), method()]),
        ("userinfo", Some(Endpoint::Userinfo), "calls the userinfo endpoint", vec![token(), method()]),
        ("identity", Some(Endpoint::Identity), "calls Salesforce's identity URL", vec![token(), method()]),
        ("discover", Some(Endpoint::Discovery), "fetches a discovery document", vec![document, below]),
        ("keys", Some(Endpoint::Keys), "fetches the JSON Web Key Set", vec![]),
        ("call", resource, "calls the protected resource with the access token in the header", call),
        (
            "call-out",
            resource,
            "calls the protected resource as a Named Credential of Salesforce does, which gets its token by itself",
            call_out,
        ),
        ("soap", resource, "calls Salesforce's SOAP API with the access token as session id", vec![token()]),
        ("advance", None, "lets time go by; the embedded org alone can", vec![by]),
    ]
}

/// The keys that steps have in common; which of them a step lacks, [`lacks`] knows.
pub(super) fn common(step: &'static str, endpoint: Option<Endpoint>) -> Vec<Key> {
    let auths = || Shape::Words("client authentication", ClientAuth::ALL.map(ClientAuth::name).to_vec());
    let control = Record {
        keys: vec![
            may("app", Shape::Name, "the same play with this app must succeed"),
            may("user", Shape::Name, "the same play with this user must succeed"),
            may("client_auth", auths(), "the same play authenticated so must succeed"),
        ],
        never: Some(("this control names nothing", "for example `control: { app: main }`")),
        ..Record::default()
    };
    let control = Either {
        expected: "a name or a mapping",
        help: "name an earlier step or a scenario, or write `{ app: main }`".into(),
        scalar: Some(Shape::Name),
        list: None,
        map: Some(Shape::Record(control)),
    };
    let capture = Shape::Map(
        None,
        Box::new(Shape::Form(&SOURCE)),
        Some(("nothing is captured", "for example `capture: { first: body.access_token }`")),
    );
    vec![
        must("do", Shape::Name, "what the step does"),
        may("step", Shape::Name, "its name, for `control:` and reports"),
        may("app", Shape::Name, "role of the app, if another than the scenario's"),
        may("user", Shape::Name, "role of the user, if another than the scenario's"),
        may("client_auth", auths(), "how the client authenticates, if not in the app's way"),
        may(
            "with",
            named(format!("with-{step}"), with(step)),
            "parameters, claims or headers set to other values",
        ),
        may(
            "without",
            named(format!("without-{step}"), without(step)),
            "parameters, claims or headers left out",
        ),
        may("twice", named(format!("twice-{step}"), twice(step)), "parameters or claims that stand twice"),
        may("times", Shape::Count, "how often it is done"),
        may("at_once", Shape::Flag, "whether all repetitions are held and released together"),
        may(
            "together",
            Shape::Flag,
            "whether its requests are held and released together with those of the step before",
        ),
        may(
            "capture",
            named("capture", capture),
            "what is kept: `name: body.member`, `header.name`, `redirect.name` or `${name}`",
        ),
        may(
            "expect",
            endpoint.map_or(Shape::Any, expect),
            "what must come of it; without it, its own success",
        ),
        may(
            "control",
            named("control", Shape::Either(Box::new(control))),
            "what proves a refusal: an earlier step, a scenario, or the same play with another app or user",
        ),
    ]
}

/// Why a step does not have a common key; none where it has it.
fn lacks(step: &str, key: &str, cleanup: bool) -> Option<&'static str> {
    match (step, key) {
        (_, "expect" | "control") if cleanup => {
            Some("what comes of a clean-up is not judged: expect it in `steps`")
        }
        (_, "capture" | "at_once" | "together") if cleanup => {
            Some("a clean-up is done once, and nothing comes after it")
        }
        ("call-out", "at_once" | "together") => Some("it is several requests: race `call` or `refresh`"),
        ("advance", "do" | "step") => None,
        ("advance", _) => Some("`advance` sends nothing: put it on the step that follows"),
        ("authorize", "at_once" | "together") => Some("race the requests that follow it"),
        (step, "client_auth") if !has_form(step) => {
            Some("the client authenticates in token requests, introspection and revocation")
        }
        _ => None,
    }
}

fn variants(cleanup: bool) -> Vec<Variant> {
    let kinds = kinds();
    let owners = |key: &str| -> Vec<String> {
        let have = kinds.iter().filter(|(.., keys)| keys.iter().any(|k| k.name == key));
        have.map(|(name, ..)| format!("`do: {name}`")).collect()
    };
    kinds
        .iter()
        .map(|(step, endpoint, doc, own)| {
            let mut elsewhere: Vec<(&'static str, String)> = Vec::new();
            let mut keys = common(step, *endpoint);
            keys.retain(|key| match lacks(step, key.name, cleanup) {
                Some(why) => {
                    elsewhere.push((key.name, why.to_owned()));
                    false
                }
                None => true,
            });
            keys.extend(own.iter().cloned());
            for (.., others) in &kinds {
                for key in others {
                    if !keys.iter().any(|k| k.name == key.name) {
                        let owners = owners(key.name);
                        let (last, first) = owners.split_last().expect("somebody owns it");
                        let owners = match first {
                            [] => last.clone(),
                            first => format!("{} and {last}", first.join(", ")),
                        };
                        elsewhere.push((key.name, format!("it is a key of {owners}")));
                    }
                }
            }
            let place = if cleanup { format!("`do: {step}` in `cleanup`") } else { format!("`do: {step}`") };
            let judged = keys.iter().any(|key| key.name == "expect");
            let rules = if judged { rules() } else { Vec::new() };
            let record = Record { place, keys, elsewhere, rules, ..Record::default() };
            Variant { name: step, doc, record }
        })
        .collect()
}

/// What a JSON Schema says of keys that belong together; [`super::step`] says it in words.
fn rules() -> Vec<Value> {
    let has = |keys: &[&str]| -> Vec<Value> { keys.iter().map(|key| json!({ "required": [key] })).collect() };
    let counts = has(&["exactly", "at_most", "at_least"]);
    let refusal = json!({ "required": ["refused"], "not": { "anyOf": counts } });
    vec![
        json!({ "dependentRequired": { "at_once": ["times"], "control": ["expect"] } }),
        json!({
            "if": { "required": ["expect"], "properties": { "expect": { "type": "object", "anyOf": counts } } },
            "then": { "required": ["times"] }
        }),
        json!({
            "if": {
                "required": ["expect"],
                "properties": { "expect": { "type": "object", "allOf": [refusal] } },
                "not": { "anyOf": has(&["with", "without", "twice"]) }
            },
            "then": { "required": ["control"] }
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_an_action_and_the_other_way_round() {
        // The names of `Action` are written there again; a word that only one of the two knows is a slip of ours.
        for (step, endpoint, ..) in kinds() {
            let by = match step {
                "advance" => ", by: 1s",
                "call-out" => ", credential: jwt-bearer",
                _ => "",
            };
            let source = format!(
                "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps: [{{ do: authorize }}, {{ do: redeem }}, {{ do: {step}{by} }}]\n"
            );
            let text = crate::diagnostic::Text::new("t.yaml", source);
            let suite = crate::suite::read_suite(&text, "t").expect(step);
            let action = &suite.scenarios[0].steps[2].action;
            assert_eq!((action.name(), action.endpoint()), (step, endpoint));
        }
    }
}
