//! Who may use an app, and from where.

use super::{Place, Rule};
use crate::metadata::app::{App, Form, settings};
use crate::metadata::kinds::Kind;
use crate::verdict::{Basis, Level};
use core::net::IpAddr;

const POLICIES: &str = "Salesforce Help: Manage OAuth Access Policies";
const USERS: &str = "Policies › App Policies, and OAuth Policies › Permitted Users (connected app: Manage Connected Apps › the app).";
const IP: &str = "Policies › OAuth Policies › IP Relaxation (connected app: Edit Policies).";

/// The lists of ranges that apps have, and how each names the first and the last address.
const LISTS: [(&str, &str, &str); 3] = [
    ("ipRanges", "start", "end"),
    ("trustedIpRanges", "startIpAddress", "endIpAddress"),
    ("tokenIpRanges", "startIpAddress", "endIpAddress"),
];

/// Ranges of addresses of an app: the place, first and last.
fn ranges<'p>(app: &App<'p>) -> Vec<(Place, &'p str, &'p str)> {
    let whole = |(_, first, last): &(Place, &str, &str)| !first.is_empty() && !last.is_empty();
    LISTS.iter().flat_map(|(list, ..)| ranges_in(app, list)).filter(whole).collect()
}

/// Ranges in one list of an app; an address that is not there is empty.
pub(super) fn ranges_in<'p>(app: &App<'p>, list: &str) -> Vec<(Place, &'p str, &'p str)> {
    let mut found = Vec::new();
    for (name, first, last) in LISTS.into_iter().filter(|(name, ..)| *name == list) {
        for item in &app.parts {
            for range in item.root.children.iter().filter(|child| child.name == name) {
                let place = Place { text: item.text.clone(), span: range.span };
                found.push((place, range.text(first).unwrap_or(""), range.text(last).unwrap_or("")));
            }
        }
    }
    found
}

/// Whether two addresses are of one kind and in order.
pub(super) fn is_range(first: &str, last: &str) -> bool {
    match (first.parse::<IpAddr>(), last.parse::<IpAddr>()) {
        (Ok(first), Ok(last)) => first.is_ipv4() == last.is_ipv4() && first <= last,
        _ => false,
    }
}

