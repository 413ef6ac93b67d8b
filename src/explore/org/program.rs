//! What clients do: lines that name each other, and what a conforming org makes of each. Pure.

use std::collections::BTreeSet;

use super::model::Model;
use super::right::{Op, Right, Rules, Seen};
use crate::oauth::Endpoint;
use crate::subject::{Flow, Setting, Settings};

/// How long a request takes, in milliseconds; in a program nothing depends on it.
const MOMENT: i64 = 10;

/// Who does something: roles of the app and the user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// The app.
    pub app: String,
    /// The user.
    pub user: String,
}

/// Everything that is done in one play, with what the org is set up for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// What the org is set up for.
    pub settings: Settings,
    /// What is done, in order.
    pub lines: Vec<Line>,
}

/// Something that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number, by which later lines speak of what it brought. Lines that are left out leave the others theirs.
    pub id: u32,
    /// By whom.
    pub who: Who,
    /// What.
    pub what: What,
    /// How many times at once.
    pub times: u32,
    /// Whether it goes out together with the line before it.
    pub together: bool,
}

/// A token that an earlier line brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which of those that it brought.
    pub kind: Kind,
    /// Number of the line.
    pub of: u32,
}

/// Kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Access,
    Refresh,
    Id,
}

/// What is done. Names are those of steps in suites.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum What {
    Authorize {
        scope: Option<&'static [&'static str]>,
        nonce: bool,
        prompt: bool,
    },
    Redeem {
        code: u32,
        verifier: u32,
    },
    Refresh {
        token: Held,
        narrow: bool,
    },
    ClientCredentials,
    JwtBearer {
        again: Option<u32>,
    },
    SamlBearer {
        again: Option<u32>,
    },
    Revoke {
        token: Held,
        hint: Option<&'static str>,
    },
    Introspect {
        token: Held,
        hint: Option<&'static str>,
    },
    Userinfo {
        token: Held,
    },
    Identity {
        token: Held,
    },
    Call {
        token: Held,
    },
    Soap {
        token: Held,
    },
    Keys,
    /// Seconds go by.
    Advance(i64),
}

impl What {
    /// The word after `do:`.
    pub fn word(&self) -> &'static str {
        match self {
            What::Authorize { .. } => "authorize",
            What::Redeem { .. } => "redeem",
            What::Refresh { .. } => "refresh",
            What::ClientCredentials => "client-credentials",
            What::JwtBearer { .. } => "jwt-bearer",
            What::SamlBearer { .. } => "saml-bearer",
            What::Revoke { .. } => "revoke",
            What::Introspect { .. } => "introspect",
            What::Userinfo { .. } => "userinfo",
            What::Identity { .. } => "identity",
            What::Call { .. } => "call",
            What::Soap { .. } => "soap",
            What::Keys => "keys",
            What::Advance(_) => "advance",
        }
    }

    /// The token that it is about.
    pub fn token(&self) -> Option<Held> {
        self.clone().token_mut().copied()
    }

    /// The same, to have it be about another one.
    pub fn token_mut(&mut self) -> Option<&mut Held> {
        match self {
            What::Refresh { token, .. }
            | What::Revoke { token, .. }
            | What::Introspect { token, .. }
            | What::Userinfo { token }
            | What::Identity { token }
            | What::Call { token }
            | What::Soap { token } => Some(token),
            _ => None,
        }
    }

    /// Whether it asks a token endpoint.
    pub fn asks_for_tokens(&self) -> bool {
        matches!(
            self,
            What::Redeem { .. }
                | What::Refresh { .. }
                | What::ClientCredentials
                | What::JwtBearer { .. }
                | What::SamlBearer { .. }
        )
    }

    /// Whether it is one request that can go out together with others.
    pub fn can_race(&self) -> bool {
        !matches!(
            self,
            What::Authorize { .. }
                | What::Advance(_)
                | What::Keys
                | What::Identity { .. }
                | What::SamlBearer { .. }
        )
    }

    /// The lines that it speaks of.
    fn speaks_of(&self) -> impl Iterator<Item = (u32, Brought)> {
        let one = match self {
            What::Redeem { code, .. } => Some((*code, Brought::Code)),
            What::JwtBearer { again: Some(of) } | What::SamlBearer { again: Some(of) } => {
                Some((*of, Brought::Assertion))
            }
            what => what.token().map(|held| (held.of, held.kind.brought())),
        };
        let other = match self {
            What::Redeem { verifier, .. } => Some((*verifier, Brought::Code)),
            _ => None,
        };
        one.into_iter().chain(other)
    }
}

impl Kind {
    /// As something that a line brings.
    pub fn brought(self) -> Brought {
        match self {
            Kind::Access => Brought::Access,
            Kind::Refresh => Brought::Refresh,
            Kind::Id => Brought::Id,
        }
    }
}

