//! Wrongs that the org commits on purpose, placed by name: they are how every check is seen to fail.

use std::fmt;

/// One wrong.
#[derive(Debug)]
pub struct Fault {
    /// How it is asked for.
    pub name: &'static str,
    /// What the org does wrong.
    pub doc: &'static str,
    /// The requirements that it breaks, by their ids in the collection that checks are drawn from.
    pub origins: &'static [&'static str],
}

/// Every fault.
pub fn all() -> &'static [Fault] {
    ALL
}

/// The fault of that name.
pub fn find(name: &str) -> Option<&'static Fault> {
    ALL.iter().find(|fault| fault.name == name)
}

/// The faults that an org commits.
pub(super) struct Faults(Vec<&'static str>);

impl Faults {
    pub fn new(faults: &[&'static Fault]) -> Self {
        Self(faults.iter().map(|fault| fault.name).collect())
    }

    /// Whether the org commits this one.
    pub fn has(&self, fault: &Fault) -> bool {
        self.0.contains(&fault.name)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Writes each fault once: the constant by which the code knows it, and its row in [`all`].
macro_rules! faults {
    ($($constant:ident $name:literal [$($origin:literal),*] $doc:literal)*) => {
        $(pub(super) const $constant: Fault = Fault { name: $name, doc: $doc, origins: &[$($origin),*] };)*
        const ALL: &[Fault] = &[$($constant),*];
    };
}

faults! {
    // The authorization endpoint.
    CODE_IN_FRAGMENT "code-in-fragment" ["AZ-01"] "hands the code out in the fragment of the redirect URI"
    STATE_LOST "state-lost" ["AZ-02"] "drops the state of a granted request"
    STATE_DECODED "state-decoded" ["AZ-02"] "returns the state decoded once too often"
    STATE_INVENTED "state-invented" ["AZ-03"] "returns a state that nobody sent"
    REDIRECT_ANY "redirect-any" ["AZ-04", "AZ-05", "AZ-06", "AZ-07", "AZ-08", "AZ-10", "AZ-11", "AZ-12", "AZ-13", "AZ-14", "AZ-16", "AZ-18"] "redirects to any URI"
    REDIRECT_ROGUE "redirect-rogue" ["AZ-04", "AZ-14"] "redirects to a host that has nothing to do with a registered one"
    REDIRECT_PREFIX "redirect-prefix" ["AZ-05", "AZ-12", "AZ-13"] "takes a registered path for a prefix"
    REDIRECT_SUBDOMAIN "redirect-subdomain" ["AZ-06"] "takes a sub-domain or sibling of a registered host"
    REDIRECT_QUERY_ADDED "redirect-query-added" ["AZ-07"] "ignores a query that the registered URI does not have"
    REDIRECT_QUERY_CHANGED "redirect-query-changed" ["AZ-08"] "does not compare the values of a registered query"
    REDIRECT_QUERY_LOST "redirect-query-lost" ["AZ-09"] "drops the query of the registered URI"
    REDIRECT_SCHEME "redirect-scheme" ["AZ-10"] "takes http for a registered https"
    REDIRECT_LAST_WINS "redirect-last-wins" ["AZ-15"] "checks the first of two redirect URIs and uses the last"
    REDIRECT_HOST "redirect-host" ["AZ-05", "AZ-07", "AZ-08", "AZ-10", "AZ-11", "AZ-12", "AZ-13", "AZ-16"] "compares the host of a redirect URI and nothing else"
    REDIRECT_PORT "redirect-port" ["AZ-11"] "ignores the port of a redirect URI"
    REDIRECT_NORMALISED "redirect-normalised" ["AZ-12"] "evens out letter case, percent-encoding and the last slash of a redirect URI"
    REDIRECT_CONFUSED "redirect-confused" ["AZ-13"] "takes a path that begins as the registered one and leads elsewhere by dots, slashes or semicolons"
    REDIRECT_AUTHORITY "redirect-authority" ["AZ-14"] "is content where the registered host stands somewhere in the redirect URI"
    REDIRECT_FRAGMENT "redirect-fragment" ["AZ-16"] "ignores the fragment of a redirect URI"
    REDIRECT_GUESSED "redirect-guessed" ["AZ-17"] "takes the first registered redirect URI where the request names none"
    REDIRECT_SCRIPT "redirect-script" ["AZ-18"] "redirects to javascript: and data:"
    CLIENT_GUESSED "client-guessed" ["AZ-21"] "finds the client by the redirect URI where client_id is missing"
    ERROR_BOUNCE "error-bounce" ["AZ-20", "AZ-21", "AZ-32"] "redirects the refusal of an unknown client to wherever the request says"
    RESPONSE_TYPE_ANY "response-type-any" ["AZ-22", "AZ-23", "AZ-24"] "takes every response type for code"
    RESPONSE_TYPE_OPTIONAL "response-type-optional" ["AZ-22"] "takes a missing response type for code"
    IMPLICIT "implicit" ["AZ-24"] "hands an access token to whoever asks with response_type=token"
    UNKNOWN_REFUSED "unknown-refused" ["AZ-25"] "refuses an authorization request with an unknown parameter"
    REPEATED_TAKEN "repeated-taken" ["AZ-26"] "reads the first of two parameters"
    EMPTY_REFUSED "empty-refused" ["AZ-27"] "refuses a parameter without a value"
    SCOPE_DROPPED "scope-dropped" ["AZ-28", "SF-01"] "drops a scope that it does not know, and does not tell"
    SCOPE_ANY "scope-any" ["AZ-28"] "grants whatever scope is asked for"
    ORDER_MATTERS "order-matters" ["AZ-29"] "wants response_type to be the first parameter"
    DENY_RENAMED "deny-renamed" ["AZ-30", "AZ-31"] "has its own error for a user who says no"
    ERROR_UNREADABLE "error-unreadable" ["AZ-31"] "puts a line break and quotation marks into error_description"
    ERROR_STATE_LOST "error-state-lost" ["AZ-23", "AZ-30", "AZ-32"] "drops the state of a refused request"
    ISS_LOST "iss-lost" ["AZ-35"] "leaves iss out where it hands out a code"
    ISS_WRONG "iss-wrong" ["AZ-35", "AZ-36"] "writes iss with a slash at its end"
    ISS_LOST_IN_ERRORS "iss-lost-in-errors" ["AZ-36"] "leaves iss out of errors"
    PAGES_FRAMED "pages-framed" ["AZ-38"] "lets anybody frame its pages"
    PAGES_LOUD "pages-loud" ["AZ-39"] "tells the address of its pages to everybody"
    LOGIN_307 "login-307" ["AZ-40"] "answers a password with 307"
    AUTHORIZE_CORS "authorize-cors" ["AZ-41"] "lets scripts of every site read what the authorization endpoint answers"
    CODE_SHORT "code-short" ["AZ-44"] "issues codes of twelve characters"
    GARBLED_500 "garbled-500" ["AZ-47"] "breaks where a parameter holds control characters"

    // The redemption of codes and the token endpoint.
    TOKEN_TYPE_MISSING "token-type-missing" ["CD-01", "SF-01"] "grants a code without a token_type"
    TOKEN_AS_TEXT "token-as-text" ["CD-02"] "says that a token response is plain text"
    NO_STORE_MISSING "no-store-missing" ["CD-03"] "lets token responses be cached"
    PRAGMA_MISSING "pragma-missing" ["CD-04"] "sends token responses without Pragma"
    CODE_REUSABLE "code-reusable" ["CD-05", "CD-09"] "redeems a code any number of times"
    CODE_RACY "code-racy" ["CD-09"] "does not look again when it redeems a code that was good a moment ago"
    CODE_UNBOUND "code-unbound" ["CD-12"] "redeems a code for any client"
    REDIRECT_UNCHECKED_AT_TOKEN "redirect-unchecked-at-token" ["CD-13"] "ignores the redirect_uri of a redemption"
    CODE_UNKNOWN_RENAMED "code-unknown-renamed" ["CD-16"] "says invalid_request for an unknown code"
    GET_TOKEN "get-token" ["CD-21"] "answers a token request by GET"
    GRANT_TYPE_RENAMED "grant-type-renamed" ["CD-28"] "says invalid_request for an unknown grant type"
    ERROR_AS_HTML "error-as-html" ["CD-33"] "says that an error of the token endpoint is HTML"

    // PKCE.
    PKCE_BROKEN "pkce-broken" ["PK-01", "CD-01"] "refuses the right verifier of an S256 challenge"
    PKCE_ANY "pkce-any" ["PK-02", "PK-13", "PK-14", "PK-15"] "takes any verifier"
    PKCE_OPTIONAL "pkce-optional" ["PK-03"] "asks for no verifier where a challenge was sent"
    PKCE_DOWNGRADE "pkce-downgrade" ["PK-04"] "takes a verifier where no challenge was sent"
    PKCE_PUBLIC_OPTIONAL "pkce-public-optional" ["PK-05", "PK-16"] "asks no challenge of a public client"
    PKCE_REQUIRED_IGNORED "pkce-required-ignored" ["PK-06"] "asks no challenge of a confidential client whose app requires PKCE"
    PKCE_PLAIN "pkce-plain" ["PK-07"] "takes the method plain, though it does not list it"
    PKCE_METHOD_ANY "pkce-method-any" ["PK-09"] "takes an unknown challenge method for S256"
    PKCE_SHORT_OK "pkce-short-ok" ["PK-10", "PK-11"] "looks at no length of a verifier"
    PKCE_CHARACTERS_ANY "pkce-characters-any" ["PK-12"] "takes any characters in a verifier"
    PKCE_ENCODINGS "pkce-encodings" ["PK-13"] "takes a challenge in hexadecimal digits or with padding"
    PKCE_SWAPPED "pkce-swapped" ["PK-02", "PK-14"] "takes the verifier of any challenge that it ever saw"
    PKCE_CASE "pkce-case" ["PK-02", "PK-15"] "ignores the letter case of a challenge"
    PKCE_EMPTY "pkce-empty" ["PK-16"] "takes an empty challenge for one"
    PKCE_UNLISTED "pkce-unlisted" ["PK-17"] "does not list the challenge methods"
    PKCE_FOR_SECRET "pkce-for-secret" ["PK-18", "CA-05"] "takes a right verifier in place of the client secret"
    PKCE_METHOD_ASSUMED "pkce-method-assumed" ["PK-19"] "takes a challenge without a method for S256, under profile rfc too"
    PKCE_PLAIN_TOO "pkce-plain-too" ["PK-08"] "takes the S256 challenge itself for a verifier"

    // Client authentication.
    BASIC_REFUSED "basic-refused" ["CA-01", "CC-01"] "knows no HTTP Basic"
    ANY_SECRET "any-secret" ["CA-05", "CC-03", "PK-18"] "takes any secret"
    BASIC_401_LESS "basic-401-less" ["CA-06"] "answers failed Basic with 400 and no challenge, under profile rfc too"
    CLIENT_ASSERTION_REFUSED "client-assertion-refused" ["CA-15"] "refuses every client assertion, but for the redemption of a code"
    CLIENT_ASSERTION_AUD_ANY "client-assertion-aud-any" ["CA-16"] "takes a client assertion for another server"
    CLIENT_ASSERTION_EXPIRED "client-assertion-expired" ["CA-18"] "takes a client assertion that has expired"
    CLIENT_ASSERTION_UNVERIFIED "client-assertion-unverified" ["CA-21"] "does not verify the signature of a client assertion"
    CLIENT_ASSERTION_NONE "client-assertion-none" ["CA-22"] "takes a client assertion without a signature"

    // Refresh.
    REFRESH_DEAD_ON_ARRIVAL "refresh-dead-on-arrival" ["RF-01", "RS-01"] "answers a refresh without rotation with an access token that the API refuses"
    REFRESH_ANY "refresh-any" ["RF-02"] "takes refresh tokens that it never issued"
    REFRESH_UNBOUND "refresh-unbound" ["RF-03"] "takes the refresh token of another client"
    REFRESH_UNAUTHENTICATED "refresh-unauthenticated" ["RF-04"] "refreshes without the secret that the app must send"
    REFRESH_WIDEN "refresh-widen" ["RF-05"] "grants on refresh whatever scope is asked for"
    ROTATE_NO_REVOKE "rotate-no-revoke" ["RF-09"] "takes a refresh token that was rotated out"
    ROTATE_NO_FAMILY "rotate-no-family" ["RF-10"] "leaves the active refresh token alive when an old one is used again"
    ROTATE_RACY "rotate-racy" ["RF-12"] "lets every one of several simultaneous refreshes win"
    COLLISION_AS_THEFT "collision-as-theft" ["RF-14"] "takes a collision in flight for theft and kills the winner's tokens"

    // JWT bearer.
    JWT_WRONG_USER "jwt-wrong-user" ["JB-01"] "gives a token for another user than the assertion names"
    JWT_ISS_OPTIONAL "jwt-iss-optional" ["JB-02"] "finds the client by its key where iss is missing"
    JWT_SUB_OPTIONAL "jwt-sub-optional" ["JB-03"] "takes the first approved user where sub is missing"
    JWT_AUD_OPTIONAL "jwt-aud-optional" ["JB-04"] "asks for no aud"
    JWT_AUD_ANY "jwt-aud-any" ["JB-05"] "takes an assertion for another server"
    JWT_EXP_OPTIONAL "jwt-exp-optional" ["JB-06"] "asks for no exp"
    JWT_EXP_IGNORED "jwt-exp-ignored" ["JB-07"] "takes an assertion that has expired"
    JWT_NBF_IGNORED "jwt-nbf-ignored" ["JB-08"] "takes an assertion before its time"
    JWT_NONE "jwt-none" ["JB-12"] "takes an assertion without a signature"
    JWT_UNVERIFIED "jwt-unverified" ["JB-13"] "does not verify the signature of an assertion"
    JWT_UNAPPROVED "jwt-unapproved" ["JB-19"] "gives a token for a user who never approved the client"

    // Client credentials.
    CLIENT_CREDENTIALS_REFUSED "client-credentials-refused" ["CC-01"] "refuses client credentials with the right secret"
    RUN_AS_ANYBODY "run-as-anybody" ["CC-05"] "takes the first user where the app names none"

    // Resources.
    BEARER_REFUSED "bearer-refused" ["RS-01"] "takes the token of a first grant under the scheme OAuth alone"
    REST_UNCHALLENGED "rest-unchallenged" ["RS-06"] "answers 401 without WWW-Authenticate"
    ACCESS_ETERNAL "access-eternal" ["RS-07"] "serves data for an expired access token"

    // Introspection and revocation.
    INTROSPECT_OPEN "introspect-open" ["IN-01"] "introspects for anybody"
    INTROSPECT_ACTIVE_TEXT "introspect-active-text" ["IN-03"] "writes active as a text"
    INTROSPECT_EXPIRED_ACTIVE "introspect-expired-active" ["IN-04"] "says that an expired token is active"
    INTROSPECT_REVOKED_ACTIVE "introspect-revoked-active" ["IN-05"] "says that a revoked token is active"
    INTROSPECT_UNKNOWN_ERROR "introspect-unknown-error" ["IN-06"] "answers an error for an unknown token"
    INTROSPECT_ALWAYS "introspect-always" ["IN-04", "IN-05", "IN-06"] "says that every token is active"
    INTROSPECT_TALKS "introspect-talks" ["IN-07"] "tells why a token is not active"
    REVOKE_NOOP_REFRESH "revoke-noop-refresh" ["RV-01", "RV-10"] "leaves a revoked refresh token alive"
    REVOKE_NOOP_ACCESS "revoke-noop-access" ["RV-02", "RV-10"] "leaves a revoked access token alive at resources"
    REVOKE_KEEPS_ACCESS "revoke-keeps-access" ["RV-03"] "leaves the access tokens of a revoked refresh token alive"
    REVOKE_UNKNOWN_ERROR "revoke-unknown-error" ["RV-05"] "answers 400 for an unknown token, under profile rfc too"
    REVOKE_LATE "revoke-late" ["RV-10", "RV-02"] "revokes access tokens five seconds late"

    // Discovery.
    DISC_AS_TEXT "disc-as-text" ["DS-01"] "says that the discovery document is plain text"
    DISC_ISSUER "disc-issuer" ["DS-02", "AZ-35", "AZ-36"] "names another issuer"
    DISC_LIES "disc-lies" ["DS-08"] "advertises a grant type that it does not support"

    // What Salesforce adds.
    INSTANCE_URL_MISSING "instance-url-missing" ["SF-01"] "leaves instance_url out"
    SF_ISSUED_AT_INT "sf-issued-at-int" ["SF-02"] "writes issued_at as a number of seconds"
    SF_SIGNATURE "sf-signature" ["SF-03"] "signs a token response with another key"
    REFRESH_TOKEN_UNASKED "refresh-token-unasked" ["SF-04"] "hands out a refresh token without its scope, and with client credentials"
    ID_WITHOUT_ORG "id-without-org" ["SF-05"] "leaves the org out of the identity URL"
    REST_ERROR_OBJECT "rest-error-object" ["SF-06"] "answers REST errors as an object"
    IDENTITY_401 "identity-401" ["SF-07"] "answers 401 and JSON for a bad token at the identity family"
    SOAP_401 "soap-401" ["SF-08"] "answers 401 for an expired session at the SOAP API"
    REFRESH_DEAD_RENAMED "refresh-dead-renamed" ["SF-09"] "has its own text for a dead refresh token"
    COLLISION_RENAMED "collision-renamed" ["SF-10"] "has its own text for a collision in flight"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first slice of CHECKS.md that binds servers, without the static group.
    const FIRST_SLICE: &str = "AZ-01 AZ-02 AZ-03 AZ-04 AZ-05 AZ-06 AZ-07 AZ-08 AZ-09 AZ-10 AZ-15 AZ-20 AZ-23 \
        AZ-25 AZ-30 CD-01 CD-02 CD-03 CD-04 CD-05 CD-09 CD-12 CD-13 CD-16 CD-21 CD-28 CD-33 PK-01 PK-02 PK-03 \
        PK-04 PK-05 PK-08 CA-01 CA-05 CA-06 CA-15 CA-16 CA-18 CA-21 CA-22 RF-01 RF-02 RF-03 RF-04 RF-05 RF-09 \
        RF-10 RF-12 RF-14 JB-01 JB-02 JB-03 JB-04 JB-05 JB-06 JB-07 JB-08 JB-12 JB-13 JB-19 CC-01 CC-03 CC-05 \
        RS-01 RS-06 RS-07 IN-01 IN-03 IN-04 IN-05 IN-06 IN-07 RV-01 RV-02 RV-03 RV-05 RV-10 DS-01 DS-02 DS-08 \
        SF-01 SF-02 SF-03 SF-04 SF-05 SF-06 SF-07 SF-08 SF-09 SF-10";

    #[test]
    fn every_check_of_the_first_slice_has_a_fault() {
        assert_eq!(FIRST_SLICE.split_whitespace().count(), 91);
        for origin in FIRST_SLICE.split_whitespace() {
            assert!(all().iter().any(|fault| fault.origins.contains(&origin)), "{origin}");
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        for (i, fault) in all().iter().enumerate() {
            assert_eq!(all().iter().position(|f| f.name == fault.name), Some(i), "{}", fault.name);
            assert!(find(fault.name).is_some() && !fault.doc.is_empty() && !fault.origins.is_empty());
        }
    }
}
