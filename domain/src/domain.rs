//! What every domain function is given.

use std::sync::Arc;

use vintedbot_marketplace::limits::Limits;

use crate::catalog::Catalogs;
use crate::clock::Clock;
use crate::events::Feed;
use crate::ids::Ids;
use crate::jobs::Bell;
use crate::keys::Keys;
use crate::media::files::PhotoFiles;
use crate::media::pipeline;
use crate::settings::Settings;
use crate::store::{AfterCommit, Committed, Store};

/// The domain's parts, shared by everything in this process.
#[derive(Clone)]
pub struct Domain {
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
    pub bell: Bell,
    /// Identifies this database's event log; changes when it is restored or copied.
    pub log_epoch: Arc<str>,
}

/// Wakes watchers and workers of this process after a commit.
pub struct Wakes {
    pub feed: Feed,
    pub bell: Bell,
}

impl AfterCommit for Wakes {
    fn committed(&self, committed: &Committed) {
        self.feed.hint(committed);
        self.bell.ring(&committed.jobs);
    }
}
