//! Answers of an authorization server, as they are read: strictly by name, without trust.

use serde_json::{Map, Value};

use super::Params;

/// A successful token response (RFC 6749 §5.1, and the members that Salesforce adds).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenResponse {
    members: Map<String, Value>,
}

/// An error response of the token endpoint and its kin (RFC 6749 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The registered code.
    pub error: String,
    /// Text for people.
    pub description: Option<String>,
}

impl TokenResponse {
    /// Reads a JSON object that holds an access token.
    pub fn read(body: &str) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_str(body) else { return None };
        let has_token = members.get("access_token").is_some_and(Value::is_string);
        has_token.then_some(Self { members })
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// All members, in order.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The scope values (RFC 6749 §3.3), none where the member is absent.
    pub fn scopes(&self) -> Option<Vec<&str>> {
        self.text("scope").map(|scope| scope.split(' ').filter(|s| !s.is_empty()).collect())
    }
}

impl ErrorResponse {
    /// Reads an error in any form that a server writes it in: a JSON object, a form-encoded text
    /// (Salesforce's authorize and revoke), or Salesforce's REST array.
    pub fn read(body: &str) -> Option<Self> {
        // RFC 8259 §8.1: a reader may pass over a byte order mark.
        let body = body.strip_prefix('\u{feff}').unwrap_or(body);
        match serde_json::from_str::<Value>(body) {
            Ok(Value::Object(members)) => {
                let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
                Some(Self { error: text("error")?, description: text("error_description") })
            }
            Ok(Value::Array(list)) => {
                let first = list.first()?;
                Some(Self {
                    error: first.get("errorCode")?.as_str()?.to_owned(),
                    description: first.get("message").and_then(Value::as_str).map(str::to_owned),
                })
            }
            Ok(_) => None,
            Err(_) => Self::from_params(&Params::read(body.trim()).ok()?),
        }
    }

    /// Reads an error out of redirect parameters (RFC 6749 §4.1.2.1).
    pub fn from_params(params: &Params) -> Option<Self> {
        Some(Self {
            error: params.get("error")?.to_owned(),
            description: params.get("error_description").map(str::to_owned),
        })
    }

    /// Code and description on one line.
    pub fn one_line(&self) -> String {
        match &self.description {
            Some(description) => format!("{} ({description})", self.error),
            None => self.error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn errors_are_read_in_three_forms() {
        for body in [
            r#"{"error":"invalid_grant","error_description":"x y"}"#,
            "error=invalid_grant&error_description=x%20y",
            r#"[{"message":"x y","errorCode":"invalid_grant"}]"#,
        ] {
            assert_eq!(ErrorResponse::read(body).unwrap().one_line(), "invalid_grant (x y)");
        }
        assert_eq!(ErrorResponse::read("<html>"), None);
    }

    #[test]
    fn an_answer_without_an_access_token_is_no_token_response() {
        assert!(TokenResponse::read(r#"{"access_token":1}"#).is_none());
        assert_eq!(
            TokenResponse::read(r#"{"access_token":"a","scope":"b  c"}"#).unwrap().scopes().unwrap(),
            ["b", "c"]
        );
    }

    proptest! {
        #[test]
        fn an_error_says_the_same_in_every_form(
            error in any::<String>(), description in proptest::option::of(any::<String>()),
        ) {
            let said = ErrorResponse { error: error.clone(), description: description.clone() };
            let form = Params::new().with("error", &error).with_opt("error_description", description.as_deref());
            prop_assert_eq!(ErrorResponse::from_params(&form), Some(said.clone()));
            prop_assert_eq!(ErrorResponse::read(&form.write()), Some(said.clone()));
            let object = json!({ "error": error, "error_description": description });
            prop_assert_eq!(ErrorResponse::read(&object.to_string()), Some(said.clone()));
            let array = json!([{ "errorCode": error, "message": description }]);
            prop_assert_eq!(ErrorResponse::read(&array.to_string()), Some(said));
        }

        #[test]
        fn members_of_a_token_response_are_read_back_in_order(
            token in any::<String>(), others in prop::collection::vec((any::<String>(), any::<String>()), 0..5),
        ) {
            let mut members: Map<String, Value> = others.into_iter().map(|(n, v)| (n, v.into())).collect();
            members.insert("access_token".into(), token.into());
            let written = Value::Object(members.clone()).to_string();
            let read = TokenResponse::read(&written).unwrap();
            prop_assert!(read.members().iter().eq(members.iter()));
        }

        #[test]
        fn no_body_is_too_strange(body in any::<String>()) {
            let _ = (ErrorResponse::read(&body), TokenResponse::read(&body));
        }
    }
}
