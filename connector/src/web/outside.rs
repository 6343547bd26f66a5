//! Fetching from addresses that somebody else wrote: the site's photos, by the addresses in its answers.
//!
//! Such an address may lead anywhere, this machine and its network included. So: only hosts that are known for what is
//! fetched; the name is resolved here, every address that it stands for has to be a public one, and the connection is made to
//! those addresses and no others. No cookies, no redirects, no proxy, and neither more time nor more bytes than allowed. To
//! fetch anything else from outside, say in [`Allowed`] where it may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use reqwest::redirect::Policy;
use url::{Host, Url};
use vintedbot_marketplace::Error;

/// Where something may be fetched from.
pub(crate) enum Allowed<'a> {
    /// From the practice site, which is on this machine, and from nowhere else.
    Practice(&'a Url),
    /// Over https from hosts that this says yes to.
    Hosts(fn(&str) -> bool),
}

/// Fetches what an address shows, at most `max_bytes` of it.
///
/// # Errors
/// [`Error::Shape`] for an address that leads elsewhere than allowed; [`Error::Unavailable`] where nothing useful came.
pub(crate) async fn fetch(
    address: &str,
    allowed: &Allowed<'_>,
    timeout: Duration,
    max_bytes: usize,
) -> Result<Bytes, Error> {
    let url = Url::parse(address).map_err(|error| refused(&format!("it is no address: {error}")))?;
    let host = may_be_asked(&url, allowed)?;
    let fetched = async {
        let addresses = resolve(&url, allowed).await?;
        let client = client(&host, &addresses, timeout)?;
        let answer = client.get(url).send().await.map_err(unavailable)?;
        if answer.status().as_u16() != 200 {
            return Err(Error::Unavailable(format!("status {}", answer.status().as_u16())));
        }
        let mut body = BytesMut::new();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(unavailable)?;
            if body.len() + part.len() > max_bytes {
                return Err(Error::Unavailable(format!("more than {max_bytes} bytes")));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    };
    match tokio::time::timeout(timeout, fetched).await {
        Ok(fetched) => fetched,
        Err(_) => Err(Error::Unavailable("no answer in time".to_owned())),
    }
}

fn refused(why: &str) -> Error {
    Error::Shape(format!("an address that is not followed: {why}"))
}

fn unavailable(error: reqwest::Error) -> Error {
    // Without the address, whose query may be a signature.
    Error::Unavailable(super::chain(&error.without_url()))
}

/// The host of an address that may be asked, before its name is resolved.
fn may_be_asked(url: &Url, allowed: &Allowed<'_>) -> Result<String, Error> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it names a user"));
    }
    match allowed {
        Allowed::Practice(base) if url.origin() == base.origin() => Ok(host),
        Allowed::Practice(_) => Err(refused("it is not the practice site's")),
        Allowed::Hosts(is_known) => {
            if url.scheme() != "https" || url.port_or_known_default() != Some(443) {
                return Err(refused("it is not https"));
            }
            match url.host() {
                Some(Host::Domain(name)) if is_known(name) => Ok(host),
                _ => Err(refused(&format!("{host:?} is no host of the site's"))),
            }
        }
    }
}

