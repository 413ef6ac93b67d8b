//! Judging a step's expectations on the exchange that answers it. Pure.

use serde_json::Value;
use std::collections::BTreeSet;

use super::matching::{Comparing, member, words};
use crate::client::Action;
use crate::oauth::Endpoint;
use crate::oauth::jwt::Jwt;
use crate::oauth::salesforce::{Profile, Refusal};
use crate::subject::Subject;
use crate::suite::{Count, CountOf, Expect, Item, ItemKind, Matcher, ScopeMatch};
use crate::transcript::questions::{
    Departure, authorization_of, base, beside_the_point, leaves_for, redirect_uris, refuses_nothing,
    same_origin,
};
use crate::transcript::{Answer, Exchange, Failure};
use crate::verdict::{Finding, Level, Verdict};

/// What expectations are judged with.
pub(super) struct Judge<'j> {
    pub(super) profile: Profile,
    pub(super) text: &'j crate::diagnostic::Text,
    pub(super) value: &'j dyn Fn(&str) -> Option<String>,
    /// A key set that was fetched, for `verifies`.
    pub(super) keys: Option<&'j Value>,
    pub(super) action: &'j Action,
    pub(super) subject: &'j Subject,
    /// The record so far, for what was asked for.
    pub(super) record: &'j [Exchange],
    pub(super) truncated: bool,
}

/// One expectation that does not hold, or of which nothing can be said.
struct Miss {
    expected: String,
    observed: String,
    level: Level,
    verdict: Verdict,
    /// Whether what must be refused was accepted.
    accepted: bool,
}

impl Miss {
    fn new(expected: impl Into<String>, observed: impl Into<String>) -> Self {
        let (expected, observed) = (expected.into(), observed.into());
        Self { expected, observed, level: Level::Must, verdict: Verdict::Fail, accepted: false }
    }

    /// What came proves nothing.
    fn unproved(expected: impl Into<String>, observed: impl Into<String>) -> Self {
        Self { verdict: Verdict::Inconclusive, ..Self::new(expected, observed) }
    }
}

/// Whether a step came to its own success.
pub(super) fn succeeded(action: &Action, x: &Exchange) -> bool {
    match action {
        Action::Authorize(_) => x.code_issued().is_some(),
        Action::Introspect(_) => x.status() == 200 && x.member("active") == Some(&Value::Bool(true)),
        _ if x.endpoint == Endpoint::Token => x.granted(),
        _ => (200..300).contains(&x.status()),
    }
}

/// The success of a step in words.
fn success_words(action: &Action) -> &'static str {
    match action {
        Action::Authorize(_) => "a redirect to the client with a code",
        Action::Introspect(_) => "200 with active: true",
        Action::Redeem
        | Action::JwtBearer
        | Action::SamlBearer
        | Action::ClientCredentials
        | Action::Refresh => "200 with an access token",
        _ => "a 2xx status",
    }
}

