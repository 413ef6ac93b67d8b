//! Plays of a client program out of dice. Pure.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::case::{Case, Expiry, Starts, Turn};
use super::happening::{ALL, Happening, Harm, Place};
use crate::explore::wants;
use crate::run::Client;
use crate::subject::{Flow, Target};

/// Words of what can be selected.
pub const WORDS: [&str; 8] = ["expire", "token", "api", "revoke", "login", "starts", "at-once", "does"];
/// How many calls are made, few mostly.
const CALLS: [u32; 12] = [1, 2, 2, 3, 4, 4, 5, 6, 8, 8, 10, 30];
/// How many at a time.
const AT_A_TIME: [u32; 6] = [2, 2, 4, 5, 10, 30];
/// When a program is killed.
const MOMENTS: [&str; 4] = ["token-request", "token-response", "api-request", "api-response"];

/// What can be proposed to a program.
pub struct Ground {
    /// Flows of the program that the target has, by weight.
    flows: Vec<(u32, Flow)>,
    /// Other apps of the target, each with the flows that it has.
    apps: Vec<(&'static str, Vec<Flow>)>,
    /// What its calls may do.
    does: Vec<&'static str>,
    logs_out: bool,
    /// Whether several of it can share a grant, and it can be killed.
    shares: bool,
    /// Whether waiting costs it nothing.
    own: bool,
    select: Vec<String>,
    /// How many things the org does at most.
    longest: usize,
}

impl Ground {
    /// What a program can do towards a target.
    pub fn of(client: &Client, target: &Target, select: Vec<String>, longest: usize) -> Self {
        let main = target.apps.get("main");
        let weight = |flow| if matches!(flow, Flow::RefreshToken | Flow::WebServer) { 4 } else { 2 };
        let listed = |flow: &Flow| main.is_some_and(|app| app.flows.contains(flow));
        let flows = client.flows().iter().copied().filter(listed).map(|flow| (weight(flow), flow)).collect();
        let own = matches!(client, Client::Own(_));
        let others = ["basic", "public", "assertion", "other"].into_iter().filter(|_| own);
        let others = others.filter_map(|role| target.apps.get(role).map(|app| (role, app.flows.to_vec())));
        let does =
            if client.takes("does") { vec!["create", "userinfo", "soap", "pages"] } else { Vec::new() };
        let shares = client.stores() && !client.runs_already();
        let (does, logs_out) = (if own { does } else { Vec::new() }, own && client.takes("ends"));
        Self { flows, apps: others.collect(), does, logs_out, shares, own, select, longest }
    }

