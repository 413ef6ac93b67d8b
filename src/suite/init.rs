//! The first files of somebody new: a commented target and a suite that run as they are.

/// A target that runs on the embedded org and says how to turn it to a real one.
pub const TARGET: &str = include_str!("init/target.yaml");
/// A first suite.
pub const SUITE: &str = include_str!("init/suite.yaml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;
    use crate::suite::{read_suite, read_target};

    #[test]
    fn they_are_right_and_need_nothing_from_outside() {
        let target = read_target(&Text::new("target.yaml", TARGET), &|_| None).unwrap();
        assert!(target.is_embedded());
        let suite = read_suite(&Text::new("first.yaml", SUITE), "first").unwrap();
        assert_eq!(suite.scenarios.len(), 3);
    }
}
