//! The bare gRPC server that serves as a yardstick. It answers each call with bytes that it read from a file at start,
//! once or as a stream that stays open. [`Raw`] does not decode messages, so a client that uses it costs little too.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use bytes::{Buf as _, BufMut as _, Bytes};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::load::Target;

/// Serves the bytes of file number N under `/bench.Echo/N`. Under `/bench.Echo/stream/N` it serves them as the only
/// message of a stream. Runs until the process is ended. Prints its address.
///
/// # Errors
///
/// Fails if a file cannot be read or no port is free.
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

/// The bare server in a separate process.
pub struct Bare {
    pub child: Child,
    pub target: Target,
}

impl Bare {
    /// Starts a bare server that answers with `answer`.
    pub async fn start(answer: &Bytes, ours: &Target, folder: &Path) -> Result<Self> {
        let path = folder.join("answer");
        std::fs::write(&path, answer)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("echo")
            .arg(&path)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("the output is not piped")?;
        let url = BufReader::new(output).lines().next_line().await?;
        let target = Target {
            url: url.context("the bare server did not start")?,
            pid: child.id().context("the bare server ended")?,
            authorization: ours.authorization.clone(),
        };
        Ok(Self { child, target })
    }
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
        let mut parts = request.uri().path().rsplit('/');
        let answer = parts
            .next()
            .and_then(|place| self.answers.get(place.parse::<usize>().ok()?))
            .cloned();
        let is_stream = parts.next() == Some("stream");
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw);
            Ok(if is_stream {
                grpc.server_streaming(Answer(answer), request).await
            } else {
                grpc.unary(Answer(answer), request).await
            })
        })
    }
}

struct Answer(Option<Bytes>);

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        std::future::ready(self.take().map(Response::new))
    }
}

impl ServerStreamingService<Bytes> for Answer {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let opened = self.take().map(|first| {
            let stays_open = stream::once(std::future::ready(Ok(first))).chain(stream::pending());
            Response::new(stays_open.boxed())
        });
        std::future::ready(opened)
    }
}

impl Answer {
    fn take(&mut self) -> Result<Bytes, Status> {
        self.0
            .take()
            .ok_or_else(|| Status::unimplemented("no such answer"))
    }
}

/// A codec that passes messages through as bytes.
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
