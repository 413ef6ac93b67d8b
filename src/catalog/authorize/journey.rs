//! An authorization from its request to where it ended, as the record shows it.

use crate::catalog::Judgement;
use crate::oauth::{Endpoint, Params};
use crate::subject::SubjectApp;
use crate::transcript::questions::{
    Departure, base, beside_the_point, leaves_for, redirect_uris, same_origin,
};
use crate::transcript::{Exchange, Transcript};

/// How an authorization ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalog) enum End {
    /// A redirect, or what does as well as one, hands out a code, or a token where it goes wrong.
    Code,
    /// The client is told this error.
    Error(String),
    /// Sent to the client, with neither.
    Empty,
    /// A page that is no form: the refusal is shown to the user.
    Shown,
    /// A form that was not filled in, a redirect to a login that was not followed, or no time: nothing is decided.
    Open,
    /// Nothing came back.
    Silent,
}

/// Where a redirect points to, or what does as well as one.
#[derive(Debug)]
pub(in crate::catalog) struct Landing {
    /// The `Location` as it was sent, or what stands in its place.
    pub location: String,
    /// It without query and fragment.
    pub base: String,
    /// Parameters of the query.
    pub query: Params,
    /// Parameters of the fragment.
    pub fragment: Params,
    /// Fields of a form that goes there.
    pub fields: Params,
}

/// One authorization.
#[derive(Debug)]
pub(in crate::catalog) struct Journey<'t> {
    /// The authorization request.
    pub request: &'t Exchange,
    /// The exchange that it ended with; the same one where there were no pages.
    pub last: &'t Exchange,
    /// Where the last answer redirects to.
    pub landing: Option<Landing>,
    /// How it ended.
    pub end: End,
}

/// Every authorization of the record.
pub(in crate::catalog) fn journeys(t: &Transcript) -> impl Iterator<Item = Journey<'_>> {
    t.at(Endpoint::Authorize).map(|request| Journey::of(t, request))
}

impl Landing {
    /// Of a redirect, or of a way that needs nobody or carries something off.
    fn of(x: &Exchange, way: Option<&Departure>) -> Option<Self> {
        let redirect = x.response()?.redirect().and(x.response()?.header("location"));
        let way = way.filter(|way| way.by_itself || way.hands_out());
        let location = redirect.or(way.map(|way| way.to.as_str()))?;
        let (whole, fragment) = location.split_once('#').unwrap_or((location, ""));
        let query = whole.split_once('?').map_or("", |(_, query)| query);
        Some(Self {
            location: location.to_owned(),
            base: base(whole),
            query: Params::read_lossy(query),
            fragment: Params::read_lossy(fragment),
            fields: way.filter(|_| redirect.is_none()).map_or_else(Params::new, |way| way.fields.clone()),
        })
    }

    /// Whether this is the place that a redirect URI names: same base, and every parameter of its query.
    pub fn is_at(&self, uri: &str) -> bool {
        let query = uri.split('#').next().and_then(|uri| uri.split_once('?')).map_or("", |(_, query)| query);
        let pairs = Params::read_lossy(query);
        let kept = |name, value| self.query.all(name).chain(self.fields.all(name)).any(|v| v == value);
        self.base == base(uri) && pairs.iter().all(|(name, value)| kept(name, value))
    }

    /// The values that a parameter came back with, in the query, or in the fragment where the query has none, or else in
    /// a form.
    pub fn all<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        let parts = [&self.query, &self.fragment, &self.fields];
        let found = parts.map(|part| part.all(name).collect::<Vec<_>>());
        found.into_iter().find(|values| !values.is_empty()).unwrap_or_default()
    }
}

impl<'t> Journey<'t> {
    fn of(t: &'t Transcript, request: &'t Exchange) -> Self {
        let last = t.end_of_authorization(request);
        let way = leaves_for(last, &redirect_uris(request));
        let landing = Landing::of(last, way.as_ref());
        let mut journey = Self { request, last, landing, end: End::Silent };
        journey.end = journey.end(t, way.is_some());
        journey
    }

