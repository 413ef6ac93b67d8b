//! grantcheck finds out whether OAuth 2.0 works the way everyone assumes it does, around Salesforce.

pub mod catalog;
pub mod cli;
pub mod client;
pub mod diagnostic;
pub mod oauth;
pub mod org;
pub mod report;
pub mod run;
pub mod subject;
pub mod suite;
pub mod transcript;
pub mod verdict;
pub mod wire;
