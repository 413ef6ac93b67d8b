//! What is suggested for an app fits it: the embedded org with the app plays it without a fail.

use proptest::prelude::*;
use std::path::Path;

use crate::apps::{Elements, base, files};
use crate::lint::{NOW, findings, project};
use crate::support::{Folder, at, complaints, embedded, grantcheck, options, outcome, read};
use grantcheck::diagnostic::Text;
use grantcheck::metadata::{
    Keys, Kind, Profile, Project, Registration, join, lint, registration, rules, suggest,
};
use grantcheck::report::Report;
use grantcheck::suite::{Lookup, read_suite, read_target};
use grantcheck::verdict::Level;

/// Plays what is suggested for the apps of a project on the embedded org that has them.
fn played(project: &Project) -> Report {
    played_together(project.apps().iter().filter_map(registration).collect())
}

fn played_together(apps: Vec<Registration>) -> Report {
    let org = apps.clone();
    played_on(&apps, org)
}

/// Plays what is suggested for some apps on the embedded org that has others in their place.
fn played_on(apps: &[Registration], org: Vec<Registration>) -> Report {
    let named = suggest::named(apps);
    let target = suggest::target(&named);
    let anything = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable("SF_ORG") => Some("https://acme.my.salesforce.com".to_owned()),
        Lookup::Variable(name) => Some(format!("value-of-{name}")),
        Lookup::File(_) => Some(read("suites/targets/keys/main.key")),
    };
    read_target(&Text::new("target.yaml", target.clone()), &anything).map_or_else(
        |problems| {
            let others = |problem: &&grantcheck::diagnostic::Diagnostic| problem.code != "key-mismatch";
            let wrong: Vec<String> = problems.iter().filter(others).map(ToString::to_string).collect();
            assert!(wrong.is_empty(), "{}\n{target}", wrong.join("\n"));
        },
        |_| (),
    );
    let suites = suggest::suites(&named)
        .into_iter()
        .map(|(name, source, count)| {
            let suite =
                read_suite(&Text::new(name, source.clone()), "suggested").unwrap_or_else(|problems| {
                    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    panic!("{}\n{source}", shown.join("\n"))
                });
            assert_eq!(suite.scenarios.len(), count);
            suite
        })
        .collect();
    let joined = join(org, None, &embedded(), Keys::StandIn);
    outcome(&options(joined.target, suites)).report
}

/// What does not hold of a report: of a clean app nothing may, of another one the expectations hold all the same.
fn wrong(report: &Report, clean: bool) -> Option<String> {
    let expectation = |row: &grantcheck::report::ScenarioRow| {
        row.findings
            .iter()
            .any(|f| f.check.is_none() && matches!(f.verdict.word(), "fail" | "inconclusive" | "warn"))
    };
    let bad = report
        .scenarios
        .iter()
        .any(|row| expectation(row) || (clean && matches!(row.verdict.word(), "fail" | "inconclusive")));
    (bad || report.summary.bugs > 0).then(|| complaints(report))
}

#[test]
fn each_shipped_good_app_plays_what_is_suggested_for_it() {
    let (mut scenarios, mut apps) = (0, 0);
    for rule in rules() {
        let folder = format!("suites/apps/rules/{}/good", rule.id);
        let project = project(&folder);
        if !project.apps().iter().any(|app| app.has_oauth()) {
            continue;
        }
        let report = played(&project);
        assert_eq!(wrong(&report, true), None, "{folder}");
        (scenarios, apps) = (scenarios + report.summary.pass, apps + 1);
    }
    assert!(apps > 50 && scenarios > 10 * apps, "{apps} apps, {scenarios} scenarios");
}

#[test]
fn apps_of_every_element_play_what_is_suggested_for_them() {
    let project = project("suites/apps/elements");
    let apps: Vec<Registration> = project.apps().iter().filter_map(registration).collect();
    assert!(apps.len() > 1, "{}", apps.len());
    for app in apps {
        let name = app.name.clone();
        assert_eq!(wrong(&played_together(vec![app]), false), None, "{name}");
    }
}

