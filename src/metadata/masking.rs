//! What of a file nobody may see: secrets as stars, byte for byte, so that places stay.

use core::ops::Range;

use super::kinds::SECRETS;
use super::xml::Element;
use crate::oauth::from_base64;

/// Types of parameters of a credential whose value may be a secret.
const OF_SECRETS: [&str; 6] = [
    "AuthHeader",
    "HttpHeader",
    "AuthProviderClientSecret",
    "AuthParameter",
    "AuthProviderUrlQueryParameter",
    "CustomParameter",
];
/// What the name of a header or a parameter holds that carries a secret, without `-` and `_`.
const WORDS: [&str; 10] = [
    "secret",
    "password",
    "passwd",
    "token",
    "apikey",
    "accesskey",
    "subscriptionkey",
    "authorization",
    "cookie",
    "credential",
];

/// A source as it may be shown. With its tree the text of each element that holds a secret is hidden; without one, because
/// it is no XML, whatever looks like such an element.
pub(super) fn masked(source: &str, root: Option<&Element>) -> String {
    let mut hidden: Vec<Range<usize>> = Vec::new();
    match root {
        Some(root) => {
            of_elements(root, &mut hidden);
            // An element that was commented out is one all the same; it ends with its comment.
            for comment in comments(source) {
                of_words(source, comment.clone(), &mut hidden);
                of_notes(source, comment, &mut hidden);
            }
        }
        None => of_words(source, 0..source.len(), &mut hidden),
    }
    let mut from = 0;
    while let Some(at) = source[from..].find("PRIVATE KEY-----") {
        let begin = from + at + "PRIVATE KEY-----".len();
        let end = source[begin..].find(['<', '-']).map_or(source.len(), |length| begin + length);
        hidden.push(begin..end);
        from = end;
    }
    of_attributes(source, &mut hidden);
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
    let key = || {
        value.len() >= 16
            && value.chars().any(|c| c.is_ascii_digit())
            && value.chars().any(|c| c.is_ascii_alphabetic())
            && value.chars().all(|c| c.is_ascii_alphanumeric() || "_-+=".contains(c))
    };
    let scheme = || {
        let first = value.trim_start_matches(['{', '!', '\'', '"', ' ']).split(' ').next().unwrap_or("");
        value.contains(' ')
            && ["bearer", "basic", "token", "apikey"].contains(&first.to_ascii_lowercase().as_str())
    };
    let of_header = || matches!(kind, "AuthHeader" | "HttpHeader") && (scheme() || key());
    let of_its_kind = || {
        OF_SECRETS.contains(&kind)
            && (kind == "AuthProviderClientSecret" || names_a_secret(name) || of_header())
    };
    !value.is_empty() && !is_formula(value) && (of_its_kind() || is_a_secret(name) || is_a_secret(kind))
}

/// Whether a text is a private key: in PEM form, or bare base64 as retrieved certificates are (RFC 5208 §5, RFC 8017 A.1.2, RFC
/// 5915 §3).
pub(super) fn is_private_key(text: &str) -> bool {
    if text.contains("PRIVATE KEY") {
        return true;
    }
    let begin: String = text.chars().filter(|c| !c.is_whitespace()).take(16).collect();
    let Some(der) = (begin.len() == 16).then(|| from_base64(&begin)).flatten() else { return false };
    // A sequence of that length, which begins with a version.
    let inside = match der[..] {
        [0x30, 0x82, _, _, ref inside @ ..] => inside,
        [0x30, 0x81, _, ref inside @ ..] => inside,
        [0x30, length, ref inside @ ..] if length < 0x80 => inside,
        _ => return false,
    };
    matches!(inside, [2, 1, 0 | 1, ..])
}

/// Whether a value is made of what the credential holds, `{!$Credential.Name.Password}` say.
fn is_formula(value: &str) -> bool {
    value.contains("{!") && value.contains('$')
}

fn names_a_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_lowercase();
    matches!(plain.as_str(), "key" | "pwd" | "sig") || WORDS.iter().any(|word| plain.contains(word))
}

/// Whether a name is that of a secret, whoever made it up: it ends like one.
fn is_a_secret(name: &str) -> bool {
    const ENDS: [&str; 8] =
        ["secret", "password", "passwd", "passphrase", "apikey", "accesskey", "privatekey", "secretvalue"];
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    ENDS.iter().any(|end| plain.ends_with(end))
}

/// The values of attributes that have the name of a secret.
fn of_attributes(source: &str, hidden: &mut Vec<Range<usize>>) {
    for quote in ['"', '\''] {
        for (at, _) in source.match_indices(&format!("={quote}")) {
            let name = source[..at].rsplit(|c: char| c.is_whitespace() || c == '<').next().unwrap_or("");
            if !is_a_secret(name) {
                continue;
            }
            let begin = at + 2;
            let end = source[begin..].find([quote, '<']).map_or(source.len(), |length| begin + length);
            hidden.push(begin..end);
        }
    }
}

/// What stands behind `secret:` or `secret =` in a comment.
fn of_notes(source: &str, within: Range<usize>, hidden: &mut Vec<Range<usize>>) {
    for (at, _) in source[within.clone()].match_indices([':', '=']) {
        let at = within.start + at;
        let before = source[within.start..at].trim_end();
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or("");
        if !is_a_secret(name) && !name.eq_ignore_ascii_case("token") {
            continue;
        }
        let rest = &source[at + 1..within.end];
        let begin = at + 1 + (rest.len() - rest.trim_start().len());
        let end = source[begin..within.end].find(char::is_whitespace).map_or(within.end, |end| begin + end);
        hidden.push(begin..end);
    }
}

