//! Wrongs where servers fail.

wrongs! {
    WAITS_FOR_EVER "waits-for-ever" ["CLF-04", "CLR-44"] "a request for tokens has no time limit"
    USES_BROKEN_ANSWERS "uses-broken-answers" ["CLF-05"] "the access token is cut out of an answer that breaks off"
    READS_PAGES "reads-pages" ["CLF-06", "CLT-18"] "whatever comes with 200 is a token response"
    ASKS_ON_AND_ON "asks-on-and-on" ["CLF-07"] "an answer that cannot be read is asked for again at once and many times"
    TRUSTS_DATE "trusts-date" ["CLF-11", "CLR-26"] "the end of a lifetime is reckoned from the Date of the server"
    RENEWS_ON_ANY_ERROR "renews-on-any-error" ["CLF-08", "CLF-12", "CLR-30", "CLW-07", "CLW-09", "CLX-10"] "whatever error the API answers begins a renewal"
    RENEWS_WHEN_BROKEN "renews-when-broken" ["CLF-16", "CLR-34"] "a call whose connection broke begins a renewal"
    REPEATS_SUCCESS "repeats-success" ["CLF-08"] "a success that is not 200, 201 or 204 is renewed for and sent again"
}
