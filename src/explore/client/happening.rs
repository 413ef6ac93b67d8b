//! What an org may do to a client, each in the words of a suite. Pure.

/// What it comes to for a client that does everything right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing: it does its work as ever.
    None,
    /// It may get over it, or give up.
    Some,
}

/// Where in a scenario it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In place of an answer of the token endpoint, whatever is asked of it.
    Token,
    /// In place of an answer of the token endpoint to a refresh.
    Refresh,
    /// In place of an answer of the token endpoint to a code.
    Code,
    /// In place of an answer of the token endpoint to a grant that knows no user and no refresh token.
    Grant,
    /// In place of an answer of the API.
    Api,
    /// In place of a page of a result that the API gives page by page.
    Page,
    /// In place of an answer to a revocation.
    Revoke,
    /// At the callback of a login.
    Callback,
    /// At the keys of the org.
    Keys,
}

impl Place {
    /// The word by which it is selected.
    pub fn word(self) -> &'static str {
        match self {
            Place::Token | Place::Refresh | Place::Code | Place::Grant => "token",
            Place::Api | Place::Page => "api",
            Place::Revoke => "revoke",
            Place::Callback | Place::Keys => "login",
        }
    }
}

/// Something that an org may do.
#[derive(Debug, PartialEq, Eq)]
pub struct Happening {
    /// In a few words.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub says: &'static str,
    /// What it comes to.
    pub harm: Harm,
    /// How the org has to be set for it, where that is said.
    pub settings: &'static str,
    /// What the program has to be told for it, where that is said.
    pub args: &'static str,
    /// What stands in place of the answer to a code besides, where anything does.
    pub code: &'static str,
}

impl Happening {
    /// Whether it is about the ID token that an answer brings.
    pub fn is_of_id_token(&self) -> bool {
        self.says.starts_with("id_token:") || self.code.starts_with("id_token:")
    }
}

const PLAIN: Happening =
    Happening { name: "", place: Place::Token, says: "", harm: Harm::None, settings: "", args: "", code: "" };

macro_rules! happenings {
    ($($place:ident $harm:ident $name:literal $says:literal $(+ $key:ident $value:literal)*;)*) => {
        &[$(Happening { name: $name, place: Place::$place, says: $says, harm: Harm::$harm, $($key: $value,)* ..PLAIN }),*]
    };
}

