//! The kept connections of a load run.

use bytes::Bytes;
use grantcheck::transcript::Answer;

use crate::support::embedded;
use grantcheck::client::{Outgoing, Remember};
use grantcheck::org::Org;
use grantcheck::transcript::Failure;
use grantcheck::wire::host::Host;
use grantcheck::wire::line::{Addressed, Lines, Way};
use grantcheck::wire::{Clock, Transport};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const WITHIN: Duration = Duration::from_secs(10);

fn way() -> Way {
    Way::new(None, WITHIN, true).unwrap()
}

fn request(method: &str, url: String, body: &str) -> http::Request<Bytes> {
    let form = "application/x-www-form-urlencoded";
    let request = http::Request::builder().method(method).uri(url).header("content-type", form);
    request.body(Bytes::from(body.to_owned())).unwrap()
}

/// What is heard of an org over a kept line is what is heard of it over every other way.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_hears_what_every_transport_hears() {
    let org = Arc::new(Org::new(&embedded(), &[], [7; 32]));
    let host = Host::start(org, Clock::own(1_800_000_000_000), "127.0.0.1:0").await.unwrap();
    let (base, mut lines) = (host.url(), Lines::default());
    let transport = Transport::http(None, WITHIN, &base).unwrap();
    let asked = [
        ("GET", "/.well-known/openid-configuration", ""),
        ("POST", "/services/oauth2/token", "grant_type=client_credentials&client_id=x&client_secret=y"),
        ("POST", "/services/oauth2/token", "grant_type=%zz"),
        ("GET", "/services/data/v62.0/limits", ""),
        ("GET", "/id/keys", ""),
        ("DELETE", "/nowhere?a=b%20c", ""),
    ];
    for (method, path, body) in asked {
        let request = request(method, format!("{base}{path}"), body);
        let (raw, phases) = lines.send(&way(), &Addressed::new(&request).unwrap()).await;
        let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
        let Answer::Response(other) = transport.send(&outgoing).await.0 else { panic!("{path}") };
        let mut ours = raw.unwrap().response();
        let mut other = other;
        // One is asked to be kept, the other to be closed, and time goes by.
        for response in [&mut ours, &mut other] {
            response.headers.retain(|(name, _)| !["date", "connection"].contains(&name.as_str()));
        }
        assert_eq!(
            (ours.status, ours.headers, ours.body),
            (other.status, other.headers, other.body),
            "{path}"
        );
        assert!(phases.first_byte <= phases.whole);
        // One connection serves all of them.
        assert_eq!(phases.connect.is_some(), path.starts_with("/.well"), "{path}");
    }
    host.stop().await;
}

/// Answers so many requests on each connection, in that way, and tells how many connections there were.
async fn peer(each: usize, answer: &'static str) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            for _ in 0..each {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (url, count)
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let (url, count) = peer(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let addressed = Addressed::new(&request("POST", url, "a=b")).unwrap();
    let (way, mut lines) = (way(), Lines::default());
    for round in 1..=3 {
        // The peer closes once it has answered; whoever sends before that is known was answered nothing, and it is
        // nobody's fault.
        let raw = loop {
            match lines.send(&way, &addressed).await.0 {
                Ok(raw) => break raw,
                Err(Failure::Unreachable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!((raw.status, &raw.body[..]), (200, &b"ok"[..]));
        assert!(count.load(std::sync::atomic::Ordering::SeqCst) >= round);
    }
}

#[tokio::test]
async fn what_is_no_http_and_what_breaks_off_is_the_peers() {
    for answer in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ""] {
        let (url, _) = peer(1, answer).await;
        let addressed = Addressed::new(&request("POST", url, "a=b")).unwrap();
        let answer = Lines::default().send(&way(), &addressed).await.0;
        assert!(matches!(answer, Err(Failure::Broken(_))), "{answer:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let addressed = Addressed::new(&request("GET", url, "")).unwrap();
    let brief = Way::new(None, Duration::from_millis(50), true).unwrap();
    let answer = Lines::default().send(&brief, &addressed).await.0;
    assert_eq!(answer.unwrap_err(), Failure::TimedOut(50));
    drop(listener);
    let answer = Lines::default().send(&way(), &addressed).await.0;
    assert!(matches!(answer, Err(Failure::Unreachable(_))), "{answer:?}");
}
