//! What Salesforce is known to do otherwise than an RFC has it. Under profile `salesforce` such a fail is
//! a known deviation; under profile `rfc` it stays a fail.

/// One known deviation.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// Id of the check that Salesforce does not keep.
    pub check: &'static str,
    /// What Salesforce does instead.
    pub because: &'static str,
    /// Where that is written.
    pub source: &'static str,
    /// Whether the deviation is to accept what must be refused. Where it only is to refuse in another way, an
    /// acceptance stays a fail.
    pub accepts: bool,
}

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        check: "client-auth/failed-basic-is-401-with-challenge",
        because: "Salesforce answers 400 invalid_client whatever the way of authentication",
        source: "Salesforce Help: OAuth 2.0 Authorization Errors",
        accepts: false,
    },
    Deviation {
        check: "authorize/error-is-well-formed",
        because: "Salesforce has error codes of its own at the authorization endpoint, among them immediate_unsuccessful",
        source: "Salesforce Help: OAuth 2.0 Authorization Errors",
        accepts: false,
    },
    Deviation {
        check: "token/error-code-is-registered",
        because: "Salesforce has error codes of its own at the token endpoint, among them redirect_uri_mismatch, \
            redirect_uri_missing, invalid_client_id, app_not_found, invalid_app_access, oauth_flow_disabled, inactive_user",
        source: "Salesforce Help: OAuth 2.0 Authorization Errors",
        accepts: false,
    },
    Deviation {
        check: "resource/invalid-token-is-401-with-challenge",
        because: "Salesforce's REST API names another scheme in WWW-Authenticate and says INVALID_SESSION_ID in the body; \
            userinfo answers 403 Bad_OAuth_Token",
        source: "Salesforce REST API Developer Guide: Status Codes and Error Responses",
        accepts: false,
    },
    Deviation {
        check: "revocation/dead-token-is-answered-200",
        because: "Salesforce answers 400 invalid_token or unsupported_token_type for a token that it does not know",
        source: "Salesforce: Revoke OAuth Tokens",
        accepts: true,
    },
    Deviation {
        check: "pkce/long-verifier-is-refused",
        because: "Salesforce takes verifiers of up to 171 characters, which its own text tells clients to make",
        source: "Salesforce Help: OAuth 2.0 Web Server Flow; jsforce",
        accepts: true,
    },
    Deviation {
        check: "pkce/method-is-not-assumed-to-be-s256",
        because: "Salesforce takes a code_challenge without a method for S256",
        source: "code of Salesforce's mobile SDKs and of jsforce, which leave the method out",
        accepts: true,
    },
    Deviation {
        check: "pkce/verifier-without-challenge-is-refused",
        because: "Salesforce ignores a code_verifier that no challenge asked for",
        source: "code of client libraries (jsforce sends one with every token request)",
        accepts: true,
    },
];

/// Every known deviation of Salesforce.
pub fn deviations() -> &'static [Deviation] {
    DEVIATIONS
}

/// The known deviation from that check.
pub fn deviation(check: &str) -> Option<&'static Deviation> {
    DEVIATIONS.iter().find(|deviation| deviation.check == check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deviation_names_a_check_once() {
        for (i, deviation) in DEVIATIONS.iter().enumerate() {
            assert!(crate::catalog::find(deviation.check).is_some(), "{}", deviation.check);
            assert!(!DEVIATIONS[..i].iter().any(|d| d.check == deviation.check), "{}", deviation.check);
        }
    }
}
