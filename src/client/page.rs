//! The user agent's part on login and approval pages: find the form, fill it, submit it.

use bytes::Bytes;
use scraper::{ElementRef, Html, Selector};
use serde_json::{Map, Value};

use super::{Outgoing, Remember, Session};
use crate::oauth::Params;
use crate::oauth::salesforce::Profile;
use crate::subject::{Endpoints, Page, Target, User};
use crate::transcript::questions::same_origin;
use crate::transcript::{Request, Response};

/// What a page asks the user agent to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Content type, where there is a body.
    pub content_type: Option<String>,
    /// Body.
    pub body: String,
}

/// Why a page cannot be passed in the declared way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// The selector of the declaration is not one.
    #[error("`{0}` is not a CSS selector")]
    Selector(String),
    /// No form there.
    #[error("the page has no {0}")]
    Nothing(String),
    /// A field that is to be filled in is not on the page.
    #[error("the form has no field `{0}`; it has: {1}")]
    Field(String, String),
    /// The place where the form goes is not a URL.
    #[error("the form goes to `{0}`, which is not a URL")]
    Url(String),
}

/// Whether a URL belongs to the server: nothing is sent anywhere else, the callback least of all.
pub fn is_inside(url: &str, target: &Target, endpoints: &Endpoints, org: &str, session: &Session) -> bool {
    let callback = |uri: &str| url.split(['?', '#']).next() == uri.split(['?', '#']).next();
    if session.redirect_uri.as_deref().is_some_and(callback)
        || target.apps.values().flat_map(|app| &app.redirect_uris).any(|uri| callback(uri))
    {
        return false;
    }
    let ours = [Some(org), endpoints.authorize.as_deref(), endpoints.issuer.as_deref()];
    let salesforce = |url: &str| Profile::of(Some(url)) == Profile::Salesforce;
    ours.into_iter().flatten().any(|known| same_origin(known, url)) || (salesforce(org) && salesforce(url))
}

/// Passes a page as declared: hidden fields are carried along, declared fields are filled in.
///
/// # Errors
/// [`Stuck`], where the page is not the declared one.
pub fn pass(html: &str, at: &str, page: &Page, user: &User) -> Result<Submit, Stuck> {
    let document = Html::parse_document(html);
    if let Some(selector) = &page.link {
        let link =
            select(&document, selector)?.ok_or_else(|| Stuck::Nothing(format!("link `{selector}`")))?;
        let url = join(at, link.value().attr("href").unwrap_or(""))?;
        return Ok(Submit { method: "GET".into(), url, content_type: None, body: String::new() });
    }
    let form = match &page.form {
        Some(selector) => {
            select(&document, selector)?.ok_or_else(|| Stuck::Nothing(format!("form `{selector}`")))?
        }
        None => fitting_form(&document, page).ok_or_else(|| Stuck::Nothing("form".into()))?,
    };
    let mut fields = carried(form);
    let names = names(form);
    for (name, value) in &page.fill {
        if !names.contains(name) {
            return Err(Stuck::Field(name.clone(), names.join(", ")));
        }
        fields.set(name, user.filled(value));
    }
    let method = form.value().attr("method").unwrap_or("get").to_ascii_uppercase();
    let url = join(at, form.value().attr("action").unwrap_or(""))?;
    if let Some(method) = &page.json {
        let members: Map<String, Value> = fields.iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
        let body = Value::Object(members).to_string();
        return Ok(Submit {
            method: method.clone(),
            url,
            content_type: Some("application/json".into()),
            body,
        });
    }
    if method == "GET" {
        let base = url.split('?').next().unwrap_or("").to_owned();
        let url = format!("{base}?{}", fields.write());
        return Ok(Submit { method, url, content_type: None, body: String::new() });
    }
    let content_type = Some("application/x-www-form-urlencoded".into());
    Ok(Submit { method, url, content_type, body: fields.write() })
}

/// What a user agent does with an answer: it follows a redirect, or acts on a page. `pages` are what is declared, the next
/// one last; those that were passed or passed over are taken away.
pub fn next(request: &Request, response: &Response, pages: &mut Vec<Page>, user: &User) -> Option<Submit> {
    let url = &request.url;
    if (300..400).contains(&response.status) {
        let url = join(url, response.header("location")?).ok()?;
        // 307 and 308 would repeat the body; a browser does, and so a server's mistake is seen.
        if !matches!(response.status, 307 | 308) {
            return Some(Submit { method: "GET".into(), url, content_type: None, body: String::new() });
        }
        let content_type = request.header("content-type").map(str::to_owned);
        return Some(Submit {
            method: request.method.clone(),
            url,
            content_type,
            body: request.body.clone(),
        });
    }
    if response.status >= 400 || !has_form(&response.body) && pages.iter().all(|page| page.link.is_none()) {
        return None;
    }
    // Pages may be left out by a server that remembers; the first declared one that fits is meant.
    let fits = |page: &Page| pass(&response.body, url, page, user).ok();
    let (at, submit) = (0..pages.len()).rev().find_map(|at| Some((at, fits(&pages[at])?)))?;
    pages.truncate(at);
    Some(submit)
}

