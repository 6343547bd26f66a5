//! The HTTP client for addresses that third parties supply, guarded against SSRF. These are the addresses of photos in
//! the site's answers, and the webhook receivers that a person enters.
//!
//! Such an address may lead anywhere, including this machine and its network. Therefore its form must satisfy
//! [`Allowed`]. Each request resolves the name again, checks all of its addresses, and connects to those addresses
//! only. The client sends no cookies, follows no redirects and uses no proxy. Time and size are limited. `photos`
//! fetches, `webhooks` posts. For any other use, add to [`Allowed`] which addresses may be reached.

mod address;
mod photos;
mod webhooks;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use address::is_public;

pub(crate) use photos::fetch;
pub use webhooks::{EgressClient, Post, Received};

/// The time limit for establishing a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Which addresses may be reached.
pub(crate) enum Allowed<'a> {
    /// Only the practice site, which is on this machine.
    Practice(&'a Url),
    /// Hosts for which this function returns true, over https.
    Hosts(fn(&str) -> bool),
    /// The public internet over https, and these networks also over http.
    Receivers(&'a [IpNet]),
}

/// Why an address was not reached.
#[derive(Debug)]
pub(crate) enum EgressError {
    /// The address is not allowed.
    Refused(String),
    /// The address is allowed, but did not answer as expected.
    Unavailable(String),
}

/// Resolves host names.
#[async_trait]
pub trait Resolver: Send + Sync + std::fmt::Debug + 'static {
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// The resolver of this machine.
#[derive(Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Checks an address before its name is resolved.
fn may_be_asked(url: &Url, allowed: &Allowed<'_>) -> Result<(), EgressError> {
    let refused = |why: &str| Err(EgressError::Refused(why.to_owned()));
    if !url.username().is_empty() || url.password().is_some() {
        return refused("the address contains a user name or password");
    }
    match allowed {
        Allowed::Practice(base) if url.origin() == base.origin() => Ok(()),
        Allowed::Practice(_) => refused("the address is not on the practice site"),
        Allowed::Hosts(is_known) => {
            if url.scheme() != "https" || url.port_or_known_default() != Some(443) {
                return refused("the address is not https");
            }
            match url.host() {
                Some(Host::Domain(name)) if is_known(name) => Ok(()),
                _ => refused(&format!(
                    "{:?} is not a photo host of the site",
                    url.host_str().unwrap_or_default()
                )),
            }
        }
        Allowed::Receivers(networks) => match (url.scheme(), url.port_or_known_default()) {
            ("http", _) if networks.is_empty() => refused("the address is not https"),
            // Lower ports belong to other services, to which a request could be made to speak.
            ("https", Some(443 | 1024..)) | ("http", Some(80 | 1024..)) => Ok(()),
            ("http" | "https", Some(port)) => refused(&format!("port {port} belongs to another service")),
            _ => refused("the address is not https"),
        },
    }
}

/// Resolves the host name. Fails unless all of its addresses are allowed.
async fn resolve(
    url: &Url,
    allowed: &Allowed<'_>,
    resolver: &dyn Resolver,
) -> Result<Vec<SocketAddr>, EgressError> {
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => resolver
            .addresses(name, port)
            .await
            .map_err(|error| EgressError::Unavailable(format!("{name}: {error}")))?,
        None => Vec::new(),
    };
    let is_fine = |ip: IpAddr| match allowed {
        Allowed::Practice(_) => ip.is_loopback(),
        Allowed::Hosts(_) => is_public(ip),
        Allowed::Receivers(networks) => {
            let named = networks
                .iter()
                .any(|network| network.contains(&ip.to_canonical()));
            named || (url.scheme() == "https" && is_public(ip))
        }
    };
    match found.iter().find(|address| !is_fine(address.ip())) {
        _ if found.is_empty() => Err(EgressError::Unavailable("its host has no address".to_owned())),
        Some(address) => {
            // A caller must not learn the addresses of names in this machine's network; the operator may.
            tracing::debug!(host = url.host_str(), address = %address.ip(), "refused to connect to a forbidden address");
            Err(EgressError::Refused(
                "its host leads to an address that is not allowed".to_owned(),
            ))
        }
        None => Ok(found),
    }
}

/// Resolves every name to the addresses that were checked.
struct Checked(Vec<SocketAddr>);

impl Resolve for Checked {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// Creates a client that reaches these addresses only.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a guarded constructor: it connects to checked addresses only"
)]
fn client(addresses: &[SocketAddr]) -> Result<reqwest::Client, EgressError> {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(Checked(addresses.to_vec())))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .user_agent(concat!("vintedbot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unavailable)
}

fn unavailable(error: reqwest::Error) -> EgressError {
    // Without the URL, whose query may contain a signature.
    EgressError::Unavailable(crate::web::chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known(host: &str) -> bool {
        host.ends_with(".pictures.example")
    }

    fn is_refused(address: &str, allowed: &Allowed<'_>) -> bool {
        let url = Url::parse(address).expect("an address");
        may_be_asked(&url, allowed).is_err()
    }

    #[test]
    fn only_named_hosts_are_contacted_over_https() {
        let allowed = Allowed::Hosts(is_known);
        assert!(!is_refused("https://a.pictures.example/x.jpg?s=1", &allowed));
        for address in [
            "http://a.pictures.example/x.jpg",
            "https://a.pictures.example:8443/x.jpg",
            "https://user@a.pictures.example/x.jpg",
            "https://elsewhere.example/x.jpg",
            "https://127.0.0.1/x.jpg",
            "https://[::1]/x.jpg",
            "file:///etc/passwd",
        ] {
            assert!(is_refused(address, &allowed), "{address}");
        }
    }

    #[test]
    fn practice_pictures_come_only_from_the_practice_site() {
        let base = Url::parse("http://127.0.0.1:50052").expect("an address");
        let allowed = Allowed::Practice(&base);
        assert!(!is_refused("http://127.0.0.1:50052/photos/1/full", &allowed));
        for address in [
            "http://127.0.0.1:50051/metrics",
            "http://localhost:50052/photos/1/full",
            "https://127.0.0.1:50052/photos/1/full",
            "http://192.168.1.1:50052/photos/1/full",
        ] {
            assert!(is_refused(address, &allowed), "{address}");
        }
    }

    #[tokio::test]
    async fn name_that_resolves_to_loopback_is_refused() {
        let url = Url::parse("https://localhost/x.jpg").expect("an address");
        let resolved = resolve(&url, &Allowed::Hosts(|_| true), &SystemResolver).await;
        assert!(matches!(resolved, Err(EgressError::Refused(_))), "{resolved:?}");
    }

    #[derive(Debug)]
    struct Inside;

    #[async_trait]
    impl Resolver for Inside {
        async fn addresses(&self, _: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
            Ok(vec![([10, 20, 30, 40], port).into()])
        }
    }

    #[tokio::test]
    async fn refusal_of_a_host_never_shows_its_address() {
        let egress_client = EgressClient::resolving_by(Vec::new(), Arc::new(Inside));
        let refused = egress_client
            .check("https://printer.example/")
            .await
            .expect_err("it is inside");
        assert!(!refused.contains("10.20"), "{refused}");
        assert_eq!(refused, "its host leads to an address that is not allowed");
    }
}
