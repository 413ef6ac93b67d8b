//! What several families of client checks ask of a record of what a client did.

use super::Judgement;
use super::resource::{calls, ended, let_in, presented};
use crate::oauth::Endpoint;
use crate::oauth::grant::{client_credentials, jwt_bearer, saml_bearer};
use crate::oauth::salesforce::Profile;
use crate::transcript::questions::{base, origin};
use crate::transcript::{Exchange, Transcript};

/// Whether the client is a Named Credential that is set up to renew on that status.
pub(super) fn is_listed(t: &Transcript, x: &Exchange) -> bool {
    let credential = t.subject.named_credential.as_ref();
    credential.is_some_and(|credential| credential.renew_on.contains(&x.status()))
}

/// Within how long of its cause something follows that follows from it, in milliseconds.
pub(super) const PROMPT: i64 = 1000;

/// For how long the same attempt may be one and the same program's, in milliseconds.
const WHILE: i64 = 60_000;

/// Every token request of a server-to-server flow: the client has all that it takes to ask.
pub(super) fn server_requests(t: &Transcript) -> impl Iterator<Item = &Exchange> {
    t.at(Endpoint::Token).filter(|x| is_server_request(x))
}

/// Whether it is one of those.
pub(super) fn is_server_request(x: &Exchange) -> bool {
    x.grant_type() == Some(client_credentials::GRANT_TYPE) || is_bearer_request(x)
}

/// Whether an assertion is presented for a grant.
pub(super) fn is_bearer_request(x: &Exchange) -> bool {
    matches!(x.grant_type(), Some(jwt_bearer::GRANT_TYPE | saml_bearer::GRANT_TYPE))
}

/// What a server-to-server request asks for: kind, client and subject; none where the record does not say.
pub(super) fn asked_for(x: &Exchange) -> Option<(&str, &str, &str)> {
    let subject = match is_bearer_request(x) {
        true => x.facts.assertion.as_ref()?.claims.get("sub")?.as_str()?,
        false => "",
    };
    Some((x.grant_type().filter(|_| is_server_request(x))?, x.client_id()?, subject))
}

/// Whether two exchanges are of the same client, as far as they say.
pub(super) fn same_client(a: &Exchange, b: &Exchange) -> bool {
    a.client_id().zip(b.client_id()).is_none_or(|(a, b)| a == b)
}

/// Every call that presents the access token of that answer, and was begun when it had come.
pub(super) fn uses<'t>(t: &'t Transcript, answer: &'t Exchange) -> impl Iterator<Item = &'t Exchange> {
    let token = answer.text("access_token");
    t.after(answer).filter(move |x| x.began_after(answer) && token.is_some() && presented(x) == token)
}

/// Whether a text of a request holds this value: in its URL, a header, or its body.
pub(super) fn holds(x: &Exchange, value: &str) -> bool {
    let header = |(_, text): &(String, String)| text.contains(value);
    let request = &x.request;
    let params = || request.form().iter().chain(request.query().iter());
    let said = request.url.contains(value)
        || request.body.contains(value)
        || request.headers.iter().any(header)
        || params().any(|(_, text)| text == value);
    !value.is_empty() && said
}

/// Requests for the same thing that began when a refusal had come.
pub(super) fn again<'t>(
    t: &'t Transcript,
    refused: &'t Exchange,
    same: impl Fn(&Exchange) -> bool,
) -> Vec<&'t Exchange> {
    // One that is started again, or another process, does its own work.
    let others = usize::try_from(t.processes()).unwrap_or(1).saturating_sub(1);
    let again = |y: &&Exchange| y.began_after(refused) && y.same_start(refused) && same(y);
    t.after(refused).filter(again).skip(others).collect()
}

/// Whether a client has no reason to refuse the tokens of an answer: an access token in which there is something, no error
/// beside it, no type that it does not know, no strange host.
pub(super) fn is_sound(x: &Exchange) -> bool {
    let known = x.text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let empty = x.text("access_token").is_none_or(str::is_empty);
    x.granted() && !empty && known && x.member("error").is_none() && x.facts.stranger.is_none()
}

