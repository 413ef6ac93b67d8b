//! Tolerance of faults, as a client owes it: servers that fail, are silent, break off or answer nonsense cost a bounded number
//! of requests, and none of them costs a login (RFC 9110; RFC 6749 §5). The record is of a host that played the org.

use super::Cite::Rfc;
use super::evidence::is_listed;
use super::renewal::calls::{gives_reason, same_call};
use super::renewal::grants::{Grants, PROMPT, is_refresh};
use super::resource::{ended, is_soap, let_in, presented};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Answer, Exchange, Failure, Transcript};
use crate::verdict::{Basis, Level};

/// Client credentials of `main`, and their answer.
macro_rules! asks {
    ($answer:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n! secret right\n< ",
            $answer,
            "\n"
        )
    };
}

/// A refresh whose answer tells a lifetime and a Date that is years ago.
macro_rules! dated {
    ($token:literal => $access:literal) => {
        concat!(
            refresh!($token => raw concat!("200 {\"access_token\":\"", $access, "\",\"expires_in\":3600}")),
            "< Date: Thu, 01 Jan 2015 00:00:00 GMT\n"
        )
    };
}

pub(super) mod answers;
pub(super) mod calls;
pub(super) mod tries;

/// What a token request asks for: who, by what kind of grant, and with which code or refresh token.
fn ask(x: &Exchange) -> (Option<&str>, Option<&str>, Option<&str>) {
    (x.client_id(), x.grant_type(), x.param("refresh_token").or_else(|| x.param("code")))
}

/// The tries of each thing that was asked for, in rows: each begun within a minute after the last came to that, with nothing
/// else in between that the client was told.
fn rows(t: &Transcript, came_to: impl Fn(&Exchange) -> bool) -> Vec<Vec<&Exchange>> {
    const IN_A_ROW: i64 = 60_000;
    let mut rows: Vec<Vec<&Exchange>> = Vec::new();
    for x in t.at(Endpoint::Token).filter(|x| came_to(x)) {
        let told = |last: &Exchange| {
            let between = |y: &&Exchange| y.number > last.number && y.number < x.number;
            t.exchanges.iter().filter(between).any(|y| y.endpoint != Endpoint::Token || ask(y) == ask(x))
        };
        let goes_on = |row: &&mut Vec<&Exchange>| {
            row.last().is_some_and(|last| {
                ask(last) == ask(x) && x.began_after(last) && x.at - ended(last) < IN_A_ROW && !told(last)
            })
        };
        match rows.iter_mut().find(goes_on) {
            Some(row) => row.push(x),
            None => rows.push(vec![x]),
        }
    }
    rows
}

/// How often one thing may be tried in a row.
const TRIES: usize = 10;

/// How many tries within so many milliseconds leave no time between them.
const HURRIED: [(usize, i64); 2] = [(5, 1000), (4, 200)];

/// Whether so many callers may have tried all of that, one after the other and none of them too often: where a pause is much
/// shorter than the one before it, another one may begin. Pauses that dice drew look like that now and then, so it is the latest
/// of such places that counts, as long as there is somebody to begin.
fn are_of(callers: usize, row: &[&Exchange]) -> bool {
    // Each of them for itself, and once more.
    if row.len() <= 2 * callers {
        return true;
    }
    // Pauses that the server names are all alike, and tell nothing of who keeps them; nor does one after an answer that was
    // waited for in vain, which begins when the client has had enough of it.
    let says_nothing = |pair: &[&Exchange]| {
        let in_vain = pair[0].response().is_none() && ended(pair[0]) - pair[0].at >= tries::SLACK;
        in_vain || tries::again_at(pair[0]).is_some_and(|at| pair[1].at + tries::SLACK >= at)
    };
    if row.len() <= TRIES * callers && row.windows(2).all(says_nothing) {
        return true;
    }
    let pause = |i: usize| row[i].at - ended(row[i - 1]);
    let begins = |i: &usize| *i > 1 && pause(*i) * 2 < pause(*i - 1);
    let mut first = 0;
    for _ in 1..callers {
        if row.len() - first <= TRIES {
            break;
        }
        match (first + 1..=first + TRIES).rev().find(begins) {
            Some(next) => first = next,
            None => return false,
        }
    }
    row.len() - first <= TRIES
}

/// Judges tries by how many there are and how much time there is between them.
fn patient(t: &Transcript, came_to: impl Fn(&Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    let calls = usize::try_from(t.calls()).unwrap_or(1).max(1);
    for row in rows(t, came_to) {
        // Each call may have asked for itself, and once more.
        let within = |(many, millis): &(usize, i64)| {
            let many = (*many).max(2 * calls + 1);
            row.windows(many).find(|few| few[many - 1].at - few[0].at < *millis).map(|few| (few, *millis))
        };
        if !are_of(calls, &row) {
            j.fail(&row, format!("at most {TRIES} tries"), format!("{} in a row", row.len()));
        } else if let Some((few, millis)) = HURRIED.iter().find_map(within) {
            let observed = format!("{} within {millis} ms", few.len());
            j.fail(few, "more and more time between two tries", observed);
        } else {
            j.pass();
        }
    }
    j
}
