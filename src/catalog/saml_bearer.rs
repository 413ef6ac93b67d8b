//! The SAML 2.0 bearer grant (RFC 7522): which assertions are worth an access token.

use super::Cite::{Rfc, Salesforce};
use super::assertion::{self, Flaw, GRANT, SAML, refused_forms, tweaked, unknown_client};
use super::{Check, Judgement, Party};
use crate::oauth::saml::forgery::{Forgery, find};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

/// A request with an assertion of that name, these claims and, if not a right one, that signature and tweak, and what
/// comes of it. Without anything it is the positive control.
macro_rules! saml {
    ($name:literal: $first:ident $($claim:ident)*; $signature:literal, $tweak:literal => $($answer:tt)+) => {
        concat!(
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:saml2-bearer&assertion=", $name,
            "\n! assertion {\"kind\":\"saml\",\"claims\":{", claim!($first), $(",", claim!($claim),)* "},", $signature,
            "}\n", $tweak, "< ", answer!($($answer)+), "\n"
        )
    };
    ($name:literal: $($claim:ident)+ => $($answer:tt)+) => {
        saml!($name: $($claim)+; "\"verifies\":true", "" => $($answer)+)
    };
    () => {
        saml!("S1": iss sub aud exp bearer here => granted)
    };
}

macro_rules! claim {
    (iss) => {
        "\"iss\":\"main\""
    };
    (nobody_iss) => {
        "\"iss\":\"no-such-client-of-this-org\""
    };
    (sub) => {
        "\"sub\":\"svc@example.com\""
    };
    (longer) => {
        "\"sub\":\"svc@example.com.grantcheck.example\""
    };
    (aud) => {
        "\"aud\":[\"https://org.example\"]"
    };
    (elsewhere) => {
        "\"aud\":[\"https://other.example\"]"
    };
    (exp) => {
        "\"exp\":{now+150}"
    };
    (past) => {
        "\"exp\":{now-300}"
    };
    (bearer) => {
        "\"method\":\"urn:oasis:names:tc:SAML:2.0:cm:bearer\""
    };
    (holder) => {
        "\"method\":\"urn:oasis:names:tc:SAML:2.0:cm:holder-of-key\""
    };
    (here) => {
        "\"recipient\":\"https://org.example/token\""
    };
    (there) => {
        "\"recipient\":\"https://other.example/token\""
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

const FLOW: super::Cite = Salesforce("OAuth 2.0 SAML Bearer Assertion Flow for Previously Authorized Apps");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "saml-bearer/right-assertion-is-granted",
        title: "a right SAML assertion gives an access token for the user that it names",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-01",
        cites: &[Rfc(7522, "2.1"), Rfc(7522, "3"), FLOW],
        explain: "An assertion that names the app, an admitted user, this server as audience and recipient and a near \
            end, signed with the app's key, is worth an access token for the user in its NameID and for nobody \
            else. Where it is refused, look at the certificate of this very app, the Audience \
            (https://login.salesforce.com, https://test.salesforce.com for sandboxes), the Recipient (the token \
            endpoint), the clock, and whether the user is pre-authorized. What is sent is the Assertion by \
            itself, not the Response around it.",
        passes: saml!(),
        fails: saml!("S1": iss sub aud exp bearer here => "invalid assertion"),
        judge: right_assertion_is_granted,
    },
    Check {
        id: "saml-bearer/unknown-issuer-is-refused",
        title: "a SAML assertion whose Issuer names no client is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-02",
        cites: &[Rfc(7522, "3"), Rfc(7522, "3.1"), FLOW],
        explain: "Issuer says who made the assertion, and so which key must have signed it. Where it names nobody \
            there is no key, and a server that grants has tried the keys that it has: then the holder of one of \
            them speaks under any name. Look the issuer up by the whole string. On Salesforce Issuer is the \
            consumer key of the app.",
        passes: concat!(
            saml!(),
            saml!("S2": nobody_iss sub aud exp bearer here; "\"alg\":\"\"", "" => other: "invalid_client")
        ),
        fails: concat!(
            saml!(),
            saml!("S2": nobody_iss sub aud exp bearer here; "\"alg\":\"\"", "" => granted)
        ),
        judge: unknown_issuer_is_refused,
    },
    Check {
        id: "saml-bearer/wrong-audience-is-refused",
        title: "a SAML assertion for another audience is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-03",
        cites: &[Rfc(7522, "3"), Rfc(7522, "3.1"), FLOW],
        explain: "The AudienceRestriction must name this server. An assertion that was made for a sandbox, a partner \
            or a web login is signed by the same key, and a server that does not look at the audience takes it \
            for its own: whoever receives assertions anywhere can then log in here. Compare each Audience with \
            the names that the server is known by, and refuse with invalid_grant.",
        passes: concat!(saml!(), saml!("S2": iss sub elsewhere exp bearer here => "audience is invalid")),
        fails: concat!(saml!(), saml!("S2": iss sub elsewhere exp bearer here => granted)),
        judge: wrong_audience_is_refused,
    },
    Check {
        id: "saml-bearer/missing-subject-is-refused",
        title: "a SAML assertion that names no subject is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-04",
        cites: &[Rfc(7522, "3"), Rfc(7522, "3.1")],
        explain: "The Subject names the user for whom the access token is asked. A server that grants without one must \
            have chosen a user by itself, and the client gets the rights of somebody whom nobody named. Refuse \
            with invalid_grant where NameID is missing or empty.",
        passes: concat!(saml!(), saml!("S2": iss aud exp bearer here => "invalid assertion")),
        fails: concat!(saml!(), saml!("S2": iss aud exp bearer here => granted)),
        judge: missing_subject_is_refused,
    },
    Check {
        id: "saml-bearer/expired-is-refused",
        title: "a SAML assertion past its NotOnOrAfter is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-05",
        cites: &[Rfc(7522, "3"), Rfc(7522, "3.1"), FLOW],
        explain: "NotOnOrAfter stands on Conditions, on SubjectConfirmationData, or on both, and each of them ends the \
            assertion; a few minutes may be forgiven, because clocks differ. A server that looks at one of the \
            two, or at none, lets a copied assertion be used for as long as the certificate lives. Salesforce \
            forgives three minutes, which is assumed where the target does not state its leeway, and answers \
            expired authorization code.",
        passes: concat!(saml!(), saml!("S2": iss sub aud past bearer here => "expired authorization code")),
        fails: concat!(saml!(), saml!("S2": iss sub aud past bearer here => granted)),
        judge: expired_is_refused,
    },
    Check {
        id: "saml-bearer/other-confirmation-is-refused",
        title: "a SAML assertion that is not confirmed as bearer is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-06",
        cites: &[Rfc(7522, "3"), Rfc(7522, "3.1")],
        explain: "The method of SubjectConfirmation says what the presenter has to show. Only bearer is for whoever \
            holds the assertion; holder-of-key and sender-vouches demand more, and a server that does not ask \
            for it makes a bearer token of what its issuer tied to a key. Look for a SubjectConfirmation with \
            the bearer method and refuse where there is none.",
        passes: concat!(saml!(), saml!("S2": iss sub aud exp holder here => "invalid assertion")),
        fails: concat!(saml!(), saml!("S2": iss sub aud exp holder here => granted)),
        judge: other_confirmation_is_refused,
    },
    Check {
        id: "saml-bearer/wrong-recipient-is-refused",
        title: "a SAML assertion for another recipient is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-07",
        cites: &[Rfc(7522, "3"), Rfc(7522, "3.1"), FLOW],
        explain: "Recipient is the address at which the assertion may be delivered: the token endpoint. An assertion \
            that was posted to the login page of another service names that page, and a server that does not \
            compare lets that service use what it received. Compare the URL with the token endpoint that was \
            asked, or a short list of its other names, and refuse the rest with invalid_grant.",
        passes: concat!(saml!(), saml!("S2": iss sub aud exp bearer there => "invalid assertion")),
        fails: concat!(saml!(), saml!("S2": iss sub aud exp bearer there => granted)),
        judge: wrong_recipient_is_refused,
    },
    Check {
        id: "saml-bearer/unsigned-or-wrongly-signed-is-refused",
        title: "a SAML assertion without a right signature of the app is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-08",
        cites: &[Rfc(7522, "3"), FLOW],
        explain: "Without the signature everybody can write an assertion for every user, knowing no more than the \
            public client_id. It must be there, cover the whole assertion, and verify with the certificate of \
            the very app that Issuer names; the certificate in KeyInfo is the word of whoever wrote it. Some \
            libraries check a signature only where one is present: demand it first. Salesforce answers invalid \
            assertion.",
        passes: concat!(
            saml!(),
            saml!("S2": iss sub aud exp bearer here; "\"unsigned\":true,\"verifies\":false", "" => "invalid assertion")
        ),
        fails: saml!("S2": iss sub aud exp bearer here; "\"verifies\":false", "! tweak key: other\n" => granted),
        judge: unsigned_or_wrongly_signed_is_refused,
    },
    Check {
        id: "saml-bearer/replay-is-refused",
        title: "a SAML assertion is granted once",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "SB-09",
        cites: &[Rfc(7522, "3"), Rfc(7521, "8.2")],
        explain: "A server that remembers the IDs of the assertions that it granted, until they expire, makes a copy \
            from a log or a proxy worthless at once. RFC 7522 allows it and does not ask for it. Nothing is \
            known of a Salesforce that does; keep NotOnOrAfter a few minutes ahead there.",
        passes: concat!(saml!(), saml!("S1": iss sub aud exp bearer here => "invalid assertion")),
        fails: concat!(saml!(), saml!()),
        judge: replay_is_refused,
    },
    Check {
        id: "saml-bearer/wrapped-signature-is-refused",
        title: "a forged assertion around a signed one is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-10",
        cites: &[Rfc(7522, "3"), FLOW],
        explain: "Signature wrapping moves a rightly signed assertion into another one. The signature still verifies \
            over what it points to, and a server that then reads the first assertion that it finds reads the \
            forged one: one user of an app becomes every user. Take an assertion only where the document is that \
            one assertion, its one signature is a child of it, and the reference is the ID of it; and read \
            nothing but what was verified. The finding names the shape that got through.",
        passes: concat!(
            saml!(),
            saml!("S2": iss sub aud exp bearer here; "\"verifies\":false,\"rejected\":\"it holds more than one Assertion\"", "! tweak forgery: signed-in-advice\n" => "invalid assertion")
        ),
        fails: concat!(
            saml!(),
            saml!("S2": iss sub aud exp bearer here; "\"verifies\":false,\"rejected\":\"it holds more than one Assertion\"", "! tweak forgery: signed-in-advice\n" => granted)
        ),
        judge: wrapped_signature_is_refused,
    },
    Check {
        id: "saml-bearer/comment-does-not-cut-a-name",
        title: "a comment in a NameID does not cut the name short",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-11",
        cites: &[Rfc(7522, "3"), FLOW],
        explain: "Canonicalization drops comments, so a comment can be put into a signed name without breaking the \
            signature. A reader that takes the first piece of text for the whole reads admin@example.com where \
            admin@example.com.evil.example was signed, and whoever may register the long name becomes the short \
            one. Read all text of the element, or refuse a document with comments.",
        passes: concat!(
            saml!(),
            saml!("S2": iss longer aud exp bearer here; "\"verifies\":true", "! tweak forgery: comment\n" => "invalid assertion")
        ),
        fails: concat!(
            saml!(),
            saml!("S2": iss longer aud exp bearer here; "\"verifies\":true", "! tweak forgery: comment\n" => granted)
        ),
        judge: comment_does_not_cut_a_name,
    },
    Check {
        id: "saml-bearer/document-type-is-refused",
        title: "a SAML assertion with a document type declaration is refused",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "SB-12",
        cites: &[Rfc(7522, "3")],
        explain: "No assertion needs a DTD. A parser that reads one expands entities: a few lines grow to gigabytes, \
            an external entity fetches files and URLs from inside of the network, and a name that was signed as \
            text is put together from pieces that no other reader sees. Switch document types off in the parser \
            and refuse the document before anything else is looked at.",
        passes: concat!(
            saml!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:saml2-bearer&assertion=S2\n\
             ! assertion {\"kind\":\"saml\",\"malformed\":\"it has a document type declaration\"}\n! tweak forgery: doctype\n< ",
            answer!("invalid assertion")
        ),
        fails: concat!(
            saml!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:saml2-bearer&assertion=S2\n\
             ! assertion {\"kind\":\"saml\",\"malformed\":\"it has a document type declaration\"}\n! tweak forgery: doctype\n< ",
            answer!(granted)
        ),
        judge: document_type_is_refused,
    },
    Check {
        id: "saml-bearer/other-encoding-is-refused",
        title: "a SAML assertion that is not base64url on one line is refused",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "SB-13",
        cites: &[Rfc(7522, "2.1"), FLOW],
        explain: "RFC 7522 has the client encode the assertion as base64url without line breaks. A server that also \
            takes standard base64 helps a client to work until its first + arrives as a blank, which happens to \
            one assertion in a few, and nobody finds out why. Decode strictly. A client that meets invalid \
            assertion now and then should look at the alphabet of its encoder first.",
        passes: concat!(
            saml!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:saml2-bearer&assertion=S2\n\
             ! assertion {\"kind\":\"saml\",\"malformed\":\"its encoding holds white space\"}\n! tweak encoding: lines\n< ",
            answer!("invalid assertion")
        ),
        fails: concat!(
            saml!(),
            "> POST token grant_type=urn:ietf:params:oauth:grant-type:saml2-bearer&assertion=S2\n\
             ! assertion {\"kind\":\"saml\",\"malformed\":\"its encoding holds white space\"}\n! tweak encoding: lines\n< ",
            answer!(granted)
        ),
        judge: other_encoding_is_refused,
    },
    Check {
        id: "saml-bearer/failure-is-invalid-grant",
        title: "a SAML assertion that is not valid is refused with invalid_grant",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "SB-14",
        cites: &[Rfc(7522, "3.1"), Rfc(7521, "4.1.1")],
        explain: "A client reads the error to know what to do: on invalid_grant it makes a new assertion or asks its \
            admin, on anything else it retries or raises an alarm. RFC 7522 fixes invalid_grant for whatever is \
            wrong with the assertion itself: subject, audience, recipient, confirmation, times, signature. Put \
            the reason into error_description, and nothing of the assertion.",
        passes: concat!(saml!(), saml!("S2": iss sub aud past bearer here => "expired authorization code")),
        fails: concat!(saml!(), saml!("S2": iss sub aud past bearer here => other: "invalid_request")),
        judge: failure_is_invalid_grant,
    },
];

fn refused(t: &Transcript, flaw: Flaw, because: &str) -> Judgement {
    assertion::refused(t, SAML, flaw, GRANT, because)
}

fn right_assertion_is_granted(t: &Transcript) -> Judgement {
    assertion::right_is_granted(t, SAML)
}

fn unknown_issuer_is_refused(t: &Transcript) -> Judgement {
    assertion::refused(
        t,
        SAML,
        Flaw::UnknownIssuer,
        unknown_client(t),
        "Issuer names no client of this server",
    )
}

fn wrong_audience_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongAudience, "Audience names another server")
}

fn missing_subject_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::NoSubject, "the assertion names no subject")
}

