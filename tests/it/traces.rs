//! Traces at a real OTLP collector: the trace of a call continues in the job that it created. Also an unreachable
//! collector.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use vintedbot_sdk::v1::CreateAccountRequest;

use crate::collector::Collector;
use crate::rig::{Home, Instance, PATIENCE};

fn named(collector: &Collector, name: &str, attribute: (&str, &str)) -> Option<Span> {
    let requests = collector.requests().into_iter();
    let scopes = requests
        .flat_map(|request| request.resource_spans)
        .flat_map(|resource| resource.scope_spans);
    let has = |span: &Span| {
        span.attributes.iter().any(|pair| {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            pair.key == attribute.0 && matches!(value, Some(Value::StringValue(text)) if text == attribute.1)
        })
    };
    scopes
        .flat_map(|scope| scope.spans)
        .find(|span| span.name == name && has(span))
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
async fn trace_of_a_call_continues_in_its_job() {
    let (collector, url) = Collector::start().await.expect("a free port");
    let home = Home::new();
    let instance = home.start(&[], &[("OTLP_ENDPOINT", &url)]).await;
    create_account(&instance).await;
    let both = async {
        loop {
            let call = named(
                &collector,
                "call",
                ("method", "/vintedbot.v1.AccountService/CreateAccount"),
            );
            let job = named(&collector, "job", ("kind", "connect_account"));
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
    let everything = format!("{:?}", collector.requests());
    assert!(!everything.contains(token.trim()), "a secret is traced");
    assert!(instance.stop().await.success());
}

#[tokio::test]
async fn unreachable_collector_is_logged_once_and_blocks_nothing() {
    let home = Home::new();
    let instance = home.start(&[], &[("OTLP_ENDPOINT", "http://127.0.0.1:9")]).await;
    for _ in 0..3 {
        create_account(&instance).await;
        // Long enough for a separate batch.
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
