//! A person in a browser: one page on the loopback interface leads to every authorization of a run in turn and hears
//! the callbacks (RFC 8252 §7.3), so that the person is asked once and the browser's own cookies do the rest.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

use super::Error;
use crate::oauth::comes_back;

/// How long a person may take over logging in and approving.
pub const WITHIN: Duration = Duration::from_secs(300);
/// The page that leads to the next authorization.
const NEXT: &str = "/grantcheck";
/// Where its link goes.
const GO: &str = "/grantcheck/go";
/// How long a browser that waits for the next authorization is kept before it asks again.
const HELD: Duration = Duration::from_secs(20);
/// How long the last page of a run is offered.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a browser may take over the header of a request.
const HEADER_WITHIN: Duration = Duration::from_secs(10);
/// The most connections at a time.
const MOST_CONNECTIONS: usize = 64;

/// The person of a run, at a browser.
pub struct Person {
    desk: Arc<Desk>,
    /// One authorization at a time: there is one person.
    turn: tokio::sync::Mutex<Turn>,
}

/// What is known of the person between two authorizations.
#[derive(Default)]
struct Turn {
    listeners: HashMap<u16, JoinHandle<()>>,
    /// Who is logged in, as far as is known.
    user: Option<String>,
    /// Whether anybody ever came back.
    came: bool,
    /// How many authorizations one after the other nobody came back from.
    missed: u32,
}

/// What the pages are made from.
struct Desk {
    stage: watch::Sender<Stage>,
    waiting: Mutex<Option<oneshot::Sender<String>>>,
}

/// What the browser should do now.
#[derive(Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing is to be authorized yet.
    Wait,
    /// This is.
    Go(Visit),
    /// Nothing more will be.
    Done,
}

/// One authorization.
#[derive(Clone, PartialEq, Eq)]
struct Visit {
    url: String,
    user: String,
    /// Whether the person has to change to that user first.
    changes: bool,
    /// Path of the callback.
    path: String,
}

impl Default for Person {
    fn default() -> Self {
        let (stage, _) = watch::channel(Stage::Wait);
        let desk = Arc::new(Desk { stage, waiting: Mutex::default() });
        Self { desk, turn: tokio::sync::Mutex::default() }
    }
}

impl Person {
    /// Leads the browser to an authorize URL and gives path and query of the callback; none when nobody came within
    /// that time, and at once when nobody came the times before. `tell` is called with the page to open where the person has to do something that the browser
    /// cannot do for itself: begin, or change the user.
    ///
    /// # Errors
    /// The `redirect_uri` is not on the loopback interface, or its port is taken.
    pub async fn authorize(
        &self,
        url: String,
        redirect_uri: &str,
        user: String,
        within: Duration,
        tell: impl FnOnce(String),
    ) -> Result<Option<String>, Error> {
        let callback = loopback(redirect_uri)?;
        let mut turn = self.turn.lock().await;
        // Nobody is there, or went away: the rest of the run does not wait for them again and again. An authorization that
        // leads to a page of an error is no sign of that, two are.
        if turn.missed >= if turn.came { 2 } else { 1 } {
            return Ok(None);
        }
        let port = callback.port().unwrap_or(80);
        if turn.listeners.get(&port).is_none_or(JoinHandle::is_finished) {
            let fail = |why| Error::Listen { address: redirect_uri.to_owned(), why };
            let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(fail)?;
            turn.listeners.insert(port, tokio::spawn(accept(listener, self.desk.clone())));
        }
        let (hear, heard) = oneshot::channel();
        *self.desk.waiting() = Some(hear);
        let changes = turn.user.as_deref() != Some(&user);
        let visit = Visit { url, user: user.clone(), changes, path: callback.path().to_owned() };
        self.desk.stage.send_replace(Stage::Go(visit));
        if changes {
            let host = callback.host_str().unwrap_or("127.0.0.1");
            tell(format!("http://{host}:{port}{NEXT}"));
        }
        let heard = tokio::time::timeout(within, heard).await.ok().and_then(Result::ok);
        self.desk.waiting().take();
        self.desk.stage.send_replace(Stage::Wait);
        // Who did not come back may have closed the page: it is told again next time.
        turn.user = heard.is_some().then_some(user);
        turn.came |= heard.is_some();
        turn.missed = if heard.is_some() { 0 } else { turn.missed + 1 };
        Ok(heard)
    }

