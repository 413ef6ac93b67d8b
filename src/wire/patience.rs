//! How long our own client waits: for an answer, before it tries again, and until a lifetime is nearly over.

use rand::{Rng as _, SeedableRng as _};
use std::time::Duration;

use super::Clock;
use crate::client::renewal::Granted;
use crate::client::wrong::Wrongs;
use crate::client::wrong::renewal::EXPIRES_AT_ONCE;
use crate::client::wrong::robustness::{TRUSTS_DATE, WAITS_FOR_EVER};
use crate::transcript::questions::moment;
use crate::transcript::{Answer, Failure, Response};

/// How long it waits for the answer to a request for tokens.
const WITHIN: Duration = Duration::from_secs(10);
/// Which part of a lifetime goes by before it is renewed ahead of time: not the same for each client, so that not all
/// come at once.
const PART: std::ops::Range<f64> = 0.8..0.9;

/// What comes of a request for tokens, if it comes in time.
pub(super) async fn in_time(clock: &Clock, wrong: Wrongs, asking: impl Future<Output = Answer>) -> Answer {
    if wrong.has(&WAITS_FOR_EVER) {
        return asking.await;
    }
    // From before it is asked.
    let over = clock.until_gone_by(WITHIN);
    tokio::select! {
        biased;
        answer = asking => answer,
        () = over => {
            Answer::Nothing(Failure::TimedOut(u64::try_from(WITHIN.as_millis()).unwrap_or(u64::MAX)))
        }
    }
}

/// For how long a server wants to be left alone (RFC 9110 §10.2.3): in so many seconds, or until a date by its own clock,
/// which it tells as well.
pub(super) fn pause(response: &Response, clock: &Clock) -> Option<Duration> {
    let named = response.header("retry-after")?.trim();
    if let Ok(seconds) = named.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = response.header("date").and_then(moment).unwrap_or_else(|| clock.now());
    u64::try_from(moment(named)? - now).ok().map(Duration::from_millis)
}

/// When an access token is to be renewed although it still lives; none where nothing is told of its lifetime.
pub(super) fn due(granted: &Granted, clock: &Clock, wrong: Wrongs) -> Option<i64> {
    let lifetime = granted.lifetime?;
    if wrong.has(&EXPIRES_AT_ONCE) {
        return Some(clock.now());
    }
    let begin = granted.dated.filter(|_| wrong.has(&TRUSTS_DATE)).unwrap_or_else(|| clock.now());
    let part = rand::rngs::StdRng::from_seed(super::dice::seed()).random_range(PART);
    Some(begin.saturating_add(i64::try_from(lifetime.mul_f64(part).as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused(fields: &[(&str, &str)]) -> Option<Duration> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        pause(&Response::new(503, fields, String::new()), &Clock::own(0))
    }

    #[test]
    fn a_pause_is_a_number_or_a_date_by_the_clock_of_the_server() {
        let date = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(paused(&[("retry-after", " 7 ")]), Some(Duration::from_secs(7)));
        let until = ("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT");
        assert_eq!(paused(&[date, until]), Some(Duration::from_secs(30)));
        assert_eq!(paused(&[until, ("date", "Tue, 14 Nov 2023 22:14:20 GMT")]), None);
        assert_eq!(paused(&[("retry-after", "soon")]), None);
        assert_eq!(paused(&[date]), None);
    }

    #[test]
    fn a_lifetime_is_renewed_in_its_last_part() {
        let clock = Clock::own(1_000_000);
        let granted = Granted { lifetime: Some(Duration::from_secs(300)), ..Granted::default() };
        let due = due(&granted, &clock, Wrongs::default()).unwrap();
        assert!((1_240_000..1_271_000).contains(&due), "{due}");
        assert_eq!(super::due(&Granted::default(), &clock, Wrongs::default()), None);
    }
}
