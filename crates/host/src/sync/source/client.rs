//! The one HTTP client of a host: no redirects, no proxies, the system's root certificates and those of the settings.

use reqwest::{Certificate, Client, ClientBuilder};

use crate::{HostError, limits};

/// A client whose TLS believes the system's root certificates and these (PEM, one or more).
///
/// Redirects are not followed: an address that moves is a setting to change, not a word to take from whoever answers.
///
/// # Errors
/// [`HostError::Config`] for text that is no certificate, [`HostError::System`] when there is no TLS to be had.
pub fn client(root_certificates: Option<&[u8]>) -> Result<Client, HostError> {
    let extra = match root_certificates {
        None => Vec::new(),
        Some(pem) => certificates(pem)?,
    };
    let system = builder().tls_certs_merge(extra.clone()).build();
    system.or_else(|error| {
        // A container without certificates still speaks plain http, and https to those that the settings name.
        tracing::warn!(%error, "the system's root certificates cannot be used; only those of the settings count");
        let own = builder().tls_certs_only(extra).build();
        own.map_err(|error| HostError::System(format!("http client: {error}")))
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, HostError> {
    let wrong = |what: String| {
        HostError::Config(format!("root certificates: {what}\nhint: PEM, as `-----BEGIN CERTIFICATE-----`"))
    };
    let found = Certificate::from_pem_bundle(pem).map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("there is none in them".to_owned())) } else { Ok(found) }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(limits::REQUEST_TIME)
        .no_proxy()
}