/// Every value that a setting may have, one of which is nothing.
type Choice = (Kind, &'static str, &'static [&'static str]);

const CONNECTED: &[Choice] = &[
    (
        Kind::ConnectedApp,
        "oauthConfig/callbackUrl",
        &[
            "https://a.example/cb",
            "http://localhost:1717/cb\nhttps://a.example/cb?x=1",
            "acme://back",
            "https://a.example/cb\nhttps://a.example/cbx",
        ],
    ),
    (
        Kind::ConnectedApp,
        "oauthConfig/scopes",
        &[
            "Api|RefreshToken|OpenID|Basic",
            "Api",
            "Basic|OfflineAccess",
            "Full|RefreshToken",
            "Web|RefreshToken",
            "Wave|Pardot|Eclair|OpenID",
        ],
    ),
    (Kind::ConnectedApp, "oauthConfig/certificate", &["", "CERTIFICATE"]),
    (Kind::ConnectedApp, "oauthConfig/isPkceRequired", &["true", "false", ""]),
    (Kind::ConnectedApp, "oauthConfig/isConsumerSecretOptional", &["", "true"]),
    (Kind::ConnectedApp, "oauthConfig/isSecretRequiredForRefreshToken", &["", "false"]),
    (Kind::ConnectedApp, "oauthConfig/isAdminApproved", &["", "true"]),
    (Kind::ConnectedApp, "permissionSetName", &["", "Users"]),
    (Kind::ConnectedApp, "oauthConfig/isClientCredentialEnabled", &["", "true"]),
    (Kind::ConnectedApp, "oauthConfig/oauthClientCredentialUser", &["", "integration@acme.com"]),
    (Kind::ConnectedApp, "oauthConfig/isRefreshTokenRotationEnabled", &["", "true"]),
    (Kind::ConnectedApp, "oauthConfig/isIntrospectAllTokens", &["", "true"]),
    (Kind::ConnectedApp, "oauthConfig/isNamedUserJwtEnabled", &["", "true"]),
    (Kind::ConnectedApp, "oauthPolicy/ipRelaxation", &["ENFORCE", "BYPASS", "ENFORCE_RELAXREFRESH"]),
    (
        Kind::ConnectedApp,
        "oauthPolicy/refreshTokenPolicy",
        &[
            "infinite",
            "zero",
            "specific_lifetime:1:HOURS",
            "specific_inactivity:30:DAYS",
            "specific_lifetime:12:MONTHS",
        ],
    ),
    (Kind::ConnectedApp, "sessionPolicy/sessionTimeout", &["", "15", "1440"]),
];

const EXTERNAL: &[Choice] = &[
    (
        Kind::GlobalOauthSettings,
        "callbackUrl",
        &["https://a.example/cb", "http://localhost:1717/cb\nhttps://a.example/cb?x=1"],
    ),
    (
        Kind::OauthSettings,
        "commaSeparatedOauthScopes",
        &["Api, RefreshToken, OpenID, Basic", "Api", "Basic, OfflineAccess", "Full, RefreshToken", "Web"],
    ),
    (Kind::OauthSettings, "commaSeparatedCustomScopes", &["", "acme_orders"]),
    (Kind::GlobalOauthSettings, "certificate", &["", "CERTIFICATE"]),
    (Kind::GlobalOauthSettings, "isPkceRequired", &["true", "false", ""]),
    (Kind::GlobalOauthSettings, "isConsumerSecretOptional", &["", "true"]),
    (Kind::GlobalOauthSettings, "isSecretRequiredForRefreshToken", &["", "false"]),
    (
        Kind::OauthPolicies,
        "permittedUsersPolicyType",
        &["", "AllSelfAuthorized", "AdminApprovedPreAuthorized"],
    ),
    (Kind::OauthPolicies, "commaSeparatedProfile", &["", "Admin"]),
    (Kind::GlobalOauthSettings, "isClientCredentialsFlowEnabled", &["", "true"]),
    (Kind::OauthPolicies, "isClientCredentialsFlowEnabled", &["", "true"]),
    (Kind::OauthPolicies, "clientCredentialsFlowUser", &["", "integration@acme.com"]),
    (Kind::GlobalOauthSettings, "isRefreshTokenRotationEnabled", &["", "true"]),
    (
        Kind::OauthPolicies,
        "refreshTokenPolicyType",
        &["", "Infinite", "Zero", "SpecificLifetime", "SpecificInactivity"],
    ),
    (Kind::OauthPolicies, "refreshTokenValidityPeriod", &["7"]),
    (Kind::OauthPolicies, "refreshTokenValidityUnit", &["Days", "Hours"]),
    (Kind::OauthPolicies, "sessionTimeoutInMinutes", &["", "30"]),
    (Kind::Policies, "isEnabled", &["", "true", "false"]),
];

/// An app with one value of each choice.
fn app(choices: &[Choice], picks: &[usize]) -> Project {
    let connected = choices[0].0 == Kind::ConnectedApp;
    let mut elements: Elements = base(if connected { Kind::ConnectedApp } else { Kind::GlobalOauthSettings });
    let certificate = elements
        .iter()
        .find(|((_, path), _)| path.ends_with("certificate"))
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    for ((kind, path, values), pick) in choices.iter().zip(picks) {
        let value = values[pick % values.len()];
        elements.insert(
            (*kind, path),
            if value == "CERTIFICATE" { certificate.clone() } else { value.to_owned() },
        );
    }
    files(&elements)
}

fn is_clean(project: &Project) -> bool {
    let context = grantcheck::metadata::Context {
        project,
        apps: project.apps(),
        now: NOW,
        soon_days: 0,
        keys: Vec::new(),
    };
    // What is about files as such, and about ends of certificates, says nothing of an app's behaviour.
    let about = |id: &str| !["files/", "parts/", "certificates/"].iter().any(|family| id.starts_with(family));
    lint(&context, Profile::General).iter().all(|f| f.level == Level::BestPractice || !about(f.rule.id))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_app_of_any_settings_plays_what_is_suggested_for_it(
        connected: bool,
        picks in prop::collection::vec(0..60_usize, 18),
    ) {
        let project = app(if connected { CONNECTED } else { EXTERNAL }, &picks);
        let report = played(&project);
        prop_assert_eq!(wrong(&report, is_clean(&project)), None);
    }
}

#[test]
fn some_generated_apps_are_without_findings() {
    let picks: Vec<usize> = vec![0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 3, 0, 0, 0];
    let project = app(CONNECTED, &picks);
    let told: Vec<String> = findings(&project, Profile::General)
        .iter()
        .filter(|f| f.level > Level::BestPractice)
        .map(|f| f.rule.id.to_owned())
        .collect();
    assert!(is_clean(&project), "{told:?}");
    let report = played(&project);
    assert_eq!(wrong(&report, true), None);
    assert!(report.summary.pass >= 25, "{:?}", report.summary);
}

#[test]
fn files_are_written_once_and_hold_no_secret() {
    let folder = Folder::new("suggest");
    let source = "<ConnectedApp><oauthConfig><callbackUrl>https://a.example/cb</callbackUrl><consumerKey>3MVG9key</consumerKey>\
                  <consumerSecret>s3cr3t-of-the-app</consumerSecret><scopes>Api</scopes></oauthConfig></ConnectedApp>";
    std::fs::write(folder.join("Target.connectedApp"), source).unwrap();
    let shown = |path: &Path| path.display().to_string();
    let (xml, out) = (shown(&folder.join("Target.connectedApp")), shown(&folder.join("out")));
    let (exit, told, err) = grantcheck(&["suggest", &xml, "--out", &out]);
    assert_eq!(exit, 0, "{err}");
    assert!(told.contains("takes from outside: SF_ORG, SF_CLIENT_SECRET, SF_USERNAME"), "{told}");
    for name in ["target.yaml", "main.yaml"] {
        let written = std::fs::read_to_string(folder.join("out").join(name)).unwrap();
        assert!(!written.contains("s3cr3t"), "{written}");
    }
    let (exit, _, err) = grantcheck(&["suggest", &xml, "--out", &out]);
    assert!(exit == 2 && err.contains("is there already") && err.contains("--force"), "{err}");
    assert_eq!(grantcheck(&["suggest", &xml, "--out", &out, "--force"]).0, 0);
    // What was written plays.
    let suite = shown(&folder.join("out/main.yaml"));
    let (exit, told, err) = grantcheck(&["run", &suite, "--app", &xml]);
    assert!(exit != 1 && exit != 2, "{told}{err}");
    assert!(err.contains("the app Target as `main`: web-server; scopes api"), "{err}");
    assert!(!(told + &err).contains("s3cr3t"));
    std::fs::write(folder.join("Other.connectedApp"), source).unwrap();
    let other = shown(&folder.join("Other.connectedApp"));
    for (arguments, cure) in [
        (vec!["run", "--app", &xml, "--app", &other], "has the consumer key of the app"),
        (vec!["suggest", "/no/such.xml"], "is not there"),
        (vec!["run", "--app", "Cargo.toml"], "is no metadata"),
        (vec!["run", "--app", &shown(&at("suites/org"))], "there is no app at"),
    ] {
        let (exit, _, err) = grantcheck(&arguments);
        assert!(exit == 2 && err.contains(cure), "{err}");
    }
}

/// Connected apps of these names and elements of `oauthConfig`.
fn connected(apps: &[(&str, &str)]) -> Vec<Registration> {
    let mut project = Project::default();
    for (name, oauth) in apps {
        let source = format!("<ConnectedApp><oauthConfig>{oauth}</oauthConfig></ConnectedApp>");
        assert!(project.add(&Text::new(format!("{name}.connectedApp"), source)));
    }
    project.apps().iter().filter_map(registration).collect()
}

const ALONE: &str = "<isClientCredentialEnabled>true</isClientCredentialEnabled>";

#[test]
fn each_app_of_a_target_has_the_user_that_it_runs_as() {
    let run_as = |user: &str| {
        format!(
            "<callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes>{ALONE}\
             <oauthClientCredentialUser>{user}@acme.com</oauthClientCredentialUser>"
        )
    };
    let apps = connected(&[("A", &run_as("a")), ("B", &run_as("b")), ("C", &run_as("A"))]);
    let written = suggest::target(&suggest::named(&apps));
    let anything = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable("SF_ORG") => Some("https://acme.my.salesforce.com".to_owned()),
        Lookup::Variable(name) => Some(format!("value-of-{name}")),
        Lookup::File(_) => None,
    };
    let target = read_target(&Text::new("target.yaml", written), &anything).unwrap();
    let subject = target.subject();
    let run_as: Vec<(&str, Option<&str>)> =
        subject.apps.iter().map(|(role, app)| (role.as_str(), app.run_as.as_deref())).collect();
    assert_eq!(run_as, [("B", Some("b@acme.com")), ("C", Some("a@acme.com")), ("main", Some("a@acme.com"))]);
}

#[test]
fn apps_whose_policies_differ_are_each_judged_by_its_own() {
    let policies = [
        ("Plain", ""),
        ("Optional", "<isConsumerSecretOptional>true</isConsumerSecretOptional>"),
        ("Told", "<isIntrospectAllTokens>true</isIntrospectAllTokens>"),
        ("Rotates", "<isRefreshTokenRotationEnabled>true</isRefreshTokenRotationEnabled>"),
        ("Free", "<isSecretRequiredForRefreshToken>false</isSecretRequiredForRefreshToken>"),
    ];
    let policies = policies.map(|(name, own)| {
        let oauth = format!(
            "<callbackUrl>https://a.example/{name}</callbackUrl><isPkceRequired>true</isPkceRequired>\
             <scopes>Api</scopes><scopes>RefreshToken</scopes>{own}"
        );
        (name, oauth)
    });
    let apps = policies.each_ref().map(|(name, oauth)| (*name, oauth.as_str()));
    let report = played_together(connected(&apps));
    assert_eq!(wrong(&report, true), None);
    let blamed = report.scenarios.iter().flat_map(|row| &row.findings).any(|f| f.verdict.word() == "warn");
    assert!(!blamed, "{}", complaints(&report));
}

#[test]
fn a_public_client_whose_tokens_are_bound_to_a_key_need_not_rotate() {
    let oauth = "<callbackUrl>https://a.example/cb</callbackUrl><isConsumerSecretOptional>true</isConsumerSecretOptional>\
        <isSecretRequiredForRefreshToken>false</isSecretRequiredForRefreshToken><isPkceRequired>true</isPkceRequired>\
        <scopes>Api</scopes><scopes>RefreshToken</scopes>";
    let bound = format!("{oauth}<isDPopEnabled>true</isDPopEnabled>");
    assert_eq!(wrong(&played_together(connected(&[("A", &bound)])), true), None);
    let blamed = wrong(&played_together(connected(&[("A", oauth)])), true).unwrap_or_default();
    assert!(blamed.contains("refresh/public-client-gets-rotation"), "{blamed}");
}

#[test]
fn a_lifetime_is_told_from_the_next_shorter_and_the_next_longer() {
    let app = |lifetime: &str, minutes: u32| {
        let source = format!(
            "<ConnectedApp><oauthConfig><callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes>\
             <scopes>RefreshToken</scopes></oauthConfig><oauthPolicy><refreshTokenPolicy>{lifetime}</refreshTokenPolicy>\
             </oauthPolicy><sessionPolicy><sessionTimeout>{minutes}</sessionTimeout></sessionPolicy></ConnectedApp>"
        );
        let mut project = Project::default();
        assert!(project.add(&Text::new("A.connectedApp", source)));
        project.apps().iter().filter_map(registration).collect::<Vec<_>>()
    };
    for (kind, unit, count) in [
        ("specific_inactivity", "DAYS", 30),
        ("specific_lifetime", "DAYS", 30),
        ("specific_inactivity", "HOURS", 2),
        ("specific_lifetime", "HOURS", 24),
    ] {
        let policy = |count: u32| format!("{kind}:{count}:{unit}");
        let suggested = app(&policy(count), 15);
        let expects = |count, minutes| wrong(&played_on(&suggested, app(&policy(count), minutes)), false);
        assert_eq!(expects(count, 15), None, "{kind}");
        for (other, minutes) in [(count - 1, 15), (count + 1, 15), (count, 10), (count, 20)] {
            assert!(expects(other, minutes).is_some(), "{} {minutes}", policy(other));
        }
    }
}

#[test]
fn a_target_speaks_as_salesforce_does_whatever_its_host() {
    let apps = connected(&[("A", "<callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes>")]);
    let anything = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable("SF_ORG") => Some("http://127.0.0.1:1".to_owned()),
        Lookup::Variable(name) => Some(format!("value-of-{name}")),
        Lookup::File(_) => None,
    };
    let written = suggest::target(&suggest::named(&apps));
    let target = read_target(&Text::new("target.yaml", written), &anything).unwrap();
    assert_eq!(target.profile, grantcheck::oauth::salesforce::Profile::Salesforce);
}

