//! Wrongs of clients that log out.

wrongs! {
    FORGETS_TO_REVOKE "forgets-to-revoke" ["CLV-01"] "logging out deletes the tokens and revokes nothing"
    REVOKES_ACCESS_ALONE "revokes-access-alone" ["CLV-01"] "logging out revokes the access token, and the refresh token lives on"
    REVOKES_BY_GET "revokes-by-get" ["CLV-02"] "a revocation is a GET with the token in its URL"
    GOES_ON "goes-on" ["CLV-06", "CLR-47"] "a worker goes on to call after the session was revoked"
    REVOKES_ONCE "revokes-once" ["CLV-04"] "any answer to a revocation is taken for its end"
}
