//! The same scenarios on a timetable: many users at a time, each with connections of its own, every answer judged.
//!
//! [`pace`] says when, [`gauge`] what was measured, [`plan`] what is wanted; all three are pure. A run has one thread
//! for each processor, with a runtime, users and histograms of its own, which are added up at the end: nothing on the
//! way of a request is shared but a session that users share on purpose, and the signing.

pub mod compare;
mod console;
pub mod drive;
pub mod formats;
pub mod gauge;
pub mod guard;
pub mod merge;
pub mod pace;
pub mod plan;
mod play;
pub mod quick;
pub mod report;
mod scene;
mod session;
pub mod shard;
mod sign;
mod tally;
mod threshold;
pub mod worker;

pub use console::{console, progress_line};
pub use drive::{Progress, load};
pub use plan::{Model, Plan};
pub use report::LoadReport;

use std::sync::Arc;

use crate::client::{Missing, Outgoing};
use crate::wire::line::Addressed;

/// How much later than its time a play may begin before it counts as late, in microseconds.
pub const LATE: u64 = 2_000;

/// A request that is ready to go out, in both of its forms.
struct Sent {
    outgoing: Arc<Outgoing>,
    addressed: Addressed,
}

impl Sent {
    fn new(outgoing: Outgoing) -> Result<Self, Missing> {
        let addressed = Addressed::new(&outgoing.request);
        let addressed = addressed.ok_or_else(|| Missing::Unsendable("its URL has no host".into()))?;
        Ok(Self { outgoing: Arc::new(outgoing), addressed })
    }
}
