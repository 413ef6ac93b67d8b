//! The questions that judges ask of a record again and again.

use scraper::{ElementRef, Html, Selector};

use super::{Exchange, Part, Response, Staged, Transcript};
pub use crate::oauth::is_loopback;
use crate::oauth::{Endpoint, Params};

/// A code that was handed to a client, and the request that asked for it.
#[derive(Clone, Copy)]
pub struct IssuedCode<'t> {
    /// The authorization request.
    pub authorize: &'t Exchange,
    /// The exchange whose answer carried the code.
    pub issued: &'t Exchange,
}

/// A way out that an answer opens to the user agent, by redirect or by what does as well as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Where it leads, as the answer has it.
    pub to: String,
    /// The fields of a form, which go along.
    pub fields: Params,
    /// Whether the user agent goes without being asked; a form may wait for a click.
    pub by_itself: bool,
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

    /// What went out together with that exchange and asks for something else: which of them came first nobody knows.
    pub fn beside<'t>(&'t self, x: &'t Exchange) -> impl Iterator<Item = &'t Exchange> {
        let differ = |name: &str, y: &Exchange| x.param(name) != y.param(name);
        let otherwise = move |y: &Exchange| {
            x.endpoint != y.endpoint
                || ["grant_type", "code", "refresh_token", "token"].iter().any(|name| differ(name, y))
        };
        self.exchanges.iter().filter(move |y| together(x, y) && otherwise(y))
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

    /// Whether a URL is of a host that is known to be none of the server's.
    pub fn is_strange(&self, url: &str) -> bool {
        self.exchanges.iter().any(|x| x.facts.stranger.as_deref().is_some_and(|host| same_origin(host, url)))
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

    /// Whether nothing says that the app of an exchange keeps its refresh token.
    pub fn may_rotate(&self, x: &Exchange) -> bool {
        self.subject.settings_of(x.client_id()).flag("rotation") != Some(false)
    }

    /// The rotation before `x` that ended this refresh token: past the time of grace that the target tells of.
    pub fn rotated_out_before(&self, token: &str, x: &Exchange) -> Option<&Exchange> {
        let grace = self.rotation_grace(x);
        // It may have come into force as late as it was told.
        let over = |y: &Exchange| y.at + i64::try_from(y.took / 1000).unwrap_or(i64::MAX / 4);
        self.rotated_before(token, x)
            .filter(|y| self.may_rotate(y) && !together(x, y) && (grace == 0 || over(y) + grace <= x.at))
    }

    /// How long a refresh token of the app of an exchange is still taken when another one came in its place, in milliseconds.
    pub fn rotation_grace(&self, x: &Exchange) -> i64 {
        self.subject.settings_of(x.client_id()).millis("rotation_grace").unwrap_or(0)
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

impl Transcript {
    /// How many processes of the client there were at a time, as far as is known.
    pub fn processes(&self) -> u32 {
        self.staged.values().map(|staged| staged.processes).max().unwrap_or(1)
    }

    /// How many calls the client was told to make, one where that is not known.
    pub fn calls(&self) -> u32 {
        self.staged.values().map(|staged| staged.calls).max().unwrap_or(1)
    }

    /// Whether the client was told to do several things at a time, as far as is known.
    pub fn is_concurrent(&self) -> bool {
        self.staged.values().any(|staged| staged.concurrency.max(staged.processes) > 1)
    }

    /// Whether the client was given a place for its tokens that outlives it.
    pub fn has_store(&self) -> bool {
        self.staged.values().any(|staged| staged.store)
    }

    /// Whether a client that sent one of these can know of the other: both are of one start, or it was given a place for what
    /// outlives it.
    pub fn may_know(&self, one: &Exchange, other: &Exchange) -> bool {
        let starts = self.start_of(one).zip(self.start_of(other));
        starts.is_none_or(|(one, other)| one == other) || self.has_store()
    }

    /// The start of a program to which an exchange belongs, as far as a record tells: what a browser sends is of the start that
    /// goes on with it.
    fn start_of(&self, x: &Exchange) -> Option<usize> {
        let of_program = |y: &&Exchange| y.action == "program" && y.scenario == x.scenario;
        if x.action != "browser" {
            return Some(x).filter(of_program).map(|x| x.step);
        }
        self.exchanges.iter().filter(|y| y.number > x.number).find(of_program).map(|y| y.step)
    }

    /// Whether a client that sent `one` can know what it was answered to `other`: in the same start of a program, or in a later
    /// one where it has a place for what it knows, and was not killed or lived on after that answer, to write it down.
    pub fn can_know_answer(&self, one: &Exchange, other: &Exchange) -> bool {
        // What was begun after an answer may have been on its way already: as much of it as the client does at a time.
        let widest =
            |staged: &Staged| staged.concurrency.max(1).saturating_mul(staged.processes.max(1)) as usize;
        let at_a_time = self.staged.values().map(widest).max().unwrap_or(1);
        let later = |y: &&Exchange| y.same_start(other) && y.began_after(other);
        let lived_on = || {
            let until = if one.same_start(other) { one.number } else { usize::MAX };
            self.after(other).filter(later).filter(|y| y.number <= until).count() >= at_a_time
        };
        self.may_know(one, other) && (!self.was_killed(other) || lived_on())
    }

    /// Whether the start of a program in which this was sent was killed, as far as is known: it was killed at some time, and
    /// started again later.
    pub fn was_killed(&self, x: &Exchange) -> bool {
        let later = |y: &Exchange| y.action == x.action && y.scenario == x.scenario && y.step > x.step;
        x.action == "program"
            && self.staged.values().any(|staged| staged.killed)
            && self.exchanges.iter().any(later)
    }
}

impl Exchange {
    /// Whether it was sent to a host that is known to be none of the server's.
    pub fn is_at_stranger(&self) -> bool {
        self.facts.stranger.as_deref().is_some_and(|host| same_origin(host, &self.request.url))
    }

    /// Whether both are of one start of a program, as far as a record tells: one that is started again begins anew.
    pub fn same_start(&self, other: &Exchange) -> bool {
        self.action != "program" || other.action != "program" || self.step == other.step
    }

    /// Whether it was begun when the other had been answered.
    pub fn began_after(&self, other: &Exchange) -> bool {
        other.over_at <= self.number
    }

    /// Whether both were under way at the same time.
    pub fn overlaps(&self, other: &Exchange) -> bool {
        self.number != other.number && !self.began_after(other) && !other.began_after(self)
    }
}

impl Departure {
    fn new(to: &str, by_itself: bool) -> Self {
        Self { to: to.trim().to_owned(), fields: Params::new(), by_itself }
    }

    /// The values of a parameter that goes along: in the query, in the fragment, or in a form.
    pub fn all(&self, name: &str) -> Vec<String> {
        let (whole, fragment) = self.to.split_once('#').unwrap_or((&self.to, ""));
        let query = whole.split_once('?').map_or("", |(_, query)| query);
        let (query, fragment) = (Params::read_lossy(query), Params::read_lossy(fragment));
        [&query, &fragment, &self.fields].iter().flat_map(|p| p.all(name)).map(str::to_owned).collect()
    }

    /// Whether a code or an access token goes along.
    pub fn hands_out(&self) -> bool {
        ["code", "access_token"].iter().any(|name| self.all(name).iter().any(|value| !value.is_empty()))
    }

    /// Whether this is the place that a redirect URI names: same base, and every parameter of its query.
    fn is_at(&self, at: &str, uri: &str) -> bool {
        let query = uri.split('#').next().and_then(|uri| uri.split_once('?')).map_or("", |(_, query)| query);
        let kept =
            Params::read_lossy(query).iter().all(|(name, value)| self.all(name).iter().any(|v| v == value));
        let same = base(&self.to) == base(uri) || base(&resolved(at, &self.to)) == base(&resolved(at, uri));
        same && kept
    }
}

/// The way by which an answer leaves for one of these redirect URIs, or takes a code or token off the server: a `Location`
/// at any status, a `Refresh` in header or page, a form, a link, a script. One that hands something out comes first, then
/// one that needs nobody.
pub fn leaves_for(x: &Exchange, uris: &[&str]) -> Option<Departure> {
    let response = x.response()?;
    let at = resolved(&x.request.url, &x.request.url);
    let mut ways: Vec<Departure> = Vec::new();
    ways.extend(response.header("location").map(|to| Departure::new(to, true)));
    ways.extend(response.header("refresh").and_then(refreshed).map(|to| Departure::new(to, true)));
    if is_page(response) {
        ways.extend(ways_of_page(&response.body, &at, uris));
    }
    // A form of the server itself may well ask for a code, one that the user has on a device.
    let out = |way: &Departure| way.hands_out() && !same_origin(&resolved(&at, &way.to), &at);
    ways.retain(|way| uris.iter().any(|uri| way.is_at(&at, uri)) || out(way));
    ways.sort_by_key(|way| (!way.hands_out(), !way.by_itself));
    ways.into_iter().next()
}

/// The authorization request that an exchange belongs to: itself, or the one whose page it is.
pub fn authorization_of<'x>(record: &'x [Exchange], x: &'x Exchange) -> Option<&'x Exchange> {
    if x.endpoint == Endpoint::Authorize {
        return Some(x);
    }
    let earlier = record.iter().rev().filter(|y| y.number < x.number);
    earlier.filter(|y| y.endpoint == Endpoint::Authorize).find(|y| same_step(x, y))
}

/// The moment that an HTTP date names (RFC 9110 §5.6.7), in milliseconds since the epoch.
pub fn moment(date: &str) -> Option<i64> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date.trim());
    parsed.ok().map(jiff::Timestamp::as_millisecond)
}

/// A moment in milliseconds since the epoch as an HTTP date.
pub fn http_date(moment: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(moment).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).ok()
}

