//! Two runs side by side, and what is looked at before a real org is played against.

use std::sync::Arc;

use crate::support::{Folder, at, embedded, grantcheck, read, target};
use grantcheck::diagnostic::Text;
use grantcheck::metadata::{Project, Registration, registration};
use grantcheck::org::Org;
use grantcheck::report::Drift;
use grantcheck::run::{How, look_around, look_before};
use grantcheck::subject::Target;
use grantcheck::wire::Clock;
use grantcheck::wire::host::Host;

#[test]
fn a_run_is_like_itself_and_differs_from_one_with_a_fault_where_the_fault_is() {
    let folder = Folder::new("compare");
    let path = |name: &str| folder.join(name).display().to_string();
    let suite = at("suites/org/refresh.yaml").display().to_string();
    let play = |name: &str, more: &[&str]| {
        let report = format!("json={}", path(name));
        let mut arguments = vec!["run", suite.as_str(), "--report", report.as_str()];
        arguments.extend(more);
        grantcheck(&arguments)
    };
    play("a.json", &[]);
    play("b.json", &["--seed", "7"]);
    play("c.json", &["--fault", "refresh-scope-lost"]);
    let (exit, told, err) = grantcheck(&["compare", &path("a.json"), &path("b.json")]);
    assert_eq!((exit, err.as_str()), (0, ""), "{told}");
    assert!(told.contains("0 verdicts and 0 answers differ"), "{told}");
    let (exit, told, _) =
        grantcheck(&["compare", &path("a.json"), &path("c.json"), "--drift", &path("kept.json")]);
    assert!(exit == 1 && told.contains("text     refresh 200") && told.contains("verdict"), "{told}");
    let kept: Drift =
        serde_json::from_str(&std::fs::read_to_string(folder.join("kept.json")).unwrap()).unwrap();
    assert!(!kept.differences.is_empty() && kept.compared > 10);
    let validator = jsonschema::validator_for(&grantcheck::report::drift_schema()).unwrap();
    assert!(validator.is_valid(&serde_json::to_value(&kept).unwrap()));
    // What is known is no news; what went away is told.
    let (exit, told, _) =
        grantcheck(&["compare", &path("a.json"), &path("c.json"), "--known", &path("kept.json")]);
    assert!(exit == 0 && told.contains("0 new, 0 gone"), "{told}");
    let (exit, told, _) =
        grantcheck(&["compare", &path("a.json"), &path("b.json"), "--known", &path("kept.json")]);
    assert!(exit == 0 && told.contains("gone\n") && told.contains("0 known, 0 new"), "{told}");
    for (arguments, cure) in [
        (["compare", &path("a.json"), &path("kept.json")], "is no report of a run"),
        (["compare", &path("a.json"), "Cargo.toml"], "is no report of a run"),
    ] {
        let (exit, _, err) = grantcheck(&arguments);
        assert!(exit == 2 && err.contains(cure), "{err}");
    }
    // What is compared is not written over.
    let (exit, _, err) =
        grantcheck(&["compare", &path("a.json"), &path("c.json"), "--drift", &path("./a.json")]);
    assert!(exit == 2 && err.contains("is one of the reports that are compared"), "{err}");
    let (exit, _, err) =
        grantcheck(&["compare", &path("a.json"), &path("b.json"), "--known", &path("b.json")]);
    assert!(exit == 2 && err.contains("is no drift"), "{err}");
}

/// An app as its metadata has it.
fn app(oauth: &str) -> Registration {
    let source = format!("<ConnectedApp><oauthConfig>{oauth}</oauthConfig></ConnectedApp>");
    let mut project = Project::default();
    assert!(project.add(&Text::new("Main.connectedApp", source)));
    let apps = project.apps();
    registration(&apps[0]).unwrap()
}

/// What is told before an org is played against that has the shipped apps.
async fn told(change: impl Fn(&mut Target), metadata: &[Registration]) -> Vec<(How, String)> {
    told_of("main", change, metadata).await
}

