//! Sends webhooks to the addresses that a person configured.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use ipnet::IpNet;
use url::Url;

use super::{Allowed, EgressError, Resolver, SystemResolver, client, may_be_asked, resolve, unavailable};

/// How much of a response's body is stored, in bytes: enough to see what the receiver reports.
const BODY_MAX: usize = 4_096;
const HEADERS_MAX: usize = 8_192;
/// The time limit for reading the body once the status is known. Only the status counts.
const BODY_TIME: Duration = Duration::from_secs(3);
/// The maximum number of cached clients, each with its connections.
const CLIENTS_MAX: usize = 256;

/// Sends webhooks to public addresses, and to the networks that the operator allows.
#[derive(Debug)]
pub struct EgressClient {
    networks: Vec<IpNet>,
    resolver: Arc<dyn Resolver>,
    /// By origin. A client is used as long as the name has the same addresses.
    clients: Mutex<HashMap<String, (Vec<SocketAddr>, reqwest::Client)>>,
}

/// The request to send.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    pub url: &'a str,
    pub headers: &'a [(String, String)],
    pub body: Bytes,
    /// The time limit for the receiver's response.
    pub timeout: Duration,
}

/// The response of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Whether the response was longer than the stored part, or did not end in time.
    pub truncated: bool,
}

impl EgressClient {
    /// Creates a client that may also reach these internal networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self::resolving_by(networks, Arc::new(SystemResolver))
    }

    /// Creates a client with the given resolver, for tests.
    pub fn resolving_by(networks: Vec<IpNet>, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            networks,
            resolver,
            clients: Mutex::default(),
        }
    }

    /// Checks whether a webhook may be sent to an address.
    ///
    /// # Errors
    /// The reason, as text.
    pub async fn check(&self, address: &str) -> Result<(), String> {
        self.addresses(address).await.map(drop).map_err(why)
    }

    /// Sends a request and waits for its response. The name is resolved and checked for every request.
    ///
    /// # Errors
    /// The reason why no response arrived, as text.
    pub async fn post(&self, post: Post<'_>) -> Result<Received, String> {
        let answered = async {
            let (url, addresses) = self.addresses(post.url).await?;
            let mut request = self.client(&url, addresses)?.post(url).body(post.body);
            for (name, value) in post.headers {
                request = request.header(name, value);
            }
            request.send().await.map_err(unavailable)
        };
        match tokio::time::timeout(post.timeout, answered).await {
            Ok(answer) => Ok(received(answer.map_err(why)?).await),
            Err(_) => Err(format!("no answer within {} s", post.timeout.as_secs_f32())),
        }
    }

    async fn addresses(&self, address: &str) -> Result<(Url, Vec<SocketAddr>), EgressError> {
        let url = Url::parse(address)
            .map_err(|error| EgressError::Refused(format!("the address is not a valid URL: {error}")))?;
        let allowed = Allowed::Receivers(&self.networks);
        may_be_asked(&url, &allowed)?;
        let mut addresses = resolve(&url, &allowed, &*self.resolver).await?;
        addresses.sort_unstable();
        Ok((url, addresses))
    }

    /// Returns a client that reaches these addresses only. Reuses the previous client if its addresses are the same,
    /// because its connections lead there already.
    fn client(&self, url: &Url, addresses: Vec<SocketAddr>) -> Result<reqwest::Client, EgressError> {
        let origin = url.origin().ascii_serialization();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = clients.get(&origin)
            && *known == addresses
        {
            return Ok(client.clone());
        }
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        let fresh = client(&addresses)?;
        clients.insert(origin, (addresses, fresh.clone()));
        Ok(fresh)
    }
}

fn why(error: EgressError) -> String {
    match error {
        EgressError::Refused(why) | EgressError::Unavailable(why) => why,
    }
}