/// Every `redirect_uri` of an authorization request.
pub fn redirect_uris(x: &Exchange) -> Vec<&str> {
    x.request.query().all("redirect_uri").chain(x.request.form().all("redirect_uri")).collect()
}

/// A URL without query and fragment, scheme and authority in lower case, never without a path.
pub fn base(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    format!("{}://{}{path}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase())
}

/// A reference as a browser takes it on that page; as it is, where it is none.
fn resolved(at: &str, reference: &str) -> String {
    let joined =
        url::Url::parse(at).and_then(|at| at.join(reference)).or_else(|_| url::Url::parse(reference));
    joined.map_or_else(|_| reference.to_owned(), String::from)
}

/// Whether a browser takes the body for a page.
fn is_page(response: &Response) -> bool {
    let kind = response.header("content-type").unwrap_or("").to_ascii_lowercase();
    kind.contains("html") || kind.is_empty() && response.body.contains('<')
}

/// Where `5; url=https://...` leads to, as browsers read it (HTML, §4.2.4.6): the word and the quotes may be missing.
fn refreshed(value: &str) -> Option<&str> {
    let rest = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c.is_whitespace());
    let rest = rest.trim_start_matches([';', ',']).trim();
    let word = rest.get(..3).filter(|word| word.eq_ignore_ascii_case("url"));
    let named = word.and_then(|_| rest[3..].trim_start().strip_prefix('='));
    let url = named.unwrap_or(rest).trim();
    let url = match url.chars().next() {
        Some(quote @ ('"' | '\'')) => url[1..].split(quote).next().unwrap_or(""),
        _ => url,
    };
    (!url.is_empty()).then_some(url)
}

