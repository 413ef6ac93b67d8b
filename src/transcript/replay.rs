//! A recording that answers: a request is recognised by its shape, and what changes from run to run is echoed.

use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::record::is_cut;
use super::{Answer, AssertionFacts, Exchange, Facts, Failure, Part, Request, Response, Transcript};
use crate::oauth::params::form_encode;
use crate::oauth::{Endpoint, Params};

/// Parameters that a client makes up anew in every run.
const LIVE: [&str; 3] = ["state", "nonce", "code_challenge"];
/// Claims that are moments, or made up anew.
const MOMENTS: [&str; 4] = ["confirmation_exp", "exp", "iat", "nbf"];
/// How far two moments of an assertion may be apart, counted from their requests, in seconds.
const LEEWAY: i64 = 30;
/// Header fields that say nothing of what is asked, or that are compared in a way of their own.
const OTHER_FIELDS: [&str; 6] = ["authorization", "content-length", "cookie", "host", "user-agent", "date"];
/// Values below this length are not looked for in answers: they stand there for other reasons as well.
const SHORTEST: usize = 6;

static FINGERPRINT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[a-z_]+:[0-9a-f]{16}").expect("the pattern is right"));

/// A recording, looked through once for all plays of a run.
pub struct Recording {
    transcript: Transcript,
    /// Fingerprints that stand in answers: what the server handed out.
    handed_out: HashSet<String>,
    /// Positions by method and path.
    by_path: HashMap<(String, String), Vec<usize>>,
}

impl Recording {
    /// Looks through a recording that was read back.
    pub fn new(transcript: Transcript) -> Self {
        let mut handed_out = HashSet::new();
        let mut by_path: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, x) in transcript.exchanges.iter().enumerate() {
            by_path.entry((x.request.method.clone(), x.request.path().to_owned())).or_default().push(at);
            let Some(response) = x.response() else { continue };
            let texts =
                response.headers.iter().map(|(_, value)| value.as_str()).chain([response.body.as_str()]);
            for text in texts {
                handed_out.extend(FINGERPRINT.find_iter(text).map(|found| found.as_str().to_owned()));
            }
        }
        Self { transcript, handed_out, by_path }
    }

    /// What was recorded.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The exchanges of a scenario, by the name that they bear.
    pub fn of<'r>(&'r self, scenario: &'r str) -> impl Iterator<Item = &'r Exchange> {
        self.transcript.exchanges.iter().filter(move |x| x.scenario == scenario)
    }

    /// What was told of an answer when it was recorded: of the one that hands out the same code or token.
    pub fn told_of(&self, response: &Response) -> Option<&Facts> {
        let handed_out = |response: &Response| {
            let code = response.redirect().and_then(|(_, params)| params.last("code").map(str::to_owned));
            let token = || Some(response.json()?.get("access_token")?.as_str()?.to_owned());
            code.or_else(token)
        };
        let wanted = handed_out(response)?;
        let told = |x: &&Exchange| x.response().and_then(handed_out).as_ref() == Some(&wanted);
        self.transcript.exchanges.iter().find(told).map(|x| &x.facts)
    }

    /// The origin that most requests went to.
    pub fn origin(&self) -> Option<String> {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for x in &self.transcript.exchanges {
            let Some((scheme, rest)) = x.request.url.split_once("://") else { continue };
            let host = rest.split(['/', '?', '#']).next().unwrap_or("");
            *counted.entry(format!("{scheme}://{host}")).or_default() += 1;
        }
        counted.into_iter().max_by_key(|(_, times)| *times).map(|(origin, _)| origin)
    }
}

/// What other plays of the same scenario were answered: its controls stand one behind the other in a recording.
pub type Taken = Arc<Mutex<HashSet<usize>>>;

/// A recording as the server of one play.
pub struct Replay {
    recording: Arc<Recording>,
    /// Positions of what was recorded of the same play, and whether it has answered.
    own: Vec<(usize, bool)>,
    taken: Taken,
    /// What the client of this play made up, and what stands for it in the recording; the latest first.
    echo: Vec<(String, String)>,
}

/// What a recording answers.
pub struct Replayed {
    /// The answer, or that there is none.
    pub answer: Answer,
    /// How long it took then, in microseconds.
    pub took: u64,
    /// When it was given in the recording, where it was given in the same play.
    pub at: Option<i64>,
}

