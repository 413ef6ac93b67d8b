//! From the start of the program to its first verdict: one scenario on the embedded org, as a person waits for it.

// It starts the program: the fence is for the library.
#![allow(clippy::disallowed_methods)]

use criterion::{Criterion, criterion_group, criterion_main};
use std::process::Command;

fn start(c: &mut Criterion) {
    c.bench_function("start_to_first_verdict", |bencher| {
        bencher.iter(|| {
            let output = Command::new(env!("CARGO_BIN_EXE_grantcheck"))
                .args(["run", "--select", "the right secret gets an access token"])
                .output()
                .expect("the program starts");
            assert_eq!(output.status.code(), Some(0), "what is measured must be right");
        });
    });
}

criterion_group!(benches, start);
criterion_main!(benches);
