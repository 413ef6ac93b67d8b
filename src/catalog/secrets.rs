//! Secrets that leave a client program where nobody looks for them: in what it prints, and in the address that it says it
//! comes from.

use super::Cite::Rfc;
use super::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::{ARGUMENTS, Exchange, TEMPORARY, Trace, Transcript};
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
        id: "secrets/arguments-hold-none",
        title: "no process of a program is started with a token, code, secret or assertion in its arguments",
        binds: Party::Client,
        level: Level::Must,
        basis: Basis::Derived,
        origin: "CLL-04",
        cites: &[Rfc(6749, "10.3")],
        explain: "The arguments of a process are no secret: every account of the machine lists them, monitoring collects them, and \
            shells keep them in their history. It happens where a program hands its work to another one: curl with a header, \
            openssl with a password, a worker with its token. Hand secrets over by a pipe, by a file that only the owner may read, \
            or in the environment. The processes of the program's group are looked at while it runs; one that ends at once may not \
            be seen.",
        passes: "= arguments\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        fails: "= arguments access_token\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        judge: arguments_hold_none,
    },
    Check {
        id: "secrets/stored-tokens-are-private",
        title: "a file in which a program keeps tokens is for its owner alone",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "CLL-06",
        cites: &[Rfc(6749, "10.4"), Rfc(6749, "10.3")],
        explain: "A refresh token in a file is a login that waits for whoever reads it. Files are made readable for everybody unless \
            the program says otherwise, so every account of the machine, every backup and every container that mounts the folder \
            has it. Create the file with mode 0600 (not chmod afterwards: it stands open in between), in a folder with 0700, or \
            encrypt what stands in it. Files of the store and of the working folder are looked at, and every secret of the play \
            is searched in them in each usual encoding.",
        passes: "= file store 600 access_token refresh_token\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        fails: "= file store 644 access_token refresh_token\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        judge: stored_tokens_are_private,
    },
    Check {
        id: "secrets/temporary-files-hold-none",
        title: "a program leaves no token, code, secret or assertion in the folder for temporary files",
        binds: Party::Client,
        level: Level::Should,
        basis: Basis::Derived,
        origin: "CLL-07",
        cites: &[Rfc(6749, "10.3"), Rfc(6749, "10.4")],
        explain: "What lies in the folder for temporary files outlives the program and often the machine's user: it is shared, it is \
            swept up into images and bug reports, and nobody remembers that it is there. Request bodies that were too large for \
            memory, downloads with their headers, debug dumps and sockets are what is found. Keep secrets in memory, delete what \
            must be a file before the program ends, and store what has to last in the place that is meant for it.",
        passes: "= file temporary 600\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        fails: "= file temporary 600 access_token\n> GET api\n> Authorization: Bearer A1\n< 200\n",
        judge: temporary_files_hold_none,
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

/// How the place of what a program printed is told.
const STREAM: &str = "standard ";

fn output_holds_none(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    // Silence is no proof of discretion; that something was printed is.
    let traces = t.staged.values().flat_map(|staged| &staged.traces);
    for trace in traces.filter(|trace| trace.bytes > 0 && trace.place.starts_with(STREAM)) {
        if trace.holds.is_empty() {
            j.pass();
        } else {
            j.fail(&first(t), "no secret", format!("{} in its {}", trace.holds.join(", "), trace.place));
        }
    }
    j
}

/// Of what a program left beside its requests the first of these is the evidence.
fn first(t: &Transcript) -> Vec<&Exchange> {
    t.exchanges.first().into_iter().collect()
}

/// Files that a program left, of the folder for temporary ones or of all others.
fn files(t: &Transcript, temporary: bool) -> impl Iterator<Item = (&Trace, u32)> {
    let traces = t.staged.values().flat_map(|staged| &staged.traces);
    let files = traces.filter_map(|trace| Some((trace, trace.mode?)));
    files.filter(move |(trace, _)| trace.place.starts_with(TEMPORARY) == temporary)
}

fn arguments_hold_none(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let traces = t.staged.values().flat_map(|staged| &staged.traces);
    for trace in traces.filter(|trace| trace.place == ARGUMENTS) {
        if trace.holds.is_empty() {
            j.pass();
        } else {
            j.fail(&first(t), "no secret", format!("{} in the {}", trace.holds.join(", "), trace.place));
        }
    }
    j
}

fn stored_tokens_are_private(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (file, mode) in files(t, false).filter(|(file, _)| !file.holds.is_empty()) {
        if mode & 0o077 == 0 {
            j.pass();
        } else {
            let observed =
                format!("the {} holds {} and has mode {mode:03o}", file.place, file.holds.join(", "));
            j.fail(&first(t), "a file that nobody else may read or write: mode 600", observed);
        }
    }
    j
}

fn temporary_files_hold_none(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for (file, _) in files(t, true) {
        if file.holds.is_empty() {
            j.pass();
        } else {
            let observed = format!("the {} holds {}", file.place, file.holds.join(", "));
            j.fail(&first(t), "no secret in a temporary file", observed);
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
