//! The one way to addresses that somebody else wrote: the site's photos, by the addresses in its answers, and the receivers
//! of webhooks, by what a person typed.
//!
//! Such an address may lead anywhere, this machine and its network included. So: it has to be written as [`Allowed`] says;
//! the name is resolved here, every address that it stands for has to be where it may be, and the connection is made to those
//! addresses and no others, each time anew. No cookies, no redirects, no proxy, and neither more time nor more bytes than
//! allowed. `photos` fetches, `webhooks` posts; to do anything else outside, say in [`Allowed`] where it may be.

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
pub use webhooks::{Outside, Post, Received};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Where something may be.
pub(crate) enum Allowed<'a> {
    /// On the practice site, which is on this machine, and nowhere else.
    Practice(&'a Url),
    /// Behind https on hosts that this says yes to.
    Hosts(fn(&str) -> bool),
    /// Anywhere on the public internet behind https, and in these networks.
    Receivers(&'a [IpNet]),
}

/// Why nothing was reached.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It leads elsewhere than allowed.
    Refused(String),
    /// It may be asked, and does not answer as it should.
    Unavailable(String),
}

/// Where the addresses of a name come from.
#[async_trait]
pub trait Resolver: Send + Sync + std::fmt::Debug + 'static {
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// This machine's own resolver.
#[derive(Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Whether an address may be asked, before its name is resolved.
fn may_be_asked(url: &Url, allowed: &Allowed<'_>) -> Result<(), Trouble> {
    let refused = |why: &str| Err(Trouble::Refused(why.to_owned()));
    if !url.username().is_empty() || url.password().is_some() {
        return refused("it names a user");
    }
    match allowed {
        Allowed::Practice(base) if url.origin() == base.origin() => Ok(()),
        Allowed::Practice(_) => refused("it is not the practice site's"),
        Allowed::Hosts(is_known) => {
            if url.scheme() != "https" || url.port_or_known_default() != Some(443) {
                return refused("it is not https");
            }
            match url.host() {
                Some(Host::Domain(name)) if is_known(name) => Ok(()),
                _ => refused(&format!(
                    "{:?} is no host of the site's",
                    url.host_str().unwrap_or_default()
                )),
            }
        }
        Allowed::Receivers(networks) => match (url.scheme(), url.port_or_known_default()) {
            ("http", _) if networks.is_empty() => refused("it is not https"),
            // Below are the ports of other services, which a request could be made to speak to.
            ("https", Some(443 | 1024..)) | ("http", Some(80 | 1024..)) => Ok(()),
            ("http" | "https", Some(port)) => refused(&format!("port {port} is another service's")),
            _ => refused("it is not https"),
        },
    }
}

/// The addresses behind the name, all of which have to be where they may be.
async fn resolve(
    url: &Url,
    allowed: &Allowed<'_>,
    resolver: &dyn Resolver,
) -> Result<Vec<SocketAddr>, Trouble> {
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => resolver
            .addresses(name, port)
            .await
            .map_err(|error| Trouble::Unavailable(format!("{name}: {error}")))?,
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
        _ if found.is_empty() => Err(Trouble::Unavailable("its host has no address".to_owned())),
        Some(address) => {
            // A caller must not learn what names stand for in the network that this machine is in; the operator may.
            tracing::debug!(host = url.host_str(), address = %address.ip(), "refused to go to a forbidden address");
            Err(Trouble::Refused(
                "its host leads to an address that is not allowed".to_owned(),
            ))
        }
        None => Ok(found),
    }
}

/// Every name stands for the addresses that were checked.
struct Checked(Vec<SocketAddr>);

impl Resolve for Checked {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// A client that reaches these addresses alone.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a guarded constructor: it goes to addresses that were checked"
)]
fn client(addresses: &[SocketAddr]) -> Result<reqwest::Client, Trouble> {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(Checked(addresses.to_vec())))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .user_agent(concat!("vintedbot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unavailable)
}

fn unavailable(error: reqwest::Error) -> Trouble {
    // Without the address, whose query may be a signature.
    Trouble::Unavailable(crate::web::chain(&error.without_url()))
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
    fn only_the_named_hosts_are_asked_and_only_over_https() {
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
    fn practice_pictures_come_from_the_practice_site_alone() {
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
    async fn a_name_that_stands_for_this_machine_is_not_followed() {
        let url = Url::parse("https://localhost/x.jpg").expect("an address");
        let resolved = resolve(&url, &Allowed::Hosts(|_| true), &SystemResolver).await;
        assert!(matches!(resolved, Err(Trouble::Refused(_))), "{resolved:?}");
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
    async fn refusal_of_a_host_never_tells_its_address() {
        let outside = Outside::resolving_by(Vec::new(), Arc::new(Inside));
        let refused = outside
            .check("https://printer.example/")
            .await
            .expect_err("it is inside");
        assert!(!refused.contains("10.20"), "{refused}");
        assert_eq!(refused, "its host leads to an address that is not allowed");
    }
}
