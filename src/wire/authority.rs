//! A certificate authority that lives as long as a run: its key is in memory alone, and it vouches for whatever host a
//! client asks for.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_ecdsa_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Error;

/// The most hosts that certificates are kept for; one more, and all are minted anew.
const MOST_HOSTS: usize = 1000;
/// Who is vouched for where a client names nobody, as it does where it asks for an address.
const HERE: &str = "localhost";

/// A certificate authority with the key of all servers that it vouches for.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
    signs: Arc<dyn SigningKey>,
    minted: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The crypto library makes no key.
    pub fn new() -> Result<Arc<Self>, Error> {
        let fail = |why: rcgen::Error| Error::Authority(why.to_string());
        let own = KeyPair::generate().map_err(fail)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(fail)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "grantcheck, for one run");
        let certificate = params.self_signed(&own).map_err(fail)?;
        let key = KeyPair::generate().map_err(fail)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signs = any_ecdsa_type(&der).map_err(|why| Error::Authority(why.to_string()))?;
        Ok(Arc::new(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, own),
            key,
            signs,
            minted: Mutex::default(),
        }))
    }

    /// Its certificate, for clients to trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The server's side of TLS for every host.
    ///
    /// # Errors
    /// The crypto library does not do TLS.
    pub fn server(self: &Arc<Self>) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| Error::Authority(why.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// A certificate for a host.
    fn vouched(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        let minted = || self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = minted().get(host) {
            return Some(known.clone());
        }
        // Signing is expensive: two who ask for the same host at once sign twice, and nobody waits for a lock.
        let mut names = vec![host.to_owned()];
        if host == HERE {
            names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
        }
        let params = CertificateParams::new(names).ok()?;
        let leaf = params.signed_by(&self.key, &self.issuer).ok()?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = Arc::new(CertifiedKey::new(chain, self.signs.clone()));
        let mut minted = minted();
        if minted.len() >= MOST_HOSTS {
            minted.clear();
        }
        minted.insert(host.to_owned(), key.clone());
        Some(key)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.vouched(&hello.server_name().unwrap_or(HERE).to_ascii_lowercase())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_one_certificate_of_its_own() {
        let authority = Authority::new().unwrap();
        let login = authority.vouched("login.salesforce.com").unwrap();
        assert!(Arc::ptr_eq(&login, &authority.vouched("login.salesforce.com").unwrap()));
        let (_, leaf) = x509_parser::parse_x509_certificate(&login.cert[0]).unwrap();
        let (_, issuer) = x509_parser::parse_x509_certificate(&login.cert[1]).unwrap();
        assert_eq!(leaf.issuer(), issuer.subject());
        assert!(format!("{:?}", leaf.subject_alternative_name()).contains("login.salesforce.com"));
    }

    #[test]
    fn what_it_keeps_is_bounded() {
        let authority = Authority::new().unwrap();
        for number in 0..=MOST_HOSTS {
            assert!(authority.vouched(&format!("h{number}.example")).is_some());
        }
        assert_eq!(authority.minted.lock().unwrap().len(), 1);
    }
}
