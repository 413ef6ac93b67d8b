//! Metadata of a Salesforce project, read with places, joined to apps, and judged by rules.
//!
//! A file is read into a tree that keeps everything (`xml`), its type is known by name or root element ([`kinds`]), and
//! the files of one app are looked at as one ([`App`]). A [`Rule`] is a row and a function, as a check is; checks judge
//! traffic, rules judge files.

pub mod app;
mod certificate;
pub mod kinds;
mod markdown;
mod masking;
mod private_key;
mod project;
pub mod registration;
mod rules;
pub mod suggest;
mod xml;

pub use app::{App, Form};
pub use certificate::{Algorithm, Read, days};
pub use kinds::{Kind, SECRETS};
pub use markdown::markdown;
pub use masking::urls as without_secrets;
pub use project::{Item, LONGEST, Project, is_metadata};
pub use registration::{About, Joined, Keys, Note, Registration, join, registration};
pub use rules::{Context, Finding, Place, Profile, Rule, find, lint, rules};
pub use xml::{Element, read, write};