/// Everything that is proposed.
pub const ALL: &[Happening] = happenings! {
    Token Some "503 for a second" "respond: { status: 503, headers: { retry-after: \"1\" } }";
    Token Some "429 for a second" "respond: { status: 429, headers: { retry-after: \"1\" } }";
    Token Some "500" "respond: { status: 500 }";
    Token Some "a page with 200" "respond: { status: 200, headers: { content-type: text/html }, body: \"<html><body>Back soon</body></html>\" }";
    Token Some "a connection cut before" "cut: before";
    Token Some "a connection cut after" "cut: after";
    Token Some "a connection cut in the middle" "cut: middle";
    Token Some "silence" "hang: 90s";
    Token Some "an answer that stops in its middle" "stall: 90s";
    Token Some "invalid_client" "respond: { status: 400, json: { error: invalid_client, error_description: invalid client credentials } }";
    Token Some "invalid_client with 401" "respond: { status: 401, json: { error: invalid_client, error_description: invalid client credentials } }";
    Token Some "an app that is not known yet" "respond: { status: 400, json: { error: invalid_client_id, error_description: client identifier invalid } }";
    Token Some "lists within lists" "respond: { status: 200, headers: { content-type: application/json }, body: \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\" }";
    Token Some "nothing with 200" "respond: { status: 200, headers: { content-type: application/json }, body: \"\" }";
    Token Some "the beginning of an answer" "respond: { status: 200, headers: { content-type: application/json }, body: '{\"access_token\":\"00Dxx0000000001!broken.off.in.the.middle' }";
    Token Some "JSON that is announced as text" "headers: { content-type: text/plain }";
    Token Some "a redirect to a stranger" "respond: { status: 307, headers: { location: \"${org.rogue}/services/oauth2/token\" } }";
    Token Some "no access token" "alter: { access_token: absent }";
    Token Some "an empty access token" "alter: { access_token: \"\" }";
    Token Some "a number for an access token" "alter: { access_token: 12345 }";
    Token Some "an access token of odd letters" "alter: { access_token: \"ab%2Bcd/ef==gh-ij_kl~mn\" }";
    Token Some "an access token of 280 letters" "alter: { access_token: \"00Dxx0000000001!01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789.end\" }";
    Token Some "an error beside a token" "alter: { error: invalid_grant, error_description: expired access/refresh token }";
    Token Some "a token of another type" "alter: { token_type: mac }";
    Token Some "an instance of a stranger" "alter: { instance_url: \"${org.rogue}\" }";
    Token Some "an identity URL of a stranger" "alter: { id: \"${org.rogue}/id/00Dxx0000000001EAA/005xx0000000001AAA\" }";
    Token None "unknown members" "alter: { odd_text: text, odd_list: [1, [2]], odd_object: { access_token: not-this-one } }";
    Token None "spaces" "written: spaced";
    Token None "members in another order" "written: reversed";
    Token None "escapes" "written: escaped";
    Token None "a type in small letters" "alter: { token_type: bearer }";
    Token None "a type in capitals" "alter: { token_type: BEARER }";
    Token None "another instance" "alter: { instance_url: \"${org.instance}\" }";
    Token None "a lifetime of an hour" "alter: { expires_in: 3600 }";
    Token None "a lifetime of nothing" "alter: { expires_in: 0 }";
    Token None "a lifetime below nothing" "alter: { expires_in: -1 }";
    Token None "a lifetime of five minutes, as text" "alter: { expires_in: \"300\" }";
    Token None "a lifetime of five minutes" "alter: { expires_in: 300 }";
    Token None "a Date of yesterday" "alter: { expires_in: 3600 }, headers: { date: -1d }";
    Refresh Some "the end of the grant" "respond: { status: 400, json: { error: invalid_grant, error_description: expired access/refresh token } }";
    Refresh Some "the end of an idle grant" "respond: { status: 400, json: { error: invalid_grant, error_description: token validity expired } }";
    Refresh Some "a collision" "respond: { status: 400, json: { error: invalid_grant, error_description: token request is already being processed } }";
    Refresh None "no refresh token" "alter: { refresh_token: absent }";
    Refresh None "an empty refresh token" "alter: { refresh_token: \"\" }";
    Refresh None "null for a refresh token" "alter: { refresh_token: null }";
    Refresh Some "an ID token of another user" "id_token: { claims: { sub: \"${org.url}/id/00Dxx0000000001/005xx000000000Z\" } }";
    Refresh Some "another issuer in the ID token of a refresh" "id_token: { claims: { iss: \"${org.rogue}\" } }";
    Grant None "a refresh token that nobody asked for" "alter: { refresh_token: 5Aep861.nobody-asked-for-it }";
    Grant Some "what Setup forbids" "respond: { status: 400, json: { error: invalid_grant, error_description: \"user hasn't approved this consumer\" } }";
    Code Some "the end of the code" "respond: { status: 400, json: { error: invalid_grant, error_description: expired authorization code } }";
    Code Some "an ID token of another issuer" "id_token: { claims: { iss: \"${org.rogue}\" } }";
    Code Some "an ID token without an issuer" "id_token: { claims: { iss: absent } }";
    Code Some "an ID token for somebody else" "id_token: { claims: { aud: somebody-else } }";
    Code Some "an ID token for nobody" "id_token: { claims: { aud: absent } }";
    Code Some "an ID token of another authorized party" "id_token: { claims: { aud: [\"${main.client_id}\", somebody-else], azp: somebody-else } }";
    Code Some "an ID token of yesterday" "id_token: { claims: { exp: -10m } }";
    Code Some "an ID token without an end" "id_token: { claims: { exp: absent } }";
    Code Some "an ID token without a subject" "id_token: { claims: { sub: absent } }";
    Code Some "an ID token of a login an hour ago" "id_token: { claims: { auth_time: -1h } }" + args "max_age: 60";
    Code Some "an ID token with another nonce" "id_token: { claims: { nonce: another } }";
    Code Some "an ID token without a nonce" "id_token: { claims: { nonce: absent } }";
    Code Some "an ID token of another access token" "id_token: { claims: { at_hash: AAAAAAAAAAAAAAAAAAAAAA } }";
    Code Some "an ID token whose signature is broken" "id_token: { sign: broken }";
    Code Some "an ID token that nobody signed" "id_token: { sign: none }";
    Code Some "an ID token that is signed with the public key" "id_token: { sign: hs256 }";
    Code Some "an ID token of a stranger" "id_token: { claims: { iss: \"${org.rogue}\" }, sign: other-key }";
    Code Some "an ID token with an unknown extension" "id_token: { header: { crit: [\"urn:example:twist\"], \"urn:example:twist\": true } }";
    Code Some "an ID token signed with a key that it shows" "id_token: { sign: shown-key }";
    Api None "a bare 401" "respond: { status: 401, body: \"\" }";
    Api None "a 401 with an object" "respond: { status: 401, json: { error: invalid_token, error_description: the access token expired } }";
    Api None "a 401 with two challenges" "respond: { status: 401, json: {}, headers: { www-authenticate: 'Basic realm=\"gateway\", Bearer realm=\"org\", error=\"invalid_token\"' } }";
    Api Some "missing rights" "respond: { status: 403, json: [{ errorCode: INSUFFICIENT_ACCESS, message: no }] }";
    Api Some "the limit of requests" "respond: { status: 403, json: [{ errorCode: REQUEST_LIMIT_EXCEEDED, message: TotalRequests Limit exceeded. }] }";
    Api Some "a missing scope" "respond: { status: 403, json: { error: insufficient_scope }, headers: { www-authenticate: 'Bearer realm=\"org\", error=\"insufficient_scope\", scope=\"full\"' } }";
    Api Some "a session that is of no use" "respond: { status: 401, json: [{ errorCode: INVALID_SESSION_ID, message: This session is not valid for use with the REST API }] }";
    Api Some "a session that is over" "respond: { status: 401, json: [{ errorCode: INVALID_SESSION_ID, message: Session expired or invalid }] }";
    Api Some "a record that is not there" "respond: { status: 404, json: [{ errorCode: NOT_FOUND, message: no }] }";
    Api Some "a page of maintenance" "respond: { status: 503, body: \"<html><body>Down for maintenance</body></html>\", headers: { content-type: text/html } }";
    Api Some "a 500 of the API" "respond: { status: 500, body: odd }";
    Api Some "a status that nobody knows" "respond: { status: 299, body: odd }";
    Api Some "a call redirected to a stranger" "respond: { status: 307, headers: { location: \"${org.rogue}/services/data/v62.0/limits\" } }";
    Api Some "a call cut before" "cut: before";
    Api Some "a call cut after" "cut: after";
    Page None "a refusal of a page" "respond: { status: 401, json: [{ errorCode: INVALID_SESSION_ID, message: Session expired or invalid }] }";
    Page Some "a link to a stranger" "respond: { status: 200, json: { done: false, nextRecordsUrl: \"${org.rogue}/services/data/v62.0/query/01gRM0000000001-4000\", records: [] } }";
    Revoke Some "503 for a revocation" "respond: { status: 503, headers: { retry-after: \"1\" } }";
    Callback Some "another state" "alter: { state: some-other-login }";
    Callback Some "no state" "alter: { state: absent }";
    Callback Some "another issuer" "alter: { iss: \"${org.rogue}\" }";
    Callback Some "no issuer where one was promised" "alter: { iss: absent }" + settings "response_iss: true" + args "discover: \"yes\"";
    Callback Some "an error in place of the code" "alter: { code: absent, error: server_error, error_description: the server is tired }";
    Callback Some "an error with a script in it" "alter: { code: absent, error: \"<script>alert(1)</script>\", error_description: \"</p><script src=https://rogue.example/x.js></script>\" }";
    Callback Some "an error beside the code" "alter: { error: access_denied }";
    Callback Some "two codes" "twice: code";
    Callback Some "two states" "besides: { state: some-other-login }";
    Callback Some "a state in letters of the other case" "swap_case: state";
    Callback Some "the same login again" "again: true";
    Callback Some "a code of somebody else before" "unsolicited: true";
    Callback Some "a code of odd letters" "alter: { code: \"aPrx+0/1%2B2%253 4~5==\" }";
    Callback Some "a code of 280 letters" "alter: { code: \"aPrx.012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789==\" }";
    Callback Some "a no of the user" "deny: true";
    Callback None "unknown parameters" "alter: { foo: bar, session_state: \"1\" }";
    Keys None "another key from the second login on" "rolled_at: 2";
    Keys None "another key right before the second is signed" "rolled_at: 2" + args "discover: \"yes\"";
    Keys None "one key" "single: true";
    Keys None "one key that ID tokens do not name" "single: true" + code "id_token: { header: { kid: absent } }";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        for (i, one) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.name != one.name), "{}", one.name);
        }
    }
}
