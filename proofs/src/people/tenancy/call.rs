//! Calls of any method with an encoded request.

use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use vintedbot_sdk::v1::WatchResponse;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::{Client, Error};

/// What a caller sees of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: Code,
    /// The name of the error reason; empty for a response.
    pub reason: String,
    /// The message of the error with its violations, or the encoded response.
    pub text: String,
}

impl Answer {
    /// Replaces an id, so that answers about different ids can be compared.
    pub fn without(self, id: &str) -> Self {
        Self {
            text: self.text.replace(id, "<id>"),
            ..self
        }
    }
}

/// Calls a method that answers once.
pub async fn unary(client: &Client, path: &'static str, request: Vec<u8>) -> Answer {
    answer(response(client, path, request).await)
}

/// Calls `Watch`. The text of the answer names the resources of the snapshot.
pub async fn watch(client: &Client, path: &'static str, request: Vec<u8>) -> Answer {
    answer(snapshot(client, path, request).await)
}

async fn response(client: &Client, path: &'static str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut grpc = Grpc::new(client.channel());
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(path);
    let answer = grpc.unary(Request::new(request), path, Bytes).await?;
    Ok(answer.into_inner())
}

async fn snapshot(client: &Client, path: &'static str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut grpc = Grpc::new(client.channel());
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(path);
    let answer = grpc.server_streaming(Request::new(request), path, Bytes).await?;
    let (mut stream, mut resources) = (answer.into_inner(), Vec::new());
    while let Some(message) = stream.message().await? {
        let message = WatchResponse::decode(message.as_slice());
        let message = message.map_err(|error| Status::internal(error.to_string()))?;
        match message.message {
            Some(Message::Snapshot(one)) => {
                resources.push(format!("{} {}\n", one.resource_type, one.resource_id));
            }
            Some(Message::SnapshotEnd(_)) => break,
            _ => {}
        }
    }
    resources.sort_unstable();
    Ok(resources.concat().into_bytes())
}

fn answer(called: Result<Vec<u8>, Status>) -> Answer {
    let status = match called {
        Ok(response) => {
            return Answer {
                code: Code::Ok,
                reason: String::new(),
                text: String::from_utf8_lossy(&response).into_owned(),
            };
        }
        Err(status) => status,
    };
    let (code, mut text) = (status.code(), status.message().to_owned());
    let mut reason = String::new();
    if let Error::Api {
        reason_name,
        violations,
        ..
    } = Error::from(status)
    {
        reason = reason_name;
        for violation in violations {
            text = format!("{text}; {}: {}", violation.field, violation.description);
        }
    }
    Answer { code, reason, text }
}

/// The codec of messages that are encoded already.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; source.remaining()];
        source.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
