//! Rules over metadata: each a row and a function, as checks are over traffic.

/// A row: what most rules have, with the cure of their file (`SETUP`, `XML`) or one of their own; or all that a row can have.
macro_rules! rule {
    ($id:literal, $title:literal, $level:ident, $basis:ident, $cites:expr, $explain:literal, $judge:expr $(,)?) => {
        rule!($id, $title, Some(Level::$level), None, $basis, $cites, $explain, SETUP, XML, $judge)
    };
    ($id:literal, $title:literal, $level:ident, $basis:ident, $cites:expr, $explain:literal, $setup:expr, $xml:literal, $judge:expr $(,)?) => {
        rule!($id, $title, Some(Level::$level), None, $basis, $cites, $explain, $setup, $xml, $judge)
    };
    ($id:literal, $title:literal, $level:expr, $partner:expr, $basis:ident, $cites:expr, $explain:literal, $setup:expr, $xml:expr, $judge:expr $(,)?) => {
        Rule {
            id: $id,
            title: $title,
            level: $level,
            partner: $partner,
            basis: Basis::$basis,
            cites: $cites,
            explain: $explain,
            setup: $setup,
            xml: $xml,
            judge: $judge,
        }
    };
}

mod access;
pub(super) mod callbacks;
mod certificates;
mod credentials;
mod files;
mod flows;
mod parts;
mod providers;
mod scopes;
mod tokens;

use super::app::{App, Setting};
use super::masking;
use super::project::{Item, Project};
use super::xml::Element;
use crate::diagnostic::{Span, Text};
use crate::oauth::keys::PublicKey;
use crate::verdict::{Basis, Level};

/// Which rules hold, and how much they bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Any app.
    #[default]
    General,
    /// Salesforce's controls of 2026 for partners whose app is in more than two production orgs of customers.
    Partner2026,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 2] = [Profile::General, Profile::Partner2026];

    /// The name in flags.
    pub fn name(self) -> &'static str {
        match self {
            Profile::General => "general",
            Profile::Partner2026 => "partner-2026",
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub text: Text,
    /// Where in it.
    pub span: Span,
}

impl Place {
    /// The place of an element: its text, or its name.
    pub fn of(item: &Item, element: &Element) -> Self {
        Self { text: item.text.clone(), span: element.value_span }
    }
}

/// What rules look at.
pub struct Context<'p> {
    /// Every file.
    pub project: &'p Project,
    /// Every app.
    pub apps: Vec<App<'p>>,
    /// Seconds since the epoch.
    pub now: i64,
    /// How many days before its end a certificate is told.
    pub soon_days: i64,
    /// Public halves of the private keys at hand, one of which each app's certificate must be of; empty: nothing is compared.
    pub keys: Vec<PublicKey>,
}

/// A rule.
pub struct Rule {
    /// `family/property-that-holds`.
    pub id: &'static str,
    /// What holds, in a sentence.
    pub title: &'static str,
    /// How much it binds any app; none: only under the profile of partners.
    pub level: Option<Level>,
    /// How much it binds under the profile of partners, where that is more.
    pub partner: Option<Level>,
    /// Where it comes from.
    pub basis: Basis,
    /// Its sources.
    pub cites: &'static [&'static str],
    /// What it means and why it matters.
    pub explain: &'static str,
    /// The cure in Setup; empty where there is none.
    pub setup: &'static str,
    /// The cure in the file.
    pub xml: &'static str,
    /// Tells what does not hold.
    pub judge: fn(&Context<'_>, &mut Told),
}

impl Rule {
    /// How much it binds under a profile; none: it is not looked at.
    pub fn level_under(&self, profile: Profile) -> Option<Level> {
        match profile {
            Profile::General => self.level,
            Profile::Partner2026 => self.partner.max(self.level),
        }
    }
}

/// Takes what a rule tells.
#[derive(Default)]
pub struct Told {
    findings: Vec<(Place, String, String)>,
}

impl Told {
    fn app(&mut self, app: &App<'_>, setting: &Setting, message: impl Into<String>) {
        self.at(&app.name, app.place(setting), message);
    }

    fn at(&mut self, of: &str, place: Place, message: impl Into<String>) {
        // A message may name a URL, which may have a password in it.
        self.findings.push((place, of.to_owned(), masking::urls(&message.into())));
    }

    fn item(&mut self, item: &Item, element: &Element, message: impl Into<String>) {
        self.at(item.of(), Place::of(item, element), message);
    }
}

