use super::*;
use crate::load::gauge::{Series, Slice};
use crate::load::report::{CatalogueRow, PointRow, ms};
use crate::load::shard::Shard;
use proptest::prelude::*;

const SECONDS: u64 = 4;

/// The report of a process that saw these requests, each with its second, its latency, and whether it has an error.
fn report(seen: &[(u64, u64, bool)], part: Option<PartRow>) -> LoadReport {
    let mut step = StepGauge::default();
    let mut series = if part.is_some() { Series::keeping() } else { Series::default() };
    for second in 0..SECONDS {
        let mut slice = Slice::default();
        for (_, latency, error) in seen.iter().filter(|(at, ..)| *at == second) {
            for gauge in [&mut step.latency, &mut step.service, &mut step.first_byte, &mut slice.latency] {
                gauge.record(*latency);
            }
            step.errors += u64::from(*error);
            *step.statuses.entry(if *error { 400 } else { 200 }).or_default() += 1;
            slice.requests += 1;
            slice.errors += u64::from(*error);
            slice.in_flight += 1;
        }
        series.push(second, &slice);
    }
    let time = SECONDS * 1_000_000;
    let points = series.points().iter().map(|p| PointRow {
        at_s: p.at,
        seconds: p.seconds,
        requests: p.requests,
        errors: p.errors,
        in_flight: p.in_flight,
        p50: ms(p.p50),
        p99: ms(p.p99),
        max: ms(p.longest),
        hdr: p.latency.clone(),
        ..PointRow::default()
    });
    let thresholds = ["p99 < 50ms", "errors < 10%", "rate >= 3/s"].map(str::to_owned).to_vec();
    let mut report = LoadReport {
        version: VERSION,
        kind: "load".into(),
        org: "embedded".into(),
        plan: "closed".into(),
        begun: 1_000_000,
        duration_ms: SECONDS as f64 * 1000.0,
        counted_ms: SECONDS as f64 * 1000.0,
        run: RunRow { print: "p".into(), began: 1_000_100, part, thresholds, ..RunRow::default() },
        total: step_row("all", &step, time),
        steps: vec![step_row("s › a › 1 call", &step, time)],
        plays: vec![PlayRow {
            scenario: "s › a".into(),
            pass: step.requests() - step.errors,
            fail: step.errors,
            rate: rate(step.requests(), time),
            latency: Percentiles::of(&step.latency),
            ..PlayRow::default()
        }],
        catalogue: CatalogueRow { of: step.requests(), ..CatalogueRow::default() },
        series: points.collect(),
        ..LoadReport::default()
    };
    if report.run.part.is_none() {
        let read: Vec<Threshold> =
            report.run.thresholds.iter().filter_map(|text| Threshold::read(text)).collect();
        report.thresholds = judge(&read, &[("s › a › 1 call".into(), &step)], time);
    }
    (report.verdict, report.because) = verdict(&report);
    report
}

fn shard(index: u64, of: u64, seen: &[(u64, u64, bool)]) -> Part {
    let report = report(seen, Some(PartRow::Shard(Shard { index, of })));
    Part { name: format!("{index}.json"), report }
}

fn two() -> Vec<Part> {
    vec![shard(0, 2, &[(0, 1000, false)]), shard(1, 2, &[(1, 3000, true)])]
}

