//! What of a file nobody may see: secrets as stars, byte for byte, so that places stay.

use core::ops::Range;

use super::kinds::{Kind, SECRETS};
use super::private_key;
use super::xml::Element;

/// Types of parameters of a credential whose value may be a secret.
const OF_SECRETS: [&str; 6] = [
    "AuthHeader",
    "HttpHeader",
    "AuthProviderClientSecret",
    "AuthParameter",
    "AuthProviderUrlQueryParameter",
    "CustomParameter",
];
/// What a name holds that can be of nothing but a secret, without `-`, `_`, `.` and blanks.
const PLAIN: [&str; 9] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "subscriptionkey",
];
/// What the name of a header or a parameter holds beside those that carries a secret.
const WORDS: [&str; 5] = ["token", "authorization", "cookie", "credential", "sessionid"];
/// Whole names of such.
const WHOLE: [&str; 6] = ["key", "pwd", "sig", "code", "assertion", "sid"];

/// A source as it may be shown. With its tree the text of each element that holds a secret is hidden; without one, because
/// it is no XML, whatever looks like such an element.
pub(super) fn masked(source: &str, root: Option<&Element>) -> String {
    let mut hidden: Vec<Range<usize>> = Vec::new();
    match root {
        Some(root) => of_elements(root, &mut hidden),
        None => {
            of_words(source, &mut hidden);
            of_closing_tags(source, &mut hidden);
        }
    }
    of_attributes(source, &mut hidden);
    for comment in comments(source) {
        of_comment(source, comment, &mut hidden);
    }
    hidden.extend(private_key::places(source));
    let mut from = 0;
    while let Some(at) = source[from..].find("PRIVATE KEY-----") {
        let begin = from + at + "PRIVATE KEY-----".len();
        let end = source[begin..].find(['<', '-']).map_or(source.len(), |length| begin + length);
        hidden.push(begin..end);
        from = end;
    }
    of_urls(source, &mut hidden);
    starred(source, &hidden)
}

/// A text with what its URLs give away as stars: whoever stands before an `@`, and the secrets of a query.
pub fn urls(text: &str) -> String {
    let mut hidden = Vec::new();
    of_urls(text, &mut hidden);
    starred(text, &hidden)
}

/// Whether a URL has a password, or a secret in its query.
pub(super) fn url_gives_away(url: &str) -> bool {
    let mut hidden = Vec::new();
    of_urls(url, &mut hidden);
    !hidden.is_empty()
}

/// Whether the value of a parameter of a credential is a secret that was written out: by the type and the name of the
/// parameter, or because it looks like a key. A formula that names a credential is none.
pub(super) fn is_written_out(kind: &str, name: &str, value: &str) -> bool {
    let scheme = || {
        let first = value.trim_start_matches(['{', '!', '\'', '"', ' ']).split(' ').next().unwrap_or("");
        value.contains(' ')
            && ["bearer", "basic", "token", "apikey"].contains(&first.to_ascii_lowercase().as_str())
    };
    let of_header = || matches!(kind, "AuthHeader" | "HttpHeader") && (scheme() || is_key(value, 16, "_-+="));
    let of_its_type = kind == "AuthProviderClientSecret" || names_a_secret(name) || of_header();
    let plain = || !value.contains("://") && (is_plain(name) || is_plain(kind));
    !value.is_empty() && !is_formula(value) && (OF_SECRETS.contains(&kind) && of_its_type || plain())
}

/// Whether a value is made of what the credential holds, `{!$Credential.Name.Password}` say.
fn is_formula(value: &str) -> bool {
    value.contains("{!") && value.contains('$')
}

/// A name as its words are looked for in it.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' ')).collect::<String>().to_lowercase()
}

/// Whether a name can be of nothing but a secret.
fn is_plain(name: &str) -> bool {
    let name = folded(name);
    PLAIN.iter().any(|word| name.contains(word))
}

fn names_a_secret(name: &str) -> bool {
    let name = folded(name);
    WHOLE.contains(&name.as_str()) || PLAIN.iter().chain(&WORDS).any(|word| name.contains(word))
}

