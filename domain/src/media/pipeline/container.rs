//! Detects the format of a file and whether its picture is complete, from its outermost structure.
//!
//! Decoders accept files that lack rows, or all frames but the first. The seller has to know that the upload was cut,
//! so such files are rejected. Only the data of the picture counts. A file that lacks its end mark, or has other bytes
//! there, is accepted if all rows and frames are in it. This module checks what the structure shows; the decoders check
//! that the data suffices for all rows.

mod gif;
mod heif;
mod jpeg;
mod lzw;
mod png;
mod webp;

use std::borrow::Cow;

use self::gif::gif_body;
use self::heif::branded;
use self::jpeg::jpeg_body;
pub(super) use self::jpeg::jpeg_segments;
use self::png::png_body;
pub(super) use self::png::png_chunks;
use self::webp::webp_body;
pub(super) use self::webp::webp_chunks;
use super::{Error, Format};

/// Detects the format from the content.
///
/// # Errors
/// [`Error::Unsupported`] with the name of the format for other common picture formats, else [`Error::NotAnImage`].
pub(super) fn format(bytes: &[u8]) -> Result<Format, Error> {
    let unsupported = |found: &str| {
        Err(Error::Unsupported {
            found: found.to_owned(),
        })
    };
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            branded(bytes).map_or(Err(Error::NotAnImage), unsupported)
        }
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => unsupported("TIFF"),
        [b'B', b'M', rest @ ..] if rest.len() > 24 => unsupported("BMP"),
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => unsupported("JPEG XL"),
        _ => Err(Error::NotAnImage),
    }
}

/// A file whose structure shows no missing part of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'a> {
    /// The bytes up to the end of the picture, or more.
    pub bytes: &'a [u8],
    /// What decoders expect after these bytes and the file lacks.
    pub missing_end: &'static [u8],
}

impl<'a> Body<'a> {
    fn ended(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            missing_end: &[],
        }
    }

    /// Whether the file lacks its end mark. A decoder that finds it damaged has most likely met the end of a cut file.
    pub(super) fn lacks_end(&self) -> bool {
        !self.missing_end.is_empty()
    }

    /// Returns the bytes and the missing end in one piece. Copies the bytes only if the file lacks its end mark.
    pub(super) fn joined(&self) -> Cow<'a, [u8]> {
        if self.lacks_end() {
            Cow::Owned([self.bytes, self.missing_end].concat())
        } else {
            Cow::Borrowed(self.bytes)
        }
    }
}

/// Checks that the structure of the file contains the whole picture. Bytes after the picture are ignored.
///
/// # Errors
/// [`Error::Truncated`].
pub(super) fn body(format: Format, bytes: &[u8]) -> Result<Body<'_>, Error> {
    let body = match format {
        Format::Jpeg => jpeg_body(without_padding(bytes)),
        Format::Png => png_body(without_padding(bytes)),
        Format::WebP => webp_body(bytes),
        Format::Gif => gif_body(without_padding(bytes)),
    };
    body.ok_or(Error::Truncated)
}

/// Cuts the zeros at the end off, except the first one. A download that stopped can leave zeros in place of the data,
/// and decoders would decode them. The first zero can belong to the data.
fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 2);
    &bytes[..end.min(bytes.len())]
}
