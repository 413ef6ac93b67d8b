//! Wrongs where servers fail.

wrongs! {
    WAITS_FOR_EVER "waits-for-ever" [] "a request for tokens has no time limit"
    USES_BROKEN_ANSWERS "uses-broken-answers" [] "the access token is cut out of an answer that breaks off"
    TAKES_PAGES "takes-pages" [] "whatever comes with 200 is a token response"
    ASKS_ON_AND_ON "asks-on-and-on" [] "an answer that cannot be read is asked for again at once and many times"
    TRUSTS_DATE "trusts-date" [] "the end of a lifetime is reckoned from the Date of the server"
    RENEWS_ON_ANY_ERROR "renews-on-any-error" [] "whatever error the API answers begins a renewal"
    RENEWS_WHEN_BROKEN "renews-when-broken" [] "a call whose connection broke begins a renewal"
    REPEATS_SUCCESS "repeats-success" [] "a success that is not 200, 201 or 204 is renewed for and sent again"
}
