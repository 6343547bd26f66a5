//! Starts the server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vintedbot_connector::EgressClient;
use vintedbot_domain::Context;
use vintedbot_server::ConnectionLimits;
use vintedbot_worker::EgressTargets;

use super::descriptors;
use super::lifetime::Part;
use crate::config::Config;

/// Descriptors reserved for the database, the worker, its browsers and the log. A third of the others is for files that
/// calls read and write.
const RESERVE: usize = 256;

/// Starts the server. Returns its address.
pub async fn start(
    config: &Config,
    context: &Context,
    drain: &CancellationToken,
) -> Result<(SocketAddr, Part)> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen = {}", config.listen))?;
    let address = listener.local_addr()?;
    let egress = Arc::new(EgressClient::new(config.webhook_networks()?));
    let settings = vintedbot_server::Config {
        trusted_proxies: config.trusted_proxies()?,
        webhook_targets: Some(Arc::new(EgressTargets(egress))),
        ..settings(config)
    };
    let served = vintedbot_server::serve(listener, context.clone(), settings, drain.clone());
    Ok((address, tokio::spawn(async move { Ok(served.await?) })))
}

fn settings(config: &Config) -> vintedbot_server::Config {
    vintedbot_server::Config {
        allowed_origins: config.allowed_origins(),
        public_url: (!config.public_url.is_empty()).then(|| config.public_url.clone()),
        max_message_bytes: config.limits.max_message_bytes,
        max_upload_bytes: config.limits.max_upload_bytes,
        connections: connections(config, descriptors::raise()),
        spool_dir: Some(config.data_dir.join("spool")),
        ..vintedbot_server::Config::default()
    }
}

/// Returns the limits on connections, with `descriptors` for the whole process.
fn connections(config: &Config, descriptors: usize) -> ConnectionLimits {
    let usable = descriptors.saturating_sub(RESERVE).max(descriptors / 2) / 3 * 2;
    let total = config.limits.max_connections.min(usable);
    if total < config.limits.max_connections {
        tracing::warn!(
            descriptors,
            connections = total,
            "the limit of open files allows fewer connections than MAX_CONNECTIONS"
        );
    }
    // One address must not use all connections, unless both settings are equal.
    let per_address = if config.limits.max_connections_per_address >= config.limits.max_connections {
        total
    } else {
        config.limits.max_connections_per_address.min(total / 4 * 3)
    };
    ConnectionLimits {
        total,
        per_address: per_address.max(1),
        calls_per_workspace: config.limits.max_calls_per_workspace,
        ..ConnectionLimits::default()
    }
}

/// Returns a command for a first call.
pub fn grpcurl_line(token_file: &Path, address: &str) -> String {
    format!(
        "grpcurl -plaintext -H \"authorization: Bearer $(cat {})\" {address} vintedbot.v1.AuthService/GetMe",
        token_file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(descriptors: usize, total: usize, per_address: usize) -> (usize, usize) {
        let mut config = Config::load().expect("the defaults");
        config.limits.max_connections = total;
        config.limits.max_connections_per_address = per_address;
        let limits = connections(&config, descriptors);
        (limits.total, limits.per_address)
    }

    #[test]
    fn connection_limit_leaves_descriptors_for_the_process() {
        assert_eq!(limits(1_024, 4_096, 1_024), (512, 384));
        assert_eq!(limits(64, 4_096, 1_024), (20, 15));
        assert_eq!(limits(1 << 20, 4_096, 1_024), (4_096, 1_024));
        // Behind a proxy.
        assert_eq!(limits(1_024, 4_096, 4_096), (512, 512));
        assert_eq!(limits(1 << 20, 10, 1), (10, 1));
    }
}
