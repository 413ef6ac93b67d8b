//! Wrongs of the redemption of a code, and of what a client makes of a token response.

wrongs! {
    KNOWS_ALL_MEMBERS "knows-all-members" ["CLT-06"] "a token response with an unknown member is asked for again"
    READS_BY_HAND "reads-by-hand" ["CLT-07"] "a token response is searched as text"
    TYPE_BY_LETTER "type-by-letter" ["CLT-08"] "a token type other than Bearer, letter by letter, is asked for again"
    TAKES_ANY_TYPE "takes-any-type" ["CLT-09"] "a token of whatever type is sent as Bearer"
    TAKES_NOTHING_FOR_A_TOKEN "takes-nothing-for-a-token" ["CLT-10"] "a token response without an access token is a login"
    BELIEVES_ANY_LIFETIME "believes-any-lifetime" ["CLT-12"] "an expires_in that is no number above zero makes the client ask again"
    CUTS_TOKENS "cuts-tokens" ["CLT-15"] "of an access token 255 letters are kept"
    LOOKS_PAST_ERRORS "looks-past-errors" ["CLT-18"] "an error in an answer with status 200 is not looked at"
    RENEWS_UNTOLD "renews-untold" ["CLT-11", "CLR-06", "CLS-02", "CLW-06", "CLF-08", "CLF-11", "CLF-12", "CLF-16", "CLR-26"] "a token whose lifetime is not told is renewed before every call"
    REDEEMS_AS_JSON "redeems-as-json" ["CLT-01", "CLT-02"] "a code is redeemed with a JSON body"
    OTHER_REDIRECT_URI "other-redirect-uri" ["CLT-02"] "the redemption names the callback with a slash at its end"
    REDEEMS_TWICE "redeems-twice" ["CLT-04", "CLC-08"] "every code is redeemed twice"
    REDEEMS_LOST_CODE "redeems-lost-code" ["CLT-05"] "a code whose redemption had no answer is sent again"
    FOLLOWS_TOKEN_REDIRECT "follows-token-redirect" ["CLC-13", "CLT-20"] "a redirected first token request is sent again to wherever it leads"
    TAKES_PAGES "takes-pages" ["CLT-24"] "token requests say that they take HTML"
}
