//! A login by the web server flow as a client makes it: what it sends the user away with, and what it makes of the
//! callback (RFC 6749 §4.1, RFC 9700 §2.1).

use super::Session;
use super::wrong::Wrongs;
use super::wrong::login::STATE_UNCHECKED;
use crate::oauth::{Params, Secret};

/// A login that was begun.
pub struct Login {
    /// What the client made up for it.
    pub session: Session,
    /// The issuer that an answer must come from.
    pub issuer: String,
    /// What the client does wrong on purpose.
    pub wrong: Wrongs,
}

/// What a callback comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A code to redeem.
    Code(Secret),
    /// The user or the org said no; the error.
    Denied(String),
    /// It is not an answer to this login; why.
    Refused(&'static str),
}

impl Login {
    /// What a callback with these parameters comes to. It must be the answer to this login, whatever it says: a forged
    /// error is no denial.
    pub fn hear(&self, params: &Params) -> Heard {
        if let Some("code" | "state" | "error" | "iss") = params.repeated() {
            return Heard::Refused("a parameter stands twice");
        }
        let is_ours = params.get("state") == self.session.state.as_deref();
        if !is_ours && !self.wrong.has(&STATE_UNCHECKED) {
            return Heard::Refused("the state is not that of this login");
        }
        // RFC 9207 §2.4: compared as it is, where it is there.
        if params.get("iss").is_some_and(|iss| iss != self.issuer) {
            return Heard::Refused("another issuer answers");
        }
        let code = params.get("code").filter(|code| !code.is_empty());
        match (code, params.get("error")) {
            (Some(_), Some(_)) => Heard::Refused("it is a code and an error at once"),
            (Some(code), None) => Heard::Code(Secret::new(code)),
            (None, Some(error)) => Heard::Denied(error.to_owned()),
            (None, None) => Heard::Refused("there is neither a code nor an error"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(query: &str) -> Heard {
        let session = Session { state: Some("s".into()), ..Session::default() };
        let login = Login { session, issuer: "https://org.example".into(), wrong: Wrongs::default() };
        login.hear(&Params::read_lossy(query))
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
}
