//! Reading HAR files (HTTP Archive 1.2), as browsers and debugging proxies write them: what in them belongs to OAuth becomes
//! a record that judges clients.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::chance::tell_apart;
use super::elsewhere::Elsewhere;
use super::questions::origin;
use super::record::NOT_RECORDED;
use super::{Answer, Exchange, Facts, Failure, Part, Request, Response, Transcript};
use crate::oauth::salesforce::{Profile, endpoint_of};
use crate::oauth::{Endpoint, from_base64};
use crate::subject::{Subject, Target};

/// The most entries that are read.
const MOST: usize = 50_000;
/// What a report calls the client.
const CLIENT: &str = "recorded traffic";

#[derive(Deserialize)]
struct File {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: String,
    #[serde(default)]
    time: f64,
    request: Asked,
    response: Answered,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Named>,
    post_data: Option<Posted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    #[serde(default)]
    params: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    #[serde(default)]
    status: i64,
    #[serde(default)]
    headers: Vec<Named>,
    #[serde(default)]
    content: Content,
    // Some writers have -1 or null for what they do not know.
    #[serde(default)]
    body_size: Value,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    size: Value,
    #[serde(default)]
    text: String,
    #[serde(default)]
    encoding: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    value: Value,
}

/// Why a file is no HAR file that can be judged.
#[derive(Debug, thiserror::Error)]
pub enum NoHar {
    /// It is no JSON of this form.
    #[error("it is no HAR file: {0}")]
    Form(#[from] serde_json::Error),
    /// There is more in it than is read.
    #[error("it has {0} entries, and {MOST} are read at most")]
    TooMany(usize),
    /// Nothing in it belongs to OAuth.
    #[error("none of its {0} entries asks an authorization server, or a resource with an access token")]
    Nothing(usize),
}

/// Whether a text is meant for a HAR file: an object with a `log` and no version of ours.
pub fn is_har(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Head {
        log: Option<serde::de::IgnoredAny>,
        exchanges: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Head>(text).is_ok_and(|head| head.log.is_some() && head.exchanges.is_none())
}

/// Reads a HAR file as the record of a client. The target says what is known of the server and its apps; where it names
/// no endpoints, they are known by what is asked there. What went to hosts of others is kept where a secret of the record
/// went along.
///
/// # Errors
/// [`NoHar`], where there is nothing to judge.
pub fn read_har(text: &str, target: &Target) -> Result<Transcript, NoHar> {
    let File { log: Log { mut entries } } = serde_json::from_str(text)?;
    let all = entries.len();
    if all > MOST {
        return Err(NoHar::TooMany(all));
    }
    // Browsers write entries as they end, or as they please.
    entries.sort_by_key(Entry::began);
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut callbacks: Vec<String> = target.apps.values().flat_map(|app| app.redirect_uris.clone()).collect();
    let mut known = target.clone();
    let mut others: Vec<(&Entry, Request)> = Vec::new();
    for entry in &entries {
        let request = entry.request.read();
        let Some(endpoint) = endpoint(&request, &known, &callbacks) else {
            others.push((entry, request));
            continue;
        };
        if endpoint == Endpoint::Authorize {
            callbacks.extend(request.query().get("redirect_uri").map(str::to_owned));
        }
        learn(&mut known, endpoint, &request);
        exchanges.push(exchange(entry, endpoint, request, &known));
    }
    let mut elsewhere = Elsewhere::of(&exchanges, target, &known, &callbacks);
    exchanges.retain_mut(|x| elsewhere.keeps(x));
    for (entry, request) in others {
        if let Some(facts) = elsewhere.facts(&request) {
            let endpoint = elsewhere.endpoint(&request);
            let x = exchange(entry, endpoint, request, &known);
            let facts = Facts { stranger: facts.stranger, secret_in: facts.secret_in, ..x.facts.clone() };
            exchanges.push(Exchange { facts, ..x });
        }
    }
    if exchanges.is_empty() {
        return Err(NoHar::Nothing(all));
    }
    exchanges.sort_by_key(|x| x.at);
    exchanges.iter_mut().enumerate().for_each(|(number, x)| x.number = number);
    if known.org.is_none() {
        let server = known.endpoints.token.as_ref().or(known.endpoints.authorize.as_ref());
        let server = server.unwrap_or(&exchanges[0].request.url);
        known.org = Some(origin(server).to_owned());
        known.profile = Profile::of(known.org.as_deref());
    }
    let begins: Vec<i64> = exchanges.iter().map(|x| x.at).collect();
    for x in &mut exchanges {
        let over = x.at.saturating_add(i64::try_from(x.took / 1000).unwrap_or(i64::MAX));
        x.over_at = begins.partition_point(|at| *at < over).max(x.number + 1);
    }
    tell_apart(&mut exchanges);
    let subject = Subject { program: Some(CLIENT.to_owned()), ..known.subject() };
    Ok(Transcript { subject, exchanges, waive: target.waive.clone(), ..Transcript::default() })
}

fn exchange(entry: &Entry, endpoint: Endpoint, request: Request, known: &Target) -> Exchange {
    let answer = entry.response.read(endpoint);
    let told = match &answer {
        Answer::Response(response) => Some(response),
        Answer::Nothing(_) => None,
    };
    let facts = Facts::of(&request, told, known);
    let client = request.form().get("client_id").or(request.query().get("client_id"));
    let app = known.apps.iter().find(|(_, app)| Some(app.client_id.as_str()) == client);
    let browser = matches!(endpoint, Endpoint::Authorize | Endpoint::Callback);
    Exchange {
        number: 0,
        over_at: 0,
        scenario: "recorded".into(),
        part: Part::Scenario,
        step: 0,
        action: if browser { "browser" } else { "program" }.into(),
        tweak: None,
        endpoint,
        app: app.map_or("main", |(role, _)| role.as_str()).to_owned(),
        user: None,
        at: entry.began(),
        took: entry.took(),
        race: None,
        request,
        answer,
        facts,
    }
}

/// What kind of endpoint a request is for; none where it is for nothing that is judged.
fn endpoint(request: &Request, known: &Target, callbacks: &[String]) -> Option<Endpoint> {
    let bare = request.url.split(['?', '#']).next().unwrap_or("");
    let at = &known.endpoints;
    let named = [
        (&at.authorize, Endpoint::Authorize),
        (&at.token, Endpoint::Token),
        (&at.introspect, Endpoint::Introspect),
        (&at.revoke, Endpoint::Revoke),
        (&at.userinfo, Endpoint::Userinfo),
        (&at.keys, Endpoint::Keys),
    ];
    if let Some((_, endpoint)) = named.into_iter().find(|(url, _)| url.as_deref() == Some(bare)) {
        return Some(endpoint);
    }
    if callbacks.iter().any(|uri| uri.split('?').next() == Some(bare)) {
        return Some(Endpoint::Callback);
    }
    let (query, form) = (request.query(), request.form());
    if query.get("response_type").is_some() && query.get("client_id").is_some() {
        return Some(Endpoint::Authorize);
    }
    if form.get("grant_type").is_some() || query.get("grant_type").is_some() {
        return Some(Endpoint::Token);
    }
    match endpoint_of(request.path()) {
        Endpoint::Page if request.bearer().is_some() => Some(Endpoint::Resource),
        Endpoint::Page => None,
        endpoint => Some(endpoint),
    }
}

/// Where the server answers, as far as it is seen.
fn learn(known: &mut Target, endpoint: Endpoint, request: &Request) {
    let at = &mut known.endpoints;
    let place = match endpoint {
        Endpoint::Authorize => &mut at.authorize,
        Endpoint::Token => &mut at.token,
        _ => return,
    };
    place.get_or_insert_with(|| request.url.split(['?', '#']).next().unwrap_or("").to_owned());
}

impl Entry {
    /// Milliseconds since the epoch; 0 where it does not say.
    fn began(&self) -> i64 {
        self.started_date_time.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond)
    }

    /// Microseconds.
    fn took(&self) -> u64 {
        // Some writers have -1 for what they do not know.
        if self.time.is_finite() && self.time > 0.0 { (self.time * 1000.0) as u64 } else { 0 }
    }
}

impl Asked {
    fn read(&self) -> Request {
        let mut headers = fields(&self.headers);
        let mut body = String::new();
        if let Some(posted) = &self.post_data {
            let form = || {
                let pairs = self.post_data.iter().flat_map(|posted| &posted.params);
                let pairs = pairs.map(|pair| (pair.name.clone(), text(&pair.value)));
                pairs.collect::<crate::oauth::Params>().write()
            };
            body = posted.text.clone().unwrap_or_else(form);
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("content-type".to_owned(), posted.mime_type.clone()));
            }
        }
        Request::new(&self.method, &self.url, headers, body)
    }
}

