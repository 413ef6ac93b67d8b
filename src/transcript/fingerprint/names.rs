//! Names that say of a value that it is secret: of parameters, of members of JSON, of XML elements, of headers.

/// Names of the protocols, and the kind that the fingerprint of a value shows.
pub(super) const PARAMS: &[(&str, &str)] = &[
    ("code", "code"),
    ("client_secret", "client_secret"),
    ("refresh_token", "refresh_token"),
    ("access_token", "access_token"),
    ("oauth_token", "access_token"),
    ("id_token", "id_token"),
    ("id_token_hint", "id_token"),
    ("assertion", "assertion"),
    ("authorization_code", "code"),
    ("auth_code", "code"),
    ("SAMLResponse", "assertion"),
    ("jwt", "assertion"),
    ("pass", "password"),
    ("pin", "password"),
    ("bearer", "access_token"),
    ("client_assertion", "client_assertion"),
    ("code_verifier", "code_verifier"),
    ("device_code", "device_code"),
    ("signature", "signature"),
    ("token", "token"),
    ("password", "password"),
    ("pw", "password"),
    ("csrf", "page_field"),
    ("xsrf", "page_field"),
];

/// What a name ends with whose value is secret, whoever made it up: without what is no letter, in small letters.
const ENDINGS: &[(&str, &str)] = &[
    ("csrf", "page_field"),
    ("xsrf", "page_field"),
    ("csrftoken", "page_field"),
    ("xsrftoken", "page_field"),
    ("accesskey", "secret"),
    ("apikey", "secret"),
    ("encryptionkey", "secret"),
    ("privatekey", "secret"),
    ("secretkey", "secret"),
    ("sharedkey", "secret"),
    ("subscriptionkey", "secret"),
    ("secret", "secret"),
    ("assertion", "assertion"),
    ("credential", "secret"),
    ("signature", "signature"),
    ("token", "secret"),
    ("tokenvalue", "secret"),
    ("otp", "password"),
    ("passcode", "password"),
    ("passphrase", "password"),
    ("passwd", "password"),
    ("password", "password"),
    ("pwd", "password"),
    ("session", "session"),
    ("sessionkey", "session"),
    ("sessionid", "session"),
    ("sessid", "session"),
    ("sid", "session"),
    // Of a front door's answer: cookies that a browser is to be given.
    ("sidclient", "session"),
];

/// Kinds of fingerprints besides those of names.
const OTHERS: [&str; 4] = ["basic", "cookie", "parameter", "page_field"];

/// The kind of secret that a value under that name is, whoever sends it, and however the name is spelled:
/// `Client_Secret`, `clientSecret`, `client_secret[]`, `X-Client-Secret` and `s:clientSecret` say the same.
pub(super) fn kind_of(name: &str) -> Option<&'static str> {
    if let Some((_, kind)) = PARAMS.iter().find(|(known, _)| *known == name) {
        return Some(kind);
    }
    let flat: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let same =
        |known: &str| known.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase()).eq(flat.bytes());
    if let Some((_, kind)) = PARAMS.iter().find(|(known, _)| same(known)) {
        return Some(kind);
    }
    // `tokens`, `password1`.
    let flat = flat.trim_end_matches(|c: char| c.is_ascii_digit());
    let flat = flat.strip_suffix('s').unwrap_or(flat);
    // The longest ending says most.
    let endings = ENDINGS.iter().filter(|(ending, _)| flat.ends_with(ending));
    endings.max_by_key(|(ending, _)| ending.len()).map(|(_, kind)| *kind)
}

/// Whether a fingerprint may be of that kind.
pub(super) fn is_kind(text: &str) -> bool {
    let named = PARAMS.iter().chain(ENDINGS).map(|(_, kind)| *kind);
    named.chain(OTHERS).any(|kind| kind == text)
}

/// What stands beside a name that says that it is secret, as it is written.
#[derive(Debug, PartialEq)]
pub(super) struct Named<'t> {
    pub kind: &'static str,
    pub name: &'t str,
    pub value: &'t str,
}

impl<'t> Named<'t> {
    /// None where the name says nothing of the kind.
    pub fn of(name: &'t str, value: &'t str) -> Option<Self> {
        Some(Self { kind: kind_of(name)?, name, value })
    }
}

/// What is secret by its name in a text, whatever the text is: `name=value`, `"name": "value"` and `<name>value</name>`.
pub(super) fn named_values(text: &str) -> Vec<Named<'_>> {
    let mut found: Vec<Named> = Vec::new();
    // Behind the last `<`, and behind the last value: what is in that is not looked through once more.
    let (mut opened, mut over) = (None, 0);
    for (at, byte) in text.bytes().enumerate() {
        let after = at + 1;
        let named = match byte {
            b'<' => {
                opened = Some(after);
                None
            }
            b'=' if at >= over => assigned(tail(&text[..at]), &text[after..]),
            b':' if at >= over => member(tail(&text[..at]), &text[after..]),
            b'>' => opened.take().and_then(|from| element(&text[from..at], &text[after..])),
            _ => None,
        };
        if let Some(named) = named {
            over = named.value.as_ptr() as usize - text.as_ptr() as usize + named.value.len();
            found.push(named);
        }
    }
    found
}

/// The longest name that is looked for, in bytes.
const LONGEST: usize = 80;

/// The end of a text in which a name is looked for.
fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(LONGEST);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at));
    from.map_or("", |from| &text[from..])
}