/// The addresses behind the name, all of which have to be where they may be.
async fn resolve(url: &Url, allowed: &Allowed<'_>) -> Result<Vec<SocketAddr>, Error> {
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .map_err(|error| Error::Unavailable(format!("{name}: {error}")))?
            .collect(),
        None => Vec::new(),
    };
    let is_fine = |address: &SocketAddr| match allowed {
        Allowed::Practice(_) => address.ip().is_loopback(),
        Allowed::Hosts(_) => is_public(address.ip()),
    };
    match found.iter().find(|address| !is_fine(address)) {
        _ if found.is_empty() => Err(Error::Unavailable("its host has no address".to_owned())),
        Some(address) => Err(refused(&format!("it leads to {}", address.ip()))),
        None => Ok(found),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is a guarded constructor: it goes to addresses that were checked"
)]
fn client(host: &str, addresses: &[SocketAddr], timeout: Duration) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .resolve_to_addrs(host, addresses)
        .redirect(Policy::none())
        .no_proxy()
        .timeout(timeout)
        .user_agent(concat!("vintedbot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unavailable)
}

/// Whether an address is one of the public internet, as far as the registries of special addresses say.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(ip) => is_public_v4(ip),
            // Global unicast, without documentation, benchmarking and the like (2001::/23, 2001:db8::/32, 3fff::/20).
            None => {
                let [first, second, ..] = ip.segments();
                let special = first == 0x2001 && (second < 0x200 || second == 0xdb8);
                (0x2000..0x4000).contains(&first) && !special && !(first == 0x3fff && second < 0x1000)
            }
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4 and NAT64.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn is_known(host: &str) -> bool {
        host.ends_with(".pictures.example")
    }

    fn refusal(address: &str, allowed: &Allowed<'_>) -> Option<String> {
        let url = Url::parse(address).expect("an address");
        may_be_asked(&url, allowed).err().map(|error| error.to_string())
    }

    #[test]
    fn only_the_named_hosts_are_asked_and_only_over_https() {
        let allowed = Allowed::Hosts(is_known);
        assert_eq!(refusal("https://a.pictures.example/x.jpg?s=1", &allowed), None);
        for address in [
            "http://a.pictures.example/x.jpg",
            "https://a.pictures.example:8443/x.jpg",
            "https://user@a.pictures.example/x.jpg",
            "https://elsewhere.example/x.jpg",
            "https://127.0.0.1/x.jpg",
            "https://[::1]/x.jpg",
            "file:///etc/passwd",
        ] {
            assert!(refusal(address, &allowed).is_some(), "{address}");
        }
    }

    #[test]
    fn practice_pictures_come_from_the_practice_site_alone() {
        let base = Url::parse("http://127.0.0.1:50052").expect("an address");
        let allowed = Allowed::Practice(&base);
        assert_eq!(refusal("http://127.0.0.1:50052/photos/1/full", &allowed), None);
        for address in [
            "http://127.0.0.1:50051/metrics",
            "http://localhost:50052/photos/1/full",
            "https://127.0.0.1:50052/photos/1/full",
            "http://192.168.1.1:50052/photos/1/full",
        ] {
            assert!(refusal(address, &allowed).is_some(), "{address}");
        }
    }

    #[test]
    fn addresses_of_this_machine_and_of_inner_networks_are_not_public() {
        for ip in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
        for ip in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_not_followed() {
        let url = Url::parse("https://localhost/x.jpg").expect("an address");
        let resolved = resolve(&url, &Allowed::Hosts(|_| true)).await;
        assert!(matches!(resolved, Err(Error::Shape(_))), "{resolved:?}");
    }

    /// A server that answers every request with this, and goes on with `more` for as long as it is listened to. Counts who came.
    async fn server(head: String, more: &'static [u8]) -> (Url, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}/x.jpg", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).await;
                let mut written = stream.write_all(head.as_bytes()).await;
                while written.is_ok() && !more.is_empty() {
                    written = stream.write_all(more).await;
                }
            }
        });
        (url.parse().expect("an address"), asked)
    }

    async fn fetched(url: &Url) -> Result<Bytes, Error> {
        let allowed = Allowed::Practice(url);
        fetch(url.as_str(), &allowed, Duration::from_secs(10), 10_000).await
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_wherever_it_leads() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let (elsewhere, asked) = server(good.to_owned(), b"").await;
        assert_eq!(fetched(&elsewhere).await.expect("a body"), "ok");
        for status in [301, 302, 303, 307, 308] {
            let head =
                format!("HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
            let (redirecting, came) = server(head, b"").await;
            let answer = fetched(&redirecting).await;
            assert!(
                matches!(answer, Err(Error::Unavailable(_))),
                "{status}: {answer:?}"
            );
            assert_eq!(came.load(Ordering::SeqCst), 1);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "by us, before the redirects");
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_read_to_its_end() {
        for (head, more) in [
            // One that says so, one that says nothing, and one in parts; none of them ends.
            ("content-length: 1000000000000", b"xxxxxxxx".as_slice()),
            ("connection: close", b"xxxxxxxx".as_slice()),
            ("transfer-encoding: chunked", b"8\r\nxxxxxxxx\r\n".as_slice()),
        ] {
            let (url, _) = server(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"), more).await;
            match fetched(&url).await {
                Err(Error::Unavailable(why)) => assert!(why.contains("more than 10000 bytes"), "{why}"),
                other => panic!("{head}: {other:?}"),
            }
        }
    }
}
