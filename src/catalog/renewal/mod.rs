//! The renewal of an access token, as a client owes it: when to renew and when not, once for all callers, with the right
//! token, and what to do with each answer (RFC 6749 §6, RFC 6750 §3.1, RFC 9700 §4.14). The record is of a host that
//! played the org, so an exchange is told as the org saw it: what the client had in hand is concluded from what it
//! sent. Where a killed program, a second user or a caller that gave up would look the same, nothing fails.

pub(in crate::catalog) mod calls;
pub(in crate::catalog) mod grants;

use super::Cite::{Community, Rfc, Salesforce};
use super::evidence::is_sound;
use super::resource::{let_in, presented};
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Answer, Exchange, Failure, Transcript};
use crate::verdict::{Basis, Level};
use calls::{alike, gives_reason, is_bad_oauth_token, is_dead, is_incurable, mangled, same_call, same_key};
use grants::{
    Grant, Grants, IN_FLIGHT, PATIENCE, PROMPT, given, is_refresh, refresh_token, same_client, within,
};

/// The redemption of a code by `main`, which gives A1 and R1 for the scope `api`; or what else stands in the answer.
macro_rules! login {
    () => {
        login!("{\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"scope\":\"api\"}")
    };
    ($answer:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&code=C&client_id=main&client_secret=s\n! secret right\n< 200 ",
            $answer,
            "\n"
        )
    };
}

/// A refresh by `main` with this token (and more), and its answer: tokens, a status with a body, or an OAuth error.
macro_rules! refresh {
    ($token:literal => error $error:literal) => {
        refresh!($token => raw concat!("400 {\"error\":\"", $error, "\"}"))
    };
    ($token:literal => raw $answer:expr) => {
        concat!(
            "> POST token grant_type=refresh_token&client_id=main&client_secret=s&refresh_token=",
            $token, "\n! secret right\n< ", $answer, "\n"
        )
    };
    ($token:literal => $access:literal $($refresh:literal)?) => {
        refresh!($token => raw concat!("200 {\"access_token\":\"", $access, "\"", $(",\"refresh_token\":\"", $refresh, "\"",)? "}"))
    };
}

/// A call with this access token, of `/data` or another path (with parameters), and its answer.
macro_rules! call {
    ($access:literal => incurable) => {
        call!($access => "401 [{\"message\":\"This session is not valid for use with the REST API\",\"errorCode\":\"INVALID_SESSION_ID\"}]")
    };
    ($access:literal => $answer:literal) => {
        call!($access, "GET api /data" => $answer)
    };
    ($access:literal, $request:literal => $answer:literal) => {
        concat!("> ", $request, "\n> Authorization: Bearer ", $access, "\n< ", $answer, "\n")
    };
}

/// Two calls that are refused at the same time.
macro_rules! both_refused {
    ($access:literal) => {
        concat!(
            call!($access, "GET api /a" => "401"),
            "= hold\n",
            call!($access, "GET api /b" => "401"),
            "= release\n"
        )
    };
}

/// Client credentials of `main`, which give this access token.
macro_rules! grant {
    ($access:literal) => {
        concat!(
            "> POST token grant_type=client_credentials&client_id=main&client_secret=s\n! secret right\n< 200 {\"access_token\":\"",
            $access, "\"}\n"
        )
    };
}

/// Two refreshes at the same time, of which one wins A2 and the other is told so.
macro_rules! collision {
    () => {
        concat!(
            refresh!("R1" => "A2"),
            "= hold\n",
            refresh!("R1" => raw
                "400 {\"error\":\"invalid_grant\",\"error_description\":\"token request is already being processed\"}"),
            "= release\n"
        )
    };
}

/// A refresh with R1 that is refused because the grant was not used for too long.
macro_rules! idle {
    () => {
        refresh!("R1" => raw "400 {\"error\":\"invalid_grant\",\"error_description\":\"token validity expired\"}")
    };
}

/// A call of the SOAP API with this session id, and its answer.
macro_rules! soap {
    ($session:literal => dead) => {
        soap!($session => "500 <soapenv:Fault><faultcode>sf:INVALID_SESSION_ID</faultcode></soapenv:Fault>")
    };
    ($session:literal => $answer:literal) => {
        concat!(
            "> POST api /services/Soap/u/62.0 <sessionId>", $session, "</sessionId><query/>\n< ", $answer, "\n"
        )
    };
}

/// A login at one instance, and a refresh that names another.
macro_rules! moved {
    () => {
        concat!(
            login!("{\"access_token\":\"A1\",\"refresh_token\":\"R1\",\"instance_url\":\"https://na1.example\"}"),
            call!("A1" => "401"),
            "! host https://na1.example\n",
            refresh!("R1" => raw "200 {\"access_token\":\"A2\",\"instance_url\":\"https://na2.example\"}")
        )
    };
}