#[test]
fn a_callback_with_a_parameter_of_answers_is_left_out_and_told() {
    let oauth = "<callbackUrl>https://a.example/cb?code=1\nhttps://a.example/cb?x=1</callbackUrl><scopes>Api</scopes>";
    let apps = connected(&[("A", oauth)]);
    let left_out = suggest::left_out(&suggest::named(&apps)).join("\n");
    assert!(left_out.contains("its query has a parameter that answers have"), "{left_out}");
    assert!(!suggest::target(&suggest::named(&apps)).contains("code=1"));
    assert_eq!(wrong(&played_together(apps), true), None);
}

#[test]
fn visualforce_is_a_scope_that_works_without_a_user() {
    for more in ["", "<scopes>Full</scopes><scopes>Web</scopes>"] {
        let oauth = format!(
            "<callbackUrl>https://a.example/cb</callbackUrl><scopes>CustomApplications</scopes>{more}{ALONE}\
             <oauthClientCredentialUser>integration@acme.com</oauthClientCredentialUser>"
        );
        let report = played_together(connected(&[("A", &oauth)]));
        assert_eq!(wrong(&report, true), None, "{more}");
    }
}

#[test]
fn a_callback_that_stands_twice_is_played_once_and_one_with_a_password_never() {
    let oauth = "<callbackUrl>https://a.example/cb\nhttps://a.example/cb\nhttps://u:s3cr3t@a.example/cb\n\
        https://a.example/#x</callbackUrl><scopes>Api</scopes>";
    let apps = connected(&[("A", oauth)]);
    let left_out = suggest::left_out(&suggest::named(&apps)).join("\n");
    assert!(
        left_out.contains("a secret stands in it") && left_out.contains("it has a fragment"),
        "{left_out}"
    );
    let written = suggest::target(&suggest::named(&apps));
    assert!(!(written + &left_out).contains("s3cr3t"));
    assert_eq!(wrong(&played_together(apps), false), None);
}

