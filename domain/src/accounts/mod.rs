//! Marketplace accounts: whose wardrobe is run, in which mode, and whether it may act now.

mod lock;
mod pause;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

pub use lock::{AccountLock, acquire_lock};
pub use pause::pause;

/// What may be done without a person, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only ever reaches the practice site on this machine.
    Mock,
    /// A person confirms every write.
    Manual,
    /// Rules and schedules may confirm; opt-in.
    Automated,
}

/// Whether an account may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountState {
    Active,
    /// A challenge stopped it; nothing happens until a person resumes it.
    Paused,
}
