//! How an org behaves towards a client program, as a suite has it, in plain data.

use serde_json::Value;

use crate::oauth::Endpoint;
use crate::subject::Canned;

/// What an org does in one scenario besides what is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// When the access token dies, although nothing said that it would.
    pub expire: Option<Expire>,
    /// How many calls are held until so many are in flight, and then answered.
    pub together: Option<u32>,
    /// Calls of what count for that: the API, or what tells of the user.
    pub counted: Endpoint,
    /// Answers in place of the org's own; the first that fits is given.
    pub answers: Vec<Instead>,
    /// What is done to the callback of a login.
    pub callback: Callback,
    /// Which keys verify ID tokens.
    pub keys: Keys,
}

/// When a program is killed in the middle of its work, with everything that it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// At which moment.
    pub at: Moment,
    /// The how manieth of these.
    pub nth: u32,
}

/// A moment in the work of a program, as the org sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A request of that endpoint came, and nothing was done for it.
    Asked(Endpoint),
    /// All was done for it, and the answer is on its way: the program does not hear it.
    Answered(Endpoint),
}

/// How an ID token differs from the org's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forged {
    /// Claims that are set, or taken away.
    pub claims: Vec<(String, Option<Value>)>,
    /// Members of the header that are set, or taken away.
    pub header: Vec<(String, Option<Value>)>,
    /// How it is signed.
    pub sign: Sign,
}

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sign {
    /// As the org signs.
    #[default]
    Right,
    /// With one bit of the signature flipped.
    Broken,
    /// Not at all, under the header of a signed one.
    Stripped,
    /// Not at all, as `alg: none`.
    None,
    /// As HMAC, with the public key of the org for a secret (RFC 8725 §2.1).
    Hs256,
    /// With a key that is not the org's.
    OtherKey,
    /// With such a key, which the header shows.
    ShownKey,
}

/// Which keys an org publishes and signs ID tokens with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// From which ID token on another key signs, from 1, which is then published beside the old one.
    pub rolled_at: Option<u32>,
    /// Whether the key of ID tokens is published alone, without that of access tokens.
    pub single: bool,
}

/// How the user's browser brings the answer of a login to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callback {
    /// Whether the user says no.
    pub deny: bool,
    /// Parameters that are set, or taken away.
    pub alter: Vec<(String, Option<String>)>,
    /// Parameters whose letters are in the other case.
    pub swap_case: Vec<String>,
    /// Parameters that stand there twice.
    pub twice: Vec<String>,
    /// Parameters that stand behind the others, whatever is there already.
    pub besides: Vec<(String, String)>,
    /// Whether the login is gone through a second time, with the same request and so with another code.
    pub again: bool,
    /// Whether somebody brings a code of their own to the client, before the user goes anywhere.
    pub unsolicited: bool,
    /// From which login on, from 1; 0 is the first as well.
    pub from: u32,
    /// For how many logins; none means for all that follow.
    pub times: Option<u32>,
}

impl Callback {
    /// Whether a client may take it for none and go on waiting for the right one. A user who said no, and an error of the
    /// org, are answers to its own request.
    pub fn may_be_passed_over(&self) -> bool {
        let sets = |wanted: &str| self.alter.iter().any(|(name, value)| name == wanted && value.is_some());
        let names_state = |name: &str| name == "state";
        let is_its_own = !self.alter.iter().any(|(name, _)| names_state(name))
            && !self.besides.iter().any(|(name, _)| names_state(name))
            && !self.swap_case.iter().chain(&self.twice).any(|name| names_state(name));
        *self != Self::default() && !self.deny && !(sets("error") && is_its_own)
    }

    /// Whether it is for the nth login, from 1.
    pub fn covers(&self, nth: u32) -> bool {
        covers(self.from.max(1), self.times, nth)
    }
}

/// The hosts of a play, as suites name them: the org, the instance that it hands clients on to, and a host that is none
/// of the org's and must see no secret.
pub const HOSTS: [&str; 3] = ["org.url", "org.instance", "org.rogue"];

/// When access tokens die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// After this many calls to the API were let in; once.
    AfterCalls(u32),
    /// Each time that this many calls to the API were let in.
    Every(u32),
    /// When this many calls are in flight, which are held until then and refused together.
    AtOnce {
        /// How many calls.
        calls: u32,
        /// How many of them are refused no sooner than a new token was granted.
        late: u32,
    },
}

/// An answer in place of the org's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Instead {
    /// Which endpoint is asked.
    pub to: Endpoint,
    /// The `grant_type` of a token request, where it must be that one.
    pub grant_type: Option<String>,
    /// From which such request on, from 1.
    pub from: u32,
    /// For how many of them; none means for all that follow.
    pub times: Option<u32>,
    /// For each of which of these; 1 is every one.
    pub every: u32,
    /// Header fields that the org's own answer has otherwise.
    pub headers: Vec<(String, String)>,
    /// What comes back.
    pub does: Does,
}

/// What comes back in place of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// This.
    Answer(Canned),
    /// The org's own answer, with these members of its JSON body set, or taken away.
    Alter(Vec<(String, Option<Value>)>),
    /// The org's own answer, with its JSON written in another way.
    Write(Written),
    /// Nothing: the connection is cut.
    Cut(Cut),
    /// The org's own answer, with another ID token.
    IdToken(Forged),
    /// Nothing for so long, in milliseconds, and then the connection is cut.
    Hang(u64),
    /// Half of the org's own answer, nothing for so long, and then the connection is cut.
    Stall(u64),
}

/// How the JSON of an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// With line breaks and spaces.
    Spaced,
    /// With the last member first.
    Reversed,
    /// With slashes and what is no secret escaped.
    Escaped,
}

impl Written {
    /// Each with its word in suites.
    pub const ALL: [(&str, Self); 3] =
        [("spaced", Self::Spaced), ("reversed", Self::Reversed), ("escaped", Self::Escaped)];
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the org did anything.
    Before,
    /// After the org did what it was asked, and before it said so.
    After,
    /// After half of the answer.
    Middle,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            expire: None,
            together: None,
            counted: Endpoint::Resource,
            answers: Vec::new(),
            callback: Callback::default(),
            keys: Keys::default(),
        }
    }
}

impl Behaviour {
    /// Whether the org does nothing but what is right.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Instead {
    /// Whether it is for such a request at all.
    pub fn is_for(&self, endpoint: Endpoint, grant_type: Option<&str>) -> bool {
        self.to == endpoint && self.grant_type.as_deref().is_none_or(|wanted| grant_type == Some(wanted))
    }

    /// Whether it is for the nth of them, from 1.
    pub fn covers(&self, nth: u32) -> bool {
        covers(self.from, self.times, nth) && (nth - self.from).is_multiple_of(self.every.max(1))
    }
}

fn covers(from: u32, times: Option<u32>, nth: u32) -> bool {
    nth >= from && times.is_none_or(|times| nth - from < times)
}