#[test]
fn an_app_that_nothing_can_be_played_of_has_no_suite() {
    let folder = Folder::new("suggest-nothing");
    let source = "<ConnectedApp><oauthConfig><scopes>RefreshToken</scopes></oauthConfig></ConnectedApp>";
    let xml = folder.join("A.connectedApp");
    std::fs::write(&xml, source).unwrap();
    let out = folder.join("out");
    let (exit, told, err) =
        grantcheck(&["suggest", &xml.display().to_string(), "--out", &out.display().to_string()]);
    assert_eq!((exit, told.as_str()), (3, ""), "{err}");
    assert!(err.contains("left out: the suite of A: nothing can be played") && !out.exists(), "{err}");
}

#[test]
fn a_policy_that_is_none_or_endless_writes_what_can_be_read() {
    for policy in [
        "specific_lifetime:0:HOURS",
        "specific_inactivity:99999999999999999:HOURS",
        "specific_inactivity:100000:MONTHS",
    ] {
        let source = format!(
            "<ConnectedApp><oauthConfig><callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes>\
             <scopes>RefreshToken</scopes></oauthConfig><oauthPolicy><ipRelaxation>ENFORCE</ipRelaxation>\
             <refreshTokenPolicy>{policy}</refreshTokenPolicy></oauthPolicy></ConnectedApp>"
        );
        let mut project = Project::default();
        assert!(project.add(&Text::new("A.connectedApp", source)));
        assert_eq!(wrong(&played(&project), false), None, "{policy}");
    }
}

