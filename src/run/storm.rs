//! What a storm came to: calls whose access token died under all of them at once.

use crate::oauth::Endpoint;
use crate::report::StormRow;
use crate::subject::{Body, Does, Expire};
use crate::suite::client::Play;
use crate::transcript::Exchange;

/// The three numbers of a storm; none where the scenario is none.
pub(super) fn storm(play: &Play, exchanges: &[Exchange]) -> Option<StormRow> {
    let Some(Expire::AtOnce { calls, .. }) = play.org.expire else { return None };
    let called = |x: &&Exchange| x.endpoint == play.org.counted;
    let first = exchanges.iter().filter(called).map(|x| x.number).min().unwrap_or(usize::MAX);
    let asked = |x: &&Exchange| {
        let login = x.grant_type() == Some("authorization_code");
        x.endpoint == Endpoint::Token && x.number > first && !login
    };
    // What the suite wrote out is nobody's doing.
    let written = play.org.answers.iter().any(|instead| match &instead.does {
        Does::Answer(canned) => match &canned.body {
            Body::Json(value) => value.get("error").is_some_and(|error| error == "invalid_grant"),
            Body::Text(text) => text.contains("invalid_grant"),
            Body::Empty => false,
        },
        _ => false,
    });
    let refused = |x: &&Exchange| !written && x.error().is_some_and(|error| error.error == "invalid_grant");
    let answered = exchanges.iter().filter(called).filter(|x| (200..300).contains(&x.status())).count();
    Some(StormRow {
        callers: calls,
        renewals: exchanges.iter().filter(asked).count(),
        invalid_grants: exchanges.iter().filter(asked).filter(refused).count(),
        failed_calls: usize::try_from(play.told.all_calls()).unwrap_or(usize::MAX).saturating_sub(answered),
    })
}
