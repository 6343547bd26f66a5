//! Wardrobe imports.

use vintedbot_domain::wardrobe::{ImportState, WardrobeImport};
use vintedbot_proto::v1;
use vintedbot_proto::v1::wardrobe_import::State;

use super::{saturating_i32, saturating_u64, timestamp};
use crate::errors;

pub fn to_proto(source: WardrobeImport) -> v1::WardrobeImport {
    v1::WardrobeImport {
        state: state(source.state).into(),
        total: saturating_i32(source.total),
        done: saturating_i32(source.done),
        created: saturating_i32(source.created),
        differing: saturating_i32(source.differing),
        failed: saturating_i32(source.failed),
        reason: source.reason.map(errors::reason).unwrap_or_default().into(),
        reason_message: source.message,
        create_time: Some(timestamp(source.create_time)),
        end_time: source.end_time.map(timestamp),
        sequence: saturating_u64(source.sequence),
        id: source.id,
        account_id: source.account_id,
        problems: source.problems,
    }
}

fn state(state: ImportState) -> State {
    match state {
        ImportState::Queued => State::Queued,
        ImportState::Running => State::Running,
        ImportState::Done => State::Done,
        ImportState::Failed => State::Failed,
    }
}
