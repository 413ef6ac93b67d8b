//! The user at a browser, for a client program that sends one: the pages of the org are passed as the target declares
//! them, and what the org answers is brought to the program's callback, as the suite has it.

mod rendered;

use bytes::Bytes;
use http::Request;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::rendered::Rendered;
use super::counterpart::Counterpart;
use super::{Error, Transport};
use crate::client::page::{self, Submit};
use crate::client::{Jar, Outgoing};
use crate::oauth::{Endpoint, Params};
use crate::subject::{Callback, Page, User};
use crate::transcript::questions::{is_loopback, origin};
use crate::transcript::{Answer, Failure, Response};

/// The most pages and redirects on the way from authorize to the callback.
const MOST_PAGES: usize = 16;
/// How long a program may take over a callback: it redeems the code meanwhile.
const WITHIN: Duration = Duration::from_secs(30);

/// A user with a browser.
pub struct Agent {
    org: Arc<Counterpart>,
    user: User,
    login: Vec<Page>,
    deny: Vec<Page>,
    callback: Callback,
    by: By,
    /// How many logins there were.
    logins: u32,
}

/// Why a user came to no callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// What the client, its page or the org did, in words.
    Way(String),
    /// The browser itself came to an end, which is nobody's doing who is judged.
    Browser(String),
}

impl From<&str> for Lost {
    fn from(why: &str) -> Self {
        Self::Way(why.to_owned())
    }
}

impl From<String> for Lost {
    fn from(why: String) -> Self {
        Self::Way(why)
    }
}

/// How the pages are passed.
enum By {
    /// Forms are read and sent; no page is shown to anybody.
    Forms(Jar),
    /// A browser shows them, and is told what to fill in.
    Browser(Box<Rendered>),
}

/// A code that no org issued.
const STRANGE_CODE: &str = "aPrxStrangeCode.0123456789.0123456789.0123456789.0123456789==";

impl Agent {
    /// One that passes those pages, or says no on those, and brings the callback as the suite has it; by reading forms.
    pub fn new(
        org: Arc<Counterpart>,
        user: User,
        login: Vec<Page>,
        deny: Vec<Page>,
        callback: Callback,
    ) -> Self {
        Self { org, user, login, deny, callback, by: By::Forms(Jar::default()), logins: 0 }
    }

    /// The same in headless Chromium, which stands there.
    ///
    /// # Errors
    /// It does not start.
    pub async fn in_chromium(self, program: PathBuf) -> Result<Self, Error> {
        Ok(Self { by: By::Browser(Box::new(Rendered::start(program).await?)), ..self })
    }

    /// Visits an authorize URL and brings the answer to the client.
    ///
    /// # Errors
    /// It came to no callback, in words.
    pub async fn visit(&mut self, url: &str) -> Result<(), Lost> {
        self.logins += 1;
        let covered = self.callback.covers(self.logins);
        let callback = if covered { self.callback.clone() } else { Callback::default() };
        if callback.unsolicited
            && let Some((_, query)) = url.split_once('?')
            && let Some(redirect_uri) = Params::read_lossy(query).get("redirect_uri")
        {
            let query = Params::new().with("code", STRANGE_CODE).write();
            bring(&self.org, &format!("{redirect_uri}?{query}"), &Callback::default()).await.ok();
        }
        self.once(url, &callback).await?;
        if callback.again {
            self.once(url, &callback).await?;
        }
        Ok(())
    }

    async fn once(&mut self, url: &str, callback: &Callback) -> Result<(), Lost> {
        let mut pages = if callback.deny { self.deny.clone() } else { self.login.clone() };
        pages.reverse();
        let person = Person { org: &self.org, user: &self.user, callback };
        match &mut self.by {
            By::Forms(jar) => person.reads(jar, url, pages).await,
            By::Browser(browser) => browser.leads(&person, url, pages).await,
        }
    }
}

/// Who is at the browser, for one login.
struct Person<'a> {
    org: &'a Arc<Counterpart>,
    user: &'a User,
    callback: &'a Callback,
}

impl Person<'_> {
    /// Passes the pages by reading and sending their forms.
    async fn reads(&self, jar: &mut Jar, url: &str, mut pages: Vec<Page>) -> Result<(), Lost> {
        let get = |url: String| Submit { method: "GET".into(), url, content_type: None, body: String::new() };
        let mut submit = get(url.to_owned());
        for _ in 0..MOST_PAGES {
            let Some(Outgoing { mut request, .. }) = page::visit(&submit) else {
                return Err("what it sent the user to is not a URL".into());
            };
            if !self.org.is_at(&submit.url) {
                return Err(self.not_sent(&request).into());
            }
            if let Some(cookies) = jar.header(&submit.url)
                && let Ok(value) = cookies.parse()
            {
                request.headers_mut().insert("cookie", value);
            }
            let Some((asked, response)) = self.org.visited(request).await else {
                return Err("the org did not answer the user".into());
            };
            jar.absorb(&submit.url, &response.headers);
            let Some(next) = page::next(&asked, &response, &mut pages, self.user) else {
                return Err(format!("the user went no further than {}", response.one_line()).into());
            };
            if response.redirect().is_some() && !self.org.is_at(&next.url) {
                return Ok(bring(self.org, &next.url, self.callback).await?);
            }
            submit = next;
        }
        Err(format!("the login went over more than {MOST_PAGES} pages and redirects").into())
    }

    /// Keeps that the user was to go to somebody else than the org, and says so.
    fn not_sent(&self, request: &Request<Bytes>) -> String {
        self.org.not_visited(request, Endpoint::Authorize);
        format!("it sent the user to {}, which is not the org", origin(&request.uri().to_string()))
    }
}