fn of_elements(element: &Element, hidden: &mut Vec<Range<usize>>) {
    for child in &element.children {
        let inside = || child.inside.start..child.inside.end;
        let is_key = || child.name != "parameterValue" && is_private_key(&child.value);
        if SECRETS.contains(&child.name.as_str()) || is_a_secret(&child.name) || is_key() {
            hidden.push(inside());
            continue;
        }
        let kind = element.text("parameterType").unwrap_or("");
        if child.name == "parameterValue" && !is_formula(&child.value) {
            // Which header carries a secret is a guess, so none of them is shown.
            let header = matches!(kind, "AuthHeader" | "HttpHeader");
            let name = element.text("parameterName").unwrap_or("");
            hidden.extend((header || is_written_out(kind, name, &child.value)).then(inside));
        }
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

/// What stands between tags of the names of secrets, with any prefix.
fn of_words(source: &str, within: Range<usize>, hidden: &mut Vec<Range<usize>>) {
    let text = &source[..within.end];
    let mut from = within.start;
    while let Some(at) = text[from..].find('<') {
        let begin = from + at + 1;
        from = begin;
        let tag = &text[begin..];
        let length =
            tag.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<')).unwrap_or(tag.len());
        let whole = &tag[..length];
        let local = whole.rsplit(':').next().unwrap_or(whole);
        if !SECRETS.contains(&local) && local != "parameterValue" && !is_a_secret(local) {
            continue;
        }
        // A tag that has no end ends with its name.
        let begin = match tag.find(['>', '<']) {
            Some(open) if tag[open..].starts_with('>') => begin + open + 1,
            _ => begin + length,
        };
        let end = text[begin..].find(&format!("</{whole}")).map_or(text.len(), |length| begin + length);
        hidden.push(begin..end);
        from = end;
    }
}

fn of_urls(text: &str, hidden: &mut Vec<Range<usize>>) {
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`');
    let mut from = 0;
    while let Some(at) = text[from..].find("://") {
        let begin = from + at + 3;
        let end = text[begin..].find(ends).map_or(text.len(), |length| begin + length);
        from = end;
        let url = &text[begin..end];
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        if let Some(user) = url[..authority].rfind('@').filter(|user| !is_filled_in(&url[..*user])) {
            hidden.push(begin..begin + user);
        }
        // What stands in a fragment has the form of a query, where it is an answer.
        let Some(query) = url.find(['?', '#']) else { continue };
        let mut place = begin + query + 1;
        // An ampersand is written as an entity, which ends with a semicolon.
        for member in url[query + 1..].split(['&', ';', '#', '?']) {
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
    use crate::diagnostic::Text;
    use crate::metadata::xml::read;

    #[test]
    fn a_url_gives_nothing_away() {
        for (url, shown) in [
            ("https://user:PASS@host/cb", "https://*********@host/cb"),
            ("`https://a.example/?a=1&amp;api_key=K3Y#x`", "`https://a.example/?a=1&amp;api_key=***#x`"),
            ("https://a.example/?token=${TOKEN}&page=2", "https://a.example/?token=${TOKEN}&page=2"),
            ("https://a.example/@b?q=a@b", "https://a.example/@b?q=a@b"),
            ("https://a.example/cb#access_token=T0K&a=1", "https://a.example/cb#access_token=***&a=1"),
            ("https://a.example/cb?a=1#id_token=T0K", "https://a.example/cb?a=1#id_token=***"),
        ] {
            assert_eq!(urls(url), shown);
        }
        assert!(
            url_gives_away("https://a.example/?X-Api-Key=1") && !url_gives_away("https://a.example/?a=1")
        );
    }

    #[test]
    fn whatever_has_the_name_of_a_secret_is_hidden() {
        for source in [
            "<a><clientSecret>S3CR</clientSecret></a>",
            "<a><apiKey>S3CR</apiKey></a>",
            "<a><ConsumerSecret>S3CR</ConsumerSecret></a>",
            "<a><b secret=\"S3CR\"/></a>",
            "<a><b client-secret='S3CR'/></a>",
            "<a><!-- the secret: S3CR --></a>",
            "<a><!-- api_key=S3CR --></a>",
            "<a><p><parameterName>clientSecret</parameterName><parameterType>Custom</parameterType><parameterValue>S3CR</parameterValue></p></a>",
            "<a><p><parameterName>x</parameterName><parameterType>AuthProviderSecret</parameterType><parameterValue>S3CR</parameterValue></p></a>",
        ] {
            let root = read(&Text::new("a.xml", source.to_owned())).unwrap();
            let shown = masked(source, Some(&root));
            assert!(!shown.contains("S3CR") && shown.len() == source.len(), "{shown}");
        }
        let broken = "<a><consumerSecret S3CR</consumerSecret></a>";
        assert!(!masked(broken, None).contains("S3CR"));
        let policy = "<a><refreshTokenPolicy>infinite</refreshTokenPolicy></a>";
        assert_eq!(masked(policy, None), policy);
    }

    #[test]
    fn a_private_key_is_known_without_its_armour() {
        for key in [
            "MIIEvQIBADANBgkqhkiG9w0BAQ",
            "MIIEpAIBAAKCAQEAu1SU1LfVLP",
            "MHcCAQEEIIrYSSNQFaA2Hwf1",
            "MIGHAgEAMBMGByqGSM49",
        ] {
            assert!(is_private_key(&format!("\n  {key}")), "{key}");
        }
        for other in
            ["MIIDXTCCAkWgAwIBAgIJAKL0UG", "MIIBIjANBgkqhkiG9w0BAQEFAA", "no key at all, just words", "MII"]
        {
            assert!(!is_private_key(other), "{other}");
        }
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
}
