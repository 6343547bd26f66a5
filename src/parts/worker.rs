//! Starts the worker.

use std::sync::Arc;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::{Connector, EgressClient};
use vintedbot_domain::Context;
use vintedbot_domain::jobs::Kind;
use vintedbot_worker::{Relay, Worker};

use super::lifetime::Part;
use crate::config::Config;

/// A worker's share of the work: its job kinds and its concurrency.
pub struct Share {
    pub name: Option<String>,
    pub kinds: Vec<Kind>,
    pub concurrency: usize,
}

impl Share {
    /// All kinds, with the configured concurrency.
    pub fn whole(config: &Config) -> Self {
        Self {
            name: None,
            kinds: Kind::all(),
            concurrency: config.concurrency,
        }
    }
}

/// Starts the worker.
pub fn start(
    config: &Config,
    context: &Context,
    connector: &Arc<Connector>,
    share: Share,
    relay: Option<Arc<Relay>>,
    drain: &CancellationToken,
) -> Result<Part> {
    let settings = vintedbot_worker::Config {
        concurrency: share.concurrency,
        work_dir: config.data_dir.join("attempts"),
        host: config.host(),
        sync_interval_ms: config.sync.interval_ms,
    };
    let egress = Arc::new(EgressClient::new(config.webhook_networks()?));
    let worker = Worker::new(context.clone(), connector.clone(), settings, drain.clone())
        .with_webhooks(egress)
        .named(share.name)
        .sole(config.locks_database())
        .of_kinds(share.kinds)
        .with_relay(relay);
    Ok(tokio::spawn(async move { Ok(worker.run().await?) }))
}

/// Parses a list of job kinds and removes duplicates. An empty list means all kinds.
pub fn kinds(list: &[String]) -> Result<Vec<Kind>> {
    let all = Kind::all();
    if list.is_empty() {
        return Ok(all);
    }
    let mut kinds = Vec::new();
    for name in list
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
    {
        let Some(kind) = all.iter().find(|kind| kind.name() == name) else {
            let names: Vec<_> = all.iter().map(|kind| kind.name()).collect();
            bail!(
                "--kinds: unknown kind {name}; known kinds are {}",
                names.join(", ")
            );
        };
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    if kinds.is_empty() {
        bail!("--kinds names no kind; omit it to run all kinds");
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: &[&str]) -> Result<Vec<Kind>> {
        kinds(&list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn unknown_job_kind_error_lists_the_valid_kinds() {
        assert_eq!(
            named(&["publish", " sync_inbox", "publish"]).expect("known"),
            [Kind::Publish, Kind::SyncInbox]
        );
        assert_eq!(named(&[]).expect("all"), Kind::all());
        assert!(named(&["", " "]).is_err());
        let error = named(&["publishing"]).expect_err("unknown").to_string();
        assert!(
            error.contains("publishing") && error.contains("send_reply"),
            "{error}"
        );
    }
}
