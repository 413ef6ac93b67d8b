//! Wrongs of what a client makes of a token response.

wrongs! {
    KNOWS_ALL_MEMBERS "knows-all-members" [] "a token response with an unknown member is asked for again"
    READS_BY_HAND "reads-by-hand" [] "a token response is searched as text"
    TYPE_BY_LETTER "type-by-letter" [] "a token type other than Bearer, letter by letter, is asked for again"
    TAKES_ANY_TYPE "takes-any-type" [] "a token of whatever type is sent as Bearer"
    TAKES_NOTHING_FOR_A_TOKEN "takes-nothing-for-a-token" [] "a token response without an access token is a login"
    BELIEVES_ANY_LIFETIME "believes-any-lifetime" [] "an expires_in that is no number above zero makes the client ask again"
    CUTS_TOKENS "cuts-tokens" [] "of an access token 255 letters are kept"
    LOOKS_PAST_ERRORS "looks-past-errors" [] "an error in an answer with status 200 is not looked at"
}
