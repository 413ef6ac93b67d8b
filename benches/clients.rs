//! What is promised where a client is judged, or is ours: the suites for clients, a storm of callers, the cost of a call
//! that needs no renewal, and the handshakes of the proxy, the last two as ratios or differences in the same run.

// A bench tells on standard output, looks at the system, and starts servers.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

#[path = "support/mod.rs"]
mod support;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use grantcheck::client::{Action, Outgoing, Remember};
use grantcheck::run::embedded_endpoints;
use grantcheck::subject::{Behaviour, Target};
use grantcheck::transcript::Part;
use grantcheck::wire::authority::Authority;
use grantcheck::wire::counterpart::{Counterpart, Place, Proxied};
use grantcheck::wire::host::Host;
use grantcheck::wire::renewal::Renewing;
use grantcheck::wire::{Clock, Transport, proxy};
use support::Number;

/// Callers of the storm.
const CALLERS: usize = 10_000;
/// Calls of a turn that needs no renewal, and how many turns there are.
const CALLS: u32 = 2_000;
const TURNS: u32 = 25;
/// Handshakes of a turn.
const HANDSHAKES: u32 = 100;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let numbers =
        [suites(), runtime.block_on(storm()), runtime.block_on(fast_path()), runtime.block_on(handshakes())];
    support::table(&numbers);
}

/// Every shipped suite for clients on our own client, as a person waits for it.
fn suites() -> Number {
    let best = support::start_to_end("suites/client");
    Number {
        what: "`run suites/client` on our own client, start to end",
        reached: format!("{:.2} s", best.as_secs_f64()),
        promised: "under 5 s",
        kept: best < Duration::from_secs(5),
    }
}

fn session(clock: &Clock) -> (Arc<Renewing>, Transport) {
    let transport = Transport::InProcess(support::org(), clock.clone());
    let grant = support::grant(Action::ClientCredentials, support::BASE, clock.clone());
    (Renewing::new(transport.clone(), grant, None, None), transport)
}

/// Ten thousand callers of one session that find its token dead.
async fn storm() -> Number {
    let clock = Clock::own(support::NOW);
    let (session, _) = session(&clock);
    session.call(&support::call(support::BASE)).await.expect("a first token");
    clock.advance(24 * 3_600_000);
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let session = session.clone();
        callers.spawn(async move { session.call(&support::call(support::BASE)).await });
    }
    let answered =
        callers.join_all().await.into_iter().filter(|came| came.as_ref().is_ok_and(|r| r.status == 200));
    assert_eq!(answered.count(), CALLERS, "what is measured must be right");
    let renewals = session.renewals() - 1;
    Number {
        what: "renewals of a session whose token 10,000 callers find dead",
        reached: format!("{renewals} ({:.0} ms)", begun.elapsed().as_secs_f64() * 1000.0),
        promised: "1",
        kept: renewals == 1,
    }
}

/// A call with a live token, over the same request sent as it is; in turns, so that both see the same machine.
async fn fast_path() -> Number {
    let clock = Clock::own(support::NOW);
    let (session, transport) = session(&clock);
    let request = support::call(support::BASE);
    session.call(&request).await.expect("a first token");
    let token = session.access_token().expect("a token");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            assert_eq!(session.call(&request).await.expect("an answer").status, 200);
        }
        ours.push(begun.elapsed() / CALLS);
        let begun = Instant::now();
        for _ in 0..CALLS {
            // What anybody has to do who calls with a token.
            let mut request = request.clone();
            let value = format!("Bearer {}", token.expose()).parse().expect("a header");
            request.headers_mut().insert("authorization", value);
            let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
            std::hint::black_box(transport.send(&outgoing).await);
        }
        bare.push(begun.elapsed() / CALLS);
    }
    let (ours, bare) = (median(&mut ours), median(&mut bare));
    let over = ours.saturating_sub(bare);
    Number {
        what: "a call with a live token, over the same request sent as it is",
        reached: format!("{} ns more ({} over {} ns)", over.as_nanos(), ours.as_nanos(), bare.as_nanos()),
        promised: "under 1,000 ns more",
        kept: over < Duration::from_micros(1),
    }
}

/// Handshakes through the proxy, over those of a TLS server without one; each with a certificate that is there already.
async fn handshakes() -> Number {
    let target = Target { endpoints: embedded_endpoints(support::BASE), ..support::embedded() };
    let (org, clock) = (support::org(), Clock::real());
    let counterpart =
        Arc::new(Counterpart::keeping(org, clock, Behaviour::default(), "bench", Part::Scenario, 0));
    counterpart.listens_at(Place {
        org: support::BASE.to_owned(),
        instance: support::BASE.to_owned(),
        rogue: "https://rogue.example".to_owned(),
        hosts: proxy::HOSTS.iter().map(|host| (*host).to_owned()).collect(),
        target: Arc::new(target),
    });
    let authority = Authority::new().expect("an authority");
    let hosts = proxy::HOSTS.iter().map(|host| (*host).to_owned()).collect();
    let gate = Arc::new(Proxied(counterpart));
    let led = proxy::start(gate.clone(), &authority, hosts, "127.0.0.1:0").await.expect("a proxy");
    let bare = Host::serving_tls(gate, &authority, "127.0.0.1:0").await.expect("a server");
    let tls = connector(&authority);
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let begun = Instant::now();
        for _ in 0..HANDSHAKES {
            let mut stream = TcpStream::connect(("127.0.0.1", led.port())).await.expect("the proxy answers");
            stream
                .write_all(
                    b"CONNECT login.salesforce.com:443 HTTP/1.1\r\nHost: login.salesforce.com:443\r\n\r\n",
                )
                .await
                .expect("it reads");
            let mut head = [0; 256];
            let read = stream.read(&mut head).await.expect("it answers");
            assert!(head[..read].starts_with(b"HTTP/1.1 200"), "what is measured must be right");
            shake(&tls, stream, "login.salesforce.com").await;
        }
        through.push(begun.elapsed() / HANDSHAKES);
        let begun = Instant::now();
        for _ in 0..HANDSHAKES {
            let stream = TcpStream::connect(("127.0.0.1", bare.port())).await.expect("the server answers");
            shake(&tls, stream, "localhost").await;
        }
        direct.push(begun.elapsed() / HANDSHAKES);
    }
    let (through, direct) = (median(&mut through), median(&mut direct));
    let ratio = direct.as_secs_f64() / through.as_secs_f64();
    Number {
        what: "TLS handshakes through the proxy, over those of the same server without it",
        reached: format!("{ratio:.2}x ({} over {} us each)", through.as_micros(), direct.as_micros()),
        promised: "at least 0.7x",
        kept: ratio >= 0.7,
    }
}

fn connector(authority: &Authority) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.pem().as_bytes()) {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each handshake is a whole one.
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

async fn shake(tls: &TlsConnector, stream: TcpStream, host: &'static str) {
    let name = ServerName::try_from(host).expect("a name");
    tls.connect(name, stream).await.expect("what is measured must be right");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
