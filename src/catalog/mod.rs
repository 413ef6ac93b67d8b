//! The catalogue: each check is a row and a function that judges a transcript. It never sees a socket,
//! a suite or a clock; on a record that shows nothing about it, a check says skip.

mod answer;
mod assertion;
mod authenticating;
mod authorize;
mod calling;
mod client_auth;
mod client_credentials;
mod code;
mod dialect;
mod discovery;
mod evidence;
mod id_token;
mod id_token_use;
mod introspection;
mod judgement;
mod jwt_bearer;
mod left_out;
mod logging_out;
mod login;
mod named_credential;
mod openid;
mod pkce;
mod redeeming;
mod refresh;
#[macro_use]
mod renewal;
mod resource;
mod revocation;
mod robustness;
mod salesforce;
mod saml_bearer;
mod secrets;
mod server_to_server;
mod signing;
#[cfg(test)]
mod testing;
mod token;
mod token_answer;
mod token_form;
mod towards_salesforce;
mod transport;
mod userinfo;
mod verifier;

pub use dialect::{Deviation, deviation, deviations};
pub use judgement::Judgement;
pub use left_out::{LEFT_OUT, LeftOut};

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::transcript::Transcript;
use crate::verdict::{Basis, Finding, Level, Verdict};

/// Whom a check binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The authorization or resource server.
    Org,
    /// The OAuth client.
    Client,
}

impl Party {
    /// The word in a list.
    pub fn word(self) -> &'static str {
        match self {
            Party::Org => "org",
            Party::Client => "client",
        }
    }
}

/// Where a requirement is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cite {
    /// A section of an RFC.
    Rfc(u16, &'static str),
    /// A section of OpenID Connect Core 1.0.
    OpenIdCore(&'static str),
    /// A section of OpenID Connect Discovery 1.0.
    OpenIdDiscovery(&'static str),
    /// A page of Salesforce's documentation, by title.
    Salesforce(&'static str),
    /// A report from the field.
    Community(&'static str),
}

impl std::fmt::Display for Cite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cite::Rfc(number, section) => write!(f, "RFC {number} §{section}"),
            Cite::OpenIdCore(section) => write!(f, "OpenID Connect Core §{section}"),
            Cite::OpenIdDiscovery(section) => write!(f, "OpenID Connect Discovery §{section}"),
            Cite::Salesforce(page) => write!(f, "Salesforce: {page}"),
            Cite::Community(report) => write!(f, "field report: {report}"),
        }
    }
}

/// One requirement.
pub struct Check {
    /// Stable slug path `family/property-that-holds`.
    pub id: &'static str,
    /// The property, as a sentence fragment.
    pub title: &'static str,
    /// Whom it binds.
    pub binds: Party,
    /// How much it binds.
    pub level: Level,
    /// Where it comes from.
    pub basis: Basis,
    /// Its number in the collection of requirements that it was drawn from; with a letter behind, what one of them became
    /// besides.
    pub origin: &'static str,
    /// Where it is written.
    pub cites: &'static [Cite],
    /// What it means, why it matters, how to mend it.
    pub explain: &'static str,
    /// A record on which it passes, in the language of [`crate::transcript::script`].
    pub passes: &'static str,
    /// A record on which it fails.
    pub fails: &'static str,
    /// The judge.
    pub judge: fn(&Transcript) -> Judgement,
}

/// Every check, by family.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        authorize::CHECKS,
        authorize::URIS,
        authorize::REQUESTS,
        authorize::ANSWERS,
        authorize::PAGES,
        code::CHECKS,
        token::CHECKS,
        token_form::CHECKS,
        token_answer::CHECKS,
        pkce::CHECKS,
        pkce::METHODS,
        pkce::VERIFIERS,
        client_auth::CHECKS,
        client_auth::methods::CHECKS,
        client_auth::assertion::CHECKS,
        client_auth::claims::CHECKS,
        refresh::CHECKS,
        refresh::renewal::CHECKS,
        refresh::rotation::CHECKS,
        refresh::policy::CHECKS,
        renewal::request::CHECKS,
        renewal::repeat::CHECKS,
        renewal::loops::CHECKS,
        renewal::sharing::CHECKS,
        renewal::rotation::CHECKS,
        renewal::without::CHECKS,
        renewal::failure::CHECKS,
        renewal::passing::CHECKS,
        renewal::processes::CHECKS,
        renewal::reasons::CHECKS,
        renewal::waiting::CHECKS,
        renewal::over::CHECKS,
        renewal::ahead::CHECKS,
        renewal::history::CHECKS,
        renewal::hosts::CHECKS,
        renewal::resume::CHECKS,
        renewal::soap::CHECKS,
        renewal::identity::CHECKS,
        robustness::tries::CHECKS,
        robustness::answers::CHECKS,
        robustness::calls::CHECKS,
        logging_out::CHECKS,
        secrets::CHECKS,
        login::request::CHECKS,
        login::state::CHECKS,
        login::errors::CHECKS,
        login::answers::CHECKS,
        verifier::challenge::CHECKS,
        verifier::redemption::CHECKS,
        id_token_use::claims::CHECKS,
        id_token_use::signature::CHECKS,
        id_token_use::keys::CHECKS,
        authenticating::CHECKS,
        authenticating::assertion::CHECKS,
        signing::CHECKS,
        signing::form::CHECKS,
        signing::asking::CHECKS,
        server_to_server::CHECKS,
        calling::CHECKS,
        calling::refusals::CHECKS,
        redeeming::CHECKS,
        redeeming::once::CHECKS,
        answer::CHECKS,
        answer::refused::CHECKS,
        answer::lifetime::CHECKS,
        answer::hosts::CHECKS,
        towards_salesforce::CHECKS,
        named_credential::call_outs::CHECKS,
        named_credential::tokens::CHECKS,
        named_credential::servers::CHECKS,
        jwt_bearer::CHECKS,
        saml_bearer::CHECKS,
        client_credentials::CHECKS,
        resource::CHECKS,
        resource::presentation::CHECKS,
        introspection::CHECKS,
        introspection::caller::CHECKS,
        introspection::content::CHECKS,
        introspection::states::CHECKS,
        revocation::CHECKS,
        revocation::request::CHECKS,
        discovery::CHECKS,
        discovery::MEMBERS,
        discovery::KEYS,
        discovery::TRUTH,
        openid::CHECKS,
        id_token::CHECKS,
        userinfo::CHECKS,
        transport::CHECKS,
        salesforce::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The check of that id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

/// The checks that a client passes which is ready for the controls that Salesforce announced for 2026: PKCE, refresh token
/// rotation, and refresh tokens that end when nobody uses them.
pub fn for_rotation() -> impl Iterator<Item = &'static Check> {
    const ORIGINS: [&str; 22] = [
        "CLP-01", "CLP-02", "CLP-03", "CLP-04", "CLP-05", "CLR-02", "CLR-06", "CLR-07", "CLR-08", "CLR-09",
        "CLR-10", "CLR-11", "CLR-12", "CLR-13", "CLR-14", "CLR-15", "CLR-16", "CLR-17", "CLR-20", "CLR-21",
        "CLR-25", "CLP-12",
    ];
    all().filter(|check| check.binds == Party::Client && ORIGINS.contains(&check.origin))
}