impl Judge<'_> {
    /// Judges every answer of a step against its expectations; all that does not hold is told.
    pub(super) fn judge(
        &self,
        expect: Option<&Expect>,
        span: crate::diagnostic::Span,
        answers: &[&Exchange],
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for x in answers {
            if let Some(finding) = self.silence(x, span) {
                findings.push(finding);
            }
        }
        // How many would have been like what, nobody knows.
        if answers.iter().any(|x| x.answer == Answer::Nothing(Failure::Unrecorded)) {
            return findings;
        }
        let heard: Vec<&Exchange> = answers.iter().copied().filter(|x| x.response().is_some()).collect();
        let Some(expect) = expect else {
            findings.extend(heard.iter().filter_map(|x| self.own_success(x, span)));
            return findings;
        };
        if expect.counts.is_empty() {
            for x in &heard {
                if !speaks_of_status(&expect.items) {
                    findings.extend(self.own_success(x, span));
                }
                findings.extend(self.items(&expect.items, x));
            }
            return findings;
        }
        for x in &heard {
            findings.extend(self.items(&expect.items, x));
        }
        // Of those that were not reached, for a reason that is nobody's, each might have been like anything.
        let unreached = |x: &&&Exchange| matches!(x.answer, Answer::Nothing(Failure::Unreachable(_)));
        findings.extend(self.counts(expect, &heard, answers.iter().filter(unreached).count()));
        findings
    }

    fn own_success(&self, x: &Exchange, span: crate::diagnostic::Span) -> Option<Finding> {
        if succeeded(self.action, x) {
            return None;
        }
        Some(self.finding(Miss::new(success_words(self.action), self.observed(x)), span, x))
    }

    /// No answer is the peer's fail where it took the connection, and nobody's where it could not be reached.
    fn silence(&self, x: &Exchange, span: crate::diagnostic::Span) -> Option<Finding> {
        let Answer::Nothing(failure) = &x.answer else { return None };
        let verdict = match failure {
            Failure::Unreachable(_) | Failure::Unrecorded => Verdict::Inconclusive,
            // Half a request may be met with a closed door.
            Failure::Broken(_) if self.truncated => return None,
            Failure::TimedOut(_) | Failure::Broken(_) => Verdict::Fail,
        };
        let miss = Miss { verdict, ..Miss::new("an answer", failure.to_string()) };
        Some(self.finding(miss, span, x))
    }

    fn items(&self, items: &[Item], x: &Exchange) -> Vec<Finding> {
        let misses = items.iter().filter_map(|item| self.miss(&item.kind, x).map(|miss| (miss, item.span)));
        misses.map(|(miss, span)| self.finding(miss, span, x)).collect()
    }

    fn counts(&self, expect: &Expect, answers: &[&Exchange], unreached: usize) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut counted = vec![false; answers.len()];
        for count in &expect.counts {
            let fitting: Vec<usize> = (0..answers.len())
                .filter(|i| count.items.iter().all(|item| self.miss(&item.kind, answers[*i]).is_none()))
                .collect();
            for i in &fitting {
                counted[*i] = true;
            }
            if let Some(finding) = self.count(count, &fitting, answers, unreached) {
                findings.push(finding);
            }
        }
        for (x, _) in answers.iter().zip(&counted).filter(|(_, counted)| !**counted) {
            findings.extend(self.items(&expect.others, x));
        }
        findings
    }

    fn count(
        &self,
        count: &CountOf,
        fitting: &[usize],
        answers: &[&Exchange],
        unreached: usize,
    ) -> Option<Finding> {
        let n = u32::try_from(fitting.len()).unwrap_or(u32::MAX);
        let most = u32::try_from(fitting.len() + unreached).unwrap_or(u32::MAX);
        let (holds, words) = match count.count {
            Count::Exactly(wanted) => (n == wanted, format!("exactly {wanted}")),
            Count::AtMost(wanted) => (n <= wanted, format!("at most {wanted}")),
            Count::AtLeast(wanted) => (n >= wanted, format!("at least {wanted}")),
        };
        // A race that nobody won shows nothing about how many may win.
        let nobody = n == 0 && matches!(count.count, Count::AtMost(_));
        let may_hold = match count.count {
            Count::Exactly(wanted) => n <= wanted && most >= wanted,
            Count::AtMost(_) => answers.is_empty() && unreached > 0,
            Count::AtLeast(wanted) => most >= wanted,
        };
        if holds && !nobody || unreached > 0 && may_hold {
            return None;
        }
        let exchanges = if fitting.is_empty() {
            answers.iter().map(|x| x.number).collect()
        } else {
            fitting.iter().map(|i| answers[*i].number).collect()
        };
        let outcomes = summary(answers);
        Some(Finding {
            check: None,
            verdict: if nobody { Verdict::Inconclusive } else { Verdict::Fail },
            level: Level::Must,
            expected: format!("{words} of {} as said", answers.len()),
            observed: if nobody {
                format!("none of {}, which proves nothing: {outcomes}", answers.len())
            } else {
                format!("{n} of {}: {outcomes}", answers.len())
            },
            exchanges,
            grave: false,
            at: Some((self.text.clone(), count.span)),
        })
    }

    fn finding(&self, miss: Miss, span: crate::diagnostic::Span, x: &Exchange) -> Finding {
        Finding {
            check: None,
            verdict: miss.verdict,
            level: miss.level,
            expected: miss.expected,
            observed: miss.observed,
            exchanges: vec![x.number],
            grave: miss.accepted,
            at: Some((self.text.clone(), span)),
        }
    }

    fn observed(&self, x: &Exchange) -> String {
        format!("the org answered {}", x.outcome())
    }

    /// What does not hold of one expectation.
    fn miss(&self, kind: &ItemKind, x: &Exchange) -> Option<Miss> {
        let response = x.response()?;
        let must = |expected: String, observed: String| Some(Miss::new(expected, observed));
        let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let missed = |what: String, matcher: &Matcher, value: Option<&Value>| {
            must(format!("{what} {}", self.words(matcher)), format!("{what} is {}", shown(value)))
        };
        let matched = |what: String, matcher: &Matcher, value: Option<&Value>| {
            if self.matches(matcher, value) { None } else { missed(what, matcher, value) }
        };
        // An error beside what must not be handed out refuses nothing.
        if kind.is_refusal() && !matches!(kind, ItemKind::Refused(_)) && self.hands_out(x) {
            return Some(Miss { accepted: true, ..Miss::new("a refusal", self.observed(x)) });
        }
        match kind {
            ItemKind::Refused(outcome) => self.refused(outcome.name, outcome.refusal(self.profile), x),
            ItemKind::Status(statuses, classes) => {
                let status = response.status;
                if statuses.contains(&status) || classes.contains(&(status / 100)) {
                    return None;
                }
                let mut words: Vec<String> = statuses.iter().map(ToString::to_string).collect();
                words.extend(classes.iter().map(|class| format!("{class}xx")));
                must(format!("status {}", words.join(" or ")), self.observed(x))
            }
            ItemKind::Header(name, matcher) => {
                let present = response.header(name).is_some();
                let value = present.then(|| Value::from(response.header_list(name)));
                // RFC 9110 §8.3.1: letter case says nothing in a media type.
                let any_case = name.eq_ignore_ascii_case("content-type");
                if self.compares(matcher, value.as_ref(), any_case) {
                    return None;
                }
                missed(format!("header {name}"), matcher, value.as_ref())
            }
            ItemKind::Body(path, matcher) => {
                let value = member(response.json(), path);
                matched(format!("body {path}"), matcher, value.as_ref())
            }
            ItemKind::Text(matcher) => {
                let value = (!response.body.is_empty()).then(|| Value::from(response.body.as_str()));
                if self.matches(matcher, value.as_ref()) {
                    return None;
                }
                must(format!("a body that is {}", self.words(matcher)), self.observed(x))
            }
            ItemKind::Scope(how, wanted) => self.scope(*how, wanted, x),
            ItemKind::Redirect(name, matcher) => {
                let redirect = self.callback(x);
                let value = redirect.and_then(|(base, params)| {
                    if name == "to" { Some(Value::from(base)) } else { params.get(name).map(Value::from) }
                });
                matched(format!("redirect {name}"), matcher, value.as_ref())
            }
            ItemKind::Token(token, matcher) => {
                matched(token.member().to_owned(), matcher, x.member(token.member()))
            }
            ItemKind::Claim(token, name, matcher) => {
                let Some(jwt) = self.jwt(x, token.member()) else {
                    return must(format!("{} that is a JWT", token.member()), "there is none".into());
                };
                matched(format!("claim {name} of the {}", token.member()), matcher, jwt.claims.get(name))
            }
            ItemKind::Jose(token, name, matcher) => {
                let Some(jwt) = self.jwt(x, token.member()) else {
                    return must(format!("{} that is a JWT", token.member()), "there is none".into());
                };
                matched(format!("header {name} of the {}", token.member()), matcher, jwt.header.get(name))
            }
            ItemKind::Verifies(token, wanted) => {
                let jwt = self.jwt(x, token.member());
                let verifies =
                    jwt.as_ref().zip(self.keys).is_some_and(|(jwt, keys)| jwt.verifies_with_set(keys));
                if verifies == *wanted && jwt.is_some() {
                    return None;
                }
                let state = if jwt.is_none() {
                    "there is none"
                } else if self.keys.is_none() {
                    "no key set was published"
                } else if verifies {
                    "its signature fits a published key"
                } else {
                    "its signature fits no published key"
                };
                must(
                    format!(
                        "{} whose signature {}",
                        token.member(),
                        if *wanted { "fits a published key" } else { "fits no published key" }
                    ),
                    state.into(),
                )
            }
            ItemKind::Error(matcher) => {
                let error = x.error().map(|e| Value::from(e.error));
                matched("error".into(), matcher, error.as_ref())
            }
            ItemKind::Description(matcher) => {
                let description = x.error().and_then(|e| e.description).map(Value::from);
                matched("error_description".into(), matcher, description.as_ref())
            }
            ItemKind::Within(limit) => {
                let took = i64::try_from(x.took / 1000).unwrap_or(i64::MAX);
                if took <= *limit {
                    return None;
                }
                must(format!("an answer within {limit} ms"), format!("it took {took} ms"))
            }
        }
    }

    /// The way by which the answer to an authorization leaves for the requested redirect URI, or carries off a code.
    fn departure(&self, x: &Exchange) -> Option<Departure> {
        let Action::Authorize(_) = self.action else { return None };
        leaves_for(x, &authorization_of(self.record, x).map(redirect_uris).unwrap_or_default())
    }

    /// Whether an answer hands out what a refusal must not.
    fn hands_out(&self, x: &Exchange) -> bool {
        x.hands_out_a_token() || self.departure(x).is_some_and(|way| way.hands_out())
    }

    /// Where an authorization sent the user agent.
    fn callback(&self, x: &Exchange) -> Option<(String, crate::oauth::Params)> {
        x.response()?.redirect()
    }

    fn jwt(&self, x: &Exchange, member: &str) -> Option<Jwt> {
        Jwt::read(x.text(member)?).ok()
    }

    /// A refusal by name: accepted weighs as a MUST, refused for another reason less.
    fn refused(&self, name: &str, refusal: Refusal, x: &Exchange) -> Option<Miss> {
        let response = x.response()?;
        let way = self.departure(x);
        let by_status = matches!(refusal, Refusal::Resource { status, .. } if status.contains(&x.status()));
        let accepted = self.hands_out(x) || (succeeded(self.action, x) || refuses_nothing(x)) && !by_status;
        let expected = format!("a refusal: {name}");
        if accepted {
            let observed = match &way {
                Some(way) if response.redirect().is_none() => {
                    format!("{}, which leaves for {} with a code", self.observed(x), base(&way.to))
                }
                _ => self.observed(x),
            };
            return Some(Miss { accepted, ..Miss::new(expected, observed) });
        }
        let on_the_spot = matches!(refusal, Refusal::Shown { .. } | Refusal::ShownOrRedirected { .. });
        if on_the_spot && beside_the_point(x) {
            let observed = format!("{}: that is about something else", self.observed(x));
            return Some(Miss::unproved(expected, observed));
        }
        let error = x.error();
        let one_of = |list: &[&str], text: Option<&str>| {
            list.is_empty() || text.is_some_and(|text| list.contains(&text))
        };
        let told = way.as_ref().and_then(|way| way.all("error").into_iter().next());
        let code = error.as_ref().map(|e| e.error.as_str()).or(told.as_deref());
        let description = error.as_ref().and_then(|e| e.description.as_deref());
        let redirected = self.leaves(x) || way.as_ref().is_some_and(|way| way.by_itself);
        // A page in a browser says its code in the text, where it is a page at all.
        let on_page =
            |codes: &[&str]| one_of(codes, code) || codes.iter().any(|code| response.body.contains(code));
        let fits = match refusal {
            Refusal::Error { status, error, description: texts } => {
                status.contains(&response.status) && one_of(error, code) && one_of(texts, description)
            }
            Refusal::Redirected { error, description: texts } => {
                redirected && one_of(error, code) && one_of(texts, description)
            }
            Refusal::Shown { error } => !redirected && on_page(error),
            Refusal::ShownOrRedirected { error } => {
                if redirected {
                    one_of(error, code)
                } else {
                    on_page(error) || code.is_none()
                }
            }
            Refusal::Resource { status, holds } => {
                let held = holds.is_empty() || holds.iter().any(|text| response.body.contains(text));
                status.contains(&response.status) && held
            }
            Refusal::Inactive => response.status == 200 && x.member("active") == Some(&Value::Bool(false)),
        };
        // Whoever sends the form is where nobody should be led, and the page may do it for the user.
        if fits
            && on_the_spot
            && !redirected
            && let Some(way) = &way
        {
            let observed = format!("{}, with a way to {}", self.observed(x), base(&way.to));
            return Some(Miss::unproved(expected, observed));
        }
        if fits {
            return None;
        }
        if beside_the_point(x) {
            let observed = format!("{}: that is about something else", self.observed(x));
            return Some(Miss::unproved(expected, observed));
        }
        // Sending the user agent away when it must stay is an acceptance of a kind: it is what the attack needs.
        let level =
            if matches!(refusal, Refusal::Shown { .. }) && redirected { Level::Must } else { Level::Should };
        let expected = format!("a refusal: {name} ({})", refusal_words(refusal));
        Some(Miss { level, ..Miss::new(expected, self.observed(x)) })
    }

    /// Whether an answer sends the user agent away from the server.
    fn leaves(&self, x: &Exchange) -> bool {
        match self.callback(x) {
            Some((base, params)) => {
                let known = self.subject.apps.values().flat_map(|app| &app.redirect_uris);
                let registered = known.into_iter().any(|uri| uri.split('?').next() == Some(base.as_str()));
                registered
                    || params.get("code").is_some()
                    || (base.contains("://") && !same_origin(&base, &x.request.url) && !self.inside(&base))
            }
            None => false,
        }
    }

    fn inside(&self, url: &str) -> bool {
        let endpoints = &self.subject.endpoints;
        [&endpoints.authorize, &endpoints.issuer, &endpoints.token]
            .into_iter()
            .flatten()
            .any(|known| same_origin(known, url))
    }

    /// The scope values that an answer grants: as it says, or else as they were asked for (RFC 6749 §5.1). None where
    /// neither says.
    fn granted_scope(&self, x: &Exchange) -> Option<Value> {
        if let Some(told) = x.member("scope") {
            return Some(told.clone());
        }
        if x.endpoint != Endpoint::Token {
            return None;
        }
        // What was refused grants nothing.
        if !x.granted() {
            return (!x.hands_out_a_token()).then(|| Value::from(""));
        }
        let issued = || {
            let code = x.param("code")?;
            let issued = self.record.iter().find(|y| y.code_issued().as_deref() == Some(code))?;
            authorization_of(self.record, issued)?.param("scope")
        };
        x.param("scope").or_else(issued).map(Value::from)
    }

    fn scope(&self, how: ScopeMatch, wanted: &[String], x: &Exchange) -> Option<Miss> {
        let words = match how {
            ScopeMatch::Includes => "scope that includes",
            ScopeMatch::Excludes => "scope without",
            ScopeMatch::Equals => "scope of exactly",
        };
        let expected = format!("{words} {}", wanted.join(" "));
        let Some(scope) = self.granted_scope(x) else {
            let observed = "the answer has no scope";
            return Some(match how {
                ScopeMatch::Excludes => {
                    Miss::unproved(expected, format!("{observed}, and none was asked for"))
                }
                _ => Miss::new(expected, observed),
            });
        };
        let Some(text) = scope.as_str() else {
            return Some(Miss::new(expected, format!("scope is {scope}, which is no text")));
        };
        let told = if x.member("scope").is_some() { "scope is" } else { "no scope, which stands for" };
        // RFC 6749 §3.3.
        let legal = |byte: u8| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !text.bytes().all(legal) {
            let observed = format!("{told} `{text}`, which holds a character that no scope may have");
            return Some(Miss::new(expected, observed));
        }
        let granted: BTreeSet<&str> = text.split(' ').filter(|value| !value.is_empty()).collect();
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        let holds = match how {
            ScopeMatch::Includes => wanted.is_subset(&granted),
            ScopeMatch::Excludes => wanted.is_disjoint(&granted),
            ScopeMatch::Equals => wanted == granted,
        };
        let observed = format!("{told} `{text}`");
        if !holds {
            return Some(Miss::new(expected, observed));
        }
        // A comma belongs to a value. Who puts it between values may mean more of them.
        let hidden =
            granted.iter().any(|value| value.contains(',') && value.split(',').any(|v| wanted.contains(v)));
        (how == ScopeMatch::Excludes && hidden).then(|| Miss::unproved(expected, observed))
    }

    fn matches(&self, matcher: &Matcher, value: Option<&Value>) -> bool {
        self.compares(matcher, value, false)
    }

    /// Whether a value is like that; `any_case` where letter case says nothing in it.
    fn compares(&self, matcher: &Matcher, value: Option<&Value>, any_case: bool) -> bool {
        Comparing { fill: self.value, any_case }.holds(matcher, value)
    }

    fn words(&self, matcher: &Matcher) -> String {
        words(self.value, matcher)
    }
}

