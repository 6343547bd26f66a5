//! Clients that hold connections and calls open. They must not block other clients.

use std::time::Duration;

use futures::stream;
use http::uri::PathAndQuery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;
use vintedbot_proto::v1;
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_server::{Config, ConnectionLimits};

use crate::harness::{self, Instance};

/// Longer than any step here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start(connections: ConnectionLimits) -> Instance {
    harness::start_with(Config {
        connections,
        ..Config::default()
    })
    .await
}

/// Opens a connection from an address of this machine.
async fn connect_from(address: &str, instance: &Instance) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(format!("{address}:0").parse().expect("an address"))
        .expect("an address of this machine");
    let server = instance.url.trim_start_matches("http://").parse();
    socket
        .connect(server.expect("an address"))
        .await
        .expect("connects")
}

/// Waits until the server has closed a connection.
async fn closed(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A reset also ends the connection.
    drop(read.expect("the server closes the connection"));
}

async fn get_me(instance: &Instance) -> Result<(), Status> {
    let mut client = AuthServiceClient::new(instance.connect().await);
    let answer = timeout(PATIENCE, client.get_me(v1::GetMeRequest {})).await;
    answer.expect("answers in time").map(drop)
}

/// Opens a Watch on its own connection.
async fn watch(instance: &Instance) -> Result<Streaming<v1::WatchResponse>, Status> {
    let mut client = EventServiceClient::new(instance.connect().await);
    let mut stream = client.watch(v1::WatchRequest::default()).await?.into_inner();
    stream.message().await?;
    Ok(stream)
}

#[tokio::test]
async fn silent_and_slow_connections_are_closed() {
    let instance = start(ConnectionLimits {
        first_request: Duration::from_millis(200),
        ..ConnectionLimits::default()
    })
    .await;
    let mut silent = connect_from("127.0.0.1", &instance).await;
    let mut half = connect_from("127.0.0.1", &instance).await;
    half.write_all(b"GET /health HTTP/1.1\r\nhost: ")
        .await
        .expect("writes");
    let mut preface = connect_from("127.0.0.1", &instance).await;
    preface
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .expect("writes");
    closed(&mut silent).await;
    closed(&mut half).await;
    closed(&mut preface).await;
    get_me(&instance).await.expect("others are answered");
    instance.stop().await;
}

#[tokio::test]
async fn idle_connection_flood_does_not_block_clients() {
    let instance = start(ConnectionLimits {
        total: 8,
        per_address: 8,
        first_request: Duration::from_secs(3_600),
        ..ConnectionLimits::default()
    })
    .await;
    let watching = watch(&instance).await.expect("begins");
    let mut flood = Vec::new();
    for _ in 0..30 {
        flood.push(connect_from("127.0.0.1", &instance).await);
    }
    for _ in 0..3 {
        get_me(&instance).await.expect("an honest call is answered");
    }
    for stream in flood.iter_mut().take(20) {
        closed(stream).await;
    }
    drop(watching);
    instance.stop().await;
}

#[tokio::test]
async fn unauthenticated_calls_hold_no_slot() {
    let instance = start(ConnectionLimits {
        total: 4,
        per_address: 4,
        ..ConnectionLimits::default()
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let channel = tonic::transport::Channel::from_shared(instance.url.clone())
            .expect("a URL")
            .connect()
            .await
            .expect("connects");
        let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
        let mut stream = health
            .watch(tonic_health::pb::HealthCheckRequest::default())
            .await
            .expect("begins")
            .into_inner();
        stream.message().await.expect("is sent");
        open.push(stream);
    }
    get_me(&instance).await.expect("an honest call is answered");
    let ended = timeout(PATIENCE, open[0].message())
        .await
        .expect("the oldest is closed");
    ended.expect_err("the connection is gone");
    instance.stop().await;
}

#[tokio::test]
async fn address_with_many_watches_does_not_block_other_addresses() {
    let instance = start(ConnectionLimits {
        total: 8,
        per_address: 3,
        ..ConnectionLimits::default()
    })
    .await;
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(watch(&instance).await.expect("begins"));
    }
    let mut fourth = connect_from("127.0.0.1", &instance).await;
    closed(&mut fourth).await;
    // A client of another address is answered.
    let mut other = connect_from("127.0.0.2", &instance).await;
    other
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .expect("writes");
    let mut answer = String::new();
    timeout(PATIENCE, other.read_to_string(&mut answer))
        .await
        .expect("answers in time")
        .expect("answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(watches.pop());
    let again = async {
        while get_me_or_refused(&instance).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("there is room again");
    drop(watches);
    instance.stop().await;
}

/// Calls [`get_me`], where the server may also refuse the connection.
async fn get_me_or_refused(instance: &Instance) -> Result<(), ()> {
    let channel = tonic::transport::Channel::from_shared(instance.url.clone()).expect("a URL");
    let channel = channel.connect().await.map_err(drop)?;
    let mut client = AuthServiceClient::with_interceptor(channel, harness::Bearer::new(&instance.token));
    client.get_me(v1::GetMeRequest {}).await.map(drop).map_err(drop)
}

#[tokio::test]
async fn workspace_with_too_many_calls_is_refused_with_the_limit() {
    let instance = start(ConnectionLimits {
        calls_per_workspace: 3,
        ..ConnectionLimits::default()
    })
    .await;
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(watch(&instance).await.expect("begins"));
    }
    let refused = get_me(&instance).await.expect_err("is one too many");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let details = refused.get_error_details();
    let info = details.error_info().expect("a reason");
    assert_eq!(info.reason, "ERROR_REASON_RATE_LIMITED");
    assert_eq!(info.metadata["limit"], "calls_per_workspace");
    assert!(details.retry_info().is_some());
    drop(watches.pop());
    let again = async {
        while get_me(&instance).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("there is room again");
    drop(watches);
    instance.stop().await;
}

#[tokio::test]
async fn address_with_too_many_public_calls_is_refused_with_the_limit() {
    let instance = start(ConnectionLimits {
        calls_per_workspace: 1,
        ..ConnectionLimits::default()
    })
    .await;
    let mut grpc = tonic::client::Grpc::new(instance.connect_as(None).await);
    let unfinished = tokio::spawn(async move {
        loop {
            grpc.ready().await.expect("connected");
            let message = Request::new(stream::pending());
            let path = PathAndQuery::from_static("/vintedbot.v1.AuthService/VerifyEmail");
            let codec = ProstCodec::<v1::VerifyEmailRequest, v1::VerifyEmailResponse>::default();
            // Refused while one of the calls below runs.
            drop(grpc.client_streaming(message, path, codec).await);
        }
    });
    let mut public = AuthServiceClient::new(instance.connect_as(None).await);
    let mut call = async || {
        let answer = public.verify_email(v1::VerifyEmailRequest::default()).await;
        answer.expect_err("has no token")
    };
    let refused = async {
        loop {
            let status = call().await;
            if status.code() == Code::ResourceExhausted {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let refused = timeout(PATIENCE, refused).await.expect("the limit is reached");
    let details = refused.get_error_details();
    let info = details.error_info().expect("a reason");
    assert_eq!(info.reason, "ERROR_REASON_RATE_LIMITED");
    assert_eq!(info.metadata["limit"], "public_calls_per_address");
    assert!(details.retry_info().is_some());
    get_me(&instance).await.expect("a call with a token is answered");
    unfinished.abort();
    let again = async {
        while call().await.code() == Code::ResourceExhausted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("there is room again");
    instance.stop().await;
}