/// Stores the beginning of a response and leaves the rest unread.
async fn received(answer: reqwest::Response) -> Received {
    let mut response = Received {
        status: answer.status().as_u16(),
        ..Received::default()
    };
    let mut size = 0;
    for (name, value) in answer.headers() {
        size += name.as_str().len() + value.len();
        if size > HEADERS_MAX {
            response.truncated = true;
            break;
        }
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        response.headers.push((name.as_str().to_owned(), value));
    }
    let mut body = BytesMut::new();
    let mut parts = answer.bytes_stream();
    let read = async {
        while let Some(part) = parts.next().await {
            let Ok(part) = part else { return false };
            let fits = part.len().min(BODY_MAX - body.len());
            body.extend_from_slice(&part[..fits]);
            if fits < part.len() {
                return false;
            }
        }
        true
    };
    response.truncated |= !tokio::time::timeout(BODY_TIME, read).await.unwrap_or(false);
    response.body = String::from_utf8_lossy(&body).into_owned();
    // Replacing invalid UTF-8 makes the text longer.
    response
        .body
        .truncate(response.body.floor_char_boundary(BODY_MAX));
    response
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    /// Resolves the names of the tests, one of which also leads inside.
    #[derive(Debug)]
    struct Names;

    #[async_trait]
    impl Resolver for Names {
        async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
            let ips: &[&str] = match host {
                "public.example" | "public.example." => &["1.1.1.1"],
                "inside.example" | "inside.example." => &["1.1.1.1", "10.0.0.7"],
                "localhost" | "localhost." => &["127.0.0.1"],
                _ => &[],
            };
            Ok(ips
                .iter()
                .map(|ip| SocketAddr::new(ip.parse().expect("an address"), port))
                .collect())
        }
    }

    fn outside(networks: &[&str]) -> EgressClient {
        let networks = networks
            .iter()
            .map(|one| one.parse().expect("a network"))
            .collect();
        EgressClient::resolving_by(networks, Arc::new(Names))
    }

    #[tokio::test]
    async fn a_receiver_is_on_the_public_internet_behind_https() {
        let outside = outside(&[]);
        for fine in [
            "https://public.example/hook?x=1",
            "https://public.example:8443/",
            "https://public.example./",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(outside.check(fine).await, Ok(()), "{fine}");
        }
    }

    #[tokio::test]
    async fn an_address_inside_is_refused_in_every_spelling() {
        let outside = outside(&[]);
        for inside in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://127.0.0.1%2e/",
            "https://%31%32%37.0.0.1/",
            "https://127。0。0。1/",
            "https://①②⑦.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[64:ff9b:1::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[ff02::1]/",
            "https://[2001:db8::1]/",
            "https://0.0.0.0/",
            "https://0/",
            "https://10.0.0.1/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.64.0.1/",
            "https://192.0.2.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
            "https://inside.example/",
            "https://inside.example./",
            "https://user@public.example/",
            "https://user:word@public.example/",
            "https://public.example@127.0.0.1/",
            "http://public.example/",
            "https://public.example:22/",
            "https://public.example:25/",
            "https://public.example:80/",
            "https://public.example:0/",
            "ftp://public.example/",
            "file:///etc/passwd",
            "gopher://public.example/",
            "https://unknown.example/",
            "https://",
            "public.example",
            "",
        ] {
            assert!(outside.check(inside).await.is_err(), "{inside}");
        }
    }

    #[tokio::test]
    async fn networks_that_the_operator_names_are_reached_also_without_tls_and_no_others() {
        let outside = outside(&["10.0.0.0/8", "1.1.1.1/32"]);
        for (address, fine) in [
            ("http://10.0.0.7:8080/", true),
            ("http://10.0.0.7/", true),
            ("https://[::ffff:10.0.0.7]/", true),
            ("http://inside.example/", true),
            ("http://10.0.0.7:22/", false),
            ("http://127.0.0.1:8080/", false),
            ("http://[::1]:8080/", false),
            ("https://192.168.0.1/", false),
            ("http://8.8.8.8/", false),
        ] {
            assert_eq!(outside.check(address).await.is_ok(), fine, "{address}");
        }
    }
}
