//! The keys of target files.

use serde_json::{Value, json};
use std::sync::LazyLock;

use crate::oauth::duration;
use crate::subject::DECIDED;
use crate::subject::{ClientAuth, Flow};
use crate::suite::shape::{Either, Form, Key, Never, Record, Shape, may, must, one_or_many, record};
use crate::suite::words::{DURATION, settings, settings_named, waivers};

/// A callback URL. As with all values from outside, its reader checks it once the value is known.
const CALLBACK: Form = Form {
    code: "bad-url",
    expected: "a callback URL",
    help: "",
    fits: |_| true,
    schema: || json!({ "type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:[^#]+$|\$\{" }),
};

/// The org: a URL or the word.
const ORG: Form = Form {
    code: "bad-url",
    expected: "a URL",
    help: "",
    fits: |_| true,
    schema: || json!({ "type": "string", "pattern": r"^embedded$|^https?://[^@]+$|\$\{" }),
};

/// A URL or a path on the org.
const PLACE: Form = Form {
    code: "bad-url",
    expected: "a URL or a path",
    help: "",
    fits: |_| true,
    schema: || json!({ "type": "string", "pattern": r"^/|^https?://[^@]+$|\$\{" }),
};

/// The name of an app or a user; suites say `${ROLE.client_id}`.
const ROLE: Form = Form {
    code: "bad-name",
    expected: "the name of a role",
    help: "write letters, digits, `_` and `-`",
    fits: |text| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    },
    schema: || json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }),
};

/// What becomes of a refresh token with time.
const REFRESH_POLICY: Form = Form {
    code: "wrong-type",
    expected: "a refresh token policy",
    help: "write `infinite`, `zero`, `lifetime 30d` or `inactivity 30d`",
    fits: |text| match text.split(' ').collect::<Vec<_>>()[..] {
        ["infinite" | "zero"] => true,
        ["lifetime" | "inactivity", time] => duration(time).is_some(),
        _ => false,
    },
    schema: refresh_policy,
};

fn refresh_policy() -> Value {
    json!({ "type": "string", "pattern": "^(infinite|zero|(lifetime|inactivity) [0-9]+(ms|s|m|h|d))$" })
}

/// The whole target file.
pub(in crate::suite) static TARGET: LazyLock<Shape> =
    LazyLock::new(|| Shape::Record(Record { keys: target(), rules: target_rules(), ..Record::default() }));

/// What a JSON Schema says of keys that do not go together; the reader says it in words.
fn target_rules() -> Vec<Value> {
    let web_server = json!({ "required": ["flows"], "properties": { "flows": lists(Flow::WebServer) } });
    let here = json!({ "type": "string", "pattern": r"^http://(127\.0\.0\.1|localhost)[:/]|\$\{" });
    let come_back = json!({ "anyOf": [here, { "type": "array", "prefixItems": [here] }] });
    vec![
        json!({
            "if": { "properties": { "org": { "const": "embedded" } } },
            "then": { "properties": {
                "endpoints": false, "api": false, "ca": false, "login": { "type": ["string", "array"] },
                "apps": { "additionalProperties": { "properties": { "settings": false } } }
            } },
            "else": { "properties": { "apps": { "additionalProperties": { "properties": { "policy": false } } } } }
        }),
        json!({
            "if": { "required": ["login"], "properties": { "login": { "const": "browser" } } },
            "then": { "properties": { "apps": { "additionalProperties": {
                "if": web_server,
                "then": { "properties": { "redirect_uri": come_back } }
            } } } }
        }),
    ]
}

/// What a JSON Schema says of an app whose keys must fit each other.
fn app_rules() -> Vec<Value> {
    let auth = |names: &[&str]| json!({ "required": ["client_auth"], "properties": { "client_auth": { "enum": names } } });
    let flow = |flow: Flow| json!({ "required": ["flows"], "properties": { "flows": lists(flow) } });
    let needs = |if_: Value, key: &str| json!({ "if": if_, "then": { "required": [key] } });
    vec![
        needs(auth(&["post", "basic"]), "client_secret"),
        needs(auth(&["private-key-jwt"]), "key"),
        needs(flow(Flow::WebServer), "redirect_uri"),
        needs(flow(Flow::JwtBearer), "key"),
        needs(flow(Flow::SamlBearer), "key"),
        json!({
            "if": flow(Flow::ClientCredentials),
            "then": {
                "not": auth(&["none"]),
                "anyOf": [{ "required": ["client_secret"] }, { "required": ["client_auth"] }]
            }
        }),
    ]
}

