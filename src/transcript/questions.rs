//! The questions that judges ask of a record again and again.

use super::{Exchange, Part, Transcript};
use crate::oauth::{Endpoint, Params};

/// A code that was handed to a client, and the request that asked for it.
#[derive(Clone, Copy)]
pub struct IssuedCode<'t> {
    /// The authorization request.
    pub authorize: &'t Exchange,
    /// The exchange whose answer carried the code.
    pub issued: &'t Exchange,
}

impl Transcript {
    /// Every exchange with that kind of endpoint, in order.
    pub fn at(&self, endpoint: Endpoint) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter().filter(move |x| x.endpoint == endpoint)
    }

    /// Every token request of a grant type.
    pub fn requests_of<'t>(&'t self, grant_type: &'t str) -> impl DoubleEndedIterator<Item = &'t Exchange> {
        self.at(Endpoint::Token).filter(move |x| x.grant_type() == Some(grant_type))
    }

    /// Every successful token response.
    pub fn grants(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter().filter(|x| x.granted())
    }

    /// What was begun before that exchange.
    pub fn before<'t>(&'t self, x: &Exchange) -> impl DoubleEndedIterator<Item = &'t Exchange> {
        self.exchanges[..x.number.min(self.exchanges.len())].iter()
    }

    /// What was begun after that exchange.
    pub fn after<'t>(&'t self, x: &Exchange) -> impl DoubleEndedIterator<Item = &'t Exchange> {
        self.exchanges.iter().skip(x.number + 1)
    }

    /// The last exchange of an authorization: the one that sent the user agent back to the client or
    /// left it on a page. An authorization is an `Authorize` exchange and the pages of the same step that follow.
    pub fn end_of_authorization<'t>(&'t self, authorize: &'t Exchange) -> &'t Exchange {
        self.after(authorize)
            .take_while(|x| {
                x.endpoint == Endpoint::Page && same_step(x, authorize) || x.endpoint != Endpoint::Authorize
            })
            .filter(|x| x.endpoint == Endpoint::Page && same_step(x, authorize))
            .last()
            .unwrap_or(authorize)
    }

    /// Where an authorization sent the user agent in the end, if it is a redirect that leaves the server:
    /// base URL and parameters.
    pub fn callback<'t>(&'t self, authorize: &'t Exchange) -> Option<(String, Params)> {
        let end = self.end_of_authorization(authorize);
        let (base, params) = end.response()?.redirect()?;
        let outside = base.contains("://") && !same_origin(&base, &end.request.url);
        (outside || params.get("code").is_some() || params.get("error").is_some()).then_some((base, params))
    }

    /// Who asked for a code, and which answer carried it.
    pub fn code(&self, code: &str) -> Option<IssuedCode<'_>> {
        let issued = self.exchanges.iter().find(|x| {
            matches!(x.endpoint, Endpoint::Authorize | Endpoint::Page)
                && x.code_issued().as_deref() == Some(code)
        })?;
        let authorize = if issued.endpoint == Endpoint::Authorize {
            issued
        } else {
            self.before(issued).rev().find(|x| x.endpoint == Endpoint::Authorize && same_step(x, issued))?
        };
        Some(IssuedCode { authorize, issued })
    }

    /// The token response that handed out this access token.
    pub fn origin_of_access_token(&self, token: &str) -> Option<&Exchange> {
        self.grants().find(|x| x.text("access_token") == Some(token))
    }

    /// The token response that first handed out this refresh token.
    pub fn origin_of_refresh_token(&self, token: &str) -> Option<&Exchange> {
        self.grants().find(|x| x.text("refresh_token") == Some(token))
    }

    /// The scope of a grant: as the answer says, or else as it was asked for (RFC 6749 §5.1).
    pub fn granted_scope<'t>(&'t self, origin: &'t Exchange) -> Option<&'t str> {
        let asked = || self.code(origin.param("code")?)?.authorize.param("scope");
        origin.text("scope").or_else(asked)
    }

    /// The refresh before `x` that was answered with another refresh token in place of this one.
    pub fn rotated_before(&self, token: &str, x: &Exchange) -> Option<&Exchange> {
        self.before(x).find(|y| {
            y.granted()
                && y.param("refresh_token") == Some(token)
                && y.text("refresh_token").is_some_and(|new| new != token)
        })
    }

    /// The revocation before `x` that was answered 200 (or 204) for this token.
    pub fn revoked_before(&self, token: &str, x: &Exchange) -> Option<&Exchange> {
        self.before(x).find(|y| {
            let done = matches!(y.status(), 200 | 204);
            y.endpoint == Endpoint::Revoke && done && y.param("token") == Some(token)
        })
    }

    /// Whether a token request of that grant type succeeded anywhere in the record: the positive control of
    /// a refusal of the same grant type.
    pub fn has_granted(&self, grant_type: &str) -> bool {
        self.requests_of(grant_type).any(Exchange::granted)
    }

    /// The first refresh token of the family that this one belongs to: the token that the code was redeemed for.
    pub fn family<'t>(&'t self, token: &'t str) -> &'t str {
        let mut first = token;
        for _ in 0..self.exchanges.len() {
            let Some(origin) = self.origin_of_refresh_token(first) else { break };
            match origin.param("refresh_token") {
                Some(earlier) if earlier != first => first = earlier,
                _ => break,
            }
        }
        first
    }
}

