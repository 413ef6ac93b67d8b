//! Programs that are smaller than one: the fewest steps, then the fewest clients, then the least besides, then the smallest
//! delays. Pure.

use super::program::{Line, Program, What, Who};
use super::right::Rules;
use crate::subject::Settings;

/// Everything that is smaller by one thing or several, boldest first; `last` is the last step that matters, by position.
pub fn smaller(program: &Program, last: Option<usize>, rules: &dyn Fn(&Settings) -> Rules) -> Vec<Program> {
    let cut = last.map(|last| {
        let lines = program.lines[..=last.min(program.lines.len() - 1)].to_vec();
        Program { lines, ..program.clone() }
    });
    let first = cut.filter(|cut| cut.lines.len() < program.lines.len());
    let mut smaller: Vec<Program> = first.into_iter().collect();
    smaller.extend(shorter(program, rules));
    smaller.extend(plainer(program, rules));
    smaller
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
    // Without a renewal: who used what it brought uses what it renewed.
    for at in 0..n {
        let What::Refresh { token: renewed, .. } = program.lines[at].what else { continue };
        let mut less = program.clone();
        let gone = less.lines.remove(at).id;
        for held in
            less.lines.iter_mut().filter_map(|line| line.what.token_mut()).filter(|held| held.of == gone)
        {
            held.of = renewed.of;
        }
        let less = less.mended(&rules(&program.settings));
        if !less.lines.is_empty() && !all.contains(&less) {
            all.push(less);
        }
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
        line.times as usize + extra + strangers + usize::from(line.together)
    };
    let settings = program.settings.0.len();
    let details = settings + program.lines.iter().map(small).sum::<usize>();
    (program.steps(), program.clients(), details, program.delays().iter().sum())
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
    if line.together {
        all.push(Line { together: false, ..line.clone() });
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

#[cfg(test)]
mod tests {
    use super::super::program::{Held, Kind};
    use super::*;
    use crate::subject::Target;

    #[test]
    fn a_renewal_goes_and_who_used_what_it_brought_uses_what_it_renewed() {
        let mut lines: Vec<Line> = Vec::new();
        let mut then = |what: What| {
            let id = u32::try_from(lines.len()).unwrap();
            let who = Who { app: "main".into(), user: "main".into() };
            lines.push(Line { id, who, what, times: 1, together: false });
        };
        let refresh = |of: u32| What::Refresh { token: Held { kind: Kind::Refresh, of }, narrow: false };
        then(What::Authorize { scope: None, nonce: false, prompt: false });
        then(What::Redeem { code: 0, verifier: 0 });
        for of in [1, 2, 3, 3] {
            then(refresh(of));
        }
        let rules =
            |settings: &Settings| Rules { rotation: Some(true), ..Rules::of(&Target::default(), settings) };
        let all = smaller(&Program { lines, ..Program::default() }, None, &rules);
        let renewals = |program: &Program| -> Vec<(u32, u32)> {
            program.lines[2..].iter().filter_map(|line| Some((line.id, line.what.token()?.of))).collect()
        };
        assert!(
            all.iter().any(|less| less.lines.len() == 5 && renewals(less) == [(3, 1), (4, 3), (5, 3)]),
            "{all:?}"
        );
    }
}