fn expired_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::Expired, "NotOnOrAfter has passed")
}

fn other_confirmation_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongMethod, "the subject is not confirmed as bearer")
}

fn wrong_recipient_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::WrongRecipient, "Recipient is another address")
}

fn unsigned_or_wrongly_signed_is_refused(t: &Transcript) -> Judgement {
    let mut j = refused(t, Flaw::Unsigned, "the assertion is not signed");
    j.merge(refused(t, Flaw::WrongSignature, "the signature does not fit the key of the app"));
    j
}

fn replay_is_refused(t: &Transcript) -> Judgement {
    refused(t, Flaw::Replayed, "this assertion was granted before")
}

/// What the assertion of a request was forged into.
fn forgery(x: &Exchange) -> Option<&'static Forgery> {
    let (_, rest) = x.tweak.as_deref()?.split_once("forgery: ")?;
    find(rest.split(',').next()?.trim())
}

fn wrapped_signature_is_refused(t: &Transcript) -> Judgement {
    let wraps = |x: &Exchange| forgery(x).is_some_and(Forgery::wraps);
    refused_forms(t, SAML, wraps, GRANT, "a forged assertion is wrapped around a signed one")
}

fn comment_does_not_cut_a_name(t: &Transcript) -> Judgement {
    refused(t, Flaw::CommentedName, "the name goes on behind the comment, and nobody is called so")
}

