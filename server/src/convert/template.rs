//! Templates.

use vintedbot_domain::inbox::Template;
use vintedbot_proto::v1;

use super::{saturating_u64, timestamp};

pub fn to_proto(source: Template) -> v1::Template {
    v1::Template {
        variables: source.variables(),
        id: source.id,
        name: source.name,
        text: source.text,
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        sequence: saturating_u64(source.sequence),
    }
}
