//! Starting a client program with everything that it is given, and what came of it by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

use super::doors::{Doors, trusting};
use super::trigger::triggered;
use crate::oauth::Secret;
use crate::report::ProgramRow;
use crate::subject::{Program, Target};
use crate::suite::Scenario;
use crate::suite::client::Play;
use crate::transcript::{Redactor, Trace};
use crate::wire::counterpart::Counterpart;
use crate::wire::files::{Found, Moment, Private, found};
use crate::wire::isolation::{self, Ways};
use crate::wire::{Error, program};

/// What a program exits with that could not do its work.
const GAVE_UP: i32 = 1;
/// What a program exits with where it cannot do what it is asked.
const NOT_IMPLEMENTED: i32 = 89;
/// The most of what a program printed that is told where it ended badly, in characters, and in the report, in bytes.
pub(super) const LONGEST_WORDS: usize = 300;
const LONGEST_OUTPUT: usize = 8 * 1024;

/// How the place of what everybody on the machine can read is told.
pub(super) const ARGUMENTS: &str = crate::transcript::ARGUMENTS;
/// How the place of a temporary file is told.
pub(super) const TEMPORARY_FILE: &str = "temporary file";

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    GaveUp(String),
    /// In a way that is no answer: by a signal, or with a code that programs do not agree on.
    Crashed(String),
    NotImplemented,
    /// It was not started: its file asks for arguments that the scenario does not give, which are told.
    Unfilled(String),
    TimedOut,
    Killed,
}

/// What a program came to by itself.
pub(super) struct Life {
    pub(super) ended: Ended,
    pub(super) printed: Printed,
    /// Tokens that it was given.
    own: Vec<String>,
    /// Files that it left.
    pub(super) files: Vec<Left>,
    /// How long it ran, in milliseconds.
    ran: u64,
}

/// A file that a program left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Which, in words.
    pub(super) place: String,
    /// Who may do what with it, where the system has such modes.
    pub(super) mode: Option<u32>,
    /// What stands in it, as far as it is text.
    pub(super) text: String,
}

/// What a program wrote.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Life {
    /// Of one that wrote nothing.
    pub(super) fn new(ended: Ended) -> Self {
        Self { ended, printed: Printed::default(), own: Vec::new(), files: Vec::new(), ran: 0 }
    }

    /// The same, that came after another of the same program.
    pub(super) fn after(self, earlier: Self) -> Self {
        let ran = self.ran + earlier.ran;
        Self { ran, ..self.with(earlier) }
    }

    /// Two that lived at the same time, in one.
    pub(super) fn beside(self, other: Self) -> Self {
        let rank = |ended: &Ended| match ended {
            Ended::Done => 0,
            Ended::NotImplemented | Ended::Unfilled(_) => 1,
            Ended::GaveUp(_) => 2,
            Ended::Crashed(_) => 3,
            Ended::Killed => 4,
            Ended::TimedOut => 5,
        };
        let ran = self.ran.max(other.ran);
        let (worse, rest) =
            if rank(&other.ended) > rank(&self.ended) { (other, self) } else { (self, other) };
        Self { ran, ..worse.with(rest) }
    }

    fn with(mut self, earlier: Self) -> Self {
        self.printed.stdout.insert_str(0, &earlier.printed.stdout);
        self.printed.stderr.insert_str(0, &earlier.printed.stderr);
        self.own.extend(earlier.own);
        self.own.dedup();
        self.files.extend(earlier.files);
        self
    }

    /// What is told of it in a report; what stands in the record is struck out there.
    pub(super) fn row(&self) -> ProgramRow {
        let end = |text: &str| {
            let mut from = text.len().saturating_sub(LONGEST_OUTPUT);
            while !text.is_char_boundary(from) {
                from += 1;
            }
            // Not in the middle of a word, which might be half of a secret.
            let from =
                if from == 0 { 0 } else { text[from..].find('\n').map_or(text.len(), |at| from + at + 1) };
            struck(&text[from..], &self.own)
        };
        ProgramRow {
            ended: self.ended.words(),
            ran_ms: self.ran,
            stdout: end(&self.printed.stdout),
            stderr: end(&self.printed.stderr),
            isolated: None,
            storm: None,
        }
    }

    /// Which secrets stand in what it wrote; `redactor` knows those of the play.
    pub(super) fn traces(&self, redactor: &mut Redactor) -> Vec<Trace> {
        for (at, token) in self.own.iter().enumerate() {
            redactor.learn(if at == 0 { "access_token" } else { "refresh_token" }, token);
        }
        let streams = [("standard output", &self.printed.stdout), ("standard error", &self.printed.stderr)];
        let trace = |(place, text): (&str, &String)| Trace {
            place: place.to_owned(),
            bytes: text.len(),
            holds: redactor.kinds_in(text),
            mode: None,
        };
        let mut traces: Vec<Trace> = streams.into_iter().map(trace).collect();
        traces.extend(self.files.iter().map(|file| Trace {
            // A name may tell as much as what stands in the file.
            place: redactor.scrub(&file.place),
            bytes: file.text.len(),
            holds: redactor.kinds_in(&format!("{}\n{}", file.place, file.text)),
            mode: file.mode,
        }));
        traces
    }
}

