//! What a client program is played with: what it is told, how the org behaves towards it, and what must come of it. Pure.

use std::fmt::Write as _;

use super::happening::{Happening, Harm, Place};
use crate::subject::Flow;

/// How often, and how, a program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// Once.
    Once,
    /// One time after another, with what it kept.
    Times(u32),
    /// One time after another, with nothing kept.
    Anew(u32),
    /// So many at a time.
    Processes(u32),
    /// Killed at that moment, and started again.
    Killed {
        /// The moment, as suites have it.
        after: &'static str,
        /// The how manieth of these.
        nth: u32,
    },
}

/// When the access token dies, or that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// After so many calls.
    After(u32),
    /// After every so many.
    Every(u32),
    /// When so many are in flight, and some of them hear of it late.
    AtOnce {
        /// How many.
        calls: u32,
        /// How many of them late.
        late: u32,
    },
    /// Never; the first so many calls are in flight before any is answered.
    Never {
        /// How many.
        together: u32,
    },
}

/// Something that the org does, from the nth such request on, so many times or for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What.
    pub what: &'static Happening,
    /// From which request on.
    pub from: u32,
    /// How often; none means for good.
    pub times: Option<u32>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// How it gets tokens.
    pub flow: Flow,
    /// Role of the app.
    pub app: &'static str,
    /// Whether refresh tokens rotate, where that is said.
    pub rotation: bool,
    /// How many calls it makes.
    pub calls: u32,
    /// How many at a time.
    pub concurrency: u32,
    /// What a call does, where it is no plain one.
    pub does: Option<&'static str>,
    /// Whether a minute goes by before each call but the first.
    pub pauses: bool,
    /// Whether it logs out at the end.
    pub logs_out: bool,
    /// How it is started.
    pub starts: Starts,
    /// When the access token dies, or that it does not.
    pub expiry: Option<Expiry>,
    /// What the org does besides.
    pub turns: Vec<Turn>,
}

impl Case {
    /// How many calls must be answered, where nothing stands in the way of any: there a program has no reason to give up.
    pub fn answered(&self) -> Option<u32> {
        let harmless = self.turns.iter().all(|turn| turn.what.harm == Harm::None);
        let refused = self.turns.iter().filter(|turn| turn.what.place == Place::Api).count();
        // A call that is refused again right after its renewal is given up with good reason.
        let once = refused + usize::from(self.dies()) <= 1;
        let shared = matches!(self.expiry, Some(Expiry::Every(_))) && self.concurrency > 1;
        let starts = match self.starts {
            // A result is read page by page in more calls than were asked for.
            _ if self.does == Some("pages") => return None,
            Starts::Once => 1,
            Starts::Times(n) | Starts::Anew(n) => n,
            // Whoever shares a token with others may find it dead once more.
            Starts::Processes(n) if !matches!(self.expiry, Some(Expiry::Every(_))) => n,
            Starts::Processes(_) | Starts::Killed { .. } => return None,
        };
        (harmless && once && !shared).then_some(self.calls * starts)
    }

    /// Whether the access token dies.
    pub fn dies(&self) -> bool {
        !matches!(self.expiry, None | Some(Expiry::Never { .. }))
    }

    /// How many steps it has: what is done to the program, in whatever way.
    pub fn steps(&self) -> usize {
        1 + self.turns.len() + usize::from(self.expiry.is_some()) + usize::from(self.starts != Starts::Once)
    }

    /// In a few words.
    pub fn words(&self) -> String {
        let mut out = format!("{}", self.flow);
        if self.app != "main" {
            let _ = write!(out, " of the app {}", self.app);
        }
        match self.starts {
            Starts::Once => {}
            Starts::Times(n) => drop(write!(out, ", started {n} times")),
            Starts::Anew(n) => drop(write!(out, ", started {n} times with nothing kept")),
            Starts::Processes(n) => drop(write!(out, ", {n} processes")),
            Starts::Killed { after, nth } => drop(write!(out, ", killed at {after} {nth}")),
        }
        let plural = if self.calls == 1 { "" } else { "s" };
        let _ = write!(out, ", {} call{plural}", self.calls);
        if self.concurrency > 1 {
            let _ = write!(out, ", {} at a time", self.concurrency);
        }
        if let Some(does) = self.does {
            let _ = write!(out, " ({does})");
        }
        if self.pauses {
            out.push_str(", a minute between them");
        }
        match self.expiry {
            None => {}
            Some(Expiry::Never { together }) => drop(write!(out, ", the first {together} together")),
            Some(Expiry::After(n)) => drop(write!(out, ", token dead after {n}")),
            Some(Expiry::Every(n)) => drop(write!(out, ", token dead after every {n}")),
            Some(Expiry::AtOnce { calls, late: 0 }) => drop(write!(out, ", token dead for {calls} at once")),
            Some(Expiry::AtOnce { calls, late }) => {
                let _ = write!(out, ", token dead for {calls} at once, {late} of them late");
            }
        }
        for turn in &self.turns {
            let _ = write!(out, ", {}", turn.what.name);
            if turn.from > 1 {
                let _ = write!(out, " from the {}. on", turn.from);
            }
            match turn.times {
                None => out.push_str(" for good"),
                Some(0 | 1) => {}
                Some(times) => drop(write!(out, " {times} times")),
            }
        }
        if self.logs_out {
            out.push_str(", log-out");
        }
        out
    }
}
