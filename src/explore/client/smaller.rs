//! Plays that are smaller than one: less that the org does, fewer starts, fewer calls, and the least besides. Pure.

use super::case::{Case, Expiry, Starts, Turn};
use super::happening::Place;

/// Everything that is smaller by one thing, boldest first.
pub fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut less = case.clone();
        change(&mut less);
        fit(&mut less);
        if weight(&less) < weight(case) && !all.contains(&less) {
            all.push(less);
        }
    };
    if case.turns.len() > 1 {
        with(&|less| less.turns.clear());
    }
    for at in 0..case.turns.len() {
        with(&|less| {
            less.turns.remove(at);
        });
    }
    with(&|less| less.expiry = None);
    with(&|less| less.starts = Starts::Once);
    for n in [1, 2, 3, 4, case.calls / 2, case.calls - 1] {
        with(&|less| {
            less.calls = n.max(1);
            less.concurrency = less.concurrency.min(n.max(1));
        });
    }
    for n in [1, 2, case.concurrency / 2] {
        with(&|less| less.concurrency = n.max(1));
    }
    match case.starts {
        Starts::Times(n) if n > 2 => with(&|less| less.starts = Starts::Times(2)),
        Starts::Anew(n) if n > 2 => with(&|less| less.starts = Starts::Anew(2)),
        Starts::Processes(n) if n > 2 => with(&|less| less.starts = Starts::Processes(2)),
        Starts::Killed { after, nth } if nth > 1 => {
            with(&|less| less.starts = Starts::Killed { after, nth: nth - 1 });
        }
        _ => {}
    }
    match case.expiry {
        Some(Expiry::AtOnce { calls, late }) => {
            with(&|less| less.expiry = Some(Expiry::AtOnce { calls, late: 0 }));
            with(&|less| less.expiry = Some(Expiry::AtOnce { calls, late: late.min(1) }));
            with(&|less| less.expiry = Some(Expiry::After(1)));
        }
        Some(Expiry::Every(_)) => with(&|less| less.expiry = Some(Expiry::After(1))),
        Some(Expiry::Never { together }) if together > 2 => {
            with(&|less| less.expiry = Some(Expiry::Never { together: 2 }));
        }
        Some(Expiry::After(n)) if n > 1 => with(&|less| less.expiry = Some(Expiry::After(1))),
        _ => {}
    }
    with(&|less| less.does = None);
    with(&|less| less.pauses = false);
    with(&|less| less.logs_out = false);
    with(&|less| less.rotation = false);
    with(&|less| less.app = "main");
    for at in 0..case.turns.len() {
        with(&|less| less.turns[at].from = 1);
        with(&|less| less.turns[at].times = Some(1));
        with(&|less| less.turns[at].times = less.turns[at].times.map(|times| times.min(2)));
    }
    all
}

/// What no longer goes together is made to: so many in flight as there are, and killed at a call that there is.
fn fit(case: &mut Case) {
    if let Starts::Killed { after, nth } = &mut case.starts
        && after.starts_with("api")
    {
        *nth = (*nth).min(case.calls);
    }
    let processes = if let Starts::Processes(n) = case.starts { n } else { 1 };
    let in_flight = case.concurrency * processes;
    if let Some(Expiry::AtOnce { calls, late }) = case.expiry {
        let calls = calls.min(in_flight);
        case.expiry = Some(match calls {
            0 | 1 => Expiry::After(1),
            calls => Expiry::AtOnce { calls, late: late.min(calls - 1) },
        });
    }
    if let Some(Expiry::Never { together }) = case.expiry {
        case.expiry = (in_flight > 1).then(|| Expiry::Never { together: together.min(in_flight) });
    }
    // Pages are of a result that is read page by page.
    if case.does != Some("pages") {
        case.turns.retain(|turn| turn.what.place != Place::Page);
    }
}

/// How much there is to a play, heaviest first.
fn weight(case: &Case) -> (usize, u32, u32) {
    let starts = match case.starts {
        Starts::Once => 0,
        Starts::Times(n) | Starts::Anew(n) | Starts::Processes(n) => n,
        Starts::Killed { nth, .. } => 2 + nth,
    };
    let expiry = match case.expiry {
        None => 0,
        Some(Expiry::After(n)) => n,
        Some(Expiry::Every(n)) => 5 + n,
        Some(Expiry::AtOnce { calls, late }) => 10 + calls + late,
        Some(Expiry::Never { together }) => together,
    };
    let turn = |turn: &Turn| turn.from + turn.times.unwrap_or(5);
    let flags = [case.does.is_some(), case.pauses, case.logs_out, case.rotation, case.app != "main"];
    let details = flags.into_iter().map(u32::from).sum::<u32>() + case.turns.iter().map(turn).sum::<u32>();
    (case.steps(), case.calls + case.concurrency + starts, expiry + details)
}
