//! Verdicts and their evidence.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Span, Text};

/// What judging came to. Ordered by weight, merged with `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing was seen that bears on it.
    #[default]
    Skip,
    /// It holds, and evidence shows that it does.
    Pass,
    /// Evidence is there but proves nothing.
    Inconclusive,
    /// It does not hold.
    Fail,
}

/// How much a requirement binds (RFC 2119), which gives the severity of a fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Informs.
    BestPractice,
    /// Warns.
    Should,
    /// Fails the run.
    Must,
}

impl Level {
    /// The word in a report.
    pub fn word(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::BestPractice => "NOTE",
        }
    }
}

/// Where a requirement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The cited text demands it at this level.
    Normative,
    /// We conclude it; the cited text is the reason, not the rule.
    Derived,
    /// Salesforce documents it.
    Vendor,
    /// Reports from the field only: it never fails a run.
    Community,
}

impl Basis {
    /// The word in a report.
    pub fn word(self) -> &'static str {
        match self {
            Basis::Normative => "normative",
            Basis::Derived => "derived",
            Basis::Vendor => "vendor-documented",
            Basis::Community => "community",
        }
    }
}

/// The evidence of a verdict that is not a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The check that it belongs to; none where an expectation of the suite did not hold.
    pub check: Option<&'static str>,
    /// [`Verdict::Fail`] or [`Verdict::Inconclusive`].
    pub verdict: Verdict,
    /// How much it weighs.
    pub level: Level,
    /// What should have come.
    pub expected: String,
    /// What came. May hold secrets of the transcript: whoever writes it redacts it.
    pub observed: String,
    /// The exchanges that show it, by number.
    pub exchanges: Vec<usize>,
    /// Whether it goes beyond what a known deviation in the looks of an answer covers: something was accepted
    /// that must be refused, say.
    pub grave: bool,
    /// The expectation in the suite that did not hold.
    pub at: Option<(Text, Span)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_merge_to_the_heavier() {
        let all = [Verdict::Pass, Verdict::Fail, Verdict::Skip, Verdict::Inconclusive];
        assert_eq!(all.into_iter().max(), Some(Verdict::Fail));
        assert!(Verdict::Inconclusive > Verdict::Pass && Verdict::Pass > Verdict::Skip);
    }
}
