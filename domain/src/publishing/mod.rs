//! Publishing: prepare, look, confirm, publish exactly once.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

/// Where a publish job stands. The names are those of the contract's `PublishJob.State`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Waits to be prepared.
    Queued,
    /// The form is being filled.
    Preparing,
    /// A person is to look and to confirm.
    AwaitingConfirmation,
    /// Confirmed; waits to be published.
    Confirmed,
    /// The intent to publish is committed.
    Publishing,
    /// What became of the click is not known yet.
    Unconfirmed,
    /// A challenge stopped it.
    Blocked,
    Published,
    Failed,
    Cancelled,
    /// The confirmation was not given in time.
    Expired,
}

impl State {
    /// States that a job does not leave by itself, and that leave its listing free for another job.
    pub const ENDED: [Self; 4] = [Self::Published, Self::Failed, Self::Cancelled, Self::Expired];

    pub fn has_ended(self) -> bool {
        Self::ENDED.contains(&self)
    }
}

/// What an effect does on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EffectKind {
    /// Saves a draft, which nobody but the member sees.
    DraftSave,
    /// Makes the item visible to everybody.
    Publish,
}

/// What is known of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EffectState {
    /// Committed; its holder may be clicking right now.
    Intended,
    Done,
    NotDone,
    /// Its holder has stopped, and the site has to be read.
    Unconfirmed,
}

/// Whether an attempt at the form may still run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ComposerState {
    Open,
    Ended,
}