fn speaks_of_status(items: &[Item]) -> bool {
    items.iter().any(|item| match &item.kind {
        ItemKind::Status(..) => true,
        kind if kind.is_refusal() => true,
        // That there is no error is no more than success says.
        ItemKind::Error(matcher) => !matches!(matcher, Matcher::Absent),
        ItemKind::Redirect(name, matcher) => name == "error" && !matches!(matcher, Matcher::Absent),
        ItemKind::Body(name, matcher) => name == "active" && !matches!(matcher, Matcher::Absent),
        _ => false,
    })
}

fn refusal_words(refusal: Refusal) -> String {
    let any = |list: &[&str]| list.join(" or ");
    let status = |list: &[u16]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    match refusal {
        Refusal::Error { status: s, error, description } => {
            let described =
                if description.is_empty() { String::new() } else { format!(": {}", any(description)) };
            format!("{} {}{described}", status(s), any(error))
        }
        Refusal::Redirected { error, .. } => format!("redirect with {}", any(error)),
        Refusal::Shown { error: [] } => "shown on the spot".into(),
        Refusal::Shown { error } => format!("shown on the spot, {}", any(error)),
        Refusal::ShownOrRedirected { error } => format!("shown or redirected, {}", any(error)),
        Refusal::Resource { status: s, holds: [] } => status(s),
        Refusal::Resource { status: s, holds } => format!("{} {}", status(s), any(holds)),
        Refusal::Inactive => "200 with active: false".into(),
    }
}

