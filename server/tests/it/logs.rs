//! The log records of a call, and the secrets that the log must never contain.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use vintedbot_proto::v1;
use vintedbot_proto::v1::account_service_client::AccountServiceClient;
use vintedbot_proto::v1::media_service_client::MediaServiceClient;

use crate::harness::{self, http, jpeg};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn call_log_has_method_code_request_id_and_no_secret() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        // The program logs nothing below INFO from libraries.
        .with_env_filter("info,vintedbot_server=trace,vintedbot_domain=trace,vintedbot_marketplace=trace")
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // This whole test runs on one thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let instance = harness::start().await;
    let mut accounts = AccountServiceClient::new(instance.connect().await);
    let mut request = tonic::Request::new(v1::GetAccountRequest::default());
    request
        .metadata_mut()
        .insert("x-request-id", "look-for-me".parse().expect("ASCII"));
    accounts.get_account(request).await.expect_err("is refused");
    let mut media = MediaServiceClient::new(instance.connect().await);
    let address = media
        .create_upload_url(v1::CreateUploadUrlRequest::default())
        .await
        .expect("an address");
    let upload = address.into_inner().url;
    let stored: serde_json::Value = http()
        .put(&upload)
        .body(jpeg(1))
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("JSON");
    let photo = stored["photo"]["url"].as_str().expect("an address").to_owned();
    assert_eq!(http().get(&photo).send().await.expect("answers").status(), 200);
    let token = instance.token.clone();
    instance.stop().await;

    let text = log.text();
    let ours: Vec<_> = text.lines().filter(|line| line.contains("answered")).collect();
    let of_call = ours
        .iter()
        .find(|line| line.contains("look-for-me"))
        .expect("the call's line");
    assert!(
        of_call.contains("/vintedbot.v1.AccountService/GetAccount") && of_call.contains("InvalidArgument")
    );
    assert!(
        ours.iter()
            .any(|line| line.contains("/media/upload/{signed}") && line.contains("200")),
        "{ours:?}"
    );
    let signed = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    for secret in [token, signed(&upload), signed(&photo)] {
        let lines: Vec<_> = text.lines().filter(|line| line.contains(&secret)).collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}
