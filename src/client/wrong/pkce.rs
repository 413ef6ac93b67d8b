//! Wrongs of Proof Key for Code Exchange.

wrongs! {
    NO_CHALLENGE "no-challenge" ["CLP-01", "NC-07"] "an authorization request has no challenge"
    CHALLENGE_PLAIN "challenge-plain" ["CLP-02", "NC-07"] "the challenge is the verifier itself"
    METHOD_LEFT_OUT "method-left-out" ["CLP-02", "NC-07"] "the method of the challenge is not said"
    VERIFIER_OF_ANOTHER "verifier-of-another" ["CLP-03"] "a code is redeemed with a verifier that does not belong to it"
    VERIFIER_FORGOTTEN "verifier-forgotten" ["CLP-03"] "a code is redeemed without its verifier"
    VERIFIER_SHORT "verifier-short" ["CLP-04"] "a verifier has 32 letters"
    VERIFIER_OF_ODD_LETTERS "verifier-of-odd-letters" ["CLP-04"] "a verifier has letters that it must not have"
    VERIFIER_CONSTANT "verifier-constant" ["CLP-05", "CLP-11"] "every login has the same verifier"
    VERIFIER_HARDLY_CHANGES "verifier-hardly-changes" ["CLP-05"] "from one login to the next four letters of a verifier change"
    VERIFIER_IS_THE_STATE "verifier-is-the-state" ["CLP-05", "CLP-09"] "the verifier is the state as well"
    CHALLENGE_PADDED "challenge-padded" ["CLP-06"] "the challenge is padded"
    DOWNGRADES "downgrades" ["CLP-01", "CLP-07"] "after an error of the org the challenge is left out"
    DOWNGRADES_TO_PLAIN "downgrades-to-plain" ["CLP-02", "CLP-07", "NC-07"] "after an error of the org the challenge is plain"
    VERIFIER_IN_THE_URL "verifier-in-the-url" ["CLP-09"] "the verifier stands in the authorization URL"
    RETRIES_WITH_A_NEW_VERIFIER "retries-with-a-new-verifier" ["CLP-03", "CLP-11", "CLT-05"] "a redemption that failed is repeated with another verifier"
    SECRET_LEFT_OUT "secret-left-out" ["CLP-12"] "where there is a verifier, the client secret is left out"
    PUBLIC_SENDS_SECRET "public-sends-secret" ["CLP-12", "CLC-04"] "a client without a secret sends an empty one"
}
