//! Search results.

use vintedbot_domain::search::{Hit, Kind, ListingHit, Segment};
use vintedbot_proto::v1;
use vintedbot_proto::v1::search_result::Kind as ProtoKind;

use super::{listing, timestamp};

pub fn hit(source: Hit) -> v1::SearchResult {
    v1::SearchResult {
        kind: kind(source.kind).into(),
        account_id: source.account_id.unwrap_or_default(),
        thread_id: source.thread_id.unwrap_or_default(),
        message_id: source.message_id.unwrap_or_default(),
        person_id: source.person_id,
        time: Some(timestamp(source.time)),
        snippet: source.snippet.into_iter().map(segment).collect(),
    }
}

pub fn listing_hit(source: ListingHit) -> v1::search_listings_response::Result {
    v1::search_listings_response::Result {
        listing: Some(listing::to_proto(source.listing)),
        snippet: source.snippet.into_iter().map(segment).collect(),
    }
}

fn segment(source: Segment) -> v1::SnippetSegment {
    v1::SnippetSegment {
        text: source.text,
        highlighted: source.highlighted,
    }
}

fn kind(source: Kind) -> ProtoKind {
    match source {
        Kind::Message => ProtoKind::Message,
        Kind::Thread => ProtoKind::Thread,
        Kind::Note => ProtoKind::Note,
        Kind::Person => ProtoKind::Person,
        // Listings have their own search call.
        Kind::Listing => ProtoKind::Unspecified,
    }
}

pub fn from_kind(source: ProtoKind) -> Option<Kind> {
    match source {
        ProtoKind::Unspecified => None,
        ProtoKind::Message => Some(Kind::Message),
        ProtoKind::Thread => Some(Kind::Thread),
        ProtoKind::Note => Some(Kind::Note),
        ProtoKind::Person => Some(Kind::Person),
    }
}
