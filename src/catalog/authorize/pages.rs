//! The pages on the way, and how a browser is sent from one to the next.

use scraper::{Html, Selector};

use crate::catalog::Cite::Rfc;
use crate::catalog::{Check, Judgement, Party};
use crate::oauth::Endpoint;
use crate::transcript::questions::same_origin;
use crate::transcript::{Exchange, Response, Transcript};
use crate::verdict::{Basis, Level};

pub(in crate::catalog) const CHECKS: &[Check] = &[
    Check {
        id: "authorize/pages-cannot-be-framed",
        title: "login and approval pages cannot be shown inside of another page",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-38",
        cites: &[Rfc(9700, "4.16"), Rfc(6749, "10.13")],
        explain: "A page that is laid invisibly over a harmless one collects the user's click on Allow. Forbid framing: \
            Content-Security-Policy with frame-ancestors 'none' (or your own hosts), and X-Frame-Options for browsers that \
            do not know it. Where both are there, browsers go by frame-ancestors. A script that breaks out of frames is a \
            last resort: the framing page can switch scripts off.",
        passes: "> GET page\n\
            < 200 <form method=post><input type=password name=pw></form>\n\
            < Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
        fails: "> GET page\n\
            < 200 <form method=post><input type=password name=pw></form>\n\
            < Content-Type: text/html",
        judge: pages_cannot_be_framed,
    },
    Check {
        id: "authorize/pages-keep-their-address",
        title: "login and approval pages do not tell others their address",
        binds: Party::Org,
        level: Level::Should,
        basis: Basis::Normative,
        origin: "AZ-39",
        cites: &[Rfc(9700, "4.2.4")],
        explain: "The address of such a page holds the authorization request, its state for one, or a handle that stands \
            for it. Browsers tell the address to every host whose image, script or style the page loads, unless a referrer \
            policy forbids it. Send Referrer-Policy: no-referrer, never unsafe-url, and load nothing from elsewhere.",
        passes: "> GET page\n\
            < 200 <form method=post><input type=password name=pw></form>\n\
            < Referrer-Policy: no-referrer",
        fails: "> GET page\n\
            < 200 <img src=https://statistics.test/dot.png><form method=post><input type=password name=pw></form>\n\
            < Content-Type: text/html",
        judge: pages_keep_their_address,
    },
    Check {
        id: "authorize/password-is-not-sent-on",
        title: "a password that was posted is answered with 303, and never with 307 or 308",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-40",
        cites: &[Rfc(9700, "4.12")],
        explain: "With 307 or 308 the browser posts the form again to where it is sent, so the password goes along, in the \
            end to the client. With 303 it never does; with 302 most browsers do not, but nothing says that they must not. \
            Answer the login form with 303 See Other, or with a page.",
        passes: "> POST page username=u&pw=secret-word\n\
            < 303\n\
            < Location: /approve",
        fails: "> POST page username=u&pw=secret-word\n\
            < 307\n\
            < Location: /approve",
        judge: password_is_not_sent_on,
    },
    Check {
        id: "authorize/scripts-of-others-cannot-read-it",
        title: "the authorization endpoint lets no script of another site read its answers",
        binds: Party::Org,
        level: Level::Must,
        basis: Basis::Normative,
        origin: "AZ-41",
        cites: &[Rfc(9700, "2.6")],
        explain: "The endpoint is for user agents that are sent there, not for scripts that call it. With \
            Access-Control-Allow-Origin a page elsewhere could ask in the name of a user who is logged in and read the \
            answer with the code. CORS must not be supported here; allow it at the token endpoint and the metadata, where \
            browser apps need it.",
        passes: concat!(
            asks_for!("https://client.example/callback"),
            "> Origin: https://rogue.test\n",
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2"
        ),
        fails: concat!(
            asks_for!("https://client.example/callback"),
            "> Origin: https://rogue.test\n",
            "< 302\n",
            "< Location: https://client.example/callback?code=C2&state=s2\n",
            "< Access-Control-Allow-Origin: https://rogue.test"
        ),
        judge: scripts_of_others_cannot_read_it,
    },
];

/// Pages on which a user acts: what is HTML, came with 200 and has a form.
fn forms(t: &Transcript) -> impl Iterator<Item = (&Exchange, &Response)> {
    t.exchanges.iter().filter_map(|x| {
        let response = x.response().filter(|r| r.status == 200)?;
        let kind = response.header("content-type").unwrap_or("").to_ascii_lowercase();
        let html = kind.contains("html") || kind.is_empty() && response.body.trim_start().starts_with('<');
        let on_the_way = matches!(x.endpoint, Endpoint::Authorize | Endpoint::Page);
        (on_the_way && html && response.body.to_ascii_lowercase().contains("<form")).then_some((x, response))
    })
}

