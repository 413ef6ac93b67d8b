//! Tweaks: how a request differs from a well-formed one. `with`, `without` and `twice` of a step.

use std::collections::BTreeSet;

use super::edits::{self, Choice, SAML, SECTIONS, Section, TIMES};
use super::names::{Known, check_names};
use super::parse::{Kind, Node};
use super::shape::describe;
use super::steps::owners;
use crate::client::{
    BodyForm, Edit, Encoding, Place, SecretForm, SignatureForm, Template, Tweak, TweakValue,
};
use crate::diagnostic::{Diagnostic, Text, closest};
use crate::oauth::duration;

/// What resolving the tweak of one step needs.
pub(super) struct Reader<'r> {
    pub(super) text: &'r Text,
    pub(super) step: &'r str,
    pub(super) known: &'r Known,
    /// Where names were filled in.
    pub(super) filled: &'r mut BTreeSet<usize>,
    pub(super) problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads `with`, `without` and `twice` of a step.
    pub(super) fn read(&mut self, node: &Node) -> Tweak {
        let mut tweak = Tweak::default();
        if let Some(with) = node.get("with") {
            self.with_all(with, &mut tweak);
        }
        if let Some(without) = node.get("without") {
            self.names(without, "without", &mut tweak, Edit::Without);
        }
        if let Some(twice) = node.get("twice") {
            if matches!(twice.kind, Kind::Map(_)) {
                for (key, value) in twice.entries() {
                    self.twice(key, value, &mut tweak);
                }
                self.not_empty(twice, "twice", twice.entries().len());
            } else {
                self.names(twice, "twice", &mut tweak, |place, name| Edit::Twice(place, name, None));
            }
        }
        self.contradictions(node, &tweak);
        tweak
    }

    fn with_all(&mut self, with: &Node, tweak: &mut Tweak) {
        if !matches!(with.kind, Kind::Map(_)) {
            let message = format!("expected `name: value` pairs, found {}", describe(with));
            return self.problem(with, "wrong-type", message, "`without` and `twice` take bare names");
        }
        self.not_empty(with, "with", with.entries().len());
        for (key, value) in with.entries() {
            let name = key.text().unwrap_or("");
            if name.contains("${row.") {
                continue;
            }
            if let Some(choice) = edits::options(self.step).iter().find(|choice| choice.name == name) {
                self.choice(choice, value, tweak);
                continue;
            }
            if let Some((section, place, _)) = self.section(name) {
                if !matches!(value.kind, Kind::Map(_)) {
                    let message = format!("expected `name: value` pairs, found {}", describe(value));
                    let help = format!("for example `{section}: {{ name: value }}`");
                    self.problem(value, "wrong-type", message, &help);
                    continue;
                }
                self.not_empty(value, section, value.entries().len());
                for (key, value) in value.entries() {
                    if let Some(name) = self.in_section(key, place) {
                        self.edit(place, &name, value, "with", tweak, &Edit::Set);
                    }
                }
                continue;
            }
            if let Some(place) = self.place(key, "with") {
                self.edit(place, name, value, "with", tweak, &Edit::Set);
            }
        }
    }

    fn choice(&mut self, choice: &Choice, value: &Node, tweak: &mut Tweak) {
        let (name, words) = (choice.name, choice.words);
        let word = value.text().filter(|_| !value.is_null());
        let Some(word) = word.filter(|word| words.is_empty() || words.contains(word)) else {
            if word.is_some_and(|word| word.contains("${row.")) {
                return;
            }
            let message = match word {
                Some(word) => format!("unknown {name} `{word}`"),
                None => format!("expected a word for `{name}`, found {}", describe(value)),
            };
            let help = match words {
                [] if name == "secret" => {
                    "write the role of an app, `shortened`, `longer` or `other-case`".to_owned()
                }
                [] => "write the role of an app, or `fresh`".to_owned(),
                words => format!("one of: {}", words.join(", ")),
            };
            return self.problem(value, "unknown-word", message, &help);
        };
        apply(name, word, tweak);
        tweak.words.push(format!("{name}: {word}"));
    }

    fn twice(&mut self, key: &Node, value: &Node, tweak: &mut Tweak) {
        let again = |place, name, value| Edit::Twice(place, name, Some(value));
        let Some((_, place, _)) = self.section(key.text().unwrap_or("")) else {
            if let Some(place) = self.place(key, "twice") {
                let name = key.text().unwrap_or("").to_owned();
                self.edit(place, &name, value, "twice", tweak, &again);
            }
            return;
        };
        if !edits::can_repeat(place) {
            return self.cannot_repeat(key);
        }
        if !matches!(value.kind, Kind::Map(_)) {
            return self.list(value, place, "twice", tweak, &|place, name| Edit::Twice(place, name, None));
        }
        for (key, value) in value.entries() {
            if let Some(name) = self.in_section(key, place) {
                self.edit(place, &name, value, "twice", tweak, &again);
            }
        }
    }

    fn edit(
        &mut self,
        place: Place,
        name: &str,
        value: &Node,
        verb: &str,
        tweak: &mut Tweak,
        make: &dyn Fn(Place, String, TweakValue) -> Edit,
    ) {
        if value.text() == Some("absent") && matches!(value.kind, Kind::Scalar { plain: true, .. }) {
            tweak.words.push(format!("without {name}"));
            tweak.edits.push(Edit::Without(place, name.to_owned()));
            return;
        }
        if value.is_null() {
            let help = format!("write `\"\"` for an empty value, or `without: {name}`");
            return self.problem(value, "wrong-type", format!("`{name}` has no value"), &help);
        }
        let Some((read, shown)) = self.value(name, value) else { return };
        tweak.words.push(format!("{verb} {name}: {shown}"));
        tweak.edits.push(make(place, name.to_owned(), read));
    }

    fn value(&mut self, name: &str, node: &Node) -> Option<(TweakValue, String)> {
        let literal = match node.entries() {
            [(key, value)] if key.text() == Some("equals") => Some(value),
            _ => None,
        };
        let quoted = literal.is_some();
        let node = literal.unwrap_or(node);
        match &node.kind {
            Kind::Scalar { text, plain: true } if !quoted && relative(text).is_some() => {
                Some((TweakValue::Relative(relative(text).unwrap_or_default()), text.clone()))
            }
            Kind::Scalar { text, plain } if !plain || (node.number().is_none() && node.flag().is_none()) => {
                let moment = TIMES.contains(&name) && *plain && !quoted && text.parse::<f64>().is_err();
                if moment && text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') {
                    let help = match duration(text) {
                        Some(_) => {
                            format!("write `+{text}` or `-{text}`, or put it into quotes to send it so")
                        }
                        None => "write a sign, a number and a unit: `-5m`, `+1h`".to_owned(),
                    };
                    let message = format!("`{text}` is no relative time");
                    self.problem(node, "bad-time", message, &help);
                    return None;
                }
                check_names(self.text, node.span, text, self.known, self.problems);
                self.filled.insert(node.span.start);
                Some((TweakValue::Text(Template::new(text)), text.clone()))
            }
            _ => {
                let json = node.json();
                let shown = json.to_string();
                Some((TweakValue::Json(json), shown))
            }
        }
    }

    /// Names without values: a name, a list of names, or sections with names in them.
    fn names(&mut self, node: &Node, verb: &str, tweak: &mut Tweak, make: impl Fn(Place, String) -> Edit) {
        if !matches!(node.kind, Kind::Map(_)) {
            self.not_empty(node, verb, node.items().len());
            for item in node.items() {
                if let Some(place) = self.name_of(item).and_then(|item| self.place(item, verb)) {
                    let name = item.text().unwrap_or("").to_owned();
                    tweak.words.push(format!("{verb} {name}"));
                    tweak.edits.push(make(place, name));
                }
            }
            return;
        }
        self.not_empty(node, verb, node.entries().len());
        for (key, value) in node.entries() {
            let name = key.text().unwrap_or("");
            match self.section(name) {
                Some((_, place, _)) => self.list(value, place, verb, tweak, &make),
                None => {
                    let sections: Vec<&str> = edits::sections(self.step).map(|(name, ..)| name).collect();
                    let message = format!("`{name}` is no section of `{verb}`");
                    let help = format!("write `{verb}: {name}`, or a section: {}", sections.join(", "));
                    self.problem(key, "unknown-key", message, &help);
                }
            }
        }
    }

    fn list(
        &mut self,
        node: &Node,
        place: Place,
        verb: &str,
        tweak: &mut Tweak,
        make: &dyn Fn(Place, String) -> Edit,
    ) {
        for item in node.items() {
            let Some(item) = self.name_of(item) else { continue };
            if let Some(name) = self.in_section(item, place) {
                tweak.words.push(format!("{verb} {name}"));
                tweak.edits.push(make(place, name));
            }
        }
    }

    /// A node that is to be a name.
    fn name_of<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        if node.text().is_none() || node.is_null() {
            let message = format!("expected a name, found {}", describe(node));
            self.problem(node, "wrong-type", message, "write a name, or a list of names");
            return None;
        }
        Some(node).filter(|node| !node.text().is_some_and(|text| text.contains("${row.")))
    }

    /// A name of a section, as the request has it.
    fn in_section(&mut self, key: &Node, place: Place) -> Option<String> {
        let name = key.text().unwrap_or("");
        if place == Place::Saml && !SAML.contains(&name) {
            let help = match closest(name, SAML.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", SAML.join(", ")),
            };
            let message = format!("a SAML assertion has no part `{name}` here");
            self.problem(key, "unknown-name", message, &help);
            return None;
        }
        // The client looks header fields up in lower case.
        Some(if place == Place::Header { name.to_ascii_lowercase() } else { name.to_owned() })
    }

    fn section(&self, name: &str) -> Option<Section> {
        edits::sections(self.step).find(|(section, ..)| *section == name)
    }

    /// Where a bare name stands in the request of this step.
    fn place(&mut self, key: &Node, verb: &str) -> Option<Place> {
        let name = key.text().unwrap_or("");
        let names = edits::names(self.step);
        let places: Vec<Place> =
            names.iter().filter(|(known, _)| *known == name).map(|(_, place)| *place).collect();
        match places[..] {
            [place] if verb == "twice" && !edits::can_repeat(place) => {
                self.cannot_repeat(key);
                None
            }
            [place] => Some(place),
            [] => {
                self.unknown(key, name, &names);
                None
            }
            _ => {
                let (mut kinds, mut ways) = (Vec::new(), Vec::new());
                for (section, _, doc) in SECTIONS.iter().filter(|(_, place, _)| places.contains(place)) {
                    kinds.push(*doc);
                    ways.push(match verb {
                        "with" => format!("`with: {{ {section}: {{ {name}: ... }} }}`"),
                        verb => format!("`{verb}: {{ {section}: {name} }}`"),
                    });
                }
                let message =
                    format!("`{name}` of `do: {}` may be one of its {}", self.step, kinds.join(" or "));
                self.problem(key, "ambiguous-name", message, &format!("write {}", ways.join(" or ")));
                None
            }
        }
    }

    fn unknown(&mut self, key: &Node, name: &str, names: &[(&str, Place)]) {
        let here = names.iter().map(|(known, _)| *known);
        let others = edits::options(self.step).iter().map(|choice| choice.name);
        let others = others.chain(edits::sections(self.step).map(|(section, ..)| section));
        let owners = owners(name);
        let help = match closest(name, here.chain(others)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if !owners.is_empty() => format!("steps that know it: {}", owners.join(", ")),
            None => {
                let sections: Vec<String> =
                    edits::sections(self.step).map(|(section, ..)| format!("`{section}:`")).collect();
                format!("a name of your own stands in a section: {}", sections.join(", "))
            }
        };
        self.problem(key, "unknown-name", format!("`do: {}` knows no `{name}`", self.step), &help);
    }

    fn cannot_repeat(&mut self, key: &Node) {
        let message = format!("`{}` cannot stand twice", key.text().unwrap_or(""));
        self.problem(key, "misplaced", message, "only parameters and claims of a JWT can");
    }

    /// The same name both changed and left out.
    fn contradictions(&mut self, node: &Node, tweak: &Tweak) {
        let named = |edit: &Edit| match edit {
            Edit::Set(place, name, _) | Edit::Without(place, name) => (*place, name.clone()),
            Edit::Twice(place, name, _) => (*place, name.clone()),
        };
        for (i, edit) in tweak.edits.iter().enumerate() {
            let (place, name) = named(edit);
            let clash = tweak.edits[..i].iter().any(|earlier| {
                named(earlier) == (place, name.clone())
                    && !matches!((earlier, edit), (Edit::Set(..), Edit::Twice(..)))
            });
            if clash {
                let at = ["without", "twice", "with"].iter().find_map(|key| node.key(key)).unwrap_or(node);
                let message = format!("`{name}` is tweaked twice in one step");
                self.problem(at, "contradiction", message, "keep one of the two");
            }
        }
    }

    fn not_empty(&mut self, node: &Node, what: &str, length: usize) {
        if length == 0 {
            let message = format!("`{what}` names nothing");
            self.problem(node, "empty", message, "leave it out, or say what differs from a right request");
        }
    }

    fn problem(&mut self, node: &Node, code: &'static str, message: impl Into<String>, help: &str) {
        self.problems.push(Diagnostic::at(code, self.text, node.span, message).help(help));
    }
}

fn apply(name: &str, word: &str, tweak: &mut Tweak) {
    match name {
        "key" => tweak.key = Some(word.to_owned()),
        "alg" => tweak.alg = Some(word.to_owned()),
        "forgery" => tweak.forgery = crate::oauth::saml::forgery::find(word),
        "shows" => tweak.shows_key = true,
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
        "secret" => {
            tweak.secret = Some(match word {
                "shortened" => SecretForm::Shortened,
                "longer" => SecretForm::Longer,
                "other-case" => SecretForm::OtherCase,
                role => SecretForm::Of(role.to_owned()),
            });
        }
        _ => (tweak.basic_raw, tweak.basic_besides) = (word == "raw", word == "besides"),
    }
}

/// Milliseconds of a relative time such as `-5m` or `+1h`.
fn relative(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    duration(&text[1..]).map(|millis| sign * millis)
}
