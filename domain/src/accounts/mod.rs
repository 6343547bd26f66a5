//! Marketplace accounts: whose wardrobe is run, in which mode, and whether it may act now.

mod account;
mod connection;
mod create;
mod delete;
mod get;
mod lock;
mod mode;
mod open;
mod pause;
mod quiet;
mod session;
mod update;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

pub(crate) use account::load;
pub use account::{Account, Pause, seat};
pub use connection::{is_left_alone, needs_catalog, queue_all, record_member, seat_of};
pub use create::{NewAccount, create};
pub use delete::delete;
pub(crate) use delete::refuse_open_jobs;
pub use get::{get, list};
pub use lock::{AccountLock, acquire_lock};
pub use mode::{SetMode, any_mock, set_mode};
pub use pause::{pause, resume};
pub use quiet::keep_quiet;
pub use session::{
    AccountSession, Candidate, ImportSession, Imported, SessionSource, StoredSessions, Tried, candidate,
    check_session, checked, forget_session, import_session, require_session, settle_check, settle_import,
};
pub(crate) use update::changed;
pub use update::{Update, update};

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

/// Which of an account's sessions a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionSlot {
    /// In use.
    Current,
    /// Imported, and to be tried on the site before it takes the place of the one in use.
    Candidate,
}

/// Whether a session can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionState {
    Active,
    Invalid,
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
