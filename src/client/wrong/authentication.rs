//! Wrongs of client authentication, and of the requests of server-to-server flows.

wrongs! {
    AUTHENTICATES_TWICE "authenticates-twice" ["CLC-01", "CLS-01", "CLR-01"] "HTTP Basic is sent besides what is in the body"
    BASIC_NOT_ENCODED "basic-not-encoded" ["CLC-02"] "id and secret go into HTTP Basic as they stand"
    FALLS_BACK "falls-back" ["CLC-03", "CLS-05", "CLT-22"] "a secret that was refused in the body is sent in HTTP Basic"
    EMPTY_SECRET "empty-secret" ["CLC-04", "CLP-12"] "a public client sends an empty secret"
    SECRET_TO_THE_API "secret-to-the-api" ["CLC-13"] "calls bear the client secret in a header"
    GRANT_WITHOUT_SECRET "grant-without-secret" ["CLS-01"] "client credentials are asked for without a secret"
    GRANT_BY_QUERY "grant-by-query" ["CLS-01", "CLJ-01", "CLT-01", "CLT-03", "CLP-03"] "the parameters of a first token request stand in the URL"
    ASKS_FOR_EVERY_CALL "asks-for-every-call" ["CLS-02", "CLT-11", "CLW-06", "CLF-12"] "every call asks for an access token of its own"
    EVERYBODY_ASKS "everybody-asks" ["CLJ-08", "CLS-03"] "every caller that finds no access token asks for one"
    TAKES_ANY_REFRESH_TOKEN "takes-any-refresh-token" ["CLS-04"] "a refresh token is taken up in whatever flow it comes"
    RETRIES_REFUSED_GRANTS "retries-refused-grants" ["CLS-05", "CLS-06", "CLJ-06", "CLJ-09", "CLT-21", "CLT-22", "CLW-10"] "a token request that was refused is sent again, four times"
    ASKS_FOR_SCOPES "asks-for-scopes" ["CLW-15"] "a server-to-server request names scopes"
}
