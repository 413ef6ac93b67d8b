//! A login by the web server flow, as a client owes it: what it sends the user away with, and what it makes of what the
//! browser brings back (RFC 6749 §4.1 and §10.12, RFC 9207 §2.4, RFC 9700 §2.1 and §4.7). The record is of a host that
//! played the org and the browser, so it shows both; what the client thinks of a callback is concluded from whether it
//! redeems what it brought. A client that was not there to hear a callback has refused nothing.

use super::Cite::{Rfc, Salesforce};
use super::{Check, Judgement, Party};
use crate::oauth::grant::authorization_code::GRANT_TYPE;
use crate::oauth::{Endpoint, Params};
use crate::transcript::questions::base;
use crate::transcript::{Answer, Exchange, Failure, Transcript, bits_apart, most_bits};
use crate::verdict::{Basis, Level};

/// The request by which `main` sends a user away, with a state and a challenge or what else stands there.
macro_rules! asks {
    () => {
        asks!("&state=S1-0123456789-0123456789&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256")
    };
    ($more:expr) => {
        asks!("scope=api+refresh_token", $more)
    };
    ($scope:expr, $more:expr) => {
        concat!(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&",
            $scope,
            $more,
            "\n"
        )
    };
}

/// The answer of the org that sends the user back with this.
macro_rules! sends_back {
    ($query:literal) => {
        concat!("< 302\n< Location: https://client.example/callback?", $query, "\n")
    };
}

/// A login in which the org hands out the code C1 with the right state.
macro_rules! answered {
    () => {
        concat!(asks!(), sends_back!("code=C1&state=S1-0123456789-0123456789"))
    };
}

/// What the browser brings to the client, and the page that it is shown.
macro_rules! brings {
    ($query:literal) => {
        brings!($query, "200 You can close this page.")
    };
    ($query:literal, $page:literal) => {
        concat!("> GET callback ", $query, "\n< ", $page, "\n")
    };
}

/// The redemption of a code by `main`, and its answer.
macro_rules! redeems {
    ($code:literal) => {
        redeems!($code => "200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\"}")
    };
    ($code:literal => $answer:literal) => {
        concat!(
            "> POST token grant_type=authorization_code&client_id=main&client_secret=s\
             &redirect_uri=https://client.example/callback&code=",
            $code,
            "\n! secret right\n< ",
            $answer,
            "\n"
        )
    };
}

pub(super) mod answers;
pub(super) mod errors;
pub(super) mod request;
pub(super) mod state;

/// The fewest random bits of what must not be guessed (RFC 6749 §10.10).
const FEWEST_BITS: u32 = 128;

/// The parameter of that name, where authorization requests have it, holds so many random bits and is another one for each.
pub(super) fn new_for_each_login(t: &Transcript, name: &str, fewest: u32) -> Judgement {
    let mut j = Judgement::new();
    let named = |x| Some((x, Exchange::param(x, name).filter(|value| !value.is_empty())?));
    let all: Vec<(&Exchange, &str)> = requests(t).into_iter().filter_map(named).collect();
    for (n, (x, value)) in all.iter().enumerate() {
        let bits = most_bits(value);
        if bits < fewest {
            j.fail(&[x], format!("a {name} of {fewest} random bits"), format!("{bits} bits at most"));
        }
        let others = all[..n].iter().map(|(y, other)| (bits_apart(other, value), y));
        // What is short is near to others by chance.
        let nearest =
            others.min_by_key(|(apart, _)| *apart).filter(|(apart, _)| *apart == 0 || bits >= fewest);
        if let Some((apart, y)) = nearest {
            j.hardly_new(&[y, x], &format!("a {name}"), Some(apart));
        }
    }
    // Of one alone it is not known whether it is another the next time.
    if all.len() > 1 {
        j.pass();
    }
    j
}

/// What clients write that have no code and send one all the same.
const NONE: [&str; 6] = ["", "null", "undefined", "None", "nil", "(null)"];

/// A callback that the browser brought, with the request that it answers, as far as the record tells.
pub(super) struct Callback<'t> {
    /// The callback itself.
    pub(super) x: &'t Exchange,
    /// What it says.
    pub(super) params: &'t Params,
    /// The authorization request that its code was issued for; or the one that has its state; or the only one that it
    /// can answer.
    pub(super) request: Option<&'t Exchange>,
}