impl Ended {
    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Ended::Done => "it did its work".into(),
            Ended::GaveUp(why) => format!("it gave up: {why}"),
            Ended::Crashed(why) => format!("it ended in a way that is no answer: {why}"),
            Ended::NotImplemented => "it does not do this".into(),
            Ended::Unfilled(why) => format!("it was not started: {why}"),
            Ended::TimedOut => "it did not end in time".into(),
            Ended::Killed => "it was killed, as the scenario has it".into(),
        }
    }
}

fn struck(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

/// Folders that a program may write to, one play long.
pub(super) struct Folders {
    /// What it keeps, where the scenario has it keep something.
    store: Option<Private>,
    /// What it needs for a while.
    temporary: Private,
    /// When they were made.
    since: Moment,
}

impl Folders {
    pub(super) fn new(store: bool) -> Result<Self, Error> {
        let store = if store { Some(Private::new()?) } else { None };
        Ok(Self { store, temporary: Private::new()?, since: Moment::now() })
    }

    /// What was written to them, and to the program's own.
    pub(super) fn left(&self, program: &Program) -> Vec<Left> {
        let store = self
            .store
            .iter()
            .flat_map(|store| found(store.as_ref(), None))
            .map(|file| ("file of its store", file));
        let own =
            found(&program.folder, Some(self.since)).into_iter().map(|file| ("file of its folder", file));
        let temporary = found(self.temporary.as_ref(), None).into_iter().map(|file| (TEMPORARY_FILE, file));
        let left = |(place, file): (&str, Found)| Left {
            place: format!("{place} {}", file.name),
            mode: Some(file.mode.unwrap_or(0)),
            text: file.text,
        };
        let mut files: Vec<Left> = store.chain(own).chain(temporary).map(left).collect();
        // That somebody looked and found nothing is evidence too.
        if !files.iter().any(|file| file.place.starts_with(TEMPORARY_FILE)) {
            let place = "temporary files, of which there are none".to_owned();
            files.push(Left { place, mode: Some(0), text: String::new() });
        }
        files
    }
}

/// What a program is given for a play.
pub(super) struct Given<'a> {
    /// The org's apps and users.
    pub(super) target: &'a Target,
    /// Where the org stands.
    pub(super) doors: &'a Doors,
    /// The ways to it, where it is cut off from every other.
    pub(super) ways: Option<&'a Ways>,
    /// The org itself.
    pub(super) org: &'a Arc<Counterpart>,
    /// What a person is told.
    pub(super) say: &'a (dyn Fn(String) + Sync),
    /// The tokens of an earlier login, where it begins with some.
    pub(super) login: Option<(Secret, Option<Secret>)>,
    /// Where it may write.
    pub(super) folders: &'a Folders,
}

