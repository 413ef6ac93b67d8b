//! Token exchanges: one in process and over a socket, by flow; one renewal for 1, 30 and 1,000 callers; server-to-server
//! flows with many callers at once.

#[path = "support/mod.rs"]
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use grantcheck::client::Action;
use grantcheck::oauth::message::TokenResponse;
use grantcheck::transcript::Answer;
use grantcheck::wire::host::Host;
use grantcheck::wire::renewal::{Grant, Renewing};
use grantcheck::wire::{Clock, Transport};

const FLOWS: [(&str, Action); 3] = [
    ("client_credentials", Action::ClientCredentials),
    ("jwt_bearer", Action::JwtBearer),
    ("saml_bearer", Action::SamlBearer),
];

/// Asks for tokens once; the answer must have them, and no refresh token beside them.
async fn exchange(grant: &Grant, transport: &Transport) {
    let request = grant.request(None).expect("the target has all that it takes");
    let Answer::Response(response) = transport.send(&request).await.0 else { panic!("no answer") };
    let tokens = TokenResponse::read(&response.body).expect("tokens");
    assert!(tokens.text("refresh_token").is_none(), "a server-to-server flow got a refresh token");
}

fn one_exchange(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("one_exchange");
    for (name, flow) in FLOWS {
        let clock = Clock::own(support::NOW);
        let in_process = Transport::InProcess(support::org(), clock.clone());
        let grant = support::grant(flow.clone(), support::BASE, clock);
        group.bench_function(BenchmarkId::new(name, "in_process"), |bencher| {
            bencher.to_async(&runtime).iter(|| exchange(&grant, &in_process));
        });
        let host =
            runtime.block_on(Host::start(support::org(), Clock::real(), "127.0.0.1:0")).expect("a free port");
        let socket = Transport::http(None, Duration::from_secs(10), &host.url()).expect("a way there");
        let grant = support::grant(flow, &host.url(), Clock::real());
        group.bench_function(BenchmarkId::new(name, "socket"), |bencher| {
            bencher.to_async(&runtime).iter(|| exchange(&grant, &socket));
        });
        runtime.block_on(host.stop());
    }
    group.finish();
}

/// All callers find the token dead; one renews it for all.
async fn renewal(clock: Clock, session: Arc<Renewing>, callers: usize) {
    clock.advance(86_400_000);
    let before = session.renewals();
    let mut calls = JoinSet::new();
    for _ in 0..callers {
        let (session, request) = (session.clone(), support::call(support::BASE));
        calls.spawn(async move { session.call(&request).await.map(|response| response.status) });
    }
    assert!(calls.join_all().await.iter().all(|status| *status == Ok(200)), "every call is answered");
    assert_eq!(session.renewals(), before + 1, "one renewal for all");
}

fn refresh_on_401(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("refresh_on_401");
    for callers in [1, 30, 1000] {
        let clock = Clock::own(support::NOW);
        let transport = Transport::InProcess(support::org(), clock.clone());
        let grant = support::grant(Action::ClientCredentials, support::BASE, clock.clone());
        let session = Renewing::new(transport, grant, None, None);
        runtime.block_on(session.call(&support::call(support::BASE))).expect("a first token");
        group.throughput(Throughput::Elements(callers as u64));
        group.bench_function(BenchmarkId::from_parameter(callers), |bencher| {
            bencher.to_async(&runtime).iter(|| renewal(clock.clone(), session.clone(), callers));
        });
    }
    group.finish();
}

fn many_at_once(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("hundred_at_once");
    for (name, flow) in FLOWS {
        let clock = Clock::own(support::NOW);
        let transport = Transport::InProcess(support::org(), clock.clone());
        let grant = support::grant(flow, support::BASE, clock);
        group.throughput(Throughput::Elements(100));
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let mut all = JoinSet::new();
                for _ in 0..100 {
                    let (grant, transport) = (grant.clone(), transport.clone());
                    all.spawn(async move { exchange(&grant, &transport).await });
                }
                assert_eq!(all.join_all().await.len(), 100);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, one_exchange, refresh_on_401, many_at_once);
criterion_main!(benches);
