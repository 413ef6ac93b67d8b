//! Views of a load report for other programs: Prometheus' text format, and the series as CSV.

use std::fmt::Write as _;

use super::report::{LoadReport, Percentiles, StepRow};

/// A family of percentiles: its name, its help, and where it stands in a row.
type Summary = (&'static str, &'static str, fn(&StepRow) -> &Percentiles);

/// The report in Prometheus' text exposition format 0.0.4, for a textfile collector. Times are in seconds, as is usual
/// there.
pub fn prometheus(report: &LoadReport) -> String {
    let mut out = String::new();
    let steps = || report.steps.iter();
    family(&mut out, "requests_total", "counter", "Requests that were counted.");
    for row in steps() {
        sample(&mut out, "requests_total", row, "", row.requests as f64);
    }
    family(
        &mut out,
        "errors_total",
        "counter",
        "Requests with an expectation that did not hold, or without an answer.",
    );
    for row in steps() {
        sample(&mut out, "errors_total", row, "", row.errors as f64);
    }
    family(&mut out, "answers_total", "counter", "Answers by status; 0 is none.");
    for row in steps() {
        for (status, count) in &row.statuses {
            sample(&mut out, "answers_total", row, &format!(",status=\"{status}\""), *count as f64);
        }
    }
    family(&mut out, "requests_per_second", "gauge", "Requests a second.");
    for row in steps() {
        sample(&mut out, "requests_per_second", row, "", row.rate);
    }
    let of: [Summary; 3] = [
        ("latency_seconds", "From the moment at which a request should have begun.", |row| &row.latency),
        ("service_seconds", "From the moment at which a request was sent.", |row| &row.service),
        ("first_byte_seconds", "From the moment at which a request was sent to the first byte.", |row| {
            &row.first_byte
        }),
    ];
    for (name, help, percentiles) in of {
        family(&mut out, name, "summary", help);
        for row in steps() {
            let told = percentiles(row);
            let quantiles = [
                (0.5, told.p50),
                (0.9, told.p90),
                (0.95, told.p95),
                (0.99, told.p99),
                (0.999, told.p999),
                (1.0, told.max),
            ];
            for (quantile, ms) in quantiles {
                sample(&mut out, name, row, &format!(",quantile=\"{quantile}\""), ms / 1000.0);
            }
            sample(&mut out, &format!("{name}_sum"), row, "", told.mean * told.count as f64 / 1000.0);
            sample(&mut out, &format!("{name}_count"), row, "", told.count as f64);
        }
    }
    let dropped = report.timetable.as_ref().map_or(0, |table| table.dropped);
    let renewals = report.sessions.as_ref().map_or(0, |sessions| sessions.renewals.count);
    let died = report.sessions.as_ref().map_or(0, |sessions| sessions.died);
    let alone = [
        ("plays_dropped_total", "Plays that were not begun because too many were in flight.", dropped),
        ("renewals_total", "Renewals of sessions.", renewals),
        ("grants_died_total", "Grants that died.", died),
        (
            "exit_code",
            "0 conforms, 1 something does not hold, 3 cannot vouch, 130 interrupted.",
            report.exit().into(),
        ),
    ];
    for (name, help, value) in alone {
        family(&mut out, name, if name.ends_with("_total") { "counter" } else { "gauge" }, help);
        let _ = writeln!(out, "grantcheck_load_{name} {value}");
    }
    out
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP grantcheck_load_{name} {help}\n# TYPE grantcheck_load_{name} {kind}");
}

fn sample(out: &mut String, name: &str, row: &StepRow, more: &str, value: f64) {
    let step = row.step.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let _ = writeln!(out, "grantcheck_load_{name}{{step=\"{step}\"{more}}} {value}");
}

/// The series over time, one line a point (RFC 4180).
pub fn csv(report: &LoadReport) -> String {
    let mut out = String::from(
        "at_s,seconds,requests,errors,plays,renewals,dropped,in_flight,p50_ms,p99_ms,max_ms\r\n",
    );
    for p in &report.series {
        let _ = write!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{}\r\n",
            p.at_s,
            p.seconds,
            p.requests,
            p.errors,
            p.plays,
            p.renewals,
            p.dropped,
            p.in_flight,
            p.p50,
            p.p99,
            p.max
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::PointRow;

    #[test]
    fn other_programs_read_it() {
        let mut report = LoadReport::default();
        let mut row =
            StepRow { step: "a › \"b\" 1 call".into(), requests: 3, rate: 1.5, ..StepRow::default() };
        row.statuses.insert(200, 3);
        row.latency =
            Percentiles { count: 3, mean: 2.0, p50: 2.0, p99: 4.0, max: 4.0, ..Percentiles::default() };
        report.steps.push(row);
        report.series.push(PointRow { at_s: 1, seconds: 1, requests: 3, p99: 4.0, ..PointRow::default() });
        let text = prometheus(&report);
        assert!(text.contains("grantcheck_load_requests_total{step=\"a › \\\"b\\\" 1 call\"} 3\n"), "{text}");
        assert!(
            text.contains("grantcheck_load_answers_total{step=\"a › \\\"b\\\" 1 call\",status=\"200\"} 3\n")
        );
        assert!(
            text.contains("quantile=\"0.99\"} 0.004\n")
                && text.contains("latency_seconds_sum{step=\"a › \\\"b\\\" 1 call\"} 0.006\n")
        );
        // Every sample stands under a family that was declared before it.
        let mut declared = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                declared.push(rest.split(' ').next().unwrap_or("").to_owned());
            } else if !line.starts_with('#') {
                assert!(declared.iter().any(|name| line.starts_with(name.as_str())), "{line}");
            }
        }
        assert_eq!(csv(&report).lines().nth(1), Some("1,1,3,0,0,0,0,0,0,4,0"));
    }
}