/// Starts a program, with everything that it is given, and waits for its end.
pub(super) async fn started(
    program: &Program,
    scenario: &Scenario,
    play: &Play,
    Given { target, doors, ways, org, login, folders, say }: Given<'_>,
    users: mpsc::UnboundedSender<String>,
    death: impl Future<Output = ()> + Send + 'static,
) -> Result<Life, Error> {
    let files = Private::new()?;
    let mut values: BTreeMap<&str, String> =
        play.told.args.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    values.insert("org.url", doors.org.clone());
    values.insert("org.instance", doors.instance.clone());
    let mut environment = Vec::new();
    if let Some(ca) = &doors.ca {
        let path = files.put("ca.pem", ca)?;
        environment = trusting(&path, doors.proxy.as_deref(), &files)?;
        values.insert("org.ca", path);
    }
    values.extend(doors.proxy.as_ref().map(|url| ("org.proxy", url.clone())));
    environment.push(("TMPDIR".to_owned(), folders.temporary.path()));
    values.extend(folders.store.as_ref().map(|store| ("store", store.path())));
    values.insert("flow", play.flow.name().to_owned());
    values.insert("calls", play.told.calls.to_string());
    values.insert("concurrency", play.told.concurrency.to_string());
    let secret = |secret: &Secret| secret.expose().to_owned();
    if let Some(app) = target.apps.get(&scenario.app) {
        values.insert("app.client_id", app.client_id.clone());
        values.insert("app.redirect_uri", app.redirect_uri().to_owned());
        values.insert("app.scopes", app.scopes.join(" "));
        values.extend(app.client_secret.as_ref().map(|s| ("app.client_secret", secret(s))));
        if let Some(pem) = app.key.as_ref().and_then(|key| key.to_pem().ok()) {
            values.insert("app.key", files.put("app.key", pem.expose())?);
        }
        if let Some(certificate) = &app.certificate {
            values.insert("app.certificate", files.put("app.crt", &certificate.to_pem())?);
        }
    }
    if let Some(user) = target.users.get(&scenario.user) {
        values.insert("user.username", user.username.clone());
        values.extend(user.password.as_ref().map(|s| ("user.password", secret(s))));
    }
    if let Some((access_token, refresh_token)) = &login {
        values.insert("login.access_token", secret(access_token));
        values.extend(refresh_token.as_ref().map(|s| ("login.refresh_token", secret(s))));
    }
    if let Some(trigger) = &program.trigger {
        return triggered(program, trigger, &values, org, say).await;
    }
    let launch = match program.launch(&values, environment) {
        Ok(launch) => launch,
        // The file asks for something that this scenario does not say: it cannot be played with it.
        Err(why) => return Ok(Life::new(Ended::Unfilled(why.to_string()))),
    };
    let around = ways.map(|ways| ways.around(launch.clone()));
    let ended = match &around {
        Some(around) => program::run_held(around, Some(users), death).await,
        None => program::run(&launch, Some(users), death).await,
    };
    let ended = match ended {
        // Who cuts it off is not whom its folder is missing to.
        Err(Error::Program { why, .. }) if around.is_some() => return Err(program::cannot(&launch, why)),
        ended => ended?,
    };
    if around.is_some() && ended.exit == program::Exit::Code(i32::from(isolation::CANNOT)) {
        let why = last_words(&ended.stderr).unwrap_or_else(|| "it cannot be cut off".to_owned());
        return Err(program::not_there(&launch).unwrap_or_else(|| program::cannot(&launch, why)));
    }
    // Tokens that it never sent are in no record, so they are struck out here.
    let own: Vec<String> = login
        .into_iter()
        .flat_map(|(access_token, refresh_token)| [Some(access_token), refresh_token])
        .flatten()
        .map(|token| token.expose().to_owned())
        .collect();
    let ended_with = ended.arguments;
    let printed = Printed { stdout: ended.stdout, stderr: ended.stderr };
    let told = last_words(&printed.stderr).or_else(|| last_words(&printed.stdout)).unwrap_or_default();
    let told: String = struck(&told, &own).chars().take(LONGEST_WORDS).collect();
    // What it said, or that it said nothing.
    let told = if told.is_empty() { ", and printed nothing".to_owned() } else { format!(": {told}") };
    let ran = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    let ended = match ended.exit {
        program::Exit::Code(0) => Ended::Done,
        program::Exit::Code(NOT_IMPLEMENTED) => Ended::NotImplemented,
        program::Exit::Code(GAVE_UP) => Ended::GaveUp(format!("exit {GAVE_UP}{told}")),
        // Where it is cut off, who does that ends as a shell would.
        program::Exit::Code(code) if around.is_some() && (129..=192).contains(&code) => {
            Ended::Crashed(format!("ended by signal {}{told}", code - 128))
        }
        program::Exit::Code(code) => Ended::Crashed(format!("exit {code}{told}")),
        program::Exit::Signal(signal) => Ended::Crashed(format!("ended by signal {signal}{told}")),
        program::Exit::TimedOut => Ended::TimedOut,
        program::Exit::Killed => Ended::Killed,
    };
    let arguments = (!ended_with.is_empty()).then(|| Left {
        place: ARGUMENTS.to_owned(),
        mode: None,
        text: ended_with.join("\n"),
    });
    Ok(Life { ended, printed, own, files: arguments.into_iter().collect(), ran })
}

/// The line of a program's output that says best why it ended: the last that speaks of an error, else the last.
fn last_words(output: &str) -> Option<String> {
    let lines = || output.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let speaks = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("at ")
            && ["error", "exception", "refused", "panicked"].iter().any(|word| line.contains(word))
    };
    lines().find(speaks).or_else(|| lines().next()).map(str::to_owned)
}
