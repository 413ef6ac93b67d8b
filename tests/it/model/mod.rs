//! The embedded org against the model of what an org must do that explores orgs, in sequences and interleavings that nobody wrote. One
//! operation at a time has one right answer; operations that overlap must be answered as if they had come one after the
//! other, in some order.

mod driver;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use driver::Driver;
use grantcheck::org::fault;

/// What is done. Positions are counted from the newest back, and wrap.
#[derive(Clone, Debug)]
pub enum Op {
    Authorize,
    Redeem { code: usize, client: Client, verifier: bool },
    Refresh { token: usize, client: Client },
    Revoke(Which),
    Introspect(Which),
    Call(usize),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Main,
    Other,
}

impl Client {
    /// Role of the app.
    fn role(self) -> &'static str {
        match self {
            Client::Main => "main",
            Client::Other => "other",
        }
    }
}

/// Which token.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Access(usize),
    Refresh(usize),
}

/// One line of a sequence.
#[derive(Clone, Debug)]
pub enum Line {
    /// One operation at a time.
    One(Op),
    /// All begun in this order, and ended in the order of these keys.
    Overlapping(Vec<(Op, u8)>),
    /// Minutes go by.
    Advance(i64),
}

fn op() -> impl Strategy<Value = Op> {
    // Mostly what is young: the interesting things happen there.
    let near = || prop_oneof![4 => 0usize..3, 1 => 0usize..12];
    let client = || prop_oneof![6 => Just(Client::Main), 1 => Just(Client::Other)];
    let which = || prop_oneof![near().prop_map(Which::Access), near().prop_map(Which::Refresh)];
    prop_oneof![
        3 => Just(Op::Authorize),
        5 => (near(), client(), prop::bool::weighted(0.9))
            .prop_map(|(code, client, verifier)| Op::Redeem { code, client, verifier }),
        6 => (near(), client()).prop_map(|(token, client)| Op::Refresh { token, client }),
        2 => which().prop_map(Op::Revoke),
        3 => which().prop_map(Op::Introspect),
        5 => near().prop_map(Op::Call),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let together = prop_oneof![
        // The same thing several times, which is how a race looks.
        (op(), 2usize..5, any::<[u8; 4]>())
            .prop_map(|(op, n, keys)| (0..n).map(|i| (op.clone(), keys[i])).collect()),
        prop::collection::vec((op(), any::<u8>()), 2..5),
    ];
    prop_oneof![
        10 => op().prop_map(Line::One),
        3 => together.prop_map(|ops: Vec<(Op, u8)>| {
            Line::Overlapping(ops.into_iter().filter(|(op, _)| !matches!(op, Op::Authorize)).collect())
        }),
        2 => (0i64..25).prop_map(Line::Advance),
    ]
}

fn play(lines: &[Line], rotation: bool, faults: &[&str]) -> Result<(), TestCaseError> {
    let mut driver = Driver::new(rotation, faults);
    for (i, line) in lines.iter().enumerate() {
        driver.play(line).map_err(|why| TestCaseError::fail(format!("line {i}, {line:?}: {why}")))?;
    }
    Ok(())
}

fn check(cases: u32, faults: &[&str]) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRunner::deterministic().new_rng());
    let sequences = (prop::collection::vec(line(), 5..45), any::<bool>());
    runner.run(&sequences, |(lines, rotation)| play(&lines, rotation, faults)).map_err(|why| why.to_string())
}

#[test]
fn the_org_answers_as_the_model_has_it_in_any_order_and_interleaving() {
    check(120, &[]).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn the_model_sees_what_an_org_does_wrong() {
    let wrongs = [
        "code-reusable",
        "code-racy",
        "code-unbound",
        "pkce-any",
        "refresh-unbound",
        "rotate-no-revoke",
        "rotate-no-family",
        "rotate-racy",
        "collision-as-theft",
        "access-eternal",
        "introspect-expired-active",
        "introspect-revoked-active",
        "revoke-noop-refresh",
        "revoke-noop-access",
        "revoke-keeps-access",
        "revoke-late",
    ];
    let unseen: Vec<&str> = wrongs.into_iter().filter(|wrong| check(400, &[wrong]).is_ok()).collect();
    assert!(wrongs.iter().all(|wrong| fault::find(wrong).is_some()));
    assert!(unseen.is_empty(), "the model misses {unseen:?}");
}
