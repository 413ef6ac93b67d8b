//! By whom an ID token is signed.

use super::*;

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "id-token-use/broken-signature-is-refused",
        title: "an ID token whose signature does not fit is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-08",
        cites: &[OpenIdCore("3.1.3.7")],
        explain: "A token that is only decoded says whatever its sender wants. Most JWT libraries have a call that decodes and one \
            that verifies, and both give the same claims. Verify with a key of the key set of the issuer, under the algorithm \
            that is configured. A client may trust TLS instead where the token comes from the token endpoint itself; one that \
            reads the keys and does not use them has a mistake.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\"}",
                    "false"
                )
            )
        ),
        fails: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\"}",
                    "false"
                )
            ),
            calls!("A2")
        ),
        judge: |t| unverified(t, Flaw::Signature, "the signature of the ID token does not fit"),
    },
    Check {
        id: "id-token-use/unsigned-is-refused",
        title: "an ID token with alg none is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-10",
        cites: &[OpenIdCore("3.1.3.7"), Rfc(8725, "3.2")],
        explain: "Who lets the token decide how it is verified lets it decide that it is not. An attacker takes any token, writes \
            none into the header and anything into the claims. Give the library the list of algorithms that are expected, RS256 \
            for Salesforce, and nothing else.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"none\"}",
                    "null"
                )
            )
        ),
        fails: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"none\"}",
                    "null"
                )
            ),
            calls!("A2")
        ),
        judge: |t| unverified(t, Flaw::Unsigned, "the ID token is not signed"),
    },
    Check {
        id: "id-token-use/hmac-with-the-public-key-is-refused",
        title: "an ID token with alg HS256 is not verified with the public key of the issuer",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-11",
        cites: &[Rfc(8725, "2.1"), Rfc(8725, "3.1")],
        explain: "A function that takes a key and a token, and the algorithm from the token, takes the bytes of an RSA public key for \
            the secret of an HMAC where the header says so. The public key is public, so anybody can sign. Bind each key to its \
            algorithm, and give the library the algorithms that are expected.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"HS256\"}",
                    "null"
                )
            )
        ),
        fails: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"HS256\"}",
                    "null"
                )
            ),
            calls!("A2")
        ),
        judge: |t| unverified(t, Flaw::Hmac, "the ID token is signed with what is no secret"),
    },
    Check {
        id: "id-token-use/shown-key-is-not-trusted",
        title: "a key that an ID token shows or points to is neither trusted nor fetched",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-12",
        cites: &[Rfc(8725, "3.10"), OpenIdCore("10.1")],
        explain: "A header can hold a key (jwk, x5c) or the address of one (jku, x5u). Whoever made the token chose it, so that it fits \
            proves nothing; and a client that fetches the address asks whatever host an attacker names, from inside the network. \
            Take keys from the jwks_uri of the issuer alone, by kid, and pass over the rest of the header.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"jwk\":{}}",
                    "false"
                )
            )
        ),
        fails: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"jwk\":{}}",
                    "false"
                )
            ),
            calls!("A2")
        ),
        judge: shown_key_is_not_trusted,
    },
    Check {
        id: "id-token-use/token-of-a-stranger-is-refused",
        title: "an ID token of another issuer, with that issuer's signature, does not log in the same user",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-20",
        cites: &[OpenIdCore("3.1.3.7"), OpenIdCore("5.7"), Rfc(9700, "4.4")],
        explain: "Anybody can run an issuer, and put any sub into its tokens. A client that looks up the keys by the iss of the token, \
            or knows users by sub alone, logs the attacker in as the user of the honest org. Take issuer and keys from the \
            configuration of the org to which this login was sent, and know users by issuer and sub together.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://rogue.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\"}",
                    "false"
                )
            )
        ),
        fails: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://rogue.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\"}",
                    "false"
                )
            ),
            calls!("A2")
        ),
        judge: |t| refused(t, Flaw::Stranger, "the ID token is of a stranger"),
    },
    Check {
        id: "id-token-use/unknown-extension-is-refused",
        title: "an ID token with an extension that must be understood is not believed",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "CLI-22",
        cites: &[Rfc(7515, "4.1.11")],
        explain: "crit in the header names members that change the meaning of the token, and that a recipient must understand or \
            refuse the token. Several libraries pass it over, and read a token otherwise than its issuer meant it. Refuse every \
            token with crit, unless the library knows each name in it.",
        passes: concat!(
            control!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"crit\":[\"x\"],\"x\":1}",
                    "true"
                )
            )
        ),
        fails: concat!(
            keys!(),
            login!(
                "C2",
                "A2",
                token!(
                    "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
                    "{\"alg\":\"RS256\",\"crit\":[\"x\"],\"x\":1}",
                    "true"
                )
            ),
            calls!("A2")
        ),
        judge: |t| unverified(t, Flaw::Extension, "the ID token has an extension that nobody understands"),
    },
];

fn shown_key_is_not_trusted(t: &Transcript) -> Judgement {
    let mut j = unverified(t, Flaw::ShownKey, "the ID token is signed with a key of its own");
    for b in brought(t) {
        for name in ["jku", "x5u"] {
            let Some(url) = b.token.header.get(name).and_then(Value::as_str) else { continue };
            let fetched = t.after(b.x).find(|y| y.request.url.split('?').next() == url.split('?').next());
            if let Some(y) = fetched
                .filter(|_| !t.at(Endpoint::Keys).any(|y| y.request.url == url && y.number < b.x.number))
            {
                j.fail(&[b.x, y], "no request to where the header points", "it was fetched");
            }
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::verdict::Verdict;

    const BROKEN: &str = login!(
        "C2",
        "A2",
        token!(
            "\"iss\":\"https://org.example\",\"aud\":\"main\",\"sub\":\"u\",\"iat\":{now},\"exp\":{now+120},\"nonce\":\"NC2\"",
            "{\"alg\":\"RS256\"}",
            "false"
        )
    );

    #[test]
    fn who_never_reads_the_keys_may_trust_tls() {
        let id = "id-token-use/broken-signature-is-refused";
        comes_to(id, &format!("{BROKEN}{}", calls!("A2")), Verdict::Inconclusive);
        comes_to(id, &format!("{}{BROKEN}{}", keys!(), calls!("A2")), Verdict::Fail);
        comes_to(id, &format!("{}{BROKEN}", keys!()), Verdict::Inconclusive);
    }

    #[test]
    fn where_a_header_points_nobody_looks() {
        let id = "id-token-use/shown-key-is-not-trusted";
        let shown = BROKEN.replace("\"RS256\"}", "\"RS256\",\"jku\":\"https://rogue.example/keys\"}");
        comes_to(id, &format!("{}{shown}", control!()), Verdict::Pass);
        let fetched = "> GET page /keys\n! host https://rogue.example\n< 200\n";
        comes_to(id, &format!("{}{shown}{fetched}", control!()), Verdict::Fail);
    }
}
