//! What comes back to the client: the code, the error, the state, and the query of its redirect URI.

use super::{End, Journey, journeys};
use crate::catalog::Judgement;
use crate::oauth::{Endpoint, Params};
use crate::transcript::questions::same_step;
use crate::transcript::{Exchange, Transcript};

/// Parameters of an authorization request that somebody defines: RFC 6749, 7636, 8707, 9101, 9396, 9449, OpenID
/// Connect Core, and Salesforce. Any other is unknown.
const KNOWN: &str = "response_type client_id redirect_uri scope state code_challenge code_challenge_method \
    response_mode nonce display prompt max_age ui_locales claims_locales id_token_hint login_hint acr_values claims \
    registration request request_uri resource audience authorization_details dpop_jkt immediate sso_provider device_id \
    startURL format";

/// Response types, word by word, that some server knows.
const RESPONSE_TYPES: &[&str] =
    &["code", "token", "id_token", "none", "hybrid_token", "device_code", "code_credentials"];

/// Words by which a form or a link says no.
const NO: &[&str] = &["deny", "denied", "cancel", "reject", "decline", "abort", "refuse", "disallow"];

/// Words by which a form says yes.
const YES: &[&str] = &["allow", "approve", "accept", "authorize", "continue", "yes"];

pub(super) fn code_is_in_the_query(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let (Some(landing), Some(uri)) = (&journey.landing, journey.registered_uri(t)) else { continue };
        let mode = journey.values("response_mode").all(|mode| mode == "query");
        if journey.one("response_type") != Some("code") || !mode || journey.end != End::Code {
            continue;
        }
        let expected = format!("a redirect to {uri} with the code in its query");
        let place = uri.split('?').next().unwrap_or(uri);
        if landing.query.get("code").is_none() {
            let elsewhere = match landing.fields.get("code") {
                Some(_) => "a form carries it",
                None => "the redirect carries it in the fragment",
            };
            j.fail(&journey.evidence(), expected, elsewhere);
        } else if landing.fragment.get("code").is_some() {
            j.fail(&journey.evidence(), expected, "the redirect carries it in the fragment as well");
        } else if !landing.is_at(place) {
            j.fail(&journey.evidence(), expected, journey.last.outcome());
        } else {
            j.pass();
        }
    }
    j
}

pub(super) fn state_comes_back_unchanged(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t).filter(|journey| journey.end == End::Code) {
        let Some(state) = journey.one("state") else { continue };
        let returned = journey.state_returned();
        // RFC 6749 appendix A.5: printable ASCII. What else is sent may come back in any form.
        let legal = state.bytes().all(|b| (0x20..=0x7e).contains(&b));
        if returned == [state] {
            j.pass();
        } else if legal && !journey.state_is_of_the_uri() {
            j.fail(&journey.evidence(), format!("state={state}"), said(&returned));
        }
    }
    j
}

pub(super) fn no_state_is_invented(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let answered = matches!(journey.end, End::Code | End::Error(_));
        if !answered || journey.values("state").next().is_some() || journey.state_is_of_the_uri() {
            continue;
        }
        match journey.state_returned()[..] {
            [] => j.pass(),
            ref returned => j.fail(&journey.evidence(), "no state: the request had none", said(returned)),
        }
    }
    j
}

pub(super) fn registered_query_is_kept(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let (Some(landing), Some(uri)) = (&journey.landing, journey.registered_uri(t)) else { continue };
        let Some((place, query)) = uri.split_once('?').filter(|(_, query)| !query.is_empty()) else {
            continue;
        };
        let expected = format!("a redirect to {uri} with the code appended by an ampersand");
        if landing.location.strip_prefix(uri).is_some_and(|rest| rest.starts_with('?')) {
            let observed = "the response was appended by a second question mark";
            j.fail(&journey.evidence(), expected, observed);
        } else if landing.query.get("code").is_some() && landing.is_at(place) {
            let known = Params::read_lossy(query);
            let mut pairs: Vec<_> = known.iter().collect();
            let mut kept: Vec<_> = landing.query.iter().filter(|pair| pairs.contains(pair)).collect();
            pairs.sort_unstable();
            kept.sort_unstable();
            if kept == pairs {
                j.pass();
            } else {
                j.fail(&journey.evidence(), expected, format!("its query {query} did not come back once"));
            }
        }
    }
    j
}

