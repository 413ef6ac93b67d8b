//! Judging a step's expectations on the exchange that answers it. Pure.

use serde_json::Value;

use crate::client::Action;
use crate::oauth::Endpoint;
use crate::oauth::jwt::Jwt;
use crate::oauth::salesforce::{Profile, Refusal};
use crate::suite::{Count, CountOf, Expect, Item, ItemKind, JsonType, Matcher, ScopeMatch};
use crate::transcript::{Answer, Exchange, Failure, Transcript};
use crate::verdict::{Finding, Level, Verdict};

/// What expectations are judged with.
pub(super) struct Judge<'j> {
    pub(super) profile: Profile,
    pub(super) text: &'j crate::diagnostic::Text,
    pub(super) value: &'j dyn Fn(&str) -> Option<String>,
    /// A key set that was fetched, for `verifies`.
    pub(super) keys: Option<&'j Value>,
    pub(super) action: &'j Action,
    /// The record so far, for the end of an authorization.
    pub(super) transcript: &'j Transcript,
    pub(super) truncated: bool,
}

/// One expectation that does not hold.
struct Miss {
    expected: String,
    observed: String,
    level: Level,
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
        findings.extend(self.counts(expect, &heard));
        findings
    }

    fn own_success(&self, x: &Exchange, span: crate::diagnostic::Span) -> Option<Finding> {
        if succeeded(self.action, x) {
            return None;
        }
        let miss = Miss {
            expected: success_words(self.action).to_owned(),
            observed: self.observed(x),
            level: Level::Must,
        };
        Some(self.finding(miss, span, x))
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
        let miss = Miss { expected: "an answer".into(), observed: failure.to_string(), level: Level::Must };
        Some(Finding { verdict, ..self.finding(miss, span, x) })
    }

    fn items(&self, items: &[Item], x: &Exchange) -> Vec<Finding> {
        let misses = items.iter().filter_map(|item| self.miss(&item.kind, x).map(|miss| (miss, item.span)));
        misses.map(|(miss, span)| self.finding(miss, span, x)).collect()
    }

    fn counts(&self, expect: &Expect, answers: &[&Exchange]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut counted = vec![false; answers.len()];
        for count in &expect.counts {
            let fitting: Vec<usize> = (0..answers.len())
                .filter(|i| count.items.iter().all(|item| self.miss(&item.kind, answers[*i]).is_none()))
                .collect();
            for i in &fitting {
                counted[*i] = true;
            }
            if let Some(finding) = self.count(count, &fitting, answers) {
                findings.push(finding);
            }
        }
        for (x, _) in answers.iter().zip(&counted).filter(|(_, counted)| !**counted) {
            findings.extend(self.items(&expect.others, x));
        }
        findings
    }

    fn count(&self, count: &CountOf, fitting: &[usize], answers: &[&Exchange]) -> Option<Finding> {
        let n = u32::try_from(fitting.len()).unwrap_or(u32::MAX);
        let (holds, words) = match count.count {
            Count::Exactly(wanted) => (n == wanted, format!("exactly {wanted}")),
            Count::AtMost(wanted) => (n <= wanted, format!("at most {wanted}")),
            Count::AtLeast(wanted) => (n >= wanted, format!("at least {wanted}")),
        };
        // A race that nobody won shows nothing about how many may win.
        let nobody = n == 0 && matches!(count.count, Count::AtMost(_));
        if holds && !nobody {
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
            verdict: Verdict::Fail,
            level: miss.level,
            expected: miss.expected,
            observed: miss.observed,
            exchanges: vec![x.number],
            grave: false,
            at: Some((self.text.clone(), span)),
        }
    }

    fn observed(&self, x: &Exchange) -> String {
        format!("the org answered {}", x.outcome())
    }

    /// What does not hold of one expectation.
    fn miss(&self, kind: &ItemKind, x: &Exchange) -> Option<Miss> {
        let response = x.response()?;
        let must = |expected: String, observed: String| Some(Miss { expected, observed, level: Level::Must });
        let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let matched = |what: String, matcher: &Matcher, value: Option<&Value>| -> Option<Miss> {
            if self.matches(matcher, value) {
                return None;
            }
            must(format!("{what} {}", self.words(matcher)), format!("{what} is {}", shown(value)))
        };
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
                matched(format!("header {name}"), matcher, value.as_ref())
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
            ItemKind::Scope(how, wanted) => scope(*how, wanted, x),
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
        let accepted = (succeeded(self.action, x) || x.hands_out_a_token())
            && !matches!(refusal, Refusal::Resource { status, .. } if status.contains(&x.status()));
        let expected = format!("a refusal: {name}");
        if accepted {
            return Some(Miss { expected, observed: self.observed(x), level: Level::Must });
        }
        let error = x.error();
        let one_of = |list: &[&str], text: Option<&str>| {
            list.is_empty() || text.is_some_and(|text| list.contains(&text))
        };
        let code = error.as_ref().map(|e| e.error.as_str());
        let description = error.as_ref().and_then(|e| e.description.as_deref());
        let redirected = self.leaves(x);
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
        if fits {
            return None;
        }
        // Sending the user agent away when it must stay is an acceptance of a kind: it is what the attack needs.
        let level =
            if matches!(refusal, Refusal::Shown { .. }) && redirected { Level::Must } else { Level::Should };
        let expected = format!("a refusal: {name} ({})", refusal_words(refusal));
        Some(Miss { expected, observed: self.observed(x), level })
    }

    /// Whether an answer sends the user agent away from the server.
    fn leaves(&self, x: &Exchange) -> bool {
        use crate::transcript::questions::same_origin;
        match self.callback(x) {
            Some((base, params)) => {
                let known = self.transcript.subject.apps.values().flat_map(|app| &app.redirect_uris);
                let registered = known.into_iter().any(|uri| uri.split('?').next() == Some(base.as_str()));
                registered
                    || params.get("code").is_some()
                    || (base.contains("://") && !same_origin(&base, &x.request.url) && !self.inside(&base))
            }
            None => false,
        }
    }

    fn inside(&self, url: &str) -> bool {
        use crate::transcript::questions::same_origin;
        let endpoints = &self.transcript.subject.endpoints;
        [&endpoints.authorize, &endpoints.issuer, &endpoints.token]
            .into_iter()
            .flatten()
            .any(|known| same_origin(known, url))
    }

    fn matches(&self, matcher: &Matcher, value: Option<&Value>) -> bool {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match (matcher, value) {
            (Matcher::Absent, value) => value.is_none(),
            (Matcher::Present, value) => value.is_some(),
            // What is not there is not another value either.
            (Matcher::Not(inner), value) => {
                (value.is_some() || matches!(**inner, Matcher::Present)) && !self.matches(inner, value)
            }
            (Matcher::All(all), value) => all.iter().all(|matcher| self.matches(matcher, value)),
            (_, None) => false,
            (Matcher::EqualsText(template), Some(value)) => {
                template.fill(self.value).is_ok_and(|wanted| value.as_str() == Some(wanted.as_str()))
            }
            (Matcher::Equals(wanted), Some(value)) => same(wanted, value),
            (Matcher::OneOf(list), Some(value)) => list.iter().any(|wanted| same(wanted, value)),
            (Matcher::Matches(regex), Some(value)) => regex.is_match(&text(value)),
            (Matcher::Contains(part), Some(value)) => {
                let Ok(part) = part.fill(self.value) else { return false };
                match value {
                    Value::Array(list) => list.iter().any(|item| text(item) == part),
                    value => text(value).contains(&part),
                }
            }
            (Matcher::Type(kind), Some(value)) => has_type(*kind, value),
        }
    }

    fn words(&self, matcher: &Matcher) -> String {
        let list = |list: &[Value]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        match matcher {
            Matcher::Absent => "absent".into(),
            Matcher::Present => "present".into(),
            Matcher::EqualsText(template) => template
                .fill(self.value)
                .map_or_else(|u| format!("equal to ${{{}}}, which has no value", u.0), |t| format!("{t:?}")),
            Matcher::Equals(value) => value.to_string(),
            Matcher::OneOf(values) => list(values),
            Matcher::Matches(regex) => format!("matching {}", regex.as_str()),
            Matcher::Contains(part) => part
                .fill(self.value)
                .map_or_else(|u| format!("holding ${{{}}}", u.0), |t| format!("holding {t:?}")),
            Matcher::Type(kind) => format!("of type {}", format!("{kind:?}").to_lowercase()),
            Matcher::Not(inner) => format!("not {}", self.words(inner)),
            Matcher::All(all) => all.iter().map(|m| self.words(m)).collect::<Vec<_>>().join(" and "),
        }
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

fn scope(how: ScopeMatch, wanted: &[String], x: &Exchange) -> Option<Miss> {
    let granted: Vec<&str> = x.text("scope").map(|s| s.split(' ').collect()).unwrap_or_default();
    let has = |value: &String| granted.contains(&value.as_str());
    let (holds, words) = match how {
        ScopeMatch::Includes => (wanted.iter().all(has), "scope that includes"),
        ScopeMatch::Excludes => (!wanted.iter().any(has), "scope without"),
        ScopeMatch::Equals => (wanted.iter().all(has) && granted.len() == wanted.len(), "scope of exactly"),
    };
    if holds {
        return None;
    }
    let observed = if x.member("scope").is_some() {
        format!("scope is `{}`", granted.join(" "))
    } else {
        "the answer has no scope".into()
    };
    Some(Miss { expected: format!("{words} {}", wanted.join(" ")), observed, level: Level::Must })
}

/// A member by name, or the first node of a JSONPath.
pub(super) fn member(json: Option<&Value>, path: &str) -> Option<Value> {
    let json = json?;
    if path.starts_with('$') {
        let path = serde_json_path::JsonPath::parse(path).ok()?;
        return path.query(json).first().cloned();
    }
    json.get(path).cloned()
}

fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        // A suite writes numbers and flags bare; servers write some of them as texts, headers always.
        (Value::Number(number), Value::String(text)) => number.to_string() == *text,
        (Value::Bool(flag), Value::String(text)) => text == if *flag { "true" } else { "false" },
        _ => wanted == value,
    }
}

fn has_type(kind: JsonType, value: &Value) -> bool {
    match kind {
        JsonType::String => value.is_string(),
        JsonType::Number => value.is_number(),
        JsonType::Integer => value.is_i64() || value.is_u64(),
        JsonType::Boolean => value.is_boolean(),
        JsonType::Object => value.is_object(),
        JsonType::Array => value.is_array(),
        JsonType::Null => value.is_null(),
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
