//! Accounts.

use vintedbot_domain::accounts::{Account, AccountSession, AccountState, Mode, Pause, SessionState};
use vintedbot_domain::inbox::sync::Freshness;
use vintedbot_proto::v1;
use vintedbot_proto::v1::account;

use super::{saturating_i32, saturating_u64, timestamp};
use crate::errors;

pub fn to_proto(source: Account) -> v1::Account {
    v1::Account {
        language: source.language.code().to_owned(),
        mode: mode(source.mode).into(),
        state: state(source.state).into(),
        pause: source.pause.map(pause),
        member_login: source.member_login.unwrap_or_default(),
        member_id: source.member_id.unwrap_or_default(),
        publish_limit_per_minute: source.publish_limit_per_minute.map(saturating_i32),
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        sequence: saturating_u64(source.sequence),
        session: source.session.map(session),
        cooldown_until_time: source.cooldown_until.map(timestamp),
        inbox_freshness: None,
        id: source.id,
        display_name: source.display_name,
        market: source.market,
        site: source.site,
    }
}

/// Converts an account, with the freshness of its inbox.
pub fn with_freshness(source: Account, fresh: Freshness) -> v1::Account {
    v1::Account {
        inbox_freshness: Some(freshness(fresh)),
        ..to_proto(source)
    }
}

pub fn freshness(source: Freshness) -> v1::InboxFreshness {
    v1::InboxFreshness {
        last_read_time: source.last_read_time.map(timestamp),
        next_read_time: source.next_read_time.map(timestamp),
        source: source.source,
        late_reason: source.late_reason.map(errors::reason).unwrap_or_default().into(),
        late_message: source.late_message,
    }
}

fn session(session: AccountSession) -> v1::Session {
    v1::Session {
        state: match session.state {
            SessionState::Active => v1::session::State::Active,
            SessionState::Invalid => v1::session::State::Invalid,
        }
        .into(),
        reason: session.reason.map(errors::reason).unwrap_or_default().into(),
        reason_message: session.message.unwrap_or_default(),
        member_id: session.member_id,
        member_login: session.member_login,
        cookie_names: session.cookie_names,
        generation: session.generation,
        import_time: Some(timestamp(session.import_time)),
        check_time: session.check_time.map(timestamp),
        refresh_time: session.refresh_time.map(timestamp),
        expire_time: session.expire_time.map(timestamp),
    }
}

fn mode(mode: Mode) -> account::Mode {
    match mode {
        Mode::Mock => account::Mode::Mock,
        Mode::Manual => account::Mode::Manual,
        Mode::Automated => account::Mode::Automated,
    }
}

/// Converts the mode in a request.
pub fn from_mode(mode: account::Mode) -> Option<Mode> {
    match mode {
        account::Mode::Unspecified => None,
        account::Mode::Mock => Some(Mode::Mock),
        account::Mode::Manual => Some(Mode::Manual),
        account::Mode::Automated => Some(Mode::Automated),
    }
}

fn state(state: AccountState) -> account::State {
    match state {
        AccountState::Active => account::State::Active,
        AccountState::Paused => account::State::Paused,
    }
}

fn pause(pause: Pause) -> account::Pause {
    account::Pause {
        reason: pause.reason.map(errors::reason).unwrap_or_default().into(),
        message: pause.message,
        time: Some(timestamp(pause.time)),
        publish_job_id: pause.publish_job_id.unwrap_or_default(),
    }
}
