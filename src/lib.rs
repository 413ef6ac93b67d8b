//! grantcheck finds out whether OAuth 2.0 works the way everyone assumes it does, around Salesforce.
//!
//! A module names only modules of a strictly lower level (`tests/it/architecture.rs`). From the bottom up:
//!
//! * 0 [`diagnostic`]: what is wrong in something that a person wrote, where it stands, and the cure.
//! * 1 [`oauth`]: the language that both parties speak: parameters, messages, grants, assertions, keys; every
//!   message knows how to be written and how to be read. [`verdict`]: what judging comes to, and its evidence.
//! * 2 [`subject`]: what is under test, as plain data: target, connected apps, users, settings; a client program.
//! * 3 [`transcript`]: the ordered record of exchanges, the questions one can ask of it, fingerprints instead of
//!   secrets. [`errors`]: errors as an org tells them: what they mean, likely causes, cures. [`metadata`]:
//!   files of apps and credentials, and the rules that judge them.
//! * 4 [`client`]: the app that plays: the next request, the answer absorbed, every tweak. [`org`]: the embedded
//!   authorization and resource server, with faults that it commits on purpose. [`catalog`]: the checks, each a
//!   row and a function over a transcript. [`report`]: what is told.
//! * 5 [`suite`]: suite, target and program files: a tree with spans, shapes that check it and print its schema, plain data.
//! * 6 [`wire`]: the only I/O: transports, the org on a socket, clocks, dice, files, a person's browser, client
//!   programs.
//! * 7 [`run`]: plan, play, judge, rows of the report.
//! * 8 [`score`]: faults against suites: the kill matrix. [`load`]: scenarios on a timetable, by many users at a time.
//!   [`explore`]: orders nobody wrote, proposed by a model, and what goes wrong made small.
//! * 9 [`cli`]: one file a command; exit codes.
//!
//! Nothing below `wire` can fail for an outside reason; `catalog` never sees a socket, a suite or a clock; `org` and
//! `client` never name each other; a definition never holds a result.

pub mod catalog;
pub mod cli;
pub mod client;
pub mod diagnostic;
pub mod errors;
pub mod explore;
pub mod load;
pub mod metadata;
pub mod oauth;
pub mod org;
pub mod report;
pub mod run;
pub mod score;
pub mod subject;
pub mod suite;
pub mod transcript;
pub mod verdict;
pub mod wire;