#[test]
fn an_app_with_an_expired_certificate_is_refused_whatever_stands_in_for_its_key() {
    let bad = read("suites/apps/rules/certificates/it-has-not-expired/bad/Main.connectedApp-meta.xml");
    let certificate = bad.split("<certificate>").nth(1).and_then(|rest| rest.split("</").next()).unwrap();
    let oauth = format!(
        "<callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes><scopes>RefreshToken</scopes>\
         <certificate>{certificate}</certificate>"
    );
    let report = played_together(connected(&[("A", &oauth)]));
    for flow in ["jwt-bearer", "saml-bearer"] {
        let name = format!("{flow} brings an access token and no refresh token");
        let row = report.scenarios.iter().find(|row| row.scenario == name).unwrap();
        let refused =
            row.findings.iter().any(|f| f.check.is_none() && f.observed.contains("invalid assertion"));
        assert!(row.verdict.word() == "fail" && refused, "{row:?}");
    }
}

#[test]
fn a_flow_that_only_another_app_lists_is_not_missed() {
    let certificate = in_force();
    let callback = "<callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes>";
    let apps =
        connected(&[("A", callback), ("B", &format!("{callback}<certificate>{certificate}</certificate>"))]);
    let joined = join(apps, None, &embedded(), Keys::StandIn);
    let source = "suite: s\njudges: org\nscenarios:\n  - scenario: a token comes\n    needs: [jwt-bearer]\n    \
        steps:\n      - do: jwt-bearer\n";
    let suite = read_suite(&Text::new("s.yaml", source), "s").unwrap();
    let report = outcome(&options(joined.target, vec![suite])).report;
    assert_eq!((report.summary.not_testable, report.listed_not_testable), (1, Vec::new()));
}

