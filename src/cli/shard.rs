//! Which part of a load run is done here, and when it begins: by flags, or by the environment that an indexed job of
//! Kubernetes has.

use clap::Args;

use crate::diagnostic::Diagnostic;
use crate::load::shard::Shard;
use crate::wire::files;

/// The index of a pod in an indexed job, set by Kubernetes.
const INDEX: &str = "JOB_COMPLETION_INDEX";
/// How many parts a run has: `completions` of the job.
const COUNT: &str = "GRANTCHECK_SHARDS";
/// When the timetable begins.
const START: &str = "GRANTCHECK_START_AT";

const START_HELP: &str =
    "write it as RFC 3339, for example `2030-01-31T09:30:00Z`, or as seconds since the epoch";

#[derive(Args)]
pub(super) struct ShardArguments {
    /// Do one part of a run of several processes, which together keep the schedule of one: INDEX/COUNT, from `0/N` to
    /// `N-1/N`. In an indexed job of Kubernetes: JOB_COMPLETION_INDEX and GRANTCHECK_SHARDS
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// When the timetable begins (RFC 3339, or seconds since the epoch), the same for all parts; GRANTCHECK_START_AT
    /// where it is not given
    #[arg(long, value_name = "TIME")]
    start_at: Option<String>,
}

impl ShardArguments {
    /// The part, and the moment in milliseconds since the epoch.
    pub(super) fn read(&self, problems: &mut Vec<Diagnostic>) -> (Shard, Option<i64>) {
        self.read_with(&files::variable, problems)
    }

    fn read_with(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Diagnostic>,
    ) -> (Shard, Option<i64>) {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut bad = |message: String, help: &str| {
            problems.push(Diagnostic::bare("bad-flag", message).help(help));
        };
        let shard = match (&self.shard, set(INDEX), set(COUNT)) {
            (Some(text), ..) => Shard::read(text).or_else(|| {
                bad(format!("`--shard {text}` is no part of a run"), Shard::HELP);
                None
            }),
            (None, Some(index), Some(of)) => Shard::read(&format!("{index}/{of}")).or_else(|| {
                let message = format!("{INDEX}={index} and {COUNT}={of} are no part of a run");
                bad(message, "set the count to `completions` of the job");
                None
            }),
            (None, Some(index), None) => {
                let message = format!(
                    "this is number {index} of an indexed job ({INDEX}), and nothing says of how many"
                );
                let help = format!(
                    "set {COUNT} to `completions` of the job, or write `--shard 0/1` for a whole run in each"
                );
                bad(message, &help);
                None
            }
            (None, None, Some(of)) => {
                let message = format!("{COUNT}={of} is set, and nothing says which of them this is");
                bad(message, &format!("set {INDEX} too, or write `--shard I/{of}`"));
                None
            }
            (None, None, None) => None,
        };
        let (name, told) = match &self.start_at {
            Some(text) => ("--start-at ", Some(text.clone())),
            None => ("GRANTCHECK_START_AT=", set(START)),
        };
        let start = told.and_then(|text| {
            let read = moment(&text);
            if read.is_none() {
                bad(format!("`{name}{text}` is no moment"), START_HELP);
            }
            read
        });
        (shard.unwrap_or_default(), start)
    }
}

/// Milliseconds since the epoch of a text: RFC 3339, or seconds.
fn moment(text: &str) -> Option<i64> {
    /// The end of the year 9999, in seconds: what is later was meant as milliseconds.
    const LATEST: f64 = 253_402_300_800.0;
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (0.0..LATEST).contains(&seconds).then(|| (seconds * 1000.0).round() as i64);
    }
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shard: Option<&str>, start: Option<&str>, set: &[(&str, &str)]) -> (Shard, Option<i64>, String) {
        let arguments =
            ShardArguments { shard: shard.map(str::to_owned), start_at: start.map(str::to_owned) };
        let mut problems = Vec::new();
        let variable =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let (shard, start) = arguments.read_with(&variable, &mut problems);
        (shard, start, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn flags_go_before_the_environment() {
        let job = [(INDEX, "2"), (COUNT, "3"), (START, "2030-01-31T09:30:00.5Z")];
        assert_eq!(read(None, None, &[]), (Shard::WHOLE, None, String::new()));
        assert_eq!(
            read(None, None, &job),
            (Shard { index: 2, of: 3 }, Some(1_896_082_200_500), String::new())
        );
        let told = read(Some("0/1"), Some("1896082200"), &job);
        assert_eq!(told, (Shard::WHOLE, Some(1_896_082_200_000), String::new()));
    }

    #[test]
    fn half_of_it_is_told() {
        for (shard, start, set, told) in [
            (Some("3/3"), None, &[][..], "`--shard 3/3`"),
            (None, None, &[(INDEX, "1")][..], "of how many"),
            (None, None, &[(COUNT, "4")][..], "which of them"),
            (None, None, &[(INDEX, "4"), (COUNT, "4")][..], "no part of a run"),
            (None, Some("tomorrow"), &[][..], "`--start-at tomorrow`"),
            (None, Some("1896082200000"), &[][..], "seconds since"),
            (None, None, &[(START, "9:30")][..], "`GRANTCHECK_START_AT=9:30`"),
        ] {
            let (_, _, problems) = read(shard, start, set);
            assert!(problems.contains(told), "{told}: {problems}");
        }
        // A variable that is set to nothing is not set.
        assert_eq!(read(None, None, &[(INDEX, ""), (START, " ")]).2, "");
    }
}
