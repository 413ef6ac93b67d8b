//! An org that is not ours: what a target gives in place of a login.

use std::sync::Arc;

use crate::support::{complaints, embedded, options, org_suites, outcome_async, suite, suite_of};
use grantcheck::oauth::salesforce::Profile;
use grantcheck::org::Org;
use grantcheck::report::{Report, Word};
use grantcheck::subject::{AppPolicy, Brought, Flow, Grant, Login, Setting, Target};
use grantcheck::wire::Clock;
use grantcheck::wire::host::Host;

/// A target that reaches that org as somebody else's.
fn target_at(url: &str) -> Target {
    let mut target = Target { org: Some(url.to_owned()), disposable: true, ..embedded() };
    target.apps.retain(|role, _| role == "main" || role == "other");
    target
}

/// What a login that went before brought, and nothing revoked since: this target knows no revocation endpoint.
async fn refresh_token(url: &str) -> String {
    brought(url, "refresh_token").await
}

/// A member of the token answer to a login that nothing was tidied up after.
async fn brought(url: &str, name: &str) -> String {
    let mut target = target_at(url);
    target.profile = Profile::Rfc;
    target.endpoints.authorize = Some(format!("{url}/services/oauth2/authorize"));
    target.endpoints.token = Some(format!("{url}/services/oauth2/token"));
    target.endpoints.discovery = Some(format!("{url}/nowhere"));
    target.endpoints.metadata = Some(format!("{url}/nowhere"));
    let suite = "
suite: login
judges: org
scenarios:
  - scenario: somebody logs in
    steps: [{ do: authorize }, { do: redeem }]
";
    let outcome = outcome_async(&options(target, vec![suite_of("suites/login.yaml", suite)])).await;
    let mut tokens = outcome.transcript.exchanges.iter().filter_map(|x| x.text(name));
    tokens.next().unwrap_or_else(|| panic!("{}", complaints(&outcome.report))).to_owned()
}

