//! Wrongs by which secrets leave a program.

wrongs! {
    PRINTS_TOKENS "prints-tokens" ["CLL-01"] "the access token is printed"
    TELLS_CALLBACK "tells-callback" ["CLL-05"] "a call says that it comes from the callback, with the code in it"
}
