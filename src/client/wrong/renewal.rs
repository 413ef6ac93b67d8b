//! Wrongs of renewals and of the calls around them.

wrongs! {
    EVERYBODY_RENEWS "everybody-renews" [] "every caller that is refused renews for itself"
    LATE_REFUSAL_RENEWS "late-refusal-renews" [] "a refusal of a token that was replaced already begins a renewal"
    NEVER_REPEATS "never-repeats" [] "the call that was refused is not repeated after the renewal"
    REPEATS_FOR_EVER "repeats-for-ever" [] "a call is renewed for and repeated as often as it is refused"
    REPEATS_ANOTHER_CALL "repeats-another-call" [] "what is repeated after a renewal is another call"
    KEEPS_OLD_ACCESS_TOKEN "keeps-old-access-token" [] "the access token of a renewal is not taken up"
    FORGETS_ROTATION "forgets-rotation" [] "the new refresh token of a renewal is not taken up"
    LOSES_REFRESH_TOKEN "loses-refresh-token" [] "a renewal without a new refresh token throws the old one away"
    TAKES_EMPTY_REFRESH_TOKEN "takes-empty-refresh-token" [] "an empty refresh token replaces the old one"
    RETRIES_DEAD_GRANT "retries-dead-grant" [] "a refresh token that was refused for good is tried again"
    COLLISION_IS_FINAL "collision-is-final" [] "a collision of two refreshes is taken for the end of the grant"
    GIVES_UP_AT_ONCE "gives-up-at-once" [] "a renewal that fails for a moment is not tried again"
    HURRIES "hurries" [] "Retry-After is not looked at"
    STORMS "storms" [] "a renewal that fails is tried again at once and many times"
    RENEWS_WHEN_FORBIDDEN "renews-when-forbidden" [] "a refusal for rights, limits or a missing record begins a renewal"
    WIDENS_SCOPE "widens-scope" [] "a refresh asks for scopes"
    UNAUTHENTICATED "unauthenticated" [] "a refresh leaves the client secret out"
    BY_QUERY "by-query" [] "a refresh sends its parameters in the URL"
}