/// Brings a callback, as it is or altered, to where the client listens.
async fn bring(org: &Counterpart, url: &str, callback: &Callback) -> Result<(), String> {
    let request = Request::get(altered(org, url, callback)).header("accept", "text/html,*/*;q=0.8");
    let request = request.body(Bytes::new()).map_err(|_| "the callback is not a URL".to_owned())?;
    brought(org, request, callback).await.map(drop)
}

/// Sends a callback to where the client listens; what it answered, where it did.
async fn brought(
    org: &Counterpart,
    request: Request<Bytes>,
    callback: &Callback,
) -> Result<Option<Response>, String> {
    let url = request.uri().to_string();
    if !is_loopback(&url) {
        return Err(format!("the callback {} is not on this machine", origin(&url)));
    }
    let (at, place) = org.begins();
    let (request, answer, took) = sent(request).await?;
    let missed = matches!(answer, Answer::Nothing(Failure::Unreachable(_)));
    org.heard(place, at, took, &request, answer.clone());
    match answer {
        Answer::Response(response) => Ok(Some(response)),
        // A client that is gone after its login is a client that hears nothing twice.
        Answer::Nothing(_) if missed && !callback.again && !callback.unsolicited => {
            Err("nobody listens at the callback".into())
        }
        Answer::Nothing(_) => Ok(None),
    }
}

/// Sends a request of the user's browser to the client; what came of it, and how long it took in microseconds.
async fn sent(request: Request<Bytes>) -> Result<(Request<Bytes>, Answer, u64), String> {
    let transport =
        Transport::http(None, WITHIN, &request.uri().to_string()).map_err(|why| why.to_string())?;
    let outgoing = Outgoing { request, truncated: false, remember: crate::client::Remember::default() };
    let (answer, took) = transport.send(&outgoing).await;
    Ok((outgoing.request, answer, took))
}

/// The callback as the suite has it.
fn altered(org: &Counterpart, url: &str, callback: &Callback) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut params = Params::read_lossy(query);
    for (name, value) in &callback.alter {
        match value {
            Some(value) => params.set(name, org.filled(value)),
            None => {
                params.remove(name);
            }
        }
    }
    let other_case = |c: char| match c {
        _ if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
        _ => c.to_ascii_lowercase(),
    };
    for name in &callback.swap_case {
        if let Some(value) = params.get(name).map(|value| value.chars().map(other_case).collect::<String>()) {
            params.set(name, value);
        }
    }
    for name in &callback.twice {
        let again = params.get(name).unwrap_or("").to_owned();
        params.push(name.as_str(), again);
    }
    for (name, value) in &callback.besides {
        params.push(name.as_str(), org.filled(value));
    }
    format!("{base}?{}", params.write())
}

/// Whether a line of a program's output holds a URL that a user is to be sent to. What a sentence or a terminal puts behind
/// it is none of it, and one that says `<what stands here>` is an example of one.
pub fn authorize_url(line: &str) -> Option<&str> {
    let is_over = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '`');
    let starts = line.match_indices("http").map(|(at, _)| &line[at..]);
    let urls = starts.filter_map(|rest| {
        let url = rest.split(is_over).next().unwrap_or(rest);
        let is_left_open = url.ends_with(['=', '/']) && rest[url.len()..].starts_with('<');
        (!is_left_open).then_some(url)
    });
    let urls = urls.map(|url| url.trim_end_matches(['.', ',', ';', ':', '!', ')', ']', '}']));
    urls.filter(|url| url.contains("://")).find(|url| {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        base.ends_with("/authorize") && query.contains("client_id=")
    })
}

#[cfg(test)]
mod tests {
    use super::authorize_url;

    #[test]
    fn an_authorize_url_is_found_in_what_a_program_prints() {
        let url = "http://127.0.0.1:1/services/oauth2/authorize?response_type=code&client_id=x";
        for line in [
            url.to_owned(),
            format!("Open <{url}> in a browser"),
            format!("see https://docs.example \"{url}\""),
            format!("Open this page ({url})."),
            format!("\u{1b}[4m{url}\u{1b}[0m"),
        ] {
            assert_eq!(authorize_url(&line), Some(url));
        }
        for line in [
            "http://127.0.0.1:1/services/oauth2/token?client_id=x",
            "https://a.example/authorize",
            "http",
            "browse to https://login.example/authorize?client_id=x&redirect_uri=<your callback>",
        ] {
            assert_eq!(authorize_url(line), None);
        }
    }
}
