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
}

/// A token, or a refusal with Salesforce's text.
macro_rules! answer {
    (granted) => {
        "200 {\"access_token\":\"A1\",\"token_type\":\"Bearer\"}"
    };
    ($text:literal) => {
        concat!("400 {\"error\":\"invalid_grant\",\"error_description\":\"", $text, "\"}")
    };
}

mod flaws;
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
            worthless. Compare nbf with the clock wherever it is present and answer invalid_grant. Salesforce's pages do not \
            mention nbf, and field notes say that it may be ignored: do not rely on it there.",
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
            the name of all. Do not decode an assertion without verifying it, do not try every known key in turn, and do not take a \
            public key for an HMAC secret because the header says HS256. \
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
];