fn lists(flow: Flow) -> Value {
    json!({ "anyOf": [{ "const": flow.name() }, { "type": "array", "contains": { "const": flow.name() } }] })
}

/// Keys of the file itself.
pub(in crate::suite) fn target() -> Vec<Key> {
    let no_apps: Never =
        ("the target has no apps, so nothing can be played", "add `main:` with its client_id");
    let login = Either {
        expected: "`browser`, `none`, a list of pages, a refresh token or an access token",
        help: "write a list of pages, for example `- fill: { username: \"${user.username}\" }`".into(),
        scalar: Some(Shape::Words("way to log in", vec!["browser", "none"])),
        list: Some(pages()),
        map: Some(Shape::Record(Record { keys: grant(), rules: grant_rules(), ..Record::default() })),
    };
    vec![
        must("org", Shape::Form(&ORG), "base URL of the org, or `embedded`"),
        may(
            "profile",
            Shape::Words("profile", vec!["rfc", "salesforce"]),
            "how it speaks: rfc or salesforce",
        ),
        may("ca", Shape::Name, "PEM of a further certificate authority, usually `${file:ca.pem}`"),
        may("endpoints", record(endpoints()), "endpoints that are not discovered: URL or path"),
        must(
            "apps",
            Shape::Map(
                Some(&ROLE),
                Box::new(Shape::Record(Record { keys: app(), rules: app_rules(), ..Record::default() })),
                Some(no_apps),
            ),
            "connected apps by role: main, other, public, ...",
        ),
        may(
            "users",
            Shape::Map(Some(&ROLE), Box::new(record(user())), None),
            "users by role: main, second, unapproved, ...",
        ),
        may(
            "login",
            Shape::Either(Box::new(login)),
            "how the pages are passed: a list of pages, `browser`, or `none`; or a refresh token or an access token in place of a login",
        ),
        may("deny", pages(), "how a user says no: the pages from the first on"),
        may("settings", settings(), "what is known of the server"),
        may("api", Shape::Form(&PLACE), "URL or path of a protected resource"),
        may("disposable", Shape::Flag, "whether the org may be changed and spoiled"),
        may("waive", waivers(), "checks that it is let off, each with the reason"),
    ]
}

/// Keys of `endpoints`.
pub(in crate::suite) fn endpoints() -> Vec<Key> {
    let place = || Shape::Form(&PLACE);
    vec![
        may("issuer", place(), "the issuer identifier"),
        may("authorize", place(), "authorization endpoint"),
        may("token", place(), "token endpoint"),
        may("introspect", place(), "introspection endpoint"),
        may("revoke", place(), "revocation endpoint"),
        may("userinfo", place(), "userinfo endpoint"),
        may("keys", place(), "JSON Web Key Set"),
        may("discovery", place(), "OpenID Connect discovery document"),
        may("metadata", place(), "RFC 8414 document"),
    ]
}

/// Keys of an app.
pub(in crate::suite) fn app() -> Vec<Key> {
    let auths = ClientAuth::ALL.map(ClientAuth::name).to_vec();
    let flow = Shape::Words("flow", Flow::ALL.map(Flow::name).to_vec());
    vec![
        must("client_id", Shape::Name, "the consumer key"),
        may("client_secret", Shape::Name, "the consumer secret"),
        may(
            "client_auth",
            Shape::Words("client authentication", auths),
            "how it authenticates: post, basic, none, private-key-jwt",
        ),
        may(
            "key",
            Shape::Name,
            "PEM of the private key that signs its assertions, usually `${file:server.key}`",
        ),
        may("certificate", Shape::Name, "PEM of its certificate, usually `${file:server.crt}`"),
        may(
            "redirect_uri",
            one_or_many("a callback URL or a list of them", Shape::Form(&CALLBACK)),
            "callback URLs; the first is used",
        ),
        may(
            "scopes",
            one_or_many("a scope value or a list of them", Shape::Name),
            "scope values that it may be granted",
        ),
        must(
            "flows",
            one_or_many("a flow or a list of flows", flow),
            "flows that must work; every other must be refused",
        ),
        may(
            "extra",
            Shape::Map(None, Box::new(Shape::Text), None),
            "parameters that this server wants in every token request",
        ),
        may(
            "run_as",
            Shape::Name,
            "role of the user whom client credentials act for; `integration` where one app alone has the flow",
        ),
        may("policy", record(policy()), "what the embedded org decides by"),
        may(
            "settings",
            settings_named(&DECIDED),
            "what is known of another org towards this app alone; it comes before `settings` of the target",
        ),
    ]
}