/// `name=value` and `name = "value"`.
fn assigned<'t>(before: &'t str, after: &'t str) -> Option<Named<'t>> {
    let name = before.trim_end_matches([' ', '"', '\'', '\\']);
    let begins = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.[]%".contains(c)));
    let begins = begins.map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    let mut named = Named::of(&name[begins..], "")?;
    let value = after.trim_start_matches([' ', '\\']);
    named.value = match value.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(['"', '\'', '\\']).next()?,
        None => value.split(|c: char| c.is_whitespace() || "&\"'<>;?#\\".contains(c)).next()?,
    };
    Some(named)
}

/// `"name": "value"`, also where it stands in a string and its quotes are escaped, and `"name": 123`.
fn member<'t>(before: &'t str, after: &'t str) -> Option<Named<'t>> {
    let quoted = before.trim_end();
    let quote = quoted.chars().next_back().filter(|c| matches!(c, '"' | '\''))?;
    let name = quoted[..quoted.len() - 1].trim_end_matches('\\').rsplit(quote).next()?;
    let mut named = Named::of(name, "")?;
    let value = after.trim_start();
    let escaped = value.strip_prefix('\\').unwrap_or(value);
    named.value = match escaped.strip_prefix(quote) {
        Some(text) if escaped.len() < value.len() => text.split('\\').next()?,
        Some(text) => &text[..end_of_string(text, quote)],
        None => value.split(|c: char| !c.is_ascii_digit()).next()?,
    };
    Some(named)
}

/// Where a string ends: at the quote that no backslash stands before.
fn end_of_string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// `<name attribute="x">value<`, of a tag without its brackets.
fn element<'t>(tag: &'t str, after: &'t str) -> Option<Named<'t>> {
    let name = tag.split(char::is_whitespace).next()?;
    if name.starts_with(['/', '!', '?']) || tag.ends_with('/') {
        return None;
    }
    let mut named = Named::of(name, "")?;
    named.value = match after.trim_start().strip_prefix("<![CDATA[") {
        Some(data) => data.split("]]>").next()?,
        None => after.split('<').next()?.trim(),
    };
    Some(named)
}

/// What is secret by its name among the parts of a multipart form (RFC 7578); nothing where a body is none.
pub(super) fn parts(body: &str) -> Vec<Named<'_>> {
    let boundary = body.trim_start().lines().next().map(str::trim).filter(|line| line.starts_with("--"));
    boundary.map_or_else(Vec::new, |boundary| body.split(boundary).filter_map(part).collect())
}

fn part(part: &str) -> Option<Named<'_>> {
    let (head, value) = ["\r\n\r\n", "\n\n"].iter().find_map(|blank| part.split_once(blank))?;
    let at = head.to_ascii_lowercase().match_indices("name=").map(|(at, _)| at).find(|at| {
        // Not `filename=`.
        head[..*at].ends_with([' ', ';', '\t'])
    })?;
    let name = head[at + "name=".len()..].trim_start_matches('"').split(['"', ';', '\r', '\n']).next()?;
    Named::of(name, value.trim_end_matches(['\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is_however_it_is_spelled() {
        for (name, kind) in [
            ("client_secret", Some("client_secret")),
            ("Client_Secret", Some("client_secret")),
            ("clientSecret", Some("client_secret")),
            ("client_secret[]", Some("client_secret")),
            ("refreshToken", Some("refresh_token")),
            ("registration_access_token", Some("secret")),
            ("lightning_sid", Some("session")),
            ("visualforce_sid", Some("session")),
            ("cookie_sid_Client", Some("session")),
            ("jsessionid", Some("session")),
            ("s:sessionId", Some("session")),
            ("X-SFDC-Session", Some("session")),
            ("X-Api-Key", Some("secret")),
            ("user[password]", Some("password")),
            ("otp", Some("password")),
            ("csrf_token", Some("page_field")),
            ("CSRF", Some("page_field")),
            ("token_type", None),
            ("token_endpoint", None),
            ("token_endpoint_auth_methods_supported", None),
            ("client_secret_expires_at", None),
            ("id_token_signing_alg_values_supported", None),
            ("sessionSecondsValid", None),
            ("passwordExpired", None),
            ("requested_token_type", None),
            ("client_id", None),
            ("errorCode", None),
            ("state", None),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }

    #[test]
    fn names_stand_beside_their_values_in_texts_of_every_kind() {
        for (text, name, value) in [
            ("a=1&token=abc&b=2", "token", "abc"),
            ("/x;jsessionid=abc?y=1", "jsessionid", "abc"),
            ("token = \"a b\"", "token", "a b"),
            ("{\"token\" : \"abc\"}", "token", "abc"),
            ("{\"token\":\"a\\\"bc\"}", "token", "a\\\"bc"),
            ("{\"x\":\"{\\\"token\\\":\\\"abc\\\"}\"}", "token", "abc"),
            ("{'token': 'abc'}", "token", "abc"),
            ("{\"otp\": 123456}", "otp", "123456"),
            ("<s:token a=\"1\">abc</s:token>", "s:token", "abc"),
            ("<token><![CDATA[a<bc]]></token>", "token", "a<bc"),
            ("\u{e9}token=abc \u{e9}", "token", "abc"),
        ] {
            assert_eq!(named_values(text), Vec::from_iter(Named::of(name, value)), "{text}");
        }
        for text in ["</token>abc", "<token/>abc", "\u{e9}=", "a=b=c", "token"] {
            assert_eq!(named_values(text), [], "{text}");
        }
        // What says the same over and over is gone through once.
        assert_eq!(named_values(&"token=".repeat(200_000)).len(), 1);
    }

    #[test]
    fn parts_of_a_form_are_found() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nabc\r\n--b\r\n\
                    Content-Disposition: form-data; name=\"x\"; filename=\"y\"\r\n\r\n1\r\n2\r\n--b--\r\n";
        assert_eq!(parts(body), Vec::from_iter(Named::of("password", "abc")));
        assert_eq!(parts("password=abc"), []);
    }
}
