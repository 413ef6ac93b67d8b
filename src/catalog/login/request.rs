//! What a client sends a user away with.

use super::*;
use crate::oauth::params::{Malformed, form_decode};
use crate::subject::SubjectApp;
use crate::transcript::questions::{is_loopback, origin, redirect_uris, same_origin};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "login/request-is-as-registered",
        title: "an authorization request asks for a code, for a client that is known, with a callback that is registered",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-01",
        cites: &[Rfc(6749, "4.1.1"), Rfc(6749, "3.1.2.3")],
        explain: "The request names what it wants (response_type=code), who asks (client_id), and where the answer goes \
            (redirect_uri). The callback is compared letter by letter with what is registered: localhost is not 127.0.0.1, and a \
            slash at the end counts. Salesforce shows redirect_uri_mismatch to the user, and the client never hears of it. Take \
            all three from the configuration of the app, and build none of them from the request at hand.",
        passes: answered!(),
        fails: "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/other&state=S\n< 400\n",
        judge: request_is_as_registered,
    },
    Check {
        id: "login/parameters-are-encoded-once",
        title: "the parameters of an authorization request are form-encoded, once",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-02",
        cites: &[Rfc(6749, "4.1.1"), Rfc(6749, "B")],
        explain: "Each value is encoded once: a space is + or %20, a colon %3A. A URL that was put together by hand leaves a space or \
            a percent sign as it is; one whose parameters went through two encoders says api%2520refresh_token, which is one \
            scope that nobody knows, or a callback that is not registered. Hand plain values to the URL builder of the language, \
            and encode nothing before.",
        passes: answered!(),
        fails: concat!(asks!("scope=api%2520refresh_token", "&state=S"), "< 302\n"),
        judge: parameters_are_encoded_once,
    },
    Check {
        id: "login/parameters-stand-once",
        title: "no parameter of an authorization request stands there twice, and none is empty",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-03",
        cites: &[Rfc(6749, "3.1")],
        explain: "Request parameters must not be repeated: which of two values counts is decided by each server, gateway and \
            filter on the way for itself, and that is what attacks by parameter pollution live on. A parameter without a value \
            counts as left out, so it is noise, and told with less weight. Set parameters in a map rather than appending them to \
            a URL that may have them already.",
        passes: answered!(),
        fails: concat!(asks!("scope=api&scope=full", "&state=S"), "< 302\n"),
        judge: parameters_stand_once,
    },
    Check {
        id: "login/no-credential-in-the-url",
        title: "no secret of the client or the user stands in the authorization URL",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-04",
        cites: &[Rfc(6749, "2.3.1"), Rfc(9700, "4.2")],
        explain: "The authorization URL is shown to the user, kept in the history of the browser and written to the log of every \
            host on the way. A client secret in it is public from then on; so is an access or refresh token, an assertion or a \
            password. Credentials belong into the body or the header of requests that the client makes itself.",
        passes: answered!(),
        fails: concat!(asks!("&state=S&client_secret=s3cret"), "< 302\n"),
        judge: no_credential_in_the_url,
    },
    Check {
        id: "login/request-is-tied-to-the-browser",
        title: "an authorization request carries a state, a challenge or a nonce",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-05",
        cites: &[Rfc(6749, "10.12"), Rfc(9700, "2.1"), Rfc(9700, "4.7")],
        explain: "Without something that ties the answer to the browser that asked, an attacker brings a victim's browser to the \
            callback with a code of the attacker: the victim works in the attacker's account from then on, and uploads there. A \
            random state that is kept in the session does it; so does PKCE, or the nonce of an ID token that is checked. Send \
            state and PKCE both.",
        passes: answered!(),
        fails: concat!(asks!(""), sends_back!("code=C1")),
        judge: request_is_tied_to_the_browser,
    },
    Check {
        id: "login/asks-for-declared-scopes-alone",
        title: "no more scopes are asked for than the client is set up for",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLA-25",
        cites: &[Rfc(9700, "2.3")],
        explain: "A token should be good for what it is needed for and no more: what a client was never given it cannot lose. A \
            client that asks for full, because that always works, hands whoever steals the token everything that the user may \
            do. Salesforce answers a scope that the app does not have with invalid_scope. Ask for the scopes that the app is \
            registered with, or leave the parameter out.",
        passes: answered!(),
        fails: concat!(asks!("scope=api+full", "&state=S"), "< 302\n"),
        judge: asks_for_declared_scopes_alone,
    },
    Check {
        id: "login/no-implicit-and-no-password-grant",
        title: "neither the implicit grant nor the password grant is used",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CLA-26",
        cites: &[Rfc(9700, "2.1.2"), Rfc(9700, "2.4")],
        explain: "response_type=token puts an access token into a URL, where histories, referrers and scripts find it; \
            grant_type=password makes the client a place where passwords of users lie, and no second factor works with it. \
            Salesforce has both, and switches the username-password flow off by default. Use the web server flow with PKCE for \
            users, JWT bearer or client credentials for machines.",
        passes: answered!(),
        fails: "> POST token grant_type=password&client_id=main&client_secret=s&username=u&password=p\n< 200 {\"access_token\":\"A1\"}\n",
        judge: no_implicit_and_no_password_grant,
    },
    Check {
        id: "login/user-is-sent-to-the-org",
        title: "a user is sent to the authorization endpoint of the org that is configured, over https",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLA-27",
        cites: &[Rfc(6749, "3.1"), Rfc(9700, "4.4")],
        explain: "Where the user is sent, they type their password. A host that is hard-coded, or taken from an answer or a \
            parameter of somebody else, sends users of a sandbox to production, or to whoever wrote the parameter; over plain \
            HTTP anybody on the way can. Take the endpoint from the configuration or from the metadata of the configured issuer, \
            and refuse any other scheme than https (a server on the machine itself excepted).",
        passes: answered!(),
        fails: concat!(asks!(), "! host https://login.example\n< unreachable\n"),
        judge: user_is_sent_to_the_org,
    },
];

