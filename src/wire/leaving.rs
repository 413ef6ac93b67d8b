//! How our own client logs out: it revokes what it was given, and forgets it.

use http::Method;
use std::time::Duration;

use super::Transport;
use super::patience::pause;
use super::renewal::Grant;
use crate::client::renewal::Granted;
use crate::client::wrong::logging_out::{
    FORGETS_TO_REVOKE, GOES_ON, REVOKES_ACCESS_ALONE, REVOKES_BY_GET, REVOKES_ONCE,
};
use crate::client::{Action, Outgoing, Remember, Session, Template, TokenUse};
use crate::transcript::Answer;

/// How often a revocation is tried at most.
const MOST_TRIES: u32 = 3;
/// How long it waits where the server does not say.
const WAIT: Duration = Duration::from_secs(1);
/// The longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a worker that a wrong leaves behind needs for its next call.
const LATER: Duration = Duration::from_secs(5);

/// Revokes the refresh token of a session or, where it has none, the access token. True where the server says that it is
/// done.
pub(super) async fn log_out(transport: &Transport, grant: &Grant, tokens: &Granted) -> bool {
    let wrong = grant.manner.wrong;
    if wrong.has(&FORGETS_TO_REVOKE) {
        return true;
    }
    let session = Session {
        access_token: Some(tokens.access_token.clone()),
        refresh_token: tokens.refresh_token.clone(),
        ..Session::default()
    };
    let refresh = tokens.refresh_token.is_some() && !wrong.has(&REVOKES_ACCESS_ALONE);
    let name = if refresh { "refresh_token" } else { "access_token" };
    let method = wrong.has(&REVOKES_BY_GET).then(|| Method::GET.to_string());
    let which =
        TokenUse { token: Some(Template::new(&format!("${{{name}}}"))), hint: Some(name.to_owned()), method };
    let action = Action::Revoke(which);
    let mut done = false;
    for _ in 0..MOST_TRIES {
        // Each try is signed for itself, where it is signed.
        let Ok(outgoing) = grant.build(&action, &session) else { return false };
        let Answer::Response(response) = transport.send(&outgoing).await.0 else { break };
        done = response.status == 200;
        if response.status != 503 || wrong.has(&REVOKES_ONCE) {
            break;
        }
        grant.clock.wait(pause(&response, &grant.clock).unwrap_or(WAIT).min(LONGEST_WAIT)).await;
    }
    if wrong.has(&GOES_ON) {
        grant.clock.wait(LATER).await;
        call_once_more(transport, grant, tokens).await;
    }
    done
}

async fn call_once_more(transport: &Transport, grant: &Grant, tokens: &Granted) {
    let api = grant.endpoints.api.clone().unwrap_or_default();
    let request =
        http::Request::get(api).header("authorization", format!("Bearer {}", tokens.access_token.expose()));
    if let Ok(request) = request.body(bytes::Bytes::new()) {
        let _ = transport.send(&Outgoing { request, truncated: false, remember: Remember::default() }).await;
    }
}
