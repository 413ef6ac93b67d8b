//! Bare hyper connections that are kept, for load: one object a user, driven by hand. Nothing is pooled, followed or
//! repeated, and every phase of a request is measured.

use bytes::{Bytes, BytesMut};
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::clock::Watch;
use super::transport::{LONGEST_BODY, headers_of};
use super::{Error, tls};
use crate::transcript::{Failure, Response};

type Sender = http1::SendRequest<Full<Bytes>>;

/// A connection and the way to send over it. It is driven by whoever waits for an answer, in the same task: a task of its
/// own would have to be woken for each piece.
struct Line {
    sender: Sender,
    connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    /// Whether the connection came to its end; it must not be driven any more.
    over: bool,
}

impl Line {
    /// Waits until a request can be sent.
    async fn ready(&mut self) -> hyper::Result<()> {
        std::future::poll_fn(|cx| {
            if !self.over {
                self.over = self.connection.as_mut().poll(cx).is_ready();
            }
            self.sender.poll_ready(cx)
        })
        .await
    }

    /// Waits for something that the connection has to bring.
    async fn drive<T>(&mut self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = std::pin::pin!(waiting);
        std::future::poll_fn(|cx| {
            if !self.over {
                self.over = self.connection.as_mut().poll(cx).is_ready();
            }
            let brought = waiting.as_mut().poll(cx);
            // What was just asked for goes out at once, not when the socket is ready again.
            if brought.is_pending() && !self.over {
                self.over = self.connection.as_mut().poll(cx).is_ready();
                if self.over {
                    return waiting.as_mut().poll(cx);
                }
            }
            brought
        })
        .await
    }
}

/// The most hosts that one user keeps a connection to.
const MOST_HOSTS: usize = 4;

/// How servers are reached. Cheap to clone.
#[derive(Clone)]
pub struct Way {
    tls: Arc<rustls::ClientConfig>,
    within: Duration,
    keeps: bool,
}

impl Way {
    /// A way to servers, with the certificate authorities of the platform and that one; each answer and each connection
    /// has so much time. A connection serves one request after another where it `keeps`, and one alone where not.
    ///
    /// # Errors
    /// The authority cannot be used.
    pub fn new(ca: Option<&str>, within: Duration, keeps: bool) -> Result<Self, Error> {
        Ok(Self { tls: Arc::new(tls::client(ca)?), within, keeps })
    }
}

/// A request as a connection takes it, together with where it goes.
#[derive(Clone, Debug)]
pub struct Addressed {
    to: Uri,
    request: Request<Full<Bytes>>,
}

impl Addressed {
    /// Takes a request with an absolute URL; none where it has no host.
    pub fn new(request: &Request<Bytes>) -> Option<Self> {
        let to = request.uri().clone();
        let host = HeaderValue::from_str(to.authority()?.as_str()).ok()?;
        let path = to.path_and_query().map_or("/", |path| path.as_str());
        let mut addressed = Request::new(Full::new(request.body().clone()));
        *addressed.method_mut() = request.method().clone();
        *addressed.uri_mut() = path.parse().ok()?;
        *addressed.headers_mut() = request.headers().clone();
        let headers = addressed.headers_mut();
        headers.entry(HOST).or_insert(host);
        let name = HeaderValue::from_static(concat!("grantcheck/", env!("CARGO_PKG_VERSION")));
        headers.entry(USER_AGENT).or_insert(name);
        Some(Self { to, request: addressed })
    }
}

/// What came back, undigested.
#[derive(Clone, Debug)]
pub struct Raw {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body, cut at a limit.
    pub body: Bytes,
}

impl Raw {
    /// The same as a transcript has it.
    pub fn response(&self) -> Response {
        let body = String::from_utf8_lossy(&self.body).into_owned();
        Response::new(self.status, headers_of(&self.headers), body)
    }
}

/// How long the phases of one request took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Until the connection was there, where one was made.
    pub connect: Option<u64>,
    /// The TLS handshake alone, where there was one.
    pub tls: Option<u64>,
    /// From the begin until the first byte of the answer.
    pub first_byte: u64,
    /// From the begin to the end, connecting included.
    pub whole: u64,
}

/// The connections of one user, at most one to a host.
#[derive(Default)]
pub struct Lines {
    /// By where it goes; the room of one that is in use stays.
    open: Vec<(Uri, Option<Line>)>,
    limit: Limit,
}

/// A time limit that one request after another has. Its timer is set anew when it goes off too early for the request that is
/// under way by then, and not for each one: most are answered long before.
#[derive(Default)]
struct Limit(Option<Pin<Box<Sleep>>>);

impl Limit {
    /// Waits for something until that moment; none where it came first.
    async fn keep<T>(&mut self, until: Instant, waiting: impl Future<Output = T>) -> Option<T> {
        let mut waiting = std::pin::pin!(waiting);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(brought) = waiting.as_mut().poll(cx) {
                return Poll::Ready(Some(brought));
            }
            let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            // One that was set for a later moment than this one's would go off too late.
            if timer.deadline() > until {
                timer.as_mut().reset(until);
            }
            while timer.as_mut().poll(cx).is_ready() {
                if timer.deadline() >= until {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(until);
            }
            Poll::Pending
        })
        .await
    }
}

