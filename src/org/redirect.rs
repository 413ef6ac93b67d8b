//! Redirect URIs: which of them an app has, and how they carry an answer.

use super::registry::App;
use super::{Org, fault};
use crate::oauth::params::form_encode;

/// The parts of a URI, as its text has them.
struct Parts<'u> {
    scheme: &'u str,
    host: &'u str,
    port: &'u str,
    path: &'u str,
    query: &'u str,
    fragment: &'u str,
}

/// Whether the app has this redirect URI, compared character by character (RFC 9700 §4.1.3), as far as the org
/// compares at all.
pub(super) fn is_registered(org: &Org, app: &App, uri: &str) -> bool {
    let registered = &app.registered.redirect_uris;
    registered.iter().any(|one| one == uri) || registered.iter().any(|one| is_taken_for(org, app, one, uri))
}

/// What faults take for the registered URI.
fn is_taken_for(org: &Org, app: &App, registered: &str, uri: &str) -> bool {
    let has = |fault| org.faults.has(fault);
    // A query with the keys of a registered one is a changed query, not an added one.
    let has_keys = |query: &str| {
        let known = app.registered.redirect_uris.iter().filter_map(|one| parts(one));
        known.filter(|known| !known.query.is_empty()).any(|known| keys(known.query) == keys(query))
    };
    if has(&fault::REDIRECT_ANY) {
        return true;
    }
    if ["javascript:", "data:"].iter().any(|scheme| uri.starts_with(scheme)) {
        return has(&fault::REDIRECT_SCRIPT);
    }
    let (Some(known), Some(asked)) = (parts(registered), parts(uri)) else { return false };
    let scheme = known.scheme == asked.scheme;
    let name = known.host == asked.host;
    let host = name && known.port == asked.port;
    let path = known.path == asked.path;
    let bare = asked.fragment.is_empty();
    let query = known.query == asked.query && bare;
    let marks = ["..", "%2e", "%2f", "%5c", "\\", ";"];
    let confused = marks.iter().any(|mark| asked.path.to_lowercase().contains(mark));
    let even = |uri: &str| {
        let decoded = percent_encoding::percent_decode_str(uri).decode_utf8_lossy().to_lowercase();
        decoded.trim_end_matches('/').to_owned()
    };
    // Elsewhere than where it belongs; a host that only resembles the registered one is another wrong.
    let rest = format!("{}{}{}", asked.path, asked.query, asked.fragment);
    let stands_elsewhere = asked.host.contains('@')
        || !name && !is_relative(known.host, asked.host) && rest.contains(known.host);
    has(&fault::REDIRECT_HOST) && name
        || has(&fault::REDIRECT_PORT) && scheme && name && path && query
        || has(&fault::REDIRECT_NORMALISED) && even(registered) == even(uri)
        || has(&fault::REDIRECT_CONFUSED)
            && scheme
            && host
            && query
            && confused
            && asked.path.starts_with(known.path)
        || has(&fault::REDIRECT_AUTHORITY) && scheme && stands_elsewhere
        || has(&fault::REDIRECT_FRAGMENT) && scheme && host && path && known.query == asked.query
        || has(&fault::REDIRECT_PREFIX) && scheme && host && query && asked.path.starts_with(known.path)
        || has(&fault::REDIRECT_SUBDOMAIN) && scheme && path && query && is_relative(known.host, asked.host)
        || has(&fault::REDIRECT_ROGUE) && known.host != asked.host && !is_relative(known.host, asked.host)
        || has(&fault::REDIRECT_QUERY_ADDED)
            && scheme
            && host
            && path
            && known.query.is_empty()
            && bare
            && !has_keys(asked.query)
        || has(&fault::REDIRECT_QUERY_CHANGED)
            && scheme
            && host
            && path
            && bare
            && keys(known.query) == keys(asked.query)
        || has(&fault::REDIRECT_SCHEME)
            && host
            && path
            && query
            && (known.scheme, asked.scheme) == ("https", "http")
}

