//! What our own Named Credential does wrong on purpose.

wrongs! {
    CALLS_BARE "named-calls-bare" ["NC-01"] "a Named Credential whose user logged in calls out without the token"
    NEVER_RENEWS "named-never-renews" ["NC-02", "CLR-19"] "a Named Credential that is refused with 401 leaves it at that"
    REPEATS_TWICE "named-repeats-twice" ["NC-02", "CLR-05"] "a Named Credential whose repeated call is refused renews and repeats it again"
    REUSES_ASSERTION "named-reuses-assertion" ["NC-04", "CLJ-06"] "a Named Credential presents the assertion of its first grant for each further one"
    ASSERTION_FOR_AN_HOUR "named-assertion-for-an-hour" ["NC-05", "CLJ-03"] "the assertion of a Named Credential ends after an hour where nobody set that up"
    ASSERTION_WITHOUT_IAT "named-assertion-without-iat" ["NC-05"] "the assertion of a Named Credential does not say when it was issued"
    SECRET_ELSEWHERE "named-secret-elsewhere" ["NC-06"] "a Named Credential sends its secret in the header where the body is set up, and the other way round"
    FORGETS_ROTATION "named-forgets-rotation" ["NC-08", "CLR-13", "CLR-20"] "a Named Credential does not store the refresh token that a refresh brings"
    EVERYBODY_RENEWS "named-everybody-renews" ["NC-09", "CLR-06"] "each call-out of a Named Credential that is refused renews for itself"
    CALLS_ANYWAY "named-calls-anyway" ["NC-14"] "a Named Credential that gets no token calls out all the same"
    IGNORES_LISTED "named-ignores-listed" [] "a Named Credential renews on 401 alone, whatever other statuses are listed"
    RENEWS_UNLISTED "named-renews-unlisted" [] "a Named Credential renews on each status from 400 to 499"
}
