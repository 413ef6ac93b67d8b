//! An org on a socket.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;
use super::{Clock, Error};
use crate::org::{Begun, Org};

/// The most bytes of a request body.
pub const LONGEST_BODY: usize = 256 * 1024;
/// How long a client may take over its request's header.
pub(super) const HEADER_WITHIN: Duration = Duration::from_secs(30);
/// How long a client may take over its request's body.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection may take over its end, when its host ends.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// The most connections at a time.
pub const MOST_CONNECTIONS: usize = 4096;

/// Ports that no system known to us hands out by itself (RFC 6335 §6 has those from 49152; Linux begins at 32768).
const FIRST_PORT: u16 = 20_000;
const PORTS: u32 = 10_000;

/// Which start of a client it was that had a connection opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened(pub usize);

/// What answers the requests of a host.
pub trait Handler: Send + Sync + 'static {
    /// Whether a client may close its side of a connection and still wait for the answer. Where it may not, nothing more
    /// is done for one that went away.
    const HALF_CLOSED: bool = true;

    /// What is to be known later of the moment when a connection was opened.
    fn opened(&self) -> Opened {
        Opened::default()
    }

    /// Answers a request that was read whole; an error cuts the connection. What [`opened`](Self::opened) said of its connection is
    /// among its extensions.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, Cut>> + Send;

    /// Answers a request whose body is longer than any that is read.
    fn too_long(&self, _request: &Parts) -> Response<Bytes> {
        status(413)
    }
}

/// An org that listens. It ends when this is dropped.
pub struct Host {
    address: SocketAddr,
    tls: bool,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Host {
    /// Puts an org on a socket; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(org: Arc<Org>, clock: Clock, address: &str) -> Result<Self, Error> {
        Self::serving(Arc::new(Plain { org, clock }), address).await
    }

    /// Puts an org on a socket behind TLS.
    ///
    /// # Errors
    /// The address cannot be listened on, or there is no TLS.
    pub async fn start_tls(
        org: Arc<Org>,
        clock: Clock,
        authority: &Arc<Authority>,
        address: &str,
    ) -> Result<Self, Error> {
        Self::serving_tls(Arc::new(Plain { org, clock }), authority, address).await
    }