/// What a line may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Brought {
    Code,
    Access,
    Refresh,
    /// An ID token, where the app has the scope for one.
    Id,
    Assertion,
}

/// A program as far as it went, on an org that conforms.
#[derive(Clone, Debug)]
pub struct Foreseen {
    model: Model,
    now: i64,
    /// What there is by now.
    brought: BTreeSet<(u32, Brought)>,
    /// What goes out together with the last line, itself among them.
    group: Vec<Line>,
    /// Before any of them was done.
    began: Model,
}

impl Foreseen {
    /// Before anything was done.
    pub fn new(rules: Rules) -> Self {
        let model = Model::new(rules);
        Self { began: model.clone(), model, now: 0, brought: BTreeSet::new(), group: Vec::new() }
    }

    /// Whether a line brought that for sure.
    pub fn has(&self, line: u32, what: Brought) -> bool {
        self.brought.contains(&(line, what))
    }

    /// Whether everything that a line speaks of is there, before those go out that it goes out with.
    pub fn can(&self, line: &Line) -> bool {
        let beside = |of: u32| line.together && self.group.iter().any(|mate| mate.id == of);
        let meets = !line.together || line.what.can_race() && !self.group.is_empty();
        meets && line.what.speaks_of().all(|(of, what)| self.has(of, what) && !beside(of))
    }

    /// What a conforming org answers a line; none where it is asked nothing that the model knows of.
    pub fn right(&self, line: &Line) -> Option<Right> {
        operation(line).map(|op| self.model.right(&op, self.now))
    }

    /// Does a line.
    pub fn take(&mut self, line: &Line) {
        if !line.together {
            self.group.clear();
            self.began = self.model.clone();
        }
        self.now += MOMENT;
        if let What::Advance(seconds) = line.what {
            self.now += seconds * 1000;
            return;
        }
        if matches!(line.what, What::JwtBearer { .. } | What::SamlBearer { .. }) {
            self.brought.insert((line.id, Brought::Assertion));
        }
        let Some(op) = operation(line) else { return };
        let sure = self.meet(line, &op);
        for turn in 0..line.times.max(1) {
            let right = self.model.right(&op, self.now);
            let right = if sure { right } else { Right::Any };
            let seen = answer(line, right, turn);
            match &seen {
                Seen::Code(_) => drop(self.brought.insert((line.id, Brought::Code))),
                Seen::Granted { refresh, .. } => {
                    let redeemed = matches!(line.what, What::Redeem { .. });
                    let all = [
                        (Brought::Id, redeemed),
                        (Brought::Access, true),
                        (Brought::Refresh, refresh.is_some()),
                    ];
                    self.brought.extend(
                        all.iter().filter(|(_, is_there)| *is_there).map(|(what, _)| (line.id, *what)),
                    );
                }
                _ => {}
            }
            let _ = self.model.take(&op, &seen, self.now);
            // It may have been done, or not.
            if let (What::Revoke { token, .. } | What::Refresh { token, .. }, Right::Any) =
                (&line.what, right)
            {
                self.model.collide(&name(*token));
            }
            if let (What::Refresh { token, .. }, true) = (&line.what, line.times > 1) {
                // Those that lose may be turned away, or be taken for a reuse.
                self.model.collide(&name(*token));
                break;
            }
        }
    }

    /// Puts a line beside those that it goes out with, and tells whether what comes of it is the same in whatever order they are
    /// done. What one of them was to bring is there no more where it would not come after this one.
    fn meet(&mut self, line: &Line, op: &Op) -> bool {
        let alone = self.began.right(op, self.now);
        let mut sure = self.group.is_empty() || self.model.right(op, self.now) == alone;
        let mut after = self.began.clone();
        let _ = after.take(op, &answer(line, alone, 0), self.now);
        for mate in &self.group {
            let Some(its) = operation(mate) else { continue };
            // Of those that meet at one refresh token all but one may be turned away.
            let refreshes = |line: &Line| matches!(line.what, What::Refresh { .. });
            sure &= !(refreshes(mate) && refreshes(line) && mate.what.token() == line.what.token());
            if !sure || after.right(&its, self.now) != self.began.right(&its, self.now) {
                self.brought.retain(|(of, _)| *of != mate.id);
                mate.what
                    .token()
                    .into_iter()
                    .chain(line.what.token())
                    .for_each(|t| self.model.collide(&name(t)));
            }
        }
        if line.what.can_race() {
            self.group.push(line.clone());
        }
        sure
    }
}

