//! A transcript as a file: versioned JSON without secrets, which judges like the run that it records.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Exchange, Facts, Failure, Part, Redactor, Request, Response, Staged, Transcript};
use crate::oauth::Endpoint;
use crate::subject::{Settings, Subject, Waiver};
use std::collections::BTreeMap;

/// Version of the format.
const VERSION: u32 = 1;

/// The longest body that a recording keeps, in bytes.
const LONGEST_BODY: usize = 16 * 1024;

/// The longest body of what a server publishes of itself, in bytes: judges read such a document to its end.
const LONGEST_DOCUMENT: usize = 256 * 1024;

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON of this form.
    #[error("it is not a grantcheck recording: {0}")]
    Form(#[from] serde_json::Error),
    /// It was written by another version of the format.
    #[error("it has version {0} of the recording format; this grantcheck reads version {VERSION}")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    subject: Subject,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, Settings>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waive: Vec<Waiver>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waive_in: BTreeMap<String, Vec<Waiver>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    staged: BTreeMap<String, Staged>,
    exchanges: Vec<Row>,
}

/// One exchange as it is written, here and in the JSON report.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    number: usize,
    /// None where requests were played one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over_at: Option<usize>,
    scenario: String,
    #[serde(default)]
    part: Part,
    step: usize,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tweak: Option<String>,
    endpoint: Endpoint,
    app: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    at: i64,
    took_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    race: Option<u32>,
    request: Sent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<Received>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default)]
    facts: Facts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sent {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Received {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// The recording as text. Every secret of the transcript is replaced by its fingerprint.
///
/// # Panics
/// Never: the rows hold nothing that JSON cannot say.
pub fn write(transcript: &Transcript, redactor: &mut Redactor) -> String {
    redactor.learn_subject(&transcript.subject);
    for exchange in &transcript.exchanges {
        redactor.learn_exchange(exchange);
    }
    let mut file = File {
        version: VERSION,
        subject: transcript.subject.clone(),
        settings: transcript.settings.clone(),
        waive: transcript.waive.clone(),
        waive_in: transcript.waive_in.clone(),
        staged: transcript.staged.clone(),
        exchanges: transcript.exchanges.iter().map(Row::of).collect(),
    };
    redactor.scrub_subject(&mut file.subject);
    let mut value = serde_json::to_value(file).expect("a recording is plain data");
    if let Some(Value::Array(rows)) = value.get_mut("exchanges") {
        redact(rows, redactor);
    }
    let mut text = serde_json::to_string_pretty(&value).expect("a recording is plain data");
    text.push('\n');
    text
}

/// Scrubs rows: what the parties said to each other, and no name that an author or this program gave. Long bodies are cut
/// afterwards: a secret that a cut went through would not be found any more.
pub(crate) fn redact(rows: &mut [Value], redactor: &mut Redactor) {
    for row in rows {
        let published = matches!(row["endpoint"].as_str(), Some("keys" | "discovery"));
        let longest = if published { LONGEST_DOCUMENT } else { LONGEST_BODY };
        for part in ["request", "response"] {
            let Some(Value::Object(part)) = row.get_mut(part) else { continue };
            for (name, member) in part.iter_mut() {
                match (name.as_str(), member) {
                    ("url", url) => redactor.scrub_value(url),
                    ("headers", Value::Array(fields)) => {
                        for field in fields.iter_mut().filter_map(Value::as_array_mut) {
                            field.iter_mut().skip(1).for_each(|value| redactor.scrub_value(value));
                        }
                    }
                    ("body", Value::String(body)) => *body = cut(&redactor.scrub(body), longest),
                    _ => {}
                }
            }
        }
        for name in ["failure", "facts"] {
            if let Some(Value::Object(members)) = row.get_mut(name) {
                members
                    .iter_mut()
                    .filter(|(name, _)| *name != "kind")
                    .for_each(|(_, m)| redactor.scrub_value(m));
            }
        }
        if let Some(Value::String(tweak)) = row.get_mut("tweak") {
            *tweak = redactor.scrub_own(tweak);
        }
    }
}

/// The rows of a transcript as JSON, for the report; neither scrubbed nor shortened yet.
///
/// # Panics
/// Never: the rows hold nothing that JSON cannot say.
pub(crate) fn rows(transcript: &Transcript) -> Vec<Value> {
    transcript
        .exchanges
        .iter()
        .map(|x| serde_json::to_value(Row::of(x)).expect("a row is plain data"))
        .collect()
}

/// Reads a recording back.
///
/// # Errors
/// [`Unreadable`], where it is no recording of this version.
pub fn read(text: &str) -> Result<Transcript, Unreadable> {
    let file: File = serde_json::from_str(text)?;
    if file.version != VERSION {
        return Err(Unreadable::Version(file.version));
    }
    let exchanges = file.exchanges.into_iter().enumerate().map(|(i, row)| row.exchange(i)).collect();
    Ok(Transcript {
        subject: file.subject,
        exchanges,
        settings: file.settings,
        waive: file.waive,
        waive_in: file.waive_in,
        staged: file.staged,
    })
}

impl Row {
    fn of(x: &Exchange) -> Self {
        let (response, failure) = match &x.answer {
            Answer::Response(r) => {
                (Some(Received { status: r.status, headers: r.headers.clone(), body: r.body.clone() }), None)
            }
            Answer::Nothing(failure) => (None, Some(failure.clone())),
        };
        Self {
            number: x.number,
            over_at: Some(x.over_at).filter(|over_at| *over_at != x.number + 1),
            scenario: x.scenario.clone(),
            part: x.part,
            step: x.step,
            action: x.action.clone(),
            tweak: x.tweak.clone(),
            endpoint: x.endpoint,
            app: x.app.clone(),
            user: x.user.clone(),
            at: x.at,
            took_us: x.took,
            race: x.race,
            request: Sent {
                method: x.request.method.clone(),
                url: x.request.url.clone(),
                headers: x.request.headers.clone(),
                body: x.request.body.clone(),
            },
            response,
            failure,
            facts: x.facts.clone(),
        }
    }

    fn exchange(self, number: usize) -> Exchange {
        let answer = match (self.response, self.failure) {
            (Some(r), _) => Answer::Response(Response::new(r.status, r.headers, r.body)),
            (None, Some(failure)) => Answer::Nothing(failure),
            (None, None) => Answer::Nothing(Failure::Broken("nothing was recorded".into())),
        };
        // It is counted from its own position: a file may hold a part of a record.
        let under_way = self.over_at.map_or(1, |over_at| over_at.saturating_sub(self.number).max(1));
        Exchange {
            number,
            over_at: number.saturating_add(under_way),
            scenario: self.scenario,
            part: self.part,
            step: self.step,
            action: self.action,
            tweak: self.tweak,
            endpoint: self.endpoint,
            app: self.app,
            user: self.user,
            at: self.at,
            took: self.took_us,
            race: self.race,
            request: Request::new(
                &self.request.method,
                &self.request.url,
                self.request.headers,
                self.request.body,
            ),
            answer,
            facts: self.facts,
        }
    }
}

/// What stands for a body of which a file has nothing.
pub(super) const NOT_RECORDED: &str = "… (not recorded)";

/// Whether a body was cut when it was recorded.
pub(super) fn is_cut(body: &str) -> bool {
    body == NOT_RECORDED || body.len() > LONGEST_BODY && body.ends_with(" bytes in all)")
}

fn cut(body: &str, longest: usize) -> String {
    if body.len() <= longest {
        return body.to_owned();
    }
    let mut end = longest;
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes in all)", &body[..end], body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;

    #[test]
    fn a_recording_reads_back_and_holds_no_secret() {
        let transcript = script::read(
            "> POST token grant_type=refresh_token&refresh_token=secret-refresh-1&client_id=main\n\
             < 200 {\"access_token\":\"secret-access-1\"}\n\
             > GET api\n\
             > Authorization: Bearer secret-access-1\n\
             < 200 {}\n",
        );
        let text = write(&transcript, &mut Redactor::new([1; 32]));
        assert!(!text.contains("secret-refresh-1") && !text.contains("secret-access-1"));
        let back = read(&text).unwrap();
        assert_eq!(back.exchanges[0].text("access_token"), back.exchanges[1].request.bearer());
        assert_eq!(write(&back, &mut Redactor::new([2; 32])), text);
    }

    #[test]
    fn a_recording_keeps_what_overlapped_and_an_old_one_has_nothing_of_it() {
        let transcript =
            script::read("> GET api\n< 200\n= hold\n> GET api\n< 200\n= release\n> GET api\n< 200\n");
        let text = write(&transcript, &mut Redactor::new([1; 32]));
        assert_eq!(text.matches("over_at").count(), 1);
        let over = |text: &str| read(text).unwrap().exchanges.iter().map(|x| x.over_at).collect::<Vec<_>>();
        assert_eq!(over(&text), [2, 2, 3]);
        assert_eq!(over(&text.replace("\"over_at\": 2,", "")), [1, 2, 3]);
    }

    #[test]
    fn names_that_we_gave_stay_whatever_is_secret() {
        use crate::subject::{ConnectedApp, Target, User};
        for secret in [
            "secret",
            "password",
            "salesforce",
            "client_secret",
            "redeem",
            "scenario",
            "example",
            "token-endpoint",
        ] {
            let app = ConnectedApp {
                client_id: "main".into(),
                client_secret: Some(secret.into()),
                ..ConnectedApp::default()
            };
            let user = User { username: "ann".into(), password: Some(secret.into()), ..User::default() };
            let mut target = Target::default();
            target.apps.insert("main".into(), app);
            target.users.insert("main".into(), user);
            let mut redactor = Redactor::new([1; 32]);
            redactor.learn_target(&target);
            let document = "{\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"],\"secret\":1,\"password\":2}";
            let mut transcript = script::read(&format!(
                "> POST token grant_type=client_credentials&client_id=main&client_secret={secret}\n! tweak client_secret\n< 400 {document}\n"
            ));
            transcript.exchanges[0].scenario = format!("suite › the {secret} of the client_secret");
            let text = write(&transcript, &mut redactor);
            let back = read(&text).unwrap();
            assert_eq!(back.subject, transcript.subject);
            let (was, is) = (&transcript.exchanges[0], &back.exchanges[0]);
            assert_eq!((&is.scenario, &is.tweak), (&was.scenario, &was.tweak));
            assert_eq!(is.response().unwrap().body, document);
            let print = redactor.fingerprint("client_secret", secret);
            assert_eq!(is.param("client_secret"), Some(print.as_str()));
        }
    }

    #[test]
    fn what_is_published_is_kept_whole_and_what_is_cut_says_so() {
        let long = |length: usize| format!("{{\"keys\":[],\"x\":\"{}\"}}", "y ".repeat(length / 2));
        for (endpoint, length, cut) in [
            ("keys", 100_000, false),
            ("discovery", 20_000, false),
            ("api", 20_000, true),
            ("keys", 300_000, true),
        ] {
            let transcript = script::read(&format!("> GET {endpoint}\n< 200 {}\n", long(length)));
            let back = read(&write(&transcript, &mut Redactor::new([1; 32]))).unwrap();
            assert_eq!(back.exchanges[0].is_cut(), cut, "{endpoint} {length}");
            assert_eq!(back.exchanges[0].response().unwrap().json().is_none(), cut);
        }
    }

    #[test]
    fn waivers_are_written_and_a_recording_without_them_is_read() {
        let mut transcript = script::read("> GET keys\n< 200 {}\n");
        let without = write(&transcript, &mut Redactor::new([1; 32]));
        assert!(!without.contains("waive") && read(&without).unwrap().waive.is_empty());
        let waiver = Waiver { check: "code/works-once".into(), because: "the secret is known".into() };
        transcript.waive = vec![waiver.clone()];
        transcript.waive_in.insert("example".into(), vec![waiver]);
        let back = read(&write(&transcript, &mut Redactor::new([1; 32]))).unwrap();
        assert_eq!((back.waive, back.waive_in), (transcript.waive, transcript.waive_in));
    }

    #[test]
    fn another_version_is_refused() {
        let text = r#"{"version":9,"subject":{},"exchanges":[]}"#;
        assert!(matches!(read(text), Err(Unreadable::Version(9))));
    }
}