fn pages_cannot_be_framed(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "frame-ancestors in Content-Security-Policy, or X-Frame-Options";
    for (x, response) in forms(t) {
        let policy = response.header_list("content-security-policy").to_ascii_lowercase();
        let ancestors: Vec<&str> = policy
            .split([';', ','])
            .filter_map(|directive| directive.trim().strip_prefix("frame-ancestors"))
            .collect();
        let anybody = |sources: &&str| {
            sources.split_whitespace().any(|source| ["*", "http:", "https:"].contains(&source))
        };
        let options = response.header_list("x-frame-options").to_ascii_lowercase();
        let denied = options.split(',').any(|word| ["deny", "sameorigin"].contains(&word.trim()));
        if !ancestors.is_empty() {
            if ancestors.iter().all(anybody) {
                j.fail(&[x], expected, "frame-ancestors lets anybody frame the page");
            } else {
                j.pass();
            }
        } else if denied {
            j.pass();
        } else if ["top.location", "window.top", "self !== top", "top != self"]
            .iter()
            .any(|script| response.body.contains(script))
        {
            j.unproved(&[x], expected, "neither, but a script that may break out of frames");
        } else {
            j.fail(&[x], expected, "neither of the two");
        }
    }
    j
}

fn pages_keep_their_address(t: &Transcript) -> Judgement {
    const LOUD: &[&str] = &["unsafe-url", "no-referrer-when-downgrade"];
    const QUIET: &[&str] = &[
        "no-referrer",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
    ];
    let mut j = Judgement::new();
    for (x, response) in forms(t) {
        let (meta, foreign) = look_at(&response.body, &x.request.url);
        let header = response.header_list("referrer-policy");
        // Of several words the last that a browser knows holds, and a meta element wins over the header.
        let words = |text: &str| text.split(',').map(|w| w.trim().to_ascii_lowercase()).collect::<Vec<_>>();
        let mut said = words(&header);
        said.extend(meta.iter().flat_map(|text| words(text)));
        let policy =
            said.iter().rev().find(|word| LOUD.contains(&word.as_str()) || QUIET.contains(&word.as_str()));
        match (policy, foreign) {
            (Some(policy), _) if LOUD.contains(&policy.as_str()) => {
                j.fail(&[x], "a referrer policy such as no-referrer", format!("the policy is {policy}"));
            }
            (None, Some(url)) => {
                let observed = format!("no referrer policy, and something is loaded from {url}");
                j.fail(&[x], "nothing from elsewhere, or a referrer policy such as no-referrer", observed);
            }
            _ => j.pass(),
        }
    }
    j
}

/// The referrer policy that a page states itself, and the first thing that it loads from another origin.
fn look_at(html: &str, at: &str) -> (Option<String>, Option<String>) {
    let document = Html::parse_document(html);
    let all = |selector: &str| Selector::parse(selector).ok();
    let meta = all("meta[name=referrer]")
        .and_then(|s| document.select(&s).filter_map(|e| e.value().attr("content")).next_back())
        .map(str::to_owned);
    let loaded = all("script[src], img[src], iframe[src], link[href], embed[src], video[src], audio[src]");
    let foreign = loaded.and_then(|selector| {
        document.select(&selector).find_map(|element| {
            let element = element.value();
            let rel = element.attr("rel").unwrap_or("").to_ascii_lowercase();
            let loads = ["stylesheet", "icon", "preload", "modulepreload", "manifest"];
            if element.name() == "link" && !rel.split_whitespace().any(|word| loads.contains(&word)) {
                return None;
            }
            let url = element.attr("src").or(element.attr("href"))?;
            let url = if url.starts_with("//") { format!("https:{url}") } else { url.to_owned() };
            (url.contains("://") && !url.starts_with("data:") && !same_origin(&url, at))
                .then(|| crate::transcript::questions::origin(&url).to_owned())
        })
    });
    (meta, foreign)
}

