//! From the bytes that somebody uploaded to the one photo that we keep.
//!
//! [`process`] is the whole way, in one pass: the shape that the file claims is read and measured against [`Limits`], the
//! file is checked for its end, decoded, shrunk, turned the right way up, encoded as JPEG without a byte of metadata, and
//! given its two names: SHA-256 for identity, a perceptual hash for likeness ([`likeness`]).
//!
//! A JPEG stays in planes of brightness and colour from decoder to encoder ([`planes`]): no pixel is converted to RGB and
//! back, which is most of the speed. A PNG is shrunk while its rows are read ([`png`]). Everything else goes through RGB
//! ([`rgb`]). No decoder sees a file whose shape ([`shape`]) was not found good: what the work takes in memory is known
//! before it begins, and [`work`] holds all photos of the process to one budget.
//!
//! To accept another format: add it to [`Format`], teach [`container`] how to tell that a file of it is whole, [`shape`]
//! how to measure it, and [`rgb`] how to decode it; the tests that cut files at every place take it from the list in
//! `tests/made.rs`.

mod container;
pub mod likeness;
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
use sha2::{Digest, Sha256};

pub(super) use self::png::thumbnail_pixels;
use self::shape::Shape;
pub use self::work::{Source, Stop, process_off_thread};

/// What an uploaded picture may cost us, and how large the kept one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the uploaded file, in bytes.
    pub max_bytes: u64,
    /// Longer side of the uploaded picture, in pixels.
    pub max_source_side: u32,
    /// How many times as long as the shorter side the longer one may be.
    pub max_ratio: u32,
    /// Width times height of the uploaded picture, in pixels.
    pub max_pixels: u64,
    /// Pixels for each byte of the file. Pictures of at most [`SMALL`] pixels may have more.
    pub max_pixels_per_byte: u64,
    /// What decoding and shrinking may take in memory, with the file, in bytes; at most [`work::MEMORY`].
    pub max_memory: u64,
    /// Longer side of the photo that is kept, in pixels. Photos are only ever made smaller.
    pub max_side: u32,
}

/// Pictures of at most so many pixels may be compressed as strongly as they like.
pub const SMALL: u64 = 1 << 20;

impl Default for Limits {
    /// 25 MiB holds the largest JPEG that a telephone makes; 64 megapixels is above the common sensors of 48 and 50. The
    /// longest panoramas of telephones have 16,384 pixels, and a side that is 50 times the other shows nothing. A plain
    /// white PNG has about 350 pixels a byte, and no photo comes near it. A long side of 2048 is well above the 800 pixels
    /// at which the site shows a photo in its pages.
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

/// A format that we read, told by a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
}

/// The photo that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// A baseline JPEG with no segment but those that decoding needs.
    pub bytes: Bytes,
    /// Always `image/jpeg`.
    pub content_type: &'static str,
    /// In pixels, upright.
    pub width: u32,
    /// In pixels, upright.
    pub height: u32,
    /// SHA-256 of `bytes`, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// See [`likeness`].
    pub perceptual_hash: u64,
}

/// Why a picture was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the file is not a picture")]
    NotAnImage,
    /// A picture, but of a format or variety that is not read.
    #[error("{found} is not supported; send JPEG, PNG, WebP or GIF")]
    Unsupported { found: String },
    #[error("the file ends before its picture does")]
    Truncated,
    #[error("the file has {bytes} bytes, the limit is {limit}")]
    TooManyBytes { bytes: u64, limit: u64 },
    #[error("the picture has {width} x {height} pixels, the limit is {limit} in all")]
    TooManyPixels { width: u32, height: u32, limit: u64 },
    #[error("the picture has {width} x {height} pixels, the limit is {limit} a side")]
    SideTooLong { width: u32, height: u32, limit: u32 },
    #[error("the picture has {width} x {height} pixels; one side may be {limit} times the other")]
    TooNarrow { width: u32, height: u32, limit: u32 },
    /// A file that is too small for what it claims to hold.
    #[error(
        "the picture claims {width} x {height} pixels in {bytes} bytes, the limit is {limit} pixels a byte"
    )]
    TooDense {
        width: u32,
        height: u32,
        bytes: u64,
        limit: u64,
    },
    #[error(
        "the picture has {width} x {height} pixels and would take {needed} bytes of memory, the limit is {limit}"
    )]
    TooMuchMemory {
        width: u32,
        height: u32,
        needed: u64,
        limit: u64,
    },
    /// Whoever asked for the photo is gone, or the process ends.
    #[error("the photo is no longer wanted")]
    Stopped,
    /// The file that the picture was spooled to cannot be read.
    #[error("the spooled picture cannot be read: {detail}")]
    Unreadable { detail: String },
    #[error("the file is damaged: {detail}")]
    Corrupt { detail: String },
    /// Our own encoder failed: not the uploader's fault.
    #[error("the photo could not be encoded: {detail}")]
    Encode { detail: String },
}

/// Quality of the JPEGs that we write: above what the site itself serves, so that its own compression is the only one seen.
const QUALITY: u8 = 88;

/// Turns an uploaded picture into the photo that is kept. The same bytes and limits give the same photo.
///
/// Of an animation the first frame is taken. Transparency becomes white. Colours of another profile become sRGB. This
/// is tens of milliseconds of pure computing: on an async thread call [`process_off_thread`].
///
/// # Errors
/// Limits are checked before anything is decoded; see [`Error`].
pub fn process(bytes: &[u8], limits: &Limits) -> Result<Processed, Error> {
    process_until(bytes, limits, &Stop::default())
}

/// [`process`], which ends with [`Error::Stopped`] soon after `stop` is set.
fn process_until(bytes: &[u8], limits: &Limits, stop: &Stop) -> Result<Processed, Error> {
    let length = bytes.len() as u64;
    shape::check_length(length, limits)?;
    let format = container::format(bytes)?;
    // A file that was cut in its header looks damaged: whether its end is there says what really happened.
    let whole = container::check_whole(format, bytes);
    let shape = match Shape::of(bytes) {
        Err(Error::Corrupt { .. }) if whole.is_err() => return Err(Error::Truncated),
        other => other?,
    };
    shape.check(length, limits)?;
    whole?;
    stop.check()?;

    let photo = match format {
        Format::Jpeg => match planes::process(bytes, &shape, limits, stop)? {
            Some(photo) => photo,
            None => rgb::process(bytes, &shape, limits, stop)?,
        },
        Format::Png => png::process(bytes, &shape, limits, stop)?,
        Format::WebP | Format::Gif => rgb::process(bytes, &shape, limits, stop)?,
    };
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

/// SHA-256 as 64 lower-case hexadecimal digits: the identity of a photo.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
}

/// What the ways of decoding hand back.
struct Photo {
    jpeg: Vec<u8>,
    width: u32,
    height: u32,
    perceptual_hash: u64,
}

/// The size of a picture whose longer side is at most `max_side`, in the same proportions, never empty.
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
