//! One integration binary: one link, shared helpers.

mod architecture;
mod cli;
mod docs;
mod duality;
mod faults;
mod peers;
mod recording;
mod reports;
mod secrets;
mod support;
mod wire;
