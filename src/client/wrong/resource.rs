//! Wrongs of calls with an access token.

wrongs! {
    SCHEME_OF_ITS_OWN "scheme-of-its-own" ["CLX-01"] "access tokens are sent under the scheme Token"
    TOKEN_IN_URL "token-in-url" ["CLX-02"] "access tokens are sent in the URL"
    FOLLOWS_CALLS_ANYWHERE "follows-calls-anywhere" ["CLX-03", "CLX-04"] "a redirected call is sent again, with the access token, to wherever it leads"
    FOLLOWS_LINKS_ANYWHERE "follows-links-anywhere" ["CLX-03", "CLX-05"] "links in bodies are followed with the access token to wherever they lead"
    GOES_TO_ANY_INSTANCE "goes-to-any-instance" ["CLT-17"] "instance_url is not looked at before calls go there"
    STAYS_AT_LOGIN_HOST "stays-at-login-host" ["CLT-16"] "calls go to the login host, whatever instance_url says"
    NEEDS_A_CODE "needs-a-code" ["CLX-08", "CLX-09", "CLW-08"] "a 401 counts only where INVALID_SESSION_ID is in its body"
    READS_FIRST_CHALLENGE "reads-first-challenge" ["CLX-09"] "of several challenges the first is read"
    RENEWS_FOR_SCOPE "renews-for-scope" ["CLX-10"] "insufficient_scope begins a renewal"
    ASKS_ANY_IDENTITY "asks-any-identity" ["CLT-27"] "the identity URL is asked with the access token wherever it leads"
    READS_ARRAYS_ALONE "reads-arrays-alone" ["CLW-08", "CLX-09"] "a 401 whose body is an object is not taken for a dead token"
    HAMMERS "hammers" ["CLW-07"] "a call that was refused for a limit is sent again at once, four times"
    RENEWS_WHEN_DOWN "renews-when-down" ["CLW-09", "CLF-12"] "a page of maintenance begins a renewal"
}