    fn takes(&self, word: &str) -> bool {
        wants(&self.select, word)
    }
}

/// How far apart in [`ALL`] those are that lead two plays after each other.
const STRIDE: u64 = 41;
/// How often a play is drawn for the one that leads it.
const DRAWS: usize = 64;

/// Proposes the play of that number. In every other one something of [`ALL`] leads, one after the other, so that what comes
/// together with few flows and apps does not wait for its luck.
pub fn case(ground: &Ground, number: u64, dice: &mut StdRng) -> Option<Case> {
    let led = number % 2 == 1;
    let at = usize::try_from(number / 2 * STRIDE % ALL.len() as u64).unwrap_or(0);
    let what = &ALL[at];
    for _ in 0..DRAWS * usize::from(led && ground.longest > 0) {
        let mut case = surroundings(ground, dice)?;
        if fits(ground, &case, what) {
            case.turns.push(placed(what, dice));
            return Some(filled(ground, case, dice));
        }
    }
    let case = surroundings(ground, dice)?;
    Some(filled(ground, case, dice))
}

/// What a program is set to, before anything happens to it.
fn surroundings(ground: &Ground, dice: &mut StdRng) -> Option<Case> {
    let (_, flow) = *ground.flows.choose_weighted(dice, |(weight, _)| *weight).ok()?;
    let mut app = "main";
    if dice.random_bool(0.25) {
        let others: Vec<&'static str> =
            ground.apps.iter().filter(|(_, flows)| flows.contains(&flow)).map(|(role, _)| *role).collect();
        app = others.choose(dice).copied().unwrap_or(app);
    }
    let calls = *CALLS.choose(dice)?;
    let mut case = Case {
        flow,
        app,
        rotation: matches!(flow, Flow::RefreshToken | Flow::WebServer) && dice.random_bool(0.5),
        calls,
        concurrency: 1,
        does: None,
        pauses: false,
        logs_out: ground.logs_out && ground.takes("revoke") && dice.random_bool(0.12),
        starts: starts(ground, flow, calls, dice),
        expiry: None,
        turns: Vec::new(),
    };
    // Who is started again does again what it did before it logged out.
    case.logs_out &= case.starts == Starts::Once;
    if ground.takes("does") && dice.random_bool(0.15) {
        case.does = ground.does.choose(dice).copied();
    }
    // A user info endpoint has nothing for a grant without a user.
    if case.does == Some("userinfo") && flow != Flow::WebServer {
        case.does = None;
    }
    if ground.takes("at-once") && dice.random_bool(0.45) {
        case.concurrency = *AT_A_TIME.choose(dice)?;
        case.calls = case.calls.max(case.concurrency);
    }
    if case.does == Some("pages") {
        case.concurrency = 1;
    }
    // Time that goes by between calls of several at a time would go by for each of them.
    case.pauses = ground.own && case.concurrency == 1 && case.starts == Starts::Once && dice.random_bool(0.1);
    if ground.takes("expire") && case.does != Some("pages") && dice.random_bool(0.7) {
        case.expiry = Some(expiry(&case, dice));
    }
    Some(case)
}

/// The same with what happens besides.
fn filled(ground: &Ground, mut case: Case, dice: &mut StdRng) -> Case {
    let most = ground.longest.min(3);
    let turns = [0, 1, 1, 1, 2, 2, 3].choose(dice).copied().unwrap_or(0).min(most);
    for _ in case.turns.len()..turns {
        if let Some(turn) = turn(ground, &case, dice) {
            case.turns.push(turn);
        }
    }
    // Whoever has given up is not waited for.
    let borne = case.turns.iter().all(|turn| turn.what.harm == Harm::None);
    if ground.takes("at-once") && case.expiry.is_none() && case.concurrency > 1 && borne {
        case.expiry = Some(Expiry::Never { together: case.concurrency });
    }
    case
}

fn starts(ground: &Ground, flow: Flow, calls: u32, dice: &mut StdRng) -> Starts {
    if !ground.takes("starts") {
        return Starts::Once;
    }
    match dice.random_range(0..20) {
        0..3 if ground.shares => {
            // Who keeps nothing has to log in again, if it can.
            let anew = flow != Flow::RefreshToken && dice.random_bool(0.5);
            let n = dice.random_range(2..=3);
            if anew { Starts::Anew(n) } else { Starts::Times(n) }
        }
        3..5 if ground.shares && flow != Flow::WebServer => {
            Starts::Processes([2, 2, 4][dice.random_range(0..3)])
        }
        5..7 if ground.shares => {
            // At a moment that its first start comes to.
            let after = MOMENTS[dice.random_range(if flow == Flow::RefreshToken { 2..4 } else { 0..4 })];
            let most = if after.starts_with("api") { calls.min(4) } else { 1 };
            Starts::Killed { after, nth: dice.random_range(1..=most) }
        }
        _ => Starts::Once,
    }
}

fn expiry(case: &Case, dice: &mut StdRng) -> Expiry {
    let in_flight = match case.starts {
        Starts::Processes(n) => case.concurrency * n,
        _ => case.concurrency,
    };
    if in_flight > 1 && case.does != Some("userinfo") && dice.random_bool(0.7) {
        let late = if dice.random_bool(0.3) { dice.random_range(1..in_flight) } else { 0 };
        return Expiry::AtOnce { calls: in_flight, late };
    }
    // Where several share a token that dies again and again, each may find it dead more than once.
    if in_flight > 1 || dice.random_bool(0.6) {
        Expiry::After(dice.random_range(1..=2))
    } else {
        Expiry::Every(dice.random_range(1..=3))
    }
}

fn turn(ground: &Ground, case: &Case, dice: &mut StdRng) -> Option<Turn> {
    let may: Vec<&'static Happening> = ALL.iter().filter(|one| fits(ground, case, one)).collect();
    let what = *may.choose(dice)?;
    let again = case.turns.iter().any(|turn| turn.what == what);
    (!again).then(|| placed(what, dice))
}

/// Whether that may happen to a program that is set to this.
fn fits(ground: &Ground, case: &Case, one: &Happening) -> bool {
    let logs_in = case.flow == Flow::WebServer;
    let refreshes = matches!(case.flow, Flow::WebServer | Flow::RefreshToken);
    let rotates = case.rotation || case.app == "public";
    // The others have no scope that brings an ID token.
    let identifies = logs_in && case.app == "main";
    let none_of = |place| case.turns.iter().all(|turn| turn.what.place != place);
    let there = match one.place {
        Place::Token => true,
        // What a record comes to that breaks is worth a look; what it is answered, where it must be, is its own.
        Place::Api => {
            let fits = case.does.is_none() || case.does == Some("create") && one.harm == Harm::Some;
            fits && none_of(Place::Api)
        }
        Place::Page => case.does == Some("pages") && none_of(Place::Page),
        // Where the old refresh token is over, a client needs the new one that the answer hides.
        Place::Refresh => {
            let hides = one.says.contains("refresh_token:");
            refreshes && case.expiry.is_some() && !(rotates && hides)
        }
        Place::Grant => !refreshes,
        Place::Revoke => case.logs_out,
        Place::Code => logs_in,
        Place::Callback | Place::Keys => logs_in && none_of(one.place),
    };
    // A minute of waiting is one of a clock of ours, or one that goes by.
    // Whoever gives up earlier does not come to the moment at which it was to be killed.
    let comes = !matches!(case.starts, Starts::Killed { .. }) || one.harm == Harm::None;
    let waits = ["hang:", "stall:"].iter().any(|word| one.says.starts_with(word));
    let has_token = !one.is_of_id_token() || identifies;
    there && has_token && comes && ground.takes(one.place.word()) && (ground.own || !waits)
}

/// That at some request, and so often.
fn placed(what: &'static Happening, dice: &mut StdRng) -> Turn {
    let from = [1, 1, 1, 2, 2, 3][dice.random_range(0..6)];
    let times = [Some(1), Some(1), Some(1), Some(2), None][dice.random_range(0..5)];
    let (from, times) = match what.place {
        Place::Keys => (1, Some(1)),
        // In place of the second page, and whoever was refused asks for it again.
        Place::Page => (2, Some(1)),
        // No two codes are the same.
        Place::Callback if what.says.contains(" code: \"") => (from, Some(1)),
        Place::Api if what.harm == Harm::None || times == Some(2) => (from, Some(1)),
        _ => (from, times),
    };
    Turn { what, from, times }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_leads_in_its_turn() {
        let all = ALL.len() as u64;
        let led: std::collections::BTreeSet<u64> = (0..all).map(|n| n * STRIDE % all).collect();
        assert_eq!(led.len(), ALL.len());
    }
}
