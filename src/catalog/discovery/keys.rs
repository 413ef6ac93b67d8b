//! What is published beside the metadata: the keys, and for how long both may be kept.

use serde_json::Value;

use super::fetches;
use crate::catalog::Cite::{OpenIdCore, Rfc};
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::{Endpoint, from_base64url};
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const KEYS: &[Check] = &[
    Check {
        id: "discovery/published-keys-are-sound",
        title: "the published key set holds public keys alone, of 2048 bits and more, each under its own kid",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "DS-16",
        cites: &[Rfc(8414, "2"), Rfc(7517, "4.5"), Rfc(7518, "3.3"), OpenIdCore("10.1")],
        explain: "Whoever reads a private member in this document can sign in the server's name, for every client and every \
            user: replace the key at once and call everything void that it signed. An RSA key below 2048 bits must not be used \
            with RS256. Two different keys under one kid make clients pick the wrong one now and then, which shows as \
            signatures that fail at random; that weighs less. Build the set from the public halves only, never by leaving \
            members out of a private key.",
        passes: "> GET keys\n\
            < 200 {\"keys\":[{\"kty\":\"EC\",\"kid\":\"1\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
        fails: "> GET keys\n\
            < 200 {\"keys\":[{\"kty\":\"EC\",\"kid\":\"1\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"d\":\"AA\"}]}",
        judge: published_keys_are_sound,
    },
    Check {
        id: "discovery/documents-do-not-outlive-a-day",
        title: "keys and metadata may be cached for a day at most",
        binds: Party::Org,
        level: Level::BestPractice,
        basis: Basis::Derived,
        origin: "DS-20",
        cites: &[OpenIdCore("10.1.1"), Rfc(9111, "5.2.2.1")],
        explain: "Keys roll, and in an emergency they roll today. A client or a proxy that was allowed to keep the old set for \
            months refuses every new token, or goes on to trust a key that was stolen. The server decides by Cache-Control: \
            a max-age of minutes to hours keeps the load low and the door to a change open. An answer that says nothing of \
            caching is not held against it.",
        passes: "> GET keys\n\
            < 200 {\"keys\":[]}\n\
            < Cache-Control: public, max-age=3600",
        fails: "> GET keys\n\
            < 200 {\"keys\":[]}\n\
            < Cache-Control: public, max-age=31536000",
        judge: documents_do_not_outlive_a_day,
    },
];

/// The longest time that is taken for sane, in seconds.
const DAY: u64 = 86_400;

/// Members of a JSON Web Key that nobody else may know (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Every fetch of the key set that came back with 200.
pub(in crate::catalog) fn key_sets(t: &Transcript) -> impl Iterator<Item = (&Exchange, &Value)> {
    let plain = |x: &&Exchange| x.request.method == "GET" && x.tweak.is_none() && x.status() == 200;
    t.at(Endpoint::Keys).filter(plain).filter_map(|x| Some((x, x.response()?.json()?)))
}

/// Bits of an RSA modulus.
fn bits(key: &Value) -> Option<usize> {
    let modulus = from_base64url(key.get("n")?.as_str()?)?;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    Some((modulus.len() - start) * 8 - usize::try_from(modulus[start].leading_zeros()).unwrap_or(0))
}

/// What makes a public key the one that it is.
fn material(key: &Value) -> [Option<&str>; 5] {
    ["n", "e", "crv", "x", "y"].map(|name| key.get(name).and_then(Value::as_str))
}

fn published_keys_are_sound(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (x, set) in key_sets(t) {
        let Some(keys) = set.get("keys").and_then(Value::as_array) else {
            j.fail(&[x], "a JSON Web Key Set", "no list of keys");
            continue;
        };
        let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let mut sound = !keys.is_empty();
        for (i, key) in keys.iter().enumerate() {
            let which = match text(key, "kid").as_str() {
                "" => format!("key {}", i + 1),
                kid => format!("the key {kid}"),
            };
            let told: Vec<&str> = PRIVATE.into_iter().filter(|name| key.get(*name).is_some()).collect();
            if !told.is_empty() {
                j.fail(&[x], "public members alone", format!("{which} has {}", told.join(", ")));
                sound = false;
            }
            let signs = text(key, "kty") == "RSA" && text(key, "use") != "enc";
            if let Some(bits) = bits(key).filter(|bits| signs && *bits < 2048) {
                j.fail(&[x], "RSA keys of 2048 bits and more", format!("{which} has {bits} bits"));
                sound = false;
            }
            let same = |other: &&Value| {
                let named = !text(key, "kid").is_empty() && text(key, "kid") == text(other, "kid");
                named && text(key, "kty") == text(other, "kty") && material(key) != material(other)
            };
            if keys[..i].iter().find(same).is_some() {
                j.fail_lesser(
                    &[x],
                    "a kid for each key",
                    format!("two keys are called {}", text(key, "kid")),
                );
                sound = false;
            }
        }
        if sound {
            j.pass();
        }
    }
    j
}

fn documents_do_not_outlive_a_day(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in key_sets(t).map(|(x, _)| x).chain(fetches(t)) {
        let Some(response) = x.response() else { continue };
        let said = response.header_list("cache-control").to_ascii_lowercase();
        let directives: Vec<&str> = said.split(',').map(str::trim).collect();
        let age: Option<u64> =
            directives.iter().find_map(|one| one.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
        match age {
            _ if directives.contains(&"no-store") || directives.contains(&"no-cache") => j.pass(),
            Some(age) if age > DAY => {
                j.fail(&[x], "a max-age of a day at most", format!("Cache-Control: {said}"));
            }
            Some(_) => j.pass(),
            None => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::{find, judge_one};
    use crate::oauth::base64url;
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    fn set(keys: &str) -> (Verdict, Option<Level>) {
        let text = format!("> GET keys\n< 200 {{\"keys\":[{keys}]}}\n");
        let judged = judge_one(find("discovery/published-keys-are-sound").unwrap(), &script::read(&text));
        (judged.verdict, judged.findings.first().map(|finding| finding.level))
    }

    fn rsa(bytes: usize, rest: &str) -> String {
        format!("{{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"{}\"{rest}}}", base64url(vec![0xff; bytes]))
    }

    #[test]
    fn short_keys_fail_where_they_sign() {
        assert_eq!(set(&rsa(256, "")).0, Verdict::Pass);
        assert_eq!(set(&rsa(128, "")), (Verdict::Fail, Some(Level::Must)));
        assert_eq!(set(&rsa(128, ",\"use\":\"enc\"")).0, Verdict::Pass);
    }

    #[test]
    fn one_key_may_stand_under_two_names_but_not_two_under_one() {
        let named = |bytes, kid: &str| rsa(bytes, &format!(",\"kid\":\"{kid}\""));
        assert_eq!(set(&format!("{},{}", named(256, "a"), named(256, "b"))).0, Verdict::Pass);
        assert_eq!(set(&format!("{},{}", named(256, "a"), named(256, "a"))).0, Verdict::Pass);
        let both = set(&format!("{},{}", named(256, "a"), named(512, "a")));
        assert_eq!(both, (Verdict::Fail, Some(Level::Should)));
    }

    #[test]
    fn a_set_without_keys_shows_nothing() {
        assert_eq!(set("").0, Verdict::Skip);
    }
}