pub(super) fn unknown_response_type_is_refused(t: &Transcript) -> Judgement {
    const ERROR: &str = "unsupported_response_type";
    let mut j = Judgement::new();
    let expected = "a refusal with unsupported_response_type, and the state";
    for journey in journeys(t) {
        let unknown = journey.one("response_type").is_some_and(|kind| {
            kind.split(' ').any(|word| !word.is_empty() && !RESPONSE_TYPES.contains(&word))
        });
        let accepted = journey.end == End::Code;
        if !unknown || !journey.refused(&mut j, t, accepted, &["response_type"], expected) {
            continue;
        }
        if let Some(observed) = journey.state_lost() {
            j.fail(&journey.evidence(), expected, observed);
        } else if journey.names(ERROR) {
            j.pass();
        } else {
            j.fail_lesser(&journey.evidence(), expected, journey.last.outcome());
        }
    }
    j
}

pub(super) fn unknown_parameter_is_ignored(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for journey in journeys(t) {
        let pairs = journey.request.request.query().iter().chain(journey.request.request.form().iter());
        let unknown: Vec<_> = pairs
            .map(|(name, _)| name)
            .filter(|name| !KNOWN.split(' ').any(|known| known == *name))
            .collect();
        let sound = journey.registered_uri(t).is_some()
            && journey.one("response_type") == Some("code")
            && ["prompt", "immediate"].iter().all(|name| !matches!(journey.one(name), Some("none" | "true")));
        if unknown.is_empty() || !sound || journey.said_no(t).is_some() {
            continue;
        }
        let expected = format!("a code, as without {}", unknown.join(", "));
        let control = journey.was_granted_but_for(t, &unknown);
        match journey.end {
            End::Code => j.pass(),
            End::Silent => {}
            End::Error(_) | End::Empty | End::Shown if control => {
                j.fail(&journey.evidence(), expected, journey.last.outcome());
            }
            _ => j.unproved(&journey.evidence(), expected, journey.last.outcome()),
        }
    }
    j
}

pub(super) fn denial_is_told(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a redirect to the client with access_denied and the state";
    for journey in journeys(t) {
        let Some(no) = journey.said_no(t) else { continue };
        let mut evidence = vec![journey.request, no, journey.last];
        evidence.dedup_by_key(|x| x.number);
        match &journey.end {
            End::Silent => {}
            End::Open => j.unproved(&evidence, expected, journey.last.outcome()),
            End::Code | End::Empty | End::Shown => j.fail(&evidence, expected, journey.last.outcome()),
            End::Error(error) => {
                if let Some(observed) = journey.state_lost() {
                    j.fail(&evidence, expected, observed);
                } else if error != "access_denied" {
                    j.fail_lesser(&evidence, expected, journey.last.outcome());
                } else if journey.was_granted_but_for(t, &["prompt"]) {
                    j.pass();
                } else {
                    let observed =
                        "access was denied, but the same request was not seen to end in a code when allowed";
                    j.unproved(&evidence, expected, observed);
                }
            }
        }
    }
    j
}

