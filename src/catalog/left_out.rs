//! Requirements that no check judges, and why: what is not looked for should be known.

/// A requirement that is not judged.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// Its number in the collection that checks are drawn from.
    pub origin: &'static str,
    /// What it asks for.
    pub what: &'static str,
    /// Why no check judges it.
    pub why: &'static str,
}

macro_rules! left_out {
    ($($origin:literal $what:literal $why:literal)*) => {
        &[$(LeftOut { origin: $origin, what: $what, why: $why }),*]
    };
}

/// Requirements that are not judged: all of the server's side, and of the client's those that were looked at.
pub const LEFT_OUT: &[LeftOut] = left_out! {
    "AZ-19" "any port of a loopback callback" "it binds servers that serve native apps; Salesforce compares the whole URI"
    "AZ-33" "no login form over plain HTTP" "a suite reaches no other port than the target's"
    "AZ-34" "authorization by POST where it is advertised" "no metadata advertises it, and Salesforce documents that it refuses it"
    "AZ-37" "`iss` or callbacks of one issuer each" "defence against mix-up is the client's duty, and other defences are not visible"
    "AZ-42" "no bounce of a stranger's invalid request" "RFC 9700 §4.11.2 and RFC 6749 §4.1.2.1 point in different directions"
    "AZ-43" "no silent second approval of a public client" "measures that the RFC allows in its place are not visible"
    "AZ-45" "the last redirect clears the fragment" "it is an option, and every server would be noted"
    "AZ-46" "`response_mode=form_post`" "neither Salesforce nor the embedded org offers it"
    "CD-06" "a used code stays dead" "`code/works-once` judges every later use"
    "CD-07" "reuse of a code revokes the access token" "a SHOULD of RFC 6749 §4.1.2 of which no source says what Salesforce does"
    "CD-08" "reuse of a code revokes the refresh token" "the same"
    "CD-10" "one redemption over several addresses of a host" "a target names one address"
    "CD-11" "tokens of a lost race are revoked" "on a right server nobody else has won"
    "CD-18" "a code with one letter changed burns nothing" "the tweaks of a suite do not change single letters"
    "CD-19" "a code smuggled into the callback's query" "an exact comparison of the callback leaves no room for it"
    "CD-20" "whether a failed attempt burns the code" "there is no right answer"
    "CD-26" "a parameter without a value counts as left out" "judged at the authorization endpoint only"
    "CD-31" "`scope` is told where it differs" "what was granted without being told is rarely visible"
    "CD-35" "no inside of the server in an error" "what looks like a trace to one is a text to another"
    "CD-38" "over-long and badly encoded bodies" "suites cannot write them; that no request is answered with a 5xx is judged"
    "CD-40" "a code is of one user, whatever cookies come along" "it takes two interleaved logins of one browser"
    "PK-20" "right and wrong verifiers in one race" "a race releases copies of one request"
    "CA-12" "guessing of secrets is slowed" "it harms, and its absence within some tries proves nothing"
    "CA-13" "secrets of 128 bits" "a judge sees no secrets"
    "CA-26" "`iat` far in the past" "RFC 7523 §3 says may"
    "CA-34" "an old key stops working" "keys cannot be changed from outside"
    "RF-13" "one rotation over several addresses of a host" "a target names one address"
    "RF-15" "a collision is told apart from reuse" "a measurement; Salesforce's text is judged"
    "RF-16" "the period of grace" "a measurement without a verdict"
    "RF-17" "an answer that was lost" "a measurement without a verdict"
    "RF-20" "what an admin does ends refresh tokens" "a run has no admin; revocation by the client is judged"
    "RF-22" "refresh answers are not cached" "`token/response-is-not-cached` judges them too"
    "RF-30" "refresh against revocation" "a race releases copies of one request; the embedded org is held to it by a model"
    "TR-01" "access tokens of 128 bits" "a self-contained token shows its length, not its chance; codes and refresh tokens are judged"
    "TR-04" "a scope that was not asked for" "the default of a foreign server is not known"
    "TR-05" "no more than app and user may" "what a foreign user may is not known"
    "TR-07" "no refresh token in implicit answers" "the implicit grant is judged as refused"
    "TR-09" "sender-constrained tokens" "Salesforce has none"
    "TR-10" "a token for one resource" "it takes a second resource"
    "JB-26" "an expired certificate" "known from the field alone, and it takes a connected app that is set up for it"
    "CC-07" "the generic login host refuses" "a suite names no hosts"
    "RS-02" "a token in the query" "RFC 6750 §2.3 lets a server take it"
    "RS-03" "no cache for answers to it" "depends on the former"
    "RS-04" "two tokens in one request" "sound only where a server takes both ways"
    "RS-09" "`insufficient_scope`" "what a scope opens on a foreign server is not known"
    "RS-12" "a token of another org" "it takes a second org"
    "RS-13" "resources over TLS only" "a suite reaches no other port than the target's"
    "RS-14" "JWT access tokens with another signature" "the client cannot sign access tokens"
    "RV-04" "whether the refresh token dies with its access token" "RFC 7009 §2.1 says may"
    "RV-11" "revocation over TLS only" "a suite reaches no other port than the target's"
    "RV-13" "`unsupported_token_type` in its place" "the checks of both kinds of token judge it"
    "RV-14" "503 means try later" "it cannot be provoked"
    "RV-16" "safe names of JSONP functions" "Salesforce alone has it"
    "DS-12" "the promise of `iss` is kept" "`authorize/issuer-is-told-with-the-code` and its sister judge it"
    "DS-14" "issuers with a path" "`discovery/issuer-is-where-it-was-fetched` judges both forms where a target has one"
    "DS-19" "a document for each host" "a suite names no hosts"
    "ID-12" "HS256 with a long secret" "no app of the embedded org has a short one, so the check could not be seen to fail"
    "ID-20" "claims follow scopes" "OpenID Connect Core §5.4 does not forbid more"
    "ID-21" "keys overlap when they roll" "a roll cannot be caused from outside"
    "TL-01" "TLS 1.2 or newer" "our TLS speaks nothing else: a server without it cannot be reached"
    "TL-02" "no TLS 1.0 and 1.1" "our TLS does not speak them"
    "TL-03" "a valid chain" "a server without one cannot be reached"
    "TL-04" "no weak suites" "our TLS does not speak them"
    "TL-05" "no tokens over port 80" "a suite reaches no other port than the target's"
    "SF-11" "reuse ends everything" "`refresh/reuse-kills-the-active-token` and `refresh/reuse-kills-the-access-tokens` judge it"
    "SF-12" "the sixth approval drops the oldest" "a scenario plays it; no check of its own yet"
    "SF-13" "refresh policy zero" "known from the field alone, and sources disagree"
    "SF-17" "text for a missing challenge" "the outcome is expected by a scenario; the odd media type is known from the field alone"
    "SF-18" "text for a wrong verifier" "the outcome is expected by scenarios"
    "SF-20" "three ways to revoke" "scenarios play them; GET is a known deviation of `revocation/get-is-refused`"
    "SF-21" "a session slides with use" "a scenario plays it; no check of its own yet"
    "SF-22" "text for a restricted address" "known from the field alone"
    "SF-23" "text for a user who is not assigned" "known from the field alone"
    "SF-24" "texts for users who may not log in" "known from the field alone"
    "SF-25" "changed settings take minutes" "settings cannot be changed from outside"
    "SF-26" "403 at the limit of requests" "it cannot be provoked without harm"
    "SF-27" "HTML from an edge" "it cannot be provoked"
    "SF-28" "drift between orgs" "a report, and no check"
    "SF-30" "text for an app that is not installed" "known from the field alone"
    "CLA-10" "a callback of one user's login in the session of another" "it takes two browsers at one program"
    "CLA-17" "defence against mix-up by callbacks of one issuer each" "it takes a second org; `iss` is judged"
    "CLA-23" "loopback address, free port, external browser" "whether a program is a native app is not known"
    "CLA-24" "the listener closes after the login" "whether a program is a native app is not known"
    "CLA-28" "no open redirector" "what a program calls the parameter is not known"
    "CLP-08" "metadata without S256 is a reason to stop" "a client may warn instead, and `state` protects a login too"
    "CLP-10" "each of several logins at a time has its verifier" "it takes a program that logs in several users at a time"
    "CLI-09" "a broken HS256 or ES256 signature" "Salesforce signs with RS256 alone; HS256 is judged as confusion"
    "CLI-15" "userinfo of another user is thrown away" "whether a client uses what it was told is not visible"
    "CLI-18" "users are known by issuer and subject" "which account a client opens is not visible"
};