/// A query whose second page is refused, and a renewal.
macro_rules! paged {
    () => {
        concat!(
            login!(),
            call!("A1", "GET api /query q=all" => "200 {\"done\":false,\"nextRecordsUrl\":\"/query/01g-2\"}"),
            call!("A1", "GET api /query/01g-2" => "401"),
            refresh!("R1" => "A2")
        )
    };
}

/// A login with an ID token, and a refresh whose ID token has this issuer and this subject.
macro_rules! spoken {
    ($issuer:literal, $subject:literal) => {
        concat!(
            "> GET keys\n< 200 {\"keys\":[]}\n",
            login!(),
            "! id_token {\"claims\":{\"iss\":\"https://org.example\",\"sub\":\"u\"}}\n",
            refresh!("R1" => "A2"),
            "! id_token {\"claims\":{\"iss\":\"", $issuer, "\",\"sub\":\"", $subject, "\"}}\n"
        )
    };
}

pub(super) mod ahead;
pub(super) mod failure;
pub(super) mod history;
pub(super) mod hosts;
pub(super) mod identity;
pub(super) mod loops;
pub(super) mod over;
pub(super) mod passing;
pub(super) mod processes;
pub(super) mod reasons;
pub(super) mod repeat;
pub(super) mod request;
pub(super) mod resume;
pub(super) mod rotation;
pub(super) mod sharing;
pub(super) mod soap;
pub(super) mod waiting;
pub(super) mod without;

/// The page of Salesforce that tells of the refresh.
const RENEWAL: super::Cite = Salesforce("OAuth 2.0 Refresh Token Flow for Renewed Sessions");

/// The OAuth error of an answer.
fn error(x: &Exchange) -> String {
    x.error().map(|error| error.error).unwrap_or_default()
}

/// Whether a refused refresh says that another with the same token was under way.
fn collided(x: &Exchange) -> bool {
    let description = x.error().and_then(|error| error.description).unwrap_or_default();
    description.contains("already being processed")
}

/// The same call once more in a start that follows one that was killed: what that one had sent may only be read when the next
/// has begun.
fn twin_of_a_killed_start<'t>(t: &'t Transcript, grant: &Grant<'t>, call: &Exchange) -> Option<&'t Exchange> {
    let twin = |c: &&&Exchange| c.number != call.number && is_dead(c) && same_call(c, call);
    let twin = grant.calls.iter().copied().find(|c| twin(&c))?;
    t.before(call).any(|y| !y.same_start(call) && t.was_killed(y)).then_some(twin)
}

/// A call that was refused, is renewed, and was not repeated: fails only where neither the end of the program nor a
/// caller that gave up explains it.
fn not_repeated(t: &Transcript, j: &mut Judgement, grants: &Grants<'_>, grant: &Grant<'_>, call: &Exchange) {
    let expected = "the call that was refused, once more, with the access token of the renewal";
    let token = presented(call);
    let newer = |y: &&Exchange| is_sound(y) && grant.is_newer(token, y.text("access_token"));
    let Some(renewal) = grant.answers().find(newer) else {
        return;
    };
    let like =
        |r: &&&Exchange| r.number > call.number && grant.is_newer(token, presented(r)) && alike(call, r);
    let failed = |y: &&Exchange| !is_sound(y) && y.over_at > call.over_at && y.number < renewal.number;
    // The token of the first may be of before the record, so that no grant is known to have it.
    let is_repetition = |e: &&Exchange| {
        let renewed = grant.answers().any(|y| y.text("access_token") == token && y.began_after(e));
        e.status() == 401 && same_call(e, call) && presented(e) != token && renewed
    };
    if let Some(first) = super::resource::calls(t).take_while(|e| e.number < call.number).find(is_repetition)
    {
        j.unproved(&[first, call], expected, "it repeats one that was refused, and may be given up");
    } else if !renewal.same_start(call) {
        j.unproved(&[call, renewal], expected, "the program ended and was started again in between");
    } else if t.was_killed(call) {
        j.unproved(&[call, renewal], expected, "the program was killed, perhaps before it came to that");
    } else if let Some(failed) = t.at(Endpoint::Token).filter(|y| same_client(y, renewal)).find(failed) {
        j.unproved(
            &[call, failed],
            expected,
            "a token request failed in between, and the caller may have been told",
        );
    } else if !within(renewal, call, PATIENCE) || renewal.took / 1000 > PATIENCE.unsigned_abs() {
        j.unproved(&[call, renewal], expected, "the renewal took so long that the caller may have given up");
    } else if let Some(like) = grant.calls.iter().find(like) {
        j.unproved(&[call, renewal, like], expected, "a call with other content, which may be another one");
    } else if let Some(twin) = twin_of_a_killed_start(t, grant, call) {
        j.unproved(&[twin, call], expected, "one of the two may have been sent by the start that was killed");
    } else if grants.went_on(call) {
        j.fail(&[call, renewal], expected, "the client went on without it");
    } else {
        j.unproved(&[call, renewal], expected, "the record ends before the client was seen to go on");
    }
}
