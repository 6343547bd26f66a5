//! Maps errors of the pipeline to error reasons of the contract.

use super::pipeline;
use crate::{Error, Reason};

/// Returns the error for a photo that cannot be used, with the reason and metadata of the contract. Errors of the
/// server stay internal.
pub(super) fn photo_error(error: pipeline::Error, index: usize, file_name: &str) -> Error {
    use pipeline::Error as E;
    let reason = match &error {
        E::NotAnImage | E::Corrupt { .. } => Reason::PhotoNotAnImage,
        E::Unsupported { .. } => Reason::PhotoFormatUnsupported,
        E::Truncated => Reason::PhotoTruncated,
        E::TooManyBytes { .. } => Reason::PhotoTooLarge,
        E::TooManyPixels { .. }
        | E::SideTooLong { .. }
        | E::TooNarrow { .. }
        | E::TooDense { .. }
        | E::TooMuchMemory { .. } => Reason::PhotoTooManyPixels,
        E::Encode { .. } | E::Stopped | E::Unreadable { .. } => return error.into(),
    };
    let rejected = Error::rejected(reason, error.to_string())
        .with("index", index.to_string())
        .with("file_name", file_name);
    match error {
        E::Unsupported { found } => rejected.with("format", found),
        E::TooManyBytes { limit, .. } => rejected.with("max_bytes", limit.to_string()),
        E::TooManyPixels { width, height, limit } => {
            sized(rejected, width, height).with("max_pixels", limit.to_string())
        }
        E::SideTooLong { width, height, limit } => {
            sized(rejected, width, height).with("max_side", limit.to_string())
        }
        E::TooNarrow { width, height, limit } => {
            sized(rejected, width, height).with("max_ratio", limit.to_string())
        }
        E::TooDense {
            width, height, limit, ..
        } => sized(rejected, width, height).with("max_pixels_per_byte", limit.to_string()),
        E::TooMuchMemory {
            width, height, limit, ..
        } => sized(rejected, width, height).with("max_memory_bytes", limit.to_string()),
        _ => rejected,
    }
}

fn sized(rejected: Error, width: u32, height: u32) -> Error {
    rejected
        .with("width", width.to_string())
        .with("height", height.to_string())
}
