//! Scopes: metadata names them otherwise than the wire.

/// What goes over the wire for a scope of metadata (Salesforce Help: OAuth tokens and scopes; Metadata API types). Those
/// of the second part were seen in no request.
const WIRE: &[(&str, &str)] = &[
    ("Address", "address"),
    ("Api", "api"),
    ("Basic", "id"),
    ("CDP", "cdp_api"),
    ("CDPCalculatedInsight", "cdp_calculated_insight_api"),
    ("CDPIdentityResolution", "cdp_identityresolution_api"),
    ("CDPIngest", "cdp_ingest_api"),
    ("CDPProfile", "cdp_profile_api"),
    ("CDPQuery", "cdp_query_api"),
    ("CDPSegment", "cdp_segment_api"),
    ("Chatbot", "chatbot_api"),
    ("Chatter", "chatter_api"),
    ("Content", "content"),
    ("CustomApplications", "visualforce"),
    ("CustomPermissions", "custom_permissions"),
    ("Eclair", "eclair_api"),
    ("Email", "email"),
    ("ForgotPassword", "forgot_password"),
    ("Full", "full"),
    ("Lightning", "lightning"),
    ("MCP", "mcp_api"),
    ("OfflineAccess", "offline_access"),
    ("OpenID", "openid"),
    ("Pardot", "pardot_api"),
    ("Phone", "phone"),
    ("Profile", "profile"),
    ("PwdlessLogin", "pwdless_login_api"),
    ("RefreshToken", "refresh_token"),
    ("SFAP", "sfap_api"),
    ("SFApiPlatform", "sfap_api"),
    ("UserRegistration", "user_registration_api"),
    ("Wave", "wave_api"),
    ("Web", "web"),
];

const GUESSED: &[(&str, &str)] = &[
    ("A2A", "a2a_api"),
    ("CmdbDiscovery", "cmdb_discovery_api"),
    ("DataCloudUserClaims", "data_cloud_user_claims"),
    ("EinsteinGPT", "einstein_gpt_api"),
    ("Interaction", "interaction_api"),
    ("SCRT", "scrt_api"),
    ("SemanticLayer", "semantic_layer_api"),
];

/// A scope of metadata as it goes over the wire, and whether that is known; none for one that metadata does not have.
pub(in crate::metadata) fn wire(name: &str) -> Option<(&'static str, bool)> {
    let of = |list: &[(&str, &'static str)]| list.iter().find(|(own, _)| *own == name).map(|(_, wire)| *wire);
    of(WIRE).map(|wire| (wire, true)).or(of(GUESSED).map(|wire| (wire, false)))
}

/// What metadata writes for a scope as it goes over the wire; none for one that never does.
pub(in crate::metadata) fn of_wire(value: &str) -> Option<&'static str> {
    WIRE.iter().chain(GUESSED).find(|(_, wire)| *wire == value).map(|(own, _)| *own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::kinds::SCOPES;

    #[test]
    fn every_scope_of_metadata_has_a_value() {
        for scope in SCOPES {
            assert!(wire(scope).is_some(), "{scope}");
        }
        assert_eq!(WIRE.len() + GUESSED.len(), SCOPES.len());
    }
}