impl Replay {
    /// The server of a scenario, or of its positive controls.
    pub fn new(recording: Arc<Recording>, scenario: &str, part: Part, taken: Taken) -> Self {
        let exchanges = recording.transcript.exchanges.iter().enumerate();
        let own = exchanges
            .filter(|(_, x)| x.scenario == scenario && (x.part == part || x.part == Part::Cleanup))
            .map(|(at, _)| (at, false))
            .collect();
        Self { recording, own, taken, echo: Vec::new() }
    }

    /// When the play began in the recording, in milliseconds since the epoch.
    pub fn begin(&self) -> Option<i64> {
        self.own.iter().map(|(at, _)| self.recording.transcript.exchanges[*at].at).min()
    }

    /// Answers a request, about which these facts are known, at that moment.
    pub fn answer(&mut self, request: &Request, facts: &Facts, now: i64) -> Replayed {
        let recording = self.recording.clone();
        let live = Live { request, facts, now, echo: &self.echo, recording: &recording };
        let exchange = |at: usize| &recording.transcript.exchanges[at];
        let liken = |at: usize| live.likeness(exchange(at)).map(|likeness| (at, likeness));
        let unused: Vec<_> =
            self.own.iter().filter(|(_, used)| !used).filter_map(|(at, _)| liken(*at)).collect();
        // The first of those that are the most alike, and first of all what no other play was given.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let order = |(at, likeness): &&(usize, Likeness)| (!taken.contains(at), likeness.same);
        let next = unused.iter().rev().max_by_key(order).map(|(at, _)| *at);
        taken.extend(next);
        drop(taken);
        let found = next.or_else(|| {
            let key = (request.method.clone(), request.path().to_owned());
            let all = recording.by_path.get(&key).map(Vec::as_slice).unwrap_or_default();
            let alike: Vec<_> = all.iter().filter_map(|at| liken(*at)).collect();
            let own = |at: usize| self.own.iter().any(|(own, _)| *own == at);
            // Doing a thing again is another thing: a code that was redeemed is not redeemed like that once more.
            if alike.iter().any(|(at, _)| own(*at) && !only_reads(exchange(*at))) {
                return None;
            }
            let best = alike.iter().rev().max_by_key(|(at, likeness)| (own(*at), likeness.same))?.0;
            // Where the recording answers such a request now so and now so, nobody knows which it would be.
            let outcome = |at: usize| outcome(exchange(at));
            alike.iter().all(|(at, _)| outcome(*at) == outcome(best)).then_some(best)
        });
        let Some(at) = found else {
            return Replayed { answer: Answer::Nothing(Failure::Unrecorded), took: 0, at: None };
        };
        let pairs = live.likeness(exchange(at)).map(|likeness| likeness.pairs).unwrap_or_default();
        for pair in pairs {
            self.echo.retain(|known| known.1 != pair.1);
            self.echo.insert(0, pair);
        }
        match self.own.iter_mut().find(|(own, _)| *own == at) {
            Some(own) => own.1 = true,
            None => self.own.push((at, true)),
        }
        let answer = match &exchange(at).answer {
            Answer::Response(response) if is_cut(&response.body) => Answer::Nothing(Failure::Unrecorded),
            Answer::Response(response) => Answer::Response(self.echoed(response)),
            Answer::Nothing(failure) => Answer::Nothing(failure.clone()),
        };
        Replayed { answer, took: exchange(at).took, at: next.map(|at| exchange(at).at) }
    }

    /// The answer with what this client made up in place of what the recorded one did.
    fn echoed(&self, response: &Response) -> Response {
        let echo = |text: &str| {
            let mut text = text.to_owned();
            for (live, recorded) in self.echo.iter().filter(|(_, recorded)| recorded.len() >= SHORTEST) {
                for (live, recorded) in forms(live).into_iter().zip(forms(recorded)) {
                    text = text.replace(&recorded, &live);
                }
            }
            text
        };
        let headers = response.headers.iter().map(|(name, value)| (name.clone(), echo(value))).collect();
        Response::new(response.status, headers, echo(&response.body))
    }
}

/// A value raw, in a query, and in a URL in a query.
fn forms(value: &str) -> Vec<String> {
    let once = form_encode(value);
    let twice = form_encode(&once);
    let mut forms = vec![value.to_owned()];
    if once != value {
        forms.extend([once, twice]);
    }
    forms
}