/// Judges what a client does after a refusal that asking again cannot mend. One more attempt a while later may be that
/// of a person, or of a program that was started again.
pub(super) fn not_tried_again(j: &mut Judgement, refused: &Exchange, again: &[&Exchange], expected: &str) {
    let after = |y: &Exchange| y.at.saturating_sub(ended(refused));
    match again {
        [] => j.pass(),
        [first, ..] if after(first) <= PROMPT => {
            j.fail(&[refused, first], expected, "the same request again, at once");
        }
        [first, second, ..] if after(second) <= WHILE => {
            j.fail(&[refused, first, second], expected, "the same request again and again");
        }
        [first, ..] => j.unproved(&[refused, first], expected, "the same request again, a while later"),
    }
}

/// Pairs of server-to-server grants of which the second was asked for although the client had the token of the first,
/// nobody had refused that, and nothing had said that it ends. With them, grants whose token served more than one call.
pub(super) fn needless(
    t: &Transcript,
    of: impl Fn(&Exchange) -> bool,
) -> (Vec<(&Exchange, &Exchange)>, bool) {
    let granted: Vec<&Exchange> = server_requests(t).filter(|x| x.granted() && of(x)).collect();
    let mut pairs = Vec::new();
    for (i, first) in granted.iter().enumerate() {
        // One that is started again without a place for its tokens has to ask.
        let mine = |y: &&&Exchange| {
            asked_for(y).is_some() && asked_for(y) == asked_for(first) && t.may_know(y, first)
        };
        let Some(second) = granted[i + 1..].iter().find(mine) else { continue };
        let mut between = uses(t, first).filter(|x| second.began_after(x) || second.overlaps(x)).peekable();
        let was_used = between.peek().is_some() && !has_reason(t, second);
        let ended = between.any(|x| let_in(x) != Some(true)) || first.member("expires_in").is_some();
        if second.began_after(first) && was_used && !ended {
            pairs.push((*first, *second));
        }
    }
    let shared = granted.iter().any(|x| uses(t, x).count() > 1);
    (pairs, shared)
}

/// Judges that requests for the same thing are not under way beside each other. That there was something to share is
/// seen by calls beside each other with one access token.
pub(super) fn one_at_a_time(t: &Transcript, of: impl Fn(&Exchange) -> bool) -> Judgement {
    let mut j = Judgement::new();
    // Servers that share nothing ask each for itself.
    if t.processes() > 1 {
        return j;
    }
    let expected = "one request for all callers";
    let all: Vec<&Exchange> = t.at(Endpoint::Token).filter(|x| of(x)).collect();
    let mut beside = false;
    for (i, x) in all.iter().enumerate() {
        let same = |y: &&&Exchange| asked_for(x).is_some() && asked_for(y) == asked_for(x) && y.overlaps(x);
        let Some(y) = all[i + 1..].iter().find(same) else { continue };
        beside = true;
        if y.at.saturating_sub(x.at) > PROMPT {
            j.unproved(&[x, y], expected, "two at the same time, but the first may have been given up");
        } else {
            j.fail(&[x, y], expected, "two at the same time");
        }
    }
    let shared = |x: &&&Exchange| {
        let calls: Vec<&Exchange> = uses(t, x).collect();
        calls.iter().enumerate().any(|(i, a)| calls[i + 1..].iter().any(|b| a.overlaps(b)))
    };
    if !beside && all.iter().filter(|x| x.granted()).any(|x| shared(&x)) {
        j.pass();
    }
    j
}

/// Judges a renewal that a refused call owes: whoever of the client asks for a token when it was refused. A record that
/// ends there proves nothing; a client that goes on with the same token does.
pub(super) fn renews(j: &mut Judgement, t: &Transcript, refused: &Exchange, expected: &str) {
    let Some(token) = presented(refused) else { return };
    let asked = |y: &&Exchange| y.number > refused.number && (y.granted() || y.began_after(refused));
    if t.at(Endpoint::Token).any(|y| asked(&y)) {
        return j.pass();
    }
    let origin = t.origin_of_access_token(token);
    let same =
        |a: &Exchange| a.request.method == refused.request.method && a.request.url == refused.request.url;
    // Whoever was refused, got a new token and is refused with it may give up.
    let was = |y: &&Exchange| y.status() == 401 && origin.is_some_and(|x| x.began_after(y)) && same(y);
    let first_use = !calls(t).any(|y| y.number < refused.number && presented(y) == Some(token));
    if let Some(earlier) = calls(t).filter(|_| first_use).filter(was).last() {
        return j.unproved(
            &[earlier, refused],
            expected,
            "a repetition that was refused too, and may be given up",
        );
    }
    let can = origin.is_some_and(|x| is_server_request(x) || x.text("refresh_token").is_some());
    let went_on = t.after(refused).find(|y| y.began_after(refused) && presented(y) == Some(token));
    match went_on {
        Some(y) if !t.can_know_answer(y, refused) => j.unproved(
            &[refused, y],
            expected,
            "the program was killed or started again in between, perhaps before it had read the answer",
        ),
        Some(y) if can => j.fail(&[refused, y], expected, "the same access token again, and no renewal"),
        _ => j.unproved(&[refused], expected, "the record ends before the client was seen to go on"),
    }
}

