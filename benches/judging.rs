//! What a run costs beside the org: judging a transcript of 1,000 exchanges, and the whole of `suites/org`.

#[path = "support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use grantcheck::catalog::{self, Party};
use grantcheck::run::{Options, Outcome, look_around, run};
use grantcheck::transcript::Transcript;
use grantcheck::verdict::Verdict;

fn options() -> Options {
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Options { begin: Some(support::NOW), jobs, ..Options::new(support::embedded(), support::org_suites()) }
}

async fn whole(options: &Options) -> Outcome {
    let (tell, _told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let around = look_around(&options.target, options.within).await.expect("the embedded org is there");
    run(options, around, tell, stopped).await.expect("the embedded org is there")
}

fn judging(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let options = options();
    let played = runtime.block_on(whole(&options));
    assert_eq!(played.report.exit(), 0, "what is measured must be right");

    // Scenarios one after the other, as many as make a thousand exchanges.
    let mut transcript = Transcript { subject: played.transcript.subject.clone(), ..Transcript::default() };
    for mut exchange in played.transcript.exchanges.into_iter().take(1000) {
        exchange.number = transcript.exchanges.len();
        transcript.exchanges.push(exchange);
    }
    let thousand = transcript.exchanges.len();
    let verdicts = catalog::judge(&transcript, Party::Org);
    let passed = verdicts.iter().filter(|judged| judged.verdict == Verdict::Pass).count();
    assert!(passed > 20 && verdicts.iter().all(|judged| !judged.bug), "{passed} checks pass");

    c.bench_function(&format!("judge_{thousand}_exchanges"), |bencher| {
        bencher.iter(|| catalog::judge(black_box(&transcript), Party::Org));
    });
    let mut group = c.benchmark_group("suites");
    group.sample_size(10);
    group.bench_function("org", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let outcome = whole(&options).await;
            assert_eq!(outcome.report.exit(), 0, "what is measured must be right");
        });
    });
    group.finish();
}

criterion_group!(benches, judging);
criterion_main!(benches);
