//! The worker: what happens in the background.

use std::sync::Arc;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::{Connector, Outside};
use vintedbot_domain::Domain;
use vintedbot_domain::jobs::Kind;
use vintedbot_worker::{Relay, Worker};

use super::lifetime::Part;
use crate::config::Config;

/// Which work it takes, and how much.
pub struct Share {
    pub name: Option<String>,
    pub kinds: Vec<Kind>,
    pub concurrency: usize,
}

impl Share {
    /// Everything, as the settings say how much.
    pub fn whole(config: &Config) -> Self {
        Self {
            name: None,
            kinds: Kind::all(),
            concurrency: config.concurrency,
        }
    }
}

/// Begins to work.
pub fn start(
    config: &Config,
    domain: &Domain,
    connector: &Arc<Connector>,
    share: Share,
    relay: Option<Arc<Relay>>,
    drain: &CancellationToken,
) -> Result<Part> {
    let settings = vintedbot_worker::Config {
        concurrency: share.concurrency,
        work_dir: config.data_dir.join("attempts"),
        host: config.host(),
        sync_interval_ms: config.sync_interval_min * 60_000,
    };
    let outside = Arc::new(Outside::new(config.webhook_networks()?));
    let worker = Worker::new(domain.clone(), connector.clone(), settings, drain.clone())
        .with_webhooks(outside)
        .named(share.name)
        .sole(config.locks_database())
        .of_kinds(share.kinds)
        .with_relay(relay);
    Ok(tokio::spawn(async move { Ok(worker.run().await?) }))
}

/// The kinds that a list names, each once; without a list: all.
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
            bail!("--kinds: there is no kind {name}; there are {}", names.join(", "));
        };
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    if kinds.is_empty() {
        bail!("--kinds names none; leave it out for all of them");
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
    fn kinds_are_named_as_people_read_them_and_a_wrong_one_is_told_the_others() {
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
