//! What the host of an org notices about a request besides what every record tells: secrets in places that are not
//! meant for them, and hosts that are none of the org's.

use super::counterpart::Place;
use crate::transcript::questions::{origin, same_origin};
use crate::transcript::{Facts, Request, Response, encodings};

/// What is looked for in one play.
pub(super) struct Noticed {
    /// A host that is none of the org's.
    rogue: String,
    /// Every secret of an app, in every form in which it may stand in a request.
    secrets: Vec<String>,
}

impl Noticed {
    /// What to look for at that place.
    pub(super) fn at(place: &Place) -> Self {
        let known = place.target.apps.values().filter_map(|app| app.client_secret.as_ref());
        Self {
            rogue: origin(&place.rogue).to_owned(),
            secrets: known.flat_map(|secret| encodings(secret.expose())).collect(),
        }
    }

    /// Adds what an exchange shows of it.
    pub(super) fn note(&self, request: &Request, response: Option<&Response>, facts: &mut Facts) {
        let leads = |response: &Response| {
            response.body.replace("\\/", "/").contains(&self.rogue)
                || response.header("location").is_some_and(|to| same_origin(to, &self.rogue))
        };
        if same_origin(&request.url, &self.rogue) || response.is_some_and(leads) {
            facts.stranger = Some(self.rogue.clone());
        }
        facts.secret_in = self.secret_in(request);
        // Salesforce takes it as it stands: it is the right one, in the wrong dress.
        if facts.basic_is_raw {
            facts.secret_is_right = Some(true);
        }
    }

    /// Where a secret stands that is neither `client_secret` of a form nor HTTP Basic.
    fn secret_in(&self, request: &Request) -> Option<String> {
        let holds = |text: &str| self.secrets.iter().any(|secret| text.contains(secret.as_str()));
        let is_basic = |value: &str| value.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("basic "));
        if holds(&request.url) {
            return Some("the URL".to_owned());
        }
        for (name, value) in &request.headers {
            if !(name.eq_ignore_ascii_case("authorization") && is_basic(value)) && holds(value) {
                return Some(format!("the header {name}"));
            }
        }
        if request.form().is_empty() {
            return holds(&request.body).then(|| "the body".to_owned());
        }
        let mut others = request.form().iter().filter(|(name, _)| *name != "client_secret");
        others.find(|(_, value)| holds(value)).map(|(name, _)| format!("the parameter {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::{ConnectedApp, Target};
    use std::sync::Arc;

    fn noticed() -> Noticed {
        let app = ConnectedApp { client_secret: Some("s3cr3t+of/main".into()), ..ConnectedApp::default() };
        let mut target = Target::default();
        target.apps.insert("main".into(), app);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        Noticed::at(&Place {
            org: url(1),
            instance: url(2),
            rogue: url(3),
            hosts: Vec::new(),
            target: Arc::new(target),
        })
    }

    fn request(url: &str, header: (&str, &str), body: &str) -> Request {
        let form = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        Request::new("POST", url, vec![form, (header.0.to_owned(), header.1.to_owned())], body.to_owned())
    }

    #[test]
    fn a_secret_is_noticed_where_it_does_not_belong() {
        let at = "http://127.0.0.1:1/services/oauth2/token";
        let found = |url: &str, header, body| noticed().secret_in(&request(url, header, body));
        let none = ("x", "y");
        assert_eq!(found(at, none, "client_secret=s3cr3t%2Bof%2Fmain"), None);
        assert_eq!(found(at, ("authorization", "Basic czNjcjN0K29mL21haW4="), ""), None);
        let inside = |place: &str| Some(place.to_owned());
        assert_eq!(found(at, none, "note=s3cr3t%2Bof%2Fmain"), inside("the parameter note"));
        assert_eq!(found(at, ("x-secret", "s3cr3t+of/main"), ""), inside("the header x-secret"));
        assert_eq!(found(&format!("{at}?s=s3cr3t%2Bof%2Fmain"), none, ""), inside("the URL"));
        let mut plain = request(at, none, "{\"secret\":\"s3cr3t+of/main\"}");
        plain = Request::new("POST", at, Vec::new(), plain.body);
        assert_eq!(noticed().secret_in(&plain), inside("the body"));
    }

    #[test]
    fn a_host_that_is_none_of_the_orgs_is_noticed() {
        let stranger = |url: &str, answer: Option<&Response>| {
            let mut facts = Facts::default();
            noticed().note(&request(url, ("x", "y"), ""), answer, &mut facts);
            facts.stranger
        };
        let rogue = Some("http://127.0.0.1:3".to_owned());
        assert_eq!(stranger("http://127.0.0.1:3/x", None), rogue);
        assert_eq!(stranger("http://127.0.0.1:1/x", None), None);
        let body = Response::new(200, Vec::new(), "{\"id\":\"http:\\/\\/127.0.0.1:3\\/id\"}".into());
        assert_eq!(stranger("http://127.0.0.1:1/x", Some(&body)), rogue);
        let to = vec![("location".to_owned(), "http://127.0.0.1:3/y".to_owned())];
        assert_eq!(stranger("http://127.0.0.1:1/x", Some(&Response::new(302, to, String::new()))), rogue);
    }
}
