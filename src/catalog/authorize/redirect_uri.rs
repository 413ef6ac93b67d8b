//! Requests whose redirect URI, or whose client, is not to be trusted: the user agent must stay.

use percent_encoding::percent_decode_str;

use super::{End, Journey, journeys};
use crate::catalog::Judgement;
use crate::oauth::Params;
use crate::transcript::Transcript;

/// Schemes whose URIs a browser runs, or shows as a page of its own making.
const SCRIPTS: [&str; 4] = ["javascript", "data", "vbscript", "blob"];

/// What parsers of a path disagree about.
const CONFUSING: [&str; 6] = ["..", "%2e", "%2f", "%5c", "\\", ";"];

/// How a redirect URI differs from every one that was registered; each belongs to one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// None of the following.
    Unrelated,
    /// Another port on a registered host.
    Port,
    /// Equal to a registered URI but for letter case, percent-encoding or a slash at the end.
    Normalised,
    /// A path that parsers read differently, on a registered origin.
    Confusing,
    /// An authority that parsers read differently, or a registered host elsewhere in the URI.
    Authority,
    /// A registered URI with a fragment.
    Fragment,
    /// A scheme whose URIs a browser runs or shows by itself.
    Script,
    /// Another path on a registered origin.
    Path,
    /// A sub-domain, sibling or look-alike of a registered host.
    Host,
    /// Further parameters in the query.
    QueryAdded,
    /// The parameters of a registered query, with other values.
    QueryChanged,
    /// http for https.
    Scheme,
}

pub(super) fn unregistered_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Unrelated, "the redirect_uri is not registered")
}

pub(super) fn other_path_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Path, "the path of the redirect_uri is not the registered one")
}

pub(super) fn other_host_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Host, "the host of the redirect_uri only resembles the registered one")
}

pub(super) fn added_query_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::QueryAdded, "the redirect_uri has a query that is not registered")
}

pub(super) fn changed_query_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::QueryChanged, "the query of the redirect_uri has other values than the registered one")
}

pub(super) fn http_for_https_is_refused(t: &Transcript) -> Judgement {
    judge(t, Flaw::Scheme, "the redirect_uri is http where https is registered")
}

pub(super) fn judge(t: &Transcript, wanted: Flaw, because: &str) -> Judgement {
    let mut j = Judgement::new();
    let expected = format!("a refusal without a redirect to that URI: {because}");
    for journey in journeys(t) {
        let (Some(uri), Some(app)) = (journey.one("redirect_uri"), journey.app(t)) else { continue };
        if flaw(&app.redirect_uris, uri) != Some(wanted) {
            continue;
        }
        // With a fragment the registered URI is the same place, and may be told the error.
        let there = match uri.split_once('#').filter(|_| wanted == Flaw::Fragment) {
            Some((_, fragment)) => journey.landing.as_ref().is_some_and(|l| l.location.ends_with(fragment)),
            None => is_at(&journey, uri),
        };
        let accepted = journey.end == End::Code || there;
        if journey.refused(&mut j, t, accepted, &["redirect_uri"], &expected) {
            j.pass();
        }
    }
    j
}

pub(super) fn two_are_refused(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal, with no redirect to a URI that is not registered: redirect_uri stands twice";
    for journey in journeys(t).filter(|journey| journey.values("redirect_uri").count() > 1) {
        let Some(app) = journey.app(t) else { continue };
        let rogue = |uri: &str| !app.redirect_uris.iter().any(|known| known == uri);
        let accepted = journey.end == End::Code
            || journey.values("redirect_uri").any(|uri| rogue(uri) && is_at(&journey, uri));
        if journey.refused(&mut j, t, accepted, &["redirect_uri"], expected) {
            j.pass();
        }
    }
    j
}

pub(super) fn unknown_client_is_not_redirected(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "a refusal without a redirect to the redirect_uri: there is no such client";
    for journey in journeys(t) {
        let unknown = journey.one("client_id").is_some_and(|id| t.subject.app_of(id).is_none());
        if !unknown || t.subject.apps.is_empty() {
            continue;
        }
        let accepted =
            journey.end == End::Code || journey.values("redirect_uri").any(|uri| is_at(&journey, uri));
        if journey.refused(&mut j, t, accepted, &["client_id"], expected) {
            j.pass();
        }
    }
    j
}

pub(super) fn is_at(journey: &Journey<'_>, uri: &str) -> bool {
    journey.landing.as_ref().is_some_and(|landing| landing.is_at(uri))
}

/// A URI in the parts that are compared.
struct Parts<'a> {
    scheme: String,
    authority: String,
    path: &'a str,
    query: Params,
}