/// Whether a request leaves everything as it was, so that its answer holds a second time.
fn only_reads(x: &Exchange) -> bool {
    let read = matches!(
        x.endpoint,
        Endpoint::Resource | Endpoint::Userinfo | Endpoint::Identity | Endpoint::Keys | Endpoint::Discovery
    );
    read && x.request.method == "GET"
}

/// What tells two answers to the same request apart.
fn outcome(x: &Exchange) -> (u16, Option<String>, Option<&Value>) {
    (x.status(), x.error().map(|error| error.error), x.member("active"))
}

/// A request of this play.
struct Live<'l> {
    request: &'l Request,
    facts: &'l Facts,
    now: i64,
    echo: &'l [(String, String)],
    recording: &'l Recording,
}

/// How alike two requests are that have the same shape.
#[derive(Default)]
struct Likeness {
    /// How many of their values are the same.
    same: usize,
    /// What the client made up, and what the recorded one did.
    pairs: Vec<(String, String)>,
}

impl Live<'_> {
    /// How alike a recorded request is; none where it has another shape.
    fn likeness(&self, x: &Exchange) -> Option<Likeness> {
        let (live, recorded) = (self.request, &x.request);
        if live.method != recorded.method
            || live.path() != recorded.path()
            || authority(live) != authority(recorded)
        {
            return None;
        }
        let mut likeness = Likeness::default();
        self.params(live.query(), recorded.query(), &mut likeness)?;
        self.params(live.form(), recorded.form(), &mut likeness)?;
        self.headers(recorded, &mut likeness)?;
        let form = !recorded.form().is_empty() || !live.form().is_empty();
        if !form {
            if live.body.is_empty() != recorded.body.is_empty() {
                return None;
            }
            likeness.same += usize::from(self.recorded(&live.body) == recorded.body);
        }
        (self.same_facts(x)).then_some(likeness)
    }

    /// A text of this play in the words of the recording.
    fn recorded(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (live, recorded) in self.echo.iter().filter(|(live, _)| live.len() >= SHORTEST) {
            for (live, recorded) in forms(live).into_iter().zip(forms(recorded)) {
                text = text.replace(&live, &recorded);
            }
        }
        text
    }

    fn params(&self, live: &Params, recorded: &Params, likeness: &mut Likeness) -> Option<()> {
        let sorted = |params: &Params| {
            let mut all: Vec<(String, String)> =
                params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            // Values of one name keep their order.
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            all
        };
        let (live, recorded) = (sorted(live), sorted(recorded));
        if live.len() != recorded.len() {
            return None;
        }
        for ((name, live), (other, recorded)) in live.into_iter().zip(recorded) {
            if name != other {
                return None;
            }
            if self.same_value(&live, &recorded, likeness) {
                continue;
            }
            if !LIVE.contains(&name.as_str()) || live.len() != recorded.len() {
                return None;
            }
            likeness.pairs.push((live, recorded));
        }
        Some(())
    }

    /// Whether two values say the same: they are equal, or both are secrets of the same standing.
    fn same_value(&self, live: &str, recorded: &str, likeness: &mut Likeness) -> bool {
        if self.recorded(live) == recorded {
            likeness.same += 1;
            return true;
        }
        let is_secret = FINGERPRINT.find(recorded).is_some_and(|found| found.len() == recorded.len());
        // One that the server handed out, or one that it never saw: the two are refused and granted for other reasons.
        let handed_out = |value: &str| self.recording.handed_out.contains(value);
        is_secret && handed_out(live) == handed_out(recorded)
    }

    /// Whether two texts say the same word by word: a header may hold two tokens where one should be.
    fn same_words(&self, live: &str, recorded: &str, likeness: &mut Likeness) -> bool {
        let (live, recorded): (Vec<&str>, Vec<&str>) =
            (live.split(' ').collect(), recorded.split(' ').collect());
        live.len() == recorded.len()
            && live.iter().zip(recorded).all(|(live, recorded)| self.same_value(live, recorded, likeness))
    }

    fn headers(&self, recorded: &Request, likeness: &mut Likeness) -> Option<()> {
        let authorization = |request: &Request| {
            let (scheme, rest) = request.header("authorization")?.split_once(' ')?;
            Some((scheme.to_owned(), rest.to_owned()))
        };
        match (authorization(self.request), authorization(recorded)) {
            (None, None) => {}
            (Some((scheme, live)), Some((other, recorded))) if scheme == other => {
                let basic = scheme.eq_ignore_ascii_case("basic");
                if !basic && !self.same_words(&live, &recorded, likeness) {
                    return None;
                }
            }
            _ => return None,
        }
        // A library may add fields of its own; it leaves none out.
        for (name, value) in &recorded.headers {
            if OTHER_FIELDS.iter().any(|other| name.eq_ignore_ascii_case(other)) {
                continue;
            }
            let live = self.request.header(name)?;
            if !self.same_value(live, value, likeness) {
                return None;
            }
        }
        let cookies = |request: &Request| request.header("cookie").map(str::to_owned);
        likeness.same += usize::from(cookies(self.request) == cookies(recorded));
        Some(())
    }

    /// Whether what is known of the secrets of both is the same.
    fn same_facts(&self, x: &Exchange) -> bool {
        let (live, recorded) = (self.facts, &x.facts);
        let verifier = match (&live.verifier_s256, &recorded.verifier_s256) {
            (Some(live), Some(recorded)) => {
                // Either both fit the challenge that was sent, or neither does.
                let sent = self.echo.iter().any(|(_, known)| known == recorded);
                self.recorded(live) == *recorded || !sent
            }
            (live, recorded) => live.is_none() == recorded.is_none(),
        };
        verifier
            && live.secret_is_right == recorded.secret_is_right
            && live.secret_of_another == recorded.secret_of_another
            && live.basic_client_id == recorded.basic_client_id
            && live.basic_escaped == recorded.basic_escaped
            && live.verifier_is_unreserved == recorded.verifier_is_unreserved
            && live.verifier_length == recorded.verifier_length
            && self.same_assertion(live.assertion.as_ref(), recorded.assertion.as_ref(), x.at)
            && self.same_assertion(live.client_assertion.as_ref(), recorded.client_assertion.as_ref(), x.at)
    }

    fn same_assertion(
        &self,
        live: Option<&AssertionFacts>,
        recorded: Option<&AssertionFacts>,
        at: i64,
    ) -> bool {
        let (live, recorded) = match (live, recorded) {
            (Some(live), Some(recorded)) => (live, recorded),
            (live, recorded) => return live.is_none() == recorded.is_none(),
        };
        let claim = |(name, value): (&String, &Value)| {
            let Some(other) = recorded.claims.get(name) else { return false };
            if name == "jti" {
                return true;
            }
            match (value.as_i64(), other.as_i64()) {
                (Some(mine), Some(other)) if MOMENTS.contains(&name.as_str()) => {
                    ((mine - self.now / 1000) - (other - at / 1000)).abs() <= LEEWAY
                }
                _ => value == other,
            }
        };
        live.kind == recorded.kind
            && live.alg == recorded.alg
            && live.unsigned == recorded.unsigned
            && live.verifies == recorded.verifies
            && live.shows_key == recorded.shows_key
            && live.rejected == recorded.rejected
            && live.malformed.is_some() == recorded.malformed.is_some()
            && live.claims.len() == recorded.claims.len()
            && live.claims.iter().all(claim)
    }
}

