//! Bare hyper connections, one a request, for what a client library hides: the last byte held back until
//! all are ready, and a body that ends too early.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Barrier, mpsc, watch};

use super::{LONGEST_BODY, Timed, headers_of, text_of};
use crate::transcript::{Answer, Failure, Response};
use crate::wire::clock::Watch;

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Stream for T {}

type Sender = http1::SendRequest<StreamBody<Pieces>>;

/// A body that arrives through a channel, so that its last byte can wait.
struct Pieces(mpsc::Receiver<Bytes>);

impl futures_core::Stream for Pieces {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Sends all requests, holding the last byte of each until every one is there but for it.
pub(super) async fn race(
    requests: &[Request<Bytes>],
    tls: &Arc<rustls::ClientConfig>,
    within: Duration,
) -> Vec<Timed> {
    let ready = Arc::new(Barrier::new(requests.len() + 1));
    let (release, released) = watch::channel(false);
    let racers: Vec<_> = requests
        .iter()
        .map(|request| {
            let (request, tls, ready, released) =
                (request.clone(), tls.clone(), ready.clone(), released.clone());
            tokio::spawn(async move { racer(request, &tls, within, &ready, released).await })
        })
        .collect();
    // Whoever fails to connect passes the barrier all the same, so that nobody waits for it.
    ready.wait().await;
    let _ = release.send(true);
    let mut answers = Vec::new();
    for racer in racers {
        let broken = |_| (Answer::Nothing(Failure::Broken("the request was given up".into())), 0);
        answers.push(racer.await.unwrap_or_else(broken));
    }
    answers
}

async fn racer(
    request: Request<Bytes>,
    tls: &Arc<rustls::ClientConfig>,
    within: Duration,
    ready: &Barrier,
    mut released: watch::Receiver<bool>,
) -> Timed {
    let connected = tokio::time::timeout(within, connect(&request, tls)).await;
    let mut sender = match connected {
        Ok(Ok(sender)) => sender,
        Ok(Err(failure)) => {
            ready.wait().await;
            return (Answer::Nothing(failure), 0);
        }
        Err(_) => {
            ready.wait().await;
            return (
                Answer::Nothing(Failure::Unreachable("the connection was not accepted in time".into())),
                0,
            );
        }
    };
    let body = request.body().clone();
    let (pieces, receiver) = mpsc::channel(2);
    let held = body.len().saturating_sub(1);
    let outgoing = with_body(&request, receiver, body.len());
    let watch;
    if body.is_empty() {
        // Nothing can be held back of a request without a body: it goes out when the others are released.
        ready.wait().await;
        let _ = released.wait_for(|open| *open).await;
        drop(pieces);
        watch = Watch::start();
        let answer = receive(sender.send_request(outgoing), within).await;
        return (answer, watch.micros());
    }
    let _ = pieces.send(body.slice(..held)).await;
    let pending = sender.send_request(outgoing);
    tokio::pin!(pending);
    // The request must be polled to go out; a peer that answers before it has everything answers early.
    let early = tokio::select! {
        biased;
        answer = &mut pending => Some(answer),
        () = async { settle(&pieces).await; } => None,
    };
    ready.wait().await;
    let _ = released.wait_for(|open| *open).await;
    watch = Watch::start();
    if let Some(answer) = early {
        return (receive(async { answer }, within).await, watch.micros());
    }
    let _ = pieces.send(body.slice(held..)).await;
    drop(pieces);
    let answer = receive(pending, within).await;
    (answer, watch.micros())
}

/// Waits until the connection took the first part of the body out of the channel, and once more for it to be written.
async fn settle(pieces: &mpsc::Sender<Bytes>) {
    while pieces.capacity() < pieces.max_capacity() {
        tokio::task::yield_now().await;
    }
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// Sends half of the body with the length of the whole announced, then ends the connection's sending half.
pub(super) async fn truncated(
    request: &Request<Bytes>,
    tls: &Arc<rustls::ClientConfig>,
    within: Duration,
) -> Answer {
    let connected = tokio::time::timeout(within, connect(request, tls)).await;
    let mut sender = match connected {
        Ok(Ok(sender)) => sender,
        Ok(Err(failure)) => return Answer::Nothing(failure),
        Err(_) => {
            return Answer::Nothing(Failure::Unreachable("the connection was not accepted in time".into()));
        }
    };
    let body = request.body().clone();
    let (pieces, receiver) = mpsc::channel(2);
    let outgoing = with_body(request, receiver, body.len());
    let _ = pieces.send(body.slice(..body.len() / 2)).await;
    drop(pieces);
    receive(sender.send_request(outgoing), within).await
}

fn with_body(
    request: &Request<Bytes>,
    pieces: mpsc::Receiver<Bytes>,
    length: usize,
) -> Request<StreamBody<Pieces>> {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let mut builder = Request::builder().method(request.method().clone()).uri(path);
    if let Some(authority) = uri.authority().filter(|_| !request.headers().contains_key("host")) {
        builder = builder.header("host", authority.as_str());
    }
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    if length > 0 {
        builder = builder.header("content-length", length);
    }
    builder.body(StreamBody::new(Pieces(pieces))).expect("the parts of a request that was built before")
}

async fn connect(request: &Request<Bytes>, tls: &Arc<rustls::ClientConfig>) -> Result<Sender, Failure> {
    let unreachable = |why: String| Failure::Unreachable(why);
    let uri = request.uri();
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|why| unreachable(why.to_string()))?;
    let _ = tcp.set_nodelay(true);
    let stream: Box<dyn Stream> = if secure {
        let name = ServerName::try_from(host).map_err(|why| unreachable(why.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(tls.clone());
        Box::new(connector.connect(name, tcp).await.map_err(|why| unreachable(why.to_string()))?)
    } else {
        Box::new(tcp)
    };
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|why| Failure::Broken(why.to_string()))?;
    // The connection lives as long as its sender; it ends by itself when the request is done or given up.
    tokio::spawn(connection);
    Ok(sender)
}

async fn receive(
    pending: impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>>,
    within: Duration,
) -> Answer {
    let whole = async {
        let response = pending.await.map_err(|why| Failure::Broken(why.to_string()))?;
        let (status, headers) = (response.status().as_u16(), headers_of(response.headers()));
        let body = http_body_util::Limited::new(response.into_body(), LONGEST_BODY);
        let body = body.collect().await.map_err(|why| Failure::Broken(why.to_string()))?.to_bytes();
        Ok(Response::new(status, headers, text_of(&body)))
    };
    match tokio::time::timeout(within, whole).await {
        Ok(Ok(response)) => Answer::Response(response),
        Ok(Err(failure)) => Answer::Nothing(failure),
        Err(_) => Answer::Nothing(Failure::TimedOut(u64::try_from(within.as_millis()).unwrap_or(u64::MAX))),
    }
}