fn password_is_not_sent_on(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    let expected = "303, so that the form is not sent again";
    let is_password = |name: &str, value: &str| {
        let name = name.to_ascii_lowercase();
        !value.is_empty() && (name.contains("pass") || ["pw", "pwd"].contains(&name.as_str()))
    };
    for x in t.exchanges.iter().filter(|x| matches!(x.endpoint, Endpoint::Authorize | Endpoint::Page)) {
        if x.request.method != "POST" || !x.request.form().iter().any(|(n, v)| is_password(n, v)) {
            continue;
        }
        match x.status() {
            303 => j.pass(),
            307 | 308 => j.fail(&[x], expected, x.outcome()),
            301 | 302 => j.fail_lesser(&[x], expected, x.outcome()),
            _ => {}
        }
    }
    j
}

fn scripts_of_others_cannot_read_it(t: &Transcript) -> Judgement {
    let mut j = Judgement::new();
    for x in t.at(Endpoint::Authorize) {
        let Some(response) = x.response() else { continue };
        let origin = x.request.header("origin");
        let expected = "no Access-Control-Allow-Origin: nobody calls this endpoint by a script";
        match response.header("access-control-allow-origin") {
            Some(allowed) => {
                j.fail(&[x], expected, format!("Access-Control-Allow-Origin: {allowed}"));
            }
            None if origin.is_some_and(|origin| !same_origin(origin, &x.request.url)) => j.pass(),
            None => {}
        }
    }
    j
}

#[cfg(test)]
mod tests {
    use crate::catalog::testing::comes_to;
    use crate::catalog::{find, judge_one};
    use crate::transcript::script;
    use crate::verdict::{Level, Verdict};

    #[test]
    fn frame_ancestors_win_over_the_older_header() {
        let id = "authorize/pages-cannot-be-framed";
        let page =
            |headers: &str| format!("> GET page\n< 200 <form></form>\n< Content-Type: text/html\n{headers}");
        comes_to(id, &page("< X-Frame-Options: SAMEORIGIN"), Verdict::Pass);
        comes_to(id, &page("< X-Frame-Options: ALLOW-FROM https://a.example"), Verdict::Fail);
        comes_to(
            id,
            &page("< X-Frame-Options: DENY\n< Content-Security-Policy: frame-ancestors *"),
            Verdict::Fail,
        );
        comes_to(
            id,
            &page("< Content-Security-Policy: frame-ancestors 'self' https://a.example"),
            Verdict::Pass,
        );
        let busting = "> GET page\n< 200 <form></form><script>if (self !== top) {}</script>\n< Content-Type: text/html\n";
        comes_to(id, busting, Verdict::Inconclusive);
        comes_to(id, "> GET page\n< 400 <form></form>\n", Verdict::Skip);
        comes_to(id, "> GET page\n< 200 <p>done</p>\n", Verdict::Skip);
    }

    #[test]
    fn a_page_may_load_from_elsewhere_where_a_policy_keeps_its_address() {
        let id = "authorize/pages-keep-their-address";
        let fails = find(id).unwrap().fails;
        comes_to(id, &format!("{fails}\n< Referrer-Policy: unsafe-url, strict-origin"), Verdict::Pass);
        comes_to(id, &format!("{fails}\n< Referrer-Policy: unsafe-url"), Verdict::Fail);
        comes_to(id, &fails.replace("<img", "<meta name=referrer content=no-referrer><img"), Verdict::Pass);
        comes_to(id, &fails.replace("https://statistics.test", "https://org.example"), Verdict::Pass);
        comes_to(id, &fails.replace("https://statistics.test", ""), Verdict::Pass);
    }

    #[test]
    fn a_302_after_a_password_weighs_less_than_a_307() {
        let check = find("authorize/password-is-not-sent-on").unwrap();
        let judged = judge_one(check, &script::read(&check.fails.replace("307", "302")));
        assert_eq!((judged.verdict, judged.findings[0].level), (Verdict::Fail, Level::Should));
        comes_to(check.id, &check.fails.replace("&pw=secret-word", ""), Verdict::Skip);
        comes_to(check.id, &check.fails.replace("< 307", "< 200 wrong password"), Verdict::Skip);
    }

    #[test]
    fn an_answer_for_everybody_fails_without_being_asked() {
        let id = "authorize/scripts-of-others-cannot-read-it";
        let fails = find(id).unwrap().fails.replace("> Origin: https://rogue.test\n", "");
        comes_to(id, &fails.replace("Origin: https://rogue.test", "Origin: *"), Verdict::Fail);
        let silent = &fails[..fails.find("< Access").unwrap()];
        comes_to(id, silent, Verdict::Skip);
    }
}