/// Whether a token request may be the one that a refused call asked for: more calls had been refused than tokens asked
/// for since. Callers that were refused together come one after another.
pub(super) fn has_reason(t: &Transcript, asked: &Exchange) -> bool {
    let refused: Vec<&Exchange> =
        calls(t).filter(|call| call.status() == 401 && asked.began_after(call)).collect();
    let since = |y: &&Exchange| y.number < asked.number && refused.iter().any(|call| y.began_after(call));
    refused.len() > t.at(Endpoint::Token).filter(since).filter(|y| same_client(y, asked)).count()
}

/// The token request, or login, that follows at once from the answer to a call. Where what it brings is first used for
/// another call, or another call had been refused before, it was not asked for because of this one.
pub(super) fn prompted<'t>(t: &'t Transcript, x: &'t Exchange) -> Option<&'t Exchange> {
    if is_listed(t, x) {
        return None;
    }
    let token = presented(x);
    let asked = t.after(x).find(|y| {
        let asks = matches!(y.endpoint, Endpoint::Token | Endpoint::Authorize);
        // One that is started again asks because it begins.
        let soon = y.at.saturating_sub(ended(x)) <= PROMPT && y.same_start(x);
        asks && y.began_after(x) && soon && same_client(x, y)
    })?;
    let target = |call: &Exchange| call.request.url[origin(&call.request.url).len()..].to_owned();
    let next = calls(t).find(|call| {
        let new = presented(call).is_some_and(|sent| Some(sent) != token);
        call.number > asked.number && call.endpoint == x.endpoint && new
    });
    let for_this =
        next.is_none_or(|call| call.request.method == x.request.method && target(call) == target(x));
    Some(asked).filter(|_| for_this && !has_reason(t, asked))
}

/// The login hosts of Salesforce, for production and for sandboxes.
const LOGIN: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];

/// Whether an audience names the server that a token request went to: its issuer, or its token endpoint. Salesforce has
/// login hosts of which either stands for an org of its kind.
pub(super) fn is_audience(t: &Transcript, x: &Exchange, audience: &str) -> bool {
    let asked = base(&x.request.url);
    let endpoints = &t.subject.endpoints;
    let known = [endpoints.issuer.as_deref(), endpoints.token.as_deref()];
    let same = |known: &str| known.trim_end_matches('/') == audience.trim_end_matches('/');
    if same(&asked) || same(origin(&asked)) || known.into_iter().flatten().any(same) {
        return true;
    }
    let host = origin(audience);
    let path = &audience[host.len()..];
    let whole = path.is_empty() || path == "/" || path == "/services/oauth2/token";
    let is_of = |world: usize| whole && host == LOGIN[world];
    let sandbox = asked.starts_with(LOGIN[1]) || asked.contains(".sandbox.");
    let production = asked.starts_with(LOGIN[0]);
    t.subject.profile == Profile::Salesforce && (is_of(0) && !sandbox || is_of(1) && !production)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;

    #[test]
    fn an_audience_is_of_the_server_and_of_its_world() {
        let asks = |host: &str, audience: &str| {
            let t = script::read(&format!("= salesforce\n> POST token grant_type=x\n! host {host}\n< 200\n"));
            is_audience(&t, &t.exchanges[0], audience)
        };
        let (login, test) = ("https://login.salesforce.com", "https://test.salesforce.com");
        assert!(asks("https://org.example", "https://org.example/"));
        assert!(asks("https://org.example", "https://org.example/token"));
        assert!(asks("https://acme.my.salesforce.com", login) && asks(login, login) && asks(test, test));
        assert!(!asks(login, test) && !asks(test, login));
        assert!(!asks("https://acme--uat.sandbox.my.salesforce.com", login));
        assert!(asks("https://acme--uat.sandbox.my.salesforce.com", test));
        assert!(!asks(login, "https://login.salesforce.com.evil"));
        assert!(!asks(login, "https://login.salesforce.com/services/oauth2/authorize"));
    }
}
