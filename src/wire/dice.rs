//! Where randomness comes from.

use rand::RngCore as _;

/// A seed that nobody can guess, from the operating system.
#[allow(clippy::disallowed_methods)]
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    rand::TryRngCore::unwrap_err(rand::rngs::OsRng).fill_bytes(&mut seed);
    seed
}

/// The seed of a part of a run: the same for the same run seed and name.
pub fn seed_of(run: u64, part: &str) -> [u8; 32] {
    let hash = crate::oauth::sha256(format!("{run}/{part}"));
    let mut seed = [0; 32];
    seed.copy_from_slice(&hash);
    seed
}
