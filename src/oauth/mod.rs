//! The language that both parties speak: parameters, messages, grants, assertions, keys. Every
//! message knows how to be written and how to be read; nothing here sends or decides anything.

pub mod grant;
pub mod jwt;
pub mod keys;
pub mod message;
pub mod params;
pub mod pkce;
pub mod references;
pub mod salesforce;
pub mod saml;
mod secret;

pub use params::Params;
pub use secret::Secret;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// What kind of endpoint a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Endpoint {
    Authorize,
    /// A login or approval page on the way from authorize to the callback.
    Page,
    Token,
    Introspect,
    Revoke,
    Userinfo,
    /// Salesforce's identity URL.
    Identity,
    Keys,
    Discovery,
    /// A protected resource.
    Resource,
    /// The client's own `redirect_uri`, to which the user agent brings what the org answered.
    Callback,
}

/// base64url without padding (RFC 4648 §5), the form of every JOSE part.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads [`base64url()`]; none if it is anything else.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// base64 with the standard alphabet and padding (RFC 4648 §4), as HTTP Basic uses it.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads [`base64()`]; none if it is anything else.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// SHA-256 of the bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes.as_ref()).as_ref().to_vec()
}

/// HMAC-SHA256 of the message under the key.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
}

/// The longest duration that is read, in milliseconds: ten million days. Some of them one after the other are still a number
/// of microseconds.
const LONGEST_DURATION: i64 = 10_000_000 * 86_400_000;

/// Reads a duration such as `250ms`, `5s`, `15m`, `2h`, `30d`, in milliseconds; none where it is not one
/// or longer than ten million days.
pub fn duration(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit).filter(|millis| *millis <= LONGEST_DURATION)
}

/// Where the metadata of an issuer stands: what is well known goes between its host and its path (RFC 8414 §3.1).
pub fn metadata_of(issuer: &str) -> String {
    let host = issuer.find("://").map_or(0, |scheme| scheme + 3);
    let path = issuer[host..].find('/').map_or(issuer.len(), |path| host + path);
    let (origin, path) = issuer.split_at(path);
    format!("{origin}/.well-known/oauth-authorization-server{}", path.trim_end_matches('/'))
}

/// Whether a URL points to the machine itself, where a server may do without TLS (RFC 8252 §8.3).
///
/// What stands before an `@` is no host, and an address may be written in many ways: a reader of URLs decides.
pub fn is_loopback(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a callback comes back, by plain http, to the machine of the person whose browser it is (RFC 8252 §7.3): to the two names
/// by which browsers reach it everywhere.
pub fn comes_back(redirect_uri: &str) -> bool {
    let here =
        |url: url::Url| url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    url::Url::parse(redirect_uri).is_ok_and(here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn metadata_stands_before_the_path_of_its_issuer() {
        for (issuer, url) in [
            ("https://a.example", "https://a.example/.well-known/oauth-authorization-server"),
            ("https://a.example/", "https://a.example/.well-known/oauth-authorization-server"),
            (
                "http://a.example:80/realms/x/",
                "http://a.example:80/.well-known/oauth-authorization-server/realms/x",
            ),
        ] {
            assert_eq!(metadata_of(issuer), url);
        }
    }

    #[test]
    fn durations_that_are_none_are_not_read() {
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "+5m",
            "5min",
            "1.5s",
            "5M",
            "\u{665}m",
            "9223372036854775807s",
            "10000001d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(duration("10000000d"), Some(LONGEST_DURATION));
    }

    #[test]
    fn what_points_to_the_machine_itself_is_its_host_and_nothing_else() {
        for url in [
            "http://127.0.0.1:8080/a",
            "http://localhost",
            "http://[::1]:1/",
            "https://org.localhost/",
            "http://127.1/",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://127.0.0.1:80@rogue.example/",
            "http://localhost:x@rogue.example/",
            "http://127.0.0.1.rogue.example/",
            "http://rogue.example/127.0.0.1",
            "127.0.0.1",
            "",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_its_number_times_its_unit(number in any::<u32>(), unit in 0usize..5) {
            let (name, ms) =
                [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)][unit];
            let millis = Some(i64::from(number) * ms).filter(|millis| *millis <= LONGEST_DURATION);
            prop_assert_eq!(duration(&format!("{number}{name}")), millis);
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = (duration(&text), from_base64(&text), from_base64url(&text));
        }

        #[test]
        fn bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        }
    }
}