/// What a line is answered where that is right.
fn answer(line: &Line, right: Right, turn: u32) -> Seen {
    let text = |letter: char| match turn {
        0 => format!("{letter}{}", line.id),
        _ => format!("{letter}{}.{turn}", line.id),
    };
    match right {
        Right::Code => Seen::Code(text('c')),
        Right::Granted(refresh) => {
            let refresh = refresh.unwrap_or(matches!(line.what, What::Redeem { .. }));
            let identity = matches!(line.what, What::Redeem { .. });
            Seen::Granted { access: text('a'), refresh: refresh.then(|| text('r')), identity }
        }
        Right::Refused(_) => Seen::Refused(400, false),
        Right::Active(active) => Seen::Active(active),
        Right::In | Right::Done => Seen::Status(200),
        Right::Out => Seen::Status(401),
        // It may have been done.
        Right::Any => Seen::Status(400),
    }
}

fn name(held: Held) -> String {
    match held.kind {
        Kind::Access => format!("a{}", held.of),
        Kind::Refresh => format!("r{}", held.of),
        Kind::Id => format!("i{}", held.of),
    }
}

/// A line as an operation of the model, tokens under names of their own.
fn operation(line: &Line) -> Option<Op> {
    let Who { app, user } = &line.who;
    let (app, user) = (app.clone(), user.clone());
    let challenge = |of: u32| format!("h{of}");
    let used = |token: Held, endpoint| Some(Op::Use { token: name(token), endpoint });
    match &line.what {
        What::Authorize { scope, .. } => {
            let narrow = scope.is_some_and(|scope| !scope.contains(&"api"));
            Some(Op::Authorize { app, user, challenge: Some(challenge(line.id)), narrow })
        }
        What::Redeem { code, verifier } => {
            Some(Op::Redeem { code: format!("c{code}"), app, verifier: Some(challenge(*verifier)) })
        }
        What::Refresh { token, narrow } => Some(Op::Refresh { token: name(*token), app, narrow: *narrow }),
        What::ClientCredentials => Some(Op::Grant { app, flow: Flow::ClientCredentials, again: false }),
        What::JwtBearer { again } => Some(Op::Grant { app, flow: Flow::JwtBearer, again: again.is_some() }),
        What::SamlBearer { again } => Some(Op::Grant { app, flow: Flow::SamlBearer, again: again.is_some() }),
        What::Revoke { token, .. } => Some(Op::Revoke { token: name(*token), app }),
        What::Introspect { token, .. } => Some(Op::Introspect { token: name(*token), app }),
        What::Userinfo { token } => used(*token, Endpoint::Userinfo),
        What::Call { token } | What::Soap { token } => used(*token, Endpoint::Resource),
        What::Identity { token } => used(*token, Endpoint::Identity),
        What::Keys | What::Advance(_) => None,
    }
}

impl Program {
    /// Without the lines that can no longer be done: what they speak of is not there.
    #[must_use]
    pub fn mended(mut self, rules: &Rules) -> Self {
        let mut foreseen = Foreseen::new(rules.clone());
        self.lines.retain_mut(|line| {
            // What it went out with may be gone.
            line.together &= foreseen.can(line);
            let can = foreseen.can(line);
            if can {
                foreseen.take(line);
            }
            can
        });
        self
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.lines.len()
    }

    /// How many clients take part.
    pub fn clients(&self) -> usize {
        let asks = |line: &&Line| !matches!(line.what, What::Advance(_) | What::Keys);
        self.lines.iter().filter(asks).map(|line| &line.who).collect::<BTreeSet<_>>().len()
    }

    /// What goes by between the lines, in seconds.
    pub fn delays(&self) -> Vec<i64> {
        let delay = |line: &Line| if let What::Advance(seconds) = line.what { Some(seconds) } else { None };
        self.lines.iter().filter_map(delay).collect()
    }

    /// The same with another delay at that place among the delays.
    #[must_use]
    pub fn with_delay(mut self, at: usize, seconds: i64) -> Self {
        let delays = self.lines.iter_mut().filter(|line| matches!(line.what, What::Advance(_)));
        if let Some(line) = delays.into_iter().nth(at) {
            line.what = What::Advance(seconds);
        }
        self
    }

    /// In a few words: what is done, in order.
    pub fn words(&self) -> String {
        let word = |line: &Line| match (&line.what, line.times) {
            (What::Advance(seconds), _) => format!("advance {}", duration(*seconds)),
            (what, 1) => what.word().to_owned(),
            (what, times) => format!("{times}x {} at once", what.word()),
        };
        let mut words = String::new();
        for (i, line) in self.lines.iter().enumerate() {
            let before = if line.together { " together with " } else { ", " };
            words.push_str(if i == 0 { "" } else { before });
            words.push_str(&word(line));
        }
        words
    }
}

/// A span of seconds as suites write it.
pub fn duration(seconds: i64) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// A setting as suites write it.
pub fn setting(value: &Setting) -> String {
    match value {
        Setting::Flag(flag) => flag.to_string(),
        Setting::Word(word) => word.clone(),
        Setting::Millis(millis) => duration(millis / 1000),
    }
}
