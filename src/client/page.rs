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
    let document =
        read(html).ok_or_else(|| Stuck::Nothing("form: it is nested too deep to be read".into()))?;
    let base = base(&document, at);
    let at = base.as_str();
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
    let controls = controls(&document, form);
    let mut fields = carried(&controls);
    let names: Vec<&str> = controls.iter().filter_map(|control| control.value().attr("name")).collect();
    let mut pressed = None;
    for (name, value) in &page.fill {
        if !names.contains(&name.as_str()) {
            return Err(Stuck::Field(name.clone(), names.join(", ")));
        }
        let value = user.filled(value);
        pressed = button(&controls, name, &value).or(pressed);
        fields.set(name, value);
    }
    // The only one is what a user has to press, and what a browser takes for pressed.
    if let (None, [only]) = (pressed, &buttons(&controls)[..]) {
        pressed = Some(*only);
        if let Some(name) = only.value().attr("name") {
            fields.push(name, only.value().attr("value").unwrap_or(""));
        }
    }
    let said = |of_button: &str, of_form: &str| {
        let button = pressed.and_then(|button| button.value().attr(of_button));
        button.or_else(|| form.value().attr(of_form)).unwrap_or("")
    };
    let url = join(at, said("formaction", "action"))?;
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
    // Whatever is neither is taken for GET (HTML, form submission attributes).
    if !said("formmethod", "method").eq_ignore_ascii_case("post") {
        let base = url.split(['?', '#']).next().unwrap_or("").to_owned();
        let url = format!("{base}?{}", fields.write());
        return Ok(Submit { method: "GET".into(), url, content_type: None, body: String::new() });
    }
    let (content_type, body) = if said("formenctype", "enctype").eq_ignore_ascii_case("multipart/form-data") {
        (format!("multipart/form-data; boundary={BOUNDARY}"), parts(&fields))
    } else {
        ("application/x-www-form-urlencoded".to_owned(), fields.write())
    };
    Ok(Submit { method: "POST".into(), url, content_type: Some(content_type), body })
}

/// What stands between the parts of a form that is sent as `multipart/form-data` (RFC 7578 §4.1).
const BOUNDARY: &str = "grantcheck-4f8a1c6e2b9d7035";

