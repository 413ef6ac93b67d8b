//! A login in headless Chromium: what the browser asks is answered by the org, by the client that listens for the callback,
//! or by nobody.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

use super::{Lost, Person, altered, brought, sent};
use crate::oauth::Endpoint;
use crate::subject::{Page, User};
use crate::transcript::questions::{is_loopback, origin, same_origin};
use crate::transcript::{Answer, Response};
use crate::wire::Error;
use crate::wire::chromium::{Asked, Chromium, Event, Gone};

/// The most requests of one login, pages and all that is on them.
const MOST_REQUESTS: usize = 500;
/// How long a browser may take over its next step.
const WITHIN: Duration = Duration::from_secs(30);
/// How long a page that asks for nothing is given: its script may lead on by itself.
const STILL: Duration = Duration::from_secs(1);
/// How long the page that a callback is answered with may take to be read.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// Fields that stand for one connection, and a coding that is undone already.
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "content-length", "transfer-encoding", "content-encoding", "accept-encoding", "host"];

/// Passes a page as declared, as a person does: fills in, and presses. Says whether it is the declared one.
const PASS: &str = "page => {
  if (page.link) {
    const link = document.querySelector(page.link);
    if (link) setTimeout(() => link.click());
    return !!link;
  }
  const fields = (form, name) => [...form.elements].filter(field => field.name === name);
  const has = form => page.fill.every(([name]) => fields(form, name).length);
  const form = page.form ? document.querySelector(page.form) : [...document.forms].find(has);
  if (!form || !has(form)) return false;
  let presses = null;
  for (const [name, value] of page.fill) {
    const named = fields(form, name);
    const field = named.find(field => field.value === value) ?? named[0];
    const boxed = ['checkbox', 'radio'].includes(field.type);
    if (['submit', 'button', 'image'].includes(field.type)) { presses = field; continue; }
    field.focus();
    if (boxed) field.checked = true; else field.value = value;
    for (const event of ['input', 'change']) field.dispatchEvent(new Event(event, { bubbles: true }));
  }
  const button = presses ?? form.querySelector('button:not([type=button]):not([type=reset]), input[type=submit]');
  setTimeout(() => button ? button.click() : form.requestSubmit());
  return true;
}";

impl From<Gone> for Lost {
    fn from(Gone(why): Gone) -> Self {
        Self::Browser(why)
    }
}

/// A browser, and where another comes from when it is of no more use.
pub(super) struct Rendered {
    program: PathBuf,
    browser: Option<Chromium>,
}

/// How far a login is.
#[derive(Default)]
struct Stage {
    /// Whether the org was there.
    began: bool,
    /// The URL of the callback, once it was brought.
    brought: Option<String>,
    /// What was answered last, for a person.
    last: String,
}

impl Rendered {
    pub(super) async fn start(program: PathBuf) -> Result<Self, Error> {
        let browser = Some(Chromium::start(&program).await?);
        Ok(Self { program, browser })
    }

    /// Leads the browser from an authorize URL to the callback. `pages` are what is declared, the next one last.
    pub(super) async fn leads(
        &mut self,
        person: &Person<'_>,
        url: &str,
        pages: Vec<Page>,
    ) -> Result<(), Lost> {
        let browser = match &mut self.browser {
            Some(browser) => browser,
            none => {
                let another = Chromium::start(&self.program).await;
                none.insert(another.map_err(|why| Lost::Browser(why.to_string()))?)
            }
        };
        let led = led(browser, person, url, pages).await;
        if led.is_err() {
            // It may be in the middle of something: the next login begins with a new one, as a person would begin again.
            self.browser = None;
        }
        led
    }
}

async fn led(
    browser: &mut Chromium,
    person: &Person<'_>,
    url: &str,
    mut pages: Vec<Page>,
) -> Result<(), Lost> {
    browser.go(url).await?;
    let mut stage = Stage::default();
    let mut within = WITHIN;
    for _ in 0..MOST_REQUESTS {
        match browser.event(within).await? {
            Some(Event::Asks(asked)) => {
                within = WITHIN;
                if let Some(over) = answered(browser, person, &mut stage, &asked).await? {
                    return over.map_err(Lost::Way);
                }
                if stage.brought.is_some() {
                    within = AFTERWARDS;
                }
            }
            Some(Event::Box) => browser.press().await?,
            // The page of the callback, with everything on it, or one that keeps the browser waiting.
            Some(Event::Loaded) | None if stage.brought.is_some() => {
                return Ok(());
            }
            Some(Event::Loaded) => {
                if !passed(browser, &mut pages, person.user).await? {
                    within = STILL;
                }
            }
            Some(Event::Crashed) => return Err(Lost::Browser("it crashed on a page".into())),
            None => return Err(format!("the user went no further than {}", stage.last).into()),
        }
    }
    Err(format!("the login took more than {MOST_REQUESTS} requests and pages").into())
}