impl Exchange {
    /// Whether it was begun when the other had been answered.
    pub fn began_after(&self, other: &Exchange) -> bool {
        other.over_at <= self.number
    }

    /// Whether both were under way at the same time.
    pub fn overlaps(&self, other: &Exchange) -> bool {
        self.number != other.number && !self.began_after(other) && !other.began_after(self)
    }
}

/// Whether two exchanges were made by the same step of the same play.
pub fn same_step(a: &Exchange, b: &Exchange) -> bool {
    a.step == b.step && a.part == b.part && a.scenario == b.scenario
}

/// Whether two exchanges ran in the same race. Races are numbered by play, and a scenario has one play for itself and one for
/// each control.
pub fn together(a: &Exchange, b: &Exchange) -> bool {
    a.race.is_some() && a.race == b.race && a.part == b.part && a.scenario == b.scenario
}

/// Whether a refusal has a reason outside of the request: no time, a rate, the state or place of the user.
pub fn beside_the_point(x: &Exchange) -> bool {
    const REASONS: [&str; 3] = ["rate exceeded", "ip restricted", "inactive user"];
    let text = x.error().and_then(|error| error.description).unwrap_or_default().to_ascii_lowercase();
    matches!(x.status(), 429 | 503) || REASONS.iter().any(|reason| text.contains(reason))
}

/// Whether an exchange belongs to the scenario itself, not to a control or to cleaning up.
pub fn is_main(x: &Exchange) -> bool {
    x.part == Part::Scenario
}

/// Whether two URLs have the same scheme and authority.
pub fn same_origin(a: &str, b: &str) -> bool {
    origin(a) == origin(b)
}

/// Scheme and authority of a URL.
pub fn origin(url: &str) -> &str {
    let Some(scheme) = url.find("://") else { return url };
    let rest = &url[scheme + 3..];
    let end = rest.find(['/', '?', '#']).map_or(url.len(), |end| scheme + 3 + end);
    &url[..end]
}

/// Whether a URL points to the machine itself, where a server may do without TLS (RFC 8252 §8.3).
pub fn is_loopback(url: &str) -> bool {
    let authority = origin(url).split_once("://").map_or("", |(_, authority)| authority);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    };
    let v4 = host.starts_with("127.") && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    v4 || host == "::1" || host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;

    #[test]
    fn the_family_of_a_rotated_token_is_found() {
        let t = script::read(
            "> POST token grant_type=authorization_code&code=C\n< 200 {\"access_token\":\"A1\",\"refresh_token\":\"R1\"}\n\
             > POST token grant_type=refresh_token&refresh_token=R1\n< 200 {\"access_token\":\"A2\",\"refresh_token\":\"R2\"}\n\
             > POST token grant_type=refresh_token&refresh_token=R2\n< 200 {\"access_token\":\"A3\",\"refresh_token\":\"R3\"}\n",
        );
        assert_eq!(t.family("R3"), "R1");
        assert_eq!(t.rotated_before("R1", &t.exchanges[2]).unwrap().number, 1);
    }

    #[test]
    fn what_is_held_overlaps_what_begins_before_its_release() {
        let t = script::read(
            "> GET api /a\n< 200\n= hold\n> GET api /b\n< 200\n+ 2s\n> GET api /c\n< 200\n= hold\n= release 0\n\
             > GET api /d\n< 200\n= release\n> GET api /e\n< 200\n",
        );
        let [a, b, c, d, e] = &t.exchanges[..] else { panic!() };
        assert_eq!([a, b, c, d, e].map(|x| x.over_at), [3, 2, 4, 4, 5]);
        assert!(a.overlaps(b) && b.overlaps(a) && a.overlaps(c) && !a.overlaps(a));
        assert!(c.began_after(b) && !b.began_after(c) && d.began_after(a) && d.overlaps(c));
        assert!(e.began_after(d) && e.began_after(c));
        assert_eq!((a.took, b.took), (2_000_000, 1000));
    }

    #[test]
    fn what_was_released_together_overlaps() {
        let t = script::read("= race\n> GET api\n< 200\n> GET api\n< 200\n= end\n> GET api\n< 200\n");
        assert!(t.exchanges[0].overlaps(&t.exchanges[1]) && t.exchanges[2].began_after(&t.exchanges[0]));
    }

    #[test]
    fn an_origin_is_scheme_and_authority() {
        assert_eq!(origin("https://a.example:8/b?c"), "https://a.example:8");
        assert!(!same_origin("https://a.example", "https://a.example.evil/x"));
    }
}