/// Judges each authorization request by itself.
fn each(t: &Transcript, judge: impl Fn(&mut Judgement, &Exchange)) -> Judgement {
    let mut j = Judgement::new();
    requests(t).into_iter().for_each(|x| judge(&mut j, x));
    j
}

fn app_of<'t>(t: &'t Transcript, x: &Exchange) -> Option<&'t SubjectApp> {
    t.subject.app_of(x.param("client_id")?)
}

fn request_is_as_registered(t: &Transcript) -> Judgement {
    each(t, |j, x| {
        let asked = x.param("response_type").unwrap_or("");
        if !asked.split(' ').any(|word| word == "code") {
            return j.fail(&[x], "response_type=code", format!("response_type={asked}"));
        }
        // Of traffic from elsewhere nobody may have said which apps there are.
        if t.subject.apps.is_empty() {
            return;
        }
        let Some(app) = app_of(t, x) else {
            return j.fail(&[x], "the client_id of the app", "another one, or none");
        };
        let fits =
            |uri: &str| app.redirect_uris.iter().any(|known| known == uri || differs_by_port(known, uri));
        match redirect_uris(x)[..] {
            [] if app.redirect_uris.len() == 1 => j.pass(),
            [] => j.fail(&[x], "the redirect_uri, of which more than one is registered", "none"),
            [uri, ..] if fits(uri) => j.pass(),
            [uri, ..] => j.fail(&[x], "a redirect_uri that is registered", uri.to_owned()),
        }
    })
}

/// Whether two callbacks on the machine itself differ in nothing but the port, which a native app takes as it comes
/// (RFC 8252 §7.3).
fn differs_by_port(a: &str, b: &str) -> bool {
    let without_port = |uri: &str| {
        let authority = origin(uri);
        let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        format!("{}{}", host.map_or(authority, |(host, _)| host), &uri[authority.len()..])
    };
    is_loopback(a) && is_loopback(b) && without_port(a) == without_port(b)
}

fn parameters_are_encoded_once(t: &Transcript) -> Judgement {
    each(t, |j, x| {
        let sent = x.request.url.split_once('?').map_or(x.request.body.as_str(), |(_, query)| query);
        let strange =
            sent.bytes().any(|byte| byte <= b' ' || !byte.is_ascii() || b"\"<>\\^`{|}".contains(&byte));
        match Params::read(sent) {
            Err(why @ (Malformed::Percent | Malformed::Utf8)) => {
                return j.fail(&[x], "parameters that are form-encoded", why.to_string());
            }
            Ok(_) if strange => {
                return j.fail(&[x], "parameters that are form-encoded", "letters that must be encoded");
            }
            Ok(_) => {}
        }
        let twice = ["scope", "redirect_uri"].into_iter().find(|name| {
            let value = x.param(name).unwrap_or("");
            form_decode(value).is_ok_and(|again| {
                again != value && !is_known(t, x, name, value) && is_known(t, x, name, &again)
            })
        });
        match twice {
            Some(name) => j.fail(&[x], format!("a {name} that is encoded once"), "it is encoded twice"),
            None => j.pass(),
        }
    })
}

