//! What an error means that a finding is about, where the org speaks as Salesforce does.

use crate::errors::{self, Short};
use crate::report::{ErrorRow, FindingRow, Word};
use crate::subject::Flow;
use crate::transcript::Exchange;

/// The longest body that is looked through for an error.
const LONGEST: usize = 4096;

/// Puts the short form of a known error to each finding that is about one.
pub(super) fn explain(findings: &mut [FindingRow], exchanges: &[Exchange]) {
    for finding in
        findings.iter_mut().filter(|f| matches!(f.verdict, Word::Fail | Word::Warn | Word::Inconclusive))
    {
        let last = finding.exchanges.last().and_then(|number| exchanges.get(*number));
        let Some((code, short)) = last.and_then(known) else { continue };
        // A check may be about the looks of an answer; then its error is beside the point.
        if finding.check.is_none() || finding.observed.contains(&code) {
            let Short { entry, means, causes, cure } = short;
            finding.error = Some(ErrorRow { entry: entry.into(), means: means.into(), causes, cure });
        }
    }
}

/// The error of an answer, if it is a known one: its code and the short form.
fn known(x: &Exchange) -> Option<(String, Short)> {
    let response = x.response().filter(|response| response.status >= 300)?;
    let flow = x.grant_type().and_then(flow);
    if let Some(error) = x.error() {
        let short = errors::short(&error.error, error.description.as_deref(), flow)?;
        return Some((error.error, short));
    }
    let body = response.body.trim();
    let code = match response.json() {
        Some(json) => json.get(0)?.get("errorCode")?.as_str()?.to_owned(),
        None if response.status >= 400 && !body.contains([' ', '<']) => body.to_owned(),
        None => return None,
    };
    let text = if body.len() <= LONGEST { body } else { code.as_str() };
    Some((code.clone(), errors::short_of(text, flow)?))
}

fn flow(grant_type: &str) -> Option<Flow> {
    Some(match grant_type.rsplit(':').next()? {
        "authorization_code" => Flow::WebServer,
        "refresh_token" => Flow::RefreshToken,
        "client_credentials" => Flow::ClientCredentials,
        "jwt-bearer" => Flow::JwtBearer,
        "saml2-bearer" => Flow::SamlBearer,
        _ => return None,
    })
}