/// The request of a user agent.
pub fn visit(submit: &Submit) -> Option<Outgoing> {
    let mut request = http::Request::builder()
        .method(submit.method.as_str())
        .uri(&submit.url)
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    if let Some(kind) = &submit.content_type {
        request = request.header("content-type", kind);
    }
    let request = request.body(Bytes::from(submit.body.clone())).ok()?;
    Some(Outgoing { request, truncated: false, remember: Remember::default() })
}

/// Whether a text is a page with a form: what a user would have to act on.
pub fn has_form(html: &str) -> bool {
    Html::parse_document(html).select(&selector("form")).next().is_some()
}

/// Resolves a reference against the URL of the page (RFC 3986 §5).
///
/// # Errors
/// [`Stuck::Url`], where it is none.
pub fn join(at: &str, reference: &str) -> Result<String, Stuck> {
    let base = url::Url::parse(at).map_err(|_| Stuck::Url(at.to_owned()))?;
    base.join(reference).map(String::from).map_err(|_| Stuck::Url(reference.to_owned()))
}

/// The form that has every declared field, or the only one.
fn fitting_form<'d>(document: &'d Html, page: &Page) -> Option<ElementRef<'d>> {
    let forms: Vec<ElementRef<'d>> = document.select(&selector("form")).collect();
    let fits = |form: &&ElementRef<'d>| {
        let names = names(**form);
        page.fill.iter().all(|(name, _)| names.contains(name))
    };
    forms.iter().find(fits).or(forms.first()).copied()
}

/// What is sent without anybody acting: hidden fields, preset values, checked boxes, selected options.
fn carried(form: ElementRef<'_>) -> Params {
    let mut fields = Params::new();
    for input in form.select(&selector("input, textarea, select")) {
        let element = input.value();
        let Some(name) = element.attr("name") else { continue };
        let kind = element.attr("type").unwrap_or("text").to_ascii_lowercase();
        let boxed = matches!(kind.as_str(), "checkbox" | "radio");
        if matches!(kind.as_str(), "submit" | "button" | "image" | "reset" | "file")
            || (boxed && element.attr("checked").is_none())
            || element.attr("disabled").is_some()
        {
            continue;
        }
        let value = match element.name() {
            "textarea" => input.text().collect::<String>(),
            "select" => {
                let chosen = input
                    .select(&selector("option[selected]"))
                    .next()
                    .or_else(|| input.select(&selector("option")).next());
                chosen.and_then(|option| option.value().attr("value")).unwrap_or("").to_owned()
            }
            _ => element.attr("value").unwrap_or(if boxed { "on" } else { "" }).to_owned(),
        };
        fields.push(name, value);
    }
    fields
}

/// Names of everything in a form that can carry a value, buttons among them.
fn names(form: ElementRef<'_>) -> Vec<String> {
    form.select(&selector("input, textarea, select, button"))
        .filter_map(|field| field.value().attr("name").map(str::to_owned))
        .collect()
}

fn select<'d>(document: &'d Html, text: &str) -> Result<Option<ElementRef<'d>>, Stuck> {
    let selector = Selector::parse(text).map_err(|_| Stuck::Selector(text.to_owned()))?;
    Ok(document.select(&selector).next())
}

fn selector(text: &'static str) -> Selector {
    Selector::parse(text).expect("a selector of our own")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = r#"<p>Log in</p><form id="search" action="/s"><input name="q"></form>
        <form method="post" action="login?a=1&amp;b=2"><input type="hidden" name="csrf" value="x&quot;y">
        <input name="user" value="preset"><input type="password" name="pw"><input type="checkbox" name="stay">
        <button name="save" value="Allow">Go</button></form>"#;

    fn page(fill: &[(&str, &str)]) -> Page {
        Page { fill: fill.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(), ..Page::default() }
    }

    #[test]
    fn the_form_with_the_fields_is_filled_and_hidden_fields_go_along() {
        let user = User { username: "ann".into(), password: Some("p w".into()), ..User::default() };
        let fill = page(&[("user", "${user.username}"), ("pw", "${user.password}")]);
        let submit = pass(PAGE, "https://org.example/a/page", &fill, &user).unwrap();
        assert_eq!(submit.url, "https://org.example/a/login?a=1&b=2");
        assert_eq!(submit.body, "csrf=x%22y&user=ann&pw=p+w");
    }

    #[test]
    fn a_button_is_pressed_by_its_name_and_a_missing_field_is_told() {
        let user = User::default();
        let submit = pass(PAGE, "https://org.example/", &page(&[("save", "Allow")]), &user).unwrap();
        assert!(submit.body.ends_with("&save=Allow"));
        let stuck = pass(PAGE, "https://org.example/", &page(&[("pin", "1")]), &user).unwrap_err();
        assert!(matches!(stuck, Stuck::Field(name, _) if name == "pin"));
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(html in ".{0,200}", at in ".{0,40}") {
            let _ = pass(&html, &at, &page(&[("a", "b")]), &User::default());
        }
    }
}
