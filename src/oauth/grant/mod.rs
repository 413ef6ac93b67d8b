//! The grants: the parameters of each well-formed token request, one file a grant.

pub mod authorization_code;
pub mod client_credentials;
pub mod jwt_bearer;
pub mod refresh_token;
pub mod saml_bearer;

/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Params;
    use crate::oauth::pkce::Method;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the values are, the other party reads those, each once, and no other.
        #[test]
        fn requests_are_read_as_they_were_meant(
            text in prop::array::uniform4(any::<String>()), optional in prop::option::of(any::<String>()),
        ) {
            let [client, uri, code, challenge] = &text;
            let authorize = authorization_code::Authorize {
                client_id: client,
                redirect_uri: uri,
                scope: optional.clone(),
                state: optional.as_deref(),
                challenge: optional.as_ref().map(|_| (challenge.clone(), Method::S256)),
                nonce: optional.as_deref(),
            };
            let read = Params::read(&authorize.params().write()).unwrap();
            prop_assert_eq!(read.repeated(), None);
            for (name, value) in [
                ("response_type", Some("code")),
                ("client_id", Some(client)),
                ("redirect_uri", Some(uri)),
                ("scope", optional.as_deref()),
                ("state", optional.as_deref()),
                ("code_challenge", optional.as_ref().map(|_| challenge.as_str())),
                ("code_challenge_method", optional.as_ref().map(|_| "S256")),
                ("nonce", optional.as_deref()),
            ] {
                prop_assert_eq!(read.get(name), value, "{}", name);
            }
            for (request, grant, name, value) in [
                (authorization_code::redeem(code, uri, optional.as_deref()), authorization_code::GRANT_TYPE, "code", Some(code)),
                (client_credentials::request(optional.as_deref()), client_credentials::GRANT_TYPE, "scope", optional.as_ref()),
                (refresh_token::request(code), refresh_token::GRANT_TYPE, "refresh_token", Some(code)),
                (jwt_bearer::request(code), jwt_bearer::GRANT_TYPE, "assertion", Some(code)),
                (saml_bearer::request(code), saml_bearer::GRANT_TYPE, "assertion", Some(code)),
            ] {
                let read = Params::read(&request.write()).unwrap();
                prop_assert_eq!(&read, &request);
                prop_assert_eq!((read.get("grant_type"), read.get(name)), (Some(grant), value.map(String::as_str)));
                prop_assert_eq!(read.repeated(), None);
            }
        }
    }
}
