//! One integration binary: one link, shared helpers.

mod architecture;
mod duality;
mod faults;
mod recording;
mod reports;
mod secrets;
mod support;
