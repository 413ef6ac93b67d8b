//! What a tweak can name: the parts of a request, the names in them, and words for the request as a whole.

use super::shape::{Either, Key, Record, Shape, may, one_or_many, record};
use crate::client::Place;
use crate::oauth::saml::forgery;

/// A part of a request: its name, its place, what it holds.
pub(super) type Section = (&'static str, Place, &'static str);

/// The parts of a request that a tweak can name, under their names in `with:`, `without:` and `twice:`.
pub(super) const SECTIONS: &[Section] = &[
    ("params", Place::Param, "parameters"),
    ("headers", Place::Header, "HTTP header fields"),
    ("claims", Place::Claim, "claims of the JWT"),
    ("saml", Place::Saml, "parts of the SAML assertion"),
    ("jose", Place::Jose, "members of the JWT's header"),
];

/// What `with:` can do to a request as a whole.
pub(super) struct Choice {
    /// Its name.
    pub(super) name: &'static str,
    /// Its words; none where it takes the role of an app.
    pub(super) words: &'static [&'static str],
    /// What it does.
    pub(super) doc: &'static str,
}

const KEY: Choice = Choice {
    name: "key",
    words: &[],
    doc: "signed with the key of this app; `fresh`: a key that nobody knows",
};
const ALG: Choice = Choice {
    name: "alg",
    words: &["RS256", "RS384", "RS512", "PS256", "HS256", "none"],
    doc: "signed with this algorithm; `HS256` is keyed with the public key",
};
const SHOWS: Choice =
    Choice { name: "shows", words: &["jwk"], doc: "the header shows the key that signs, as `jwk`" };
const JWT_SIGNATURE: Choice =
    Choice { name: "signature", words: &["broken", "missing"], doc: "what is wrong with the signature" };
const SAML_SIGNATURE: Choice = Choice {
    name: "signature",
    words: &["broken", "missing", "first", "last"],
    doc: "what is wrong with the signature, or where it stands",
};
const FORGERY: Choice =
    Choice { name: "forgery", words: &forgery::NAMES, doc: "what a rightly signed assertion is forged into" };
const ENCODING: Choice = Choice {
    name: "encoding",
    words: &["standard", "padded", "lines", "truncated"],
    doc: "how the assertion is encoded",
};
const BODY: Choice = Choice {
    name: "body",
    words: &["json", "query", "empty", "truncated", "malformed"],
    doc: "how the form is written",
};
const METHOD: Choice =
    Choice { name: "http_method", words: &["GET", "POST", "PUT", "HEAD"], doc: "another HTTP method" };
const ORDER: Choice =
    Choice { name: "order", words: &["reversed"], doc: "the parameters in the opposite order" };
const BASIC: Choice = Choice {
    name: "basic",
    words: &["raw", "besides"],
    doc: "HTTP Basic without form-encoding id and secret first, or besides what is in the body",
};
const SECRET: Choice = Choice {
    name: "secret",
    words: &[],
    doc: "the client secret of the app in this role; or the own one `shortened` by its last letter, `longer` by one, or in `other-case`",
};

/// What `with:` can do to the whole request of a step.
pub(super) fn options(step: &str) -> &'static [Choice] {
    match step {
        "authorize" => &[METHOD, ORDER],
        "saml-bearer" => &[KEY, SAML_SIGNATURE, FORGERY, ENCODING, BODY, METHOD, ORDER, BASIC, SECRET],
        step if has_form(step) => {
            &[KEY, ALG, SHOWS, JWT_SIGNATURE, ENCODING, BODY, METHOD, ORDER, BASIC, SECRET]
        }
        _ => &[METHOD],
    }
}

/// Whether it posts a form and authenticates the client.
pub(super) fn has_form(step: &str) -> bool {
    matches!(
        step,
        "redeem" | "jwt-bearer" | "saml-bearer" | "client-credentials" | "refresh" | "introspect" | "revoke"
    )
}

/// The sections that the tweak of a step can have.
pub(super) fn sections(step: &str) -> impl Iterator<Item = Section> {
    let (saml, form) = (step == "saml-bearer", has_form(step));
    SECTIONS.iter().copied().filter(move |(_, place, _)| match place {
        Place::Param | Place::Header => true,
        Place::Claim | Place::Jose => form && !saml,
        Place::Saml => saml,
    })
}