fn document_type_is_refused(t: &Transcript) -> Judgement {
    let declares = |x: &Exchange| forgery(x).is_some_and(|f| ["doctype", "entity"].contains(&f.name));
    refused_forms(t, SAML, declares, GRANT, "the document has a type declaration")
}

fn other_encoding_is_refused(t: &Transcript) -> Judgement {
    let unreadable = |x: &Exchange| {
        let malformed = x.facts.assertion.as_ref().is_some_and(|a| a.malformed.is_some());
        malformed && (tweaked(x, "encoding: lines") || tweaked(x, "encoding: standard"))
    };
    refused_forms(
        t,
        SAML,
        unreadable,
        &["invalid_grant", "invalid_request"],
        "the assertion is not base64url",
    )
}

fn failure_is_invalid_grant(t: &Transcript) -> Judgement {
    assertion::failure_is_invalid_grant(t, SAML)
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::verdict;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::Verdict;

    const WRAPPED: &str = "saml-bearer/wrapped-signature-is-refused";

    #[test]
    fn a_forgery_that_is_refused_proves_nothing_where_nothing_is_granted() {
        let refused = "> POST token grant_type=urn:ietf:params:oauth:grant-type:saml2-bearer&assertion=S2\n\
            ! tweak forgery: response-forged-first\n< 400 {\"error\":\"invalid_grant\"}\n";
        assert_eq!(verdict(WRAPPED, refused), Verdict::Inconclusive);
        assert_eq!(verdict(WRAPPED, &format!("{}{refused}", saml!())), Verdict::Pass);
        assert_eq!(verdict(WRAPPED, &refused.replace("response-forged-first", "comment")), Verdict::Skip);
    }

    #[test]
    fn the_shape_that_got_through_is_named() {
        let check = find(WRAPPED).unwrap();
        let judged = judge_one(check, &script::read(check.fails));
        assert!(
            judged.findings[0].expected.ends_with("it holds more than one Assertion"),
            "{:?}",
            judged.findings
        );
    }

    #[test]
    fn another_name_of_the_token_endpoint_is_not_called_wrong() {
        let text = saml!("S2": iss sub aud exp bearer there => granted);
        let id = "saml-bearer/wrong-recipient-is-refused";
        for own in ["https://org.example/oauth/token", "http://org.example:8080/token"] {
            assert_eq!(verdict(id, &text.replace("https://other.example/token", own)), Verdict::Skip);
        }
        let login = text.replace("other.example", "login.salesforce.com");
        assert_eq!(verdict(id, &format!("= salesforce\n{login}")), Verdict::Skip);
    }

    #[test]
    fn either_end_may_be_the_first() {
        let text = saml!("S2": iss sub aud exp bearer here => granted)
            .replace("{now+150}", "{now+150},\"confirmation_exp\":{now-400}");
        assert_eq!(verdict("saml-bearer/expired-is-refused", &text), Verdict::Fail);
    }
}
