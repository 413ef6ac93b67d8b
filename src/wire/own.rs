//! Our own client, as a program under test would be: it is told the same things, does the same work, and ends in the
//! same ways.

use bytes::Bytes;
use http::Request;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::renewal::{Grant, Renewing};
use super::{Clock, Error, Transport};
use crate::client::Action;
use crate::client::wrong::Wrongs;
use crate::oauth::Secret;
use crate::subject::{Endpoints, Flow, Target};

/// How long it waits for an answer.
const WITHIN: Duration = Duration::from_secs(10);

/// What it is told.
pub struct Job {
    /// The org's apps and users; of them it looks at its own alone.
    pub target: Arc<Target>,
    /// Where the org answers.
    pub endpoints: Endpoints,
    /// Base URL of the org.
    pub org: String,
    /// Role of its app.
    pub app: String,
    /// Role of its user.
    pub user: String,
    /// How it gets tokens.
    pub flow: Flow,
    /// The tokens of an earlier login, for flow `refresh-token`.
    pub login: Option<(Secret, Option<Secret>)>,
    /// How many calls it makes.
    pub calls: u32,
    /// How many of them at a time.
    pub concurrency: u32,
    /// What it does wrong on purpose.
    pub wrong: Wrongs,
}

/// The flows that it can do by itself.
pub const FLOWS: [Flow; 4] = [Flow::RefreshToken, Flow::JwtBearer, Flow::SamlBearer, Flow::ClientCredentials];

/// Does the work. True where every call was answered with success.
///
/// # Errors
/// The way to the org cannot be made.
pub async fn work(job: Job) -> Result<bool, Error> {
    let transport = Transport::http(job.target.ca.as_deref(), WITHIN, &job.org)?;
    let flow = match job.flow {
        Flow::SamlBearer => Action::SamlBearer,
        Flow::ClientCredentials => Action::ClientCredentials,
        _ => Action::JwtBearer,
    };
    let api = job.endpoints.api.clone().unwrap_or_default();
    let grant = Grant {
        target: job.target,
        endpoints: job.endpoints,
        org: job.org,
        app: job.app,
        user: job.user,
        flow,
        clock: Clock::real(),
    };
    let (access_token, refresh_token) = job.login.unzip();
    let session = Renewing::committing(transport, grant, access_token, refresh_token.flatten(), job.wrong);
    let room = Arc::new(Semaphore::new(usize::try_from(job.concurrency.max(1)).unwrap_or(1)));
    let mut calls = JoinSet::new();
    for number in 0..job.calls {
        // Each call is one of its own, so that its repetition can be told from another.
        let Ok(request) = Request::get(format!("{api}?call={number}")).body(Bytes::new()) else { continue };
        let (session, room) = (session.clone(), room.clone());
        calls.spawn(async move {
            let _permit = room.acquire_owned().await;
            session.call(&request).await.is_ok_and(|response| (200..300).contains(&response.status))
        });
    }
    Ok(calls.join_all().await.into_iter().all(|answered| answered))
}
