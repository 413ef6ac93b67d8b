//! What Salesforce is known to do otherwise than an RFC has it. Under profile `salesforce` such a fail is
//! a known deviation; under profile `rfc` it stays a fail.

/// One known deviation.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// Id of the check that Salesforce does not keep.
    pub check: &'static str,
    /// What Salesforce does instead.
    pub because: &'static str,
    /// Where that is written.
    pub source: &'static str,
}

const DEVIATIONS: &[Deviation] = &[Deviation {
    check: "client-auth/failed-basic-is-401-with-challenge",
    because: "Salesforce answers 400 invalid_client whatever the way of authentication",
    source: "Salesforce Help: OAuth 2.0 Authorization Errors",
}];

/// Every known deviation of Salesforce.
pub fn deviations() -> &'static [Deviation] {
    DEVIATIONS
}

/// The known deviation from that check.
pub fn deviation(check: &str) -> Option<&'static Deviation> {
    DEVIATIONS.iter().find(|deviation| deviation.check == check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deviation_names_a_check_once() {
        for (i, deviation) in DEVIATIONS.iter().enumerate() {
            assert!(crate::catalog::find(deviation.check).is_some(), "{}", deviation.check);
            assert!(!DEVIATIONS[..i].iter().any(|d| d.check == deviation.check), "{}", deviation.check);
        }
    }
}
