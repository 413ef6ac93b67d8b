//! A login by the web server flow as a client makes it: what it sends the user away with, and what it makes of the
//! callback (RFC 6749 §4.1, RFC 9207 §2.4, RFC 9700 §2.1).

use super::Session;
use super::wrong::Wrongs;
use super::wrong::login::{
    CODE_CUT, CODE_DECODED_TWICE, DENIAL_IGNORED, ECHOES_ERRORS, ERROR_BESIDE_CODE_IGNORED, FIRST_OF_TWO,
    ISSUER_NOT_MISSED, ISSUER_UNCHECKED, KNOWS_ONE_DENIAL, MISSING_STATE_TAKEN, PAGE_LOADS_SCRIPTS,
    PAGE_SHOWS_CODE, REFUSES_UNKNOWN_PARAMETERS, STATE_IN_ANY_CASE, STATE_UNCHECKED,
};
use crate::oauth::{Params, Secret, params};

/// A login that was begun.
pub struct Login {
    /// What the client made up for it.
    pub session: Session,
    /// The issuer that an answer must come from.
    pub issuer: String,
    /// Whether the org has promised to name itself in every answer (RFC 9207 §3).
    pub names_itself: bool,
    /// What the client does wrong on purpose.
    pub wrong: Wrongs,
}

/// What a callback comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A code to redeem.
    Code(Secret),
    /// The user or the org said no; the error.
    Denied(String),
    /// It is not an answer to this login; why.
    Refused(&'static str),
}

/// The page that a user sees at the callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub kind: &'static str,
    /// What it says.
    pub body: String,
}

impl Login {
    /// What a callback with these parameters comes to. It must be the answer to this login, whatever it says: a forged
    /// error is no denial.
    pub fn hear(&self, params: &Params) -> Heard {
        let wrong = |one| self.wrong.has(one);
        if let Some("code" | "state" | "error" | "iss") = params.repeated()
            && !wrong(&FIRST_OF_TWO)
        {
            return Heard::Refused("a parameter stands twice");
        }
        let known = ["code", "state", "error", "error_description", "error_uri", "iss"];
        if wrong(&REFUSES_UNKNOWN_PARAMETERS) && params.iter().any(|(name, _)| !known.contains(&name)) {
            return Heard::Refused("there is a parameter that it does not know");
        }
        let state = params.get("state");
        let but_for_case = || {
            let kept = self.session.state.as_deref();
            state.zip(kept).is_some_and(|(state, kept)| state.eq_ignore_ascii_case(kept))
        };
        let passes = wrong(&STATE_UNCHECKED)
            || state.is_none() && wrong(&MISSING_STATE_TAKEN)
            || wrong(&STATE_IN_ANY_CASE) && but_for_case();
        if state != self.session.state.as_deref() && !passes {
            return Heard::Refused("the state is not that of this login");
        }
        // RFC 9207 §2.4: compared as it is, where it is there, and missed where it was promised.
        match params.get("iss") {
            Some(iss) if iss != self.issuer && !wrong(&ISSUER_UNCHECKED) => {
                return Heard::Refused("another issuer answers");
            }
            None if self.names_itself && !wrong(&ISSUER_NOT_MISSED) => {
                return Heard::Refused("the issuer does not name itself, as it has promised");
            }
            _ => {}
        }
        let code = params.get("code").filter(|code| !code.is_empty());
        match (code, params.get("error")) {
            (Some(_), Some(_)) if !wrong(&ERROR_BESIDE_CODE_IGNORED) => {
                Heard::Refused("it is a code and an error at once")
            }
            (Some(code), _) => Heard::Code(self.taken(code)),
            (None, Some(error)) => {
                let unknown = wrong(&KNOWS_ONE_DENIAL) && error != "access_denied";
                let passed_over = wrong(&DENIAL_IGNORED) || unknown;
                if passed_over { Heard::Code(Secret::new("")) } else { Heard::Denied(error.to_owned()) }
            }
            (None, None) => Heard::Refused("there is neither a code nor an error"),
        }
    }

