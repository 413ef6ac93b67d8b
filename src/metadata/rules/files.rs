//! What any file owes: known elements, values that are allowed, no secrets.

use std::collections::BTreeSet;

use super::{Context, Rule, Told, filled_in};
use crate::metadata::kinds::{Field, Kind, SECRETS, Shape};
use crate::metadata::masking;
use crate::metadata::private_key;
use crate::metadata::project::Item;
use crate::metadata::xml::Element;
use crate::verdict::{Basis, Level};

const GUIDE: &str = "Salesforce Metadata API Developer Guide";
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "files/element-is-known",
        title: "every element is one of its type",
        level: Some(Level::BestPractice),
        partner: None,
        basis: Basis::Vendor,
        cites: &[GUIDE],
        explain: "An element that the type does not have is refused on deployment, or it is newer or older than this list (API version 67). It is kept and not judged.",
        setup: "",
        xml: "Correct the name, or leave it if your API version has it.",
        judge: |c, told| {
            each(c, |item, path, element, field| {
                if field.is_none() {
                    told.item_name(
                        item,
                        element,
                        format!("{} has no element `{path}` that is known here", item.kind.name()),
                    );
                }
            })
        },
    },
    Rule {
        id: "files/value-is-allowed",
        title: "flags, numbers and words are of the allowed ones",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &[GUIDE],
        explain: "A deployment refuses the whole package for one value that is not of the list, or takes a number that is cut to a bound.",
        setup: "",
        xml: "Write one of the values that the message names, with its letter case.",
        judge: |c, told| {
            each(c, |item, path, element, field| {
                let Some(field) = field else { return };
                let value = element.value.as_str();
                // An unknown scope has a rule of its own: the list grows with each release.
                let wrong = match field.shape {
                    Shape::Bool if !matches!(value, "true" | "false") => "`true` or `false`".to_owned(),
                    Shape::OneOf(words) if !path.ends_with("/scopes") && !words.contains(&value) => {
                        words.join(", ")
                    }
                    Shape::Number(from, to)
                        if value.starts_with('+')
                            || !value.parse().is_ok_and(|n: i64| (from..=to).contains(&n)) =>
                    {
                        format!("a number from {from} to {to}")
                    }
                    _ => return,
                };
                told.item(item, element, format!("`{}` is not allowed as {path}: {wrong}", clipped(value)));
            })
        },
    },
    Rule {
        id: "files/element-stands-once",
        title: "an element that is no list stands once",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &[GUIDE],
        explain: "Where an element stands twice, a deployment refuses the file or takes one of them; which is not told. A merge of two branches is the usual cause.",
        setup: "",
        xml: "Take one of them out.",
        judge: |c, told| {
            for item in &c.project.items {
                repeated(item, &item.root, "", told);
            }
        },
    },
    Rule {
        id: "files/required-element-is-there",
        title: "the elements that the type requires are there",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &[GUIDE],
        explain: "A deployment without a required element is refused.",
        setup: "",
        xml: "Add the element.",
        judge: |c, told| {
            for item in &c.project.items {
                for field in item.kind.fields().iter().filter(|field| field.required) {
                    let (above, name) = field.path.rsplit_once('/').unwrap_or(("", field.path));
                    for parent in all_at(&item.root, above) {
                        if parent.child(name).is_none_or(|child| child.value.is_empty()) {
                            told.item_name(item, parent, format!("`{}` is missing", field.path));
                        }
                    }
                }
            }
        },
    },
    Rule {
        id: "files/namespace-is-that-of-metadata",
        title: "the root element is of Salesforce's namespace",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Vendor,
        cites: &[GUIDE],
        explain: "Without the namespace a deployment does not know the type.",
        setup: "",
        xml: "xmlns=\"http://soap.sforce.com/2006/04/metadata\" on the root element.",
        judge: |c, told| {
            for item in c.project.items.iter().filter(|item| item.root.namespace != NAMESPACE) {
                told.item_name(
                    item,
                    &item.root,
                    format!("the namespace is `{}`", clipped(&item.root.namespace)),
                );
            }
        },
    },
    Rule {
        id: "files/no-secret",
        title: "no secret stands in the file",
        level: Some(Level::Must),
        partner: None,
        basis: Basis::Derived,
        cites: &["RFC 9700 §2.5", "RFC 6819 §5.1.4.1"],
        explain: "Whoever reads the repository, its history or a build's log has the secret. Retrieved files never hold consumer secrets, so this one was written by hand. Take it out and rotate it: the history keeps it.",
        setup: "Settings › OAuth Settings › Consumer Key and Secret › rotate; for a credential, enter it under the principal in Setup › Named Credentials.",
        xml: "Leave the element out, or fill it in when deploying.",
        judge: |c, told| {
            for item in &c.project.items {
                in_elements(item, &item.root, "", told);
                written_out(item, told);
                for (span, what) in &item.beside_elements {
                    let place = super::Place { text: item.text.clone(), span: *span };
                    told.at(item.of(), place, format!("a secret stands in {what}"));
                }
            }
        },
    },
    Rule {
        id: "files/secret-of-a-provider-is-masked",
        title: "the consumer secret of an auth provider is masked or left out",
        level: Some(Level::Should),
        partner: None,
        basis: Basis::Community,
        cites: &[
            "RFC 9700 §2.5",
            "field notes: retrieved auth providers hold the secret masked or encrypted",
        ],
        explain: "A retrieved auth provider holds its secret masked or encrypted, one that was written by hand holds the secret itself; the two look alike. Neither is of use in a repository: deployed elsewhere, the encrypted one is not the secret.",
        setup: "Setup › Auth. Providers › the provider › Edit › Consumer Secret, after the deployment.",
        xml: "Placeholder_Value in consumerSecret, or what a build fills in.",
        judge: |c, told| {
            for item in c.project.of(Kind::AuthProvider) {
                let Some(element) =
                    item.root.child("consumerSecret").filter(|element| is_secret(&element.value))
                else {
                    continue;
                };
                told.item_name(item, element, "`consumerSecret` is no placeholder");
            }
        },
    },
    Rule {
        id: "files/no-id-of-an-org",
        title: "nothing is tied to the id of one org",
        level: Some(Level::Should),
        partner: None,
        basis: Basis::Vendor,
        cites: &["Salesforce Metadata API Developer Guide: ExternalClientApplication"],
        explain: "orgScopedExternalApp and oauthLink name an org and an app by their ids. Deployed elsewhere they point to nothing, and the deployment fails or the app is another.",
        setup: "",
        xml: "Take the element out before deploying to another org.",
        judge: |c, told| {
            each(c, |item, path, element, _| {
                if matches!(path, "orgScopedExternalApp" | "oauthLink") && element.value.starts_with("00D") {
                    told.item(item, element, format!("`{path}` names the org that it was retrieved from"));
                }
            })
        },
    },
];

