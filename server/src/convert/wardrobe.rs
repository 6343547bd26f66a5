//! Imports of a wardrobe.

use vintedbot_domain::wardrobe::{ImportState, WardrobeImport};
use vintedbot_proto::v1;
use vintedbot_proto::v1::wardrobe_import::State;

use super::{small, timestamp, unsigned};
use crate::errors;

pub fn to_proto(source: WardrobeImport) -> v1::WardrobeImport {
    v1::WardrobeImport {
        state: state(source.state).into(),
        total: small(source.total),
        done: small(source.done),
        created: small(source.created),
        differing: small(source.differing),
        failed: small(source.failed),
        reason: source.reason.map(errors::reason).unwrap_or_default().into(),
        reason_message: source.message,
        create_time: Some(timestamp(source.create_time)),
        end_time: source.end_time.map(timestamp),
        sequence: unsigned(source.sequence),
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
