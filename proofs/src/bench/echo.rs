//! The bare gRPC server beside which ours is measured: it answers each call with bytes that it read from a file at start,
//! and does nothing else. [`Raw`] leaves messages as they are, so that a client of it costs little too.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use bytes::{Buf as _, BufMut as _, Bytes};
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Serves each file's bytes under `/bench.Echo/N`, N its place among them, until the process is ended. Prints its address.
///
/// # Errors
///
/// A file cannot be read, or no port is free.
pub async fn serve(answers: &[PathBuf]) -> Result<()> {
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| path.display().to_string());
    let answers = answers.iter().map(read).collect::<Result<Vec<_>>>()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let echo = Echo {
        answers: answers.into_iter().map(Bytes::from).collect(),
    };
    Ok(Server::builder()
        .add_service(echo)
        .serve_with_incoming(incoming)
        .await?)
}

#[derive(Clone)]
struct Echo {
    answers: Vec<Bytes>,
}

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let place = request.uri().path().rsplit('/').next();
        let answer = place
            .and_then(|place| self.answers.get(place.parse::<usize>().ok()?))
            .cloned();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(Answer(answer), request).await) })
    }
}

struct Answer(Option<Bytes>);

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let answer = self
            .0
            .take()
            .ok_or_else(|| Status::unimplemented("there is no such answer"));
        std::future::ready(answer.map(Response::new))
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.reserve(item.len());
        target.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
