//! Rules over metadata: each trips on its bad files and is silent on its good ones; every element is read and kept.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::{at, golden, grantcheck, read};
use grantcheck::diagnostic::Text;
use grantcheck::metadata::{self, Context, Finding, Profile, Project, kinds::Shape, lint, rules};
use grantcheck::oauth::keys::PrivateKey;
use grantcheck::verdict::Level;

/// Noon of 2027-06-01: the synthetic certificates were made around it.
pub const NOW: i64 = 1_811_851_200;
const ON: &str = "2027-06-01";

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The files of a folder, named without what leads to it.
pub fn project(folder: &str) -> Project {
    let mut project = Project::default();
    let root = at(folder);
    for path in below(&root) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        assert!(project.add_bytes(&name, std::fs::read(&path).unwrap()), "{name} is of no type");
    }
    assert!(project.problems.is_empty(), "{folder}: {:?}", project.problems);
    project
}

pub fn findings(project: &Project, profile: Profile) -> Vec<Finding> {
    let keys = vec![PrivateKey::from_pem(&read("tests/keys/app-main.key")).unwrap().public()];
    lint(&Context { project, apps: project.apps(), now: NOW, soon_days: 30, keys }, profile)
}

fn told(findings: &[Finding]) -> Vec<String> {
    let line = |f: &Finding| {
        let (line, column) = f.place.text.line_column(f.place.span.start);
        format!(
            "{} {} {}:{line}:{column} {}: {}",
            f.level.word(),
            f.rule.id,
            f.place.text.name(),
            f.of,
            f.message
        )
    };
    findings.iter().map(line).collect()
}

