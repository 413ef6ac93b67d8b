//! Wrongs of the use of ID tokens.

wrongs! {
    ID_ISSUER_UNCHECKED "id-issuer-unchecked" ["CLI-01"] "the issuer of an ID token is not looked at"
    ID_AUDIENCE_UNCHECKED "id-audience-unchecked" ["CLI-02", "CLI-03", "CLI-19"] "the audience of an ID token is not looked at"
    ID_AUDIENCE_NOT_MISSED "id-audience-not-missed" ["CLI-03"] "an ID token without an audience is taken"
    ID_PARTY_UNCHECKED "id-party-unchecked" ["CLI-04"] "of several audiences of an ID token nobody has to be the authorized party"
    ID_EXPIRY_UNCHECKED "id-expiry-unchecked" ["CLI-05"] "an ID token that has expired is taken"
    ID_CLAIMS_NOT_MISSED "id-claims-not-missed" ["CLI-06"] "claims that every ID token must have are not missed"
    ID_NONCE_UNCHECKED "id-nonce-unchecked" ["CLI-07"] "the nonce of an ID token is not looked at"
    ID_NONCE_NOT_MISSED "id-nonce-not-missed" ["CLI-07"] "a nonce is compared only where an ID token has one"
    ID_SIGNATURE_UNCHECKED "id-signature-unchecked" ["CLI-08", "CLI-12"] "the signature of an ID token is not verified"
    ID_UNSIGNED_TAKEN "id-unsigned-taken" ["CLI-10"] "an ID token with alg none is taken"
    ID_HMAC_TAKEN "id-hmac-taken" ["CLI-11"] "an ID token whose alg is HS256 is verified with the public key"
    ID_SHOWN_KEY_TAKEN "id-shown-key-taken" ["CLI-12"] "an ID token is verified with the key that its header shows"
    ID_KID_REQUIRED "id-kid-required" ["CLI-13"] "an ID token without a kid is refused although there is one key"
    ID_HASH_UNCHECKED "id-hash-unchecked" ["CLI-14"] "the hash of the access token in an ID token is not looked at"
    ID_FIRST_KEY_ALONE "id-first-key-alone" ["CLI-16", "CLI-17"] "the first key of a set verifies every ID token, whichever is named"
    ID_KEYS_READ_ONCE "id-keys-read-once" ["CLI-16", "CLI-17"] "the keys of the org are read once and never again"
    ID_STRANGER_TAKEN "id-stranger-taken" ["CLI-20"] "an ID token of another issuer is verified with that issuer's keys"
    ID_AGE_UNCHECKED "id-age-unchecked" ["CLI-21"] "how long ago the user logged in is not looked at"
    ID_EXTENSIONS_IGNORED "id-extensions-ignored" ["CLI-22"] "extensions that must be understood are passed over"
    ID_TOKEN_FOR_ACCESS "id-token-for-access" ["CLI-23"] "calls are made with the ID token in place of the access token"
}