/// Whether a host is a sub-domain of another, a sibling, or looks like it at one of its ends.
fn is_relative(known: &str, asked: &str) -> bool {
    let parent =
        |host: &str| host.split_once('.').map(|(_, parent)| parent.to_owned()).filter(|p| p.contains('.'));
    let siblings = parent(known).is_some() && parent(known) == parent(asked);
    known != asked && !asked.contains('@') && (asked.ends_with(known) || asked.starts_with(known) || siblings)
}

fn parts(uri: &str) -> Option<Parts<'_>> {
    let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Some(Parts { scheme, host, port, path, query, fragment })
}

fn keys(query: &str) -> Vec<&str> {
    query.split('&').map(|pair| pair.split('=').next().unwrap_or("")).collect()
}

/// The URI with an answer in its query, after what it has there already (RFC 6749 §3.1.2, §4.1.2).
pub(super) fn carrying(org: &Org, uri: &str, answer: &str) -> String {
    let (uri, fragment) = uri.split_once('#').map_or((uri, None), |(uri, fragment)| (uri, Some(fragment)));
    let (base, query) = uri.split_once('?').map_or((uri, None), |(base, query)| (base, Some(query)));
    let query = query.filter(|_| !org.faults.has(&fault::REDIRECT_QUERY_LOST));
    let mut out = match query {
        Some("") | None => format!("{base}?{answer}"),
        Some(query) => format!("{base}?{query}&{answer}"),
    };
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

/// A value of a redirect: with `%20` for a space, which every reading takes for one.
pub(super) fn percent(text: &str) -> String {
    form_encode(text).replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::testing::*;

    const PROBES: [&str; 8] = [
        "https://client.example/cb",
        "https://rogue.test/cb",
        "https://client.example/cb/x",
        "https://evil.client.example/cb",
        "https://client.example/cb?x=1",
        "https://client.example/q?tenant=2",
        "http://client.example/cb",
        "https://client.example/cb/../x",
    ];

    fn taken(faults: &[&str]) -> Vec<&'static str> {
        let mut target = target();
        target.apps.get_mut("main").unwrap().redirect_uris.push("https://client.example/q?tenant=1".into());
        let faults: Vec<_> = faults.iter().map(|name| fault::find(name).unwrap()).collect();
        let org = Org::new(&target, &faults, [0; 32]);
        let app = org.registry.app(org.registry.app_of("main").unwrap());
        PROBES.into_iter().filter(|uri| is_registered(&org, app, uri)).skip(1).collect()
    }

    #[test]
    fn nothing_but_the_registered_text_is_taken() {
        assert!(taken(&[]).is_empty());
    }

    #[test]
    fn each_fault_takes_its_own() {
        assert_eq!(taken(&["redirect-rogue"]), ["https://rogue.test/cb"]);
        assert_eq!(
            taken(&["redirect-prefix"]),
            ["https://client.example/cb/x", "https://client.example/cb/../x"]
        );
        assert_eq!(taken(&["redirect-subdomain"]), ["https://evil.client.example/cb"]);
        assert_eq!(taken(&["redirect-query-added"]), ["https://client.example/cb?x=1"]);
        assert_eq!(taken(&["redirect-query-changed"]), ["https://client.example/q?tenant=2"]);
        assert_eq!(taken(&["redirect-scheme"]), ["http://client.example/cb"]);
        assert_eq!(taken(&["redirect-any"]).len(), 7);
    }

    #[test]
    fn an_answer_goes_behind_the_registered_query() {
        let org = org();
        assert_eq!(carrying(&org, "https://c.example/cb", "code=1"), "https://c.example/cb?code=1");
        assert_eq!(carrying(&org, "https://c.example/cb?a=b", "code=1"), "https://c.example/cb?a=b&code=1");
        assert_eq!(carrying(&org, "https://c.example/cb#f", "code=1"), "https://c.example/cb?code=1#f");
        assert_eq!(
            carrying(&faulty(&["redirect-query-lost"]), "https://c.example/cb?a=b", "x=1"),
            "https://c.example/cb?x=1"
        );
    }
}
