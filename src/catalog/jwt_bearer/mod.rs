//! The JWT bearer grant (RFC 7523 §2.1, §3): which assertions are worth an access token.

use super::Cite::{Rfc, Salesforce};
use super::{Check, Party};
use crate::verdict::{Basis, Level};

/// A request with an assertion of that name, these claims and, if not a right one, that signature, and
/// what comes of it. Without anything it is the positive control.
macro_rules! jwt {
    ($name:literal: $first:ident $($claim:ident)*; $signature:literal => $($answer:tt)+) => {
        concat!(
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=", $name,
            "\n! assertion {\"claims\":{", claim!($first), $(",", claim!($claim),)* "},", $signature,
            "}\n< ", answer!($($answer)+), "\n"
        )
    };
    ($name:literal: $($claim:ident)+ => $($answer:tt)+) => {
        jwt!($name: $($claim)+; "\"alg\":\"RS256\",\"verifies\":true" => $($answer)+)
    };
    () => {
        jwt!("J1": iss sub aud exp => granted)
    };
}

macro_rules! claim {
    (iss) => {
        "\"iss\":\"main\""
    };
    (sub) => {
        "\"sub\":\"svc@example.com\""
    };
    (stranger) => {
        "\"sub\":\"stranger@example.com\""
    };
    (aud) => {
        "\"aud\":\"https://org.example\""
    };
    (elsewhere) => {
        "\"aud\":\"https://other.example\""
    };
    (exp) => {
        "\"exp\":{now+150}"
    };
    (past) => {
        "\"exp\":{now-300}"
    };
    (future) => {
        "\"nbf\":{now+600}"
    };
    (nobody_iss) => {
        "\"iss\":\"no-such-client-of-this-org\""
    };
    (nobody) => {
        "\"sub\":\"nobody@grantcheck.example\""
    };
    (prn) => {
        "\"prn\":\"stranger@example.com\""
    };
    (next_year) => {
        "\"exp\":{now+31536000}"
    };
    (last_year) => {
        "\"iat\":{now-31536000}"
    };
    (jti) => {
        "\"jti\":\"1\""
    };
    (extra) => {
        "\"tenant\":\"a\""
    };
}

/// A token, or a refusal with Salesforce's text.
macro_rules! answer {
    (granted) => {
        "200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\"}"
    };
    (other: $error:literal) => {
        concat!("400 {\"error\":\"", $error, "\"}")
    };
    ($text:literal) => {
        concat!("400 {\"error\":\"invalid_grant\",\"error_description\":\"", $text, "\"}")
    };
}

mod judges;

