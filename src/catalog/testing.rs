//! What the tests of several families share.

use super::{Judgement, find, judge_one};
use crate::transcript::{Transcript, script};
use crate::verdict::Verdict;

/// What a check comes to on a record in the language of [`script`].
pub(super) fn verdict(id: &str, record: &str) -> Verdict {
    judge_one(find(id).unwrap(), &script::read(record)).verdict
}

/// What a judge comes to, whichever check it belongs to.
pub(super) fn verdict_of(judge: fn(&Transcript) -> Judgement, record: &str) -> Verdict {
    judge(&script::read(record)).verdict()
}

/// A check comes to that on a record; where it does not, its findings are shown.
#[track_caller]
pub(super) fn comes_to(id: &str, record: &str, verdict: Verdict) {
    let judged = judge_one(find(id).unwrap(), &script::read(record));
    assert_eq!(judged.verdict, verdict, "{:?}", judged.findings);
}
