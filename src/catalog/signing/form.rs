//! The request that carries an assertion, and how the assertion is written and signed.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "signing/grant-is-asked-for-with-one-assertion",
        title: "an assertion is presented in a form that is posted, under the URN of its grant, once",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLJ-01",
        cites: &[Rfc(7523, "2.1"), Rfc(7522, "2.1"), Rfc(7521, "4.1")],
        explain: "The grant type is the whole URN, urn:ietf:params:oauth:grant-type:jwt-bearer or :saml2-bearer, and the assertion \
            stands once beside it, in a form body. A short name, the URN of client assertions, a JSON body or a query are not read, \
            and Salesforce answers unsupported_grant_type to all of them, which sends people to look for a missing setting. Take \
            the URN from the RFC, letter by letter.",
        passes: jwt!("J", "{}"),
        fails: "> POST token grant_type=jwt-bearer&assertion=J\n< 400 {\"error\":\"unsupported_grant_type\"}\n",
        judge: grant_is_asked_for_with_one_assertion,
    },
    Check {
        id: "signing/signature-is-rs256-of-the-registered-key",
        title: "a JWT is signed with RS256 and the key whose certificate the app is registered with",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Vendor,
        origin: "CLJ-04",
        cites: &[JWT_FLOW, Rfc(8725, "3.1")],
        explain: "Salesforce takes RS256 for assertions and looks for the key in the certificate of the app: RS512 and elliptic curves \
            are refused, kid is not looked at. HS256 or none would mean that whoever can read the assertion can write one. A \
            signature that does not fit is most often the key of another environment, or a certificate that was renewed in one of \
            two places (invalid assertion). Name the algorithm in the code and keep key and certificate in one place.",
        passes: jwt!("J", "{\"alg\":\"RS256\",\"verifies\":true}"),
        fails: jwt!("J", "{\"alg\":\"RS256\",\"verifies\":false}"),
        judge: signature_is_rs256_of_the_registered_key,
    },
    Check {
        id: "signing/assertion-is-base64url",
        title: "the parts of a JWT are written in base64url, without padding or line breaks",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLJ-05",
        cites: &[Rfc(7515, "2"), Rfc(7515, "7.1")],
        explain: "A JWT has three parts with dots between them, each in the URL-safe alphabet, without = at its end and without line \
            breaks. Those who build it by hand take their platform's base64, which has + and /, pads, and wraps at 64 or 76 letters; \
            some tokens then work by chance, and others are an invalid assertion. Take a JWT library, or strip what base64url does \
            not have.",
        passes: jwt!("J", "{\"alg\":\"RS256\"}"),
        fails: jwt!("J", "{\"malformed\":\"a part is not base64url without padding\"}"),
        judge: assertion_is_base64url,
    },
    Check {
        id: "signing/private-key-stays-at-home",
        title: "no request shows a private key",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLJ-11",
        cites: &[Rfc(7518, "6.3.2"), Rfc(7515, "4.1.3")],
        explain: "The private key signs, and nobody but the client may have it. It gets out where the JOSE header shows the key as a \
            JSON Web Key with all of its members, d among them, because a library was handed the whole key for jwk, or where a PEM \
            text lands in a parameter or a header. Whoever sees one such request can sign for the app until the certificate is \
            replaced. Salesforce needs no jwk at all: leave it out. What the client prints is not in a record of requests.",
        passes: jwt!(
            "J",
            "{\"alg\":\"RS256\",\"header\":{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"x\",\"e\":\"AQAB\"}}}"
        ),
        fails: jwt!(
            "J",
            "{\"alg\":\"RS256\",\"header\":{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"d\":\"***\"}}}"
        ),
        judge: private_key_stays_at_home,
    },
];

fn grant_is_asked_for_with_one_assertion(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Token).filter(|x| means_an_assertion(x)) {
        let form = x.request.form();
        let grant_type = form.get("grant_type");
        let assertion = form.get("assertion").filter(|assertion| !assertion.is_empty());
        let expected = "a posted form with the URN of the grant and one assertion";
        if x.request.method != "POST" {
            j.fail(&[x], expected, format!("a {}", x.request.method));
        } else if !matches!(grant_type, Some(jwt_bearer::GRANT_TYPE | saml_bearer::GRANT_TYPE)) {
            j.fail(&[x], expected, grant_type.unwrap_or("no grant_type in a form").to_owned());
        } else if assertion.is_none() {
            j.fail(&[x], expected, "no assertion in the form");
        } else if let Some(name) = form.repeated() {
            j.fail(&[x], expected, format!("{name} more than once"));
        } else {
            j.pass();
        }
    }
    j
}