const FLOW: super::Cite = Salesforce("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "jwt-bearer/right-assertion-is-granted",
        title: "a right assertion gives an access token for the user that it names",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-01",
        cites: &[Rfc(7523, "2.1"), Rfc(7523, "3"), FLOW],
        explain: "An assertion that names the app, an admitted user, this server and a near expiry, signed with the app's key, is \
            worth an access token, and that token acts for the user in sub and for nobody else. If it is refused, no \
            server-to-server integration starts. On Salesforce, look at four places: the certificate of this very app, \
            aud (https://login.salesforce.com, https://test.salesforce.com for sandboxes, or the My Domain), the clock, and \
            whether the user is pre-authorized (Permitted Users) or approved the app once with the scope refresh_token.",
        passes: jwt!(),
        fails: jwt!("J1": iss sub aud exp => "invalid assertion"),
        judge: judges::right_assertion_is_granted,
    },
    Check {
        id: "jwt-bearer/missing-issuer-is-refused",
        title: "an assertion without iss is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-02",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "iss says who made the assertion and so which key must have signed it. A server that grants one without it has \
            taken the key from somewhere that the signature does not vouch for, such as a client_id parameter beside it. \
            Demand the claim and choose the key by it. On Salesforce iss is the consumer key of the app.",
        passes: concat!(jwt!(), jwt!("J2": sub aud exp; "\"alg\":\"RS256\"" => "invalid assertion")),
        fails: jwt!("J2": sub aud exp; "\"alg\":\"RS256\"" => granted),
        judge: judges::missing_issuer_is_refused,
    },
    Check {
        id: "jwt-bearer/missing-subject-is-refused",
        title: "an assertion without sub is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-03",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "sub names the user for whom the access token is asked. Where it is missing, a server that grants must have chosen a \
            user by itself, and a client gets the rights of somebody whom nobody named. Refuse with invalid_grant. Salesforce \
            takes the older claim prn in its place; where neither is there, it must refuse.",
        passes: concat!(jwt!(), jwt!("J2": iss aud exp => "invalid assertion")),
        fails: jwt!("J2": iss aud exp => granted),
        judge: judges::missing_subject_is_refused,
    },
    Check {
        id: "jwt-bearer/missing-audience-is-refused",
        title: "an assertion without aud is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-04",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "aud says which server an assertion is for. One without it is good everywhere that the client's key is trusted, so \
            that whoever receives it can present it to every other server and act as the user there. A missing aud is therefore as \
            wrong as a foreign one: refuse it with invalid_grant before anything is granted.",
        passes: concat!(jwt!(), jwt!("J2": iss sub exp => "audience is invalid")),
        fails: jwt!("J2": iss sub exp => granted),
        judge: judges::missing_audience_is_refused,
    },
    Check {
        id: "jwt-bearer/wrong-audience-is-refused",
        title: "an assertion that is meant for another server is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-05",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1"), FLOW],
        explain: "The server must find itself in aud: its issuer, its token endpoint, or another name that it is known by. If it takes \
            foreign audiences, an assertion that was made for a sandbox or a partner opens production as well. Compare whole \
            strings against a short list. Salesforce answers invalid_grant (audience is invalid) and knows itself as the login \
            host of its kind of org, the My Domain and its sites.",
        passes: concat!(jwt!(), jwt!("J2": iss sub elsewhere exp => "audience is invalid")),
        fails: jwt!("J2": iss sub elsewhere exp => granted),
        judge: judges::wrong_audience_is_refused,
    },
    Check {
        id: "jwt-bearer/missing-expiry-is-refused",
        title: "an assertion without exp is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-06",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "exp limits the time in which a copied assertion is of any use. Without it, an assertion that once stood in a log or \
            a ticket stays a key to the user's data for as long as the certificate is valid. The claim is required, so its \
            absence must be refused and not read as no limit; some JWT libraries check exp only where it is present.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud => "invalid assertion")),
        fails: jwt!("J2": iss sub aud => granted),
        judge: judges::missing_expiry_is_refused,
    },
    Check {
        id: "jwt-bearer/expired-is-refused",
        title: "an assertion that expired longer ago than clocks may differ is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-07",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1"), FLOW],
        explain: "An assertion past its exp must be refused; a few minutes may be forgiven, because clocks differ. A server that takes \
            old ones lets anybody repeat an assertion that he once saw. Salesforce forgives three minutes, which is assumed where \
            the target does not state its leeway, and answers invalid_grant (expired authorization code). A client that meets this \
            by surprise should look at its clock and at the unit of exp: seconds, not milliseconds.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud past => "expired authorization code")),
        fails: jwt!("J2": iss sub aud past => granted),
        judge: judges::expired_is_refused,
    },
    Check {
        id: "jwt-bearer/not-yet-valid-is-refused",
        title: "an assertion whose nbf lies further ahead than clocks may differ is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-08",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "nbf is optional, but where a client sends it the assertion must not be accepted before that moment, give or take the \
            difference of clocks. A client that prepares assertions ahead of time relies on it: until then a stolen one must be \
            worthless. Compare nbf with the clock wherever it is present and answer invalid_grant. Salesforce is seen to \
            ignore nbf, which is a known deviation: do not rely on it there.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud exp future => "invalid assertion")),
        fails: jwt!("J2": iss sub aud exp future => granted),
        judge: judges::not_yet_valid_is_refused,
    },
    Check {
        id: "jwt-bearer/unsigned-is-refused",
        title: "an assertion without a signature is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-12",
        cites: &[Rfc(7523, "3"), Rfc(8725, "3.2")],
        explain: "Without a signature everybody can write an assertion for every user, knowing no more than the public client_id. \
            That holds for alg none in any spelling and for a signature that was cut off while the header still says RS256. \
            Fix the algorithm by the registration of the client, never by the header of the assertion, and refuse what lacks a \
            signature with invalid_grant. On Salesforce the algorithm is RS256.",
        passes: concat!(
            jwt!(),
            jwt!("J2": iss sub aud exp; "\"alg\":\"none\",\"unsigned\":true,\"verifies\":false" => "invalid assertion")
        ),
        fails: jwt!("J2": iss sub aud exp; "\"alg\":\"none\",\"unsigned\":true,\"verifies\":false" => granted),
        judge: judges::unsigned_is_refused,
    },
    Check {
        id: "jwt-bearer/wrong-signature-is-refused",
        title: "an assertion whose signature does not fit the app's key is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-13",
        cites: &[Rfc(7523, "3"), Rfc(8725, "3.1"), Rfc(8725, "3.3"), FLOW],
        explain: "The signature must be checked with the key of the very client that iss names. One bit off, or the key of another app \
            of the same org, is a refusal with invalid_grant; otherwise any app can speak in the name of any other, or anybody in \
            the name of all. Do not decode an assertion without verifying it, and do not try every known key in turn. \
            Salesforce answers invalid assertion; then compare the certificate of the app with the key of the client.",
        passes: concat!(
            jwt!(),
            jwt!("J2": iss sub aud exp; "\"alg\":\"RS256\",\"verifies\":false" => "invalid assertion")
        ),
        fails: jwt!("J2": iss sub aud exp; "\"alg\":\"RS256\",\"verifies\":false" => granted),
        judge: judges::wrong_signature_is_refused,
    },
    Check {
        id: "jwt-bearer/unapproved-user-is-refused",
        title: "an assertion for a user who did not approve the app is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "JB-19",
        cites: &[FLOW, Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "The app's key alone must not open the data of every user: the user has to have approved the app before, or an admin \
            has to have pre-authorized him. RFC 7523 leaves to the server who is an authorized subject; Salesforce answers \
            invalid_grant (user hasn't approved this consumer), and the same for a user whom it does not know. If this fails, set \
            Permitted Users to \"Admin approved users are pre-authorized\" and assign the app to the few profiles or permission sets \
            that need it. The target's user unapproved states who must be refused.",
        passes: concat!(jwt!(), jwt!("J2": iss stranger aud exp => "user hasn't approved this consumer")),
        fails: jwt!("J2": iss stranger aud exp => granted),
        judge: judges::unapproved_user_is_refused,
    },
    Check {
        id: "jwt-bearer/strange-issue-time-is-refused",
        title: "an assertion issued an hour ahead or a month back is refused",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "JB-09",
        cites: &[Rfc(7523, "3")],
        explain: "iat says when an assertion was made. One from last month was lying about, and one from the future \
            was made by a clock that nobody should trust; RFC 7523 allows a server to refuse what is \
            unreasonably old and leaves the bound to it. With a bound on iat a stolen assertion is of no use \
            later, even where its exp lies far ahead. Salesforce is seen to ignore iat, which is a known \
            deviation. An hour ahead and a month back are far beyond every clock and queue.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud exp last_year => "invalid assertion")),
        fails: concat!(jwt!(), jwt!("J2": iss sub aud exp last_year => granted)),
        judge: judges::strange_issue_time_is_refused,
    },
    Check {
        id: "jwt-bearer/replay-is-refused",
        title: "an assertion with a jti is granted once",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "JB-10",
        cites: &[Rfc(7523, "3"), Rfc(7521, "8.2")],
        explain: "A client that puts jti into an assertion says that it is meant for one use. A server that remembers \
            the ids of assertions until they expire, as RFC 7523 allows, makes a copy from a log or a proxy \
            worthless at once; without that, a copy is a key until exp. Salesforce is seen to take the same \
            assertion again and again, which is a known deviation; keep exp short there.",
        passes: concat!(
            jwt!("J2": iss sub aud exp jti => granted),
            jwt!("J2": iss sub aud exp jti => "invalid assertion")
        ),
        fails: concat!(
            jwt!("J2": iss sub aud exp jti => granted),
            jwt!("J2": iss sub aud exp jti => granted)
        ),
        judge: judges::replay_is_refused,
    },
    Check {
        id: "jwt-bearer/far-expiry-is-refused",
        title: "an assertion that expires more than a month from now is refused",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "JB-11",
        cites: &[Rfc(7523, "3"), FLOW],
        explain: "exp is worth something only where it is near: an assertion that is good for a year is a password \
            that cannot be changed. RFC 7523 allows a server to refuse an exp that lies unreasonably far ahead; \
            minutes are usual. Salesforce documents three minutes and is seen to enforce no bound (one of its \
            own tools sends milliseconds, a date far in the future), which is a known deviation. Where the \
            target states exp_limit: none, nothing is judged.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud next_year => "invalid assertion")),
        fails: concat!(jwt!(), jwt!("J2": iss sub aud next_year => granted)),
        judge: judges::far_expiry_is_refused,
    },
    Check {
        id: "jwt-bearer/public-key-is-no-secret",
        title: "an HMAC under the public key of the app is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-14",
        cites: &[Rfc(8725, "2.1"), Rfc(8725, "3.1"), Rfc(7523, "3")],
        explain: "The public key of an app is no secret. A server that lets the header choose the algorithm takes \
            HS256 there for an order to use the key as an HMAC secret, and then everybody who has the \
            certificate can sign for every user. Tie each key to one algorithm at registration, compare alg with \
            it before anything is verified, and refuse the rest with invalid_grant.",
        passes: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2\n! tweak alg: HS256\n",
            "! assertion {\"claims\":{",
            claim!(iss),
            ",",
            claim!(sub),
            ",",
            claim!(aud),
            ",",
            claim!(exp),
            "},",
            "\"alg\":\"HS256\",\"verifies\":false}\n< ",
            answer!("invalid assertion")
        ),
        fails: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2\n! tweak alg: HS256\n",
            "! assertion {\"claims\":{",
            claim!(iss),
            ",",
            claim!(sub),
            ",",
            claim!(aud),
            ",",
            claim!(exp),
            "},",
            "\"alg\":\"HS256\",\"verifies\":false}\n< ",
            answer!(granted)
        ),
        judge: judges::public_key_is_no_secret,
    },
    Check {
        id: "jwt-bearer/failure-is-invalid-grant",
        title: "an assertion that is not valid is refused with invalid_grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-15",
        cites: &[Rfc(7523, "3.1"), Rfc(7521, "4.1.1")],
        explain: "A client reads the error to know what to do: on invalid_grant it makes a new assertion or asks its \
            admin, on invalid_request or server_error it retries or raises an alarm. RFC 7523 fixes \
            invalid_grant for whatever is wrong with the assertion itself: a claim that is missing, foreign or \
            out of time, a signature that does not fit. Map every failure of the check to it, and put the reason \
            into error_description.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud past => "expired authorization code")),
        fails: concat!(jwt!(), jwt!("J2": iss sub aud past => other: "invalid_request")),
        judge: judges::failure_is_invalid_grant,
    },
    Check {
        id: "jwt-bearer/extra-claims-are-ignored",
        title: "claims that the server does not know are ignored",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-16",
        cites: &[Rfc(7523, "3"), Rfc(7519, "4")],
        explain: "An assertion may hold other claims than those of RFC 7523, and what is not understood must be \
            ignored: gateways and libraries add a tenant, a version or a trace id, and the next profile adds \
            more. A server that refuses them breaks clients that did nothing wrong. Read the claims that you \
            need, and pass over the rest.",
        passes: concat!(jwt!(), jwt!("J2": iss sub aud exp extra => granted)),
        fails: concat!(jwt!(), jwt!("J2": iss sub aud exp extra => "invalid assertion")),
        judge: judges::extra_claims_are_ignored,
    },
    Check {
        id: "jwt-bearer/other-encoding-is-refused",
        title: "what is not one JWS in base64url is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-17",
        cites: &[Rfc(7523, "2.1"), Rfc(7515, "5.2"), Rfc(6749, "3.2")],
        explain: "The parameter assertion holds one JWS in compact form: base64url without padding and without line \
            breaks, once. A reader that is lenient with the alphabet, or that takes the first or the last of two \
            assertions, sees another text than the proxy or the log before it, and what one of them checked is \
            not what the other grants. Decode strictly, and refuse repeated parameters. A client that is refused \
            here by surprise should look for wrapped or padded base64.",
        passes: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30=.e30=.AA\n\
             ! assertion {\"malformed\":\"a part is not base64url without padding\"}\n\
             ! tweak encoding: padded\n< ",
            answer!("invalid assertion")
        ),
        fails: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30=.e30=.AA\n\
             ! assertion {\"malformed\":\"a part is not base64url without padding\"}\n\
             ! tweak encoding: padded\n< ",
            answer!(granted)
        ),
        judge: judges::other_encoding_is_refused,
    },
    Check {
        id: "jwt-bearer/shown-key-is-not-trusted",
        title: "a key that the header of an assertion shows is not trusted",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-18",
        cites: &[Rfc(8725, "3.10"), Rfc(7515, "4.1.3"), Rfc(7523, "3")],
        explain: "jwk, jku, x5c and x5u in the header are words of whoever made the assertion. A server that verifies \
            with the key that it finds there verifies nothing, and one that fetches it can be sent to hosts \
            inside of its own network besides. Take the key from the registration of the client that iss names, \
            and treat these members as if they were not there.",
        passes: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2\n! tweak key: fresh\n",
            "! assertion {\"claims\":{",
            claim!(iss),
            ",",
            claim!(sub),
            ",",
            claim!(aud),
            ",",
            claim!(exp),
            "},",
            "\"alg\":\"RS256\",\"verifies\":false,\"shows_key\":true}\n< ",
            answer!("invalid assertion")
        ),
        fails: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2\n! tweak key: fresh\n",
            "! assertion {\"claims\":{",
            claim!(iss),
            ",",
            claim!(sub),
            ",",
            claim!(aud),
            ",",
            claim!(exp),
            "},",
            "\"alg\":\"RS256\",\"verifies\":false,\"shows_key\":true}\n< ",
            answer!(granted)
        ),
        judge: judges::shown_key_is_not_trusted,
    },
    Check {
        id: "jwt-bearer/unknown-user-is-refused",
        title: "an assertion for somebody who is unknown or may not log in is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-20",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1")],
        explain: "sub names whom the access token acts for. Where that is nobody whom the server knows, or somebody \
            who was deactivated or frozen, there is nobody to act for; a server that grants has chosen somebody \
            by itself, or lets an employee work on who has left. Look the user up in full, look at the state of \
            the account, and answer invalid_grant. Salesforce answers user hasn't approved this consumer for a \
            name that it does not know. The target's users inactive and frozen state who may not log in.",
        passes: concat!(jwt!(), jwt!("J2": iss nobody aud exp => "invalid assertion")),
        fails: concat!(jwt!(), jwt!("J2": iss nobody aud exp => granted)),
        judge: judges::unknown_user_is_refused,
    },
    Check {
        id: "jwt-bearer/unknown-issuer-is-refused",
        title: "an assertion whose iss names no client is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "JB-21",
        cites: &[Rfc(7523, "3"), Rfc(7523, "3.1"), FLOW],
        explain: "iss decides with which key an assertion is verified. Where it names nobody, there is no key, and a \
            server that grants has tried the keys that it has, or none: then the holder of one key can speak \
            under any name, and switching a client off does not switch its assertions off. Look the client up by \
            the whole string. Salesforce answers invalid_client_id, or app_not_found where the app is not \
            installed; a client that meets this should compare iss with its consumer key and the host with its \
            org.",
        passes: concat!(
            jwt!(),
            jwt!("J2": nobody_iss sub aud exp; "\"alg\":\"RS256\"" => other: "invalid_client")
        ),
        fails: concat!(jwt!(), jwt!("J2": nobody_iss sub aud exp; "\"alg\":\"RS256\"" => granted)),
        judge: judges::unknown_issuer_is_refused,
    },
    Check {
        id: "jwt-bearer/no-refresh-token",
        title: "no refresh token comes with an assertion",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "JB-22",
        cites: &[FLOW, Rfc(6749, "4.4.3")],
        explain: "A client that can sign an assertion can sign the next one, so a refresh token gives it nothing, and \
            gives a thief of the answer access without the key and without an end: it outlives a certificate \
            that was exchanged because it leaked. RFC 6749 says so of client credentials, Salesforce of this \
            grant. Leave refresh_token out, whatever the scope of the app.",
        passes: jwt!(),
        fails: "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J1\n\
            < 200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\",\"refresh_token\":\"R1\"}",
        judge: judges::no_refresh_token,
    },
    Check {
        id: "jwt-bearer/scope-is-not-widened",
        title: "an assertion does not bring a scope that the app does not have",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "JB-23",
        cites: &[Rfc(7521, "4.1"), Rfc(6749, "3.3"), Rfc(6749, "5.1")],
        explain: "A scope that is asked for beside an assertion is a wish. What the app was not registered for, and \
            what no user agreed to, must not come back: refuse with invalid_scope, or grant less and say in \
            scope what was granted. An answer without scope says that all of what was asked for is in the token. \
            Salesforce takes no scope here at all. Fix the scope of the token by what app and user have, never \
            by the request.",
        passes: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2&scope=admin&client_id=main\n< ",
            "400 {\"error\":\"invalid_scope\"}"
        ),
        fails: concat!(
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2&scope=admin&client_id=main\n< ",
            "200 {\"access_token\":\"A2\",\"token_type\":\"Bearer\",\"scope\":\"admin\"}"
        ),
        judge: judges::scope_is_not_widened,
    },
    Check {
        id: "jwt-bearer/other-algorithms-are-refused",
        title: "Salesforce takes RS256 and no other algorithm",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Vendor,
        origin: "JB-24",
        cites: &[FLOW, Rfc(8725, "3.1")],
        explain: "Salesforce documents RS256 for assertions, and is seen to answer RS512 with invalid_client (invalid \
            client credentials), which sends people looking for a wrong secret. A client that is tried against \
            something more lenient passes there and fails in production. Sign with RS256; an emulator has to \
            refuse RS384, RS512 and PS256. Other servers may register other algorithms and are not judged.",
        passes: concat!(
            "= salesforce\n",
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2\n! tweak alg: RS512\n",
            "! assertion {\"claims\":{",
            claim!(iss),
            ",",
            claim!(sub),
            ",",
            claim!(aud),
            ",",
            claim!(exp),
            "},",
            "\"alg\":\"RS512\",\"verifies\":false}\n< ",
            answer!("invalid assertion")
        ),
        fails: concat!(
            "= salesforce\n",
            jwt!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=J2\n! tweak alg: RS512\n",
            "! assertion {\"claims\":{",
            claim!(iss),
            ",",
            claim!(sub),
            ",",
            claim!(aud),
            ",",
            claim!(exp),
            "},",
            "\"alg\":\"RS512\",\"verifies\":false}\n< ",
            answer!(granted)
        ),
        judge: judges::other_algorithms_are_refused,
    },
    Check {
        id: "jwt-bearer/prn-decides",
        title: "where an assertion has prn beside sub, prn decides on Salesforce",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "JB-25",
        cites: &[FLOW],
        explain: "prn is what the subject was called before RFC 7523, and Salesforce still lets it win over sub. A \
            client that fills both with different users, from an old library and a new one, gets a token for the \
            one of prn. An emulator that looks at sub alone hides that until production. Send sub and no prn. \
            The two users must both be admitted to the app.",
        passes: concat!(
            "= salesforce\n",
            jwt!("J1": iss sub prn aud exp => granted),
            "> GET userinfo\n> Authorization: Bearer A1\n< 200 {\"preferred_username\":\"stranger@example.com\"}\n"
        ),
        fails: concat!(
            "= salesforce\n",
            jwt!("J1": iss sub prn aud exp => granted),
            "> GET userinfo\n> Authorization: Bearer A1\n< 200 {\"preferred_username\":\"svc@example.com\"}\n"
        ),
        judge: judges::prn_decides,
    },
];
