//! A gRPC server whose answers a test scripts call by call, including cut connections.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message;
use prost::bytes::{Buf as _, Bytes};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::transport::Server as Transport;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use vintedbot_sdk::{Client, ErrorReason, RetryPolicy};

/// A call that the server received.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method without its package: `ListingService/GetListing`.
    pub method: String,
    pub headers: HeaderMap,
    /// All messages of its stream; one for a unary call.
    pub messages: Vec<Bytes>,
}

impl Call {
    pub fn message<M: Message + Default>(&self) -> M {
        M::decode(self.messages[0].clone()).expect("the client sends what its types say")
    }
}

/// The server's answer to a call.
pub enum Answer {
    Messages(Vec<Vec<u8>>),
    Refusal(Status),
    /// Sends these messages, then cuts the connection.
    Cut(Vec<Vec<u8>>),
    /// Never answers.
    Silence,
}

impl Answer {
    pub fn message(message: &impl Message) -> Self {
        Self::Messages(vec![message.encode_to_vec()])
    }
}

/// A running server. It stops when dropped.
pub struct Server {
    pub address: String,
    calls: Arc<Mutex<Vec<Call>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts a server that answers the `n`th call (from 1) with `script(n, call)`.
    pub async fn start(script: impl Fn(usize, &Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&calls));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (script, log) = (Arc::clone(&script), Arc::clone(&log));
            async move {
                let call = read(request).await;
                let number = {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push(call.clone());
                    log.len()
                };
                Ok::<_, Infallible>(respond(script(number, &call)).await)
            }
        });
        let task = tokio::spawn(async move {
            let serving = Transport::builder().serve_with_incoming(service, TcpIncoming::from(listener));
            serving.await.expect("it serves until it is dropped");
        });
        Self { address, calls, task }
    }

    /// Returns a client whose retry waits are milliseconds instead of seconds.
    pub fn client(&self) -> Client {
        self.client_with_silence(Duration::from_secs(40))
    }

    /// Returns a client that takes a stream as lost after this silence.
    pub fn client_with_silence(&self, silence: Duration) -> Client {
        let retry = RetryPolicy {
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(50),
            ..RetryPolicy::default()
        };
        let client = Client::builder(&self.address).token("vb_test").retry(retry);
        client
            .timeout(Duration::from_millis(500))
            .silence(silence)
            .lazy()
            .expect("a right address")
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns an error with details, as the server sends it.
pub fn refusal(code: Code, reason: ErrorReason, fill: impl FnOnce(&mut ErrorDetails)) -> Answer {
    let mut details = ErrorDetails::new();
    details.set_error_info(
        reason.as_str_name(),
        "vintedbot",
        [("key".to_owned(), "value".to_owned())],
    );
    fill(&mut details);
    Answer::Refusal(Status::with_error_details(code, "no", details))
}

async fn read(request: Request<Body>) -> Call {
    let method = request
        .uri()
        .path()
        .trim_start_matches("/vintedbot.v1.")
        .to_owned();
    let (parts, body) = request.into_parts();
    let mut bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let mut messages = Vec::new();
    while bytes.remaining() >= 5 {
        bytes.advance(1);
        let length = bytes.get_u32() as usize;
        messages.push(bytes.split_to(length));
    }
    Call {
        method,
        headers: parts.headers,
        messages,
    }
}

async fn respond(answer: Answer) -> Response<Body> {
    let (messages, is_cut) = match answer {
        Answer::Messages(messages) => (messages, false),
        Answer::Cut(messages) => (messages, true),
        Answer::Refusal(status) => return status.into_http(),
        Answer::Silence => std::future::pending().await,
    };
    let frames = messages.into_iter().map(|message| {
        let mut frame = vec![0];
        frame.extend(
            u32::try_from(message.len())
                .expect("tests send little")
                .to_be_bytes(),
        );
        frame.extend(message);
        Ok(http_body::Frame::data(Bytes::from(frame)))
    });
    let end = if is_cut {
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    } else {
        let ok = (
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        );
        Ok(http_body::Frame::trailers(HeaderMap::from_iter([ok])))
    };
    let frames: Vec<_> = frames.collect();
    let end = async move {
        // A reset would overtake messages that are still queued.
        tokio::time::sleep(Duration::from_millis(2)).await;
        end
    };
    let body = StreamBody::new(tokio_stream::iter(frames).chain(futures::stream::once(end)));
    let body = Body::new(body);
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .body(body);
    response.expect("the header is right")
}
