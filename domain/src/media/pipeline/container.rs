//! Detects the format of a file and whether the file is complete, from its outermost structure.
//!
//! Decoders accept files that lack the last bytes, or all frames but the first. The seller has to know that the upload
//! was cut, so such files are rejected here.

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
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4) {
            Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1") => unsupported("HEIC"),
            Some(b"avif" | b"avis") => unsupported("AVIF"),
            _ => Err(Error::NotAnImage),
        },
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => unsupported("TIFF"),
        [b'B', b'M', rest @ ..] if rest.len() > 24 => unsupported("BMP"),
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => unsupported("JPEG XL"),
        _ => Err(Error::NotAnImage),
    }
}

/// Checks that the file contains the end that its format requires. Bytes after the end are ignored.
///
/// # Errors
/// [`Error::Truncated`].
pub(super) fn check_whole(format: Format, bytes: &[u8]) -> Result<(), Error> {
    let whole = match format {
        Format::Jpeg => jpeg_has_end(bytes),
        Format::Png => png_has_end(bytes),
        Format::WebP => webp_has_end(bytes),
        Format::Gif => gif_has_end(bytes),
    };
    whole.ok_or(Error::Truncated)
}

/// Looks for an end-of-image marker after the start of the first scan. The decoder checks that the scans are complete.
fn jpeg_has_end(bytes: &[u8]) -> Option<()> {
    let mut at = 2;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)?) {
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0xDA) => break,
            // Markers without a length.
            (0xFF, 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => at += 2 + u16_be(bytes, at + 2)?,
            // Decoders skip bytes that belong to no segment.
            _ => at += 1,
        }
    }
    bytes
        .get(at..)?
        .windows(2)
        .rev()
        .any(|pair| pair == [0xFF, 0xD9])
        .then_some(())
}

fn png_has_end(bytes: &[u8]) -> Option<()> {
    let mut at = 8_usize;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        let name = bytes.get(at + 4..at + 8)?;
        at = at.checked_add(12)?.checked_add(usize::try_from(length).ok()?)?;
        if at > bytes.len() {
            return None;
        }
        if name == b"IEND" {
            return Some(());
        }
    }
}

fn webp_has_end(bytes: &[u8]) -> Option<()> {
    let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    (bytes.len() as u64 >= u64::from(length) + 8).then_some(())
}

fn gif_has_end(bytes: &[u8]) -> Option<()> {
    let table = |packed: u8| {
        if packed & 0x80 == 0 {
            0
        } else {
            3 << ((packed & 7) + 1)
        }
    };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        match bytes.get(at)? {
            0x3B => return Some(()),
            // An extension: its label, then sub-blocks.
            0x21 => at += 2,
            // A frame: position and size, an optional colour table, the code size, then sub-blocks.
            0x2C => at += 11 + table(*bytes.get(at + 9)?),
            _ => return None,
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

fn u16_be(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        bytes.get(at..at + 2)?.try_into().ok()?,
    )))
}
