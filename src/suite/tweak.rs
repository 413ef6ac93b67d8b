//! Tweaks: how a request differs from a well-formed one. `with`, `without` and `twice` of a step.

use super::names::check_names;
use super::parse::{Kind, Node};
use super::words;
use crate::client::{BodyForm, Edit, Encoding, Place, SignatureForm, Template, Tweak, TweakValue};
use crate::diagnostic::{Diagnostic, Text, closest};
use crate::oauth::duration;

const SECTIONS: &[(&str, Place)] = &[
    ("params", Place::Param),
    ("headers", Place::Header),
    ("claims", Place::Claim),
    ("saml", Place::Saml),
    ("jose", Place::Jose),
];
const OPTIONS: &[(&str, &[&str])] = &[
    ("key", &[]),
    ("alg", &["RS256", "RS384", "RS512", "PS256", "HS256", "none"]),
    ("signature", &["broken", "missing", "first", "last"]),
    ("encoding", &["standard", "padded", "lines", "truncated"]),
    ("body", &["json", "query", "empty", "truncated", "malformed"]),
    ("http_method", &["GET", "POST", "PUT", "HEAD"]),
    ("order", &["reversed"]),
    ("basic", &["raw"]),
];

/// What resolving the tweak of one step needs.
pub(super) struct Reader<'r> {
    pub(super) text: &'r Text,
    pub(super) step: &'r str,
    pub(super) known: &'r [String],
    pub(super) problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads `with`, `without` and `twice` of a step.
    pub(super) fn read(&mut self, node: &Node) -> Tweak {
        let mut tweak = Tweak::default();
        if let Some(with) = node.get("with") {
            if matches!(with.kind, Kind::Map(_)) {
                for (key, value) in with.entries() {
                    self.with(key, value, &mut tweak);
                }
            } else {
                self.problem(
                    with,
                    "wrong-type",
                    "`with` takes `name: value` pairs".into(),
                    Some("`without` and `twice` take bare names".into()),
                );
            }
        }
        if let Some(without) = node.get("without") {
            self.names(without, "without", &mut tweak, Edit::Without);
        }
        if let Some(twice) = node.get("twice") {
            if matches!(twice.kind, Kind::Map(_)) {
                for (key, value) in twice.entries() {
                    self.section_or_name(key, value, "twice", &mut tweak, |place, name, value| {
                        Edit::Twice(place, name, Some(value))
                    });
                }
            } else {
                self.names(twice, "twice", &mut tweak, |place, name| Edit::Twice(place, name, None));
            }
        }
        tweak
    }

    fn with(&mut self, key: &Node, value: &Node, tweak: &mut Tweak) {
        let name = key.text().unwrap_or("");
        // A step that has a parameter of the same name as an option does not exist: `words::names` is tested for it.
        if let Some((_, words)) = OPTIONS.iter().find(|(option, _)| *option == name) {
            let word = value.text().unwrap_or("");
            if !words.is_empty() && !words.contains(&word) {
                let help = match closest(word, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of: {}", words.join(", ")),
                };
                return self.problem(value, "unknown-word", format!("unknown {name} `{word}`"), Some(help));
            }
            option(name, word, tweak);
            tweak.words.push(format!("{name}: {word}"));
            return;
        }
        self.section_or_name(key, value, "with", tweak, Edit::Set);
    }

    fn section_or_name(
        &mut self,
        key: &Node,
        value: &Node,
        verb: &str,
        tweak: &mut Tweak,
        make: impl Fn(Place, String, TweakValue) -> Edit,
    ) {
        let name = key.text().unwrap_or("");
        if let Some((_, place)) = SECTIONS.iter().find(|(section, _)| *section == name) {
            if !matches!(value.kind, Kind::Map(_)) {
                return self.problem(
                    value,
                    "wrong-type",
                    format!("`{name}` takes `name: value` pairs"),
                    None,
                );
            }
            for (key, value) in value.entries() {
                let name = key.text().unwrap_or("").to_owned();
                self.edit(*place, &name, value, verb, tweak, &make);
            }
            return;
        }
        if let Some(place) = self.place(key) {
            self.edit(place, name, value, verb, tweak, &make);
        }
    }

    fn edit(
        &mut self,
        place: Place,
        name: &str,
        value: &Node,
        verb: &str,
        tweak: &mut Tweak,
        make: &impl Fn(Place, String, TweakValue) -> Edit,
    ) {
        if value.text() == Some("absent") && matches!(value.kind, Kind::Scalar { plain: true, .. }) {
            tweak.words.push(format!("without {name}"));
            tweak.edits.push(Edit::Without(place, name.to_owned()));
            return;
        }
        if value.is_null() {
            return self.problem(
                value,
                "wrong-type",
                format!("`{name}` has no value"),
                Some(format!("write `\"\"` for an empty value, or `without: {name}`")),
            );
        }
        let (read, shown) = self.value(value);
        tweak.words.push(format!("{verb} {name}: {shown}"));
        tweak.edits.push(make(place, name.to_owned(), read));
    }

    fn value(&mut self, node: &Node) -> (TweakValue, String) {
        let node = match node.entries() {
            [(key, value)] if key.text() == Some("equals") => value,
            _ => node,
        };
        match &node.kind {
            Kind::Scalar { text, plain: true } if relative(text).is_some() => {
                (TweakValue::Relative(relative(text).unwrap_or_default()), text.clone())
            }
            Kind::Scalar { text, plain } if !plain || (node.number().is_none() && node.flag().is_none()) => {
                check_names(self.text, node.span, text, self.known, self.problems);
                (TweakValue::Text(Template::new(text)), text.clone())
            }
            _ => {
                let json = node.json();
                let shown = json.to_string();
                (TweakValue::Json(json), shown)
            }
        }
    }

    fn names(&mut self, node: &Node, verb: &str, tweak: &mut Tweak, make: impl Fn(Place, String) -> Edit) {
        if let Kind::Map(entries) = &node.kind {
            for (key, value) in entries {
                let name = key.text().unwrap_or("");
                match SECTIONS.iter().find(|(section, _)| *section == name) {
                    Some((_, place)) => {
                        for item in value.items() {
                            let name = item.text().unwrap_or("").to_owned();
                            tweak.words.push(format!("{verb} {name}"));
                            tweak.edits.push(make(*place, name));
                        }
                    }
                    None => {
                        let help = format!(
                            "write `{verb}: {name}`, or a section: params, headers, claims, saml, jose"
                        );
                        self.problem(
                            key,
                            "unknown-key",
                            format!("`{name}` is no section of `{verb}`"),
                            Some(help),
                        );
                    }
                }
            }
            return;
        }
        for item in node.items() {
            if let Some(place) = self.place(item) {
                let name = item.text().unwrap_or("").to_owned();
                tweak.words.push(format!("{verb} {name}"));
                tweak.edits.push(make(place, name));
            }
        }
    }

    fn place(&mut self, key: &Node) -> Option<Place> {
        let name = key.text().unwrap_or("");
        let names = words::names(self.step);
        let found = names.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
        if found.is_none() {
            let options =
                OPTIONS.iter().map(|(option, _)| *option).chain(SECTIONS.iter().map(|(section, _)| *section));
            let help = match closest(name, names.iter().map(|(known, _)| *known).chain(options)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "to send a name of your own, write it under `params:`, `claims:` or `headers:`".to_owned()
                }
            };
            let message = format!("`do: {}` knows no `{name}`", self.step);
            self.problem(key, "unknown-name", message, Some(help));
        }
        found
    }

    fn problem(&mut self, node: &Node, code: &'static str, message: String, help: Option<String>) {
        self.problems.push(Diagnostic::at(code, self.text, node.span, message).help_opt(help));
    }
}

fn option(name: &str, word: &str, tweak: &mut Tweak) {
    match name {
        "key" => tweak.key = Some(word.to_owned()),
        "alg" => tweak.alg = Some(word.to_owned()),
        "signature" => {
            tweak.signature = Some(match word {
                "broken" => SignatureForm::Broken,
                "missing" => SignatureForm::Missing,
                "first" => SignatureForm::First,
                _ => SignatureForm::Last,
            });
        }
        "encoding" => {
            tweak.encoding = Some(match word {
                "standard" => Encoding::Standard,
                "padded" => Encoding::Padded,
                "lines" => Encoding::Lines,
                _ => Encoding::Truncated,
            });
        }
        "body" => {
            tweak.body = Some(match word {
                "json" => BodyForm::Json,
                "query" => BodyForm::Query,
                "empty" => BodyForm::Empty,
                "truncated" => BodyForm::Truncated,
                _ => BodyForm::Malformed,
            });
        }
        "http_method" => tweak.method = Some(word.to_owned()),
        "order" => tweak.reversed = true,
        _ => tweak.basic_raw = true,
    }
}

/// Milliseconds of a relative time such as `-5m` or `+1h`.
pub(super) fn relative(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    duration(&text[1..]).map(|millis| sign * millis)
}
