//! A collector of traces, for which every span is only a text.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Everything that was sent.
#[derive(Clone, Default)]
pub struct Traces(Arc<Mutex<Vec<String>>>);

impl Traces {
    /// Collects on a free port until the process ends. Answers with the address too.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn collect() -> Result<(Self, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let traces = Self::default();
        let served = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(traces.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(served);
        Ok((traces, url))
    }

    pub fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let text = format!("{:?}", request.into_inner());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