/// Answers a request of the browser; says how the login ended, where it did.
async fn answered(
    browser: &mut Chromium,
    person: &Person<'_>,
    stage: &mut Stage,
    asked: &Asked,
) -> Result<Option<Result<(), String>>, Lost> {
    let Some(mut request) = request(asked) else {
        // A page may hold its pictures in itself, and scripts lead to pages of their own making.
        browser.refuse(asked).await?;
        return Ok(None);
    };
    if person.org.is_at(&asked.url) {
        stage.began = true;
        let Some((_, response)) = person.org.visited(request).await else {
            return Ok(Some(Err("the org did not answer the user".into())));
        };
        stage.last = response.one_line();
        give(browser, asked, &response).await?;
        return Ok(None);
    }
    if let Some(back) = &stage.brought {
        // Whatever else the page of the client shows comes from the client, or not at all.
        if !same_origin(&asked.url, back) || !is_loopback(&asked.url) {
            person.org.not_visited(&request, Endpoint::Page);
            browser.refuse(asked).await?;
        } else if let (_, Answer::Response(response), _) = sent(request).await? {
            give(browser, asked, &response).await?;
        } else {
            browser.refuse(asked).await?;
        }
        return Ok(None);
    }
    if !asked.is_page {
        browser.refuse(asked).await?;
        return Ok(None);
    }
    if !stage.began {
        browser.refuse(asked).await?;
        return Ok(Some(Err(person.not_sent(&request))));
    }
    let Ok(uri) = altered(person.org, &asked.url, person.callback).parse() else {
        return Ok(Some(Err(format!("the callback {} is not a URL", origin(&asked.url)))));
    };
    *request.uri_mut() = uri;
    match brought(person.org, request, person.callback).await {
        Ok(Some(response)) => {
            give(browser, asked, &response).await?;
            stage.brought = Some(asked.url.clone());
            // An answer without a page leaves the browser where it was.
            Ok(matches!(response.status, 204 | 205).then_some(Ok(())))
        }
        Ok(None) => Ok(Some(Ok(()))),
        Err(why) => Ok(Some(Err(why))),
    }
}

/// Fills in the first declared page that fits; says whether there is one. Those that were passed over are taken away.
async fn passed(browser: &mut Chromium, pages: &mut Vec<Page>, user: &User) -> Result<bool, Gone> {
    for at in (0..pages.len()).rev() {
        let page = &pages[at];
        let fill: Vec<(&String, String)> =
            page.fill.iter().map(|(name, value)| (name, user.filled(value))).collect();
        let told = json!({ "fill": fill, "form": page.form, "link": page.link });
        if browser.run(PASS, &told).await? == Value::Bool(true) {
            pages.truncate(at);
            return Ok(true);
        }
    }
    Ok(false)
}

fn request(asked: &Asked) -> Option<Request<Bytes>> {
    let mut request = Request::builder().method(asked.method.as_str()).uri(&asked.url);
    for (name, value) in &asked.headers {
        if !OF_THE_CONNECTION.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            request = request.header(name, value);
        }
    }
    let request = request.body(Bytes::from(asked.body.clone())).ok()?;
    request.uri().authority().is_some().then_some(request)
}

async fn give(browser: &mut Chromium, asked: &Asked, response: &Response) -> Result<(), Gone> {
    let is_its_own = |name: &str| OF_THE_CONNECTION.iter().any(|own| name.eq_ignore_ascii_case(own));
    let headers: Vec<(String, String)> =
        response.headers.iter().filter(|(name, _)| !is_its_own(name)).cloned().collect();
    browser.answer(asked, response.status, &headers, response.body.as_bytes()).await
}