    fn end(&self, t: &Transcript, waits: bool) -> End {
        let Some(response) = self.last.response() else { return End::Silent };
        let Some(landing) = &self.landing else {
            if waits || beside_the_point(self.last) {
                return End::Open;
            }
            let body = response.body.to_ascii_lowercase();
            let asks = body.contains("type=\"password\"")
                || body.contains("type='password'")
                || body.contains("type=password");
            let form = response.status < 300 && body.contains("<form");
            return if asks || form || response.status < 200 || (300..400).contains(&response.status) {
                End::Open
            } else {
                End::Shown
            };
        };
        if ["code", "access_token"].iter().any(|name| !landing.all(name).is_empty()) {
            return End::Code;
        }
        let known = self.app(t).map_or(&[][..], |app| &app.redirect_uris);
        let at_client = self.values("redirect_uri").any(|uri| landing.is_at(uri))
            || known.iter().any(|uri| landing.is_at(uri));
        let leaves =
            landing.location.contains("://") && !same_origin(&landing.location, &self.last.request.url);
        match landing.all("error").first() {
            Some(error) if at_client || leaves => End::Error((*error).to_owned()),
            // A page of errors within the server.
            Some(_) => End::Shown,
            None if at_client => End::Empty,
            // On to a login, here or elsewhere.
            None => End::Open,
        }
    }