/// Keys of `policy`.
pub(in crate::suite) fn policy() -> Vec<Key> {
    vec![
        may("access_token_ttl", Shape::Form(&DURATION), "session timeout; slides with use"),
        may("admin_approved", Shape::Flag, "only pre-authorized users may use the app"),
        may("blocked", Shape::Flag, "an admin blocked the app"),
        may("disabled", Shape::Flag, "an external client app, or its OAuth plugin, is switched off"),
        may("installed", Shape::Flag, "the app is installed in the org"),
        may("introspect_all", Shape::Flag, "the app may introspect tokens of other apps"),
        may("ip_relaxed", Shape::Flag, "IP ranges are not enforced"),
        may("jwt_access_tokens", Shape::Flag, "access tokens are JWTs"),
        may("pkce_required", Shape::Flag, "an authorization request must carry a challenge"),
        may(
            "refresh_policy",
            Shape::Form(&REFRESH_POLICY),
            "infinite, zero, `lifetime 30d` or `inactivity 30d`",
        ),
        may("rotation", Shape::Flag, "each refresh hands out a new refresh token"),
        may("run_as", Shape::Name, "role of the user whom client credentials act for"),
        may("secret_for_refresh", Shape::Flag, "a refresh needs client authentication"),
        may("secret_optional", Shape::Flag, "redeeming a code needs no secret"),
    ]
}

/// Keys of a user.
pub(in crate::suite) fn user() -> Vec<Key> {
    vec![
        must("username", Shape::Name, "login name"),
        may("password", Shape::Name, "login password"),
        may(
            "approved",
            one_or_many("the role of an app or a list of roles", Shape::Name),
            "roles of the apps that the user approved (embedded org)",
        ),
        may("inactive", Shape::Flag, "an admin deactivated the user (embedded org)"),
        may("frozen", Shape::Flag, "an admin froze the user (embedded org)"),
        may("ip_restricted", Shape::Flag, "login from here is outside of the allowed ranges (embedded org)"),
    ]
}

/// One of the two tokens stands in for a login.
fn grant_rules() -> Vec<Value> {
    vec![json!({ "oneOf": [{ "required": ["refresh_token"] }, { "required": ["access_token"] }] })]
}

/// Keys of `login` where it is a token.
pub(in crate::suite) fn grant() -> Vec<Key> {
    vec![
        may("refresh_token", Shape::Name, "what an earlier login brought, usually `${SF_REFRESH_TOKEN}`"),
        may("access_token", Shape::Name, "or an access token alone, good for calls while it lives"),
        may("app", Shape::Form(&ROLE), "role of the app that it was issued to; `main` where it is not given"),
        may("user", Shape::Form(&ROLE), "role of the user who approved; `main` where it is not given"),
    ]
}

/// Keys of a page.
pub(in crate::suite) fn page() -> Vec<Key> {
    vec![
        may(
            "fill",
            Shape::Map(None, Box::new(Shape::Text), None),
            "values for the fields of the form, by name; hidden fields are carried along",
        ),
        may("form", Shape::Name, "CSS selector of the form, where the page has several"),
        may("link", Shape::Name, "CSS selector of a link to follow instead"),
        may("json", Shape::Words("method", vec!["POST", "PUT"]), "send the fields as JSON with this method"),
    ]
}

fn pages() -> Shape {
    let never: Never = ("no page is described", "add `- fill: ...`, or write `login: none`");
    let page = Record { keys: page(), ..Record::default() };
    Shape::List(Box::new(Shape::Record(page)), Some(never))
}
