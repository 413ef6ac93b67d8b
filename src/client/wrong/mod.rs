//! Wrongs that our own client commits on purpose, placed by name: they are how every check of clients is seen to fail.

use std::fmt;

/// Writes each wrong once: the constant by which the code knows it, and its row in [`all()`].
macro_rules! wrongs {
    ($($constant:ident $name:literal [$($origin:literal),*] $doc:literal)*) => {
        $(#[doc = $doc] pub const $constant: super::Wrong =
            super::Wrong { name: $name, doc: $doc, origins: &[$($origin),*] };)*
        pub(crate) const ALL: &[super::Wrong] = &[$($constant),*];
    };
}

pub mod assertions;
pub mod authentication;
pub mod id_token;
pub mod logging_out;
pub mod login;
pub mod named_credential;
pub mod pkce;
pub mod renewal;
pub mod resource;
pub mod robustness;
pub mod secrets;
pub mod store;
pub mod tokens;
mod tweaks;

pub use tweaks::tweak;

/// One wrong.
#[derive(Debug)]
pub struct Wrong {
    /// How it is asked for.
    pub name: &'static str,
    /// What the client does wrong.
    pub doc: &'static str,
    /// The requirements that it breaks, by their ids in the collection that checks are drawn from.
    pub origins: &'static [&'static str],
}

/// Every wrong.
pub fn all() -> impl Iterator<Item = &'static Wrong> {
    [
        id_token::ALL,
        login::ALL,
        named_credential::ALL,
        pkce::ALL,
        renewal::ALL,
        robustness::ALL,
        secrets::ALL,
        store::ALL,
        logging_out::ALL,
        authentication::ALL,
        assertions::ALL,
        resource::ALL,
        tokens::ALL,
    ]
    .into_iter()
    .flatten()
}

/// The wrong of that name.
pub fn find(name: &str) -> Option<&'static Wrong> {
    all().find(|wrong| wrong.name == name)
}

/// The wrong that a client commits, if any.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrongs(Option<&'static str>);

impl Wrongs {
    /// This one.
    pub fn of(wrong: &Wrong) -> Self {
        Self(Some(wrong.name))
    }

    /// Its name, where there is one.
    pub fn name(self) -> Option<&'static str> {
        self.0
    }

    /// Whether the client commits that one.
    pub fn has(self, wrong: &Wrong) -> bool {
        self.0 == Some(wrong.name)
    }
}

impl fmt::Debug for Wrongs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
