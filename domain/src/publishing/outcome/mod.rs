//! Recording the outcome of an attempt (`next`), of an effect (`effect`) and of a job (`ended`).

mod effect;
mod ended;
mod next;

pub use effect::{
    NO_EFFECT_OBSERVED, clicks_without_trace, draft_gone, draft_saved, effect, found_published, not_done,
    published, unconfirmed,
};
pub(super) use effect::{load_open, settle, watch};
pub(super) use ended::{Ended, end_in};
pub use next::{FollowUp, conclude};