impl Journey<'_> {
    fn state_returned(&self) -> Vec<&str> {
        self.landing.as_ref().map(|landing| landing.all("state")).unwrap_or_default()
    }

    /// Whether the redirect URI itself has a parameter of that name: then nobody can tell whose it is.
    fn state_is_of_the_uri(&self) -> bool {
        self.values("redirect_uri").any(|uri| {
            uri.split_once('?').is_some_and(|(_, query)| Params::read_lossy(query).get("state").is_some())
        })
    }

    /// What the client was told in place of its state, where it was told an error without it.
    pub(super) fn state_lost(&self) -> Option<String> {
        let state = self.one("state").filter(|state| state.bytes().all(|b| (0x20..=0x7e).contains(&b)))?;
        let told = matches!(self.end, End::Error(_)) && !self.state_is_of_the_uri();
        let returned = self.state_returned();
        (told && returned != [state]).then(|| format!("{}, with {}", self.last.outcome(), said(&returned)))
    }

    /// The exchange by which the user refused: a form that was sent with a word of refusal, or a link that is one,
    /// or a step that says so itself.
    fn said_no<'t>(&self, t: &'t Transcript) -> Option<&'t Exchange> {
        let request = &t.exchanges[self.request.number];
        let pages = t
            .after(request)
            .take_while(|x| x.endpoint != Endpoint::Authorize)
            .filter(|x| x.endpoint == Endpoint::Page && same_step(x, request));
        std::iter::once(request).chain(pages).find(|x| {
            let tweak = x.tweak.as_deref().unwrap_or("").to_ascii_lowercase();
            let says_so = ["deny", "denies", "denied", "says no"].iter().any(|word| tweak.contains(word));
            let is_no = || x.facts.denies || form_says_no(x) || link_says_no(x);
            says_so || x.endpoint == Endpoint::Page && is_no()
        })
    }
}

fn form_says_no(x: &Exchange) -> bool {
    let is = |words: &[&str], text: &str| words.contains(&text.trim().to_ascii_lowercase().as_str());
    let form = x.request.form();
    form.iter().any(|(name, value)| is(NO, value) || !value.is_empty() && is(NO, name))
        && !form.iter().any(|(_, value)| is(YES, value))
}

fn link_says_no(x: &Exchange) -> bool {
    x.request.path().rsplit('/').next().is_some_and(|last| NO.contains(&last.to_ascii_lowercase().as_str()))
}