/// Whether the text of an element is hidden by its name: it is one of the secrets, or of no type and named like one. What a
/// type has, `authTokenEndpointUrl` say, is shown.
fn is_hidden(name: &str) -> bool {
    let known = || {
        Kind::ALL.into_iter().flat_map(Kind::fields).any(|field| field.path.rsplit('/').next() == Some(name))
    };
    SECRETS.contains(&name) || names_a_secret(name) && !known()
}

/// What stands in keys, tokens and session ids beside letters and digits.
const KEYS: &str = "_-+=/.!";
/// What ends the name of a thing that is a secret, whatever it looks like.
const ENDS: [&str; 4] = ["token", "cookie", "sessionid", "pwd"];

/// Whether a value under a name that no type has is a secret that was written out. What a name only speaks of, `tokenLifetime`
/// or `secretName` say, must look like a key.
pub(super) fn is_secret_under(name: &str, value: &str) -> bool {
    let folded = folded(name);
    let is_one = PLAIN.iter().chain(&ENDS).any(|end| folded.ends_with(end));
    let says_nothing = matches!(value, "true" | "false") || value.parse::<f64>().is_ok();
    is_hidden(name)
        && !says_nothing
        && !value.contains("://")
        && !is_formula(value)
        && (is_one || is_key(value, 16, KEYS))
}

