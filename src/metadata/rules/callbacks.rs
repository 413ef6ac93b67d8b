//! Callback URLs.

use super::{Place, Rule, filled_in};
use crate::metadata::app::{App, settings};
use crate::oauth::is_loopback;
use crate::verdict::{Basis, Level};

const SETUP: &str = "Settings › OAuth Settings › Callback URL (connected app: App Manager › the app › Edit).";
const XML: &str = "callbackUrl, one URL a line.";

/// Every callback with its app.
fn each(c: &super::Context<'_>, mut with: impl FnMut(&App<'_>, &str, Place)) {
    for app in &c.apps {
        for (callback, place) in app.callbacks() {
            with(app, &callback, place);
        }
    }
}

fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.trim().split_once(':')?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (begins && fits).then_some(scheme)
}

fn host(url: &str) -> Option<String> {
    url::Url::parse(url.trim()).ok()?.host_str().map(str::to_ascii_lowercase)
}

/// Whether a URL has a host that a browser could go to, where its scheme goes to one.
fn leads_somewhere(url: &str) -> bool {
    let Some((scheme, rest)) = url.trim().split_once(':') else { return false };
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return !rest.is_empty() && rest != "//";
    }
    // A reader of URLs mends what is not there: the slashes, and an empty part of a name.
    let host = rest.strip_prefix("//").filter(|rest| !rest.starts_with('/')).and_then(|_| host(url));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('.') && !host.contains(".."))
}

/// Whether another URL begins behind a comma or a semicolon: a host, or a scheme of its own.
fn holds_several(url: &str) -> bool {
    let begins = |rest: &str| rest.contains("://") && scheme(rest).is_some();
    url.char_indices().filter(|(_, c)| matches!(c, ',' | ';')).any(|(at, _)| begins(&url[at + 1..]))
}

/// Whether a blank that is none of ASCII stands before a URL or behind it, where readers of XML take it for nothing.
fn is_beside_a_wide_blank(place: &Place) -> bool {
    let source = place.text.source();
    let wide = |c: char| c.is_whitespace() && !c.is_ascii();
    let (before, behind) = (source.get(..place.span.start), source.get(place.span.end..));
    before.and_then(|text| text.chars().next_back()).is_some_and(wide)
        || behind.and_then(|text| text.chars().next()).is_some_and(wide)
}

/// Whether a character is not seen where it stands, and so is in no URL that somebody typed: controls, those of no width,
/// those that turn the direction of writing.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Parameters that an answer to an authorization request adds.
const ANSWERS: [&str; 7] = ["code", "state", "error", "error_description", "error_uri", "iss", "response"];

