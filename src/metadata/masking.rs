//! What of a file nobody may see: secrets as stars, byte for byte, so that places stay.

use core::ops::Range;

use super::kinds::SECRETS;
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
                of_words(source, comment, &mut hidden);
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
    OF_SECRETS.contains(&kind)
        && !is_formula(value)
        && (kind == "AuthProviderClientSecret" || names_a_secret(name) || of_header())
}

/// Whether a value is made of what the credential holds, `{!$Credential.Name.Password}` say.
fn is_formula(value: &str) -> bool {
    value.contains("{!") && value.contains('$')
}

fn names_a_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_lowercase();
    matches!(plain.as_str(), "key" | "pwd" | "sig") || WORDS.iter().any(|word| plain.contains(word))
}

fn of_elements(element: &Element, hidden: &mut Vec<Range<usize>>) {
    for child in &element.children {
        let inside = || child.inside.start..child.inside.end;
        if SECRETS.contains(&child.name.as_str()) {
            hidden.push(inside());
            continue;
        }
        let kind = element.text("parameterType").unwrap_or("");
        if child.name == "parameterValue" && OF_SECRETS.contains(&kind) && !is_formula(&child.value) {
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
        if !SECRETS.contains(&local) && local != "parameterValue" {
            continue;
        }
        let Some(open) = tag.find('>') else { continue };
        let begin = begin + open + 1;
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
        let Some(query) = url.find('?') else { continue };
        let mut place = begin + query + 1;
        let query = url[query + 1..].split('#').next().unwrap_or("");
        // An ampersand is written as an entity, which ends with a semicolon.
        for member in query.split(['&', ';']) {
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

    #[test]
    fn a_url_gives_nothing_away() {
        for (url, shown) in [
            ("https://user:PASS@host/cb", "https://*********@host/cb"),
            ("`https://a.example/?a=1&amp;api_key=K3Y#x`", "`https://a.example/?a=1&amp;api_key=***#x`"),
            ("https://a.example/?token=${TOKEN}&page=2", "https://a.example/?token=${TOKEN}&page=2"),
            ("https://a.example/@b?q=a@b", "https://a.example/@b?q=a@b"),
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
