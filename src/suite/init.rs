//! The first files of somebody new: a commented target and a suite that run as they are.

/// A target that runs on the embedded org and says how to turn it to a real one.
pub const TARGET: &str = include_str!("init/target.yaml");
/// A first suite.
pub const SUITE: &str = include_str!("init/suite.yaml");