    /// The parameters of the request, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&'t str, &'t str)> {
        let request = &self.request.request;
        request.query().iter().chain(request.form().iter())
    }

    /// Whether a request object holds parameters that the record does not show.
    pub fn is_hidden(&self) -> bool {
        ["request", "request_uri"].iter().any(|name| self.values(name).any(|value| !value.is_empty()))
    }

    /// Every value of a parameter of the request.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'t str> + 'a {
        self.pairs().filter(move |(n, _)| *n == name).map(|(_, v)| v)
    }

    /// A parameter of the request that stands there once and is not empty.
    pub fn one(&self, name: &str) -> Option<&'t str> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// The app that asks, where the record knows it.
    pub fn app<'s>(&self, t: &'s Transcript) -> Option<&'s SubjectApp> {
        t.subject.app_of(self.one("client_id")?)
    }

    /// The `redirect_uri` of the request, where the app registered exactly it.
    pub fn registered_uri(&self, t: &Transcript) -> Option<&'t str> {
        let uri = self.one("redirect_uri")?;
        self.app(t)?.redirect_uris.iter().any(|known| known == uri).then_some(uri)
    }

    /// The exchanges that show it.
    pub fn evidence(&self) -> Vec<&'t Exchange> {
        if self.last.number == self.request.number {
            vec![self.request]
        } else {
            vec![self.request, self.last]
        }
    }

    /// Whether the same request of the same user, these parameters aside, was seen to end in a code.
    pub fn was_granted_but_for(&self, t: &Transcript, aside: &[&str]) -> bool {
        journeys(t).any(|other| {
            other.request.number != self.request.number
                && other.end == End::Code
                && other.registered_uri(t).is_some()
                && other.request.user == self.request.user
                && other.shape(aside) == self.shape(aside)
        })
    }

    /// The parameters of the request without those aside, those that differ each time without their values, scope as a
    /// set.
    pub fn shape(&self, aside: &[&str]) -> Vec<(&'t str, String)> {
        let kept = |(name, _): &(&str, &str)| !aside.contains(name) && !["state", "nonce"].contains(name);
        let mut all: Vec<(&str, String)> = self
            .pairs()
            .filter(kept)
            .map(|(name, value)| match name {
                "code_challenge" if !value.is_empty() => (name, String::new()),
                "scope" => {
                    let mut words: Vec<&str> = value.split(' ').collect();
                    words.sort_unstable();
                    (name, words.join(" "))
                }
                _ => (name, value.to_owned()),
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// What every request has to bear that must be refused. Says whether it was refused and the control shows that
    /// this was its flaw; what else there is to say, the caller knows.
    pub fn refused(
        &self,
        j: &mut Judgement,
        t: &Transcript,
        accepted: bool,
        aside: &[&str],
        expected: &str,
    ) -> bool {
        let evidence = self.evidence();
        if accepted {
            j.fail(&evidence, expected, self.outcome());
        } else if self.end == End::Silent {
            // The run tells of silence by itself.
        } else if beside_the_point(self.last) {
            let observed = format!("{}: that is about something else", self.last.outcome());
            j.unproved(&evidence, expected, observed);
        } else if self.end == End::Open {
            let observed =
                "it ended before it was decided: a form was not filled in, or a redirect not followed";
            j.unproved(&evidence, expected, observed);
        } else if !self.was_granted_but_for(t, aside) {
            let observed =
                "it was refused, but the same request without the flaw was not seen to end in a code";
            j.unproved(&evidence, expected, observed);
        } else if self.last.status() >= 500 {
            j.fail_lesser(&evidence, expected, self.last.outcome());
        } else {
            return true;
        }
        false
    }

    /// What came back in the end, and where it leads where that is no redirect.
    fn outcome(&self) -> String {
        let outcome = self.last.outcome();
        let redirects = self.last.response().is_some_and(|response| response.redirect().is_some());
        match &self.landing {
            Some(landing) if !redirects => {
                let with = if self.end == End::Code { " with a code" } else { "" };
                format!("{outcome}, which leaves for {}{with}", landing.base)
            }
            _ => outcome,
        }
    }

    /// Whether the refusal names this error, to the client or on the page.
    pub fn names(&self, error: &str) -> bool {
        match &self.end {
            End::Error(told) => told == error,
            End::Shown => self.last.response().is_some_and(|response| {
                response.body.contains(error)
                    || self.landing.as_ref().is_some_and(|landing| landing.all("error").contains(&error))
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;

    const REQUEST: &str = "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=s\n";

    #[track_caller]
    fn ends(answer: &str, end: End) {
        let t = script::read(&format!("{REQUEST}{answer}"));
        assert_eq!(journeys(&t).next().unwrap().end, end, "{answer}");
    }

    #[test]
    fn every_end_is_told_from_the_others() {
        ends("< 302\n< Location: https://client.example/callback?code=C", End::Code);
        ends("< 303\n< Location: https://client.example/callback#code=C", End::Code);
        ends("< 302\n< Location: https://client.example/callback?error=x", End::Error("x".into()));
        ends("< 302\n< Location: https://client.example/callback#error=x", End::Error("x".into()));
        ends("< 302\n< Location: https://client.example/callback", End::Empty);
        ends("< 302\n< Location: /setup/error?error=OAUTH_APP_BLOCKED", End::Shown);
        ends("< 302\n< Location: /interaction/xyz", End::Open);
        ends("< 302\n< Location: https://org.example/login", End::Open);
        ends("< 302\n< Location: https://sso.example/login?request=1", End::Open);
        ends("< 200 <form method=post><input name=username></form>", End::Open);
        ends("< 401 <INPUT TYPE=\"password\" name=pw>", End::Open);
        ends("< 200 <h1>We cannot authorize you</h1>", End::Shown);
        ends("< 400 error=redirect_uri_mismatch", End::Shown);
        ends("< 400 <form action=/search></form>", End::Shown);
        ends("< nothing", End::Silent);
        ends("< 201\n< Location: https://client.example/callback?code=C", End::Code);
        ends(
            "< 200 <form action=https://client.example/callback><input name=code value=C></form>",
            End::Code,
        );
        ends("< 400 <form action=https://client.example/callback><button>go on</button></form>", End::Open);
        ends("< 429 later", End::Open);
        ends("< 503 <h1>later</h1>", End::Open);
    }

    #[test]
    fn a_control_is_the_same_request_in_everything_else() {
        let other = |params: &str| {
            format!(
                "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback{params}\n\
                 < 302\n< Location: https://client.example/callback?code=C\n"
            )
        };
        let granted = |control: &str| {
            let t = script::read(&format!("{control}{REQUEST}< 400\n"));
            journeys(&t).last().unwrap().was_granted_but_for(&t, &[])
        };
        assert!(granted(&other("&state=another&nonce=n")));
        assert!(!granted(&other("&scope=api")), "another scope");
        assert!(!granted(&other("&code_challenge=x")), "PKCE there and none here");
        assert!(!granted(&other("").replace("< 302", "! user unapproved\n< 302")), "another user");
    }

    #[test]
    fn a_place_is_found_however_it_is_written() {
        let landing = |location: &str| {
            let t = script::read(&format!("{REQUEST}< 302\n< Location: {location}\n"));
            Landing::of(&t.exchanges[0], None).unwrap()
        };
        assert!(landing("HTTPS://Client.example?error=x").is_at("https://client.example/"));
        assert!(
            landing("https://client.example/cb?error=x&a=b%20c").is_at("https://client.example/cb?a=b+c")
        );
        assert!(!landing("https://client.example/cb?error=x").is_at("https://client.example/cb?a=b"));
        assert!(!landing("https://client.example/CB").is_at("https://client.example/cb"));
    }
}
