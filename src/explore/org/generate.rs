//! Programs out of dice: what clients might do, proposed by the model of what they would get. Pure.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::program::{Brought, Foreseen, Held, Kind, Line, Program, What, Who};
use super::right::Rules;
use crate::explore::wants;
use crate::subject::{ClientAuth, Flow, Setting, Settings, Target};

/// The scope of a login that asks for no more than it needs.
const PLAIN: &[&str] = &["api", "id", "refresh_token"];
/// That of a login that wants nothing from the API.
const WITHOUT_API: &[&str] = &["id", "refresh_token"];
/// How much time may go by, in seconds.
const DELAYS: [i64; 9] = [2, 60, 7 * 60, 11 * 60, 16 * 60, 31 * 60, 3 * 3_600, 20 * 86_400, 31 * 86_400];
/// The same where refresh tokens die with time.
const LONG_DELAYS: [i64; 4] = [11 * 86_400, 20 * 86_400, 20 * 86_400, 31 * 86_400];
/// How many of one kind are done at once: a few mostly, for many take their time.
const AT_ONCE: [u32; 12] = [2, 2, 2, 2, 2, 2, 3, 3, 3, 8, 8, 20];
/// How often something goes out together with what is done before it, and how often what ends a token does.
const TOGETHER: (f64, f64) = (0.12, 0.4);

/// Words of what can be selected.
pub const WORDS: [&str; 15] = [
    "authorize",
    "redeem",
    "refresh",
    "client-credentials",
    "jwt-bearer",
    "saml-bearer",
    "revoke",
    "introspect",
    "userinfo",
    "identity",
    "call",
    "soap",
    "keys",
    "advance",
    "at-once",
];

/// What can be proposed to an org.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Who may log in with which app, and who acts without a user agent.
    clients: Vec<Client>,
    /// Whether time can be made to go by, and the org set up for each play.
    embedded: bool,
    /// The endpoints that it has besides that of tokens: `introspect`, `revoke`, `userinfo`, `call`, `identity`, `soap`, `keys`.
    endpoints: Vec<&'static str>,
    /// Words of steps that are proposed; none means all.
    pub select: Vec<String>,
    /// How many lines a program has at most.
    pub longest: usize,
}

#[derive(Clone, Debug)]
struct Client {
    who: Who,
    logs_in: bool,
    refreshes: bool,
    by_secret: bool,
    /// Whether it has a secret, and does not list client credentials.
    unlisted: bool,
    /// Whether a login brings an ID token.
    openid: bool,
    by_jwt: bool,
    by_saml: bool,
    /// Whether it shows neither secret nor key.
    public: bool,
}

impl Ground {
    /// What a target has, with what it can do (names of capabilities).
    pub fn of(target: &Target, can: &dyn Fn(&str) -> bool) -> Self {
        let embedded = target.is_embedded();
        let mut clients = Vec::new();
        let subject = target.subject();
        for (role, app) in &target.apps {
            let policy = &app.policy;
            if policy.blocked || policy.disabled || !policy.installed || policy.admin_approved {
                continue;
            }
            for (user_role, user) in &target.users {
                if user.inactive || user.frozen || user.ip_restricted || role != "main" && user_role != "main"
                {
                    continue;
                }
                let works = |flow: Flow| subject.apps.get(role).is_some_and(|app| app.flows.contains(&flow));
                let approved = !embedded || user.approved.contains(role);
                let is_main = user_role == "main";
                clients.push(Client {
                    who: Who { app: role.clone(), user: user_role.clone() },
                    logs_in: works(Flow::WebServer) && can("authorize"),
                    refreshes: works(Flow::RefreshToken),
                    by_secret: works(Flow::ClientCredentials)
                        && is_main
                        && (!embedded || policy.run_as.is_some()),
                    unlisted: !works(Flow::ClientCredentials) && is_main,
                    openid: app.scopes.iter().any(|scope| scope == "openid"),
                    by_jwt: works(Flow::JwtBearer) && app.key.is_some() && approved,
                    by_saml: works(Flow::SamlBearer) && app.key.is_some() && approved,
                    public: app.client_auth == ClientAuth::None,
                });
            }
        }
        clients.retain(|client| client.logs_in || client.by_secret || client.by_jwt || client.by_saml);
        // Whoever is `main` comes first.
        clients.sort_by_key(|client| (client.who.app != "main", client.who.user != "main"));
        let endpoints = [
            ("introspect", "introspection"),
            ("revoke", "revocation"),
            ("userinfo", "userinfo"),
            ("call", "resource"),
            ("identity", "identity"),
            ("soap", "salesforce"),
            ("keys", "keys"),
        ];
        let endpoints = endpoints.into_iter().filter(|(_, needs)| can(needs)).map(|(word, _)| word).collect();
        Self { clients, embedded, endpoints, select: Vec::new(), longest: 12 }
    }