fn not_testable<'r>(report: &'r Report, scenario: &str) -> &'r str {
    let row = report.scenarios.iter().find(|row| row.scenario == scenario).expect(scenario);
    row.reason.as_deref().unwrap_or_else(|| panic!("{scenario} was played: {}", row.verdict.word()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_stands_in_for_a_login_and_outlives_the_run() {
    let org = Arc::new(Org::new(&embedded(), &[], [7; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    let mut target = target_at(&host.url());
    target.settings.0.insert("rotation".into(), Setting::Flag(false));
    let refresh_token = refresh_token(&host.url()).await;
    target.login = Login::Given(Grant {
        app: "main".into(),
        user: "main".into(),
        token: Brought::RefreshToken(refresh_token.into()),
    });
    // The same token carries two runs: the first neither revokes it nor uses it up.
    for _ in 0..2 {
        let outcome = outcome_async(&options(target.clone(), org_suites())).await;
        assert!(complaints(&outcome.report).is_empty(), "{}", complaints(&outcome.report));
        let refreshed =
            |id: &str| outcome.report.checks.iter().any(|row| row.check == id && row.scenarios > 0);
        assert!(refreshed("refresh/gives-a-working-access-token"));
        assert!(refreshed("refresh/unknown-token-is-refused"));
        let report = &outcome.report;
        assert!(not_testable(report, "a code works once").contains("the login itself"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_only_refreshes_conforms_with_a_token_at_hand() {
    let org = Arc::new(Org::new(&embedded(), &[], [8; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    let mut target = target_at(&host.url());
    target.settings.0.insert("rotation".into(), Setting::Flag(false));
    target.apps.retain(|role, _| role == "main");
    target.apps.get_mut("main").unwrap().flows = vec![Flow::RefreshToken];
    let refresh_token = refresh_token(&host.url()).await.into();
    target.login = Login::Given(Grant {
        app: "main".into(),
        user: "main".into(),
        token: Brought::RefreshToken(refresh_token),
    });
    let suites = vec![suite("suites/org/refresh.yaml")];
    let report = outcome_async(&options(target, suites)).await.report;
    assert!(report.summary.pass >= 4, "{:?}", report.summary);
    assert_eq!((complaints(&report).as_str(), report.exit()), ("", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_at_hand_that_is_refused_proves_nothing_against_the_org() {
    let org = Arc::new(Org::new(&embedded(), &[], [9; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    let mut target = target_at(&host.url());
    target.settings.0.insert("rotation".into(), Setting::Flag(false));
    let refresh_token = "5Aep861nobody.issued.this.one".into();
    target.login = Login::Given(Grant {
        app: "main".into(),
        user: "main".into(),
        token: Brought::RefreshToken(refresh_token),
    });
    let suites = vec![suite("suites/org/refresh.yaml"), suite("suites/org/introspection.yaml")];
    let report = outcome_async(&options(target, suites)).await.report;
    assert_eq!((report.summary.fail, report.exit()), (0, 3), "{}", complaints(&report));
    assert!(complaints(&report).contains("log in again where it is too old"), "{}", complaints(&report));
}

/// A target of somebody else's org says nothing of policies: what is expected of a role, its scenario says.
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_roles_conform_where_no_policy_is_known() {
    let org = Arc::new(Org::new(&embedded(), &[], [10; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    for integration in [true, false] {
        let mut target = Target { apps: embedded().apps, ..target_at(&host.url()) };
        for app in target.apps.values_mut() {
            app.policy = AppPolicy::default();
        }
        target.users.retain(|role, _| integration || role != "integration");
        let suites = vec![suite("suites/org/client-credentials.yaml")];
        let report = outcome_async(&options(target, suites)).await.report;
        assert!(complaints(&report).is_empty(), "{}", complaints(&report));
        for scenario in
            ["an app without a user to run as is refused", "an app with scopes of users alone is refused"]
        {
            let row = report.scenarios.iter().find(|row| row.scenario == scenario).unwrap();
            assert_eq!(row.verdict, Word::Pass, "{scenario}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_at_hand_carries_what_only_calls() {
    let org = Arc::new(Org::new(&embedded(), &[], [11; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    let mut target = target_at(&host.url());
    let source = "
suite: calls
judges: org
scenarios:
  - scenario: a token opens the API
    steps: [{ do: authorize }, { do: redeem }, { do: call, step: live }, { do: call, token: none, control: live, expect: { refused: access-token-missing } }]
  - scenario: a login is about itself
    steps: [{ do: authorize }, { do: redeem }]
  - scenario: it refreshes
    steps: [{ do: authorize }, { do: redeem }, { do: refresh }]
";
    let login = suite_of("suites/calls.yaml", source);
    let issued = brought(&host.url(), "access_token").await;
    let given = |token: &str| {
        Login::Given(Grant {
            app: "main".into(),
            user: "main".into(),
            token: Brought::AccessToken(token.into()),
        })
    };
    target.login = given(&issued);
    let outcome = outcome_async(&options(target.clone(), vec![login.clone()])).await;
    assert!(complaints(&outcome.report).is_empty(), "{}", complaints(&outcome.report));
    assert_eq!(outcome.report.summary.pass, 1);
    assert!(not_testable(&outcome.report, "a login is about itself").contains("an access token alone"));
    assert!(not_testable(&outcome.report, "it refreshes").contains("it does `refresh`"));
    assert!(
        !serde_json::to_string(&grantcheck::report::redacted(&outcome.report, &mut { outcome.redactor }))
            .unwrap()
            .contains(&issued)
    );
    // One that is too old is nobody's fail.
    target.login = given("00Dxx0000000001!gone.gone.gone.gone.gone.gone.gone.gone");
    let outcome = outcome_async(&options(target, vec![login])).await;
    assert_eq!(
        (outcome.report.summary.fail, outcome.report.summary.inconclusive),
        (0, 1),
        "{}",
        complaints(&outcome.report)
    );
}
