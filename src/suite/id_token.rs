//! ID tokens that an org brings to a client: how they differ from its own, and with which keys they are verified.

use serde_json::json;

use super::client::member;
use super::parse::Node;
use super::shape::{Form, Never, Record, Shape, may};
use crate::subject::{Forged, Keys, Sign};

/// How an ID token is signed, by the words that suites use.
const SIGNS: [(&str, Sign); 7] = [
    ("right", Sign::Right),
    ("broken", Sign::Broken),
    ("stripped", Sign::Stripped),
    ("none", Sign::None),
    ("hs256", Sign::Hs256),
    ("other-key", Sign::OtherKey),
    ("shown-key", Sign::ShownKey),
];

const NTH: Form = Form {
    code: "wrong-type",
    expected: "a whole number from 1 to 1000",
    help: "for example `2`",
    fits: |text| text.parse::<i64>().is_ok_and(|nth| (1..=1000).contains(&nth)),
    schema: || {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 1000 },
            { "type": "string", "pattern": "^\\+?0*([1-9][0-9]{0,2}|1000)$" }
        ] })
    },
};

/// `id_token:` of an answer.
pub(super) fn forged() -> Shape {
    let never: Never = ("nothing is said of the ID token", "for example `{ claims: { iss: absent } }`");
    let no_claim: Never = ("no claim is named", "for example `claims: { exp: -10m }`");
    let no_member: Never = ("no member is named", "for example `header: { kid: absent }`");
    let map = |never| Shape::Map(None, Box::new(Shape::Any), Some(never));
    let keys = vec![
        may(
            "claims",
            map(no_claim),
            "claims that it has otherwise; `absent` takes one away, `-10m` is that long ago",
        ),
        may("header", map(no_member), "members of its header that it has otherwise; `absent` takes one away"),
        may(
            "sign",
            Shape::Words("signature", SIGNS.map(|(word, _)| word).to_vec()),
            "how it is signed; `right` where it is not given",
        ),
    ];
    Shape::Record(Record { keys, never: Some(never), ..Record::default() })
}

/// `keys:` of an org.
pub(super) fn keys() -> Shape {
    let never: Never = ("nothing is said of the keys", "for example `{ rolled_at: 2 }`");
    let keys = vec![
        may(
            "rolled_at",
            Shape::Form(&NTH),
            "from which ID token on another key signs, which is then published too",
        ),
        may("single", Shape::Flag, "one key alone is published, not a second one for access tokens"),
    ];
    Shape::Record(Record { keys, never: Some(never), ..Record::default() })
}

/// Reads `id_token:` of an answer.
pub(super) fn read_forged(node: &Node) -> Forged {
    let members = |key: &str| {
        let entries = node.get(key).map(Node::entries).unwrap_or_default();
        entries.iter().filter_map(member).collect()
    };
    let word = node.get("sign").and_then(Node::text);
    let sign = SIGNS.into_iter().find(|(known, _)| Some(*known) == word).map(|(_, sign)| sign);
    Forged { claims: members("claims"), header: members("header"), sign: sign.unwrap_or_default() }
}

/// Reads `keys:` of an org.
pub(super) fn read_keys(node: &Node) -> Keys {
    Keys {
        rolled_at: node.get("rolled_at").and_then(Node::text).and_then(|n| n.parse().ok()),
        single: node.get("single").and_then(Node::flag).unwrap_or(false),
    }
}
