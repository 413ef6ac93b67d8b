//! A request as the org reads it: which host was asked, which parameters came, within which bounds.

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderName, Method, Request, StatusCode, header};

use super::{LOGIN_HOSTS, MY_DOMAIN, Reply, answer};
use crate::oauth::Params;

/// The longest body that is read.
pub(super) const LONGEST_BODY: usize = 256 * 1024;
/// The longest query that is read.
pub(super) const LONGEST_QUERY: usize = 32 * 1024;
/// The longest value of a parameter that is no assertion.
pub(super) const LONGEST_VALUE: usize = 8 * 1024;

/// The host that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Scheme, host and port, lower case, without a default port.
    pub origin: String,
    /// Whether it is one of the hosts that serve every org.
    pub login: bool,
}

/// A request within the bounds.
pub(super) struct Ask<'r> {
    pub request: &'r Request<Bytes>,
    pub host: Host,
    /// Milliseconds since the epoch.
    pub now: i64,
}

impl Host {
    /// Where the org answers for data: the host asked, or its My Domain where a login host was asked.
    pub fn instance(&self) -> &str {
        if self.login { MY_DOMAIN } else { &self.origin }
    }

    /// Every audience that an assertion sent here may name: the login hosts, this host, its My Domain and
    /// their token endpoints.
    pub fn is_audience(&self, text: &str) -> bool {
        let bare = text.strip_suffix(super::token::PATH).unwrap_or(text);
        bare == self.origin || bare == self.instance() || LOGIN_HOSTS.contains(&bare)
    }

    /// Whether a text is the URL of the token endpoint here or on a login host.
    pub fn is_token_endpoint(&self, text: &str) -> bool {
        text.ends_with(super::token::PATH) && self.is_audience(text)
    }

    fn of(request: &Request<Bytes>) -> Option<Self> {
        let uri = request.uri();
        let scheme = uri.scheme_str().unwrap_or("http").to_ascii_lowercase();
        let authority = match uri.authority() {
            Some(authority) => authority.clone(),
            None => {
                let mut fields = request.headers().get_all(header::HOST).iter();
                // One field, as RFC 9112 §3.2 has it, and nothing but an authority in it: no path of its own.
                let field = fields.next().filter(|_| fields.next().is_none())?;
                field.to_str().ok()?.parse::<Authority>().ok()?
            }
        };
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let default = if scheme == "https" { ":443" } else { ":80" };
        let name = authority.as_str().to_ascii_lowercase();
        let origin = format!("{scheme}://{}", name.strip_suffix(default).unwrap_or(&name));
        Some(Self { login: LOGIN_HOSTS.contains(&origin.as_str()), origin })
    }
}

impl<'r> Ask<'r> {
    /// Takes a request in, if it is within the bounds.
    pub fn read(request: &'r Request<Bytes>, now: i64) -> Result<Self, Box<Reply>> {
        let Some(host) = Host::of(request) else {
            return Err(answer::bare(StatusCode::BAD_REQUEST, now).into());
        };
        if request.body().len() > LONGEST_BODY {
            return Err(answer::bare(StatusCode::PAYLOAD_TOO_LARGE, now).into());
        }
        if request.uri().query().is_some_and(|query| query.len() > LONGEST_QUERY) {
            return Err(answer::bare(StatusCode::URI_TOO_LONG, now).into());
        }
        Ok(Self { request, host, now })
    }

    pub fn path(&self) -> &'r str {
        self.request.uri().path()
    }

    pub fn is(&self, method: &Method) -> bool {
        self.request.method() == method
    }

    /// Now in whole seconds.
    pub fn seconds(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    /// A header, where it is a text.
    pub fn header(&self, name: HeaderName) -> Option<&'r str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// The parameters of the query.
    ///
    /// # Errors
    /// None where they cannot be read.
    pub fn query(&self) -> Option<Params> {
        Params::read(self.request.uri().query().unwrap_or("")).ok().filter(within_bounds)
    }

    /// The parameters of a form body; of none where the body is something else, as Salesforce sees no
    /// `grant_type` in a JSON body (Salesforce Help: OAuth 2.0 Authorization Errors; field reports).
    ///
    /// # Errors
    /// None where they cannot be read.
    pub fn form(&self) -> Option<Params> {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or("");
        let kind = kind.split(';').next().unwrap_or("").trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Some(Params::new());
        }
        let text = std::str::from_utf8(self.request.body()).ok()?;
        Params::read(text).ok().filter(within_bounds)
    }

    /// The parameters of body and query together, in this order.
    pub fn params(&self) -> Option<Params> {
        let body = self.form()?;
        if self.request.uri().query().is_none_or(str::is_empty) {
            return Some(body);
        }
        let query = self.query()?;
        Some(body.iter().chain(query.iter()).collect())
    }

    /// What follows the scheme in `Authorization`, where that is one of these.
    pub fn authorization(&self, schemes: &[&str]) -> Option<&'r str> {
        let (scheme, rest) = self.header(header::AUTHORIZATION)?.split_once(' ')?;
        schemes.iter().any(|s| s.eq_ignore_ascii_case(scheme)).then(|| rest.trim())
    }

    /// Whether an answer is to be written for people.
    pub fn pretty(&self) -> bool {
        self.header(HeaderName::from_static("x-prettyprint")) == Some("1")
    }
}

fn within_bounds(params: &Params) -> bool {
    params.len() <= 200
        && params.iter().all(|(name, value)| {
            name.len() <= 256 && (value.len() <= LONGEST_VALUE || name.ends_with("assertion"))
        })
}

/// A parameter; one without a value counts as left out (RFC 6749 §3.2).
pub(super) fn given<'p>(params: &'p Params, name: &str) -> Option<&'p str> {
    params.get(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(uri: &str, header: Option<&str>) -> Option<Host> {
        let mut request = Request::get(uri);
        if let Some(host) = header {
            request = request.header("host", host);
        }
        Host::of(&request.body(Bytes::new()).unwrap())
    }

    #[test]
    fn the_host_comes_from_the_uri_or_the_header() {
        assert_eq!(host("https://ACME.example:443/x", None).unwrap().origin, "https://acme.example");
        assert_eq!(host("/x", Some("127.0.0.1:8080")).unwrap().origin, "http://127.0.0.1:8080");
        assert!(host("https://login.salesforce.com/x", None).unwrap().login);
        assert_eq!(host("/x", None), None);
        for bad in ["a@b", "a/services/data", "a?b", "a#b", ""] {
            assert_eq!(host("/x", Some(bad)), None, "{bad}");
        }
        let twice = Request::get("/x").header("host", "a").header("host", "b").body(Bytes::new()).unwrap();
        assert_eq!(Host::of(&twice), None);
    }

    #[test]
    fn audiences_are_compared_character_by_character() {
        let host = host("https://acme.example/x", None).unwrap();
        for good in [
            "https://login.salesforce.com",
            "https://test.salesforce.com",
            "https://acme.example",
            "https://acme.example/services/oauth2/token",
        ] {
            assert!(host.is_audience(good), "{good}");
        }
        for bad in ["https://acme.example/", "http://acme.example", "https://other.example", ""] {
            assert!(!host.is_audience(bad), "{bad}");
        }
        assert!(!host.is_token_endpoint("https://acme.example"));
    }
}