/// Whether a name of that place can stand twice.
pub(super) fn can_repeat(place: Place) -> bool {
    matches!(place, Place::Param | Place::Claim)
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
/// The parts of a SAML assertion that can be edited; there are no others.
pub(super) const SAML: &[&str] = &[
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

/// Names whose value is a moment.
pub(super) const TIMES: &[&str] =
    &["exp", "iat", "nbf", "not_before", "not_on_or_after", "confirmation_not_on_or_after"];

/// The names that a step's tweak knows, with their places. A name with two places must be written in its
/// section.
pub(super) fn names(step: &str) -> Vec<(&'static str, Place)> {
    let mut all: Vec<(&'static str, Place)> = Vec::new();
    let mut add = |names: &[&'static str], place: Place| all.extend(names.iter().map(|name| (*name, place)));
    match step {
        "authorize" => add(AUTHORIZE, Place::Param),
        "redeem" => add(&["grant_type", "code", "redirect_uri", "code_verifier"], Place::Param),
        "jwt-bearer" => {
            add(&["grant_type", "assertion", "scope"], Place::Param);
            // Some servers read the scope from the assertion, some from the form (RFC 7521 §4.1).
            add(&["scope"], Place::Claim);
        }
        "saml-bearer" => add(&["grant_type", "assertion", "scope"], Place::Param),
        "client-credentials" => add(&["grant_type", "scope"], Place::Param),
        "refresh" => add(&["grant_type", "refresh_token", "scope"], Place::Param),
        "introspect" | "revoke" => add(&["token", "token_type_hint"], Place::Param),
        "userinfo" | "identity" => add(&["oauth_token", "access_token", "format", "version"], Place::Param),
        _ => {}
    }
    if has_form(step) {
        add(CLIENT, Place::Param);
        if step == "saml-bearer" {
            add(SAML, Place::Saml);
        } else {
            add(CLAIMS, Place::Claim);
            add(JOSE, Place::Jose);
        }
    }
    add(HEADERS, Place::Header);
    all
}

/// The bare names, those with two places left out.
pub(super) fn bare_names(step: &str) -> Vec<(&'static str, Place)> {
    let all = names(step);
    let once = |name: &str| all.iter().filter(|(known, _)| *known == name).count() == 1;
    all.iter().copied().filter(|(name, _)| once(name)).collect()
}

/// `with:` of a step, for its schema; [`super::tweak`] checks it.
pub(super) fn with(step: &'static str) -> Shape {
    let mut keys: Vec<Key> =
        bare_names(step).into_iter().map(|(name, place)| may(name, Shape::Any, section(place))).collect();
    keys.extend(options(step).iter().map(|option| {
        let shape = match option.words {
            [] => Shape::Name,
            words => Shape::Words("word", words.to_vec()),
        };
        may(option.name, shape, option.doc)
    }));
    keys.extend(sections(step).map(|(name, place, doc)| {
        let values = match place {
            Place::Saml => record(SAML.iter().map(|name| may(name, Shape::Any, "")).collect()),
            _ => Shape::Map(None, Box::new(Shape::Any), Some(("", ""))),
        };
        may(name, values, doc)
    }));
    let never = Some(("", ""));
    Shape::Elsewhere(Box::new(Shape::Record(Record { keys, never, ..Record::default() })))
}

pub(super) fn without(step: &'static str) -> Shape {
    Shape::Elsewhere(Box::new(Shape::Either(Box::new(names_or_sections(step, |_| true)))))
}

pub(super) fn twice(step: &'static str) -> Shape {
    let mut either = names_or_sections(step, can_repeat);
    if let Some(Shape::Record(record)) = &mut either.map {
        let names = bare_names(step).into_iter().filter(|(_, place)| can_repeat(*place));
        record.keys.extend(names.map(|(name, place)| may(name, Shape::Any, section(place))));
        for key in record.keys.iter_mut().filter(|key| SECTIONS.iter().any(|(name, ..)| *name == key.name)) {
            key.shape = Shape::Any;
        }
    }
    Shape::Elsewhere(Box::new(Shape::Either(Box::new(either))))
}

/// A name, a list of names, or sections with names in them.
fn names_or_sections(step: &'static str, fits: fn(Place) -> bool) -> Either {
    let names = bare_names(step).into_iter().filter(|(_, place)| fits(*place)).map(|(name, _)| name);
    let names = Shape::Words("name", names.collect());
    let own = || one_or_many("a name or a list of names", Shape::Name);
    let sections = sections(step).filter(|(_, place, _)| fits(*place));
    let record = Record {
        keys: sections.map(|(name, _, doc)| may(name, own(), doc)).collect(),
        never: Some(("", "")),
        ..Record::default()
    };
    Either {
        scalar: Some(names.clone()),
        list: Some(Shape::List(Box::new(names), Some(("", "")))),
        map: Some(Shape::Record(record)),
        ..Either::default()
    }
}

fn section(place: Place) -> &'static str {
    SECTIONS.iter().find(|(_, known, _)| *known == place).map_or("", |(_, _, doc)| doc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::steps::kinds;

    #[test]
    fn a_bare_name_means_one_thing() {
        for (step, ..) in kinds() {
            let mut words: Vec<&str> = bare_names(step).into_iter().map(|(name, _)| name).collect();
            words.extend(options(step).iter().map(|option| option.name));
            words.extend(sections(step).map(|(name, ..)| name));
            let all = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), all, "{step}");
        }
    }
}