    /// Whether anybody is granted client credentials, so that a refusal can be told from an org that has none.
    fn grants_by_secret(&self) -> bool {
        self.clients.iter().any(|client| client.by_secret)
    }

    fn takes(&self, word: &str) -> bool {
        // Without a login or a grant there is nothing to do anything with.
        let basic = matches!(word, "authorize" | "redeem" | "client-credentials" | "jwt-bearer");
        let left_out = self.select.iter().any(|one| one.strip_prefix('!') == Some(word));
        wants(&self.select, word) || basic && !left_out
    }

    fn has(&self, word: &'static str) -> bool {
        self.endpoints.contains(&word)
    }
}

/// Proposes a program.
pub fn program(ground: &Ground, rules: &dyn Fn(&Settings) -> Rules, dice: &mut StdRng) -> Program {
    let settings = settings(ground, dice);
    let mut making = Making {
        ground,
        foreseen: Foreseen::new(rules(&settings)),
        lines: Vec::new(),
        holds: Vec::new(),
        left_out: Vec::new(),
        ages: settings.word("refresh_policy").is_some(),
        dice,
    };
    // Who does a few kinds of things does more of each: what takes three of one kind is not drowned by all others.
    for word in WORDS {
        let always = matches!(word, "authorize" | "redeem" | "at-once")
            || making.ages && matches!(word, "refresh" | "advance");
        if !always && making.dice.random_bool(0.45) {
            making.left_out.push(word);
        }
    }
    // A client that proves nothing has to be given a new refresh token each time (RFC 9700 §2.2.2).
    let unrotated = settings.flag("rotation") == Some(false);
    let may: Vec<&Client> = ground.clients.iter().filter(|client| !(unrotated && client.public)).collect();
    let Some(first) = may.first() else { return Program::default() };
    let most = may.len().min(3);
    let many = making.dice.random_range(1..=most);
    let mut clients: Vec<&Client> = vec![first];
    while clients.len() < many {
        if let Some(client) = may.choose(making.dice) {
            clients.push(client);
        }
    }
    if making.dice.random_bool(0.5) {
        clients.reverse();
    }
    let length = making.dice.random_range(3..=ground.longest.max(3));
    // A proposal that comes to nothing is one that is not made again: the loop ends all the same.
    for _ in 0..length * 4 {
        if making.lines.len() >= length {
            break;
        }
        let client = clients[making.dice.random_range(0..clients.len())];
        making.propose(client);
    }
    Program { settings, lines: making.lines }
}

fn settings(ground: &Ground, dice: &mut StdRng) -> Settings {
    let mut settings = Settings::default();
    if !ground.embedded {
        return settings;
    }
    let mut set = |name: &str, value: Setting| settings.0.insert(name.to_owned(), value);
    // A code should live ten minutes at most (RFC 6749 §4.1.2); Salesforce's live longer where nothing is said.
    set("code_ttl", Setting::Millis(10 * 60_000));
    match dice.random_range(0..10) {
        0..5 => drop(set("rotation", Setting::Flag(true))),
        5..9 => drop(set("rotation", Setting::Flag(false))),
        _ => {}
    }
    if dice.random_bool(0.7) {
        set("access_token_ttl", Setting::Millis(if dice.random_bool(0.5) { 15 } else { 30 } * 60_000));
    }
    if dice.random_bool(0.25) {
        let word = ["lifetime", "inactivity"][dice.random_range(0..2)];
        set("refresh_policy", Setting::Word(word.to_owned()));
        set("refresh_token_ttl", Setting::Millis(30 * 86_400_000));
    }
    if dice.random_bool(0.15) {
        set("signed_userinfo", Setting::Flag(true));
    }
    settings
}

