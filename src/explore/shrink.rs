//! A counterexample made small: the fewest steps, the fewest clients, the smallest delays that go wrong in the same way.

use super::model::Rules;
use super::play::{Error, Kind, Played, Player};
use super::program::{Line, Program, What, Who};
use crate::subject::Settings;

/// The most rounds over a counterexample; each leaves it smaller.
const ROUNDS: usize = 40;

/// A counterexample that cannot be made smaller.
pub struct Small {
    /// What is done.
    pub program: Program,
    /// What came of it.
    pub played: Played,
    /// How many programs were played for it.
    pub plays: usize,
}

/// Makes a counterexample small, as long as it goes wrong in the same way.
///
/// # Errors
/// The world got in the way.
pub async fn shrink(player: &Player, program: &Program, played: Played, kind: &Kind) -> Result<Small, Error> {
    let mut small = Small { program: program.clone(), played, plays: 0 };
    let rules = |settings: &Settings| player.rules(settings);
    for _ in 0..ROUNDS {
        let cut = small.played.way(kind).map(|way| way.step).map(|last| {
            let lines = small.program.lines[..=last.min(small.program.lines.len() - 1)].to_vec();
            Program { lines, ..small.program.clone() }
        });
        let first = cut.filter(|cut| cut.lines.len() < small.program.lines.len());
        let mut smaller: Vec<Program> = first.into_iter().collect();
        smaller.extend(shorter(&small.program, &rules));
        smaller.extend(plainer(&small.program, &rules));
        if !small.first_of(player, smaller, kind).await? {
            break;
        }
    }
    for at in 0..small.program.lines.len() {
        small.shorten(player, at, kind).await?;
    }
    Ok(small)
}

impl Small {
    /// Takes the first of these that goes wrong in the same way; false where none does.
    async fn first_of(&mut self, player: &Player, smaller: Vec<Program>, kind: &Kind) -> Result<bool, Error> {
        for some in smaller.chunks(16) {
            let played = player.play(some).await?;
            self.plays += some.len();
            let found = some.iter().zip(played).find(|(_, played)| played.way(kind).is_some());
            if let Some((program, played)) = found {
                (self.program, self.played) = (program.clone(), played);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds the smallest delay, to the second.
    async fn shorten(&mut self, player: &Player, at: usize, kind: &Kind) -> Result<(), Error> {
        let What::Advance(mut long) = self.program.lines[at].what else { return Ok(()) };
        let mut short = 0;
        while long - short > 1 {
            let middle = short + (long - short) / 2;
            let mut program = self.program.clone();
            program.lines[at].what = What::Advance(middle);
            if self.first_of(player, vec![program], kind).await? {
                long = middle;
            } else {
                short = middle;
            }
        }
        Ok(())
    }
}

/// Without some of its lines: many at a time first.
fn shorter(program: &Program, rules: &dyn Fn(&Settings) -> Rules) -> Vec<Program> {
    let n = program.lines.len();
    let mut all: Vec<Program> = Vec::new();
    let mut size = n / 2;
    while size > 0 {
        for from in (0..n).step_by(size) {
            let mut less = program.clone();
            less.lines.drain(from..(from + size).min(n));
            let less = less.mended(&rules(&program.settings));
            if !less.lines.is_empty() && less.lines.len() < n && !all.contains(&less) {
                all.push(less);
            }
        }
        size /= 2;
    }
    // What goes only together with another one.
    for one in 0..n {
        for other in one + 1..n {
            let mut less = program.clone();
            less.lines.remove(other);
            less.lines.remove(one);
            let less = less.mended(&rules(&program.settings));
            if n <= 14 && !less.lines.is_empty() && !all.contains(&less) {
                all.push(less);
            }
        }
    }
    all.sort_by_key(|program| program.lines.len());
    all
}

/// With one thing less to it.
fn plainer(program: &Program, rules: &dyn Fn(&Settings) -> Rules) -> Vec<Program> {
    let mut all = Vec::new();
    for name in program.settings.0.keys().filter(|name| *name != "code_ttl") {
        let mut less = program.clone();
        less.settings.0.remove(name);
        all.push(less);
    }
    // Everything by one client.
    let whos: std::collections::BTreeSet<&Who> = program.lines.iter().map(|line| &line.who).collect();
    for from in &whos {
        for to in &whos {
            if from != to {
                let mut less = program.clone();
                for line in less.lines.iter_mut().filter(|line| line.who == **from) {
                    line.who = (*to).clone();
                }
                all.push(less);
            }
        }
    }
    for at in 0..program.lines.len() {
        for line in plainer_lines(&program.lines[at]) {
            let mut less = program.clone();
            less.lines[at] = line;
            all.push(less);
        }
    }
    let smaller = |less: &Program| weight(less) < weight(program);
    let mended = all.into_iter().map(|less| {
        let rules = rules(&less.settings);
        less.mended(&rules)
    });
    mended.filter(|less| !less.lines.is_empty() && smaller(less)).collect()
}

/// How much there is to a program, heaviest first.
fn weight(program: &Program) -> (usize, usize, usize, i64) {
    let small = |line: &Line| {
        let extra = match &line.what {
            What::Authorize { scope, nonce, prompt } => {
                usize::from(scope.is_some()) + usize::from(*nonce) + usize::from(*prompt)
            }
            What::Redeem { code, verifier } => usize::from(code != verifier),
            What::Refresh { narrow, .. } => usize::from(*narrow),
            What::Revoke { hint, .. } | What::Introspect { hint, .. } => usize::from(hint.is_some()),
            What::JwtBearer { again } | What::SamlBearer { again } => usize::from(again.is_some()),
            _ => 0,
        };
        let strangers = usize::from(line.who.app != "main") + usize::from(line.who.user != "main");
        line.times as usize + extra + strangers
    };
    let settings = program.settings.0.len();
    let details = settings + program.lines.iter().map(small).sum::<usize>();
    (program.steps(), program.clients(), details, program.delays())
}

fn plainer_lines(line: &Line) -> Vec<Line> {
    let mut all = Vec::new();
    let mut with = |what: What| all.push(Line { what, ..line.clone() });
    match &line.what {
        What::Authorize { scope, nonce, prompt } => {
            with(What::Authorize { scope: None, nonce: false, prompt: false });
            with(What::Authorize { scope: None, nonce: *nonce, prompt: *prompt });
            with(What::Authorize { scope: *scope, nonce: false, prompt: *prompt });
            with(What::Authorize { scope: *scope, nonce: *nonce, prompt: false });
        }
        What::Redeem { code, .. } => with(What::Redeem { code: *code, verifier: *code }),
        What::Refresh { token, .. } => with(What::Refresh { token: *token, narrow: false }),
        What::Revoke { token, .. } => with(What::Revoke { token: *token, hint: None }),
        What::Introspect { token, .. } => with(What::Introspect { token: *token, hint: None }),
        What::JwtBearer { .. } => with(What::JwtBearer { again: None }),
        What::SamlBearer { .. } => with(What::SamlBearer { again: None }),
        _ => {}
    }
    for times in [1, 2, 8].into_iter().filter(|times| *times < line.times) {
        all.push(Line { times, ..line.clone() });
    }
    for who in
        [Who { app: "main".into(), user: "main".into() }, Who { user: "main".into(), ..line.who.clone() }]
    {
        all.push(Line { who, ..line.clone() });
    }
    all
}