impl<'t> Callback<'t> {
    /// A parameter that has a value.
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        self.params.get(name).filter(|value| !value.is_empty())
    }

    /// The code that it brings.
    pub(super) fn code(&self) -> Option<&'t str> {
        self.get("code")
    }

    /// The state that the client sent along, where it did.
    pub(super) fn sent_state(&self) -> Option<&'t str> {
        self.request?.param("state").filter(|state| !state.is_empty())
    }

    /// Whether the client was there and answered.
    pub(super) fn is_heard(&self) -> bool {
        self.x.response().is_some()
    }

    /// Whether nobody listened any more, or was just about to stop.
    pub(super) fn is_missed(&self) -> bool {
        matches!(self.x.answer, Answer::Nothing(Failure::Unreachable(_) | Failure::Broken(_)))
    }

    /// The token request by which the client went on with its code.
    pub(super) fn redemption(&self, t: &'t Transcript) -> Option<&'t Exchange> {
        let codes: Vec<&str> = self.params.all("code").filter(|code| !code.is_empty()).collect();
        let mut after = t.after(self.x);
        after.find(|x| {
            x.grant_type() == Some(GRANT_TYPE) && x.param("code").is_some_and(|c| codes.contains(&c))
        })
    }
}

/// The requests by which clients sent users away, each once: a page that is loaded again is no other login.
pub(super) fn requests(t: &Transcript) -> Vec<&Exchange> {
    let mut all: Vec<&Exchange> = Vec::new();
    for x in t.at(Endpoint::Authorize) {
        let asks = x.param("client_id").is_some() || x.param("response_type").is_some();
        let again = |y: &&Exchange| {
            let (a, b) = (&x.request, &y.request);
            y.step == x.step && a.method == b.method && a.url == b.url && a.body == b.body
        };
        if asks && !all.iter().any(again) {
            all.push(x);
        }
    }
    all
}

/// Every callback of a record.
pub(super) fn callbacks(t: &Transcript) -> Vec<Callback<'_>> {
    let requests = requests(t);
    let mut all: Vec<Callback<'_>> = Vec::new();
    for x in t.at(Endpoint::Callback) {
        let params = if x.request.method == "POST" { x.request.form() } else { x.request.query() };
        let by_code = || Some(t.code(params.get("code")?)?.authorize);
        let earlier = || requests.iter().copied().filter(|y| y.number < x.number);
        let by_state = || {
            let state = params.get("state").filter(|state| !state.is_empty())?;
            earlier().find(|y| y.param("state") == Some(state))
        };
        let only = || {
            let here = base(&x.request.url);
            let is_open = |y: &&Exchange| {
                let answered = |b: &Callback<'_>| b.request.is_some_and(|r| r.number == y.number);
                y.param("redirect_uri").is_none_or(|uri| base(uri) == here) && !all.iter().any(answered)
            };
            let mut open = earlier().filter(is_open);
            open.next().filter(|_| open.next().is_none())
        };
        let request = by_code().or_else(by_state).or_else(only);
        all.push(Callback { x, params, request });
    }
    all
}

/// Callbacks with a flaw must not be gone on with: none of their codes is redeemed, unless the same code came without the
/// flaw as well.
pub(super) fn refused(
    t: &Transcript,
    flawed: impl Fn(&Callback<'_>) -> bool,
    expected: &str,
    lesser: bool,
) -> Judgement {
    let mut j = Judgement::new();
    let all = callbacks(t);
    for b in all.iter().filter(|b| b.code().is_some() && flawed(b)) {
        let right = |o: &Callback<'_>| o.x.number != b.x.number && o.code() == b.code() && !flawed(o);
        match b.redemption(t) {
            Some(_) if all.iter().any(right) => {}
            Some(x) if lesser => j.fail_lesser(&[b.x, x], expected, "its code was redeemed"),
            Some(x) => j.fail(&[b.x, x], expected, "its code was redeemed"),
            None if b.is_heard() => j.pass(),
            None => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;

    #[test]
    fn a_callback_belongs_to_the_request_that_it_answers() {
        let t = script::read(concat!(
            answered!(),
            brings!("code=C1&state=other"),
            asks!("&state=S2"),
            "< 302\n",
            brings!("error=access_denied&state=S2"),
            asks!("&state=S3"),
            "< 302\n",
            brings!("error=access_denied"),
            brings!("error=access_denied"),
        ));
        let numbers: Vec<_> = callbacks(&t).iter().map(|b| b.request.map(|x| x.number)).collect();
        assert_eq!(numbers, [Some(0), Some(2), Some(4), None]);
    }

    #[test]
    fn a_page_that_is_loaded_again_is_no_other_login() {
        let again = asks!().replace('\n', "\n! step 0\n");
        let t = script::read(&format!("{again}< 302\n{again}< 302\n{}< 302\n", asks!("&state=S2")));
        assert_eq!(requests(&t).len(), 2);
    }
}