#[test]
fn each_rule_trips_on_its_bad_files_and_is_silent_on_its_good_ones() {
    let mut wrong = Vec::new();
    let mut expected = String::new();
    for rule in rules() {
        let bad = findings(&project(&format!("suites/apps/rules/{}/bad", rule.id)), Profile::Partner2026);
        if !bad.iter().any(|f| f.rule.id == rule.id) {
            wrong.push(format!("{} is silent on its bad files: {:#?}", rule.id, told(&bad)));
        }
        let _ = writeln!(expected, "{}\n  {}\n", rule.id, told(&bad).join("\n  "));
        let good = findings(&project(&format!("suites/apps/rules/{}/good", rule.id)), Profile::Partner2026);
        let heavy: Vec<Finding> =
            good.into_iter().filter(|f| f.rule.id == rule.id || f.level > Level::BestPractice).collect();
        if !heavy.is_empty() {
            wrong.push(format!("{}: its good files trip {:#?}", rule.id, told(&heavy)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    golden("suites/apps/rules/expected.txt", &expected);
}

/// A connected app with these elements in and beside `oauthConfig`.
fn connected(oauth: &str, rest: &str) -> (&'static str, String) {
    let source = format!(
        "<ConnectedApp xmlns=\"http://soap.sforce.com/2006/04/metadata\"><contactEmail>a@b</contactEmail><label>A</label>\
         <oauthConfig>{oauth}</oauthConfig>{rest}</ConnectedApp>"
    );
    ("A.connectedApp", source)
}

/// The parts of an external client app.
fn external(parts: &[(&'static str, &str, &str)]) -> Vec<(&'static str, String)> {
    let part = |(file, root, inner): &(&'static str, &str, &str)| {
        let of = "<externalClientApplication>Main</externalClientApplication>";
        (*file, format!("<{root} xmlns=\"http://soap.sforce.com/2006/04/metadata\">{of}{inner}</{root}>"))
    };
    parts.iter().map(part).collect()
}

/// A rule, whether it trips, and the files.
type Row = (&'static str, bool, Vec<(&'static str, String)>);

#[test]
fn what_looks_right_and_is_not_is_told() {
    const CALLBACK: &str = "<callbackUrl>https://a.acme.com/cb</callbackUrl>";
    let secure = |ranges: &str| {
        external(&[
            ("x.ecaGlblOauth", "ExtlClntAppGlobalOauthSettings", CALLBACK),
            (
                "x.ecaOauth",
                "ExtlClntAppOauthSettings",
                "<commaSeparatedOauthScopes>Api, RefreshToken</commaSeparatedOauthScopes>",
            ),
            ("x.ecaOauthSecurity", "ExtlClntAppOauthSecuritySettings", ranges),
        ])
    };
    let range = |first: &str, last: &str| {
        secure(&format!(
            "<tokenIpRanges><startIpAddress>{first}</startIpAddress><endIpAddress>{last}</endIpAddress></tokenIpRanges>"
        ))
    };
    let whole = range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    let credential = |inner: &str| {
        let head = "<authenticationProtocol>Oauth</authenticationProtocol><label>B</label>";
        let source = format!(
            "<ExternalCredential xmlns=\"http://soap.sforce.com/2006/04/metadata\">{head}{inner}</ExternalCredential>"
        );
        vec![("B.externalCredential", source)]
    };
    let alone = "<isClientCredentialEnabled>true</isClientCredentialEnabled>";
    let zero = "<oauthPolicy><ipRelaxation>ENFORCE</ipRelaxation><refreshTokenPolicy>zero</refreshTokenPolicy></oauthPolicy>";
    let loopback = |host: &str| {
        vec![connected(&format!("<callbackUrl>http://{host}/cb</callbackUrl><scopes>Api</scopes>"), "")]
    };
    let callback =
        |url: &str| vec![connected(&format!("<callbackUrl>{url}</callbackUrl><scopes>Api</scopes>"), "")];
    let weak = read("suites/apps/rules/certificates/key-is-rsa-of-2048-bits/bad/Main.connectedApp-meta.xml");
    let weak =
        weak.split("<certificate>").nth(1).and_then(|rest| rest.split("</").next()).unwrap().to_owned();
    let secret = |secret: &str| {
        let oauth = format!("{CALLBACK}<scopes>Api</scopes><consumerSecret>{secret}</consumerSecret>");
        vec![connected(&oauth, "")]
    };
    let packaged = |state: &str| {
        let header = format!(
            "<ExternalClientApplication xmlns=\"http://soap.sforce.com/2006/04/metadata\">\
             <distributionState>{state}</distributionState></ExternalClientApplication>"
        );
        let mut files = external(&[(
            "x.ecaOauth",
            "ExtlClntAppOauthSettings",
            "<commaSeparatedOauthScopes>Api</commaSeparatedOauthScopes>",
        )]);
        files.push(("Main.eca", header));
        files
    };
    let scopes = |scopes: &[&str]| {
        let scopes: String = scopes.iter().map(|scope| format!("<scopes>{scope}</scopes>")).collect();
        vec![connected(&format!("{CALLBACK}{scopes}"), "")]
    };
    let parameter = |kind: &str| {
        format!(
            "<externalCredentialParameters><parameterName>P</parameterName><parameterType>{kind}</parameterType>\
             </externalCredentialParameters>"
        )
    };
    let basic = "<externalCredentialParameters><parameterName>P</parameterName><parameterType>AuthProtocolVariant</parameterType>\
         <parameterValue>ClientCredentialsClientSecretBasic</parameterValue></externalCredentialParameters>";
    let with_value = |kind: &str, value: &str| {
        parameter(kind).replace(
            "</externalCredentialParameters>",
            &format!("<parameterValue>{value}</parameterValue></externalCredentialParameters>"),
        )
    };
    let at_salesforce = |host: &str| {
        let url = with_value("AuthProviderUrl", &format!("https://{host}/services/oauth2/token"));
        credential(&format!("{basic}{url}"))
    };
    let status = |status: &str| credential(&with_value("AdditionalRefreshStatusCode", status));
    let legacy = |provider: &str| {
        let source = format!(
            "<NamedCredential><label>N</label><endpoint>https://a.co</endpoint><protocol>Oauth</protocol>\
             {provider}</NamedCredential>"
        );
        vec![("N.namedCredential", source)]
    };
    let provider = |handler: &str| {
        let source = format!(
            "<AuthProvider xmlns=\"http://soap.sforce.com/2006/04/metadata\"><friendlyName>F</friendlyName>\
             <providerType>Google</providerType>{handler}</AuthProvider>"
        );
        vec![("P.authprovider", source)]
    };
    let rows: Vec<Row> = vec![
        (
            "tokens/pkce-is-required",
            true,
            vec![connected(&format!("{CALLBACK}<scopes>Api</scopes>{alone}"), "")],
        ),
        ("access/range-is-narrow", true, whole.clone()),
        ("access/range-is-narrow", false, range("2001:db8::", "2001:db8::ffff")),
        ("tokens/ip-allow-list-is-there", true, whole),
        ("tokens/ip-allow-list-is-there", true, secure("<tokenIpRanges/>")),
        ("tokens/ip-allow-list-is-there", false, range("192.0.2.0", "192.0.2.255")),
        ("tokens/idle-lifetime-is-a-month-at-most", true, secure("")),
        (
            "tokens/lifetime-is-not-infinite",
            true,
            vec![connected(&format!("{CALLBACK}<scopes>RefreshToken</scopes>"), "")],
        ),
        (
            "tokens/policy-fits-the-scope",
            true,
            vec![connected(&format!("{CALLBACK}<scopes>refresh_token</scopes>"), zero)],
        ),
        (
            "scopes/usable-without-a-user",
            false,
            vec![connected(&format!("{CALLBACK}<scopes>CustomApplications</scopes>{alone}"), "")],
        ),
        ("callbacks/url-is-https", true, loopback("127.evil.com")),
        ("callbacks/url-is-https", false, loopback("127.0.0.2:8080")),
        ("callbacks/url-is-https", false, loopback("[::1]")),
        ("callbacks/url-is-absolute", true, callback("https://a..acme.com/cb")),
        ("callbacks/url-is-absolute", true, callback("https://acme.com:99999/cb")),
        ("callbacks/url-is-absolute", true, callback("https:///cb")),
        ("callbacks/url-is-absolute", false, callback("com.acme.app:/cb")),
        ("callbacks/query-leaves-answers-alone", true, callback("https://a.acme.com/cb?x=1&amp;st%61te=2")),
        ("callbacks/query-leaves-answers-alone", false, callback("https://a.acme.com/cb?codes=1&amp;x=code")),
        ("callbacks/query-leaves-answers-alone", false, callback("https://a.acme.com/code=1")),
        ("callbacks/url-is-absolute", false, callback("${CB}")),
        ("callbacks/url-is-absolute", false, callback("{{CB}}")),
        ("callbacks/url-is-absolute", false, callback("%CB%")),
        ("callbacks/url-has-no-fragment", false, callback("https://#{HOST}#/cb")),
        ("callbacks/url-has-no-blank", true, callback("https://a.acme.com/x,com.acme.app://y")),
        ("callbacks/url-has-no-blank", true, callback("https://a.acme.com/x;HTTPS://b.acme.com/y")),
        ("callbacks/url-has-no-blank", false, callback("https://a.acme.com/x,y:z/w")),
        ("callbacks/url-has-no-blank", true, callback("https://a.acme.com/c\u{a0}b")),
        ("callbacks/url-has-no-blank", true, callback("https://a.acme.com/cb\u{a0}")),
        ("callbacks/url-has-no-blank", true, callback("\u{a0}https://a.acme.com/cb")),
        ("callbacks/url-has-no-blank", true, callback("https://a.acme.com/cb\u{200b}")),
        ("callbacks/url-has-no-blank", true, callback("https://a.acme.com/\u{202e}bc")),
        ("callbacks/url-has-no-blank", false, callback("https://a.acme.com/\u{e9}")),
        ("callbacks/none-is-left-from-testing", false, callback("https://acme.dev/cb\nhttps://acme.com/cb")),
        (
            "callbacks/none-is-left-from-testing",
            true,
            callback("https://dev.acme.dev/cb\nhttps://acme.com/cb"),
        ),
        ("callbacks/none-is-left-from-testing", true, callback("https://acme.test/cb\nhttps://acme.com/cb")),
        (
            "callbacks/none-is-left-from-testing",
            false,
            callback("https://test.salesforce.com/services/oauth2/callback\nhttps://acme.com/cb"),
        ),
        (
            "certificates/key-is-rsa-of-2048-bits",
            false,
            vec![(
                "I.samlssoconfig",
                format!("<SamlSsoConfig><validationCert>{weak}</validationCert></SamlSsoConfig>"),
            )],
        ),
        ("credentials/client-credentials-go-to-the-org", true, at_salesforce("test.salesforce.com")),
        ("credentials/client-credentials-go-to-the-org", false, at_salesforce("acme.my.salesforce.com")),
        ("credentials/refresh-status-is-allowed", true, status("abc")),
        ("credentials/refresh-status-is-allowed", true, status("1000")),
        ("credentials/refresh-status-is-allowed", false, status("403")),
        ("credentials/refresh-status-is-allowed", false, status("999")),
        ("credentials/legacy-credential-is-complete", true, legacy("")),
        ("credentials/legacy-credential-is-complete", false, legacy("<authProvider>P</authProvider>")),
        (
            "access/start-url-is-https",
            true,
            vec![connected(CALLBACK, "<mobileStartUrl>http://a.co</mobileStartUrl>")],
        ),
        (
            "access/start-url-is-https",
            true,
            vec![connected(&format!("{CALLBACK}<singleLogoutUrl>http://a.co</singleLogoutUrl>"), "")],
        ),
        (
            "files/value-is-allowed",
            true,
            vec![connected(
                CALLBACK,
                "<sessionPolicy><policyAction>StepUpMFA</policyAction></sessionPolicy>",
            )],
        ),
        (
            "files/value-is-allowed",
            true,
            vec![connected(CALLBACK, "<sessionPolicy><sessionTimeout>+15</sessionTimeout></sessionPolicy>")],
        ),
        (
            "tokens/policy-is-readable",
            true,
            vec![connected(CALLBACK, &zero.replace("zero", "specific_inactivity:+30:DAYS"))],
        ),
        (
            "tokens/policy-is-readable",
            false,
            vec![connected(CALLBACK, &zero.replace("zero", "specific_inactivity:30:DAYS"))],
        ),
        ("parts/saml-config-is-complete", true, vec![connected(CALLBACK, "<samlConfig/>")]),
        ("files/no-secret", true, secret("s3cr3t#{1")),
        ("files/no-secret", true, secret("%1234%")),
        ("files/no-secret", false, secret("#{SECRET}#")),
        ("files/no-secret", false, secret("%SECRET%")),
        ("files/no-secret", false, secret("$(Secret.Of-App)")),
        ("files/no-secret", false, secret("__SECRET__")),
        ("parts/oauth-settings-are-complete", true, packaged("Local")),
        ("parts/oauth-settings-are-complete", false, packaged("Packaged")),
        ("parts/oauth-settings-are-complete", false, packaged("Managed")),
        ("scopes/there-are-some", true, scopes(&["RefreshToken", "OfflineAccess"])),
        ("scopes/there-are-some", false, scopes(&["RefreshToken", "OpenID"])),
        ("credentials/variant-is-known", true, credential(&parameter("AuthProtocolVariant"))),
        (
            "credentials/variant-has-its-parameters",
            true,
            credential(&format!("{basic}{}", parameter("AuthProviderUrl"))),
        ),
        ("access/handler-has-a-user", false, vec![connected(CALLBACK, "<plugin/>")]),
        ("access/handler-has-a-user", true, vec![connected(CALLBACK, "<plugin>P</plugin>")]),
        ("credentials/registration-handler-has-a-user", false, provider("<registrationHandler/>")),
    ];
    for (rule, trips, files) in rows {
        let mut project = Project::default();
        for (name, source) in &files {
            assert!(project.add(&Text::new(*name, source.as_str())));
        }
        assert!(project.problems.is_empty(), "{:?}", project.problems);
        let found = findings(&project, Profile::Partner2026);
        assert_eq!(found.iter().any(|f| f.rule.id == rule), trips, "{rule}: {:#?}\n{files:#?}", told(&found));
    }
}

#[test]
fn a_certificate_of_an_external_client_app_is_told_of_the_app() {
    let bad = read("suites/apps/rules/certificates/it-has-not-expired/bad/Main.connectedApp-meta.xml");
    let certificate = bad.split("<certificate>").nth(1).and_then(|rest| rest.split("</").next()).unwrap();
    let mut project = Project::default();
    for (name, source) in external(&[(
        "Main_glbloauth.ecaGlblOauth",
        "ExtlClntAppGlobalOauthSettings",
        &format!("<certificate>{certificate}</certificate>"),
    )]) {
        project.add(&Text::new(name, source));
    }
    let found = findings(&project, Profile::General);
    let expired = found.iter().find(|f| f.rule.id == "certificates/it-has-not-expired").unwrap();
    assert_eq!(expired.of, "Main");
}

#[test]
fn no_folder_of_files_is_of_no_rule() {
    let ids: BTreeSet<String> = rules().map(|rule| rule.id.to_owned()).collect();
    let root = at("suites/apps/rules");
    for path in below(&root).iter().filter(|path| path.extension().is_none_or(|e| e != "txt")) {
        let inside = path.strip_prefix(&root).unwrap();
        let id: Vec<String> = inside.iter().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
        assert!(ids.contains(&id.join("/")), "{}", inside.display());
    }
}

#[test]
fn every_element_and_value_is_read_kept_and_written() {
    let project = project("suites/apps/elements");
    assert!(project.items.len() >= 60, "{}", project.items.len());
    let mut seen = BTreeSet::new();
    for item in &project.items {
        let mut open = vec![(String::new(), &item.root)];
        while let Some((above, element)) = open.pop() {
            for child in &element.children {
                let path =
                    if above.is_empty() { child.name.clone() } else { format!("{above}/{}", child.name) };
                let field = item.kind.field(&path).unwrap_or_else(|| panic!("{} {path}", item.text.name()));
                seen.insert((item.kind, path.clone(), child.value.clone()));
                if field.shape == Shape::Group {
                    open.push((path, child));
                }
            }
        }
        let written = metadata::write(&item.root);
        let name = item.text.name();
        assert_eq!(written, read(&format!("suites/apps/elements/{name}")), "{name}");
    }
    for kind in metadata::Kind::ALL {
        for field in kind.fields() {
            let values: BTreeSet<&str> = seen
                .iter()
                .filter(|(k, path, _)| *k == kind && path == field.path)
                .map(|(.., v)| v.as_str())
                .collect();
            assert!(!values.is_empty(), "{} {}", kind.name(), field.path);
            let all: Vec<&str> = match field.shape {
                Shape::Bool => vec!["true", "false"],
                Shape::OneOf(words) => words.to_vec(),
                _ => continue,
            };
            for value in all {
                assert!(values.contains(value), "{} {} has no {value}", kind.name(), field.path);
            }
        }
    }
    let files: Vec<Finding> = findings(&project, Profile::General)
        .into_iter()
        .filter(|f| f.rule.id.starts_with("files/") && f.rule.id != "files/no-id-of-an-org")
        .collect();
    assert!(files.is_empty(), "{:#?}", told(&files));
}

fn rule_folder(rule: &str, word: &str) -> String {
    at(&format!("suites/apps/rules/{rule}/{word}")).display().to_string()
}

#[test]
fn the_command_tells_with_carets_and_exits_by_the_heaviest() {
    let bad = rule_folder("callbacks/url-has-no-wildcard", "bad");
    let (exit, out, err) = grantcheck(&["lint", &bad, "--on", ON]);
    assert_eq!((exit, err.as_str()), (1, ""), "{out}");
    assert!(
        out.contains("MUST   callbacks/url-has-no-wildcard: `https://*.acme.com/callback` has a wildcard"),
        "{out}"
    );
    assert!(
        out.contains("| ") && out.contains(" ^^^^^^^^^^^^^^^^^^^^^^^^^^^\n") && out.contains("= Setup:"),
        "{out}"
    );
    let (exit, out, _) =
        grantcheck(&["lint", &rule_folder("callbacks/url-has-no-wildcard", "good"), "--on", ON]);
    assert_eq!(exit, 0, "{out}");
    // A file is one, however often and under whatever path it is named.
    let (_, once, _) = grantcheck(&["lint", &bad, "--on", ON]);
    let (_, twice, _) = grantcheck(&["lint", &bad, &format!("{bad}/../bad"), &bad, "--on", ON]);
    assert_eq!(once, twice);
    // What only the profile asks for.
    let idle = rule_folder("tokens/idle-lifetime-is-a-month-at-most", "bad");
    assert_eq!(grantcheck(&["lint", &idle, "--on", ON]).0, 0);
    assert_eq!(grantcheck(&["lint", &idle, "--on", ON, "--profile", "partner-2026"]).0, 1);
    let (exit, _, err) = grantcheck(&["lint", &at("benches").display().to_string()]);
    assert!(exit == 3 && err.contains("nothing was judged"), "{err}");
    let other = at("tests/keys/app-other.key").display().to_string();
    let good = rule_folder("certificates/it-is-of-the-key-at-hand", "good");
    assert_eq!(grantcheck(&["lint", &good, "--on", ON]).0, 0);
    let (exit, out, _) = grantcheck(&["lint", &good, "--on", ON, "--key", &other]);
    assert!(exit == 1 && out.contains("certificates/it-is-of-the-key-at-hand"), "{out}");
    for (arguments, cure) in [
        (vec!["lint", "/no/such/folder"], "is not there"),
        (vec!["lint", "--profile", "partner-2025"], "did you mean `partner-2026`?"),
        (vec!["lint", "--on", "tomorrow"], "is no day"),
    ] {
        let (exit, _, err) = grantcheck(&arguments);
        assert!(exit == 2 && err.contains(cure), "{err}");
    }
}

#[test]
fn json_sarif_and_github_say_the_same() {
    let bad = rule_folder("certificates/it-has-not-expired", "bad");
    let run = |format: &str| grantcheck(&["lint", &bad, "--on", ON, "--format", format]).1;
    let json: serde_json::Value = serde_json::from_str(&run("json")).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let expired = findings.iter().find(|f| f["rule"] == "certificates/it-has-not-expired").unwrap();
    assert_eq!((expired["level"].as_str(), json["version"].as_i64()), (Some("must"), Some(1)));
    let validator = jsonschema::validator_for(&grantcheck::report::lint_schema()).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let sarif: serde_json::Value = serde_json::from_str(&run("sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), findings.len());
    for (result, finding) in results.iter().zip(findings) {
        assert_eq!(result["ruleId"], finding["rule"]);
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!(
            (&region["startLine"], &region["startColumn"]),
            (&finding["at"]["line"], &finding["at"]["column"])
        );
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][index]["id"], finding["rule"]);
    }
    assert_eq!(sarif["version"], "2.1.0");
    let github = run("github");
    assert_eq!(github.lines().count(), findings.len());
    assert!(
        github.contains(",title=certificates/it-has-not-expired::Main: it expired on 2026-03-01"),
        "{github}"
    );
}

#[test]
fn a_waiver_lets_off_and_one_that_waives_nothing_is_told() {
    let folder = std::env::temp_dir().join(format!("grantcheck-lint-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let from = at("suites/apps/rules/scopes/usable-without-a-user/bad/Main.connectedApp-meta.xml");
    std::fs::copy(from, folder.join("Main.connectedApp-meta.xml")).unwrap();
    let waivers = "waive:\n  - { rule: scopes/, of: Main, because: it goes in May }\n  - { rule: parts/header-is-there, because: x }\n";
    std::fs::write(folder.join("grantcheck-lint.yaml"), waivers).unwrap();
    let path = folder.display().to_string();
    let (exit, out, _) = grantcheck(&["lint", &path, "--on", ON]);
    assert_eq!(exit, 0, "{out}");
    assert!(out.contains("waived scopes/usable-without-a-user: Main (it goes in May)"), "{out}");
    assert!(out.contains("the waiver of parts/header-is-there waived nothing"), "{out}");
    for format in ["github", "sarif"] {
        let (_, out, _) = grantcheck(&["lint", &path, "--on", ON, "--format", format]);
        assert!(out.contains("the waiver of parts/header-is-there waived nothing"), "{out}");
        assert!(out.contains("grantcheck-lint.yaml"), "{out}");
    }
    let partner = folder.join("partner.yaml");
    std::fs::write(&partner, "waive:\n  - { rule: tokens/lifetime-is-enforced, because: x }\n").unwrap();
    let partner = partner.display().to_string();
    let (_, out, _) = grantcheck(&["lint", &path, "--on", ON, "--waive", &partner]);
    assert!(!out.contains("waived nothing"), "{out}");
    std::fs::write(folder.join("w.yaml"), "waive:\n  - { rule: scopes/usable, because: x }\n").unwrap();
    let (exit, _, err) =
        grantcheck(&["lint", &path, "--waive", &folder.join("w.yaml").display().to_string()]);
    assert!(exit == 2 && err.contains("there is no rule `scopes/usable`"), "{err}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn files_that_cannot_be_read_are_told_and_the_others_judged() {
    let folder = std::env::temp_dir().join(format!("grantcheck-lint-broken-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    put("A.connectedApp", b"<ConnectedApp><label>A</ConnectedApp>");
    put(
        "B.connectedApp",
        b"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><ConnectedApp>&b;</ConnectedApp>",
    );
    put("C.connectedApp", b"\xff\xfe<\0x\0");
    put("D.connectedApp", &vec![b' '; 5 * 1024 * 1024]);
    put("E.eca", b"<ConnectedApp/>");
    put(
        "F.connectedApp",
        read("suites/apps/rules/callbacks/url-is-https/bad/Main.connectedApp-meta.xml").as_bytes(),
    );
    put("other.xml", b"<a>");
    let (exit, out, _) = grantcheck(&["lint", &folder.display().to_string(), "--on", ON]);
    assert_eq!(exit, 2, "{out}");
    for told in [
        "error[xml]",
        "error[xml-doctype]",
        "error[xml-encoding]",
        "error[xml-too-large]",
        "error[metadata-type]",
        "callbacks/url-is-https",
        "5 not readable",
    ] {
        assert!(out.contains(told), "{told}: {out}");
    }
    let (_, out, _) = grantcheck(&["lint", &folder.display().to_string(), "--on", ON, "--format", "json"]);
    let validator = jsonschema::validator_for(&grantcheck::report::lint_schema()).unwrap();
    assert!(validator.is_valid(&serde_json::from_str(&out).unwrap()), "{out}");
    // Code scanning takes no result without a place, nor one of a rule that is not listed.
    let (_, out, _) = grantcheck(&["lint", &folder.display().to_string(), "--on", ON, "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&out).unwrap();
    let run = &sarif["runs"][0];
    for result in run["results"].as_array().unwrap() {
        assert_eq!(result["locations"].as_array().map(Vec::len), Some(1), "{result}");
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    let (_, out, _) = grantcheck(&["lint", &folder.display().to_string(), "--on", ON, "--format", "github"]);
    assert!(out.lines().all(|line| line.contains(" file=")), "{out}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn no_secret_is_told() {
    for format in ["console", "json", "sarif", "github"] {
        let (exit, out, _) =
            grantcheck(&["lint", &rule_folder("files/no-secret", "bad"), "--on", ON, "--format", format]);
        assert!(exit == 1 && out.contains("files/no-secret") && !out.contains("0123456789ABCDEF"), "{out}");
    }
}

#[cfg(unix)]
#[test]
fn what_leads_nowhere_or_elsewhere_stops_no_other_file() {
    let bad = read("suites/apps/rules/callbacks/url-is-https/bad/Main.connectedApp-meta.xml");
    let folder = folder_of("links", &[("A\u{1b}[31m.connectedApp", bad.as_bytes())]);
    std::os::unix::fs::symlink("/no/such/file", folder.join("dang.connectedApp")).unwrap();
    std::os::unix::fs::symlink(".", folder.join("back")).unwrap();
    let path = folder.display().to_string();
    for format in ["console", "json", "sarif", "github"] {
        let (exit, out, err) = grantcheck(&["lint", &path, "--on", ON, "--format", format]);
        assert_eq!(exit, 2, "{out}{err}");
        assert!(out.contains("unreadable") && out.contains("callbacks/url-is-https"), "{format}: {out}");
        assert!(err.contains("back is a link to a folder and was not followed"), "{err}");
        assert!(!out.contains('\u{1b}'), "{format}: {out:?}");
    }
    let (_, _, err) = grantcheck(&["lint", "/no/such/folder"]);
    assert!(err.contains("nothing was judged") && !err.contains("played"), "{err}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn of_a_rule_that_does_not_hold_at_many_places_of_a_file_some_are_told() {
    let scopes = "<scopes>Api</scopes>\n".repeat(1000);
    let (name, source) = connected(&scopes, "");
    let folder = folder_of("many", &[(name, source.as_bytes())]);
    let (_, out, _) = grantcheck(&["lint", &folder.display().to_string(), "--on", ON, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let of_rule = |row: &&serde_json::Value| row["rule"] == "scopes/scope-stands-once";
    let rows: Vec<_> = json["findings"].as_array().unwrap().iter().filter(of_rule).collect();
    assert_eq!(rows.len(), 100);
    let last = rows[99]["message"].as_str().unwrap();
    assert!(last.ends_with("it is so at 899 more places of this file"), "{last}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    let key: String =
        read("tests/keys/app-main.key").lines().filter(|line| !line.contains("-----")).collect();
    let oauth = format!(
        "\n<clientSecret>abc</clientSecret>\n<foo api-key='abc'><accessToken>abc</accessToken></foo>\n\
         <!-- password: abc12345 -->\n<bar>{key}</bar>\n<tokenLifetime>60</tokenLifetime><secretName>vault</secretName>\n\
         <apiKey>${{KEY}}</apiKey><!-- the secret: ask the admins -->"
    );
    let attribute =
        |formula: &str| format!("<attributes><formula>{formula}</formula><key>api_token</key></attributes>");
    let rest =
        attribute("'abc'") + &attribute("$User.Email") + "<samlConfig><password>abc</password></samlConfig>";
    let mut project = Project::default();
    let (name, source) = connected(&oauth, &rest);
    project.add(&Text::new(name, source));
    let found = findings(&project, Profile::General);
    let found: Vec<String> = found
        .iter()
        .filter(|f| f.rule.id == "files/no-secret")
        .map(|f| format!("{} {}", f.place.text.line_column(f.place.span.start).0, f.message))
        .collect();
    assert_eq!(
        found,
        [
            "2 `oauthConfig/clientSecret` holds a secret of 3 characters",
            "3 a secret stands in an attribute",
            "3 `oauthConfig/foo/accessToken` holds a secret of 3 characters",
            "4 a secret stands in a comment",
            "5 `oauthConfig/bar` holds a private key",
            "7 `attributes/formula` holds a secret of 5 characters",
            "7 `samlConfig/password` holds a secret of 3 characters",
        ]
    );
}

#[test]
fn a_key_that_cannot_be_used_is_told_and_the_rest_judged() {
    let (name, source) = connected("<scopes>Api</scopes><scopes>Api</scopes>", "");
    let folder = folder_of("key", &[(name, source.as_bytes()), ("short.key", b"no key\n")]);
    let path = |name: &str| folder.join(name).display().to_string();
    let (exit, out, _) = grantcheck(&["lint", &path(name), "--on", ON, "--key", &path("short.key")]);
    assert_eq!(exit, 2, "{out}");
    assert!(out.contains("error[bad-key]: it holds no private key in PEM form; no certificate"), "{out}");
    assert!(out.contains("short.key:1:1") && out.contains("scopes/scope-stands-once"), "{out}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn of_fifty_thousand_members_each_that_stands_again_is_told() {
    let scopes: String = (0..25_000).map(|n| format!("<scopes>S{n}</scopes><label>x</label>")).collect();
    let (name, source) = connected(&(scopes + "<scopes>S7</scopes>"), "");
    let mut project = Project::default();
    project.add(&Text::new(name, source));
    let all = findings(&project, Profile::General);
    let of = |rule: &str| all.iter().filter(|f| f.rule.id == rule).count();
    assert_eq!(of("scopes/scope-stands-once"), 1);
    // No such element stands there, so it is not told that it stands again.
    assert_eq!(of("files/element-stands-once"), 0);
    let labels = "<label>x</label>".repeat(50_000);
    let mut project = Project::default();
    project.add(&Text::new("A.connectedApp", format!("<ConnectedApp>{labels}</ConnectedApp>")));
    let all = findings(&project, Profile::General);
    assert_eq!(all.iter().filter(|f| f.rule.id == "files/element-stands-once").count(), 49_999);
}

#[test]
fn what_must_change_for_an_external_client_app_stands_on_the_console() {
    let (name, source) =
        connected("<callbackUrl>https://a.acme.com/cb</callbackUrl><scopes>Api</scopes>", "");
    let folder = folder_of("external", &[(name, source.as_bytes())]);
    let (_, out, _) = grantcheck(&["lint", &folder.display().to_string(), "--on", ON]);
    assert!(out.contains("refresh token policy to ExtlClntAppOauthConfigurablePolicies"), "{out}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A folder of one test with these files.
fn folder_of(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("grantcheck-lint-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (file, bytes) in files {
        std::fs::write(folder.join(file), bytes).unwrap();
    }
    folder
}

#[test]
fn a_secret_is_on_no_line_of_any_format_nor_of_suggest() {
    let key: String =
        read("tests/keys/app-main.key").lines().filter(|line| !line.contains("-----")).collect();
    let app = |inner: &str| {
        format!(
            "<ConnectedApp xmlns=\"http://soap.sforce.com/2006/04/metadata\"><label>A</label><oauthConfig>\
             <callbackUrl>http://acme.com/cb#access_token=S3CR3T</callbackUrl><scopes>Api</scopes>{inner}</oauthConfig></ConnectedApp>"
        )
    };
    let whole = app(&format!(
        "<certificate>{key}</certificate><clientSecret>S3CR3T</clientSecret><foo secret=\"S3CR3T\"/><!-- secret: S3CR3T -->"
    ));
    let broken = app("<consumerSecret S3CR3T</consumerSecret>");
    let files: [(&str, &[u8]); 2] =
        [("A.connectedApp", whole.as_bytes()), ("B.connectedApp", broken.as_bytes())];
    let folder = folder_of("secrets", &files);
    let path = |name: &str| folder.join(name).display().to_string();
    for format in ["console", "json", "sarif", "github"] {
        let (_, out, err) = grantcheck(&["lint", &path(""), "--on", ON, "--format", format]);
        assert!(out.contains("this is a private key"), "{out}");
        assert!(!out.contains("S3CR3T") && !out.contains(&key[..40]) && err.is_empty(), "{out}{err}");
    }
    for name in ["A.connectedApp", "B.connectedApp"] {
        let (_, out, err) = grantcheck(&["suggest", &path(name), "--out", &path("out")]);
        assert!(!out.contains("S3CR3T") && !err.contains("S3CR3T"), "{out}{err}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn two_thousand_files_are_linted() {
    let source = read("suites/apps/rules/callbacks/url-has-no-blank/good/Main.connectedApp-meta.xml");
    let mut project = Project::default();
    for number in 0..2000 {
        project.add(&Text::new(format!("App{number}.connectedApp-meta.xml"), source.as_str()));
    }
    let apps =
        findings(&project, Profile::General).into_iter().filter(|f| f.rule.id == "parts/app-is-external");
    assert_eq!(apps.count(), 2000);
}
