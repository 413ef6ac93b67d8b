//! Apps out of metadata on the embedded org: each setting that decides, seen to decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{complaints, embedded, options, outcome, read, suite_of};
use grantcheck::diagnostic::Text;
use grantcheck::metadata::registration::{Effect, KINDS, effect};
use grantcheck::metadata::{Joined, Keys, Kind, Project, join, registration};
use grantcheck::oauth::keys::{Certificate, PrivateKey};
use grantcheck::report::Word;
use grantcheck::subject::Target;

/// Elements by type and path; a text with `|` stands for several of the same name.
pub type Elements = BTreeMap<(Kind, &'static str), String>;

use Kind::{ConnectedApp, GlobalOauthSettings, OauthPolicies, OauthSettings, Policies};

/// The base of a connected app, and of an external client app: what every pair has but for its own element.
pub fn base(kind: Kind) -> Elements {
    let certificate = Certificate::read(&read("suites/targets/keys/main.crt")).unwrap().base64();
    let rows: Vec<(Kind, &'static str, &str)> = if kind == ConnectedApp {
        vec![
            (ConnectedApp, "oauthConfig/callbackUrl", "https://client.example/callback"),
            (ConnectedApp, "oauthConfig/certificate", &certificate),
            (ConnectedApp, "oauthConfig/scopes", "Api|Basic|RefreshToken"),
            (ConnectedApp, "oauthConfig/isClientCredentialEnabled", "true"),
            (ConnectedApp, "oauthConfig/oauthClientCredentialUser", "integration@grantcheck.example"),
            (ConnectedApp, "oauthPolicy/ipRelaxation", "BYPASS"),
            (ConnectedApp, "oauthPolicy/refreshTokenPolicy", "infinite"),
        ]
    } else {
        vec![
            (GlobalOauthSettings, "callbackUrl", "https://client.example/callback"),
            (GlobalOauthSettings, "certificate", &certificate),
            (OauthSettings, "commaSeparatedOauthScopes", "Api, Basic, RefreshToken"),
            (GlobalOauthSettings, "isClientCredentialsFlowEnabled", "true"),
            (OauthPolicies, "isClientCredentialsFlowEnabled", "true"),
            (OauthPolicies, "clientCredentialsFlowUser", "integration@grantcheck.example"),
            (OauthPolicies, "ipRelaxationPolicyType", "Bypass"),
            (OauthPolicies, "refreshTokenPolicyType", "Infinite"),
        ]
    };
    rows.into_iter().map(|(kind, path, value)| ((kind, path), value.to_owned())).collect()
}

/// The files of an app.
pub fn files(elements: &Elements) -> Project {
    let mut project = Project::default();
    let connected = elements.keys().any(|(kind, _)| *kind == ConnectedApp);
    let kinds: &[Kind] = if connected { &[ConnectedApp] } else { &KINDS[1..] };
    for kind in kinds {
        let (mut inner, mut groups) = (String::new(), BTreeMap::<&str, String>::new());
        if !connected && *kind != Kind::ExternalClientApplication {
            inner.push_str("<externalClientApplication>Main</externalClientApplication>");
        }
        for ((_, path), value) in elements.iter().filter(|((own, _), value)| own == kind && !value.is_empty())
        {
            for value in value.split('|') {
                match path.split_once('/') {
                    Some((group, name)) => {
                        groups.entry(group).or_default().push_str(&format!("<{name}>{value}</{name}>"));
                    }
                    None => inner.push_str(&format!("<{path}>{value}</{path}>")),
                }
            }
        }
        for (group, content) in groups {
            inner.push_str(&format!("<{group}>{content}</{group}>"));
        }
        let source = format!("<{0}>{inner}</{0}>", kind.name());
        assert!(project.add(&Text::new(format!("Main.{}", kind.suffix()), source)));
    }
    assert!(project.problems.is_empty(), "{:?}", project.problems);
    project
}

/// The embedded org with an app; its key is at hand whether or not the org has its certificate.
fn org(elements: &Elements) -> Joined {
    let project = files(elements);
    let registrations = project.apps().iter().filter_map(registration).collect();
    let mut joined = join(registrations, None, &embedded(), Keys::Kept);
    let key = PrivateKey::from_pem(&read("suites/targets/keys/main.key")).unwrap();
    joined.target.apps.get_mut("main").unwrap().key = Some(key);
    joined
}

/// Whether a scenario of these lines passes, and what is complained of.
fn passes(target: &Target, scenario: &str) -> Result<(), String> {
    let source = format!("suite: pair\njudges: org\nscenarios:\n  - scenario: it\n{scenario}");
    let report = outcome(&options(target.clone(), vec![suite_of("pair.yaml", &source)])).report;
    let row = &report.scenarios[0];
    match row.verdict {
        Word::Pass | Word::KnownDeviation | Word::Note => Ok(()),
        verdict => Err(format!("{} {:?}\n{}", verdict.word(), row.reason, complaints(&report))),
    }
}

/// Two apps that differ in one setting, and what each of them makes of the same steps.
struct Pair {
    what: &'static str,
    /// Where the setting stands, with both values; an empty one is left out.
    connected: &'static [(Kind, &'static str, &'static str, &'static str)],
    external: &'static [(Kind, &'static str, &'static str, &'static str)],
    /// What both have besides.
    also: &'static [(Kind, &'static str, &'static str)],
    /// The scenario with each value.
    plays: (&'static str, &'static str),
}