/// Whether a range is more than a site has: 65,536 addresses, or of IPv6 a network of 48 bits (RFC 6177 §2).
pub(super) fn is_wide(first: &str, last: &str) -> bool {
    match (first.parse(), last.parse()) {
        (Ok(IpAddr::V4(first)), Ok(IpAddr::V4(last))) => {
            u32::from(last).saturating_sub(u32::from(first)) >= 1 << 16
        }
        (Ok(IpAddr::V6(first)), Ok(IpAddr::V6(last))) => {
            u128::from(last).saturating_sub(u128::from(first)) >= 1 << 80
        }
        _ => false,
    }
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "access/approved-for-somebody",
        "an app for pre-authorized users is given to somebody",
        Must,
        Vendor,
        &[POLICIES],
        "Where users must be pre-authorized and the app names no profile and no permission set, nobody may use it: user is not admin approved, or hasn't approved this consumer.",
        USERS,
        "permissionSetName (the label of the set) or profileName in ConnectedApp; commaSeparatedPermissionSet or commaSeparatedProfile in the policies.",
        |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.flag(&settings::PERMITTED) == Some(true) && app.given_to().is_empty())
            {
                told.app(
                    app,
                    &settings::PERMITTED,
                    "only pre-authorized users may use it, and it is given to no profile and permission set",
                );
            }
        }
    ),
    rule!(
        "access/server-flows-are-pre-authorized",
        "users of the JWT bearer flow are pre-authorized",
        Should,
        Vendor,
        &["Salesforce Help: OAuth 2.0 JWT Bearer Flow"],
        "With a certificate the app signs for users. Where users authorize themselves, each must have logged in once before, or the flow is refused: user hasn't approved this consumer; and any user of the org can be signed for who did.",
        USERS,
        "isAdminApproved true with permissionSetName; or permittedUsersPolicyType AdminApprovedPreAuthorized with commaSeparatedPermissionSet.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.text(&settings::CERTIFICATE).is_some()) {
                let known = app.form == Form::Connected || app.part(Kind::OauthPolicies).is_some();
                if known && app.flag(&settings::PERMITTED) != Some(true) {
                    told.app(
                        app,
                        &settings::PERMITTED,
                        "the app has a certificate, and its users authorize themselves",
                    );
                }
            }
        }
    ),
    rule!(
        "access/permission-set-is-named",
        "each permission set and profile has a name",
        BestPractice,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        "An empty element takes every assignment away when it is deployed.",
        USERS,
        "Write the label, or take the element out.",
        |c, told| {
            for item in c.project.of(Kind::ConnectedApp) {
                for name in ["permissionSetName", "profileName"] {
                    for element in item.root.all(name).filter(|element| element.value.is_empty()) {
                        told.item(item, element, format!("{name} is empty"));
                    }
                }
            }
        }
    ),
    rule!(
        "access/somebody-is-allowed-by-flag",
        "an app that is given to profiles asks for that",
        Should,
        Derived,
        &[POLICIES],
        "Profiles and permission sets count only where Permitted Users says that users must be pre-authorized. Here everybody may authorize the app.",
        USERS,
        "isAdminApproved true, or permittedUsersPolicyType AdminApprovedPreAuthorized.",
        |c, told| {
            for app in c.apps.iter().filter(|app| {
                app.has_oauth() && app.flag(&settings::PERMITTED) == Some(false) && !app.given_to().is_empty()
            }) {
                told.app(
                    app,
                    &settings::PERMITTED,
                    format!("it is given to {}, and everybody may use it", app.given_to().join(", ")),
                );
            }
        }
    ),
    rule!(
        "access/ip-restrictions-are-enforced",
        "IP restrictions hold for the app",
        Should,
        Derived,
        &["RFC 9700 §4.14", "Salesforce Help: Connected App IP Relaxation and Continuous IP Enforcement"],
        "BYPASS lets the app's tokens be used from anywhere, whatever the profiles say.",
        IP,
        "ipRelaxation ENFORCE or BYPASS_2FACTOR; ipRelaxationPolicyType Enforce.",
        |c, told| {
            for app in c.apps.iter().filter(|app| app.relaxation().as_deref() == Some("BYPASS")) {
                told.app(app, &settings::IP_RELAXATION, "IP restrictions do not hold for the app");
            }
        }
    ),
    rule!(
        "access/ranges-stand-beside-enforcement",
        "an app that relaxes nothing lists its own addresses",
        BestPractice,
        Vendor,
        &["Salesforce Help: Connected App IP Relaxation and Continuous IP Enforcement"],
        "With ENFORCE the ranges of org and profile decide. A client in a network whose addresses change then fails at run time with ip restricted.",
        IP,
        "ipRanges in ConnectedApp, or trustedIpRanges in ExtlClntAppOauthSettings; or none where profiles have them.",
        |c, told| {
            for app in c
                .apps
                .iter()
                .filter(|app| app.relaxation().as_deref() == Some("ENFORCE") && ranges(app).is_empty())
            {
                told.app(app, &settings::IP_RELAXATION, "restrictions are enforced, and the app lists no addresses: is the client's in the ranges of the profile?");
            }
        }
    ),
    rule!(
        "access/range-is-in-order",
        "a range of addresses begins before it ends",
        Must,
        Vendor,
        &["Salesforce Metadata API Developer Guide: IpRange"],
        "What is no address, mixes IPv4 with IPv6, or ends before it begins, is refused or lets nobody in.",
        IP,
        "start and end, or startIpAddress and endIpAddress, in order.",
        |c, told| {
            for app in &c.apps {
                for (place, first, last) in ranges(app) {
                    if !is_range(first, last) {
                        told.at(&app.name, place, format!("`{first}` to `{last}` is no range"));
                    }
                }
            }
        }
    ),
    rule!(
        "access/range-is-narrow",
        "a range of addresses is not the whole network",
        Should,
        Derived,
        &["RFC 9700 §4.14"],
        "A range of more than 65,536 addresses, or of IPv6 more than a network of 48 bits, is a country or a cloud, not a client.",
        IP,
        "The addresses from which the client really comes.",
        |c, told| {
            for app in &c.apps {
                for (place, first, last) in ranges(app).into_iter().filter(|(_, a, b)| is_wide(a, b)) {
                    let message = format!("`{first}` to `{last}` is more than a site has");
                    told.at(&app.name, place, message);
                }
            }
        }
    ),
    rule!(
        "access/handler-has-a-user",
        "an Apex handler has a user in whose name it runs",
        Must,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ExtlClntAppOauthConfigurablePolicies, ConnectedApp"],
        "Without one the handler does not run, and logins through the app fail.",
        "Policies › Custom Connected App Handler › Run As.",
        "executeHandlerAs beside apexHandler; pluginExecutionUser beside plugin.",
        |c, told| {
            for item in &c.project.items {
                let pair = match item.kind {
                    Kind::OauthPolicies => ("apexHandler", "executeHandlerAs"),
                    Kind::ConnectedApp => ("plugin", "pluginExecutionUser"),
                    _ => continue,
                };
                let handler = item.root.child(pair.0).filter(|handler| !handler.value.is_empty());
                if let Some(handler) = handler.filter(|_| item.root.text(pair.1).is_none()) {
                    told.item(item, handler, format!("{} is set, and {} is missing", pair.0, pair.1));
                }
            }
        }
    ),
    rule!(
        "access/start-url-is-https",
        "start and log-out URLs are https",
        Should,
        Derived,
        &["RFC 9700 §2.6"],
        "Users are led there right after the login, or when they log out.",
        "Policies › Start URL, Mobile Start URL; Settings › OAuth Settings › Single Logout URL.",
        "startUrl, mobileStartUrl and singleLogoutUrl with https, or a path of the org.",
        |c, told| {
            for app in &c.apps {
                for item in &app.parts {
                    for (path, what) in [
                        ("startUrl", "start URL"),
                        ("mobileStartUrl", "start URL on mobile devices"),
                        ("singleLogoutUrl", "log-out URL"),
                        ("oauthConfig/singleLogoutUrl", "log-out URL"),
                        ("oauthPolicy/singleLogoutUrl", "log-out URL"),
                    ] {
                        let Some(element) = item.root.at(path) else { continue };
                        if element.value.to_ascii_lowercase().starts_with("http:") {
                            told.item(item, element, format!("the {what} is http"));
                        }
                    }
                }
            }
        }
    ),
];
