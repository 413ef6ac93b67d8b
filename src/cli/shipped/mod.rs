//! The suites and the embedded target that travel inside the binary.

#[rustfmt::skip]
mod apps;

/// Path and content of every shipped suite, target and program, as `suites --export` writes them.
pub(super) const FILES: &[(&str, &str)] = &[
    ("targets/embedded.yaml", include_str!("../../../suites/targets/embedded.yaml")),
    ("targets/keys/main.key", include_str!("../../../suites/targets/keys/main.key")),
    ("targets/keys/main.crt", include_str!("../../../suites/targets/keys/main.crt")),
    ("targets/keys/other.key", include_str!("../../../suites/targets/keys/other.key")),
    ("targets/keys/other.crt", include_str!("../../../suites/targets/keys/other.crt")),
    ("targets/keys/assertion.key", include_str!("../../../suites/targets/keys/assertion.key")),
    ("targets/keys/assertion.crt", include_str!("../../../suites/targets/keys/assertion.crt")),
    ("org/authorize-requests.yaml", include_str!("../../../suites/org/authorize-requests.yaml")),
    ("org/authorize.yaml", include_str!("../../../suites/org/authorize.yaml")),
    ("org/client-assertion.yaml", include_str!("../../../suites/org/client-assertion.yaml")),
    ("org/client-auth.yaml", include_str!("../../../suites/org/client-auth.yaml")),
    ("org/client-credentials.yaml", include_str!("../../../suites/org/client-credentials.yaml")),
    ("org/discovery.yaml", include_str!("../../../suites/org/discovery.yaml")),
    ("org/flows.yaml", include_str!("../../../suites/org/flows.yaml")),
    ("org/introspection.yaml", include_str!("../../../suites/org/introspection.yaml")),
    ("org/jwt-bearer.yaml", include_str!("../../../suites/org/jwt-bearer.yaml")),
    ("org/openid.yaml", include_str!("../../../suites/org/openid.yaml")),
    ("org/pkce.yaml", include_str!("../../../suites/org/pkce.yaml")),
    ("org/refresh.yaml", include_str!("../../../suites/org/refresh.yaml")),
    ("org/resource.yaml", include_str!("../../../suites/org/resource.yaml")),
    ("org/revocation.yaml", include_str!("../../../suites/org/revocation.yaml")),
    ("org/salesforce.yaml", include_str!("../../../suites/org/salesforce.yaml")),
    ("org/saml-bearer.yaml", include_str!("../../../suites/org/saml-bearer.yaml")),
    ("org/token.yaml", include_str!("../../../suites/org/token.yaml")),
    ("org/transport.yaml", include_str!("../../../suites/org/transport.yaml")),
    ("org/userinfo.yaml", include_str!("../../../suites/org/userinfo.yaml")),
    ("org/web-server.yaml", include_str!("../../../suites/org/web-server.yaml")),
    ("client/assertions.yaml", include_str!("../../../suites/client/assertions.yaml")),
    ("client/authentication.yaml", include_str!("../../../suites/client/authentication.yaml")),
    ("client/id-token.yaml", include_str!("../../../suites/client/id-token.yaml")),
    ("client/logging-out.yaml", include_str!("../../../suites/client/logging-out.yaml")),
    ("client/login.yaml", include_str!("../../../suites/client/login.yaml")),
    ("client/resource.yaml", include_str!("../../../suites/client/resource.yaml")),
    ("client/salesforce.yaml", include_str!("../../../suites/client/salesforce.yaml")),
    ("client/server-to-server.yaml", include_str!("../../../suites/client/server-to-server.yaml")),
    ("client/tokens.yaml", include_str!("../../../suites/client/tokens.yaml")),
    ("client/pkce.yaml", include_str!("../../../suites/client/pkce.yaml")),
    ("client/renewal.yaml", include_str!("../../../suites/client/renewal.yaml")),
    ("client/robustness.yaml", include_str!("../../../suites/client/robustness.yaml")),
    ("client/secrets.yaml", include_str!("../../../suites/client/secrets.yaml")),
    ("named-credential/call-outs.yaml", include_str!("../../../suites/named-credential/call-outs.yaml")),
    ("named-credential/server.yaml", include_str!("../../../suites/named-credential/server.yaml")),
    (
        "named-credential/token-requests.yaml",
        include_str!("../../../suites/named-credential/token-requests.yaml"),
    ),
    ("programs/jsforce.cjs", include_str!("../../../suites/programs/jsforce.cjs")),
    ("programs/jsforce.yaml", include_str!("../../../suites/programs/jsforce.yaml")),
    ("programs/simple-salesforce.py", include_str!("../../../suites/programs/simple-salesforce.py")),
    ("programs/simple-salesforce.yaml", include_str!("../../../suites/programs/simple-salesforce.yaml")),
    ("client/processes.yaml", include_str!("../../../suites/client/processes.yaml")),
    ("client/renewal-failure.yaml", include_str!("../../../suites/client/renewal-failure.yaml")),
    ("client/renewal-rotation.yaml", include_str!("../../../suites/client/renewal-rotation.yaml")),
    ("client/renewal-sharing.yaml", include_str!("../../../suites/client/renewal-sharing.yaml")),
    ("programs/naive.py", include_str!("../../../suites/programs/naive.py")),
    ("programs/naive.yaml", include_str!("../../../suites/programs/naive.yaml")),
    ("programs/stored.py", include_str!("../../../suites/programs/stored.py")),
    ("programs/stored.yaml", include_str!("../../../suites/programs/stored.yaml")),
    ("load/business-day.yaml", include_str!("../../../suites/load/business-day.yaml")),
    ("load/renewal-herd.yaml", include_str!("../../../suites/load/renewal-herd.yaml")),
    ("load/soak.yaml", include_str!("../../../suites/load/soak.yaml")),
    ("load/token.yaml", include_str!("../../../suites/load/token.yaml")),
    ("load/web-server.yaml", include_str!("../../../suites/load/web-server.yaml")),
    ("stubs/business-endpoint.yaml", include_str!("../../../suites/stubs/business-endpoint.yaml")),
    ("stubs/hand-written-server.yaml", include_str!("../../../suites/stubs/hand-written-server.yaml")),
];

/// Every shipped file: suites, targets, programs, and metadata of apps.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().chain(apps::APPS).copied()
}

/// The content of a shipped file.
pub(super) fn file(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, content)| *content)
}

/// The shipped suites of a folder.
pub(super) fn suites(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().filter(move |(path, _)| path.starts_with(folder))
}
