//! Salesforce as the client: what a Named Credential with its External Credential owes the server that it calls, and what
//! that server owes it. The client's side is judged where the record is said to be of a Named Credential, or where its
//! requests say so themselves; the server's side where they do.

/// A call with this access token, of `/data` or another path, and its answer.
macro_rules! call {
    ($access:literal => $answer:literal) => {
        call!($access, "/data" => $answer)
    };
    ($access:literal, $path:literal => $answer:literal) => {
        concat!(
            "> GET api ", $path, "\n> Authorization: Bearer ", $access,
            "\n> User-Agent: SFDC-Callout/66.0\n< ", $answer, "\n"
        )
    };
}

/// A token request of a Named Credential, with its answer.
macro_rules! ask {
    ($form:literal => $answer:literal) => {
        concat!("> POST token ", $form, "\n> User-Agent: SFDC-Callout/66.0\n< ", $answer, "\n")
    };
}

/// A JWT bearer grant with an assertion of that name, which says this, and its answer.
macro_rules! jwt {
    ($name:literal, $claims:literal => $answer:literal) => {
        jwt!($name, $claims, "RS256" => $answer)
    };
    ($name:literal, $claims:literal, $alg:literal => $answer:literal) => {
        concat!(
            "> POST token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=", $name,
            "\n> User-Agent: SFDC-Callout/66.0\n! assertion {\"kind\":\"jwt\",\"alg\":\"", $alg, "\",\"claims\":{",
            $claims, "}}\n< ", $answer, "\n"
        )
    };
}

/// A refresh with this token, and its answer.
macro_rules! refresh {
    ($token:literal => $answer:literal) => {
        concat!(
            "> POST token grant_type=refresh_token&client_id=main&client_secret=s&refresh_token=",
            $token,
            "\n> User-Agent: SFDC-Callout/66.0\n< ",
            $answer,
            "\n"
        )
    };
}

pub(super) mod call_outs;
pub(super) mod servers;
pub(super) mod tokens;

use super::Cite::{self, Community, Rfc, Salesforce};
use super::resource::presented;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::subject::Protocol;
use crate::subject::named_credential::USER_AGENT;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// What 401 does, and other statuses where they are listed.
const TROUBLE: Cite = Salesforce("Troubleshooting for Named Credentials");
/// The same, as the knowledge base has it (000381864).
const NO_REFRESH: Cite = Salesforce("Oauth token does not auto refresh when named credential is used");
/// What the browser flow brings.
const BROWSER: Cite = Salesforce("Create or Edit an OAuth External Credential with the Browser Flow");
/// What is asked of who uses a Named Credential.
const PRINCIPALS: Cite = Salesforce("Enable External Credential Principals");
/// What a person asked about tokens of Named Credentials.
const STORED: Cite = Community("salesforce.stackexchange.com question 313757");

/// Whether a request says that a Named Credential sent it.
fn says_so(x: &Exchange) -> bool {
    x.request.header("user-agent").is_some_and(|agent| agent.starts_with(USER_AGENT))
}

/// Whether a Named Credential under test sent it.
fn is_its(t: &Transcript, x: &Exchange) -> bool {
    t.subject.named_credential.is_some() || says_so(x)
}

/// How the Named Credential under test gets its tokens, where that is known.
fn protocol(t: &Transcript) -> Option<Protocol> {
    t.subject.named_credential.as_ref().map(|credential| credential.protocol)
}

/// Whether an answer of that status makes it get a new token.
fn renews_on(t: &Transcript, status: u16) -> bool {
    t.subject.named_credential.as_ref().map_or(status == 401, |credential| credential.renews_on(status))
}

/// Its call-outs.
fn call_outs(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Resource).filter(|x| is_its(t, x))
}

/// Its token requests.
fn asked(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Token).filter(|x| is_its(t, x))
}
