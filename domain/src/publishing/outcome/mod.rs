//! Writing down what became of an attempt, of an effect and of a job: each a file.

mod effect;
mod ended;
mod next;

pub use effect::{
    TRACELESS, clicks_without_trace, draft_gone, draft_saved, effect, found_published, not_done, published,
    unconfirmed,
};
pub(super) use effect::{load_open, settle, watch};
pub(super) use ended::{Ended, end_in};
pub use next::{Next, conclude};
