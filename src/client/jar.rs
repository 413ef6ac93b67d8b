//! A cookie jar for one user agent (RFC 6265 §5.3 and §5.4, host-only cookies).

use cookie::Cookie;

/// The most cookies that a jar keeps.
const MOST: usize = 100;

/// Cookies of one user agent.
#[derive(Clone, Default)]
pub struct Jar(Vec<Stored>);

#[derive(Clone)]
struct Stored {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Jar {
    /// Takes in the `Set-Cookie` fields of an answer to that URL.
    pub fn absorb(&mut self, url: &str, headers: &[(String, String)]) {
        let Ok(url) = url::Url::parse(url) else { return };
        let host = host(&url);
        for (_, value) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let Ok(cookie) = Cookie::parse(value.as_str()) else { continue };
            let path = cookie
                .path()
                .filter(|p| p.starts_with('/'))
                .map_or_else(|| default_path(url.path()), str::to_owned);
            self.0.retain(|s| !(s.name == cookie.name() && s.host == host && s.path == path));
            let expired = cookie.max_age().is_some_and(|age| !age.is_positive())
                || cookie.expires_datetime().is_some_and(|at| at.year() < 2000);
            if !expired && self.0.len() < MOST {
                let (name, value) = (cookie.name().to_owned(), cookie.value().to_owned());
                self.0.push(Stored { host: host.clone(), path, name, value });
            }
        }
    }

    /// The `Cookie` field for a request to that URL, longer paths first.
    pub fn header(&self, url: &str) -> Option<String> {
        let url = url::Url::parse(url).ok()?;
        let host = host(&url);
        let mut fitting: Vec<&Stored> =
            self.0.iter().filter(|s| s.host == host && path_matches(&s.path, url.path())).collect();
        fitting.sort_by_key(|s| std::cmp::Reverse(s.path.len()));
        let pairs: Vec<String> = fitting.iter().map(|s| format!("{}={}", s.name, s.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn host(url: &url::Url) -> String {
    url.host_str().unwrap_or("").to_owned()
}

/// RFC 6265 §5.1.4.
fn default_path(path: &str) -> String {
    match path.rfind('/') {
        Some(0) | None => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}

fn path_matches(cookie: &str, path: &str) -> bool {
    path == cookie
        || path.strip_prefix(cookie).is_some_and(|rest| cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_decide_and_an_expired_cookie_goes() {
        let mut jar = Jar::default();
        let set = |value: &str| vec![("Set-Cookie".to_owned(), value.to_owned())];
        jar.absorb("http://127.0.0.1:1/a", &set("one=1; Path=/"));
        jar.absorb("http://127.0.0.1:1/a", &set("two=2; Path=/interaction/x"));
        assert_eq!(jar.header("http://127.0.0.1:1/interaction/x").as_deref(), Some("two=2; one=1"));
        assert_eq!(jar.header("http://127.0.0.1:1/interaction/xy").as_deref(), Some("one=1"));
        assert_eq!(jar.header("http://other/"), None);
        jar.absorb("http://127.0.0.1:1/a", &set("one=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(jar.header("http://127.0.0.1:1/a"), None);
    }

    proptest! {
        #[test]
        fn a_cookie_comes_back_and_to_its_host_alone(name in "[a-zA-Z0-9_]{1,8}", value in "[!#-+--:<-~]{0,20}") {
            let mut jar = Jar::default();
            let set = |url: &str, jar: &mut Jar| {
                jar.absorb(url, &[("set-cookie".to_owned(), format!("{name}={value}; Path=/; Secure"))]);
            };
            set("https://a.example/x/y", &mut jar);
            set("https://a.example/z", &mut jar);
            let sent = format!("{name}={value}");
            prop_assert_eq!(jar.header("https://a.example/q"), Some(sent));
            prop_assert_eq!(jar.header("https://b.a.example/q"), None);
        }

        #[test]
        fn no_field_is_too_strange(url in any::<String>(), fields in prop::collection::vec(any::<String>(), 0..4)) {
            let mut jar = Jar::default();
            let fields: Vec<_> = fields.into_iter().map(|value| ("Set-Cookie".to_owned(), value)).collect();
            jar.absorb(&url, &fields);
            jar.absorb("http://a.example/", &fields);
            let _ = (jar.header(&url), jar.header("http://a.example/"));
        }
    }

    #[test]
    fn a_jar_has_room_for_so_many() {
        let mut jar = Jar::default();
        for i in 0..2 * MOST {
            jar.absorb("http://a.example/", &[("Set-Cookie".to_owned(), format!("c{i}=1"))]);
        }
        assert_eq!(jar.header("http://a.example/").unwrap().split("; ").count(), MOST);
    }
}
