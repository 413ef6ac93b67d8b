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
    SCOPE_DROPPED "scope-dropped" ["AZ-28", "SF-01", "ID-01"] "drops a scope that it does not know, and does not tell"
    SCOPE_ANY "scope-any" ["AZ-28"] "grants whatever scope is asked for"
    ORDER_MATTERS "order-matters" ["AZ-29"] "wants response_type to be the first parameter"
    DENY_RENAMED "deny-renamed" ["AZ-30", "AZ-31"] "has its own error for a user who says no"
    ERROR_UNREADABLE "error-unreadable" ["AZ-31", "ID-14"] "puts a line break and quotation marks into error_description"
    ERROR_STATE_LOST "error-state-lost" ["AZ-23", "AZ-30", "AZ-32"] "drops the state of a refused request"
    ISS_LOST "iss-lost" ["AZ-35"] "leaves iss out where it hands out a code"
    ISS_WRONG "iss-wrong" ["AZ-35", "AZ-36"] "writes iss with a slash at its end"
    ISS_LOST_IN_ERRORS "iss-lost-in-errors" ["AZ-36"] "leaves iss out of errors"
    PAGES_FRAMED "pages-framed" ["AZ-38"] "lets anybody frame its pages"
    PAGES_LOUD "pages-loud" ["AZ-39"] "tells the address of its pages to everybody"
    LOGIN_307 "login-307" ["AZ-40"] "answers a password with 307"
    AUTHORIZE_CORS "authorize-cors" ["AZ-41"] "lets scripts of every site read what the authorization endpoint answers"
    CODE_SHORT "code-short" ["AZ-44"] "issues codes of twelve characters"
    CODE_HARDLY_CHANGES "code-hardly-changes" ["AZ-44"] "issues codes of which five letters change"
    GARBLED_500 "garbled-500" ["AZ-47"] "breaks where a parameter holds control characters"

    // The redemption of codes and the token endpoint.
    TOKEN_TYPE_MISSING "token-type-missing" ["CD-01", "CD-36", "SF-01", "NC-12"] "grants a code without a token_type"
    TOKEN_AS_TEXT "token-as-text" ["CD-02"] "says that a token response is plain text"
    NO_STORE_MISSING "no-store-missing" ["CD-03"] "lets token responses be cached"
    PRAGMA_MISSING "pragma-missing" ["CD-04"] "sends token responses without Pragma"
    CODE_REUSABLE "code-reusable" ["CD-05", "CD-09"] "redeems a code any number of times"
    CODE_RACY "code-racy" ["CD-09"] "does not look again when it redeems a code that was good a moment ago"
    CODE_TWO_OF_TWENTY "code-two-of-twenty" ["CD-09"] "lets two of twenty simultaneous redemptions of a code win, and one of eight"
    CODE_WRONG_USER "code-wrong-user" ["CD-39", "RF-01", "IN-12"] "answers a code with the tokens of another user"
    CODE_ETERNAL "code-eternal" ["CD-15"] "redeems a code however old it is"
    CODE_MISSING_RENAMED "code-missing-renamed" ["CD-17"] "says unsupported_grant_type where the code is missing"
    REDIRECT_OPTIONAL_AT_TOKEN "redirect-optional-at-token" ["CD-14"] "asks for no redirect_uri at the redemption"
    QUERY_SECRET "query-secret" ["CD-22"] "reads credentials from the query, under profile rfc too"
    JSON_TAKEN "json-taken" ["CD-23"] "reads a JSON body as if it were a form"
    REPEATED_FIRST "repeated-first" ["CD-24", "JB-17"] "takes the first of two values of a parameter"
    TOKEN_UNKNOWN_REFUSED "token-unknown-refused" ["CD-25"] "refuses a token request with an unknown parameter"
    CHARSET_REFUSED "charset-refused" ["CD-27"] "does not know a form whose media type has a parameter"
    GRANT_TYPE_GUESSED "grant-type-guessed" ["CD-29"] "takes a request without grant_type for client credentials"
    EXPIRES_IN_MISSING "expires-in-missing" ["CD-32"] "does not say how long an access token lives, under profile rfc too"
    EXPIRES_IN_LONG "expires-in-long" ["TR-03"] "says that an access token lives for a day"
    ERROR_QUOTES "error-quotes" ["CD-34"] "writes quotes into error_description"
    TOKEN_TYPE_RENAMED "token-type-renamed" ["CD-36", "NC-12"] "has a token_type of its own"
    REFRESH_TOKEN_ODD "refresh-token-odd" ["CD-37"] "issues refresh tokens with letters beyond ASCII"
    TOKEN_500 "token-500" ["CD-41", "CC-01", "SF-10"] "answers every seventeenth token request with 500"
    TOKEN_SLOW "token-slow" ["CD-42"] "answers every fifth token request eight seconds late"
    TOKEN_SHARED "token-shared" ["TR-02", "JB-01", "RS-01"] "gives the same access token to all who ask an app within a second"
    PASSWORD_GRANT "password-grant" ["TR-08"] "still has the password grant"
    CODE_UNBOUND "code-unbound" ["CD-12"] "redeems a code for any client"
    REDIRECT_UNCHECKED_AT_TOKEN "redirect-unchecked-at-token" ["CD-13", "CD-14"] "ignores the redirect_uri of a redemption"
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
    PKCE_FOR_SECRET "pkce-for-secret" ["PK-18", "CA-05", "CA-07"] "takes a right verifier in place of the client secret"
    PKCE_METHOD_ASSUMED "pkce-method-assumed" ["PK-19"] "takes a challenge without a method for S256, under profile rfc too"
    PKCE_PLAIN_TOO "pkce-plain-too" ["PK-08"] "takes the S256 challenge itself for a verifier"

    // Client authentication.
    BASIC_REFUSED "basic-refused" ["CA-01", "CA-02", "CC-01", "DS-09"] "knows no HTTP Basic"
    ANY_SECRET "any-secret" ["CA-05", "CA-10", "CC-03", "IN-02", "PK-18"] "takes any secret"
    BASIC_RAW "basic-raw" ["CA-01", "CA-02", "CC-01", "DS-09"] "does not decode what HTTP Basic has form-encoded"
    POST_REFUSED "post-refused" ["CA-03", "CC-01", "DS-09"] "takes no secret from the body with client credentials"
    TWO_METHODS "two-methods" ["CA-04", "CA-33"] "takes two ways of client authentication in one request, under profile rfc too"
    SECRET_NOT_ASKED "secret-not-asked" ["CA-05", "CA-07", "CA-09", "CC-03"] "grants codes and client credentials to an app that shows no secret"
    UNKNOWN_CLIENT_TOLD "unknown-client-told" ["CA-08"] "tells an unknown client from a wrong secret, under profile rfc too"
    EMPTY_SECRET "empty-secret" ["CA-05", "CA-09", "CC-03"] "takes an empty secret for the right one"
    SECRET_PREFIX "secret-prefix" ["CA-05", "CC-03"] "compares secrets as far as the shorter one goes"
    SECRET_CASELESS "secret-caseless" ["CA-05", "CC-03"] "compares secrets without regard to the case of letters"
    SECRET_OF_ANYBODY "secret-of-anybody" ["CA-05", "CA-10", "CC-03"] "takes the secret of any app"
    BASIC_ID_IGNORED "basic-id-ignored" ["CA-11"] "does not compare the client_id of the body with that of HTTP Basic"
    DISC_SECRETS_ALONE "disc-secrets-alone" ["CA-14"] "advertises shared secrets alone for client authentication"
    BASIC_401_LESS "basic-401-less" ["CA-06"] "answers failed Basic with 400 and no challenge, under profile rfc too"
    CLIENT_ASSERTION_REFUSED "client-assertion-refused" ["CA-15", "DS-09"] "refuses every client assertion, but for the redemption of a code"
    CLIENT_ASSERTION_AUD_OPTIONAL "client-assertion-aud-optional" ["CA-17"] "asks for no aud in a client assertion"
    CLIENT_ASSERTION_EXP_OPTIONAL "client-assertion-exp-optional" ["CA-19"] "asks for no exp in a client assertion"
    CLIENT_ASSERTION_PARTY_ANY "client-assertion-party-any" ["CA-20"] "does not compare iss and sub of a client assertion with the client"
    CLIENT_ASSERTION_HS256 "client-assertion-hs256" ["CA-23"] "takes the public key for the secret of an HMAC"
    CLIENT_ASSERTION_REPLAYED "client-assertion-replayed" ["CA-24"] "takes a client assertion any number of times"
    CLIENT_ASSERTION_NBF_IGNORED "client-assertion-nbf-ignored" ["CA-25"] "takes a client assertion before its time"
    CLIENT_ASSERTION_TYPE_ANY "client-assertion-type-any" ["CA-27"] "does not look at client_assertion_type"
    CLIENT_ASSERTION_ISSUER_REFUSED "client-assertion-issuer-refused" ["CA-28"] "takes a client assertion for its token endpoint alone"
    CLIENT_ASSERTION_ID_IGNORED "client-assertion-id-ignored" ["CA-29", "SF-03"] "does not compare client_id with the client assertion"
    CLIENT_ASSERTION_RENAMED "client-assertion-renamed" ["CA-30", "CA-16", "CA-17", "CA-18", "CA-19", "CA-20", "CA-21", "CA-22", "CA-23", "CA-25", "CA-31", "CA-32", "CA-29"] "says invalid_grant for a client assertion that is not good"
    CLIENT_ASSERTION_JWK "client-assertion-jwk" ["CA-31"] "verifies a client assertion with the key that it brings along"
    CLIENT_ASSERTION_CRIT_IGNORED "client-assertion-crit-ignored" ["CA-32"] "does not look at crit of a client assertion"
    CLIENT_ASSERTION_AUD_ANY "client-assertion-aud-any" ["CA-16"] "takes a client assertion for another server"
    CLIENT_ASSERTION_EXPIRED "client-assertion-expired" ["CA-18"] "takes a client assertion that has expired"
    CLIENT_ASSERTION_UNVERIFIED "client-assertion-unverified" ["CA-21", "CA-31", "CA-32"] "does not verify the signature of a client assertion"
    CLIENT_ASSERTION_NONE "client-assertion-none" ["CA-22"] "takes a client assertion without a signature"

    // Refresh.
    REFRESH_DEAD_ON_ARRIVAL "refresh-dead-on-arrival" ["RF-01", "RS-01"] "answers a refresh without rotation with an access token that the API refuses"
    REFRESH_ANY "refresh-any" ["RF-02", "RF-23"] "takes refresh tokens that it never issued"
    REFRESH_UNBOUND "refresh-unbound" ["RF-03"] "takes the refresh token of another client"
    REFRESH_UNAUTHENTICATED "refresh-unauthenticated" ["RF-04"] "refreshes without the secret that the app must send"
    REFRESH_WIDEN "refresh-widen" ["RF-05", "SF-29"] "grants on refresh whatever scope is asked for"
    ROTATE_NO_REVOKE "rotate-no-revoke" ["RF-09"] "takes a refresh token that was rotated out"
    ROTATE_NO_FAMILY "rotate-no-family" ["RF-10", "RF-11"] "leaves the active refresh token alive when an old one is used again"
    ROTATE_RACY "rotate-racy" ["RF-12", "RV-03"] "lets every one of several simultaneous refreshes win"
    COLLISION_AS_THEFT "collision-as-theft" ["RF-14"] "takes a collision in flight for theft and kills the winner's tokens"
    REFRESH_SCOPE_LOST "refresh-scope-lost" ["RF-06"] "leaves a part of the scope out of every refresh"
    REFRESH_NARROW_STICKS "refresh-narrow-sticks" ["RF-07"] "keeps the scope of a refresh that asked for less"
    PUBLIC_UNROTATED "public-unrotated" ["RF-08"] "rotates for clients with a secret only"
    REUSE_SPARES_ACCESS "reuse-spares-access" ["RF-11"] "leaves the access tokens alive when an old refresh token is used again"
    ROTATE_RACY_PAIR "rotate-racy-pair" ["RF-12"] "lets two of many simultaneous refreshes win"
    REFRESH_IDLE_ETERNAL "refresh-idle-eternal" ["RF-18"] "takes a refresh token however long it was not used"
    REFRESH_IDLE_FROM_GRANT "refresh-idle-from-grant" ["RF-19"] "counts the idle period from the grant, whatever the use"
    REFRESH_ONCE "refresh-once" ["RF-21", "RF-01", "RF-14", "RF-19"] "takes a refresh token once, and gives no other for it"
    REFRESH_TOKEN_OPENS "refresh-token-opens" ["RF-23"] "serves data for a refresh token"
    ACCESS_TOKEN_REFRESHES "access-token-refreshes" ["RF-23", "RF-02"] "takes an access token for a refresh token"
    REFRESH_TOKEN_SHORT "refresh-token-short" ["RF-24"] "makes refresh tokens that can be guessed"
    REFRESH_TOKEN_HARDLY_CHANGES "refresh-token-hardly-changes" ["RF-24"] "makes refresh tokens of which five letters change"
    REFRESH_MIXES_USERS "refresh-mixes-users" ["RF-25", "RF-27", "IN-12"] "answers a refresh with another user's token where two use the app"
    REFRESH_NONCE_NEW "refresh-nonce-new" ["RF-26"] "puts a new nonce into the ID token of a refresh"
    REFRESH_OTHER_INSTANCE "refresh-other-instance" ["RF-27"] "names another instance in the answer to a refresh"
    REFRESH_LIFETIME_SLIDES "refresh-lifetime-slides" ["RF-28"] "begins the lifetime of a grant anew with each refresh"

    // JWT bearer.
    JWT_WRONG_USER "jwt-wrong-user" ["JB-01"] "gives a token for another user than the assertion names"
    JWT_ISS_OPTIONAL "jwt-iss-optional" ["JB-02"] "finds the client by its key where iss is missing"
    JWT_SUB_OPTIONAL "jwt-sub-optional" ["JB-03"] "takes the first approved user where sub is missing"
    JWT_AUD_OPTIONAL "jwt-aud-optional" ["JB-04"] "asks for no aud"
    JWT_AUD_ANY "jwt-aud-any" ["JB-05"] "takes an assertion for another server"
    JWT_EXP_OPTIONAL "jwt-exp-optional" ["JB-06"] "asks for no exp"
    JWT_EXP_IGNORED "jwt-exp-ignored" ["JB-07"] "takes an assertion that has expired"
    JWT_NBF_IGNORED "jwt-nbf-ignored" ["JB-08"] "takes an assertion before its time"
    JWT_EXP_UNLIMITED "jwt-exp-unlimited" ["JB-11"] "takes an assertion that expires in a year, under profile rfc too"
    JWT_IAT_IGNORED "jwt-iat-ignored" ["JB-09"] "takes an assertion of last year, under profile rfc too"
    JWT_REPLAY "jwt-replay" ["JB-10"] "takes an assertion with a jti again, under profile rfc too"
    JWT_NONE "jwt-none" ["JB-12"] "takes an assertion without a signature"
    JWT_UNVERIFIED "jwt-unverified" ["JB-13", "JB-18"] "does not verify the signature of an assertion"
    JWT_HS_CONFUSION "jwt-hs-confusion" ["JB-14"] "takes an HMAC under the public key of the app for a signature"
    JWT_HEADER_KEY "jwt-header-key" ["JB-18"] "verifies an assertion with the key that its header shows"
    JWT_ALG_ANY "jwt-alg-any" ["JB-24"] "takes RS384, RS512 and PS256"
    JWT_BASE64_LENIENT "jwt-base64-lenient" ["JB-17"] "reads over padding, line breaks and the other alphabet of base64"
    JWT_ERROR_RENAMED "jwt-error-renamed" ["JB-07", "JB-15"] "says invalid_request for an assertion that has expired"
    JWT_EXTRA_REFUSED "jwt-extra-refused" ["JB-01", "JB-16"] "refuses an assertion with a claim that it does not know"
    JWT_USER_UNKNOWN "jwt-user-unknown" ["JB-20"] "takes the first approved user where it does not know the one that is named"
    JWT_INACTIVE "jwt-inactive" ["JB-20"] "gives a token for a user who was deactivated or frozen"
    JWT_ISS_ANY "jwt-iss-any" ["JB-21"] "finds the client by its key where iss names nobody"
    JWT_REFRESH_TOKEN "jwt-refresh-token" ["JB-22", "SF-04", "SF-32"] "hands out a refresh token with JWT bearer"
    JWT_SUB_WINS "jwt-sub-wins" ["JB-25"] "lets sub win over prn"
    SCOPE_GRANTED "scope-granted" ["JB-23", "CC-08", "SF-29"] "grants an assertion and client credentials whatever scope is asked for"
    SCOPE_IGNORED "scope-ignored" ["SF-29"] "ignores a scope where it takes none"
    JWT_UNAPPROVED "jwt-unapproved" ["JB-19"] "gives a token for a user who never approved the client"

    // SAML bearer.
    SAML_WRONG_USER "saml-wrong-user" ["SB-01"] "gives a token for another user than the SAML assertion names"
    SAML_ISSUER_ANY "saml-issuer-any" ["SB-02", "SF-14"] "finds the client by its key where Issuer names nobody"
    SAML_AUDIENCE_ANY "saml-audience-any" ["SB-03"] "takes a SAML assertion for another server"
    SAML_SUBJECT_OPTIONAL "saml-subject-optional" ["SB-04"] "takes the first approved user where the Subject names nobody"
    SAML_EXPIRED "saml-expired" ["SB-05"] "takes a SAML assertion that has expired"
    SAML_METHOD_ANY "saml-method-any" ["SB-06"] "takes every way of subject confirmation"
    SAML_RECIPIENT_ANY "saml-recipient-any" ["SB-07"] "takes a SAML assertion for another recipient"
    SAML_UNSIGNED "saml-unsigned" ["SB-08"] "takes a SAML assertion without a signature"
    SAML_UNVERIFIED "saml-unverified" ["SB-08"] "does not verify the signature of a SAML assertion"
    SAML_REPLAY "saml-replay" ["SB-09"] "takes a SAML assertion again, under profile rfc too"
    SAML_WRAPPED "saml-wrapped" ["SB-10"] "believes the outermost assertion where a signature stands somewhere within"
    SAML_COMMENT_CUTS "saml-comment-cuts" ["SB-11"] "reads a NameID up to its first comment"
    SAML_DOCTYPE "saml-doctype" ["SB-12"] "reads over a document type declaration"
    SAML_BASE64_LENIENT "saml-base64-lenient" ["SB-13"] "reads over line breaks and the other alphabet of base64 in a SAML assertion"
    SAML_ERROR_RENAMED "saml-error-renamed" ["SB-05", "SB-14"] "says invalid_request for a SAML assertion that has expired"

    // Client credentials.
    CLIENT_CREDENTIALS_REFUSED "client-credentials-refused" ["CC-01"] "refuses client credentials with the right secret"
    CLIENT_CREDENTIALS_PUBLIC "client-credentials-public" ["CC-02"] "grants client credentials to a public client"
    CLIENT_CREDENTIALS_UNLISTED "client-credentials-unlisted" ["CC-04", "CD-30"] "grants client credentials to an app that does not list the flow"
    RUN_AS_OTHER "run-as-other" ["CC-06"] "runs client credentials as another user than the app names"
    USER_SCOPES_GRANTED "user-scopes-granted" ["CC-09", "CD-30"] "grants client credentials with scopes of users alone"
    RUN_AS_ANYBODY "run-as-anybody" ["CC-05", "CD-30"] "takes the first user where the app names none"

    // Resources.
    BEARER_REFUSED "bearer-refused" ["RS-01"] "takes the token of a first grant under the scheme OAuth alone"
    REST_UNCHALLENGED "rest-unchallenged" ["RS-06", "RS-05"] "answers 401 without WWW-Authenticate"
    ACCESS_ETERNAL "access-eternal" ["RS-07", "IN-14"] "serves data for an expired access token"
    REST_ANONYMOUS "rest-anonymous" ["RS-05"] "serves data for a call without a token"
    SCHEME_CASE "scheme-case" ["RS-10", "SF-06"] "knows the scheme Bearer in this spelling only"
    BEARER_FIRST_WORD "bearer-first-word" ["RS-11"] "takes the first of two tokens in a Bearer header"
    ID_TOKEN_OPENS "id-token-opens" ["RS-15"] "takes every JWT that it signed for an access token"

    // Introspection and revocation.
    INTROSPECT_OPEN "introspect-open" ["IN-01", "IN-02", "IN-09", "IN-17"] "introspects for anybody"
    INTROSPECT_ACTIVE_TEXT "introspect-active-text" ["IN-03"] "writes active as a text"
    INTROSPECT_EXPIRED_ACTIVE "introspect-expired-active" ["IN-04"] "says that an expired token is active"
    INTROSPECT_REVOKED_ACTIVE "introspect-revoked-active" ["IN-05", "IN-16"] "says that a revoked token is active"
    INTROSPECT_UNKNOWN_ERROR "introspect-unknown-error" ["IN-06"] "answers an error for an unknown token"
    INTROSPECT_ALWAYS "introspect-always" ["IN-04", "IN-05", "IN-06", "IN-16", "IN-18", "SF-19"] "says that every token is active"
    INTROSPECT_TALKS "introspect-talks" ["IN-07"] "tells why a token is not active"
    INTROSPECT_ANY_SECRET "introspect-any-secret" ["IN-02"] "introspects for a caller with any secret"
    INTROSPECT_HINT "introspect-hint" ["IN-08"] "looks for a token only where its hint says"
    INTROSPECT_ANYBODYS "introspect-anybodys" ["IN-09"] "tells every client about the tokens of all others"
    INTROSPECT_MISSING_OK "introspect-missing-ok" ["IN-10"] "says inactive where there is no token to ask about"
    INTROSPECT_GET "introspect-get" ["IN-11"] "introspects by GET"
    INTROSPECT_SCOPE_ALL "introspect-scope-all" ["IN-12"] "tells every scope of the app in place of those of the token"
    INTROSPECT_FIRST_USER "introspect-first-user" ["IN-12"] "tells the same user of every token"
    INTROSPECT_MILLIS "introspect-millis" ["IN-13", "SF-19"] "tells times in milliseconds"
    INTROSPECT_EXP_LATE "introspect-exp-late" ["IN-14"] "tells an end that is an hour too late"
    INTROSPECT_CACHEABLE "introspect-cacheable" ["IN-15"] "lets introspection answers be cached"
    INTROSPECT_CACHED "introspect-cached" ["IN-05", "IN-16"] "says for five seconds that a revoked access token is active"
    INTROSPECT_BEARER "introspect-bearer" ["IN-17"] "takes any access token for the right to introspect"
    INTROSPECT_ROTATED_ACTIVE "introspect-rotated-active" ["IN-18"] "says that a rotated-out refresh token is active"
    REVOKE_NOOP_REFRESH "revoke-noop-refresh" ["RV-01", "RV-10", "RV-03"] "leaves a revoked refresh token alive"
    REVOKE_NOOP_ACCESS "revoke-noop-access" ["RV-02", "RV-06", "RV-07", "RV-10", "RS-08"] "leaves a revoked access token alive at resources"
    REVOKE_KEEPS_ACCESS "revoke-keeps-access" ["RV-03"] "leaves the access tokens of a revoked refresh token alive"
    REVOKE_GHOST "revoke-ghost" ["RV-01", "RV-10", "RF-29", "RF-01", "RF-10", "RS-01"] "answers a refresh with a revoked token by an access token that is dead"
    REVOKE_FORGOTTEN "revoke-forgotten" ["RV-01"] "takes a revoked refresh token again after ten minutes"
    REVOKE_HINT "revoke-hint" ["RV-06"] "revokes a token only where its hint says that it is"
    REVOKE_HINT_STRICT "revoke-hint-strict" ["RV-07"] "refuses a revocation with an unknown hint"
    REVOKE_OPEN "revoke-open" ["RV-08", "RV-09"] "revokes for anybody, under profile rfc too"
    REVOKE_ANYBODYS "revoke-anybodys" ["RV-09"] "revokes tokens of other clients, under profile rfc too"
    REVOKE_MISSING_OK "revoke-missing-ok" ["RV-12"] "answers 200 to a revocation without a token"
    REVOKE_GET "revoke-get" ["RV-15"] "revokes by GET, under profile rfc too"
    REVOKE_RACY "revoke-racy" ["RV-17"] "answers 500 to the second of two simultaneous revocations"
    REVOKE_UNSEEN "revoke-unseen" ["RV-03"] "gives who refreshes while the token is revoked an access token that lives"
    REVOKE_UNKNOWN_ERROR "revoke-unknown-error" ["RV-05", "RV-17"] "answers 400 for an unknown token, under profile rfc too"
    REVOKE_LATE "revoke-late" ["RV-10", "RV-02", "RV-06", "RV-07", "RS-08"] "revokes access tokens five seconds late"

    // Discovery.
    DISC_AS_TEXT "disc-as-text" ["DS-01"] "says that the discovery document is plain text"
    DISC_ISSUER "disc-issuer" ["DS-02", "AZ-35", "AZ-36"] "names another issuer"
    DISC_LIES "disc-lies" ["DS-08"] "advertises a grant type that it does not support"
    DISC_ISSUER_QUERY "disc-issuer-query" ["DS-03", "DS-02", "AZ-35", "AZ-36"] "names an issuer with a query"
    DISC_HTTP "disc-http" ["DS-04"] "publishes the userinfo endpoint under http"
    DISC_NO_RESPONSE_TYPES "disc-no-response-types" ["DS-05"] "does not say which response types it knows"
    DISC_NO_TOKEN_ENDPOINT "disc-no-token-endpoint" ["DS-06"] "does not say where tokens are handed out"
    DISC_EMPTY_ARRAY "disc-empty-array" ["DS-07"] "publishes an empty list of claim locales"
    DISC_ALGS_MISSING "disc-algs-missing" ["DS-10"] "does not say how client assertions are to be signed"
    DISC_ALG_NONE "disc-alg-none" ["DS-10"] "advertises client assertions without a signature"
    DISC_NO_REVOCATION "disc-no-revocation" ["DS-11"] "keeps the revocation endpoint to itself"
    DISC_DIFFERS "disc-differs" ["DS-13"] "names another token endpoint in the RFC 8414 document"
    DISC_ANY_PATH "disc-any-path" ["DS-15"] "answers its metadata below any path"
    DISC_NO_RS256 "disc-no-rs256" ["DS-17", "ID-11"] "advertises ID tokens by PS512 alone"
    DISC_NO_SUBJECT_TYPES "disc-no-subject-types" ["DS-18"] "does not say what kind of subject it names"
    JWKS_PRIVATE "jwks-private" ["DS-16"] "publishes a private member of its key"
    JWKS_SAME_KID "jwks-same-kid" ["DS-16"] "publishes two keys under one kid"
    JWKS_STALE "jwks-stale" ["DS-20"] "lets its keys be cached for a year"

    // ID token and userinfo.
    IDT_MISSING "idt-missing" ["ID-01"] "gives no ID token though openid was granted"
    IDT_UNASKED "idt-unasked" ["ID-01"] "gives an ID token where openid was not asked for"
    IDT_NO_IAT "idt-no-iat" ["ID-02"] "leaves iat out of ID tokens"
    IDT_ISS "idt-iss" ["ID-03"] "signs ID tokens in the name of another issuer"
    IDT_AUD "idt-aud" ["ID-04"] "makes ID tokens out for another client"
    IDT_AZP "idt-azp" ["ID-05"] "names another client as the authorized party"
    IDT_EXP "idt-exp" ["ID-06"] "gives ID tokens that ended an hour before they were issued"
    IDT_TEXT_TIMES "idt-text-times" ["ID-06"] "writes exp of ID tokens as a text"
    IDT_NONCE "idt-nonce" ["ID-07"] "puts another nonce into ID tokens"
    NONCE_REQUIRED "nonce-required" ["ID-08", "AZ-29"] "wants a nonce with openid alone"
    IDT_SIGNATURE "idt-signature" ["ID-09"] "breaks the signature of ID tokens"
    IDT_NO_KID "idt-no-kid" ["ID-09"] "does not say which of its keys signed an ID token"
    IDT_HASH "idt-hash" ["ID-10"] "puts the hash of another access token into ID tokens"
    IDT_NONE "idt-none" ["ID-11"] "does not sign ID tokens"
    IDT_HS256 "idt-hs256" ["ID-11"] "signs ID tokens with the consumer secret"
    MAX_AGE_IGNORED "max-age-ignored" ["ID-13"] "does not say when the user logged in"
    MAX_AGE_STALE "max-age-stale" ["ID-13"] "takes a login that is older than max_age"
    PROMPT_NONE_SHOWS "prompt-none-shows" ["ID-14"] "shows a page though prompt is none"
    PROMPT_LOGIN_IGNORED "prompt-login-ignored" ["ID-15"] "asks nobody for a password again"
    SUB_NEW "sub-new" ["ID-16", "ID-17", "RF-25"] "gives the user another sub in each ID token"
    SUB_LONG "sub-long" ["ID-16", "ID-17"] "gives subs of three hundred characters"
    USERINFO_SUB "userinfo-sub" ["ID-17"] "has another sub at userinfo than in the ID token"
    USERINFO_GET_ONLY "userinfo-get-only" ["ID-18"] "refuses POST at userinfo"
    USERINFO_OPEN "userinfo-open" ["ID-19"] "tells of the first user where userinfo is asked without a token"
    USERINFO_FORGED "userinfo-forged" ["ID-25"] "signs userinfo with a key that it does not publish"
    USERINFO_ISS "userinfo-iss" ["ID-25"] "signs userinfo in the name of another issuer"
    USERINFO_AUD "userinfo-aud" ["ID-25"] "makes signed userinfo out for another client"
    IDENTITY_OPEN "identity-open" ["ID-22"] "tells of any user by the identity URL"

    // Transport.
    HSTS_MISSING "hsts-missing" ["TL-06"] "sends no Strict-Transport-Security"
    TOKEN_SENT_ON "token-sent-on" ["TL-07"] "sends a token request that names a community on to another host, body and all"

    // What Salesforce adds.
    INSTANCE_URL_MISSING "instance-url-missing" ["SF-01"] "leaves instance_url out"
    SF_ISSUED_AT_INT "sf-issued-at-int" ["SF-02"] "writes issued_at as a number of seconds"
    SF_SIGNATURE "sf-signature" ["SF-03"] "signs a token response with another key"
    REFRESH_TOKEN_UNASKED "refresh-token-unasked" ["SF-04", "TR-06"] "hands out a refresh token without its scope, and with client credentials"
    ID_WITHOUT_ORG "id-without-org" ["SF-05"] "leaves the org out of the identity URL"
    REST_ERROR_OBJECT "rest-error-object" ["SF-06", "SF-31"] "answers REST errors as an object"
    IDENTITY_401 "identity-401" ["SF-07"] "answers 401 and JSON for a bad token at the identity family"
    SOAP_401 "soap-401" ["SF-08"] "answers 401 for an expired session at the SOAP API"
    REFRESH_DEAD_RENAMED "refresh-dead-renamed" ["SF-09"] "has its own text for a dead refresh token"
    UNKNOWN_CLIENT_RENAMED "unknown-client-renamed" ["SF-14"] "has its own text for an unknown client"
    SECRET_RENAMED "secret-renamed" ["SF-15"] "has its own text for a wrong secret"
    REDIRECT_RENAMED "redirect-renamed" ["SF-16"] "has its own text for a redirect URI that is not registered"
    SCOPE_AS_EXPIRY "scope-as-expiry" ["SF-31"] "says of a token without the scope api that it has expired"
    JWT_SIGNED_ANSWER "jwt-signed-answer" ["SF-32"] "signs the answer to a JWT assertion"
    COLLISION_RENAMED "collision-renamed" ["SF-10"] "has its own text for a collision in flight"

    // What a Named Credential of Salesforce cannot do with.
    DEAD_TOKEN_403 "dead-token-403" ["NC-03"] "answers a dead access token with 403 at the API"
    ACCEPT_JSON_ALONE "accept-json-alone" ["NC-11", "CC-01", "CD-01", "JB-01", "PK-01"] "answers a token request with 406 unless it asks for JSON by name"
    COLLISION_500 "collision-500" ["NC-10", "CD-41", "SF-10"] "breaks where a refresh token is used twice at the same time"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checks of servers that must exist before anything is claimed, by their origin; without the static group.
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
