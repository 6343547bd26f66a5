//! From the bytes that somebody uploaded to the one photo that we keep.
//!
//! [`process`] is the whole way, in one pass: the header is read and measured against [`Limits`], the file is checked for
//! its end, decoded, shrunk, turned the right way up, encoded as JPEG without a byte of metadata, and given its two names:
//! SHA-256 for identity, a perceptual hash for likeness ([`likeness`]).
//!
//! A JPEG stays in planes of brightness and colour from decoder to encoder ([`planes`]): no pixel is converted to RGB and
//! back, which is most of the speed. Everything else goes through RGB ([`rgb`]).
//!
//! To accept another format: add it to [`Format`], teach [`container`] how to tell that a file of it is whole, and [`rgb`]
//! how to decode it; the tests that cut files at every place take it from the list in `tests/made.rs`.

mod container;
pub mod likeness;
mod orient;
mod planes;
mod rgb;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use image::metadata::Orientation;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// What an uploaded picture may cost us, and how large the kept one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the uploaded file, in bytes.
    pub max_bytes: u64,
    /// Width times height of the uploaded picture, in pixels: what decoding takes in memory follows from it.
    pub max_pixels: u64,
    /// Longer side of the photo that is kept, in pixels. Photos are only ever made smaller.
    pub max_side: u32,
}

impl Default for Limits {
    /// 25 MiB holds the largest JPEG that a telephone makes; 64 megapixels is above the common sensors of 48 and 50.
    /// A long side of 2048 is well above the 800 pixels at which the site shows a photo in its pages.
    fn default() -> Self {
        Self {
            max_bytes: 25 << 20,
            max_pixels: 64_000_000,
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

/// What a file says of itself before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub format: Format,
    /// Width as stored, in pixels, before `orientation` is applied.
    pub width: u32,
    /// Height as stored, in pixels, before `orientation` is applied.
    pub height: u32,
    /// How the stored pixels must be turned to be seen upright.
    pub orientation: Orientation,
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
    #[error("the file is damaged: {detail}")]
    Corrupt { detail: String },
    /// Our own encoder failed: not the uploader's fault.
    #[error("the photo could not be encoded: {detail}")]
    Encode { detail: String },
}

/// Quality of the JPEGs that we write: above what the site itself serves, so that its own compression is the only one seen.
const QUALITY: u8 = 88;

/// Reads a file's format, size and orientation from its first bytes; decodes nothing.
///
/// # Errors
/// [`Error::NotAnImage`], [`Error::Unsupported`], [`Error::Truncated`] and [`Error::Corrupt`] for what they say; a picture
/// with no pixels is corrupt.
pub fn inspect(bytes: &[u8]) -> Result<Header, Error> {
    let format = container::format(bytes)?;
    let header = match format {
        Format::Jpeg => planes::header(bytes)?,
        Format::Png | Format::WebP | Format::Gif => rgb::header(format, bytes)?,
    };
    if header.width == 0 || header.height == 0 {
        return Err(Error::Corrupt {
            detail: "it has no pixels".to_owned(),
        });
    }
    Ok(header)
}

/// Turns an uploaded picture into the photo that is kept. The same bytes and limits give the same photo.
///
/// Of an animation the first frame is taken. Transparency becomes white. Colours of another profile become sRGB. This
/// is tens of milliseconds of pure computing: on an async thread call [`process_off_thread`].
///
/// # Errors
/// Limits are checked before anything is decoded; see [`Error`].
pub fn process(bytes: &[u8], limits: &Limits) -> Result<Processed, Error> {
    let length = bytes.len() as u64;
    if length > limits.max_bytes {
        return Err(Error::TooManyBytes {
            bytes: length,
            limit: limits.max_bytes,
        });
    }
    let format = container::format(bytes)?;
    // A file that was cut in its header looks damaged to a decoder: whether its end is there says what really happened.
    let whole = container::check_whole(format, bytes);
    let header = match inspect(bytes) {
        Err(Error::Corrupt { .. }) if whole.is_err() => return Err(Error::Truncated),
        other => other?,
    };
    if u64::from(header.width) * u64::from(header.height) > limits.max_pixels {
        return Err(Error::TooManyPixels {
            width: header.width,
            height: header.height,
            limit: limits.max_pixels,
        });
    }
    whole?;

    let photo = match header.format {
        Format::Jpeg => match planes::process(bytes, &header, limits)? {
            Some(photo) => photo,
            None => rgb::process(bytes, &header, limits)?,
        },
        Format::Png | Format::WebP | Format::Gif => rgb::process(bytes, &header, limits)?,
    };
    Ok(Processed {
        sha256: sha256(&photo.jpeg),
        bytes: photo.jpeg.into(),
        content_type: "image/jpeg",
        width: photo.width,
        height: photo.height,
        perceptual_hash: photo.perceptual_hash,
    })
}

/// [`process`], away from the async threads, with no more photos at work at once than the machine has cores.
///
/// When the caller goes away the work begun still ends, and only then frees its place: memory stays bounded.
///
/// # Errors
/// As [`process`]; a decoder that panics counts as [`Error::Corrupt`].
pub async fn process_off_thread(bytes: Bytes, limits: Limits) -> Result<Processed, Error> {
    static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
        Arc::new(Semaphore::new(
            std::thread::available_parallelism().map_or(1, usize::from),
        ))
    });

    let place = Arc::clone(&PLACES)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    tokio::task::spawn_blocking(move || {
        let _place = place;
        process(&bytes, &limits)
    })
    .await
    .unwrap_or_else(|stopped| {
        tracing::error!(error = %stopped, "a photo's decoder did not end well");
        Err(Error::Corrupt {
            detail: "it could not be decoded".to_owned(),
        })
    })
}

/// SHA-256 as 64 lower-case hexadecimal digits: the identity of a photo.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
}

/// What the two ways of decoding hand back.
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
