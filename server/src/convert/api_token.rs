//! API tokens.

use vintedbot_domain::identity::ApiToken;
use vintedbot_proto::v1;

use super::{saturating_u64, timestamp};

pub fn to_proto(token: ApiToken) -> v1::ApiToken {
    v1::ApiToken {
        scopes: token.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        create_time: Some(timestamp(token.create_time)),
        expire_time: token.expire_time.map(timestamp),
        last_use_time: token.last_use_time.map(timestamp),
        revoke_time: token.revoke_time.map(timestamp),
        sequence: saturating_u64(token.sequence),
        id: token.id,
        name: token.name,
        parent_id: token.parent_id.unwrap_or_default(),
    }
}
