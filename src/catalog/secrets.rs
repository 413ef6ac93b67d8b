//! Secrets that leave a client program where nobody looks for them: in what it prints, and in the address that it says it
//! comes from.

use super::Cite::Rfc;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{Exchange, Transcript};
use crate::verdict::{Basis, Level};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "secrets/output-holds-none",
        title: "a program prints no token, code, secret, verifier, assertion or password",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLL-01",
        cites: &[Rfc(6749, "10.3")],
        explain: "What a program writes to standard output or error ends in a terminal, in the log of a service, and in the log of \
            a build that half a company can read; an access token is good until it ends, a refresh token for months. Each \
            secret of a play is unique and is looked for in every usual encoding. The usual causes are a request or an answer \
            that is logged whole, an exception that carries its request, and a callback URL that is printed with its code. Print \
            the error and a few characters of a hash, and give tokens a type of their own that prints as stars.",
        passes: "= printed 120\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        fails: "= printed 120 access_token\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        judge: output_holds_none,
    },
    Check {
        id: "secrets/referer-holds-none",
        title: "the Referer of a request holds no code and no token",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLL-05",
        cites: &[Rfc(9700, "4.2"), Rfc(6750, "2.3")],
        explain: "The Referer header tells a server which page led to it. Where that was the callback, it tells the code, and a server \
            that has nothing to do with the login learns it before it is redeemed or finds it in its logs. Answer the callback \
            with a redirect to an address without the code, send Referrer-Policy: no-referrer with every page of a login, and do \
            not set the header by hand.",
        passes: "> GET callback code=C123456789&state=s\n< 200\n> POST token grant_type=authorization_code&code=C123456789&client_id=main\n\
                 > Referer: https://client.example/\n< 200 {\"access_token\":\"A1\"}\n",
        fails: "> GET callback code=C123456789&state=s\n< 200\n> GET api\n\
                > Referer: https://client.example/callback?code=C123456789&state=s\n< 200\n",
        judge: referer_holds_none,
    },
];

fn output_holds_none(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // Silence is no proof of discretion; that something was printed is.
    for trace in t.staged.values().flat_map(|staged| &staged.traces).filter(|trace| trace.bytes > 0) {
        if trace.holds.is_empty() {
            j.pass();
        } else {
            let shown: Vec<&Exchange> = t.exchanges.first().into_iter().collect();
            j.fail(&shown, "no secret", format!("{} in its {}", trace.holds.join(", "), trace.place));
        }
    }
    j
}

fn referer_holds_none(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // The first characters of a code or token are enough to know it by, in a recording as well.
    let mut secrets: Vec<&str> = Vec::new();
    for x in &t.exchanges {
        let told = ["code", "refresh_token", "access_token"].into_iter().filter_map(|name| x.param(name));
        let given = ["access_token", "refresh_token"].into_iter().filter_map(|name| x.text(name));
        secrets.extend(told.chain(given).filter(|secret| secret.len() > 8));
    }
    for x in t.exchanges.iter().filter(|x| x.action != "browser") {
        let Some(referer) = x.request.header("referer") else {
            // There was an address to tell, and it was not told.
            if t.before(x).any(|y| y.endpoint == Endpoint::Callback && y.param("code").is_some()) {
                j.pass();
            }
            continue;
        };
        let plain = crate::oauth::Params::read_lossy(&format!("v={referer}"));
        let plain = plain.get("v").unwrap_or(referer);
        if secrets.iter().any(|secret| referer.contains(secret) || plain.contains(secret)) {
            j.fail(&[x], "an address without secrets, or none", "a code or a token stands in it");
        } else {
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
    fn nothing_printed_is_no_proof() {
        comes_to("secrets/output-holds-none", "= printed 0\n> GET api\n< 200\n", Verdict::Skip);
        comes_to("secrets/output-holds-none", "> GET api\n< 200\n", Verdict::Skip);
    }

    #[test]
    fn what_the_users_browser_says_is_not_the_programs() {
        let text = "> GET page code=C123456789\n< 200\n! action browser\n> GET page\n\
            > Referer: https://client.example/callback?code=C123456789\n! action browser\n< 200\n";
        comes_to("secrets/referer-holds-none", text, Verdict::Skip);
    }
}
