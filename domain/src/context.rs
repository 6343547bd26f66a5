//! The context that every domain function takes.

use std::sync::Arc;

use vintedbot_marketplace::limits::Limits;

use crate::catalog::Catalogs;
use crate::clock::Clock;
use crate::events::Feed;
use crate::identity::People;
use crate::ids::Ids;
use crate::jobs::JobNotifier;
use crate::keys::Keys;
use crate::media::files::PhotoFiles;
use crate::media::pipeline;
use crate::settings::Settings;
use crate::store::{AfterCommit, Committed, Store};

/// The domain's services and settings, shared by all code in this process.
#[derive(Clone)]
pub struct Context {
    pub store: Store,
    pub keys: Arc<Keys>,
    pub files: Arc<PhotoFiles>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub settings: Arc<Settings>,
    pub limits: Arc<Limits>,
    pub photo_limits: Arc<pipeline::Limits>,
    pub catalogs: Catalogs,
    pub feed: Feed,
    pub notifier: JobNotifier,
    pub people: Arc<People>,
    /// The id of this database's event log. It changes when the database is restored or copied.
    pub log_epoch: Arc<str>,
}

/// Wakes watchers and workers of this process after a commit.
pub struct Wakes {
    pub feed: Feed,
    pub notifier: JobNotifier,
}

impl AfterCommit for Wakes {
    fn committed(&self, committed: &Committed) {
        self.feed.hint(committed);
        self.notifier.notify(&committed.jobs);
    }
}
