use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn registry(total: usize, per_address: usize) -> Registry {
    Registry::new(Limits {
        total,
        per_address,
        ..Limits::default()
    })
}

#[test]
fn full_registry_closes_the_oldest_silent_connection() {
    let registry = registry(2, 2);
    let first = registry.admit(address(HERE)).expect("there is room");
    let second = registry.admit(address(THERE)).expect("there is room");
    let third = registry.admit(address(THERE)).expect("the oldest makes room");
    assert!(first.activity.evicted().is_cancelled());
    assert!(!second.activity.evicted().is_cancelled());
    // The evicted connection has already lost its slot.
    drop(first);
    let _fourth = registry.admit(address(THERE)).expect("the oldest makes room");
    assert!(second.activity.evicted().is_cancelled());
    assert!(!third.activity.evicted().is_cancelled());
}

#[test]
fn connection_with_an_authenticated_call_is_never_evicted() {
    let registry = registry(2, 2);
    let first = registry.admit(address(HERE)).expect("there is room");
    let call = registry
        .authenticated("workspace", Some(&first.activity))
        .expect("the first call");
    let second = registry.admit(address(HERE)).expect("there is room");
    // An unauthenticated call does not protect its connection.
    let _running = second.activity.begin_call();
    let third = registry.admit(address(HERE)).expect("the second makes room");
    assert!(second.activity.evicted().is_cancelled());
    let other = registry
        .authenticated("workspace", Some(&third.activity))
        .expect("the second call");
    assert!(registry.admit(address(HERE)).is_none());
    assert!(!first.activity.evicted().is_cancelled());
    drop(call);
    registry.admit(address(HERE)).expect("the first makes room");
    assert!(first.activity.evicted().is_cancelled());
    drop(other);
}

#[test]
fn connection_that_once_authenticated_is_evicted_last() {
    let registry = registry(3, 3);
    let known = registry.admit(address(HERE)).expect("there is room");
    drop(registry.authenticated("workspace", Some(&known.activity)));
    let strangers: Vec<_> = (0..2)
        .map(|_| registry.admit(address(HERE)).expect("there is room"))
        .collect();
    let _first = registry.admit(address(HERE)).expect("a stranger makes room");
    let _second = registry.admit(address(HERE)).expect("a stranger makes room");
    assert!(
        strangers
            .iter()
            .all(|slot| slot.activity.evicted().is_cancelled())
    );
    assert!(!known.activity.evicted().is_cancelled());
}

#[test]
fn full_address_evicts_among_its_own_connections() {
    let registry = registry(10, 2);
    let elsewhere = registry.admit(address(THERE)).expect("there is room");
    let first = registry.admit(address(HERE)).expect("there is room");
    let _second = registry.admit(address(HERE)).expect("there is room");
    let _third = registry.admit(address(HERE)).expect("the first makes room");
    assert!(first.activity.evicted().is_cancelled());
    assert!(!elsewhere.activity.evicted().is_cancelled());
}

#[test]
fn addresses_of_one_ipv6_network_count_together() {
    let registry = registry(10, 1);
    let first = registry.admit(address("2001:db8::1")).expect("there is room");
    let other = registry.admit(address("2001:db8:0:1::1")).expect("there is room");
    let _second = registry
        .admit(address("2001:db8::2"))
        .expect("the first makes room");
    assert!(first.activity.evicted().is_cancelled());
    assert!(!other.activity.evicted().is_cancelled());
    // An IPv4-mapped IPv6 address counts as the IPv4 address.
    let first = registry.admit(address(HERE)).expect("there is room");
    let _second = registry
        .admit(address("::ffff:192.0.2.1"))
        .expect("the first makes room");
    assert!(first.activity.evicted().is_cancelled());
}

#[test]
fn calls_of_a_workspace_are_counted_until_they_end() {
    let registry = Registry::new(Limits {
        calls_per_workspace: 1,
        ..Limits::default()
    });
    let call = registry.authenticated("one", None).expect("the first call");
    assert!(registry.authenticated("one", None).is_none());
    let _other = registry.authenticated("another", None).expect("its first call");
    drop(call);
    registry.authenticated("one", None).expect("the first has ended");
}

#[test]
fn public_calls_of_an_address_are_counted_until_they_end() {
    let registry = Registry::new(Limits {
        calls_per_workspace: 1,
        ..Limits::default()
    });
    let call = registry.public(Some(address(HERE))).expect("the first call");
    assert!(registry.public(Some(address(HERE))).is_none());
    let _other = registry.public(Some(address(THERE))).expect("its first call");
    let _workspace = registry.authenticated("one", None).expect("its first call");
    drop(call);
    registry.public(Some(address(HERE))).expect("the first has ended");
}

/// Returns both ends of a connection.
async fn connected(limits: Limits) -> (Connection, TcpStream, Registry) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound"))
        .await
        .expect("connects");
    let registry = Registry::new(limits);
    let accepted = accept(listener, registry.clone());
    let mut accepted = std::pin::pin!(accepted);
    let connection = accepted.next().await.expect("never ends").expect("accepts");
    (connection, client, registry)
}

#[tokio::test]
async fn client_that_reads_nothing_is_closed() {
    let limits = Limits {
        stalled: Duration::from_millis(50),
        ..Limits::default()
    };
    let (mut connection, _client, _) = connected(limits).await;
    let bytes = vec![0; 64 << 20];
    let error = connection.write_all(&bytes).await.expect_err("is closed");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn idle_connection_is_closed_unless_it_has_a_call() {
    let limits = Limits {
        first_request: Duration::from_millis(50),
        idle: Duration::from_millis(100),
        ..Limits::default()
    };
    let (mut connection, _client, _) = connected(limits).await;
    let call = connection.activity().begin_call();
    let read = tokio::time::timeout(Duration::from_millis(300), connection.read_u8()).await;
    assert!(read.is_err(), "a connection with a call stays open");
    drop(call);
    let error = connection.read_u8().await.expect_err("is closed");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn evicted_connection_ends_at_once() {
    let limits = Limits {
        total: 1,
        ..Limits::default()
    };
    let (mut connection, _client, registry) = connected(limits).await;
    let evict = async {
        tokio::task::yield_now().await;
        registry.admit(address(HERE)).expect("the first makes room")
    };
    let (read, _slot) = tokio::join!(connection.read_u8(), evict);
    assert_eq!(read.expect_err("is closed").kind(), ErrorKind::ConnectionAborted);
}