/// The ways out of a page.
fn ways_of_page(html: &str, at: &str, uris: &[&str]) -> Vec<Departure> {
    let mut ways = Vec::new();
    let document = Html::parse_document(html);
    let Ok(selector) = Selector::parse("base[href], meta[http-equiv], form, a[href], script") else {
        return ways;
    };
    let mut base = at.to_owned();
    for element in document.select(&selector) {
        let attr = |name: &str| element.value().attr(name);
        match element.value().name() {
            "base" => base = resolved(at, attr("href").unwrap_or("")),
            "meta" if attr("http-equiv").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("refresh")) => {
                let to = attr("content").and_then(refreshed);
                ways.extend(to.map(|to| Departure::new(to, true)));
            }
            "form" => ways.extend(ways_of_form(&document, element)),
            // Links lead everywhere; only what one carries off tells something.
            "a" => {
                let way = Departure::new(attr("href").unwrap_or(""), false);
                ways.extend(Some(way).filter(Departure::hands_out));
            }
            "script" => ways.extend(ways_of_script(&element.text().collect::<String>(), uris)),
            _ => {}
        }
    }
    for way in &mut ways {
        if !way.to.contains("://") {
            way.to = resolved(&base, &way.to);
        }
    }
    ways
}

/// Where a form may go, each with its fields: it has one action, and its buttons may have others.
fn ways_of_form(document: &Html, form: ElementRef<'_>) -> Vec<Departure> {
    let Ok(fields) = Selector::parse("input, textarea, button") else { return Vec::new() };
    let id = form.value().attr("id").filter(|id| !id.is_empty());
    // A field may stand outside and name its form.
    let named = document.select(&fields).filter(|field| id.is_some() && field.value().attr("form") == id);
    let mut carried = Params::new();
    let mut to: Vec<String> = form.value().attr("action").map(str::to_owned).into_iter().collect();
    for field in form.select(&fields).chain(named) {
        let written = || field.text().collect::<String>();
        if let Some(name) = field.value().attr("name") {
            carried.push(name, field.value().attr("value").map_or_else(written, str::to_owned));
        }
        to.extend(field.value().attr("formaction").map(str::to_owned));
    }
    to.iter().map(|to| Departure { fields: carried.clone(), ..Departure::new(to, false) }).collect()
}