/// Tells the elements that hold a secret by their names, also where no type has them, and those that hold a private key.
fn in_elements(item: &Item, element: &Element, above: &str, told: &mut Told) {
    // A literal under the name of a secret; what a formula works out is none.
    let literal = |value: &str| value.starts_with(['\'', '"']) && value.len() > 2;
    for child in &element.children {
        let (name, value) = (child.name.as_str(), child.value.as_str());
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        // That of an auth provider may be encrypted, and has a rule of its own; so has what stands for a certificate.
        let elsewhere = item.kind == Kind::AuthProvider && path == "consumerSecret";
        let for_a_certificate =
            matches!(name, "certificate" | "validationCert" | "clientAssertionCertificate");
        let under = || SECRETS.contains(&name) || masking::is_secret_under(name, value);
        let attribute = || {
            let key = element.text("key").unwrap_or("");
            name == "formula"
                && literal(value)
                && masking::is_secret_under(key, value.trim_matches(['\'', '"']))
        };
        if !elsewhere && is_secret(value) && (under() || attribute()) {
            let count = value.chars().count();
            told.item_name(item, child, format!("`{path}` holds a secret of {count} characters"));
        } else if !for_a_certificate && private_key::first(value).is_some() {
            told.item_name(item, child, format!("`{path}` holds a private key"));
        }
        in_elements(item, child, &path, told);
    }
}