struct Making<'m> {
    ground: &'m Ground,
    foreseen: Foreseen,
    lines: Vec<Line>,
    /// What clients hold, oldest first: by whom, of which line, what.
    holds: Vec<(Who, u32, Brought)>,
    /// What is not done in this program.
    left_out: Vec<&'static str>,
    /// Whether refresh tokens die with time.
    ages: bool,
    dice: &'m mut StdRng,
}

impl Making<'_> {
    /// Proposes one thing to a client.
    fn propose(&mut self, client: &Client) {
        let Some(what) = self.what(client) else { return };
        if !self.ground.takes(what.word()) {
            return;
        }
        let raced = what.can_race();
        let token_race = what.asks_for_tokens() || matches!(what, What::Revoke { .. });
        let chance = if token_race { 0.22 } else { 0.06 };
        let times = if raced && self.ground.takes("at-once") && self.dice.random_bool(chance) {
            AT_ONCE[self.dice.random_range(0..AT_ONCE.len())]
        } else {
            1
        };
        let id = u32::try_from(self.lines.len()).unwrap_or(u32::MAX) + 1;
        let mut line = Line { id, who: client.who.clone(), what, times, together: false };
        let ends = |what: &What| matches!(what, What::Revoke { .. });
        let meets_an_end = ends(&line.what) || self.lines.last().is_some_and(|last| ends(&last.what));
        let chance = if meets_an_end { TOGETHER.1 } else { TOGETHER.0 };
        if raced && self.ground.takes("at-once") && self.dice.random_bool(chance) {
            line.together = true;
            line.together = self.foreseen.can(&line);
        }
        if !self.foreseen.can(&line) {
            return;
        }
        self.foreseen.take(&line);
        // A client that crashes before it hears the answer goes on with what it had.
        let crashes = line.what.asks_for_tokens() && self.dice.random_bool(0.06);
        self.lines.push(line);
        // What goes out with it may bring nothing for sure any more.
        self.holds.retain(|(_, of, what)| self.foreseen.has(*of, *what));
        for what in [Brought::Code, Brought::Access, Brought::Refresh, Brought::Id, Brought::Assertion] {
            let there = what != Brought::Id || self.brings_an_id_token(client, id);
            if self.foreseen.has(id, what) && there && !crashes {
                self.holds.push((client.who.clone(), id, what));
            }
        }
    }

    fn what(&mut self, client: &Client) -> Option<What> {
        let has = |word| self.ground.has(word);
        let code = self.held(client, Brought::Code);
        let access = self.held(client, Brought::Access);
        let refresh = self.held(client, Brought::Refresh).filter(|_| client.refreshes);
        let identity = self.held(client, Brought::Id);
        let token = |kind: Kind, of: Option<u32>| of.map(|of| Held { kind, of });
        let either = match (token(Kind::Access, access), token(Kind::Refresh, refresh)) {
            (Some(one), Some(other)) => Some(if self.dice.random_bool(0.6) { one } else { other }),
            (one, other) => one.or(other),
        };
        let mut may: Vec<(u32, What)> = Vec::new();
        let unused = code.is_some_and(|code| !self.was_redeemed(code));
        if client.logs_in {
            let less = if self.dice.random_bool(0.7) { PLAIN } else { WITHOUT_API };
            let scope = (self.ground.embedded && self.dice.random_bool(0.3)).then_some(less);
            let nonce = self.dice.random_bool(0.3) && scope.is_none();
            let prompt = self.dice.random_bool(0.1) && self.ground.embedded;
            let weight = if code.is_none() || access.is_none() && !unused { 12 } else { 3 };
            may.push((weight, What::Authorize { scope, nonce, prompt }));
        }
        if let Some(code) = code {
            let verifier =
                self.held(client, Brought::Code).filter(|_| self.dice.random_bool(0.15)).unwrap_or(code);
            may.push((if unused { 14 } else { 3 }, What::Redeem { code, verifier }));
        }
        if let Some(token) = token(Kind::Refresh, refresh) {
            let narrow = self.ground.embedded && self.dice.random_bool(0.12);
            may.push((9, What::Refresh { token, narrow }));
        }
        if let Some(token) = token(Kind::Access, access) {
            if client.refreshes && self.ground.embedded {
                may.push((1, What::Refresh { token, narrow: false }));
            }
            may.extend(has("call").then_some((7, What::Call { token })));
            may.extend(has("userinfo").then_some((2, What::Userinfo { token })));
            may.extend(has("soap").then_some((1, What::Soap { token })));
            may.extend(has("identity").then_some((3, What::Identity { token })));
        }
        // What is no access token opens nothing.
        for token in [token(Kind::Refresh, refresh), token(Kind::Id, identity)].into_iter().flatten() {
            may.extend(has("call").then_some((1, What::Call { token })));
        }
        if let Some(token) = either {
            let hints = ["access_token", "refresh_token", "a-kind-that-nobody-knows"];
            let hint = |dice: &mut StdRng| dice.random_bool(0.3).then(|| hints[dice.random_range(0..3)]);
            if has("revoke") {
                may.push((4, What::Revoke { token, hint: hint(self.dice) }));
            }
            if has("introspect") && !client.public {
                may.push((5, What::Introspect { token, hint: hint(self.dice) }));
            }
        }
        let grant = if access.is_none() && !client.logs_in { 12 } else { 2 };
        if client.by_secret {
            may.push((grant, What::ClientCredentials));
        } else if client.unlisted && self.ground.grants_by_secret() {
            may.push((1, What::ClientCredentials));
        }
        let assertion = self.held(client, Brought::Assertion);
        let mut again = |made: &dyn Fn(&What) -> bool| {
            let of = assertion.filter(|of| self.lines.iter().any(|line| line.id == *of && made(&line.what)));
            // The assertion of a repetition is the one that it repeats.
            of.filter(|_| self.dice.random_bool(0.4))
        };
        if client.by_jwt {
            may.push((
                grant,
                What::JwtBearer { again: again(&|what| matches!(what, What::JwtBearer { again: None })) },
            ));
        }
        if client.by_saml {
            may.push((
                1,
                What::SamlBearer { again: again(&|what| matches!(what, What::SamlBearer { again: None })) },
            ));
        }
        if has("keys") {
            may.push((1, What::Keys));
        }
        if self.ground.embedded && !self.lines.is_empty() {
            let delays = if self.ages && self.dice.random_bool(0.7) { &LONG_DELAYS[..] } else { &DELAYS[..] };
            may.extend(
                delays.choose(self.dice).map(|delay| (if self.ages { 7 } else { 4 }, What::Advance(*delay))),
            );
        }
        // A client that can log in only in the ways that are left out does so all the same.
        let starts = |word: &str| access.is_none() && word != "advance" && !client.logs_in;
        may.retain(|(_, what)| {
            let word = what.word();
            self.ground.takes(word) && (!self.left_out.contains(&word) || starts(word))
        });
        let chosen = may.choose_weighted(self.dice, |(weight, _)| *weight).ok()?;
        Some(chosen.1.clone())
    }

    /// Something that a client holds: mostly its newest, sometimes an older one, seldom somebody else's.
    fn held(&mut self, client: &Client, what: Brought) -> Option<u32> {
        let own: Vec<u32> = self
            .holds
            .iter()
            .filter(|(who, _, kind)| *kind == what && *who == client.who)
            .map(|(_, of, _)| *of)
            .collect();
        let all: Vec<u32> =
            self.holds.iter().filter(|(_, _, kind)| *kind == what).map(|(_, of, _)| *of).collect();
        match self.dice.random_range(0..20) {
            0..14 => own.last().copied(),
            14..18 => own.choose(self.dice).copied(),
            _ => all.choose(self.dice).copied(),
        }
    }

    /// Whether that line brought an ID token: a code of a login that asked for everything that the app has.
    fn brings_an_id_token(&self, client: &Client, line: u32) -> bool {
        let of = |id: u32| self.lines.iter().find(|line| line.id == id).map(|line| &line.what);
        let all = |code: u32| matches!(of(code), Some(What::Authorize { scope: None, .. }));
        client.openid && matches!(of(line), Some(What::Redeem { code, .. }) if all(*code))
    }

    fn was_redeemed(&self, code: u32) -> bool {
        self.lines.iter().any(|line| matches!(line.what, What::Redeem { code: of, .. } if of == code))
    }
}