/// The states that came back, in words.
fn said(returned: &[&str]) -> String {
    match returned {
        [] => "no state".to_owned(),
        returned => returned.iter().map(|state| format!("state={state}")).collect::<Vec<_>>().join(" and "),
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::{Judged, find, judge_one};
    use crate::transcript::{Redactor, Transcript, read, script, write};
    use crate::verdict::{Level, Verdict};

    const REQUEST: &str = "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=s\n";
    const CONTROL: &str = "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=s1\n\
        < 302\n< Location: https://client.example/callback?code=C1&state=s1\n";

    fn judged(check: &str, t: &Transcript) -> Judged {
        judge_one(find(check).unwrap(), t)
    }

    #[track_caller]
    fn comes_to(check: &str, script: &str, verdict: Verdict) {
        let judged = judged(check, &script::read(script));
        assert_eq!(judged.verdict, verdict, "{:?}", judged.findings);
    }

    #[test]
    fn a_fragment_is_right_where_it_was_asked_for_and_harmless_without_a_code() {
        let id = "authorize/code-is-in-the-query";
        let asked = REQUEST.replace("state=s", "state=s&response_mode=fragment");
        comes_to(
            id,
            &format!("{asked}< 302\n< Location: https://client.example/callback#code=C"),
            Verdict::Skip,
        );
        comes_to(
            id,
            &format!("{REQUEST}< 302\n< Location: https://client.example/callback?code=C#_"),
            Verdict::Pass,
        );
        comes_to(id, &format!("{REQUEST}< 302\n< Location: https://client.example/?code=C"), Verdict::Fail);
    }

    #[test]
    fn a_state_is_compared_decoded_and_only_where_it_is_legal() {
        let id = "authorize/state-comes-back-unchanged";
        let with = |sent: &str, returned: &str| {
            format!(
                "{}< 302\n< Location: https://client.example/callback?code=C&state={returned}",
                REQUEST.replace("state=s", &format!("state={sent}"))
            )
        };
        comes_to(id, &with("a+b%26c", "a%20b%26c"), Verdict::Pass);
        comes_to(id, &with("a%2Bb", "a+b"), Verdict::Fail);
        comes_to(id, &with("x", "x&state=x"), Verdict::Fail);
        comes_to(id, &with("%C3%A9", "%3F"), Verdict::Skip);
        comes_to(id, &with("%C3%A9", "%C3%A9"), Verdict::Pass);
        let error = format!("{REQUEST}< 302\n< Location: https://client.example/callback?error=x");
        comes_to(id, &error, Verdict::Skip);
    }

    #[test]
    fn an_empty_state_counts_as_one_that_nobody_sent() {
        let id = "authorize/no-state-is-invented";
        let bare = REQUEST.replace("&state=s", "");
        comes_to(
            id,
            &format!("{bare}< 302\n< Location: https://client.example/callback?error=x&state="),
            Verdict::Fail,
        );
        comes_to(id, &format!("{bare}< 400 error=x&state=y"), Verdict::Skip);
    }

    #[test]
    fn a_second_question_mark_and_a_repeated_query_are_seen() {
        let id = "authorize/registered-query-is-kept";
        let request = REQUEST.replace("/callback", "/callback%3Ftenant%3Da");
        let at = |rest: &str| format!("{request}< 302\n< Location: https://client.example/callback{rest}");
        comes_to(id, &at("?tenant=a?code=C&state=s"), Verdict::Fail);
        comes_to(id, &at("?tenant=a&tenant=a&code=C"), Verdict::Fail);
        comes_to(id, &at("?code=C&tenant=a&state=s"), Verdict::Pass);
        comes_to(id, &at("?error=access_denied"), Verdict::Skip);
    }

    #[test]
    fn a_refused_response_type_may_be_shown_but_should_be_named() {
        let id = "authorize/unknown-response-type-is-refused";
        let request = REQUEST.replace("=code&", "=bogus&");
        let named = "< 400 error=unsupported_response_type&error_description=x";
        comes_to(id, &format!("{CONTROL}{request}{named}"), Verdict::Pass);
        comes_to(id, &format!("{request}{named}"), Verdict::Inconclusive);
        for answer in [
            "< 400 <h1>oops</h1>",
            "< 302\n< Location: https://client.example/callback?error=invalid_request&state=s",
        ] {
            let judged = judged(id, &script::read(&format!("{CONTROL}{request}{answer}")));
            assert_eq!(
                (judged.verdict, judged.findings[0].level),
                (Verdict::Fail, Level::Should),
                "{answer}"
            );
        }
        let stateless = "< 302\n< Location: https://client.example/callback?error=unsupported_response_type";
        let judged = judged(id, &script::read(&format!("{CONTROL}{request}{stateless}")));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Must));
    }

    #[test]
    fn a_response_type_that_exists_elsewhere_is_not_unknown() {
        let id = "authorize/unknown-response-type-is-refused";
        let request = REQUEST.replace("=code&", "=code+id_token&");
        comes_to(
            id,
            &format!("{request}< 302\n< Location: https://client.example/callback#code=C"),
            Verdict::Skip,
        );
    }

    #[test]
    fn an_unknown_parameter_is_to_blame_only_where_it_is_the_difference() {
        let id = "authorize/unknown-parameter-is-ignored";
        let request = REQUEST.replace("state=s", "state=s&extra=1");
        let refused = "< 302\n< Location: https://client.example/callback?error=invalid_scope&state=s";
        comes_to(id, &format!("{request}{refused}"), Verdict::Inconclusive);
        let other = request.replace("extra=1", "extra=1&scope=bogus");
        comes_to(id, &format!("{CONTROL}{other}{refused}"), Verdict::Inconclusive);
        comes_to(id, &format!("{CONTROL}{request}{refused}"), Verdict::Fail);
        let silent = format!("{CONTROL}{request}{refused}").replace("&extra", "&prompt=none&extra");
        comes_to(id, &silent, Verdict::Skip);
        let denied = format!("{request}! tweak the user denies\n{refused}");
        comes_to(id, &format!("{CONTROL}{denied}"), Verdict::Skip);
        let rogue = request.replace("https://client", "https://rogue");
        comes_to(id, &format!("{CONTROL}{rogue}< 400"), Verdict::Skip);
    }

    #[test]
    fn a_recording_is_judged_like_the_run() {
        for check in crate::catalog::authorize::CHECKS {
            for script in [check.passes, check.fails] {
                let live = script::read(script);
                let loaded = read(&write(&live, &mut Redactor::new([3; 32]))).unwrap();
                let verdicts = [live, loaded].map(|t| judge_one(check, &t).verdict);
                assert_eq!(verdicts[0], verdicts[1], "{}", check.id);
            }
        }
    }

    /// A script in which every page belongs to the step of the authorization before it.
    fn walked(text: &str) -> Transcript {
        let mut t = script::read(text);
        for i in 1..t.exchanges.len() {
            if t.exchanges[i].endpoint == crate::oauth::Endpoint::Page {
                t.exchanges[i].step = t.exchanges[i - 1].step;
            }
        }
        t
    }

    #[test]
    fn a_denial_is_recognised_by_the_form_or_the_link() {
        let id = "authorize/denial-is-told";
        let told = "< 302\n< Location: https://client.example/callback?error=access_denied&state=s\n";
        let pages = |no: &str| format!("{CONTROL}{REQUEST}< 302\n< Location: /approve\n{no}\n{told}");
        for no in ["> POST page csrf=0123&cancel=+Deny+", "> POST page choice=reject", "> POST page deny=1"] {
            assert_eq!(judged(id, &walked(&pages(no))).verdict, Verdict::Pass, "{no}");
        }
        // In whatever language, where the target declares how the user says no.
        let mut declared = walked(&pages("> POST page ok=nein"));
        assert_eq!(judged(id, &declared).verdict, Verdict::Skip);
        declared.exchanges[2].facts.denies = true;
        assert_eq!(judged(id, &declared).verdict, Verdict::Pass);
        let mut link = walked(&pages("> GET page"));
        assert_eq!(judged(id, &link).verdict, Verdict::Skip, "a page is no denial");
        let request = &link.exchanges[2].request;
        link.exchanges[2].request = crate::transcript::Request::new(
            "GET",
            "https://org.example/interaction/x/abort",
            request.headers.clone(),
            String::new(),
        );
        assert_eq!(judged(id, &link).verdict, Verdict::Pass);
        for yes in ["> POST page save=Allow&cancel=", "> POST page save=+Allow+&cancel=Deny"] {
            assert_eq!(judged(id, &walked(&pages(yes))).verdict, Verdict::Skip, "{yes}");
        }
    }

    #[test]
    fn a_denial_that_is_not_told_as_one_fails() {
        let id = "authorize/denial-is-told";
        let denied = format!("{REQUEST}< 302\n< Location: /approve\n> POST page cancel=Deny\n");
        let came = |answer: &str| judged(id, &walked(&format!("{CONTROL}{denied}{answer}")));
        let at = "< 302\n< Location: https://client.example/callback";
        assert_eq!(came(&format!("{at}?code=C2&state=s")).findings[0].level, Level::Must);
        assert_eq!(came(&format!("{at}?error=access_denied")).findings[0].level, Level::Must);
        assert_eq!(came(&format!("{at}?error=access-denied&state=s")).findings[0].level, Level::Should);
        assert_eq!(came("< 200 <p>denied</p>").verdict, Verdict::Fail);
        let alone = walked(&format!("{denied}{at}?error=access_denied&state=s"));
        assert_eq!(judged(id, &alone).verdict, Verdict::Inconclusive);
    }
}
