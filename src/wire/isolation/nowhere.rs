//! Where the system lets nobody make networks, no program is cut off, and reports say so.

use std::path::Path;

use crate::subject::Launch;
use crate::wire::Error;

/// What a program exits with that could not be cut off.
pub const CANNOT: u8 = 125;

/// Who makes networks: nobody.
#[derive(Clone, Debug)]
pub enum Wall {}

impl Wall {
    /// Never.
    #[allow(clippy::unused_async)]
    pub async fn possible(_: &Path) -> Option<Self> {
        None
    }
}

/// The ways out of a network that there is not.
pub enum Ways {}

impl Ways {
    /// Never comes about.
    ///
    /// # Errors
    /// None.
    #[allow(clippy::unused_async)]
    pub async fn open(wall: &Wall, _: &[u16], _: Option<u16>) -> Result<Self, Error> {
        match *wall {}
    }

    /// Never comes about.
    pub fn around(&self, _: Launch) -> Launch {
        match *self {}
    }
}

/// Never comes about.
///
/// # Errors
/// Always.
#[allow(clippy::unused_async)]
pub async fn inside(_: &Path, _: &[u16], _: Option<u16>, _: &[String]) -> std::io::Result<u8> {
    Err(std::io::ErrorKind::Unsupported.into())
}