    /// The code as the client takes it: as it came.
    fn taken(&self, code: &str) -> Secret {
        if self.wrong.has(&CODE_CUT) {
            return Secret::new(code.chars().take(255).collect::<String>());
        }
        if self.wrong.has(&CODE_DECODED_TWICE) {
            return Secret::new(params::form_decode(code).unwrap_or_else(|_| code.to_owned()));
        }
        Secret::new(code)
    }

    /// What the user is shown. Nothing of what came stands in it: a browser would take it for a page of the client.
    pub fn page(&self, params: &Params, heard: &Heard) -> Shown {
        let html = "text/html; charset=utf-8";
        let code = params.get("code").unwrap_or("");
        if self.wrong.has(&ECHOES_ERRORS)
            && let Heard::Denied(error) = heard
        {
            let why = params.get("error_description").unwrap_or("");
            return Shown { status: 200, kind: html, body: format!("<p>{error}: {why}</p>") };
        }
        if self.wrong.has(&PAGE_SHOWS_CODE) {
            return Shown { status: 200, kind: html, body: format!("<p>Your code is {code}</p>") };
        }
        if self.wrong.has(&PAGE_LOADS_SCRIPTS) {
            let body =
                "<script src=\"https://metrics.example/count.js\"></script><p>Logged in</p>".to_owned();
            return Shown { status: 200, kind: html, body };
        }
        let (status, said) = match heard {
            Heard::Code(_) => (200, "The login is answered."),
            Heard::Denied(_) => (200, "The login was refused."),
            Heard::Refused(_) => (400, "This is no answer to a login that is under way."),
        };
        let body = format!("{said} You can close this page.");
        Shown { status, kind: "text/plain; charset=utf-8", body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(names_itself: bool) -> Login {
        let session = Session { state: Some("s".into()), ..Session::default() };
        Login { session, issuer: "https://org.example".into(), names_itself, wrong: Wrongs::default() }
    }

    fn heard(query: &str) -> Heard {
        login(false).hear(&Params::read_lossy(query))
    }

    #[test]
    fn a_callback_is_taken_for_what_it_is() {
        assert_eq!(heard("code=c&state=s&foo=bar"), Heard::Code("c".into()));
        assert_eq!(heard("error=access_denied&state=s"), Heard::Denied("access_denied".into()));
        assert_eq!(heard("code=c&state=s&iss=https%3A%2F%2Forg.example"), Heard::Code("c".into()));
        for odd in [
            "code=c",
            "code=c&state=t",
            "error=access_denied",
            "code=c&code=d&state=s",
            "code=c&error=e&state=s",
            "code=&state=s",
            "state=s",
            "code=c&state=s&iss=https%3A%2F%2Frogue.example",
            "code=c&state=s&state=s",
        ] {
            assert!(matches!(heard(odd), Heard::Refused(_)), "{odd}");
        }
    }

    #[test]
    fn an_issuer_that_promised_to_name_itself_has_to() {
        let hear = |query| login(true).hear(&Params::read_lossy(query));
        assert!(matches!(hear("code=c&state=s"), Heard::Refused(_)));
        assert!(matches!(hear("error=access_denied&state=s"), Heard::Refused(_)));
        assert_eq!(hear("code=c&state=s&iss=https://org.example"), Heard::Code("c".into()));
    }

    #[test]
    fn nothing_of_a_callback_stands_on_the_page() {
        for query in ["code=c0de&state=s", "error=e&error_description=<script>&state=s", "code=c0de&state=t"]
        {
            let params = Params::read_lossy(query);
            let shown = login(false).page(&params, &login(false).hear(&params));
            assert!(!shown.body.contains("c0de") && !shown.body.contains('<'), "{shown:?}");
            assert!(shown.kind.starts_with("text/plain"));
        }
    }
}