/// Whether a token request was meant to present an assertion for a grant, in whatever form.
fn means_an_assertion(x: &Exchange) -> bool {
    let json = || serde_json::from_str::<serde_json::Value>(&x.request.body).ok();
    is_bearer_request(x)
        || x.param("assertion").is_some()
        || json().is_some_and(|j| j.get("assertion").is_some())
}

fn signature_is_rs256_of_the_registered_key(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let salesforce = t.subject.profile == Profile::Salesforce;
    for (x, says) in jwts(t) {
        let expected = "RS256 with the registered key";
        let weak = says.unsigned || says.alg.eq_ignore_ascii_case("none") || says.alg.starts_with("HS");
        if weak || salesforce && says.alg != "RS256" {
            let observed =
                if says.unsigned { "no signature".to_owned() } else { format!("alg {}", says.alg) };
            j.fail(&[x], expected, observed);
        } else if says.alg == "RS256" && says.verifies == Some(false) {
            j.fail(&[x], expected, "a signature that does not fit the registered certificate");
        } else if !says.alg.is_empty() {
            j.pass();
        }
    }
    j
}

fn assertion_is_base64url(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, says) in assertions(t).filter(|(_, says)| says.kind == "jwt") {
        match &says.malformed {
            None => j.pass(),
            Some(why) if why.contains("base64url") => {
                j.fail(&[x], "three parts in base64url without padding", why.clone());
            }
            Some(_) => {}
        }
    }
    j
}

fn private_key_stays_at_home(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in &t.exchanges {
        let request = &x.request;
        let signed = [&x.facts.assertion, &x.facts.client_assertion];
        let mut shown = signed.iter().filter_map(|says| says.as_ref()?.header.get("jwk")?.as_object());
        let in_header = shown.any(|jwk| PRIVATE.iter().any(|member| jwk.contains_key(*member)));
        let pem = |text: &str| text.contains("PRIVATE KEY-----");
        let params = || request.form().iter().chain(request.query().iter());
        let in_text = pem(&request.body)
            || params().any(|(_, value)| pem(value))
            || request.headers.iter().any(|(_, value)| pem(value));
        if in_header {
            j.fail(&[x], "no private key", "private members of a key in the header of an assertion");
        } else if in_text {
            j.fail(&[x], "no private key", "a private key as PEM");
        } else if signed.iter().any(|says| says.as_ref().is_some_and(|says| !says.unsigned)) {
            j.pass();
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    #[test]
    fn an_assertion_stands_once_in_a_form() {
        let id = "signing/grant-is-asked-for-with-one-assertion";
        let good = jwt!("J", "{}");
        for (from, to) in
            [("POST", "GET"), ("assertion=J", "assertion=J&assertion=J"), ("assertion=J", "x=y")]
        {
            comes_to(id, &good.replace(from, to), Verdict::Fail);
        }
        let json = "> POST token {\"assertion\":\"J\"}\n> Content-Type: application/json\n< 400\n";
        comes_to(id, json, Verdict::Fail);
        comes_to(id, "> POST token grant_type=client_credentials&client_id=main\n< 200\n", Verdict::Skip);
    }

    #[test]
    fn another_algorithm_is_wrong_where_the_server_says_so() {
        let id = "signing/signature-is-rs256-of-the-registered-key";
        let other = jwt!("J", "{\"alg\":\"RS512\",\"verifies\":false}");
        comes_to(id, other, Verdict::Pass);
        comes_to(id, &format!("= salesforce\n{other}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"alg\":\"HS256\"}"), Verdict::Fail);
        comes_to(id, jwt!("J", "{\"alg\":\"none\",\"unsigned\":true}"), Verdict::Fail);
    }

    #[test]
    fn a_key_is_seen_wherever_it_stands() {
        let id = "signing/private-key-stays-at-home";
        let pem = "> POST token grant_type=x&key=-----BEGIN+PRIVATE+KEY-----x\n< 400\n";
        comes_to(id, pem, Verdict::Fail);
        comes_to(id, &pem.replace("PRIVATE", "PUBLIC"), Verdict::Skip);
    }
}