/// The same, where the target has that app alone.
async fn told_of(app: &str, change: impl Fn(&mut Target), metadata: &[Registration]) -> Vec<(How, String)> {
    let mut org = embedded();
    change(&mut org);
    let host =
        Host::start(Arc::new(Org::new(&org, &[], [3; 32])), Clock::real(), "127.0.0.1:0").await.unwrap();
    let mut target = Target { org: Some(host.url()), ..target("suites/targets/embedded.yaml") };
    target.apps.retain(|role, _| role == app);
    let around = look_around(&target, std::time::Duration::from_secs(10)).await.unwrap();
    let roles = [app.to_owned()].into();
    let looks = look_before(&target, &around, metadata, &roles).await;
    looks.into_iter().map(|look| (look.how, format!("{}: {}; {}", look.what, look.seen, look.cure))).collect()
}

fn wrong(looks: &[(How, String)]) -> Vec<&str> {
    looks.iter().filter(|(how, _)| *how != How::Right).map(|(_, told)| told.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_is_as_the_target_says_is_told_right() {
    let looks = told(|_| {}, &[]).await;
    assert_eq!(wrong(&looks), [""; 0]);
    // Host, clock, two callbacks, PKCE.
    assert_eq!(looks.len(), 5, "{looks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_the_metadata_says_is_told_with_its_cure() {
    let other =
        grantcheck::oauth::keys::Certificate::read(&read("tests/keys/app-other.crt")).unwrap().base64();
    let meant = app(&format!(
        "<callbackUrl>https://client.example/callback\nhttps://new.example/callback</callbackUrl><certificate>{other}</certificate>\
         <isPkceRequired>true</isPkceRequired><scopes>Api</scopes>"
    ));
    let looks = told(|_| {}, &[meant]).await;
    let wrong = wrong(&looks);
    assert_eq!(wrong.len(), 3, "{looks:?}");
    assert!(
        wrong[0].starts_with("certificate: the key of the target is not that of the certificate"),
        "{wrong:?}"
    );
    assert!(
        wrong[1]
            .starts_with("callback: https://new.example/callback is not registered (redirect_uri_mismatch"),
        "{wrong:?}"
    );
    assert!(
        wrong[2].starts_with("PKCE: a login without a challenge is begun, and the metadata says"),
        "{wrong:?}"
    );
    assert!(wrong.iter().all(|line| !line.ends_with("; ")), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_callback_that_does_not_fit_is_told_be_it_of_the_target_alone() {
    let meant =
        app("<callbackUrl>https://new.example/1\nhttps://new.example/2</callbackUrl><scopes>Api</scopes>");
    let gone = |org: &mut Target| {
        org.apps.get_mut("main").unwrap().redirect_uris.remove(0);
    };
    let looks = told(gone, &[meant]).await;
    let callbacks: Vec<&str> =
        wrong(&looks).into_iter().filter(|line| line.starts_with("callback")).collect();
    assert_eq!(callbacks.len(), 3, "{looks:?}");
    assert!(callbacks[2].starts_with("callback: https://client.example/callback is not"), "{callbacks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_the_org_does_not_have_is_told_once() {
    let looks = told(
        |org| {
            org.apps.get_mut("main").unwrap().client_id = "another".into();
        },
        &[],
    )
    .await;
    let wrong = wrong(&looks);
    assert_eq!(wrong.len(), 1, "{looks:?}");
    assert!(
        wrong[0].starts_with("consumer key: the org does not begin a login (invalid_client_id"),
        "{wrong:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_app_that_is_played_is_looked_at() {
    let looks = told_of(
        "other",
        |org| {
            org.apps.get_mut("other").unwrap().client_id = "another".into();
        },
        &[],
    )
    .await;
    let wrong = wrong(&looks);
    assert_eq!(wrong.len(), 1, "{looks:?}");
    assert!(wrong[0].starts_with("consumer key: the org does not begin a login"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_without_a_consumer_key_is_of_the_app_of_its_name() {
    // It stands first, and is not the target's `main` all the same.
    let callback = "<callbackUrl>https://new.example/callback</callbackUrl><scopes>Api</scopes>";
    let meant = Registration { name: "other".into(), ..app(callback) };
    let looks = told_of("other", |_| {}, &[meant]).await;
    let wrong = wrong(&looks);
    let missing = "callback: https://new.example/callback is not registered";
    assert!(wrong.iter().any(|line| line.starts_with(missing)), "{looks:?}");
}
