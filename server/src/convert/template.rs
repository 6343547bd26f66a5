//! Templates.

use vintedbot_domain::inbox::Template;
use vintedbot_proto::v1;

use super::{timestamp, unsigned};

pub fn to_proto(source: Template) -> v1::Template {
    v1::Template {
        variables: source.variables(),
        id: source.id,
        name: source.name,
        text: source.text,
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        sequence: unsigned(source.sequence),
    }
}