/// Whether a value is one that the app is registered with.
fn is_known(t: &Transcript, x: &Exchange, name: &str, value: &str) -> bool {
    let Some(app) = app_of(t, x) else { return false };
    match name {
        "scope" => value.split(' ').all(|one| app.scopes.iter().any(|scope| scope == one)),
        _ => app.redirect_uris.iter().any(|uri| uri == value),
    }
}

fn parameters_stand_once(t: &Transcript) -> Judgement {
    each(t, |j, x| {
        let all = [x.request.query(), x.request.form()];
        if let Some(name) = all.iter().find_map(|params| params.repeated()) {
            j.fail(&[x], "every parameter once", format!("{name} more than once"));
        } else if let Some((name, _)) = all.iter().flat_map(|p| p.iter()).find(|(_, value)| value.is_empty())
        {
            j.fail_lesser(&[x], "no parameter without a value", format!("{name} is empty"));
        } else {
            j.pass();
        }
    })
}

/// Parameters that are credentials whatever they hold.
const CREDENTIALS: [&str; 9] = [
    "client_secret",
    "client_assertion",
    "assertion",
    "access_token",
    "refresh_token",
    "oauth_token",
    "password",
    "pw",
    "id_token",
];

fn no_credential_in_the_url(t: &Transcript) -> Judgement {
    let secrets: Vec<&str> = t
        .at(Endpoint::Token)
        .flat_map(|x| {
            let sent = ["client_secret", "refresh_token", "password"].map(|name| x.request.form().get(name));
            let given = ["access_token", "refresh_token"].map(|name| x.text(name));
            sent.into_iter().chain(given)
        })
        .flatten()
        .filter(|secret| secret.len() > 5)
        .collect();
    each(t, |j, x| {
        let leaks = |name: &str, value: &str| {
            !value.is_empty() && (CREDENTIALS.contains(&name) || secrets.contains(&value))
        };
        match x.request.query().iter().find(|(name, value)| leaks(name, value)) {
            Some((name, _)) => j.fail(&[x], "no credential in the URL", format!("there is one: {name}")),
            None => j.pass(),
        }
    })
}

fn request_is_tied_to_the_browser(t: &Transcript) -> Judgement {
    each(t, |j, x| {
        let ties = ["state", "code_challenge", "nonce"]
            .into_iter()
            .any(|name| x.param(name).is_some_and(|v| !v.is_empty()));
        if ties {
            j.pass();
        } else {
            j.fail(&[x], "a state, a code_challenge or a nonce", "none of them");
        }
    })
}

fn asks_for_declared_scopes_alone(t: &Transcript) -> Judgement {
    each(t, |j, x| {
        let Some(app) = app_of(t, x).filter(|app| !app.scopes.is_empty()) else { return };
        let asked = x.param("scope").unwrap_or("");
        // One that is encoded twice is another check's.
        let asked = form_decode(asked).unwrap_or_else(|_| asked.to_owned());
        let same = |scope: &str, one: &str| {
            let of_refresh = ["refresh_token", "offline_access"];
            scope == one || of_refresh.contains(&scope) && of_refresh.contains(&one)
        };
        let declared = |one: &str| app.scopes.iter().any(|scope| scope == "full" || same(scope, one));
        match asked.split_whitespace().find(|one| !declared(one)) {
            Some(more) => j.fail(&[x], "scopes that the app has", format!("{more} besides")),
            None => j.pass(),
        }
    })
}

fn no_implicit_and_no_password_grant(t: &Transcript) -> Judgement {
    let mut j = each(t, |j, x| {
        let asked = x.param("response_type").unwrap_or("");
        if asked.split(' ').any(|word| word == "token") {
            j.fail(&[x], "no access token from the authorization endpoint", format!("response_type={asked}"));
        } else {
            j.pass();
        }
    });
    for x in t.at(Endpoint::Token) {
        match x.grant_type() {
            Some("password") => j.fail(&[x], "no password of a user", "grant_type=password"),
            Some(_) => j.pass(),
            None => {}
        }
    }
    j
}