/// Whether a text looks like a key: letters and digits without a blank, and these.
fn is_key(value: &str, shortest: usize, others: &str) -> bool {
    value.len() >= shortest
        && value.chars().any(|c| c.is_ascii_digit())
        && value.chars().any(|c| c.is_ascii_alphabetic())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Secrets that stand in no element: in attributes, and in comments that say what they are. A comment may speak of a secret
/// and hold none, so more is hidden than is told.
pub(super) fn beside_elements(source: &str) -> Vec<(Range<usize>, &'static str)> {
    let comments = comments(source);
    let mut found = Vec::new();
    let mut hidden = Vec::new();
    of_attributes(source, &mut hidden);
    for value in hidden {
        let name = source[..value.start].trim_end_matches(['"', '\'', '=', ' ', '\n', '\t', '\r']);
        let name = &name[name.trim_end_matches(is_of_a_name).len()..];
        let in_tag = source[..value.start].rfind(['<', '>']).is_some_and(|at| source[at..].starts_with('<'));
        let in_comment = comments.iter().any(|comment| comment.contains(&value.start));
        let value_is = &source[value.clone()];
        if in_tag && !in_comment && !is_filled_in(value_is) && is_secret_under(name, value_is) {
            found.push((value, "an attribute"));
        }
    }
    for comment in comments {
        let text = &source[comment.clone()];
        let place = value_in(text).or_else(|| private_key::first(text));
        found.extend(place.map(|at| (comment.start + at.start..comment.start + at.end, "a comment")));
    }
    found
}

/// The value that a comment gives to the name of a secret: `secret: x`, `api_key = x`, `<password>x`.
fn value_in(text: &str) -> Option<Range<usize>> {
    text.match_indices([':', '=', '>']).find_map(|(at, _)| {
        let before = text[..at].trim_end_matches([' ', '"', '\'']);
        let name = &before[before.trim_end_matches(|c| is_of_a_name(c) || c == ' ').len()..];
        let rest = text[at + 1..].trim_start_matches([' ', '\t', '\r', '\n', '"', '\'', '`']);
        let scheme = ["Bearer ", "Basic "].into_iter().find_map(|scheme| rest.strip_prefix(scheme));
        let rest = scheme.unwrap_or(rest);
        let begin = text.len() - rest.len();
        let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`' | ',' | ';');
        let value = &rest[..rest.find(ends).unwrap_or(rest.len())];
        (names_a_secret(name) && is_key(value, 8, KEYS)).then_some(begin..begin + value.len())
    })
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether what stands beside an element says if it is hidden; without a tree nobody can tell.
fn is_of_another(name: &str) -> bool {
    matches!(name, "parameterValue" | "formula")
}

/// Whether the value of a parameter, or of an attribute of an app, is hidden by what stands beside it.
fn is_hidden_beside(element: &Element, value: &str) -> bool {
    let (kind, name) =
        (element.text("parameterType").unwrap_or(""), element.text("parameterName").unwrap_or(""));
    // Which header carries a secret is a guess, so none of them is shown.
    let header = matches!(kind, "AuthHeader" | "HttpHeader");
    let named = || !value.contains("://") && (names_a_secret(name) || is_plain(kind));
    !is_formula(value) && (header || named() || is_written_out(kind, name, value))
}

fn of_elements(element: &Element, hidden: &mut Vec<Range<usize>>) {
    for child in &element.children {
        let inside = || child.inside.start..child.inside.end;
        if is_hidden(&child.name) {
            hidden.push(inside());
            continue;
        }
        let of_attribute = child.name == "formula" && element.text("key").is_some_and(names_a_secret);
        let of_parameter = child.name == "parameterValue" && is_hidden_beside(element, &child.value);
        hidden.extend((of_parameter || of_attribute && !is_formula(&child.value)).then(inside));
        of_elements(child, hidden);
    }
}

/// Where comments stand. What a CDATA section has of them is taken for one, which hides no more than a secret.
fn comments(source: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = source[from..].find("<!--") {
        let begin = from + at + 4;
        let end = source[begin..].find("-->").map_or(source.len(), |length| begin + length);
        found.push(begin..end);
        from = end;
    }
    found
}

/// What stands in tags of the names of secrets and behind them, with any prefix and in any letter case, where the tags do not
/// fit each other: from the name, or from the end of the tag, up to where the name is said again, or to the end.
fn of_words(source: &str, hidden: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(at) = source[from..].find('<') {
        let begin = from + at + 1;
        from = begin;
        let tag = &source[begin..];
        let length =
            tag.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<')).unwrap_or(tag.len());
        let whole = &tag[..length];
        let local = whole.rsplit(':').next().unwrap_or(whole);
        if local.is_empty() || !(is_hidden(local) || is_of_another(local)) {
            continue;
        }
        let head = tag[length..].find(['<', '>']).unwrap_or(tag.len() - length);
        let rest = begin + length;
        let is_bare = tag[length..].starts_with('>');
        if tag[length..][..head].ends_with('/') && tag[length + head..].starts_with('>') {
            hidden.push(rest..rest + head);
            continue;
        }
        let rest = rest + usize::from(is_bare);
        let end = source[rest..].find(&format!("</{whole}")).map_or(source.len(), |length| rest + length);
        hidden.push(rest..end);
        from = end;
    }
}

/// What stands before closing tags of the names of secrets, whose opening tag may be lost.
fn of_closing_tags(source: &str, hidden: &mut Vec<Range<usize>>) {
    for (at, _) in source.match_indices("</") {
        let name = &source[at + 2..];
        let name = &name[..name.find(['>', '<', '/', ' ', '\n']).unwrap_or(name.len())];
        let local = name.rsplit(':').next().unwrap_or(name);
        if is_hidden(local) || is_of_another(local) {
            let begin = source[..at].rfind(['>', '<']).map_or(0, |before| before + 1);
            hidden.push(begin..at);
        }
    }
}

/// Values of attributes of the names of secrets. What looks like one in a text is hidden as well.
fn of_attributes(source: &str, hidden: &mut Vec<Range<usize>>) {
    for (at, _) in source.match_indices('=') {
        let value = source[at + 1..].trim_start();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
        let before = source[..at].trim_end();
        let name = &before[before.trim_end_matches(is_of_a_name).len()..];
        if !names_a_secret(name) {
            continue;
        }
        let begin = source.len() - value.len() + 1;
        let end = source[begin..].find([quote, '<']).map_or(source.len(), |length| begin + length);
        hidden.extend((!is_formula(&source[begin..end])).then_some(begin..end));
    }
}

/// What stands in a comment behind a word that names a secret, up to the end of the comment: nothing is judged there, so
/// nothing is lost.
fn of_comment(source: &str, comment: Range<usize>, hidden: &mut Vec<Range<usize>>) {
    let text = &source[comment.clone()];
    let mut plain = String::new();
    let mut ends = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| !(c.is_whitespace() || matches!(c, '-' | '_' | '.'))) {
        plain.push(c.to_ascii_lowercase());
        ends.resize(plain.len(), at + c.len_utf8());
    }
    let words = PLAIN.iter().chain(&WORDS).chain(&["pwd"]);
    let first = words.filter_map(|word| plain.find(word).map(|at| ends[at + word.len() - 1])).min();
    if let Some(first) = first {
        hidden.push(comment.start + first..comment.end);
    }
}

fn of_urls(text: &str, hidden: &mut Vec<Range<usize>>) {
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`');
    let mut from = 0;
    for word in text.split_inclusive(ends) {
        let word_at = from;
        from += word.len();
        let word = word.trim_end_matches(ends);
        for (at, _) in word.match_indices("://") {
            let url = &word[at + 3..];
            let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
            let begin = word_at + at + 3;
            if let Some(user) = url[..authority].rfind('@').filter(|user| !is_filled_in(&url[..*user])) {
                hidden.push(begin..begin + user);
            }
        }
        of_query(word, word_at, hidden);
    }
}

/// The secrets in the query of a URL, and in its fragment, in which an implicit flow has its tokens.
fn of_query(url: &str, at: usize, hidden: &mut Vec<Range<usize>>) {
    let Some(begin) = url.find(['?', '#']) else { return };
    let mut place = at + begin + 1;
    // An ampersand is written as an entity, which ends with a semicolon.
    for member in url[begin + 1..].split(['&', ';', '?', '#']) {
        if let Some((name, value)) = member.split_once('=')
            && names_a_secret(name)
            && !value.is_empty()
            && !is_filled_in(value)
        {
            let value = place + name.len() + 1;
            hidden.push(value..place + member.len());
        }
        place += member.len() + 1;
    }
}

/// Whether a build fills in what stands here, or a formula does.
fn is_filled_in(value: &str) -> bool {
    value.contains("${") || value.contains("{{") || value.contains("{!") || value.contains("%%")
}

fn starred(text: &str, hidden: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in hidden {
        let inside = &mut bytes[range.clone()];
        inside.iter_mut().filter(|b| !matches!(b, b'\n' | b'\r')).for_each(|b| *b = b'*');
    }
    // Ranges begin and end at letters, so nothing is cut; nothing is shown where that were not so.
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_nothing_away() {
        for (url, shown) in [
            ("https://user:PASS@host/cb", "https://*********@host/cb"),
            ("`https://a.example/?a=1&amp;api_key=K3Y#x`", "`https://a.example/?a=1&amp;api_key=***#x`"),
            ("https://a.example/?token=${TOKEN}&page=2", "https://a.example/?token=${TOKEN}&page=2"),
            ("https://a.example/@b?q=a@b", "https://a.example/@b?q=a@b"),
            ("http://a.example/cb#access_token=X&state=y", "http://a.example/cb#access_token=*&state=y"),
            ("a.example/cb?a=b#/c?code=X1", "a.example/cb?a=b#/c?code=**"),
            ("x https://u:p@a/?next=https://v:q@b", "x https://***@a/?next=https://***@b"),
        ] {
            assert_eq!(urls(url), shown);
        }
        assert!(
            url_gives_away("https://a.example/?X-Api-Key=1") && !url_gives_away("https://a.example/?a=1")
        );
    }

    #[test]
    fn a_parameter_is_a_secret_by_its_type_its_name_or_its_look() {
        for (kind, name, value) in [
            ("AuthProviderClientSecret", "any", "abc"),
            ("AuthHeader", "Authorization", "abc"),
            ("AuthHeader", "X-Acme", "Bearer abc"),
            ("AuthHeader", "X-Acme", "{!'Bearer abc'}"),
            ("HttpHeader", "X-Acme", "sk1live0123456789abc"),
            ("HttpHeader", "Ocp-Apim-Subscription-Key", "abc"),
            ("AuthProviderUrlQueryParameter", "client_secret", "abc"),
            ("AuthProviderUrlQueryParameter", "code", "abc"),
            ("Custom", "clientSecret", "abc"),
            ("AuthProviderSecret", "any", "abc"),
            ("CustomPrincipal", "ApiKey", "abc"),
            ("NamedPrincipal", "ClientSecret", "abc"),
            ("JwtBodyClaim", "secret", "abc"),
        ] {
            assert!(is_written_out(kind, name, value), "{kind} {name} {value}");
        }
        for (kind, name, value) in [
            ("AuthHeader", "Authorization", "{!'Bearer ' & $Credential.Acme.Token}"),
            ("HttpHeader", "Accept", "application/json"),
            ("HttpHeader", "anthropic-version", "2023-06-01"),
            ("AuthParameter", "Scope", "read"),
            ("Url", "Token", "https://a.example"),
        ] {
            assert!(!is_written_out(kind, name, value), "{kind} {name} {value}");
        }
    }

    #[test]
    fn what_is_named_like_a_secret_is_hidden_wherever_it_stands() {
        for inner in [
            "<clientSecret>S3CR3T</clientSecret>",
            "<apiKey>S3CR3T</apiKey>",
            "<ConsumerSecret>S3CR3T</ConsumerSecret>",
            "<a><oauthClientSecret>S3CR3T</oauthClientSecret></a>",
            "<foo secret=\"S3CR3T\"/>",
            "<foo api-key = 'S3CR3T'>x</foo>",
            "<!-- secret: S3CR3T -->",
            "<!-- Api Key is\nS3CR3T -->",
            "<!-- <consumerSecret>S3CR3T</consumerSecret> -->",
            "<attributes><formula>'S3CR3T'</formula><key>api_key</key></attributes>",
            "<externalCredentialParameters><parameterName>token</parameterName><parameterType>JwtBodyClaim\
             </parameterType><parameterValue>S3CR3T</parameterValue></externalCredentialParameters>",
        ] {
            let source = format!("<A>{inner}<label>shown</label></A>");
            let root =
                crate::metadata::xml::read(&crate::diagnostic::Text::new("a", source.as_str())).unwrap();
            for told in [masked(&source, Some(&root)), masked(&source.replace("</A>", ""), None)] {
                assert!(!told.contains("S3CR3T"), "{told}");
                assert!(told.contains("<label>shown</label>"), "{told}");
            }
        }
        for broken in [
            "<consumerSecret S3CR3T</consumerSecret>",
            "<consumerSecret>S3CR3T",
            "consumerSecret>S3CR3T</consumerSecret>",
            "<consumerSecret xsi:nil=\"S3CR3T\"/>",
        ] {
            let told = masked(&format!("<A><b>shown</b>{broken}"), None);
            assert!(!told.contains("S3CR3T") && told.contains("shown"), "{told}");
        }
    }

    #[test]
    fn a_secret_beside_elements_is_told_and_what_speaks_of_one_is_not() {
        for (source, at) in [
            ("<a client-secret='S3cr3t'/>", "S3cr3t"),
            ("<!-- api key: S3CR3T-0815 -->", "S3CR3T-0815"),
            ("<!-- <consumerSecret>S3CR3T0815</consumerSecret> -->", "S3CR3T0815"),
            ("<!-- Authorization: Bearer 00Dxx!AQ0815 -->", "00Dxx!AQ0815"),
            ("<!-- -----BEGIN PRIVATE KEY-----\nMII -->", "-----BEGIN PRIVATE KEY-----"),
        ] {
            let found = beside_elements(source);
            assert_eq!(found.iter().map(|(at, _)| &source[at.clone()]).collect::<Vec<_>>(), [at], "{source}");
        }
        for source in [
            "<!-- the secret: ask the admins -->",
            "<!-- token endpoint: https://a.example/services/oauth2/token -->",
            "<!-- <consumerSecret>${SECRET0815}</consumerSecret> -->",
            "<!-- the secret was rotated on 2026-11-01 -->",
            "<a tokenLifetime='60' secret='${X}' secretRequired='true' secretName='vault'>password='no'</a>",
        ] {
            assert_eq!(beside_elements(source), [], "{source}");
        }
    }

    #[test]
    fn what_a_type_has_is_shown_though_its_name_sounds_like_a_secret() {
        let source = "<AuthProvider><tokenUrl>https://a.example/token</tokenUrl><isSecretRequiredForRefreshToken>true\
             </isSecretRequiredForRefreshToken></AuthProvider>";
        let root = crate::metadata::xml::read(&crate::diagnostic::Text::new("a", source)).unwrap();
        assert_eq!(masked(source, Some(&root)), source);
        assert_eq!(masked(source, None), source);
    }
}