/// What one check came to on a transcript.
pub struct Judged {
    /// The check.
    pub check: &'static Check,
    /// The merged verdict.
    pub verdict: Verdict,
    /// The evidence of what is not a pass.
    pub findings: Vec<Finding>,
    /// Whether the judge itself broke: our bug, not the subject's.
    pub bug: bool,
}

/// Judges a transcript with every check that binds that party. A judge that panics is inconclusive and says so.
pub fn judge(transcript: &Transcript, party: Party) -> Vec<Judged> {
    all().filter(|check| check.binds == party).map(|check| judge_one(check, transcript)).collect()
}

/// Judges a transcript with one check.
pub fn judge_one(check: &'static Check, transcript: &Transcript) -> Judged {
    let outcome = catch_unwind(AssertUnwindSafe(|| (check.judge)(transcript)));
    let Ok(judgement) = outcome else {
        let finding = Finding {
            check: Some(check.id),
            verdict: Verdict::Inconclusive,
            level: check.level,
            expected: check.title.to_owned(),
            observed: "the judge of this check broke; this is a bug of grantcheck, not of the subject"
                .to_owned(),
            exchanges: Vec::new(),
            grave: false,
            at: None,
        };
        return Judged { check, verdict: Verdict::Inconclusive, findings: vec![finding], bug: true };
    };
    // What only the field reports tell must not fail a run, whatever its level.
    let ceiling = if check.basis == Basis::Community { Level::BestPractice } else { check.level };
    let verdict = judgement.verdict();
    let findings = judgement.into_findings(check.id, ceiling);
    Judged { check, verdict, findings, bug: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::script;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_passes_on_its_good_record_and_fails_on_its_bad_one() {
        for check in all() {
            let good = judge_one(check, &script::read(check.passes));
            assert_eq!(good.verdict, Verdict::Pass, "{}: passes: {:?}", check.id, good.findings);
            let bad = judge_one(check, &script::read(check.fails));
            assert_eq!(bad.verdict, Verdict::Fail, "{}: fails", check.id);
            assert!(!bad.findings.is_empty(), "{}", check.id);
        }
    }

    #[test]
    fn every_check_skips_on_nothing() {
        for check in all() {
            assert_eq!(judge_one(check, &Transcript::default()).verdict, Verdict::Skip, "{}", check.id);
        }
    }

    #[test]
    fn a_check_judges_only_the_party_that_it_binds() {
        for party in [Party::Org, Party::Client] {
            let judged = judge(&Transcript::default(), party);
            assert!(!judged.is_empty() && judged.iter().all(|judged| judged.check.binds == party));
        }
    }

    #[test]
    fn rows_are_whole_and_unique() {
        let (mut ids, mut origins) = (BTreeSet::new(), BTreeSet::new());
        for check in all() {
            assert!(ids.insert(check.id), "{} stands twice", check.id);
            assert!(origins.insert(check.origin), "{} is drawn twice", check.origin);
            let (family, property) = check.id.split_once('/').expect(check.id);
            assert!(!family.is_empty() && !property.is_empty() && !check.cites.is_empty(), "{}", check.id);
            assert!(check.explain.len() > 120, "{}: explain it", check.id);
            assert!(!check.title.ends_with('.') && !check.title.is_empty(), "{}", check.id);
        }
    }
}
