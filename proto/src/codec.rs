//! The codec of every call: protobuf, with a limit on the fields of a message.
//!
//! An empty entry of a list takes two bytes on the wire and a hundred or more in memory. Messages with photos may have
//! 25 MiB. Without the limit, one message could take gigabytes of memory before any check runs.
use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

/// The maximum number of fields of a message, including its inner messages. A page of the largest response has a tenth
/// of it.
pub const FIELDS_MAX: usize = 200_000;
/// The maximum nesting depth of the contract's messages.
const DEPTH_MAX: usize = 8;

/// Encodes `T` and decodes `U`.
#[derive(Clone, Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        tonic::codec::Codec::encoder(&mut ProstCodec::<T, U>::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

/// Decodes messages of at most [`FIELDS_MAX`] fields.
#[derive(Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let mut left = FIELDS_MAX;
        let whole = source.chunk().len() == source.remaining();
        debug_assert!(whole, "tonic passes a message in one piece");
        if count(source.chunk(), 0, &mut left) == Counted::TooMany && !is_disabled() {
            return Err(Status::invalid_argument(format!(
                "the message has more than {FIELDS_MAX} fields"
            )));
        }
        let message = U::decode(source).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(message))
    }
}

/// Returns whether the failpoint `FAILPOINTS=lists` disables the limit, in builds with debug assertions.
#[cfg(debug_assertions)]
fn is_disabled() -> bool {
    static DISABLED: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var("FAILPOINTS").is_ok_and(|rule| rule == "lists"));
    *DISABLED
}

#[cfg(not(debug_assertions))]
const fn is_disabled() -> bool {
    false
}

#[derive(Debug, PartialEq, Eq)]
enum Counted {
    Fields,
    NotAMessage,
    TooMany,
}

/// Subtracts the fields of a message from `left`. It does not know the schema, so it counts bytes or text that parse as
/// a message as one. Photos and sentences do that for a few fields at most.
fn count(mut bytes: &[u8], depth: usize, left: &mut usize) -> Counted {
    let before = *left;
    while !bytes.is_empty() {
        let Some(inner) = skip_field(&mut bytes) else {
            *left = before;
            return Counted::NotAMessage;
        };
        let Some(fewer) = left.checked_sub(1) else {
            return Counted::TooMany;
        };
        *left = fewer;
        if depth < DEPTH_MAX && count(inner, depth + 1, left) == Counted::TooMany {
            return Counted::TooMany;
        }
    }
    Counted::Fields
}

/// Skips a field. Returns the content of a length-delimited field, an empty slice for other fields, and `None` if the
/// bytes are not a field.
fn skip_field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (_, wire_type) = decode_key(bytes).ok()?;
    let length = match wire_type {
        WireType::Varint => {
            decode_varint(bytes).ok()?;
            return Some(&[]);
        }
        WireType::LengthDelimited => usize::try_from(decode_varint(bytes).ok()?).ok()?,
        WireType::ThirtyTwoBit => return take(bytes, 4).map(|_| &[][..]),
        WireType::SixtyFourBit => return take(bytes, 8).map(|_| &[][..]),
        // proto3 has no groups.
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    fn counted(bytes: &[u8]) -> (Counted, usize) {
        let mut left = FIELDS_MAX;
        let counted = count(bytes, 0, &mut left);
        (counted, FIELDS_MAX - left)
    }

    #[test]
    fn fields_of_inner_messages_are_counted() {
        let request = v1::CreateListingRequest {
            account_id: "a".to_owned(),
            listing: Some(v1::ListingInput {
                photo_ids: vec![String::new(); 5],
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(counted(&request.encode_to_vec()), (Counted::Fields, 7));
    }

    #[test]
    fn message_of_empty_entries_is_refused_at_any_depth() {
        for count in [FIELDS_MAX, 3 * FIELDS_MAX] {
            let request = v1::CreateListingRequest {
                listing: Some(v1::ListingInput {
                    photo_ids: vec![String::new(); count],
                    ..Default::default()
                }),
                ..Default::default()
            };
            assert_eq!(counted(&request.encode_to_vec()).0, Counted::TooMany);
        }
        let few = v1::CreateListingRequest {
            listing: Some(v1::ListingInput {
                photo_ids: vec![String::new(); FIELDS_MAX - 1],
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(counted(&few.encode_to_vec()), (Counted::Fields, FIELDS_MAX));
    }

    #[test]
    fn non_message_bytes_count_as_one_field() {
        let photo: Vec<u8> = (0..1_000_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        let request = v1::UploadPhotoRequest {
            data: photo.into(),
            ..Default::default()
        };
        assert_eq!(counted(&request.encode_to_vec()), (Counted::Fields, 1));
    }
}