fn refused(parts: &[Part], expected: Expected) -> String {
    merge(parts, expected).unwrap_err().iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let no = Expected::default();
    assert!(refused(&[], no).contains("no report to merge"));
    let mut parts = two();
    parts[1].report.run.part = None;
    assert!(refused(&parts, no).contains("1.json is the report of a whole run"));
    assert!(refused(&two()[..1], no).contains("shard 1/2 is missing"));
    let mut parts = two();
    parts[1].report.run.part = parts[0].report.run.part.clone();
    assert!(refused(&parts, no).contains("0.json and 1.json are both shard 0/2"));
    for change in [
        (|r: &mut LoadReport| r.run.print = "other".into()) as fn(&mut LoadReport),
        |r| r.plan = "open".into(),
        |r| r.org = "https://other".into(),
        |r| r.steps[0].step = "other".into(),
        |r| r.run.part = Some(PartRow::Shard(Shard { index: 1, of: 3 })),
        |r| r.run.part = Some(PartRow::Worker("w".into())),
        |r| (r.begun, r.run.began) = (86_400_000, 86_400_000),
    ] {
        let mut parts = two();
        change(&mut parts[1].report);
        assert!(refused(&parts, no).contains("0.json and 1.json are of different runs"));
    }
    let mut parts = two();
    parts[1].report.version += 1;
    assert!(refused(&parts, no).contains("of version"));
    let mut parts = two();
    parts[1].report.steps[0].service.hdr = None;
    assert!(refused(&parts, no).contains("1.json: a histogram cannot be added up"));
    let mut parts = two();
    parts[0].report.series[0].hdr = Some("HISTFAAA".into());
    assert!(refused(&parts, no).contains("0.json: the series cannot be added up"));
    let mut parts = two();
    parts[1].report.run.part = Some(PartRow::Shard(Shard { index: 9, of: 2 }));
    assert!(refused(&parts, no).contains("shard 9/2"));
}

#[test]
fn what_is_missing_and_allowed_is_told_and_nothing_vouched_for() {
    let allowed = Expected { missing_allowed: true, parts: None };
    let good = [(0, 1000, false); 20];
    let whole = merge(&[shard(2, 3, &good)], allowed).unwrap();
    assert_eq!((whole.exit(), whole.run.missing.len()), (3, 2));
    assert!(whole.because[0].contains("shard 0/3 is missing"), "{:?}", whole.because);
    let worker = |name: &str| Part {
        name: name.to_owned(),
        report: report(&good, Some(PartRow::Worker(name.to_owned()))),
    };
    let three = Expected { parts: Some(3), ..Expected::default() };
    assert!(refused(&[worker("a"), worker("b")], three).contains("of 3 workers 1 are missing"));
    assert_eq!(merge(&[worker("a"), worker("b")], Expected::default()).unwrap().exit(), 0);
}

#[test]
fn parts_that_did_not_begin_together_lie_where_they_were() {
    let mut parts = two();
    parts[1].report.run.began += 2_000;
    let whole = merge(&parts, Expected::default()).unwrap();
    let requests: Vec<(u64, u64)> = whole.series.iter().map(|p| (p.at_s, p.requests)).collect();
    assert_eq!(requests, [(0, 1), (1, 0), (2, 0), (3, 1), (4, 0), (5, 0)]);
    assert!(whole.limits[0].contains("2.000 s apart"), "{:?}", whole.limits);
    assert_eq!((whole.counted_ms, whole.total.rate), (6000.0, 0.3));
}

#[test]
fn points_of_different_lengths_become_long_ones() {
    let mut parts = two();
    let points = std::mem::take(&mut parts[1].report.series);
    parts[1].report.series = points
        .chunks(2)
        .map(|two| PointRow {
            seconds: 2,
            requests: two[0].requests + two[1].requests,
            p99: 9.0,
            hdr: None,
            ..two[0].clone()
        })
        .collect();
    let whole = merge(&parts, Expected::default()).unwrap();
    let told: Vec<_> = whole.series.iter().map(|p| (p.at_s, p.seconds, p.requests)).collect();
    assert_eq!(told, [(0, 2, 2), (2, 2, 0)]);
    // Without its latencies only the slowest can be told.
    assert_eq!(whole.series[0].p99, 9.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_whole_of_parts_is_what_one_would_have_told(
        seen in prop::collection::vec((0..SECONDS, 0u64..100_000, prop::bool::weighted(0.1), 0u64..4), 1..200),
    ) {
        let parts: Vec<Part> = (0..4)
            .map(|index| {
                let own: Vec<_> = seen.iter().filter(|s| s.3 == index).map(|s| (s.0, s.1, s.2)).collect();
                shard(index, 4, &own)
            })
            .collect();
        let mut merged = merge(&parts, Expected::default()).unwrap();
        let all: Vec<_> = seen.iter().map(|s| (s.0, s.1, s.2)).collect();
        merged.run.parts.clear();
        prop_assert_eq!(merged, report(&all, None));
    }
}