/// A certificate that is in force.
fn in_force() -> String {
    let certificate = grantcheck::oauth::keys::Certificate::read(&read("tests/keys/app-main.crt")).unwrap();
    certificate.base64()
}

#[test]
fn a_flow_that_is_off_is_refused_also_where_nobody_may_use_the_app() {
    let oauth = format!(
        "<callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes><isAdminApproved>true</isAdminApproved>{ALONE}\
         <oauthClientCredentialUser>integration@acme.com</oauthClientCredentialUser>"
    );
    let report = played_together(connected(&[("A", &oauth)]));
    assert_eq!(wrong(&report, false), None);
    for flow in ["jwt-bearer", "saml-bearer"] {
        let name = format!("{flow} is refused");
        let row = report.scenarios.iter().find(|row| row.scenario == name).unwrap();
        assert_eq!(row.verdict.word(), "pass", "{row:?}");
    }
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_told_and_so_are_both_places_of_a_key() {
    let source = |name: &str| {
        format!(
            "<ConnectedApp xmlns=\"http://soap.sforce.com/2006/04/metadata\"><label>{name}</label><oauthConfig>\n\
             <callbackUrl>https://a.acme.com/cb</callbackUrl>\n<consumerKey>3MVG9same</consumerKey><scopes>Api</scopes>\
             </oauthConfig></ConnectedApp>"
        )
    };
    let folder = Folder::new("suggest-links");
    std::fs::create_dir_all(folder.join("apps")).unwrap();
    std::fs::write(folder.join("apps/A.connectedApp"), source("A")).unwrap();
    std::os::unix::fs::symlink(&*folder, folder.join("apps/back")).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let told = "back is a link to a folder and was not followed; name it to have it judged";
    for command in [
        &["suggest", &path("apps"), "--out", &path("out")][..],
        &["run", "--app", &path("apps"), "--select", "no such scenario"],
    ] {
        let (_, _, err) = grantcheck(command);
        assert!(err.contains(told), "{command:?} {err}");
    }
    std::fs::write(folder.join("apps/B.connectedApp"), source("B")).unwrap();
    let (exit, _, err) = grantcheck(&["suggest", &path("apps"), "--out", &path("out"), "--force"]);
    assert!(exit == 2 && err.contains("the app B has the consumer key of the app A at"), "{err}");
    assert!(err.contains("A.connectedApp:3:14") && err.contains("B.connectedApp:3:14\n"), "{err}");
}

#[test]
fn apps_that_differ_have_settings_of_their_own_in_the_target() {
    let rotates = "<isRefreshTokenRotationEnabled>true</isRefreshTokenRotationEnabled>";
    let apps = connected(&[("A", rotates), ("B", "")]);
    let target = suggest::target(&suggest::named(&apps));
    let given = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable("SF_ORG") => Some("https://acme.my.salesforce.com".to_owned()),
        Lookup::Variable(name) => Some(format!("value-of-{name}")),
        Lookup::File(_) => None,
    };
    let read = read_target(&Text::new("target.yaml", target.clone()), &given);
    let read = read.unwrap_or_else(|problems| panic!("{problems:?}\n{target}"));
    let of = |role: &str| read.settings_of(role).flag("rotation");
    assert_eq!((of("main"), of("B"), read.settings.flag("rotation")), (Some(true), Some(false), None));
    let subject = read.subject();
    let judged = subject.settings_of(Some(subject.apps["B"].client_id.as_str()));
    assert_eq!((judged.flag("rotation"), judged.flag("pkce_required")), (Some(false), Some(false)));
    // The embedded org decides by the policy of an app.
    let embedded = target.replace("${SF_ORG}", "embedded");
    let refused = read_target(&Text::new("target.yaml", embedded), &given).unwrap_err();
    assert!(refused.iter().any(|problem| problem.message.contains("`settings` of an app")), "{refused:?}");
}

#[test]
fn with_a_browser_a_callback_that_does_not_come_back_is_not_testable() {
    let folder = Folder::new("elsewhere");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(
        path("target.yaml"),
        "org: http://127.0.0.1:9\nprofile: rfc\napps:\n  main: { client_id: a, client_auth: none, redirect_uri: [\"http://127.0.0.1:1717/cb\", \"https://a.example/cb\"], flows: [web-server] }\n\
         users: { main: { username: ann } }\nlogin: browser\ndisposable: true\nendpoints: { authorize: /authorize, token: /token }\n",
    )
    .unwrap();
    std::fs::write(
        path("suite.yaml"),
        "suite: s\njudges: org\nscenarios:\n  - scenario: here\n    steps:\n      - do: authorize\n  - scenario: there\n    steps:\n      \
         - do: authorize\n        with: { redirect_uri: \"https://a.example/cb\" }\n",
    )
    .unwrap();
    let (exit, out, err) =
        grantcheck(&["run", &path("suite.yaml"), "--target", &path("target.yaml"), "--list"]);
    assert_eq!(exit, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with("here"), "{out}");
    assert!(lines[1].contains("not testable: the callback https://a.example/cb does not come back"), "{out}");
}
