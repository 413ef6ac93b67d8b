//! A proxy that a client program asks for the hosts that it has written into it: those of the org are answered here, with
//! a certificate that was minted for the run, and all others are refused, so that nothing reaches a real org.

use bytes::Bytes;
use http::uri::{Authority as HostPort, Uri};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::Error;
use super::authority::Authority;
use super::host::{self, Cut, Handler, Host, Opened, Sent};

/// The hosts of an org, as Salesforce names them (Salesforce Help: My Domain URL formats). `*` stands for any labels.
pub const HOSTS: &[&str] =
    &["*.salesforce.com", "*.force.com", "*.site.com", "*.salesforce-sites.com", "*.salesforce.mil"];

/// What a proxy does with a request: a handler answers those that are for a host of the list.
pub trait Gate: Handler {
    /// Hears that a way to a host that is not on the list was asked for, and refused.
    fn refused(&self, host: &str);

    /// Hears of a request without TLS for such a host, which was refused too.
    fn turned_away(&self, request: &Request<Bytes>);
}

/// Whether a host is one of a list of patterns.
pub fn is_listed(host: &str, patterns: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    patterns.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == *pattern,
    })
}

/// A proxy that leads the listed hosts to one handler; port 0 takes a free one.
///
/// # Errors
/// The address cannot be listened on, or there is no TLS.
pub async fn start<G: Gate>(
    gate: Arc<G>,
    authority: &Arc<Authority>,
    hosts: Vec<String>,
    address: &str,
) -> Result<Host, Error> {
    let way = Arc::new(Way { gate, hosts, tls: TlsAcceptor::from(authority.server()?) });
    Host::accepting(address, move |stream, stopped| serve(way.clone(), stream, stopped)).await
}

struct Way<G> {
    gate: Arc<G>,
    hosts: Vec<String>,
    tls: TlsAcceptor,
}

async fn serve<G: Gate>(way: Arc<Way<G>>, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    let later = stopped.clone();
    let service = service_fn(move |request| answer(way.clone(), later.clone(), request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(host::HEADER_WITHIN);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        _ = connection => {}
        _ = stopped.changed() => {}
    }
}

async fn answer<G: Gate>(
    way: Arc<Way<G>>,
    mut stopped: watch::Receiver<bool>,
    mut request: Request<Incoming>,
) -> Result<Response<Sent>, Cut> {
    let Some(to) = request.uri().authority().cloned() else { return Ok(told(StatusCode::BAD_REQUEST)) };
    if !is_listed(to.host(), &way.hosts) {
        if request.method() != Method::CONNECT {
            return host::answer(Arc::new(Elsewhere(way.gate.clone())), request).await;
        }
        way.gate.refused(to.as_str());
        return Ok(told(StatusCode::FORBIDDEN));
    }
    if request.method() != Method::CONNECT {
        // What is asked without TLS is asked for with its whole URL.
        return host::answer(way.gate.clone(), request).await;
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let behind = async {
            let Ok(stream) = upgraded.await else { return };
            // A client that does not trust the certificate ends here.
            let Ok(stream) = way.tls.accept(TokioIo::new(stream)).await else { return };
            let inside = Arc::new(Inside { gate: way.gate.clone(), to });
            host::serve_stream(stream, inside).await;
        };
        tokio::select! {
            () = behind => {}
            _ = stopped.changed() => {}
        }
    });
    Ok(told(StatusCode::OK))
}

/// What is asked without TLS of a host that is not on the list: it is heard, and goes nowhere.
struct Elsewhere<G>(Arc<G>);

impl<G: Gate> Handler for Elsewhere<G> {
    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        self.0.turned_away(&request);
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::FORBIDDEN;
        Ok(response)
    }
}

/// What comes through the proxy for one host: each request is answered with the whole URL that the client meant.
struct Inside<G> {
    gate: Arc<G>,
    to: HostPort,
}

impl<G: Gate> Handler for Inside<G> {
    const HALF_CLOSED: bool = G::HALF_CLOSED;

    fn opened(&self) -> Opened {
        self.gate.opened()
    }

    async fn answer(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let authority = self.to.as_str().strip_suffix(":443").unwrap_or(self.to.as_str());
        match format!("https://{authority}{path}").parse::<Uri>() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return Err(Cut),
        }
        self.gate.answer(request).await
    }
}

fn told(status: StatusCode) -> Response<Sent> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_listed_by_its_name_or_what_it_ends_with() {
        let patterns: Vec<String> =
            HOSTS.iter().map(|host| (*host).to_owned()).chain(["a.example".into()]).collect();
        for host in ["login.salesforce.com", "ACME--uat.sandbox.my.salesforce.com", "a.example"] {
            assert!(is_listed(host, &patterns), "{host}");
        }
        for host in
            ["salesforce.com.evil.example", "evilsalesforce.com", ".salesforce.com", "b.a.example", ""]
        {
            assert!(!is_listed(host, &patterns), "{host}");
        }
    }
}