/// Host and port that a request means: what its URL says.
fn authority(request: &Request) -> &str {
    let rest = request.url.split_once("://").map_or(request.url.as_str(), |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Redactor, read, script, write};

    const RECORDED: &str = "\
        > GET authorize response_type=code&client_id=main&state=state-of-then-0001&redirect_uri=https%3A%2F%2Fc.example%2Fcb
        < 302
        < Location: https://c.example/cb?code=secret-code-0001&state=state-of-then-0001
        > POST token grant_type=authorization_code&client_id=main&code=secret-code-0001
        < 200 {\"access_token\":\"secret-access-1\"}
        > POST token grant_type=authorization_code&client_id=main&code=secret-code-0001
        < 400 {\"error\":\"invalid_grant\"}
        > POST token grant_type=authorization_code&client_id=main&code=nobody-gave-this
        < 400 {\"error\":\"invalid_grant\"}
        > GET api
        > Authorization: Bearer secret-access-1
        < 200 {}
    ";

    fn replay() -> Replay {
        let text = write(&script::read(RECORDED), &mut Redactor::new([7; 32]));
        let recording = Recording::new(read(&text).unwrap());
        let scenario = recording.transcript.exchanges[0].scenario.clone();
        Replay::new(Arc::new(recording), &scenario, Part::Scenario, Taken::default())
    }

    fn ask(replay: &mut Replay, text: &str) -> Answer {
        let asked = script::read(&format!("> {text}\n< 200\n"));
        let x = &asked.exchanges[0];
        replay.answer(&x.request, &x.facts, x.at).answer
    }

    fn status(answer: &Answer) -> u16 {
        match answer {
            Answer::Response(response) => response.status,
            Answer::Nothing(_) => 0,
        }
    }

    const AUTHORIZE: &str = "GET authorize response_type=code&client_id=main&state=state-of-now-00042&redirect_uri=https%3A%2F%2Fc.example%2Fcb";

    fn code(replay: &mut Replay) -> String {
        let Answer::Response(response) = ask(replay, AUTHORIZE) else { panic!("no answer") };
        let (_, params) = response.redirect().unwrap();
        assert_eq!(params.get("state"), Some("state-of-now-00042"), "the state of this run comes back");
        params.get("code").unwrap().to_owned()
    }

    #[test]
    fn requests_are_answered_in_the_order_of_the_recording() {
        let mut replay = replay();
        let code = code(&mut replay);
        let redeem = format!("POST token grant_type=authorization_code&client_id=main&code={code}");
        let first = ask(&mut replay, &redeem);
        let Answer::Response(response) = &first else { panic!("no answer") };
        let token = response.json().unwrap()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(status(&ask(&mut replay, &redeem)), 400);
        assert_eq!(status(&ask(&mut replay, &format!("GET api\n> Authorization: Bearer {token}"))), 200);
        // A third time was not recorded; what is only read may be read again.
        assert!(ask(&mut replay, &redeem) == Answer::Nothing(Failure::Unrecorded));
        assert_eq!(status(&ask(&mut replay, &format!("GET api\n> Authorization: Bearer {token}"))), 200);
    }

    #[test]
    fn what_is_shaped_otherwise_has_no_answer() {
        for other in [
            "POST authorize response_type=code&client_id=main&state=state-of-now-00042&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            "GET authorize response_type=code&client_id=main&state=state-of-now-00042&redirect_uri=https%3A%2F%2Frogue.example%2Fcb",
            "GET authorize response_type=code&client_id=main&state=short&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            "GET authorize response_type=code&client_id=other&state=state-of-now-00042&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            "GET authorize response_type=code&client_id=main&state=state-of-now-00042",
            "POST token grant_type=refresh_token&client_id=main&refresh_token=x",
            "GET api",
            "GET api\n> Authorization: Bearer somebody-made-this-up",
            "GET api\n> Authorization: Basic c29tZTpvbmU=",
        ] {
            assert!(ask(&mut replay(), other) == Answer::Nothing(Failure::Unrecorded), "{other}");
        }
    }

    #[test]
    fn a_code_that_was_never_handed_out_is_answered_as_one() {
        let mut replay = replay();
        let code = code(&mut replay);
        let redeem =
            |code: &str| format!("POST token grant_type=authorization_code&client_id=main&code={code}");
        assert_eq!(status(&ask(&mut replay, &redeem("made-up-just-now"))), 400);
        assert_eq!(
            status(&ask(&mut replay, &redeem(&code))),
            200,
            "the answers for the real code are still there"
        );
    }

    #[test]
    fn a_secret_that_is_wrong_now_is_not_answered_like_one_that_was_right() {
        let text = "> POST token grant_type=client_credentials&client_id=main&client_secret=secret-of-main\n! secret right\n< 200 {\"access_token\":\"secret-access-1\"}\n";
        let recording =
            Arc::new(Recording::new(read(&write(&script::read(text), &mut Redactor::new([7; 32]))).unwrap()));
        for (fact, answered) in [("right", 200), ("wrong", 0)] {
            let asks = "POST token grant_type=client_credentials&client_id=main&client_secret=another-text";
            let mut replay = Replay::new(recording.clone(), "example", Part::Scenario, Taken::default());
            assert_eq!(status(&ask(&mut replay, &format!("{asks}\n! secret {fact}"))), answered, "{fact}");
        }
    }
}
