//! Marketplace accounts: their mode, session, account lock, pause and cooldown.

mod account;
mod connection;
mod cooldown;
mod create;
mod delete;
mod get;
mod lock;
mod mode;
mod open;
mod pause;
mod second;
mod session;
mod update;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

pub(crate) use account::load;
pub use account::{Account, Pause, account_context};
pub use connection::{
    account_context_of, is_paused_or_cooling_down, needs_catalog, queue_all, record_member,
};
pub use cooldown::start_cooldown;
pub use create::{NewAccount, create};
pub use delete::delete;
pub(crate) use delete::refuse_open_jobs;
pub use get::{get, list};
pub use lock::{AccountLock, acquire_lock};
pub use mode::{SetMode, any_mock, set_mode};
pub use pause::{pause, resume};
pub use session::{
    AccountSession, Candidate, ImportSession, Imported, SessionSource, StoredSessions, Tried, candidate,
    check_session, checked, forget_session, import_session, require_session, settle_check, settle_import,
};
pub(crate) use update::changed;
pub use update::{Update, update};

/// How far vintedbot may act for an account, and on which site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The account reaches only the practice site on this machine.
    Mock,
    /// A person confirms every write.
    Manual,
    /// Rules and schedules may confirm writes. Requires an opt-in.
    Automated,
}

/// The role of a session row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionSlot {
    /// The session in use.
    Current,
    /// An imported session that is tried on the site before it replaces the current one.
    Candidate,
}

/// Whether a session is usable.
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
    /// No requests are sent to the site until a person resumes the account, for example after a challenge.
    Paused,
}