/// How often each outcome came, most frequent first.
fn summary(answers: &[&Exchange]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for x in answers {
        let outcome = x.outcome();
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, n)) => *n += 1,
            None => counts.push((outcome, 1)),
        }
    }
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts.iter().map(|(outcome, n)| format!("{n}x {outcome}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;
    use crate::suite::read_suite;
    use crate::transcript::{Transcript, script};

    /// What comes of a step's expectations: nothing, or the heaviest finding.
    fn comes_to(step: &str, expect: &str, t: &Transcript) -> Option<(Verdict, Level)> {
        let source = format!(
            "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps: [{{ do: {step}, with: {{ params: {{ x: y }} }}, expect: {expect} }}]\n"
        );
        let suite = read_suite(&Text::new("s.yaml", source), "s").unwrap();
        let step = suite.scenarios[0].steps.last().unwrap();
        let judge = Judge {
            profile: Profile::Rfc,
            text: &suite.scenarios[0].text,
            value: &|_| None,
            keys: None,
            action: &step.action,
            subject: &t.subject,
            record: &t.exchanges,
            truncated: false,
        };
        let endpoint = t.exchanges.last().unwrap().endpoint;
        let answers: Vec<&Exchange> = t.exchanges.iter().filter(|x| x.endpoint == endpoint).collect();
        let findings = judge.judge(step.expect.as_ref(), step.span, &answers);
        findings.iter().map(|finding| (finding.verdict, finding.level)).max()
    }

    const FAIL: Option<(Verdict, Level)> = Some((Verdict::Fail, Level::Must));
    const WARN: Option<(Verdict, Level)> = Some((Verdict::Fail, Level::Should));
    const UNPROVED: Option<(Verdict, Level)> = Some((Verdict::Inconclusive, Level::Must));

    fn authorized(expect: &str, answer: &str) -> Option<(Verdict, Level)> {
        let request =
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://rogue.test/cb\n";
        comes_to("authorize", expect, &script::read(&format!("{request}{answer}\n")))
    }

    fn granted(expect: &str, answer: &str) -> Option<(Verdict, Level)> {
        let request = "> POST token grant_type=client_credentials&scope=api\n";
        comes_to("client-credentials", expect, &script::read(&format!("{request}< {answer}\n")))
    }

    #[test]
    fn a_code_that_leaves_without_a_redirect_is_no_refusal() {
        for expect in
            ["{ refused: redirect-uri-mismatch }", "{ status: 4xx }", "{ redirect: { code: absent } }"]
        {
            for way in [
                "< 400 <meta http-equiv=refresh content='0;url=https://rogue.test/cb?code=C'>",
                "< 400 <p>\n< Refresh: 0;url=https://rogue.test/cb?code=C",
                "< 400 <form action=https://rogue.test/cb><input name=code value=C></form>",
                "< 400\n< Location: https://rogue.test/cb?code=C",
                // The page that asked comes first.
                "< 200 <form>\n> POST page pw=x\n< 400 <form action=https://rogue.test/cb><input name=code value=C></form>",
            ] {
                assert_eq!(authorized(expect, way), FAIL, "{expect} {way}");
            }
        }
        let refused = "{ refused: redirect-uri-mismatch }";
        let error = "< 200 <meta http-equiv=refresh content='0;url=https://rogue.test/cb?error=x'>";
        assert_eq!(authorized(refused, error), FAIL);
        let waits = "< 400 <form action=https://rogue.test/cb><button>continue to rogue.test</button></form>";
        assert_eq!(authorized(refused, waits), UNPROVED);
        assert_eq!(authorized(refused, "< 400 <p>https://rogue.test/cb is not registered</p>"), None);
    }

    #[test]
    fn who_has_no_time_refuses_nothing() {
        for refused in ["redirect-uri-mismatch", "user-not-admitted", "invalid-scope"] {
            for answer in ["< 429 <h1>later</h1>", "< 503"] {
                assert_eq!(
                    authorized(&format!("{{ refused: {refused} }}"), answer),
                    UNPROVED,
                    "{refused} {answer}"
                );
            }
        }
        assert_eq!(granted("{ refused: unknown-client }", "429"), UNPROVED);
        assert_eq!(granted("{ refused: login-rate-exceeded }", "429 {\"error\":\"slow_down\"}"), None);
    }

    #[test]
    fn a_token_beside_an_error_is_no_refusal() {
        for expect in
            ["{ refused: client-authentication-failed }", "{ status: 4xx }", "{ error: invalid_client }"]
        {
            let both = "400 {\"error\":\"invalid_client\",\"access_token\":\"A\"}";
            assert_eq!(granted(expect, both), FAIL, "{expect}");
            assert_eq!(granted(expect, "400 {\"error\":\"invalid_client\"}"), None, "{expect}");
        }
        let refused = "{ refused: client-authentication-failed }";
        for answer in [
            "200 [{\"access_token\":\"A\"}]",
            "200 {\"data\":{\"access_token\":\"A\"}}",
            "200 \u{feff}{\"access_token\":\"A\"}",
            "302\n< Location: https://client.example/callback#access_token=A",
            "200 {\"ok\":true}",
            "204",
        ] {
            assert_eq!(granted(refused, answer), FAIL, "{answer}");
        }
        assert_eq!(granted(refused, "200 {\"error\":\"invalid_client\"}"), WARN);
    }

    #[test]
    fn what_must_not_be_present_is_absent() {
        let redirect = "{ redirect: { error: { not: present } } }";
        assert_eq!(authorized(redirect, "< 400"), FAIL);
        assert_eq!(authorized(redirect, "< 302\n< Location: https://rogue.test/cb?code=C"), None);
        assert_eq!(
            granted("{ body: { refresh_token: { not: absent } } }", "200 {\"access_token\":\"A\"}"),
            FAIL
        );
    }

    fn scope(how: &str, told: &str) -> Option<(Verdict, Level)> {
        granted(&format!("{{ scope: {{ {how} }} }}"), &format!("200 {{\"access_token\":\"A\"{told}}}"))
    }

    #[test]
    fn a_scope_is_a_set_of_values_between_spaces() {
        for told in ["api  openid", "openid api openid", " openid api "] {
            assert_eq!(scope("equals: [api, openid]", &format!(",\"scope\":\"{told}\"")), None, "{told}");
        }
        assert_eq!(scope("equals: [api]", ",\"scope\":\"api openid\""), FAIL);
        assert_eq!(scope("excludes: [full]", ",\"scope\":\"api full\""), FAIL);
        assert_eq!(scope("excludes: [full]", ",\"scope\":\"api\""), None);
        assert_eq!(scope("includes: [api]", ",\"scope\":\"api,full\""), FAIL);
        assert_eq!(scope("excludes: [full]", ",\"scope\":\"api,full\""), UNPROVED);
        assert_eq!(scope("excludes: [full]", ",\"scope\":\"api,web\""), None);
        for told in ["[\"api\",\"full\"]", "null", "7", "\"api\\tfull\"", "\"a\\\\pi\"", "\"äpi\""] {
            assert_eq!(scope("excludes: [full]", &format!(",\"scope\":{told}")), FAIL, "{told}");
        }
    }

    #[test]
    fn a_scope_that_is_not_told_is_the_one_that_was_asked_for() {
        assert_eq!(scope("includes: [api]", ""), None);
        assert_eq!(scope("equals: [api, full]", ""), FAIL);
        assert_eq!(scope("excludes: [api]", ""), FAIL);
        assert_eq!(scope("excludes: [full]", ""), None);
        let refused = "{ status: [200, 400], scope: { excludes: [api] } }";
        assert_eq!(granted(refused, "400 {\"error\":\"invalid_scope\"}"), None);
        let redeemed = |asked: &str, expect: &str| {
            let t = script::read(&format!(
                "> GET authorize client_id=main&redirect_uri=https://client.example/callback{asked}\n\
                 < 302\n< Location: https://client.example/callback?code=C\n\
                 > POST token grant_type=authorization_code&code=C\n< 200 {{\"access_token\":\"A\"}}\n"
            ));
            comes_to("authorize }, { do: redeem", &format!("{{ scope: {{ {expect} }} }}"), &t)
        };
        assert_eq!(redeemed("&scope=api%20full", "excludes: [full]"), FAIL);
        assert_eq!(redeemed("&scope=api%20full", "includes: [full]"), None);
        assert_eq!(redeemed("", "excludes: [full]"), UNPROVED);
        assert_eq!(redeemed("", "includes: [api]"), FAIL);
    }

    #[test]
    fn a_media_type_has_no_letter_case() {
        let answer = "200 {\"access_token\":\"A\"}\n< Content-Type: Application/JSON\n< X-Kind: JSON";
        for matcher in [
            "{ contains: json }",
            "application/json",
            "{ equals: application/json }",
            "[text/html, application/json]",
        ] {
            assert_eq!(
                granted(&format!("{{ headers: {{ content-type: {matcher} }} }}"), answer),
                None,
                "{matcher}"
            );
        }
        assert_eq!(granted("{ headers: { content-type: { not: application/json } } }", answer), FAIL);
        assert_eq!(granted("{ headers: { content-type: { contains: html } } }", answer), FAIL);
        assert_eq!(granted("{ headers: { x-kind: json } }", answer), FAIL);
    }

    #[test]
    fn numbers_that_are_equal_are_equal() {
        let answer = |number: &str| format!("200 {{\"access_token\":\"A\",\"expires_in\":{number}}}");
        for expect in ["3600", "[60, 3600]", "{ type: integer }", "{ not: 60 }"] {
            let expect = format!("{{ body: {{ expires_in: {expect} }} }}");
            for number in ["3600", "3600.0", "3.6e3"] {
                assert_eq!(granted(&expect, &answer(number)), None, "{expect} {number}");
            }
        }
        assert_eq!(granted("{ body: { expires_in: 3600 } }", &answer("3600.5")), FAIL);
        assert_eq!(granted("{ body: { expires_in: { type: integer } } }", &answer("3600.5")), FAIL);
    }

    #[test]
    fn what_was_not_reached_is_not_counted() {
        let race = |reached: usize, expect: &str| {
            let one = "> POST token grant_type=client_credentials\n< 200 {\"access_token\":\"A\"}\n";
            let mut t = script::read(&one.repeat(3));
            for x in t.exchanges.iter_mut().skip(reached) {
                x.answer = Answer::Nothing(Failure::Unreachable("refused".into()));
            }
            comes_to("client-credentials, times: 3", expect, &t)
        };
        for expect in [
            "{ exactly: { 3: { status: 200 } } }",
            "{ at_least: { 2: { status: 200 } } }",
            "{ at_most: { 2: { status: 200 } } }",
        ] {
            assert_eq!(race(0, expect), UNPROVED, "{expect}");
            assert_eq!(race(1, expect), UNPROVED, "{expect}");
        }
        assert_eq!(race(3, "{ exactly: { 3: { status: 200 } } }"), None);
        assert_eq!(race(2, "{ exactly: { 1: { status: 200 } }, others: { status: 400 } }"), FAIL);
        assert_eq!(race(1, "{ at_least: { 2: { status: 400 } }, others: { status: 200 } }"), UNPROVED);
    }
}