/// What does not hold somewhere.
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How much it weighs here.
    pub level: Level,
    /// Name of the app or credential.
    pub of: String,
    /// Where.
    pub place: Place,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
}

/// Every rule, family by family.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        files::RULES,
        parts::RULES,
        callbacks::RULES,
        tokens::RULES,
        scopes::RULES,
        flows::RULES,
        access::RULES,
        certificates::RULES,
        credentials::RULES,
        providers::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rule of that id.
pub fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// Whether a build fills in a part of a text when it deploys: `${X}`, `{{X}}`, `#{X}#`, `$(X)`, or all of it: `%X%`, `__X__`.
pub(super) fn filled_in(value: &str) -> bool {
    let named = |name: &str| {
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(in_name)
    };
    let inside =
        |mark: &str| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark)).is_some_and(named);
    let holds = |begin: &str, end: &str| value.split_once(begin).is_some_and(|(_, rest)| rest.contains(end));
    ["${", "{{", "%%"].iter().any(|begin| value.contains(begin))
        || holds("#{", "}")
        || holds("$(", ")")
        || ["%", "__"].iter().any(|mark| inside(mark))
}

/// Judges a project. The findings are in the order of files and lines.
pub fn lint(context: &Context<'_>, profile: Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules() {
        let Some(level) = rule.level_under(profile) else { continue };
        let mut told = Told::default();
        (rule.judge)(context, &mut told);
        findings.extend(told.findings.into_iter().map(|(place, of, message)| Finding {
            rule,
            level,
            of,
            place,
            message,
        }));
    }
    findings.sort_by(|a, b| {
        (a.place.text.name(), a.place.span, a.rule.id).cmp(&(b.place.text.name(), b.place.span, b.rule.id))
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::kinds::{Kind, Shape};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_whole_and_distinct() {
        let mut ids = BTreeSet::new();
        for rule in rules() {
            assert!(ids.insert(rule.id) && rule.id.contains('/'), "{}", rule.id);
            assert!(rule.level.is_some() || rule.partner.is_some(), "{}", rule.id);
            assert!(
                !rule.cites.is_empty() && rule.explain.ends_with('.') && !rule.xml.is_empty(),
                "{}",
                rule.id
            );
            assert!(!rule.title.ends_with('.'), "{}", rule.id);
        }
        assert!(ids.len() >= 45, "{}", ids.len());
    }

    /// A file with some elements of its type, each with a value that is right, or strange.
    fn file() -> impl Strategy<Value = (Kind, String)> {
        let element = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,12}");
        (prop::sample::select(Kind::ALL.to_vec()), prop::collection::vec(element, 0..25)).prop_map(
            |(kind, picks)| {
                let mut root = Element { name: kind.name().into(), ..Element::default() };
                for (which, value, strange) in picks {
                    let field = &kind.fields()[which.index(kind.fields().len())];
                    let value = match field.shape {
                        Shape::Bool => ["true", "false", strange.as_str()][value.index(3)].to_owned(),
                        Shape::OneOf(words) => words[value.index(words.len())].to_owned(),
                        Shape::Number(from, _) => {
                            [from.to_string(), "99999999999999999999".into()][value.index(2)].clone()
                        }
                        Shape::Group | Shape::Open => String::new(),
                        Shape::Text => [
                            strange,
                            "X".into(),
                            "https://a.example/b".into(),
                            "specific_lifetime:9:DAYS".into(),
                            "255.255.255.255".into(),
                        ][value.index(5)]
                        .clone(),
                    };
                    let mut here = &mut root;
                    for name in field.path.split('/') {
                        let at =
                            here.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
                                here.children.push(Element { name: name.into(), ..Element::default() });
                                here.children.len() - 1
                            });
                        here = &mut here.children[at];
                    }
                    here.value = value.trim().to_owned();
                }
                (kind, crate::metadata::xml::write(&root))
            },
        )
    }

    proptest! {
        #[test]
        fn no_combination_of_settings_breaks_a_rule(files in prop::collection::vec(file(), 1..6)) {
            let mut project = Project::default();
            for (number, (kind, source)) in files.into_iter().enumerate() {
                project.add(&Text::new(format!("f{number}.{}", kind.suffix()), source));
            }
            let apps = project.apps();
            let context = Context { project: &project, apps, now: 1_800_000_000, soon_days: 30, keys: Vec::new() };
            for finding in lint(&context, Profile::Partner2026) {
                let length = finding.place.text.source().len();
                prop_assert!(finding.place.span.end <= length && finding.place.span.start <= finding.place.span.end);
            }
        }
    }
}