    /// Puts something that answers on a socket; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn serving<H: Handler>(handler: Arc<H>, address: &str) -> Result<Self, Error> {
        Self::accepting(address, move |stream, stopped| serve(stream, handler.clone(), stopped)).await
    }

    /// The same behind TLS, with a certificate for `localhost`.
    ///
    /// # Errors
    /// The address cannot be listened on, or there is no TLS.
    pub async fn serving_tls<H: Handler>(
        handler: Arc<H>,
        authority: &Arc<Authority>,
        address: &str,
    ) -> Result<Self, Error> {
        let tls = TlsAcceptor::from(authority.server()?);
        let handler = Arc::new(Secured(handler));
        let host = Self::accepting(address, move |stream, mut stopped| {
            let (tls, handler) = (tls.clone(), handler.clone());
            async move {
                let behind = async {
                    let accepted = tokio::time::timeout(HEADER_WITHIN, tls.accept(stream)).await;
                    // A client that does not trust the certificate ends here.
                    if let Ok(Ok(stream)) = accepted {
                        serve_stream(stream, handler).await;
                    }
                };
                tokio::select! {
                    () = behind => {}
                    _ = stopped.changed() => {}
                }
            }
        });
        let mut host = host.await?;
        host.tls = true;
        Ok(host)
    }

    /// Listens, and serves each connection in its own way, which ends when it is told to.
    pub(super) async fn accepting<F, S>(address: &str, serve: F) -> Result<Self, Error>
    where
        F: Fn(TcpStream, watch::Receiver<bool>) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let fail = |why| Error::Listen { address: address.to_owned(), why };
        let listener = listen(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, serve, stopped));
        Ok(Self { address, tls: false, stop, task })
    }

    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT` behind TLS.
    pub fn url(&self) -> String {
        if self.tls {
            format!("https://localhost:{}", self.port())
        } else {
            format!("http://{}", self.address)
        }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends listening and every connection.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        self.task.abort();
    }
}

/// Listens on an address, with room for as many connections that nobody has accepted yet as there may be at all: what finds
/// no room is only asked for again by the client after a second (RFC 6298 §2), and a load run would measure that.
pub(super) async fn listen(address: &str) -> std::io::Result<TcpListener> {
    let mut last = None;
    for address in tokio::net::lookup_host(address).await? {
        match bound(address) {
            Ok(listener) => return Ok(listener),
            Err(why) => last = Some(why),
        }
    }
    Err(last.unwrap_or_else(|| std::io::Error::other("it names no address")))
}

fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows that would let somebody else take the port away; everywhere else it lets us have it again at once.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(MOST_CONNECTIONS as u32)
}

async fn accept<F, S>(listener: TcpListener, serve: F, mut stopped: watch::Receiver<bool>)
where
    F: Fn(TcpStream, watch::Receiver<bool>) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        // A connection that failed before it was accepted is the client's affair.
        let Ok((stream, _)) = accepted else { continue };
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let _ = stream.set_nodelay(true);
        let served = serve(stream, stopped.clone());
        tokio::spawn(async move {
            served.await;
            drop(permit);
        });
    }
    // Each connection was told. What was under way over it is only told of when it has ended.
    let all = room.acquire_many(MOST_CONNECTIONS as u32);
    let _ = tokio::time::timeout(ENDS_WITHIN, all).await;
}

async fn serve<H: Handler>(stream: TcpStream, handler: Arc<H>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        // Without dice: that it is to end is rare.
        biased;
        () = serve_stream(stream, handler) => {}
        _ = stopped.changed() => {}
    }
}

/// Answers what comes over a connection until it ends.
pub(super) async fn serve_stream<S, H: Handler>(stream: S, handler: Arc<H>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let opened = handler.opened();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(opened);
        answer(handler.clone(), request)
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN).half_close(H::HALF_CLOSED);
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// A port on this machine that nobody has, for somebody else to listen on. It is none of those that the system gives to
/// whoever asks for any, so that none of our own hosts takes it meanwhile.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    for _ in 0..PORTS {
        let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = FIRST_PORT + u16::try_from(next).unwrap_or(0);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    0
}

/// A cut that the org asked for ends the connection with this error.
#[derive(Debug, thiserror::Error)]
#[error("the org cut the connection")]
pub struct Cut;

/// Reads a request whole and has it answered.
pub(super) async fn answer<H: Handler>(
    handler: Arc<H>,
    request: Request<Incoming>,
) -> Result<Response<Sent>, Cut> {
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY_WITHIN, Limited::new(body, LONGEST_BODY).collect()).await;
    let body = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        // Too long a body is answered, a broken or slow one is not.
        Ok(Err(why)) if why.is::<http_body_util::LengthLimitError>() => {
            return Ok(sent(handler.too_long(&parts)));
        }
        _ => return Err(Cut),
    };
    handler.answer(Request::from_parts(parts, body)).await.map(sent)
}

/// Whoever answers behind TLS: a request does not say by itself that it came that way, and what is answered names URLs.
struct Secured<H>(Arc<H>);

impl<H: Handler> Handler for Secured<H> {
    const HALF_CLOSED: bool = H::HALF_CLOSED;

    fn opened(&self) -> Opened {
        self.0.opened()
    }

    async fn answer(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let mut hosts = request.headers().get_all(http::header::HOST).iter();
        // What has none, or several, is for the org to refuse.
        let host = hosts.next().filter(|_| hosts.next().is_none()).and_then(|host| host.to_str().ok());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let whole = host.and_then(|host| format!("https://{host}{path}").parse().ok());
        if let Some(uri) = whole.filter(|_| request.uri().scheme().is_none()) {
            *request.uri_mut() = uri;
        }
        self.0.answer(request).await
    }

    fn too_long(&self, request: &Parts) -> Response<Bytes> {
        self.0.too_long(request)
    }
}

/// The body of an answer, which may break off.
pub(super) type Sent = Either<Full<Bytes>, Torn>;

/// Says of an answer that half of its body goes out, and that the connection is cut when this is over.
#[derive(Clone)]
pub(super) struct Half(pub(super) Arc<Mutex<Option<Over>>>);

/// What is over when the connection is cut.
pub(super) type Over = Pin<Box<dyn Future<Output = ()> + Send>>;

fn sent(mut response: Response<Bytes>) -> Response<Sent> {
    let over = response.extensions_mut().remove::<Half>();
    let over = over.and_then(|half| half.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    let Some(over) = over else { return response.map(|body| Either::Left(Full::new(body))) };
    let length = response.body().len();
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    response.map(|body| Either::Right(Torn { first: Some(body.slice(..length / 2)), over }))
}

/// The first half of a body; the second never comes.
pub(super) struct Torn {
    first: Option<Bytes>,
    over: Over,
}

impl Body for Torn {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.over.as_mut().poll(context).map(|()| Some(Err(Cut)))
    }
}

/// An org with its clock, and nothing beside it.
struct Plain {
    org: Arc<Org>,
    clock: Clock,
}

impl Handler for Plain {
    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        handle(&self.org, &self.clock, &request).await
    }
}

/// Both halves of an org's answer, and what it asks to be done on the way.
pub(super) async fn handle(
    org: &Org,
    clock: &Clock,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Cut> {
    let reply = match org.begin(request, clock.now()) {
        Begun::Reply(reply) => reply,
        Begun::Pending(pending) => {
            // Others may begin before this one commits, as on a server with many threads.
            if pending.contends() {
                tokio::task::yield_now().await;
            }
            org.commit(pending, clock.now())
        }
    };
    if reply.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(reply.delay_ms)).await;
    }
    if reply.cut_after.is_some() {
        return Err(Cut);
    }
    Ok(reply.response)
}

fn status(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::BAD_REQUEST);
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::wire::files;

    #[tokio::test]
    async fn many_may_come_at_once() {
        // No queue is longer than the system lets it be.
        let text = files::read("/proc/sys/net/core/somaxconn".as_ref()).unwrap_or_default();
        let room: usize = text.trim().parse().unwrap_or(0);
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts them; a connection without room would be there after a second at the earliest.
        let mut there = Vec::new();
        for _ in 0..room.min(300) {
            let within = Duration::from_millis(900);
            there.push(std::net::TcpStream::connect_timeout(&address, within).unwrap());
        }
    }
}
