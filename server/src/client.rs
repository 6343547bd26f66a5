//! The client of a public method: its address and device, for rate limits and the list of sessions.
//!
//! The address is that of the connection's peer. Behind a proxy, every connection comes from the proxy, so a proxy that
//! the operator trusts may name its own peer in `X-Forwarded-For`. Every client can send this header, so only the
//! entries that trusted proxies appended count.

use std::net::{IpAddr, SocketAddr};

use http::header::USER_AGENT;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;
use tonic::Request;
use vintedbot_domain::identity::Client;

use crate::connections::Activity;
use crate::state::ServerState;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Returns the client of a call. `device` is the name in the request; if it is empty, the header `user-agent` counts.
pub fn client<T>(state: &ServerState, request: &Request<T>, device: &str) -> Client {
    let headers: &HeaderMap = request.metadata().as_ref();
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let address = address(state, request.extensions(), headers);
    let named = Client::new(address, device);
    if named.device.is_empty() {
        Client::new(address, agent.unwrap_or_default())
    } else {
        named
    }
}

/// Returns the address of a call's client. Absent if the call came over no connection.
pub fn address(state: &ServerState, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = extensions.get::<Activity>()?.peer();
    Some(last_untrusted(peer, headers, &state.config.trusted_proxies))
}

/// Returns the address of the client behind trusted proxies: the last hop that is not trusted. A malformed hop ends the
/// search at the hop after it.
fn last_untrusted(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let values = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer;
    for hop in hops {
        if !is_trusted(client) {
            break;
        }
        let Some(address) = hop_address(hop) else { break };
        client = address;
    }
    client
}

/// Parses a hop: an address, with a port from some proxies.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Returns the address of a client whose connection comes from `peer`, with one header for each value.
    fn behind(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48"].map(|text| text.parse::<IpNet>().expect("a network"));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(
                X_FORWARDED_FOR,
                HeaderValue::from_bytes(value.as_bytes()).expect("no control bytes"),
            );
        }
        last_untrusted(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn forwarded_header_of_an_untrusted_peer_is_ignored() {
        assert_eq!(behind("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(behind("192.0.2.1", &["10.0.0.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(behind("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn last_untrusted_hop_of_a_chain_is_the_client() {
        assert_eq!(behind("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            behind("10.0.0.1", &["203.0.113.9, 198.51.100.7,10.0.0.2"]),
            "198.51.100.7",
            "the first hop is forged"
        );
        assert_eq!(
            behind("10.0.0.1", &["203.0.113.9", "198.51.100.7", "10.0.0.2"]),
            "198.51.100.7",
            "several headers are one list"
        );
        assert_eq!(behind("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn hops_may_be_ipv6_and_may_have_ports() {
        assert_eq!(behind("2001:db8:1::1", &["2001:db8:2::7"]), "2001:db8:2::7");
        assert_eq!(behind("2001:db8:2::1", &["198.51.100.7"]), "2001:db8:2::1");
        assert_eq!(
            behind("10.0.0.1", &["198.51.100.7, ::ffff:10.0.0.2"]),
            "198.51.100.7"
        );
        assert_eq!(
            behind("10.0.0.1", &["[2001:db8:2::7]:443, 10.0.0.2:80"]),
            "2001:db8:2::7"
        );
    }

    #[test]
    fn malformed_hop_ends_the_search_at_the_hop_after_it() {
        for malformed in [
            "",
            " ",
            "unknown",
            "198.51.100.300",
            "198.51.100.7 x",
            "é",
            "\"10.0.0.9\"",
        ] {
            let header = format!("198.51.100.7, {malformed}, 10.0.0.2");
            assert_eq!(behind("10.0.0.1", &[&header]), "10.0.0.2", "{malformed:?}");
            assert_eq!(behind("10.0.0.1", &[malformed]), "10.0.0.1", "{malformed:?}");
        }
    }

    #[test]
    fn huge_forwarded_header_is_read_from_its_end() {
        let garbage = "x".repeat(100_000);
        assert_eq!(
            behind("10.0.0.1", &[&format!("{garbage}, 198.51.100.7")]),
            "198.51.100.7"
        );
        assert_eq!(behind("10.0.0.1", &[&garbage]), "10.0.0.1");
        assert_eq!(behind("10.0.0.1", &[&"10.0.0.2,".repeat(10_000)]), "10.0.0.1");
        assert_eq!(
            behind(
                "10.0.0.1",
                &[&format!("198.51.100.7{}", ",10.0.0.2".repeat(10_000))]
            ),
            "198.51.100.7"
        );
    }

    #[test]
    fn device_is_cut_and_loses_control_characters() {
        let device = |text: &str| Client::new(None, text).device;
        assert_eq!(device(" Anna's\n\u{1b}[1m phone\u{85} "), "Anna's[1m phone");
        assert_eq!(device(&"é".repeat(200)), "é".repeat(Client::DEVICE_MAX));
        assert_eq!(device("\r\n"), "");
    }
}
