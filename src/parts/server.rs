//! The server: what clients call.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vintedbot_connector::Outside;
use vintedbot_domain::Domain;
use vintedbot_worker::OutsideTargets;

use super::lifetime::Part;
use crate::config::Config;

/// Begins to serve. Says where.
pub async fn start(
    config: &Config,
    domain: &Domain,
    drain: &CancellationToken,
) -> Result<(SocketAddr, Part)> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen = {}", config.listen))?;
    let address = listener.local_addr()?;
    let outside = Arc::new(Outside::new(config.webhook_networks()?));
    let settings = vintedbot_server::Config {
        webhook_targets: Some(Arc::new(OutsideTargets(outside))),
        ..settings(config)
    };
    let served = vintedbot_server::serve(listener, domain.clone(), settings, drain.clone());
    Ok((address, tokio::spawn(async move { Ok(served.await?) })))
}

fn settings(config: &Config) -> vintedbot_server::Config {
    let origins = config
        .allowed_origins
        .split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty());
    vintedbot_server::Config {
        allowed_origins: origins.map(str::to_owned).collect(),
        public_url: (!config.public_url.is_empty()).then(|| config.public_url.clone()),
        max_message_bytes: config.max_message_bytes,
        max_upload_bytes: config.max_upload_bytes,
        ..vintedbot_server::Config::default()
    }
}

/// A first call to make.
pub fn grpcurl_line(token_file: &Path, address: &str) -> String {
    format!(
        "grpcurl -plaintext -H \"authorization: Bearer $(cat {})\" {address} vintedbot.v1.AuthService/WhoAmI",
        token_file.display()
    )
}