/// Tells the parameters of a credential, and its URLs, that hold a secret which was written out.
fn written_out(item: &Item, told: &mut Told) {
    for list in ["namedCredentialParameters", "externalCredentialParameters"] {
        for parameter in item.root.all(list) {
            let Some(value) = parameter.child("parameterValue") else { continue };
            let kind = parameter.text("parameterType").unwrap_or("");
            let name = parameter.text("parameterName").unwrap_or("");
            if masking::is_written_out(kind, name, &value.value) && is_secret(&value.value) {
                told.item_name(item, value, format!("`{list}/parameterValue` of type {kind} holds a secret"));
            } else if masking::url_gives_away(&value.value) {
                told.item_name(item, value, format!("`{list}/parameterValue` is a URL with a secret in it"));
            }
        }
    }
    for name in ["endpoint", "authTokenEndpointUrl", "authorizeUrl", "tokenUrl", "userInfoUrl"] {
        let urls = item.root.child(name).filter(|element| masking::url_gives_away(&element.value));
        if let Some(element) = urls {
            told.item_name(item, element, format!("`{name}` is a URL with a secret in it"));
        }
    }
}

/// Whether a text is a secret: not a placeholder that a build fills in, nor the mask of a retrieved one.
fn is_secret(value: &str) -> bool {
    let filled_in = filled_in(value) || value.starts_with('<');
    let masked =
        value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '•')) || value.starts_with("Placeholder_Value");
    !value.is_empty() && !filled_in && !masked
}

impl Told {
    fn item_name(&mut self, item: &Item, element: &Element, message: impl Into<String>) {
        let place = super::Place { text: item.text.clone(), span: element.span };
        self.at(item.of(), place, message);
    }
}

/// Takes a file, a path, the element there and what is known of it.
type With<'w> = dyn FnMut(&Item, &str, &Element, Option<&'static Field>) + 'w;

/// Every element of every file with its path; what is open inside is not looked into.
fn each(c: &Context<'_>, mut with: impl FnMut(&Item, &str, &Element, Option<&'static Field>)) {
    fn down(item: &Item, element: &Element, above: &str, with: &mut With<'_>) {
        for child in &element.children {
            let path = if above.is_empty() { child.name.clone() } else { format!("{above}/{}", child.name) };
            let field = item.kind.field(&path);
            with(item, &path, child, field);
            if field.is_some_and(|field| field.shape == Shape::Group) {
                down(item, child, &path, with);
            }
        }
    }
    for item in &c.project.items {
        down(item, &item.root, "", &mut with);
    }
}

fn repeated(item: &Item, element: &Element, above: &str, told: &mut Told) {
    let mut seen = BTreeSet::new();
    for child in &element.children {
        let again = !seen.insert(child.name.as_str());
        let path = if above.is_empty() { child.name.clone() } else { format!("{above}/{}", child.name) };
        let Some(field) = item.kind.field(&path) else { continue };
        if !field.many && again {
            told.item_name(item, child, format!("`{path}` stands here again"));
        }
        if field.shape == Shape::Group {
            repeated(item, child, &path, told);
        }
    }
}

fn all_at<'e>(root: &'e Element, path: &'e str) -> Vec<&'e Element> {
    if path.is_empty() {
        return vec![root];
    }
    path.split('/')
        .fold(vec![root], |here, name| here.into_iter().flat_map(|element| element.all(name)).collect())
}

/// A value short enough for a message.
fn clipped(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    if short.len() < value.len() { format!("{short}…") } else { short }
}
