//! Traces: a call's goes on in the job that it made, at a collector that is a real OTLP server; and one that is away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use vintedbot_sdk::v1::CreateAccountRequest;

use crate::rig::{Home, Instance, PATIENCE};

#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans);
        self.spans.lock().expect("nobody panics").extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Serves on a free port; the address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let service = TraceServiceServer::new(self.clone());
        let served = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(served);
        url
    }

    fn named(&self, name: &str, attribute: (&str, &str)) -> Option<Span> {
        let spans = self.spans.lock().expect("nobody panics");
        let has = |span: &&Span| {
            span.attributes.iter().any(|pair| {
                let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
                pair.key == attribute.0
                    && matches!(value, Some(Value::StringValue(text)) if text == attribute.1)
            })
        };
        spans.iter().filter(|span| span.name == name).find(has).cloned()
    }
}

async fn create_account(instance: &Instance) {
    let request = CreateAccountRequest {
        display_name: "Sophie".into(),
        market: "fr".into(),
        ..Default::default()
    };
    let client = instance.client().await;
    client.accounts().create(request).await.expect("an account");
}

#[tokio::test]
async fn a_calls_trace_goes_on_in_its_job() {
    let collector = Collector::default();
    let url = collector.start().await;
    let home = Home::new();
    let instance = home.start(&[], &[("OTLP_ENDPOINT", &url)]).await;
    create_account(&instance).await;
    let both = async {
        loop {
            let call = collector.named("call", ("method", "/vintedbot.v1.AccountService/CreateAccount"));
            let job = collector.named("job", ("kind", "connect_account"));
            if let (Some(call), Some(job)) = (call, job) {
                return (call, job);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (call, job) = tokio::time::timeout(PATIENCE, both)
        .await
        .expect("both spans come");
    assert_eq!(job.trace_id, call.trace_id, "one trace");
    assert_eq!(job.parent_span_id, call.span_id, "the job is the call's child");
    let token = std::fs::read_to_string(&instance.token_file).expect("the token");
    let everything = format!("{:?}", collector.spans.lock().expect("nobody panics"));
    assert!(!everything.contains(token.trim()), "a secret is traced");
    assert!(instance.stop().await.success());
}

#[tokio::test]
async fn a_collector_that_is_away_is_said_once_and_holds_nothing_up() {
    let home = Home::new();
    let instance = home.start(&[], &[("OTLP_ENDPOINT", "http://127.0.0.1:9")]).await;
    for _ in 0..3 {
        create_account(&instance).await;
        // Long enough for a batch of its own.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    assert!(instance.stop().await.success());
    let log = home.log();
    assert_eq!(
        log.matches("traces cannot be sent to OTLP_ENDPOINT").count(),
        1,
        "{log}"
    );
}