impl<'a> Parts<'a> {
    /// None where it has no authority (a private-use scheme, or no URI at all).
    fn of(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let (authority, rest) = rest.find(['/', '?']).map_or((rest, ""), |end| rest.split_at(end));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let default = if scheme == "https" { ":443" } else { ":80" };
        Some(Self {
            authority: authority.strip_suffix(default).unwrap_or(&authority).to_owned(),
            scheme,
            path: if path.is_empty() { "/" } else { path },
            query: Params::read_lossy(query),
        })
    }

    /// The authority without its port.
    fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    fn is_loopback(&self) -> bool {
        self.scheme == "http" && ["localhost", "127.0.0.1", "[::1]"].contains(&self.host())
    }

    fn same_base(&self, other: &Self) -> bool {
        self.same_origin(other) && self.path == other.path
    }

    fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority == other.authority
    }
}

/// What is wrong with a redirect URI. None where it is registered, and where it is left to other requirements: the
/// loopback port (RFC 8252 §7.3), a query that is missing, the letter case of scheme and host.
fn flaw(registered: &[String], uri: &str) -> Option<Flaw> {
    if registered.is_empty() || registered.iter().any(|known| known == uri) {
        return None;
    }
    let scheme = |uri: &str| uri.split(':').next().unwrap_or("").to_ascii_lowercase();
    if SCRIPTS.contains(&scheme(uri).as_str()) {
        return (!registered.iter().any(|known| scheme(known) == scheme(uri))).then_some(Flaw::Script);
    }
    let (uri, fragment) = uri.split_once('#').map_or((uri, None), |(uri, fragment)| (uri, Some(fragment)));
    if fragment.is_some() && registered.iter().any(|known| known == uri) {
        return Some(Flaw::Fragment);
    }
    let Some(asked) = Parts::of(uri) else { return Some(Flaw::Unrelated) };
    let known: Vec<_> = registered.iter().filter_map(|known| Parts::of(known)).collect();
    let any = |holds: &dyn Fn(&Parts<'_>) -> bool| known.iter().any(holds);
    let named_elsewhere = || {
        let rest =
            format!("{}?{}#{}", asked.path, asked.query.write(), fragment.unwrap_or("")).to_lowercase();
        let is_name = |host: &str| host.contains('.') && host.bytes().any(|b| b.is_ascii_alphabetic());
        any(&|k| is_name(k.host()) && rest.contains(k.host()))
            && !any(&|k| k.host() == asked.host() || resembles(k.host(), asked.host()))
    };
    if asked.authority.contains(['@', '\\']) || named_elsewhere() {
        return Some(Flaw::Authority);
    }
    if fragment.is_some() {
        return None;
    }
    if registered.iter().any(|known| same_normalised(known, uri)) {
        let same = any(&|k| k.same_base(&asked) && k.query == asked.query);
        return (!same).then_some(Flaw::Normalised);
    }
    if any(&|k| k.is_loopback() && asked.is_loopback() && k.path == asked.path && k.query == asked.query) {
        return None;
    }
    if any(&|k| k.same_base(&asked)) {
        let new = |k: &Parts<'_>| asked.query.iter().any(|pair| !k.query.iter().any(|known| known == pair));
        let names = |query: &Params| {
            let mut names: Vec<_> = query.iter().map(|(name, _)| name.to_owned()).collect();
            names.sort_unstable();
            names
        };
        return if any(&|k| k.same_base(&asked) && new(k) && names(&k.query) == names(&asked.query)) {
            Some(Flaw::QueryChanged)
        } else if any(&|k| k.same_base(&asked) && new(k)) {
            Some(Flaw::QueryAdded)
        } else {
            None
        };
    }
    let confuses = |path: &str| CONFUSING.iter().any(|mark| path.to_ascii_lowercase().contains(mark));
    Some(if any(&|k| k.same_origin(&asked) && confuses(asked.path) && !confuses(k.path)) {
        Flaw::Confusing
    } else if any(&|k| k.same_origin(&asked)) {
        Flaw::Path
    } else if any(&|k| {
        k.scheme == asked.scheme && k.host() == asked.host() && k.path == asked.path && k.query == asked.query
    }) {
        Flaw::Port
    } else if any(&|k| {
        k.scheme == "https"
            && asked.scheme == "http"
            && k.authority == asked.authority
            && k.path == asked.path
    }) {
        Flaw::Scheme
    } else if any(&|k| resembles(k.host(), asked.host())) {
        Flaw::Host
    } else {
        Flaw::Unrelated
    })
}

/// Whether a host could be taken for the registered one by a comparison that is not exact.
fn resembles(registered: &str, asked: &str) -> bool {
    let parent = |host: &str| host.split_once('.').map(|(_, parent)| parent.to_owned());
    let siblings =
        || parent(registered).filter(|p| p.contains('.')).is_some_and(|p| parent(asked) == Some(p));
    let first = |host: &str| host.split_once('.').map(|(first, _)| first.to_owned());
    let other_domain = || first(registered).is_some_and(|f| first(asked) == Some(f));
    let is_name = registered.bytes().any(|b| b.is_ascii_alphabetic());
    registered != asked
        && is_name
        && !asked.contains('@')
        && (asked.ends_with(registered) || asked.starts_with(registered) || siblings() || other_domain())
}

/// Whether two URIs are equal but for letter case, percent-encoding and a slash at the end.
fn same_normalised(a: &str, b: &str) -> bool {
    let normal = |uri: &str| {
        let decoded = percent_decode_str(uri).decode_utf8_lossy().to_lowercase();
        decoded.trim_end_matches('/').to_owned()
    };
    a == b || normal(a) == normal(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    const CONTROL: &str = "> GET authorize response_type=code&client_id=main&redirect_uri=https://client.example/callback&state=s1\n\
        < 302\n< Location: https://client.example/callback?code=C1&state=s1\n";

    #[test]
    fn every_flaw_of_a_redirect_uri_has_one_name() {
        let registered = [
            "https://client.example/callback",
            "https://client.example/callback?tenant=a",
            "http://127.0.0.1:1717/cb",
            "https://app.acme.test/cb",
        ]
        .map(str::to_owned);
        for (uri, expect) in [
            ("https://client.example/callback", None),
            ("https://client.example/callback?tenant=a", None),
            ("https://Client.example/callback", None),
            ("https://client.example:443/callback", None),
            ("https://client.example/callback/", Some(Flaw::Normalised)),
            ("https://client.example/Callback", Some(Flaw::Normalised)),
            ("https://client.example/%63allback", Some(Flaw::Normalised)),
            ("https://client.example/callback#x", Some(Flaw::Fragment)),
            ("https://client.example/other#x", None),
            ("http://127.0.0.1:9/cb", None),
            ("https://client.example/callback/x", Some(Flaw::Path)),
            ("https://client.example/other?tenant=a", Some(Flaw::Path)),
            ("https://client.example/callback/..", Some(Flaw::Confusing)),
            ("https://client.example/callback%2f..%2fother", Some(Flaw::Confusing)),
            ("https://client.example/callback;x", Some(Flaw::Confusing)),
            ("https://client.example/callback?added=1", Some(Flaw::QueryAdded)),
            ("https://client.example/callback?tenant=a&added=1", Some(Flaw::QueryAdded)),
            ("https://client.example/callback?tenant=b", Some(Flaw::QueryChanged)),
            ("http://client.example/callback", Some(Flaw::Scheme)),
            ("https://evil.client.example/callback", Some(Flaw::Host)),
            ("https://evilclient.example/callback", Some(Flaw::Host)),
            ("https://client.example.evil.test/callback", Some(Flaw::Host)),
            ("https://client.evil.test/callback", Some(Flaw::Host)),
            ("https://evil.acme.test/cb", Some(Flaw::Host)),
            ("https://other.example/callback", Some(Flaw::Unrelated)),
            ("https://client.example:8443/callback", Some(Flaw::Port)),
            ("https://client.example:8443/other", Some(Flaw::Unrelated)),
            ("https://client.example@rogue.test/callback", Some(Flaw::Authority)),
            ("https://client.example\\@rogue.test/callback", Some(Flaw::Authority)),
            ("https://rogue.test#client.example/callback", Some(Flaw::Authority)),
            ("https://rogue.test?client.example/callback", Some(Flaw::Authority)),
            ("https://rogue.test/?to=client.example", Some(Flaw::Authority)),
            ("javascript:alert(1)", Some(Flaw::Script)),
            ("data:text/html,x", Some(Flaw::Script)),
            ("com.example.app:/cb", Some(Flaw::Unrelated)),
        ] {
            assert_eq!(flaw(&registered, uri), expect, "{uri}");
        }
    }

    fn rogue(answer: &str) -> String {
        format!(
            "> GET authorize response_type=code&client_id=main&state=s2&redirect_uri=https://rogue.test/cb\n{answer}\n"
        )
    }

    const UNREGISTERED: &str = "authorize/unregistered-redirect-uri-is-refused";

    #[test]
    fn a_refusal_counts_only_beside_a_control_and_when_it_is_decided() {
        comes_to(UNREGISTERED, &rogue("< 400 <h1>oops</h1>"), Verdict::Inconclusive);
        comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue("< 400 <h1>oops</h1>")), Verdict::Pass);
        comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue("< 200 <h1>oops</h1>")), Verdict::Pass);
        let login = "< 200 <form><input name=username><input type=\"password\"></form>";
        comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue(login)), Verdict::Inconclusive);
        comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue("< nothing")), Verdict::Skip);
    }

    #[test]
    fn a_code_may_leave_for_the_rogue_uri_without_a_redirect() {
        for answer in [
            "< 201\n< Location: https://rogue.test/cb?code=C2&state=s2",
            "< 200\n< Refresh: 0;url=https://rogue.test/cb?code=C2&state=s2",
            "< 200 <meta http-equiv=refresh content='0;url=https://rogue.test/cb?code=C2&amp;state=s2'>",
            "< 200 <form action=https://rogue.test/cb method=post><input name=code value=C2></form>",
            // Without a code it is an open redirector all the same.
            "< 200 <meta http-equiv=refresh content='0;url=https://rogue.test/cb?error=invalid_request'>",
        ] {
            comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue(answer)), Verdict::Fail);
            comes_to(UNREGISTERED, &rogue(answer), Verdict::Fail);
        }
        let waits = "< 400 <form action=https://rogue.test/cb><button>continue to rogue.test</button></form>";
        comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue(waits)), Verdict::Inconclusive);
    }

    #[test]
    fn who_has_no_time_refuses_nothing() {
        for answer in [
            "< 429 <h1>later</h1>",
            "< 503",
            "< 400 error=invalid_request&error_description=login%20rate%20exceeded",
        ] {
            comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue(answer)), Verdict::Inconclusive);
        }
    }

    #[test]
    fn an_error_that_goes_to_the_registered_uri_is_no_redirect_to_the_rogue_one() {
        let answer = "< 302\n< Location: https://client.example/callback?error=invalid_request";
        comes_to(UNREGISTERED, &format!("{CONTROL}{}", rogue(answer)), Verdict::Pass);
        let added = "> GET authorize response_type=code&client_id=main&state=s2&redirect_uri=https://client.example/callback%3Fadded%3D1\n";
        let script = format!("{CONTROL}{added}{answer}\n");
        comes_to("authorize/added-query-is-refused", &script, Verdict::Pass);
        comes_to("authorize/unregistered-redirect-uri-is-refused", &script, Verdict::Skip);
    }

    #[test]
    fn a_code_is_a_fail_wherever_it_goes_and_a_server_error_is_a_lesser_one() {
        let code = rogue("< 302\n< Location: https://client.example/callback?code=C2&state=s2");
        comes_to(UNREGISTERED, &code, Verdict::Fail);
        let judged = judge_one(
            find(UNREGISTERED).unwrap(),
            &script::read(&format!("{CONTROL}{}", rogue("< 500 Internal Server Error"))),
        );
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
    }

    #[test]
    fn of_two_redirect_uris_the_order_makes_no_difference() {
        let request = |uris: &str| {
            format!("{CONTROL}> GET authorize response_type=code&client_id=main&{uris}&state=s2\n")
        };
        let (good, evil) = (
            "redirect_uri=https://client.example/callback",
            "redirect_uri=https://client.example/callback/x",
        );
        let error = "< 302\n< Location: https://client.example/callback?error=invalid_request&state=s2";
        let bounce = "< 302\n< Location: https://client.example/callback/x?error=invalid_request&state=s2";
        for uris in [format!("{good}&{evil}"), format!("{evil}&{good}")] {
            let id = "authorize/two-redirect-uris-are-refused";
            comes_to(id, &format!("{}{error}", request(&uris)), Verdict::Pass);
            comes_to(id, &format!("{}{bounce}", request(&uris)), Verdict::Fail);
            comes_to(
                "authorize/other-path-is-refused",
                &format!("{}{bounce}", request(&uris)),
                Verdict::Skip,
            );
        }
    }

    #[test]
    fn an_unknown_client_is_told_from_one_that_the_target_knows() {
        let id = "authorize/unknown-client-is-not-redirected";
        let request =
            "> GET authorize response_type=code&client_id=other&redirect_uri=https://rogue.test/&state=s\n";
        let bounced =
            format!("{request}< 302\n< Location: https://rogue.test/?error=unauthorized_client&state=s");
        comes_to(id, &bounced, Verdict::Skip);
        comes_to(id, &bounced.replace("=other", "=nobody"), Verdict::Fail);
        let login = format!("{request}< 302\n< Location: /login").replace("=other", "=nobody");
        comes_to(id, &login, Verdict::Inconclusive);
    }
}
