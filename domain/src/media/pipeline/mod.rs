//! The photo pipeline: turns an uploaded picture into the stored photo.
//!
//! [`process`] reads the size that the file claims and checks it against [`Limits`]. It then checks that the picture is
//! complete, decodes it, shrinks it, turns it upright according to its [`metadata`], and encodes it as JPEG without
//! metadata. The photo gets a SHA-256 hash, which identifies it, and a perceptual hash, which finds near-duplicates
//! ([`likeness`]).
//!
//! A JPEG stays in planes of brightness and colour from decoder to encoder ([`planes`]). This avoids converting pixels
//! to RGB and back, which saves most of the time. A PNG is shrunk while its rows are read ([`png`]). All other pictures
//! are decoded to RGB ([`rgb`]). A file is decoded only after the check of its shape ([`shape`]). The memory that it
//! needs is known before the work starts, and [`work`] limits all photos of the process to one budget.
//!
//! To accept another format, add it to [`Format`], extend [`container`] (is the picture complete), [`metadata`]
//! (orientation), [`shape`] (size and memory) and [`rgb`] (decoding), and add a file to the list in `tests/made.rs`.
//! The tests that cut and damage files use that list.

mod container;
pub mod likeness;
mod metadata;
mod orient;
mod planes;
mod png;
mod rgb;
mod shape;
#[cfg(test)]
mod tests;
pub mod work;

use std::fmt::Write as _;

use bytes::Bytes;
use image::metadata::Orientation;
use sha2::{Digest, Sha256};

use self::container::Body;
pub(super) use self::png::thumbnail_pixels;
pub(super) use self::rgb::resized;
use self::shape::Shape;
pub use self::work::{Source, Stop, process_off_thread};

/// The limits of an uploaded picture and of the stored photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum length of the uploaded file, in bytes.
    pub max_bytes: u64,
    /// The maximum length of the longer side of the uploaded picture, in pixels.
    pub max_source_side: u32,
    /// The maximum ratio of the longer to the shorter side.
    pub max_ratio: u32,
    /// The maximum number of pixels of the uploaded picture.
    pub max_pixels: u64,
    /// The maximum number of pixels per byte of the file. It does not apply to pictures of at most [`SMALL`] pixels.
    pub max_pixels_per_byte: u64,
    /// The maximum memory for decoding and shrinking, including the file, in bytes; at most [`work::MEMORY`].
    pub max_memory: u64,
    /// The maximum length of the longer side of the stored photo, in pixels. Photos are never enlarged.
    pub max_side: u32,
}

/// The number of pixels up to which the limit of pixels per byte does not apply.
pub const SMALL: u64 = 1 << 20;

impl Default for Limits {
    /// Returns the default limits.
    ///
    /// - 25 MiB exceed the largest JPEGs of phones, and 64 megapixels exceed the common sensors of 48 and 50.
    /// - The longest panoramas of phones have 16,384 pixels. A picture with a ratio above 50 shows nothing useful.
    /// - A plain white PNG has about 350 pixels per byte, which no photo comes close to.
    /// - A longer side of 2048 pixels is well above the 800 pixels at which the site shows a photo in its pages.
    fn default() -> Self {
        Self {
            max_bytes: 25 << 20,
            max_source_side: 20_000,
            max_ratio: 50,
            max_pixels: 64_000_000,
            max_pixels_per_byte: 2_000,
            max_memory: work::MEMORY,
            max_side: 2048,
        }
    }
}

/// A supported format, detected from the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
}

/// A processed photo, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// A baseline JPEG with only the segments that decoding needs.
    pub bytes: Bytes,
    /// Always `image/jpeg`.
    pub content_type: &'static str,
    /// The width of the upright photo, in pixels.
    pub width: u32,
    /// The height of the upright photo, in pixels.
    pub height: u32,
    /// The SHA-256 hash of `bytes`, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The perceptual hash; see [`likeness`].
    pub perceptual_hash: u64,
}

