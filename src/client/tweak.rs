//! Tweaks: how a request differs from a well-formed one.

use serde_json::Value;

use super::Template;
use crate::oauth::saml::forgery::Forgery;

/// Where in a request a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A parameter of the query or the form.
    Param,
    /// An HTTP header field.
    Header,
    /// A claim of the assertion.
    Claim,
    /// A part of the SAML assertion.
    Saml,
    /// A member of the assertion's JOSE header.
    Jose,
}

/// The edits of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tweak {
    /// Single edits, in order.
    pub edits: Vec<Edit>,
    /// Role of the app whose key signs, or `fresh` for a key that nobody knows.
    pub key: Option<String>,
    /// `alg` to sign with: `RS256`, `RS384`, `RS512`, `PS256`, `HS256` (keyed with the public key) or `none`.
    pub alg: Option<String>,
    /// Whether the header shows the key that signs, as `jwk` (RFC 7515 §4.1.3).
    pub shows_key: bool,
    /// What is wrong with the signature, or where it stands.
    pub signature: Option<SignatureForm>,
    /// What the SAML assertion is forged into.
    pub forgery: Option<&'static Forgery>,
    /// How the assertion is encoded.
    pub encoding: Option<Encoding>,
    /// How the body is written.
    pub body: Option<BodyForm>,
    /// Another HTTP method.
    pub method: Option<String>,
    /// Whether the parameters stand in the opposite order.
    pub reversed: bool,
    /// Whether HTTP Basic carries id and secret without form-encoding them first.
    pub basic_raw: bool,
    /// The secret that is sent in place of the own one.
    pub secret: Option<SecretForm>,
    /// Whether HTTP Basic comes besides what is in the body.
    pub basic_besides: bool,
    /// The edits in words.
    pub words: Vec<String>,
}

/// One edit.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A value is set or replaced.
    Set(Place, String, TweakValue),
    /// It is left out.
    Without(Place, String),
    /// It stands twice, the second time with this value, or with the same.
    Twice(Place, String, Option<TweakValue>),
}

/// A value of an edit.
#[derive(Clone, Debug, PartialEq)]
pub enum TweakValue {
    /// A text, possibly with names in it.
    Text(Template),
    /// Milliseconds from now.
    Relative(i64),
    /// Any other JSON value.
    Json(Value),
}

/// What is done to a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// One bit is flipped.
    Broken,
    /// It is left out.
    Missing,
    /// In SAML: the first child of the assertion.
    First,
    /// In SAML: the last child of the assertion.
    Last,
}

/// How an assertion is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The standard base64 alphabet.
    Standard,
    /// base64url with padding.
    Padded,
    /// With line breaks.
    Lines,
    /// The last third is missing.
    Truncated,
}

/// Which client secret is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// That of the app in this role.
    Of(String),
    /// The own one without its last letter.
    Shortened,
    /// The own one with a letter more.
    Longer,
    /// The own one with small letters for capital ones and capital ones for small.
    OtherCase,
}

impl SecretForm {
    /// The own secret in this form; none where it cannot be told from the right one, or is another's.
    pub fn written(&self, secret: &str) -> Option<String> {
        let swapped =
            |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        let written = match self {
            SecretForm::Of(_) => return None,
            SecretForm::Shortened => secret.chars().take(secret.chars().count().saturating_sub(1)).collect(),
            SecretForm::Longer => format!("{secret}0"),
            SecretForm::OtherCase => secret.chars().map(swapped).collect::<String>(),
        };
        (written != secret && !written.is_empty()).then_some(written)
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// As a JSON object.
    Json,
    /// The parameters stand in the URL's query, the body is empty.
    Query,
    /// Nothing at all.
    Empty,
    /// Cut in the middle, with the length of the whole announced.
    Truncated,
    /// With a broken percent escape.
    Malformed,
}

impl Tweak {
    /// Whether the request is the well-formed one.
    pub fn is_none(&self) -> bool {
        self.words.is_empty()
    }

    /// The tweak in words, none where there is none.
    pub fn describe(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join(", "))
    }
}