/// Where a script goes with a code, as far as it spells it out.
fn ways_of_script(script: &str, uris: &[&str]) -> Vec<Departure> {
    let script = script.replace("\\/", "/").replace("\\u0026", "&").replace("\\x26", "&");
    let mut ways = Vec::new();
    for uri in uris.iter().filter(|uri| !uri.is_empty()) {
        for (start, _) in script.match_indices(uri) {
            let end = script[start..]
                .find(['"', '\'', '`', '<', ' ', '\n'])
                .map_or(script.len(), |end| start + end);
            ways.extend(Some(Departure::new(&script[start..end], true)).filter(Departure::hands_out));
        }
    }
    ways
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

/// Whether it is a call of Salesforce's SOAP API, which takes the token as a session id in the envelope.
pub fn is_soap(x: &Exchange) -> bool {
    x.endpoint == Endpoint::Resource && x.request.path().contains("/services/Soap/")
}

/// The access token that a call presents. None where the header holds more or less than one token.
pub fn presented(x: &Exchange) -> Option<&str> {
    let token = if is_soap(x) {
        let (_, rest) = x.request.body.split_once("sessionId>")?;
        rest.split('<').next()?.trim()
    } else {
        x.request.bearer()?
    };
    (!token.is_empty() && !token.contains(char::is_whitespace)).then_some(token)
}

/// Whether a refusal has a reason outside of the request: no time, a rate, the state or place of the user.
pub fn beside_the_point(x: &Exchange) -> bool {
    const REASONS: [&str; 3] = ["rate exceeded", "ip restricted", "inactive user"];
    let text = x.error().and_then(|error| error.description).unwrap_or_default().to_ascii_lowercase();
    matches!(x.status(), 429 | 503) || REASONS.iter().any(|reason| text.contains(reason))
}

/// Whether a token request came to a success that says no error: that is no refusal (RFC 6749 §5.2), token or not. What is
/// not a POST may meet a page that has nothing to do with tokens.
pub fn refuses_nothing(x: &Exchange) -> bool {
    let succeeded = (200..300).contains(&x.status()) && x.error().is_none();
    x.endpoint == Endpoint::Token && x.request.method == "POST" && succeeded
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
    fn the_code_of_an_answer_stands_behind_the_query_that_was_registered() {
        let t = script::read(
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://a.example/cb?code=1\n\
             < 302\n< Location: https://a.example/cb?code=1&code=aPrx0123456789abcdef&state=s\n",
        );
        assert_eq!(t.exchanges[0].code_issued().as_deref(), Some("aPrx0123456789abcdef"));
        assert!(t.exchanges[0].facts.code_bits.is_some_and(|bits| bits > 100));
    }

    fn left(answer: &str) -> Option<Departure> {
        let request =
            "> GET authorize response_type=code&client_id=main&redirect_uri=https://rogue.test/cb?a=1\n";
        let t = script::read(&format!("{request}{answer}\n"));
        leaves_for(&t.exchanges[0], &redirect_uris(&t.exchanges[0]))
    }

    #[test]
    fn an_answer_leaves_in_more_ways_than_one() {
        for answer in [
            "< 201\n< Location: https://rogue.test/cb?a=1&code=C",
            "< 200\n< Refresh: 0; URL='https://ROGUE.test/cb?a=1&code=C'",
            "< 200\n< Refresh: 0,https://rogue.test/cb?a=1#code=C",
            "< 400 <META HTTP-EQUIV=Refresh content='0;url=https://rogue.test/cb?a=1&amp;code=C'>",
            "< 200 <form action='//rogue.test/cb?a=1' method=post><input type=hidden name=code value=C></form>",
            "< 200 <form id=f action=https://rogue.test/cb><input name=a value=1></form><input form=f name=code value=C>",
            "< 200 <form><button formaction=https://rogue.test/cb?a=1 name=code value=C>on</button></form>",
            "< 200 <base href=https://rogue.test/x/><form action=../cb?a=1><textarea name=code>C</textarea></form>",
            "< 200 <a href='https://rogue.test/cb?a=1&code=C'>on</a>",
            r"< 200 <script>location.href='https:\/\/rogue.test\/cb?a=1\u0026code=C'</script>",
            // Elsewhere, but a code all the same.
            "< 200 <meta http-equiv=refresh content='0;url=https://client.example/callback?code=C'>",
        ] {
            assert!(left(answer).is_some_and(|way| way.hands_out()), "{answer}");
        }
    }

    #[test]
    fn a_page_may_wait_or_lead_nowhere() {
        let form =
            left("< 200 <form action=https://rogue.test/cb?a=1><button>continue to rogue</button></form>")
                .unwrap();
        assert!(!form.hands_out() && !form.by_itself);
        let error =
            left("< 200 <meta http-equiv=refresh content='5; url=https://rogue.test/cb?a=1&error=x'>")
                .unwrap();
        assert!(!error.hands_out() && error.by_itself);
        for answer in [
            "< 400 <p>https://rogue.test/cb?a=1 is not registered</p>",
            "< 200 <form action=/verify><input name=code value=123456></form>",
            "< 200 <form><input name=code></form>",
            "< 200 <form action=https://rogue.test/other></form>",
            "< 200 <a href=https://rogue.test/cb?a=1>back</a>",
            "< 200 <script>var asked = 'https://rogue.test/cb?a=1'</script>",
            "< 200 <meta http-equiv=refresh content=30>",
            "< 400 {\"error\":\"<form action='https://rogue.test/cb?a=1'></form>\"}",
            "< 302\n< Location: /login?code=C",
            "< nothing",
        ] {
            assert_eq!(left(answer), None, "{answer}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_page_is_too_strange(body in ".{0,200}", refresh in ".{0,40}") {
            let answer = Response::new(200, vec![("refresh".into(), refresh)], body);
            let t = script::read("> GET authorize redirect_uri=https://rogue.test/cb\n< 200\n");
            let x = Exchange { answer: crate::transcript::Answer::Response(answer), ..t.exchanges[0].clone() };
            let _ = leaves_for(&x, &redirect_uris(&x));
        }
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