impl Answered {
    fn read(&self, endpoint: Endpoint) -> Answer {
        let Some(status) = u16::try_from(self.status).ok().filter(|status| *status >= 100) else {
            return Answer::Nothing(Failure::Broken("the file has no answer".into()));
        };
        let body = match self.content.encoding.as_str() {
            "base64" => from_base64(&self.content.text)
                .map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).into_owned()),
            _ => self.content.text.clone(),
        };
        // Many writers leave bodies out, or take none that is long. Of what is judged by its answer nothing can be said then.
        let judged = matches!(
            endpoint,
            Endpoint::Token
                | Endpoint::Introspect
                | Endpoint::Userinfo
                | Endpoint::Keys
                | Endpoint::Discovery
        );
        let is_some = |size: &Value| size.as_f64().is_some_and(|size| size > 0.0);
        let there = is_some(&self.content.size) || is_some(&self.body_size) || status == 200;
        if judged && there && body.is_empty() && !matches!(status, 204 | 304) {
            return Answer::Response(Response::new(status, fields(&self.headers), NOT_RECORDED.to_owned()));
        }
        Answer::Response(Response::new(status, fields(&self.headers), body))
    }
}

fn fields(list: &[Named]) -> Vec<(String, String)> {
    // HTTP/2 has fields of its own in front, which say what the URL says.
    let real = list.iter().filter(|field| !field.name.starts_with(':'));
    real.map(|field| (field.name.clone(), text(&field.value))).collect()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn har(entries: &str) -> String {
        format!("{{\"log\": {{\"version\": \"1.2\", \"entries\": [{entries}]}}}}")
    }

    fn entry(at: &str, ms: u32, request: &str, response: &str) -> String {
        format!(
            "{{\"startedDateTime\": \"{at}\", \"time\": {ms}, \"request\": {request}, \"response\": {response}}}"
        )
    }

    const GRANTED: &str = r#"{"status": 200, "headers": [], "content": {"text": "eyJhY2Nlc3NfdG9rZW4iOiJBMSJ9", "encoding": "base64"}}"#;

    #[test]
    fn what_belongs_to_oauth_is_read_in_the_order_in_which_it_began() {
        let call = entry(
            "2026-11-01T10:00:01.000Z",
            50,
            r#"{"method": "GET", "url": "https://api.example/me", "headers": [{"name": ":authority", "value": "api.example"}, {"name": "Authorization", "value": "Bearer A1"}]}"#,
            r#"{"status": 200, "headers": []}"#,
        );
        let token = entry(
            "2026-11-01T10:00:00.000+00:00",
            1500,
            r#"{"method": "POST", "url": "https://login.example/t", "headers": [], "postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "grant_type", "value": "client_credentials"}, {"name": "client_id", "value": "c"}]}}"#,
            GRANTED,
        );
        let picture =
            entry("", 1, r#"{"method": "GET", "url": "https://cdn.example/a.png"}"#, r#"{"status": 200}"#);
        let t = read_har(&har(&[call, picture, token].join(",")), &Target::default()).unwrap();
        let seen: Vec<_> = t.exchanges.iter().map(|x| (x.endpoint, x.request.url.as_str())).collect();
        assert_eq!(
            seen,
            [(Endpoint::Token, "https://login.example/t"), (Endpoint::Resource, "https://api.example/me")]
        );
        assert_eq!(t.exchanges[0].text("access_token"), Some("A1"));
        assert_eq!(t.exchanges[0].grant_type(), Some("client_credentials"));
        // The call began while the token request was not answered.
        assert!(t.exchanges[1].overlaps(&t.exchanges[0]));
        assert_eq!(t.subject.endpoints.token.as_deref(), Some("https://login.example/t"));
    }

    #[test]
    fn a_login_is_known_by_what_is_asked() {
        let authorize = entry(
            "2026-11-01T10:00:00Z",
            5,
            r#"{"method": "GET", "url": "https://login.example/go?response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&state=s"}"#,
            r#"{"status": 0}"#,
        );
        let callback = entry(
            "2026-11-01T10:00:01Z",
            5,
            r#"{"method": "GET", "url": "http://127.0.0.1:1/cb?code=x&state=s"}"#,
            r#"{"status": 200}"#,
        );
        let t = read_har(&har(&[authorize, callback].join(",")), &Target::default()).unwrap();
        assert_eq!(t.exchanges[0].endpoint, Endpoint::Authorize);
        assert_eq!(
            (t.exchanges[1].endpoint, t.exchanges[1].action.as_str()),
            (Endpoint::Callback, "browser")
        );
        assert!(t.exchanges[0].response().is_none());
    }

    const LOGIN: [&str; 2] = ["https://login.example/services/oauth2/token", "s3cr3t-of-the-app-0001"];

    /// A grant with an access token and a refresh token of realistic length, and what came after it.
    fn granted(body: &str, after: &[(&str, &str, &str)]) -> Transcript {
        let [at, secret] = LOGIN;
        let form = format!(
            "grant_type=authorization_code&code=aPrxCode.0123456789&client_id=c&client_secret={secret}"
        );
        let token = entry(
            "2026-11-01T10:00:00Z",
            5,
            &serde_json::json!({"method": "POST", "url": at, "headers": [], "postData":
                {"mimeType": "application/x-www-form-urlencoded", "text": form}})
            .to_string(),
            &serde_json::json!({"status": 200, "headers": [], "content": {"size": 9, "text": body}})
                .to_string(),
        );
        let after = after.iter().map(|(url, header, form)| {
            let (name, value) = header.split_once(": ").unwrap_or(("x", "y"));
            let request = serde_json::json!({"method": "POST", "url": url, "headers": [{"name": name, "value": value}],
                "postData": {"mimeType": "application/x-www-form-urlencoded", "text": form}});
            entry("2026-11-01T10:00:02Z", 5, &request.to_string(), r#"{"status": 200}"#)
        });
        let entries: Vec<String> = std::iter::once(token).chain(after).collect();
        read_har(&har(&entries.join(",")), &Target::default()).unwrap()
    }

    const BODY: &str = r#"{"access_token":"00Dxx!AccessToken0001","refresh_token":"5Aep861RefreshToken01","instance_url":"https://acme.example"}"#;

    #[test]
    fn what_goes_elsewhere_is_kept_where_a_secret_goes_along() {
        let bearer = "Authorization: Bearer 00Dxx!AccessToken0001";
        let referer = "Referer: https://client.test/cb?code=aPrxCode.0123456789";
        for (url, header, form, place) in [
            ("https://evil.test/x", bearer, "", None),
            ("https://evil.test/x?t=00Dxx%21AccessToken0001", "", "", None),
            ("https://evil.test/x", "", "refresh=5Aep861RefreshToken01", None),
            ("https://evil.test/x", referer, "", None),
            ("https://evil.test/x", "", "s=s3cr3t-of-the-app-0001", Some("the parameter s")),
        ] {
            let t = granted(BODY, &[(url, header, form)]);
            assert_eq!(t.exchanges.len(), 2, "{header} {form}");
            let facts = &t.exchanges[1].facts;
            assert_eq!(
                (facts.stranger.as_deref(), facts.secret_in.as_deref()),
                (Some("https://evil.test"), place)
            );
        }
        for (url, header) in [
            ("https://evil.test/x", "Accept: */*"),
            ("https://evil.test/x", "Authorization: Bearer of-another-service-01"),
            ("https://cdn.login.example/x", referer),
        ] {
            assert_eq!(granted(BODY, &[(url, header, "")]).exchanges.len(), 1, "{url} {header}");
        }
        let own = granted(BODY, &[("https://api.acme.example/x", bearer, "")]);
        assert_eq!((own.exchanges.len(), own.exchanges[1].facts.stranger.as_deref()), (2, None));
        // Nothing says where its resources are.
        let open = granted(&BODY.replace("instance_url", "x"), &[("https://api.test/x", bearer, "")]);
        assert_eq!(open.exchanges[1].facts.stranger, None);
    }

    #[test]
    fn an_answer_without_its_body_is_cut_and_waivers_come_from_the_target() {
        assert!(granted("", &[]).exchanges[0].is_cut() && !granted(BODY, &[]).exchanges[0].is_cut());
        let waive = vec![crate::subject::Waiver { check: "calling/x".into(), because: "known".into() }];
        let token = entry(
            "",
            1,
            r#"{"method": "GET", "url": "https://login.example/t?grant_type=x"}"#,
            r#"{"status": 400}"#,
        );
        let t = read_har(&har(&token), &Target { waive: waive.clone(), ..Target::default() }).unwrap();
        assert_eq!(t.waive, waive);
        assert!(!t.exchanges[0].is_cut());
    }

    #[test]
    fn what_is_none_says_so() {
        assert!(matches!(read_har("{}", &Target::default()), Err(NoHar::Form(_))));
        assert!(matches!(read_har(&har(""), &Target::default()), Err(NoHar::Nothing(0))));
        assert!(is_har(&har("")) && !is_har("{\"version\": 1, \"exchanges\": []}") && !is_har("[]"));
    }
}