impl Lines {
    /// Sends a request and waits for the whole answer. A request of which nothing went out, because the server had closed
    /// the connection that was kept, goes over a new one; one that went out is never sent twice.
    pub async fn send(&mut self, way: &Way, request: &Addressed) -> (Result<Raw, Failure>, Phases) {
        let watch = Watch::start();
        let mut phases = Phases::default();
        let mut connected = false;
        let mut limit = std::mem::take(&mut self.limit);
        let exchange = self.exchange(way, request, watch, &mut phases, &mut connected);
        let answer = match limit.keep(watch.after(way.within), exchange).await {
            Some(answer) => answer,
            // What was on its way on that connection would be taken for the answer to the next request.
            None if connected => {
                Err(Failure::TimedOut(u64::try_from(way.within.as_millis()).unwrap_or(u64::MAX)))
            }
            None => Err(Failure::Unreachable("the connection was not accepted in time".into())),
        };
        self.limit = limit;
        phases.whole = watch.micros();
        (answer, phases)
    }

    async fn exchange(
        &mut self,
        way: &Way,
        request: &Addressed,
        watch: Watch,
        phases: &mut Phases,
        connected: &mut bool,
    ) -> Result<Raw, Failure> {
        let mut outgoing = Some(request.request.clone());
        loop {
            let kept = self.take(&request.to);
            let reused = kept.is_some();
            let mut line = match kept {
                Some(line) => line,
                None => connect(way, &request.to, watch, phases).await?,
            };
            *connected = true;
            // A connection that was closed while nobody used it says so here.
            if line.ready().await.is_err() {
                if reused {
                    continue;
                }
                return Err(Failure::Broken("the connection was closed before anything was sent".into()));
            }
            let Some(message) = outgoing.take() else {
                return Err(Failure::Broken("the request was given up".into()));
            };
            let sending = line.sender.try_send_request(message);
            let response = match line.drive(sending).await {
                Ok(response) => response,
                Err(mut why) => {
                    outgoing = why.take_message();
                    if reused && outgoing.is_some() {
                        continue;
                    }
                    let why = why.into_error();
                    // It closed a connection that it had kept open just as the request went out: nobody's fault.
                    if reused && (why.is_incomplete_message() || why.is_canceled() || why.is_closed()) {
                        let why = "the server closed the connection that it had kept";
                        return Err(Failure::Unreachable(why.into()));
                    }
                    return Err(Failure::Broken(why.to_string()));
                }
            };
            phases.first_byte = watch.micros();
            let (parts, body) = response.into_parts();
            let (body, whole) = line.drive(read(body)).await?;
            if whole && way.keeps {
                self.keep(&request.to, line);
            }
            return Ok(Raw { status: parts.status.as_u16(), headers: parts.headers, body });
        }
    }

    fn room(&mut self, to: &Uri) -> Option<&mut Option<Line>> {
        let same = |at: &Uri| at.authority() == to.authority() && at.scheme() == to.scheme();
        self.open.iter_mut().find(|(at, _)| same(at)).map(|(_, line)| line)
    }

    fn take(&mut self, to: &Uri) -> Option<Line> {
        self.room(to)?.take().filter(|line| !line.over && !line.sender.is_closed())
    }

    fn keep(&mut self, to: &Uri, line: Line) {
        if let Some(room) = self.room(to) {
            *room = Some(line);
            return;
        }
        if self.open.len() >= MOST_HOSTS {
            self.open.remove(0);
        }
        self.open.push((to.clone(), Some(line)));
    }
}

/// Reads a body up to the limit, and tells whether that was all of it.
async fn read(mut body: Incoming) -> Result<(Bytes, bool), Failure> {
    let broken = |why: hyper::Error| Failure::Broken(why.to_string());
    let mut first: Option<Bytes> = None;
    let mut more: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        match (&mut more, first.take()) {
            (Some(all), _) => all.extend_from_slice(&data),
            // Most answers come in one piece, which is not copied.
            (None, None) => first = Some(data),
            (None, Some(one)) => {
                let mut all = BytesMut::from(&one[..]);
                all.extend_from_slice(&data);
                more = Some(all);
            }
        }
        if more.as_ref().map_or(0, BytesMut::len).max(first.as_ref().map_or(0, Bytes::len)) > LONGEST_BODY {
            let mut all = more.map_or_else(|| first.unwrap_or_default(), BytesMut::freeze);
            all.truncate(LONGEST_BODY);
            return Ok((all, false));
        }
    }
    Ok((more.map_or_else(|| first.unwrap_or_default(), BytesMut::freeze), true))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn connect(way: &Way, to: &Uri, watch: Watch, phases: &mut Phases) -> Result<Line, Failure> {
    let unreachable = |why: String| Failure::Unreachable(why);
    let host = to.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
    let secure = to.scheme_str() == Some("https");
    let port = to.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let begun = watch.micros();
    let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|why| unreachable(why.to_string()))?;
    let _ = tcp.set_nodelay(true);
    phases.connect = Some(watch.micros() - begun);
    if !secure {
        return shake_hands(tcp).await;
    }
    let begun = watch.micros();
    let name = ServerName::try_from(host).map_err(|why| unreachable(why.to_string()))?;
    let connector = tokio_rustls::TlsConnector::from(way.tls.clone());
    let stream = connector.connect(name, tcp).await.map_err(|why| unreachable(why.to_string()))?;
    phases.tls = Some(watch.micros() - begun);
    let stream: Box<dyn Stream> = Box::new(stream);
    shake_hands(stream).await
}

async fn shake_hands<S>(stream: S) -> Result<Line, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Requests are small: copying one into a single piece costs less than what the system does for two.
    let (sender, connection) = http1::Builder::new()
        .writev(false)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|why| Failure::Broken(why.to_string()))?;
    Ok(Line { sender, connection: Box::pin(connection), over: false })
}