const REDEEM: &str = "    steps:\n      - do: authorize\n      - do: redeem\n";

const PAIRS: &[Pair] = &[
    Pair {
        what: "callbacks",
        connected: &[(
            ConnectedApp,
            "oauthConfig/callbackUrl",
            "https://client.example/callback\nhttps://b.example/cb",
            "https://client.example/callback",
        )],
        external: &[(
            GlobalOauthSettings,
            "callbackUrl",
            "https://client.example/callback\nhttps://b.example/cb",
            "https://client.example/callback",
        )],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n        with: { redirect_uri: https://b.example/cb }\n        expect: { redirect: { to: https://b.example/cb, code: present } }\n",
            "    steps:\n      - do: authorize\n        with: { redirect_uri: https://b.example/cb }\n        expect: { refused: redirect-uri-mismatch }\n",
        ),
    },
    Pair {
        what: "a scope",
        connected: &[(
            ConnectedApp,
            "oauthConfig/scopes",
            "Api|Basic|RefreshToken|OpenID",
            "Api|Basic|RefreshToken",
        )],
        external: &[(
            OauthSettings,
            "commaSeparatedOauthScopes",
            "Api, Basic, RefreshToken, OpenID",
            "Api, Basic, RefreshToken",
        )],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n        with: { scope: openid api }\n      - do: redeem\n        expect: { body: { id_token: present } }\n",
            "    steps:\n      - do: authorize\n        with: { scope: openid api }\n        expect: { refused: invalid-scope }\n",
        ),
    },
    Pair {
        what: "a custom scope",
        connected: &[],
        external: &[(OauthSettings, "commaSeparatedCustomScopes", "acme_orders", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n        with: { scope: acme_orders }\n        expect: { redirect: { code: present } }\n",
            "    steps:\n      - do: authorize\n        with: { scope: acme_orders }\n        expect: { refused: invalid-scope }\n",
        ),
    },
    Pair {
        what: "the certificate",
        connected: &[(ConnectedApp, "oauthConfig/certificate", "CERTIFICATE", "")],
        external: &[(GlobalOauthSettings, "certificate", "CERTIFICATE", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: jwt-bearer\n      - do: saml-bearer\n",
            "    needs: [{ unlisted: jwt-bearer }]\n    steps:\n      - do: client-credentials\n        step: another\n      - do: jwt-bearer\n        expect: { refused: flow-not-enabled }\n        control: another\n",
        ),
    },
    Pair {
        what: "the consumer key",
        connected: &[(ConnectedApp, "oauthConfig/consumerKey", "3MVG9mine", "")],
        external: &[(GlobalOauthSettings, "consumerKey", "3MVG9mine", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: client-credentials\n        with: { client_id: 3MVG9mine }\n",
            "    steps:\n      - do: client-credentials\n        with: { client_id: 3MVG9mine }\n        expect: { refused: unknown-client }\n",
        ),
    },
    Pair {
        what: "the consumer secret",
        connected: &[(ConnectedApp, "oauthConfig/consumerSecret", "mine-0123456789", "")],
        external: &[(GlobalOauthSettings, "consumerSecret", "mine-0123456789", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: client-credentials\n        with: { client_secret: mine-0123456789 }\n",
            "    steps:\n      - do: client-credentials\n        with: { client_secret: mine-0123456789 }\n        expect: { refused: client-authentication-failed }\n",
        ),
    },
    Pair {
        what: "PKCE",
        connected: &[(ConnectedApp, "oauthConfig/isPkceRequired", "true", "false")],
        external: &[(GlobalOauthSettings, "isPkceRequired", "", "false")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n        without: [code_challenge, code_challenge_method]\n        expect: { refused: challenge-missing }\n",
            "    steps:\n      - do: authorize\n        without: [code_challenge, code_challenge_method]\n        expect: { redirect: { code: present } }\n",
        ),
    },
    Pair {
        what: "the secret at the redemption",
        connected: &[(ConnectedApp, "oauthConfig/isConsumerSecretOptional", "false", "true")],
        external: &[(GlobalOauthSettings, "isConsumerSecretOptional", "", "true")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n        without: client_secret\n        expect: { refused: client-authentication-failed }\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n        without: client_secret\n",
        ),
    },
    Pair {
        what: "the secret at the refresh",
        connected: &[(ConnectedApp, "oauthConfig/isSecretRequiredForRefreshToken", "true", "false")],
        external: &[(GlobalOauthSettings, "isSecretRequiredForRefreshToken", "", "false")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        without: client_secret\n        expect: { refused: client-authentication-failed }\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        without: client_secret\n",
        ),
    },
    Pair {
        what: "permitted users",
        connected: &[(ConnectedApp, "oauthConfig/isAdminApproved", "true", "false")],
        external: &[(
            OauthPolicies,
            "permittedUsersPolicyType",
            "AdminApprovedPreAuthorized",
            "AllSelfAuthorized",
        )],
        also: &[
            (ConnectedApp, "permissionSetName", "Integrations"),
            (OauthPolicies, "commaSeparatedPermissionSet", "Integrations"),
        ],
        plays: (
            "    user: unapproved\n    steps:\n      - do: authorize\n        expect: { refused: user-not-admitted }\n        control: { user: main }\n",
            "    user: unapproved\n    steps:\n      - do: authorize\n",
        ),
    },
    Pair {
        what: "permission sets",
        connected: &[(ConnectedApp, "permissionSetName", "Integrations", "")],
        external: &[(OauthPolicies, "commaSeparatedPermissionSet", "Integrations", "")],
        also: &[
            (ConnectedApp, "oauthConfig/isAdminApproved", "true"),
            (OauthPolicies, "permittedUsersPolicyType", "AdminApprovedPreAuthorized"),
        ],
        plays: (
            "    steps:\n      - do: authorize\n",
            "    steps:\n      - do: authorize\n        expect: { refused: user-not-admitted }\n        control: { app: other }\n",
        ),
    },
    Pair {
        what: "profiles",
        connected: &[(ConnectedApp, "profileName", "Admin", "")],
        external: &[(OauthPolicies, "commaSeparatedProfile", "Admin", "")],
        also: &[
            (ConnectedApp, "oauthConfig/isAdminApproved", "true"),
            (OauthPolicies, "permittedUsersPolicyType", "AdminApprovedPreAuthorized"),
        ],
        plays: (
            "    steps:\n      - do: authorize\n",
            "    steps:\n      - do: authorize\n        expect: { refused: user-not-admitted }\n        control: { app: other }\n",
        ),
    },
    Pair {
        what: "client credentials",
        connected: &[(ConnectedApp, "oauthConfig/isClientCredentialEnabled", "true", "false")],
        external: &[(GlobalOauthSettings, "isClientCredentialsFlowEnabled", "true", "false")],
        also: &[],
        plays: (
            "    steps:\n      - do: client-credentials\n",
            "    needs: [{ unlisted: client-credentials }]\n    steps:\n      - do: jwt-bearer\n        step: another\n      - do: client-credentials\n        expect: { refused: flow-not-enabled }\n        control: another\n",
        ),
    },
    Pair {
        what: "client credentials in the policies",
        connected: &[],
        external: &[(OauthPolicies, "isClientCredentialsFlowEnabled", "true", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: client-credentials\n",
            "    needs: [{ unlisted: client-credentials }]\n    steps:\n      - do: jwt-bearer\n        step: another\n      - do: client-credentials\n        expect: { refused: flow-not-enabled }\n        control: another\n",
        ),
    },
    Pair {
        what: "the run-as user",
        connected: &[(
            ConnectedApp,
            "oauthConfig/oauthClientCredentialUser",
            "second@grantcheck.example",
            "",
        )],
        external: &[(OauthPolicies, "clientCredentialsFlowUser", "second@grantcheck.example", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: client-credentials\n      - do: identity\n        expect: { body: { username: second@grantcheck.example } }\n",
            "    steps:\n      - do: jwt-bearer\n        step: another\n      - do: client-credentials\n        expect: { refused: no-run-as-user }\n        control: another\n",
        ),
    },
    Pair {
        what: "introspection of all tokens",
        connected: &[(ConnectedApp, "oauthConfig/isIntrospectAllTokens", "true", "false")],
        external: &[(GlobalOauthSettings, "isIntrospectAllTokens", "true", "")],
        also: &[],
        plays: (
            "    app: other\n    steps:\n      - do: authorize\n      - do: redeem\n      - do: introspect\n        app: main\n        expect: { body: { active: true } }\n",
            "    app: other\n    steps:\n      - do: authorize\n      - do: redeem\n      - do: introspect\n        step: own\n      - do: introspect\n        app: main\n        expect: { refused: token-inactive }\n        control: own\n",
        ),
    },
    Pair {
        what: "JWT access tokens",
        connected: &[(ConnectedApp, "oauthConfig/isNamedUserJwtEnabled", "true", "false")],
        external: &[(GlobalOauthSettings, "isNamedUserJwtEnabled", "true", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n        expect: { body: { access_token: { matches: ^eyJ } } }\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n        expect: { body: { access_token: { matches: ^00D } } }\n",
        ),
    },
    Pair {
        what: "JWT access tokens, as older files have it",
        connected: &[],
        external: &[(OauthPolicies, "isNamedUserJwtEnabled", "true", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n        expect: { body: { access_token: { matches: ^eyJ } } }\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n        expect: { body: { access_token: { matches: ^00D } } }\n",
        ),
    },
    Pair {
        what: "rotation",
        connected: &[(ConnectedApp, "oauthConfig/isRefreshTokenRotationEnabled", "true", "false")],
        external: &[(GlobalOauthSettings, "isRefreshTokenRotationEnabled", "true", "")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        expect: { body: { refresh_token: present } }\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        expect: { body: { refresh_token: absent } }\n",
        ),
    },
    Pair {
        what: "IP relaxation",
        connected: &[(ConnectedApp, "oauthPolicy/ipRelaxation", "BYPASS", "ENFORCE")],
        external: &[(OauthPolicies, "ipRelaxationPolicyType", "Bypass", "Enforce")],
        also: &[],
        plays: (
            "    user: restricted\n    steps:\n      - do: jwt-bearer\n",
            "    user: restricted\n    steps:\n      - do: jwt-bearer\n        expect: { refused: ip-restricted }\n        control: { user: main }\n",
        ),
    },
    Pair {
        what: "the refresh token policy",
        connected: &[(ConnectedApp, "oauthPolicy/refreshTokenPolicy", "infinite", "zero")],
        external: &[(OauthPolicies, "refreshTokenPolicyType", "Infinite", "Zero")],
        also: &[],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n        step: before\n      - do: advance\n        by: 3h\n      - do: refresh\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n        step: before\n      - do: advance\n        by: 3h\n      - do: refresh\n        expect: { refused: refresh-token-invalid }\n        control: before\n",
        ),
    },
    Pair {
        what: "from when a refresh token is counted",
        connected: &[(
            ConnectedApp,
            "oauthPolicy/refreshTokenPolicy",
            "specific_inactivity:2:HOURS",
            "specific_lifetime:2:HOURS",
        )],
        external: &[(OauthPolicies, "refreshTokenPolicyType", "SpecificInactivity", "SpecificLifetime")],
        also: &[
            (OauthPolicies, "refreshTokenValidityPeriod", "2"),
            (OauthPolicies, "refreshTokenValidityUnit", "Hours"),
        ],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: advance\n        by: 90m\n      - do: refresh\n        step: in time\n      - do: advance\n        by: 90m\n      - do: refresh\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: advance\n        by: 90m\n      - do: refresh\n        step: in time\n      - do: advance\n        by: 90m\n      - do: refresh\n        expect: { refused: refresh-token-invalid }\n        control: in time\n",
        ),
    },
    Pair {
        what: "how long a refresh token is good",
        connected: &[(
            ConnectedApp,
            "oauthPolicy/refreshTokenPolicy",
            "specific_lifetime:3:DAYS",
            "specific_lifetime:2:DAYS",
        )],
        external: &[(OauthPolicies, "refreshTokenValidityPeriod", "3", "2")],
        also: &[
            (OauthPolicies, "refreshTokenPolicyType", "SpecificLifetime"),
            (OauthPolicies, "refreshTokenValidityUnit", "Days"),
        ],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        step: in time\n      - do: advance\n        by: 60h\n      - do: refresh\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        step: in time\n      - do: advance\n        by: 60h\n      - do: refresh\n        expect: { refused: refresh-token-invalid }\n        control: in time\n",
        ),
    },
    Pair {
        what: "the unit of that",
        connected: &[],
        external: &[(OauthPolicies, "refreshTokenValidityUnit", "Days", "Hours")],
        also: &[
            (OauthPolicies, "refreshTokenPolicyType", "SpecificLifetime"),
            (OauthPolicies, "refreshTokenValidityPeriod", "3"),
        ],
        plays: (
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        step: in time\n      - do: advance\n        by: 60h\n      - do: refresh\n",
            "    steps:\n      - do: authorize\n      - do: redeem\n      - do: refresh\n        step: in time\n      - do: advance\n        by: 60h\n      - do: refresh\n        expect: { refused: refresh-token-invalid }\n        control: in time\n",
        ),
    },
    Pair {
        what: "the session timeout",
        connected: &[(ConnectedApp, "sessionPolicy/sessionTimeout", "120", "15")],
        external: &[(OauthPolicies, "sessionTimeoutInMinutes", "120", "15")],
        also: &[],
        plays: (
            "    steps:\n      - do: jwt-bearer\n      - do: call\n        step: in time\n      - do: advance\n        by: 20m\n      - do: call\n",
            "    steps:\n      - do: jwt-bearer\n      - do: call\n        step: in time\n      - do: advance\n        by: 20m\n      - do: call\n        expect: { refused: access-token-invalid }\n        control: in time\n",
        ),
    },
    Pair {
        what: "the app's own switch",
        connected: &[],
        external: &[(Policies, "isEnabled", "true", "false")],
        also: &[],
        plays: (
            REDEEM,
            "    steps:\n      - do: jwt-bearer\n        expect: { refused: flow-not-enabled }\n        control: { app: other }\n",
        ),
    },
    Pair {
        what: "the switch of its OAuth plugin",
        connected: &[],
        external: &[(Policies, "isOauthPluginEnabled", "true", "false")],
        also: &[],
        plays: (
            REDEEM,
            "    steps:\n      - do: jwt-bearer\n        expect: { refused: flow-not-enabled }\n        control: { app: other }\n",
        ),
    },
];

/// Both apps of a pair, in one of the forms; none where that form does not have the setting.
fn both(pair: &Pair, kind: Kind) -> Option<(Joined, Joined)> {
    let rows = if kind == ConnectedApp { pair.connected } else { pair.external };
    if rows.is_empty() {
        return None;
    }
    let mut app = base(kind);
    let certificate = Certificate::read(&read("suites/targets/keys/main.crt")).unwrap().base64();
    for (own, path, value) in
        pair.also.iter().filter(|(own, ..)| (*own == ConnectedApp) == (kind == ConnectedApp))
    {
        app.insert((*own, path), (*value).to_owned());
    }
    let (mut first, mut second) = (app.clone(), app);
    for (own, path, one, other) in rows {
        first.insert((*own, path), one.replace("CERTIFICATE", &certificate));
        second.insert((*own, path), (*other).to_owned());
    }
    Some((org(&first), org(&second)))
}

#[test]
fn each_setting_that_decides_is_seen_to_decide() {
    let mut wrong = Vec::new();
    for pair in PAIRS {
        for kind in [ConnectedApp, GlobalOauthSettings] {
            let Some((first, second)) = both(pair, kind) else { continue };
            let at = format!("{} ({})", pair.what, kind.name());
            for (target, play, which) in [(&first, pair.plays.0, "first"), (&second, pair.plays.1, "second")]
            {
                if let Err(why) = passes(&target.target, play) {
                    wrong.push(format!("{at}: the {which} app does not play its part: {why}"));
                }
            }
            if passes(&second.target, pair.plays.0).is_ok() || passes(&first.target, pair.plays.1).is_ok() {
                wrong.push(format!("{at}: the apps answer alike"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_element_that_decides_has_a_pair() {
    let rows = PAIRS.iter().flat_map(|pair| pair.connected.iter().chain(pair.external));
    let seen: BTreeSet<(Kind, &str)> = rows.map(|(kind, path, ..)| (*kind, *path)).collect();
    for kind in KINDS {
        for field in kind.fields().iter().filter(|field| effect(kind, field.path) == Some(Effect::Decides)) {
            let group = matches!(field.shape, grantcheck::metadata::kinds::Shape::Group);
            assert!(group || seen.contains(&(kind, field.path)), "{} {}", kind.name(), field.path);
        }
    }
}