/// Fields as the parts of a form.
fn parts(fields: &Params) -> String {
    let escaped = |name: &str| name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut body = String::new();
    for (name, value) in fields.iter() {
        let name = escaped(name);
        body +=
            &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body + &format!("--{BOUNDARY}--\r\n")
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

/// Why a user agent stands still at a page that wants something from its user, in words: what is declared next does not fit it,
/// or nothing more is declared. None for what is no such page. `declared` are all pages, `left` those that were not reached, the
/// next one last.
pub fn stands_still(
    response: &Response,
    at: &str,
    declared: &[Page],
    left: &[Page],
    user: &User,
) -> Option<String> {
    if response.status >= 300 {
        return None;
    }
    let path = url::Url::parse(at).map_or_else(|_| at.to_owned(), |url| url.path().to_owned());
    let Some(document) = read(&response.body) else {
        return Some(format!("the page at {path} is nested too deep to be read"));
    };
    let forms: Vec<ElementRef<'_>> =
        document.select(&selector("form")).filter(|form| !is_inert(*form)).collect();
    if forms.is_empty() {
        let by_script = document.select(&selector("script")).next().is_some();
        return by_script.then(|| {
            format!(
                "the page at {path} has no form, scripts make it: `login: browser` has it passed by a person"
            )
        });
    }
    let fits = |page: &Page| pass(&response.body, at, page, user);
    if let Some(Err(why)) = left.last().map(fits) {
        return Some(format!("the page at {path} is not the next of the target's login: {why}"));
    }
    let controls = forms.iter().flat_map(|form| controls(&document, *form));
    let names: Vec<&str> = controls.filter_map(|control| control.value().attr("name")).collect();
    let names = names.join(", ");
    Some(match declared.iter().any(|page| !page.fill.is_empty() && fits(page).is_ok()) {
        true => {
            format!("the page at {path} asks for {names} again, as if what the target fills in were wrong")
        }
        false => format!("the target's login declares no page for the fields at {path}: {names}"),
    })
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
    read(html).is_some_and(|document| document.select(&selector("form")).any(|form| !is_inert(form)))
}

/// How deep elements may stand in each other; browsers stop there too.
const DEEPEST: usize = 512;

/// Reads a page; none where its elements are nested so deep that reading it would take for ever.
fn read(html: &str) -> Option<Html> {
    (depth(html) <= DEEPEST).then(|| Html::parse_document(html))
}

/// How deep elements stand in each other, at least: those that need no end are not counted.
fn depth(html: &str) -> usize {
    const ENDLESS: [&str; 33] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
        "track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option",
        "optgroup", "colgroup", "caption", "rp", "rt", "html", "head", "body",
    ];
    let (mut deepest, mut now) = (0_usize, 0_usize);
    for tag in html.split('<').skip(1) {
        let end = tag.starts_with('/');
        let name = tag.trim_start_matches('/');
        let name = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or("");
        if name.is_empty() || ENDLESS.iter().any(|endless| name.eq_ignore_ascii_case(endless)) {
            continue;
        }
        now = if end { now.saturating_sub(1) } else { now + 1 };
        deepest = deepest.max(now);
    }
    deepest
}

/// Whether an element is only there for scripts.
fn is_inert(element: ElementRef<'_>) -> bool {
    ancestors(element).any(|above| above.value().name() == "template")
}

fn ancestors(element: ElementRef<'_>) -> impl Iterator<Item = ElementRef<'_>> {
    element.ancestors().filter_map(ElementRef::wrap)
}

/// What references of a page are resolved against.
fn base(document: &Html, at: &str) -> String {
    let base = document.select(&selector("base[href]")).next();
    let href = base.and_then(|base| base.value().attr("href"));
    href.and_then(|href| join(at, href).ok()).unwrap_or_else(|| at.to_owned())
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
    let forms: Vec<ElementRef<'d>> =
        document.select(&selector("form")).filter(|form| !is_inert(*form)).collect();
    let fits = |form: &&ElementRef<'d>| {
        let controls = controls(document, **form);
        let has = |name: &str| controls.iter().any(|control| control.value().attr("name") == Some(name));
        page.fill.iter().all(|(name, _)| has(name))
    };
    forms.iter().find(fits).or(forms.first()).copied()
}

/// The controls of a form, in the order of the page: those in it, those that name it, and those of a table that it stands in as
/// it cannot be around its rows.
fn controls<'d>(document: &'d Html, form: ElementRef<'d>) -> Vec<ElementRef<'d>> {
    let id = form.value().attr("id");
    let mut last = None;
    let mut found = Vec::new();
    for element in document.select(&selector("form, input, textarea, select, button")) {
        if element.value().name() == "form" {
            let in_a_table = ancestors(element).next().is_some_and(|above| {
                matches!(above.value().name(), "table" | "tbody" | "thead" | "tfoot" | "tr")
            });
            last = Some(element).filter(|_| in_a_table);
            continue;
        }
        let around = ancestors(element).find(|above| above.value().name() == "form");
        let owner = match element.value().attr("form") {
            Some(named) => (id == Some(named)).then_some(form),
            None => around.or(last),
        };
        if owner == Some(form) && !is_inert(element) {
            found.push(element);
        }
    }
    found
}

/// What a user could press to send a form.
fn buttons<'d>(controls: &[ElementRef<'d>]) -> Vec<ElementRef<'d>> {
    let sends = |control: &&ElementRef<'d>| {
        let kind = control.value().attr("type").unwrap_or("").to_ascii_lowercase();
        match control.value().name() {
            "button" => !matches!(kind.as_str(), "button" | "reset"),
            "input" => matches!(kind.as_str(), "submit" | "image"),
            _ => false,
        }
    };
    controls.iter().filter(sends).filter(|control| !is_disabled(**control)).copied().collect()
}

/// The button with that name, best with that value.
fn button<'d>(controls: &[ElementRef<'d>], name: &str, value: &str) -> Option<ElementRef<'d>> {
    let named: Vec<_> =
        buttons(controls).into_iter().filter(|button| button.value().attr("name") == Some(name)).collect();
    named.iter().find(|button| button.value().attr("value") == Some(value)).or(named.first()).copied()
}

/// Whether a control takes no part: it says so, or the group that it is in does.
fn is_disabled(control: ElementRef<'_>) -> bool {
    let group = |above: ElementRef<'_>| {
        above.value().name() == "fieldset" && above.value().attr("disabled").is_some()
    };
    control.value().attr("disabled").is_some() || ancestors(control).any(group)
}