/// The first parameter in the query of a callback that an answer has as well.
pub(in crate::metadata) fn of_an_answer(url: &str) -> Option<&'static str> {
    let (_, query) = url.split('#').next()?.split_once('?')?;
    let known = |name: &str| ANSWERS.into_iter().find(|known| *known == name);
    url::form_urlencoded::parse(query.as_bytes()).find_map(|(name, _)| known(&name))
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "callbacks/url-is-absolute",
        "a callback URL is absolute",
        Must,
        Normative,
        &["RFC 6749 §3.1.2"],
        "A redirect URI is an absolute URI. What is relative, has no scheme or no host that can be, never equals what a client sends.",
        |c, told| each(c, |app, url, place| {
            // What is divided wrongly has a rule of its own; what a build fills in is not known.
            let other = url.contains('*') || url.contains(char::is_whitespace);
            let known = !filled_in(url);
            if known && (scheme(url).is_none() || !(other || leads_somewhere(url))) {
                told.at(&app.name, place, format!("`{url}` is no absolute URL with a host"));
            }
        })
    ),
    rule!(
        "callbacks/url-is-https",
        "a callback URL is https, a loopback address or of a scheme of its own",
        Must,
        Normative,
        &["RFC 9700 §2.6", "RFC 8252 §7.3"],
        "The authorization code goes over the wire as part of this URL. By http anybody on the way reads it; only the loopback interface never leaves the machine.",
        |c, told| each(c, |app, url, place| {
            if scheme(url).is_some_and(|s| s.eq_ignore_ascii_case("http")) && !is_loopback(url.trim()) {
                told.at(&app.name, place, format!("`{url}` is http"));
            }
        })
    ),
    rule!(
        "callbacks/scheme-runs-no-script",
        "a callback URL has no scheme that runs script",
        Must,
        Normative,
        &["RFC 8252 §8.4", "RFC 9700 §4.1"],
        "javascript:, data: and their like make the browser run what comes with the code.",
        |c, told| each(c, |app, url, place| {
            let bad = ["javascript", "data", "vbscript", "file", "blob", "about"];
            if scheme(url).is_some_and(|s| bad.contains(&s.to_ascii_lowercase().as_str())) {
                told.at(&app.name, place, format!("`{url}` has a scheme that runs what it is given"));
            }
        })
    ),
    rule!(
        "callbacks/custom-scheme-is-a-domain-of-ones-own",
        "a scheme of its own is a domain name turned round",
        Should,
        Normative,
        &["RFC 8252 §7.1"],
        "Any program on the device may register the scheme `myapp`; a name like com.example.app says whose it is and seldom meets another.",
        |c, told| each(c, |app, url, place| {
            let known = ["http", "https", "javascript", "data", "vbscript", "file", "blob", "about", "urn"];
            if scheme(url)
                .is_some_and(|s| !known.contains(&s.to_ascii_lowercase().as_str()) && !s.contains('.'))
            {
                told.at(&app.name, place, format!("`{url}` has a scheme without a domain"));
            }
        })
    ),
    rule!(
        "callbacks/url-has-no-wildcard",
        "a callback URL has no wildcard",
        Must,
        Normative,
        &["RFC 9700 §2.1", "RFC 9700 §4.1.1"],
        "Salesforce compares character by character: a wildcard matches nothing but itself. A server that does honour it sends codes to whoever finds a host in its range.",
        |c, told| each(c, |app, url, place| {
            if url.contains('*') {
                told.at(&app.name, place, format!("`{url}` has a wildcard"));
            }
        })
    ),
    rule!(
        "callbacks/url-has-no-fragment",
        "a callback URL has no fragment",
        Must,
        Normative,
        &["RFC 6749 §3.1.2"],
        "A redirect URI must not have a fragment: the parameters would stand in front of it or be lost.",
        |c, told| each(c, |app, url, place| {
            if url.contains('#') && !filled_in(url) {
                told.at(&app.name, place, format!("`{url}` has a fragment"));
            }
        })
    ),
    rule!(
        "callbacks/query-leaves-answers-alone",
        "the query of a callback URL has no parameter that answers have",
        Must,
        Derived,
        &["RFC 6749 §3.1.2", "RFC 6749 §4.1.2", "RFC 9207 §2"],
        "The server keeps the query and adds code and state, or error, behind it. A client that reads the first of two takes what was registered for the answer: a code that is none, an error that did not happen.",
        |c, told| each(c, |app, url, place| {
            if let Some(name) = of_an_answer(url) {
                told.at(
                    &app.name,
                    place,
                    format!("its query has `{name}`, which is a parameter of the answer"),
                );
            }
        })
    ),
    rule!(
        "callbacks/url-has-no-blank",
        "a callback URL has no blank in it or behind it",
        Must,
        Derived,
        &["RFC 9700 §2.1"],
        "Several callbacks are divided by line breaks. With blanks or commas between them, or one behind, none of them is what the client sends: redirect_uri_mismatch. Characters that nobody sees (U+200B, U+202E) come along when a URL is copied from a page or a chat.",
        |c, told| each(c, |app, url, place| {
            if url.contains(char::is_whitespace) || holds_several(url) || is_beside_a_wide_blank(&place) {
                told.at(&app.name, place, format!("`{url}` has blanks, or several URLs in one line"));
            } else if let Some(unseen) = url.chars().find(|c| is_unseen(*c)) {
                let code = u32::from(unseen);
                told.at(&app.name, place, format!("a character that nobody sees is in it: U+{code:04X}"));
            }
        })
    ),
    rule!(
        "callbacks/url-has-no-credentials",
        "a callback URL names no user",
        Must,
        Derived,
        &["RFC 9700 §4.1.1", "RFC 3986 §3.2.1"],
        "`https://good.example@evil.example` goes to evil.example.",
        |c, told| each(c, |app, url, place| {
            let authority =
                url.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
            if authority.is_some_and(|authority| authority.contains('@')) {
                told.at(
                    &app.name,
                    place,
                    format!("`{}` has a user before the host", url.split('@').next_back().unwrap_or("")),
                );
            }
        })
    ),
    rule!(
        "callbacks/url-stands-once",
        "each callback URL stands once",
        BestPractice,
        Derived,
        &["RFC 9700 §4.1.3"],
        "The list should be as short as can be; one that stands twice is left over from a merge.",
        |c, told| {
            for app in &c.apps {
                let all = app.callbacks();
                for (number, (url, place)) in all.iter().enumerate() {
                    if all[..number].iter().any(|(other, _)| other == url) {
                        told.at(&app.name, place.clone(), format!("`{url}` stands here again"));
                    }
                }
            }
        }
    ),
    rule!(
        "callbacks/none-is-left-from-testing",
        "beside real callback URLs there is none of a test",
        BestPractice,
        Derived,
        &["RFC 9700 §4.1.3"],
        "Each callback is a place to which codes can be led. Loopback and staging hosts beside a production host are left over from a test; give tests an app of their own.",
        |c, told| {
            // `dev` at the end is a domain like any other, `test`, `example` and `localhost` are reserved (RFC 6761).
            let testing = |host: &str| {
                let host = host.strip_suffix(".dev").unwrap_or(host);
                let words = ["staging", "stage", "test", "dev", "uat", "qa", "localhost", "ngrok", "example"];
                is_loopback(&format!("http://{host}"))
                    || host.split(['.', '-']).any(|part| words.contains(&part))
            };
            for app in &c.apps {
                // The landing page of Salesforce itself is neither a production host of the app nor one of its tests.
                let landing = |host: &str| host == "salesforce.com" || host.ends_with(".salesforce.com");
                let hosts: Vec<_> = app
                    .callbacks()
                    .into_iter()
                    .filter_map(|(url, place)| Some((host(&url)?, place)))
                    .filter(|(host, _)| !landing(host))
                    .collect();
                let real = hosts.iter().any(|(host, _)| !testing(host));
                for (host, place) in hosts.iter().filter(|(host, _)| real && testing(host)) {
                    told.at(&app.name, place.clone(), format!("`{host}` looks like a host of a test"));
                }
            }
        }
    ),
    rule!(
        "callbacks/list-is-not-too-long",
        "all callback URLs together have at most 2,000 characters",
        Must,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        "Longer lists are refused on deployment.",
        |c, told| {
            for app in &c.apps {
                let length = app.text(&settings::CALLBACK).map_or(0, |list| list.chars().count());
                if length > 2000 {
                    told.app(app, &settings::CALLBACK, format!("the list has {length} characters"));
                }
            }
        }
    ),
];