fn user_is_sent_to_the_org(t: &Transcript) -> Judgement {
    let Some(authorize) = t.subject.endpoints.authorize.as_deref() else { return Judgement::new() };
    let moved = |x: &Exchange| {
        // Salesforce has one org behind several hosts, which its metadata names.
        let said = t.before(x).filter(|y| y.endpoint == Endpoint::Discovery);
        let mut said = said.filter(|y| same_origin(&y.request.url, authorize));
        said.any(|y| y.text("authorization_endpoint").is_some_and(|url| same_origin(url, &x.request.url)))
    };
    each(t, |j, x| {
        let url = &x.request.url;
        if !url.starts_with("https://") && !is_loopback(url) {
            j.fail(&[x], "https", origin(url).to_owned());
        } else if !same_origin(url, authorize) && !moved(x) {
            j.fail(&[x], origin(authorize).to_owned(), origin(url).to_owned());
        } else {
            j.pass();
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn a_callback_is_registered_or_of_the_same_machine() {
        assert!(super::differs_by_port("http://127.0.0.1:1717/cb", "http://127.0.0.1:9/cb"));
        assert!(super::differs_by_port("http://[::1]/cb", "http://[::1]:9/cb"));
        assert!(!super::differs_by_port("http://127.0.0.1:1717/cb", "http://localhost:1717/cb"));
        assert!(!super::differs_by_port("https://client.example:1/cb", "https://client.example:2/cb"));
        let id = "login/request-is-as-registered";
        let one = "> GET authorize response_type=code&client_id=other\n< 302\n";
        comes_to(id, one, Verdict::Pass);
        comes_to(id, &one.replace("other", "main"), Verdict::Fail);
        comes_to(id, &one.replace("other", "nobody"), Verdict::Fail);
        comes_to(id, &one.replace("=code", "=token"), Verdict::Fail);
    }

    #[test]
    fn what_is_encoded_otherwise_is_not_encoded_wrong() {
        let id = "login/parameters-are-encoded-once";
        for (scope, verdict) in [
            ("scope=api%20refresh_token", Verdict::Pass),
            ("scope=a%2520b", Verdict::Pass),
            ("scope=api%2Brefresh_token", Verdict::Fail),
            ("scope=100%", Verdict::Fail),
            ("scope=%ff", Verdict::Fail),
            ("scope=é", Verdict::Fail),
        ] {
            let request = format!("> GET authorize response_type=code&client_id=main&{scope}\n< 302\n");
            comes_to(id, &request, verdict);
        }
    }

    #[test]
    fn an_empty_parameter_and_a_secret_of_another_request() {
        comes_to("login/parameters-stand-once", concat!(asks!("&state=S&prompt="), "< 302\n"), Verdict::Fail);
        let leaks = concat!(
            asks!("&state=A-Token-123"),
            "< 302\n> POST token grant_type=x\n< 200 {\"access_token\":\"A-Token-123\"}\n"
        );
        comes_to("login/no-credential-in-the-url", leaks, Verdict::Fail);
        comes_to("login/no-implicit-and-no-password-grant", concat!(asks!(""), "< 302\n"), Verdict::Pass);
        comes_to(
            "login/no-implicit-and-no-password-grant",
            "> GET authorize response_type=code+token&client_id=main\n< 302\n",
            Verdict::Fail,
        );
    }

    #[test]
    fn where_no_app_is_known_none_can_be_another() {
        let check = crate::catalog::find("login/request-is-as-registered").unwrap();
        let mut t = crate::transcript::script::read(concat!(asks!("&state=S"), "< 302\n"));
        t.subject.apps.clear();
        assert_eq!(crate::catalog::judge_one(check, &t).verdict, Verdict::Skip);
        t.exchanges[0].request = crate::transcript::Request::new(
            "GET",
            "https://org.example/services/oauth2/authorize?response_type=token&client_id=main",
            Vec::new(),
            String::new(),
        );
        assert_eq!(crate::catalog::judge_one(check, &t).verdict, Verdict::Fail);
    }

    #[test]
    fn the_org_may_name_another_host_of_its_own() {
        let there = concat!(asks!(), "! host https://login.example\n< 302\n");
        let id = "login/user-is-sent-to-the-org";
        let said =
            "> GET discovery\n< 200 {\"authorization_endpoint\":\"https://login.example/authorize\"}\n";
        comes_to(id, &format!("{said}{there}"), Verdict::Pass);
        comes_to(id, &there.replace("https://login", "http://org"), Verdict::Fail);
    }
}
