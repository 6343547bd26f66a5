//! The server: what clients call.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vintedbot_connector::Outside;
use vintedbot_domain::Domain;
use vintedbot_server::ConnectionLimits;
use vintedbot_worker::OutsideTargets;

use super::descriptors;
use super::lifetime::Part;
use crate::config::Config;

/// Descriptors that the database, the worker, its browsers and the log have to themselves. A third of the rest is for the
/// files that calls read and write.
const RESERVE: usize = 256;

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
        connections: connections(config, descriptors::raise()),
        spool_dir: Some(config.data_dir.join("spool")),
        ..vintedbot_server::Config::default()
    }
}

/// The limits on connections, with `descriptors` for the whole process.
fn connections(config: &Config, descriptors: usize) -> ConnectionLimits {
    let usable = descriptors.saturating_sub(RESERVE).max(descriptors / 2) / 3 * 2;
    let total = config.max_connections.min(usable);
    if total < config.max_connections {
        tracing::warn!(
            descriptors,
            connections = total,
            "MAX_CONNECTIONS is more than the open files that this process may have allow"
        );
    }
    // One address does not take all places, unless both settings say the same.
    let per_address = if config.max_connections_per_address >= config.max_connections {
        total
    } else {
        config.max_connections_per_address.min(total / 4 * 3)
    };
    ConnectionLimits {
        total,
        per_address: per_address.max(1),
        calls_per_owner: config.max_calls_per_owner,
        ..ConnectionLimits::default()
    }
}

/// A first call to make.
pub fn grpcurl_line(token_file: &Path, address: &str) -> String {
    format!(
        "grpcurl -plaintext -H \"authorization: Bearer $(cat {})\" {address} vintedbot.v1.AuthService/WhoAmI",
        token_file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(descriptors: usize, total: usize, per_address: usize) -> (usize, usize) {
        let mut config = Config::load().expect("the defaults");
        config.max_connections = total;
        config.max_connections_per_address = per_address;
        let limits = connections(&config, descriptors);
        (limits.total, limits.per_address)
    }

    #[test]
    fn connections_leave_descriptors_to_the_rest_of_the_process() {
        assert_eq!(limits(1_024, 4_096, 1_024), (512, 384));
        assert_eq!(limits(64, 4_096, 1_024), (20, 15));
        assert_eq!(limits(1 << 20, 4_096, 1_024), (4_096, 1_024));
        // Behind a proxy.
        assert_eq!(limits(1_024, 4_096, 4_096), (512, 512));
        assert_eq!(limits(1 << 20, 10, 1), (10, 1));
    }
}
