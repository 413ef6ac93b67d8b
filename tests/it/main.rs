//! One integration binary: one link, shared helpers.

// Tests read and write files of their own: the fence is for the library.
#![allow(clippy::disallowed_methods)]

mod apps;
mod architecture;
mod cli;
mod client;
mod clients;
mod compare;
mod docs;
mod duality;
mod errors;
mod explore;
mod faults;
mod fixture;
mod foreign;
mod format;
mod golden;
mod line;
mod lint;
mod load;
mod load_servers;
mod model;
mod peers;
mod program;
mod proxy;
mod readers;
mod reading;
mod recording;
mod renewal;
mod replay;
mod reports;
mod saml;
mod schema;
mod secrets;
mod signals;
mod stubs;
mod suggest;
mod support;
mod walk;
mod wire;
mod worker;
