//! How our own client asks for tokens in ways that no client should.

use http::{HeaderValue, header};

use super::Transport;
use super::renewal::Grant;
use crate::client::Outgoing;
use crate::client::wrong::authentication::{FALLS_BACK, RETRIES_REFUSED_GRANTS};
use crate::client::wrong::tokens::{FOLLOWS_TOKEN_REDIRECT, REDEEMS_LOST_CODE, REDEEMS_TWICE};
use crate::oauth::params::form_encode;
use crate::oauth::{Params, base64};
use crate::transcript::{Answer, Response};

/// How often a request that was refused is sent again.
const TIMES: usize = 4;

/// Sends a request for first tokens, and once more where a wrong has it.
pub(super) async fn ask(transport: &Transport, grant: &Grant, outgoing: &Outgoing) -> Answer {
    let wrong = grant.manner.wrong;
    let mut answer = transport.send(outgoing).await.0;
    let refused = |answer: &Answer| match answer {
        Answer::Response(response) => matches!(response.status, 400 | 401),
        Answer::Nothing(_) => false,
    };
    if wrong.has(&FALLS_BACK)
        && said(&answer).is_some_and(|response| response.body.contains("invalid_client"))
    {
        answer = transport.send(&by_basic(outgoing)).await.0;
    }
    let lost = said(&answer).is_none() && wrong.has(&REDEEMS_LOST_CODE);
    let again = said(&answer).is_some_and(|response| response.status == 200) && wrong.has(&REDEEMS_TWICE);
    if (lost || again) && redeems(outgoing) {
        let second = transport.send(outgoing).await.0;
        answer = if lost { second } else { answer };
    }
    let to = said(&answer).filter(|_| wrong.has(&FOLLOWS_TOKEN_REDIRECT)).and_then(|response| {
        response.redirect()?;
        response.header("location")?.parse().ok()
    });
    if let Some(to) = to {
        let mut outgoing = outgoing.clone();
        *outgoing.request.uri_mut() = to;
        answer = transport.send(&outgoing).await.0;
    }
    for _ in 0..TIMES {
        if !wrong.has(&RETRIES_REFUSED_GRANTS) || !refused(&answer) {
            break;
        }
        answer = transport.send(outgoing).await.0;
    }
    answer
}

fn redeems(outgoing: &Outgoing) -> bool {
    String::from_utf8_lossy(outgoing.request.body()).contains("grant_type=authorization_code")
}

fn said(answer: &Answer) -> Option<&Response> {
    match answer {
        Answer::Response(response) => Some(response),
        Answer::Nothing(_) => None,
    }
}

/// The same request with the client secret in HTTP Basic.
fn by_basic(outgoing: &Outgoing) -> Outgoing {
    let mut outgoing = outgoing.clone();
    let request = &mut outgoing.request;
    let mut form = Params::read_lossy(&String::from_utf8_lossy(request.body()));
    let half = |name: &str| form_encode(form.get(name).unwrap_or(""));
    let pair = format!("Basic {}", base64(format!("{}:{}", half("client_id"), half("client_secret"))));
    form.remove("client_id");
    form.remove("client_secret");
    if let Ok(value) = HeaderValue::try_from(pair) {
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    *request.body_mut() = form.write().into();
    outgoing
}