/// Why a picture was rejected or could not be processed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the file is not a picture")]
    NotAnImage,
    /// A picture of an unsupported format or variety.
    #[error("{found} is not supported; send JPEG, PNG, WebP or GIF{}", advice(.found))]
    Unsupported { found: String },
    /// A part of the picture is missing. A file that lacks only its end mark is complete.
    #[error("the file is incomplete: it ends before the end of the picture")]
    Truncated,
    #[error("the file has {bytes} bytes; at most {limit} are allowed")]
    TooManyBytes { bytes: u64, limit: u64 },
    #[error("the picture has {width} x {height} pixels; at most {limit} pixels are allowed")]
    TooManyPixels { width: u32, height: u32, limit: u64 },
    #[error("the picture has {width} x {height} pixels; at most {limit} pixels per side are allowed")]
    SideTooLong { width: u32, height: u32, limit: u32 },
    #[error("the picture has {width} x {height} pixels; one side may be at most {limit} times the other")]
    TooNarrow { width: u32, height: u32, limit: u32 },
    /// The file is too small for the number of pixels that it claims.
    #[error(
        "the picture claims {width} x {height} pixels in {bytes} bytes; at most {limit} pixels per byte are allowed"
    )]
    TooDense {
        width: u32,
        height: u32,
        bytes: u64,
        limit: u64,
    },
    #[error(
        "the picture of {width} x {height} pixels needs {needed} bytes of memory; at most {limit} are allowed"
    )]
    TooMuchMemory {
        width: u32,
        height: u32,
        needed: u64,
        limit: u64,
    },
    /// The caller was cancelled, or the process ends.
    #[error("processing the photo was cancelled")]
    Stopped,
    /// The spool file of the picture cannot be read.
    #[error("the spooled picture cannot be read: {detail}")]
    Unreadable { detail: String },
    #[error("the file is damaged: {detail}")]
    Corrupt { detail: String },
    /// The encoder failed, which is not caused by the upload.
    #[error("the photo could not be encoded: {detail}")]
    Encode { detail: String },
}

/// Returns what helps a seller whose camera saves this format, for the end of the message.
///
/// The setting of the iPhone exists since iOS 11 (ionhowto.com, "iPhone Photo Formats Explained", read on 2026-11-30).
fn advice(found: &str) -> &'static str {
    if found == "HEIC" {
        " (iPhone: choose Settings > Camera > Formats > Most Compatible; other phones: turn off HEIF or \
         high-efficiency pictures in the settings of the camera)"
    } else {
        ""
    }
}

/// The quality of the stored JPEGs. It is above the quality that the site serves, so only the site's compression is
/// visible there.
const QUALITY: u8 = 88;

/// Converts an uploaded picture into the photo to store. The same bytes and limits give the same photo.
///
/// Only the first frame of an animation is used. Transparency becomes white. Colours of another profile become sRGB.
/// The conversion takes tens of milliseconds of CPU time; async code calls [`process_off_thread`].
///
/// # Errors
/// See [`Error`]. The limits are checked before decoding.
pub fn process(bytes: &[u8], limits: &Limits) -> Result<Processed, Error> {
    process_until(bytes, limits, &Stop::default())
}

/// Works like [`process`], and ends with [`Error::Stopped`] soon after `stop` is set.
fn process_until(bytes: &[u8], limits: &Limits, stop: &Stop) -> Result<Processed, Error> {
    let length = bytes.len() as u64;
    shape::check_length(length, limits)?;
    let format = container::format(bytes)?;
    let shape = match Shape::of(bytes) {
        // A file that was cut in its header looks damaged.
        Err(Error::Corrupt { .. }) if container::body(format, bytes).is_err() => {
            return Err(Error::Truncated);
        }
        other => other?,
    };
    shape.check(length, limits)?;
    let body = container::body(format, bytes)?;
    stop.check()?;

    let orientation = metadata::orientation(format, bytes);
    let photo = decoded(&body, &shape, orientation, limits, stop).map_err(|error| match error {
        Error::Corrupt { .. } if body.lacks_end() => Error::Truncated,
        other => other,
    })?;
    stop.check()?;
    Ok(Processed {
        sha256: sha256(&photo.jpeg),
        bytes: photo.jpeg.into(),
        content_type: "image/jpeg",
        width: photo.width,
        height: photo.height,
        perceptual_hash: photo.perceptual_hash,
    })
}

/// Decodes a picture and makes the photo of it.
fn decoded(
    body: &Body<'_>,
    shape: &Shape,
    orientation: Orientation,
    limits: &Limits,
    stop: &Stop,
) -> Result<Photo, Error> {
    match shape.format {
        Format::Jpeg => {
            if let Some(photo) = planes::process(body, shape, orientation, limits, stop)? {
                return Ok(photo);
            }
            planes::check_rows(body, shape)?;
            rgb::process(body, shape, orientation, limits, stop)
        }
        Format::Png => png::process(body.bytes, shape, orientation, limits, stop),
        Format::WebP | Format::Gif => rgb::process(body, shape, orientation, limits, stop),
    }
}

/// Returns the SHA-256 hash, which identifies a photo, as 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Encodes bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
}

/// The result of [`planes`], [`png`] and [`rgb`].
struct Photo {
    jpeg: Vec<u8>,
    width: u32,
    height: u32,
    perceptual_hash: u64,
}

/// Returns the size of the picture shrunk to at most `max_side` on its longer side, with the same proportions and at
/// least one pixel per side.
fn fit(width: u32, height: u32, max_side: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= max_side {
        return (width, height);
    }
    let scale = |side: u32| {
        let scaled = (u64::from(side) * u64::from(max_side) * 2 + u64::from(long)) / (u64::from(long) * 2);
        u32::try_from(scaled).expect("no side grows").max(1)
    };
    (scale(width), scale(height))
}
