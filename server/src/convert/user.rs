//! People, their sessions and invitations, and roles.

use vintedbot_domain::identity::{Caller, Invitation, Role, SessionTokens, User, UserSession};
use vintedbot_proto::v1;

use super::{saturating_u64, timestamp};

pub fn to_proto(source: User) -> v1::User {
    v1::User {
        role: role(source.role).into(),
        create_time: Some(timestamp(source.create_time)),
        disable_time: source.disable_time.map(timestamp),
        second_factor_enabled: source.second_factor_enabled,
        sequence: saturating_u64(source.sequence),
        id: source.id,
        email: source.email,
        display_name: source.display_name,
    }
}

/// Converts a session as `caller` sees it.
pub fn session(caller: &Caller, source: UserSession) -> v1::UserSession {
    v1::UserSession {
        current: source.id == caller.credential_id,
        create_time: Some(timestamp(source.create_time)),
        last_use_time: Some(timestamp(source.last_use_time)),
        expire_time: Some(timestamp(source.expire_time)),
        revoke_time: source.revoke_time.map(timestamp),
        sequence: saturating_u64(source.sequence),
        id: source.id,
        user_id: source.user_id,
        device: source.device,
        address: source.address,
    }
}

/// Converts the tokens of a session for a response that contains them.
pub fn tokens(source: &SessionTokens) -> v1::SessionTokens {
    v1::SessionTokens {
        access_token: source.access_token.as_str().to_owned(),
        refresh_token: source.refresh_token.as_str().to_owned(),
        ..token_times(source)
    }
}

/// Converts the tokens of a session for a response that has them in cookies.
pub fn token_times(source: &SessionTokens) -> v1::SessionTokens {
    v1::SessionTokens {
        access_token: String::new(),
        access_expire_time: Some(timestamp(source.access_expire_time)),
        refresh_token: String::new(),
        refresh_expire_time: Some(timestamp(source.refresh_expire_time)),
    }
}

pub fn invitation(source: Invitation) -> v1::Invitation {
    v1::Invitation {
        role: role(source.role).into(),
        create_time: Some(timestamp(source.create_time)),
        expire_time: Some(timestamp(source.expire_time)),
        id: source.id,
        email: source.email,
        inviter_id: source.inviter_id,
    }
}

fn role(role: Role) -> v1::Role {
    match role {
        Role::Viewer => v1::Role::Viewer,
        Role::Member => v1::Role::Member,
        Role::Owner => v1::Role::Owner,
    }
}

/// Converts the role in a request.
pub fn from_role(role: v1::Role) -> Option<Role> {
    match role {
        v1::Role::Unspecified => None,
        v1::Role::Viewer => Some(Role::Viewer),
        v1::Role::Member => Some(Role::Member),
        v1::Role::Owner => Some(Role::Owner),
    }
}