    /// Tells the browser that the run is over, and stops listening.
    pub async fn leave(&self) {
        let listeners = std::mem::take(&mut self.turn.lock().await.listeners);
        self.desk.stage.send_replace(Stage::Done);
        for listener in listeners.into_values() {
            let _ = listener.await;
        }
    }
}

fn loopback(redirect_uri: &str) -> Result<url::Url, Error> {
    let wrong = || Error::Listen {
        address: redirect_uri.to_owned(),
        why: std::io::Error::other("it is not http://127.0.0.1:PORT/... or http://localhost:PORT/..."),
    };
    if !comes_back(redirect_uri) {
        return Err(wrong());
    }
    url::Url::parse(redirect_uri).map_err(|_| wrong())
}

/// Listens until the run is over, and a little longer for a browser that comes back from its last callback.
async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut stage = desk.stage.subscribe();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let over = async {
        let _ = stage.wait_for(|stage| *stage == Stage::Done).await;
        tokio::time::sleep(FAREWELL).await;
    };
    let serving = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            let desk = desk.clone();
            tokio::spawn(async move {
                serve(stream, desk).await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = over => {}
        () = serving => {}
    }
}

async fn serve(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(|request: Request<Incoming>| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(&request).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN).keep_alive(false);
    // A browser that goes away is no affair of the run.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

impl Desk {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<String>>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let stage = self.stage.borrow().clone();
        match (request.uri().path(), stage) {
            (NEXT, _) => self.next().await,
            (GO, Stage::Go(visit)) => redirect(&visit.url),
            (GO, _) => redirect(NEXT),
            // Browsers ask for an icon as well; that is not the callback.
            (path, Stage::Go(visit)) if path == visit.path && request.uri().query().is_some() => {
                if let Some(hear) = self.waiting().take() {
                    let _ = hear.send(request.uri().to_string());
                }
                // The code leaves the address bar, and the browser asks for what comes next.
                redirect(NEXT)
            }
            _ => page(404, "<p>There is nothing here.</p>"),
        }
    }

    /// Leads on, or keeps the browser until there is something to lead to.
    async fn next(&self) -> Response<Full<Bytes>> {
        let mut stages = self.stage.subscribe();
        // Between a callback and the next authorization the visit that is over must not begin again.
        let ready = stages.wait_for(|stage| match stage {
            Stage::Wait => false,
            Stage::Go(_) => self.waiting().is_some(),
            Stage::Done => true,
        });
        let stage = match tokio::time::timeout(HELD, ready).await {
            Ok(Ok(stage)) => stage.clone(),
            _ => Stage::Wait,
        };
        match stage {
            // A page, not a redirect: browsers stop after some twenty of those in a row, and a run may log in more often.
            Stage::Go(visit) if !visit.changes => {
                page(200, &format!("{}<p>On to the next login.</p>", at_once(&visit.url)))
            }
            Stage::Go(visit) => {
                let user = escape(&visit.user);
                page(
                    200,
                    &format!(
                        "<p>The next login is for <b>{user}</b>. If somebody else is logged in to the org in this \
                         browser, log out there first.</p><p><a href=\"{GO}\">Go on as {user}</a></p>"
                    ),
                )
            }
            Stage::Wait => page(
                200,
                &format!("{}<p>Waiting for the next login. Leave this page open.</p>", at_once(NEXT)),
            ),
            Stage::Done => page(200, "<p>Done. You can close this page and go back to the terminal.</p>"),
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What leads a browser on as soon as it has the page.
fn at_once(to: &str) -> String {
    format!("<meta http-equiv=\"refresh\" content=\"0;url={}\">", escape(to))
}

fn redirect(to: &str) -> Response<Full<Bytes>> {
    let mut response = page(303, "");
    if let Ok(to) = to.parse() {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

fn page(status: u16, body: &str) -> Response<Full<Bytes>> {
    let text = format!("<!DOCTYPE html><title>grantcheck</title><meta charset=\"utf-8\">{body}\n");
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_did_not_come_is_not_waited_for_again() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let callback = format!("http://127.0.0.1:{port}/callback");
        let person = Person::default();
        let asked = |within| person.authorize("http://a/".into(), &callback, "u".into(), within, |_| ());
        assert_eq!(asked(Duration::from_millis(1)).await.unwrap(), None);
        let again = tokio::time::timeout(Duration::from_secs(60), asked(WITHIN)).await;
        assert_eq!(again.expect("it waits for nobody").unwrap(), None);
        person.leave().await;
    }
}
