//! TLS from the real program: a receiver with a certificate that the machine trusts, and one without.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_util::task::AbortOnDropHandle;
use vintedbot_proofs::instance::{Browser, Instance, Practice, Setup};
use vintedbot_proofs::receiver::Receiver;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::webhook_delivery::State;

use crate::stage::until;

/// A TLS proxy in front of a receiver.
struct Tls {
    url: String,
    certificate: String,
    _task: AbortOnDropHandle<()>,
}

impl Tls {
    async fn before(receiver: &Receiver) -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}/", listener.local_addr()?);
        let receiver = receiver.address;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut outer = acceptor.accept(stream).await?;
                    let mut inner = TcpStream::connect(receiver).await?;
                    tokio::io::copy_bidirectional(&mut outer, &mut inner).await
                });
            }
        });
        Ok(Self {
            url,
            certificate: cert.pem(),
            _task: AbortOnDropHandle::new(task),
        })
    }
}

pub async fn only_trusted_certificates_are_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (known, unknown) = (Receiver::open().await?, Receiver::open().await?);
    let (trusted, stranger) = (Tls::before(&known).await?, Tls::before(&unknown).await?);
    let certificates = folder.path().join("trusted.pem");
    std::fs::write(&certificates, &trusted.certificate)?;
    let practice = Practice::start(&folder.path().join("records.jsonl")).await?;
    let mut instance = Instance::new(Setup {
        data_dir: folder.path().join("data"),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: vec![
            ("WEBHOOK_ALLOWED_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
            ("SSL_CERT_FILE".to_owned(), certificates.display().to_string()),
        ],
    })?;
    instance.start().await?;
    let client = Client::builder(instance.url()).token_file(instance.token_file());
    let client = client.build().await?;
    let mut deliveries = Vec::new();
    for url in [&trusted.url, &stranger.url] {
        let made = client.webhooks().create(url, ["template_created"]).await?;
        let endpoint = made.endpoint.context("the endpoint")?;
        deliveries.push(client.webhooks().send_test(&endpoint.id).await?.id);
    }
    let first = until("it is delivered", || async {
        let delivery = client.webhooks().delivery(&deliveries[0]).await?;
        let is_delivered = delivery
            .delivery
            .as_ref()
            .is_some_and(|one| one.state() == State::Delivered);
        Ok(is_delivered.then_some(delivery))
    });
    ensure!(first.await?.attempts.len() == 1, "at the first attempt");
    ensure!(known.arrived().len() == 1, "once");
    ensure!(
        !known.arrived()[0].header("webhook-signature").is_empty(),
        "signed"
    );
    let second = until("it is tried", || async {
        let delivery = client.webhooks().delivery(&deliveries[1]).await?;
        Ok(delivery.attempts.first().cloned())
    });
    let error = second.await?.error;
    ensure!(error.contains("certificate"), "{error}");
    ensure!(
        unknown.arrived().is_empty(),
        "nothing is sent to an untrusted receiver"
    );
    instance.stop().await?;
    practice.stop().await
}
