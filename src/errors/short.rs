//! The short form of an entry, for a report.

use super::{How, Match, look_up};
use crate::subject::Flow;

/// What a report says of an error by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Id of the entry, for `grantcheck explain`.
    pub entry: &'static str,
    /// What the error means.
    pub means: &'static str,
    /// Likely causes in this flow, two at most, with what tells them apart.
    pub causes: Vec<String>,
    /// What mends each of them, the first first.
    pub cure: String,
}

/// The short form for an answer with that code and description; none where it is no error that is known for sure.
pub fn short(code: &str, description: Option<&str>, flow: Option<Flow>) -> Option<Short> {
    short_of(&serde_json::json!({ "error": code, "error_description": description }).to_string(), flow)
}

/// The short form for a whole answer.
pub fn short_of(text: &str, flow: Option<Flow>) -> Option<Short> {
    let Match { entry, how: How::Exact, .. } = *look_up(text, flow).first()? else { return None };
    let suits = |flows: &[Flow]| flows.is_empty() || flow.is_none_or(|flow| flows.contains(&flow));
    let causes: Vec<_> = entry.causes.iter().filter(|cause| suits(cause.flows)).take(2).collect();
    let mut cures: Vec<&str> = causes
        .iter()
        .map(|cause| if cause.cure.client.is_empty() { cause.cure.setup } else { cause.cure.client })
        .filter(|cure| !cure.is_empty())
        .collect();
    cures.dedup();
    let cure = match cures[..] {
        [] => return None,
        [one] => one.to_owned(),
        // Nobody knows from here which of the causes it is.
        _ => cures.join(" Or: "),
    };
    Some(Short {
        entry: entry.id,
        means: entry.means,
        causes: causes
            .iter()
            .map(|cause| {
                format!("{} ({})", cause.is.trim_end_matches('.'), cause.tells.trim_end_matches('.'))
            })
            .collect(),
        cure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_speaks_of_the_flow() {
        let of = |flow| short("invalid_grant", Some("expired authorization code"), Some(flow)).unwrap();
        assert!(of(Flow::WebServer).causes[0].contains("redeemed before"));
        assert!(of(Flow::JwtBearer).causes[0].contains("`exp`"));
        let unknown = short("invalid_client_id", Some("client identifier invalid"), None).unwrap();
        assert!(
            unknown.cure.contains("ten minutes") && unknown.cure.contains("Consumer Key"),
            "{}",
            unknown.cure
        );
        assert_eq!(short("invalid_grant", Some("something new"), None), None);
    }
}