/// What is sent without anybody acting: hidden fields, preset values, checked boxes, selected options.
fn carried(controls: &[ElementRef<'_>]) -> Params {
    let mut fields = Params::new();
    for input in controls {
        let element = input.value();
        let Some(name) = element.attr("name") else { continue };
        let kind = element.attr("type").unwrap_or("text").to_ascii_lowercase();
        let boxed = matches!(kind.as_str(), "checkbox" | "radio");
        if element.name() == "button"
            || matches!(kind.as_str(), "submit" | "button" | "image" | "reset" | "file")
            || (boxed && element.attr("checked").is_none())
            || is_disabled(*input)
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
                chosen.map(of_option).unwrap_or_default()
            }
            _ => element.attr("value").unwrap_or(if boxed { "on" } else { "" }).to_owned(),
        };
        fields.push(name, value);
    }
    fields
}

/// The value of an option, which is its text where it has none.
fn of_option(option: ElementRef<'_>) -> String {
    let text = || option.text().collect::<String>().split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    option.value().attr("value").map_or_else(text, str::to_owned)
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
        assert_eq!(submit.body, "csrf=x%22y&user=ann&pw=p+w&save=Allow");
    }

    #[test]
    fn a_button_is_pressed_by_its_name_and_a_missing_field_is_told() {
        let user = User::default();
        let submit = pass(PAGE, "https://org.example/", &page(&[("save", "Allow")]), &user).unwrap();
        assert!(submit.body.ends_with("&save=Allow"));
        let stuck = pass(PAGE, "https://org.example/", &page(&[("pin", "1")]), &user).unwrap_err();
        assert!(matches!(stuck, Stuck::Field(name, _) if name == "pin"));
    }

    #[test]
    fn pages_are_read_as_browsers_read_them() {
        let sent = |html: &str, fill: &[(&str, &str)]| {
            let submit = pass(html, "https://o.example/a/page", &page(fill), &User::default()).unwrap();
            format!("{} {} {}", submit.method, submit.url.replace("https://o.example", ""), submit.body)
        };
        for (html, expected) in [
            ("<form method=post><input name=u><button formaction='/in'>Go</button></form>", "POST /in u=ann"),
            ("<form action=/in><input name=u><input type=submit formmethod=post></form>", "POST /in u=ann"),
            (
                "<form id=f method=post></form><input name=u form=f><input name=x form=g>",
                "POST /a/page u=ann",
            ),
            (
                "<table><form method=post action=/in><tr><td><input name=u><input name=h value=1></td></tr></form></table>",
                "POST /in u=ann&h=1",
            ),
            (
                "<template><form><input name=u></form></template><form method=post><input name=u></form>",
                "POST /a/page u=ann",
            ),
            (
                "<form method=post><input name=u><fieldset disabled><input name=x></fieldset></form>",
                "POST /a/page u=ann",
            ),
            (
                "<form method=post><input name=u><select name=s><option>a<option selected> b  c </select></form>",
                "POST /a/page u=ann&s=b+c",
            ),
            (
                "<form method=post><input name=u><button name=go value=1>Go</button></form>",
                "POST /a/page u=ann&go=1",
            ),
            (
                "<form method=post><input name=u><button name=go value=1>Yes</button><button name=go value=2>No</button></form>",
                "POST /a/page u=ann",
            ),
            ("<form action='/in?x=1#top'><input name=u></form>", "GET /in?u=ann "),
            ("<base href='/sub/'><form action=in method=post><input name=u></form>", "POST /sub/in u=ann"),
        ] {
            assert_eq!(sent(html, &[("u", "ann")]), expected, "{html}");
        }
        let html = "<form method=post enctype=multipart/form-data><input name='u\"'></form>";
        let submit = pass(html, "https://o.example/", &page(&[("u\"", "ann")]), &User::default()).unwrap();
        assert_eq!(submit.content_type.unwrap(), format!("multipart/form-data; boundary={BOUNDARY}"));
        assert_eq!(
            submit.body,
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"u%22\"\r\n\r\nann\r\n--{BOUNDARY}--\r\n"
            )
        );
    }

    #[test]
    fn a_page_that_is_nested_too_deep_is_none() {
        let form = "<form><input name=u></form>";
        assert!(has_form(&format!("{}{form}", "<div>".repeat(500))));
        let deep = format!("{}{form}", "<div>".repeat(300_000));
        assert!(!has_form(&deep));
        assert!(pass(&deep, "https://o.example/", &page(&[("u", "ann")]), &User::default()).is_err());
        // What needs no end is not nested.
        assert!(has_form(&format!("{}{form}", "<p>a<br><li>b".repeat(2_000))));
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(html in ".{0,200}", at in ".{0,40}") {
            let _ = pass(&html, &at, &page(&[("a", "b")]), &User::default());
        }
    }
}
