//! Wrongs of logins by the web server flow.

wrongs! {
    STATE_UNCHECKED "state-unchecked" [] "the state of a callback is not looked at"
}
