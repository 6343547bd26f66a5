//! Reads the orientation of a picture from its EXIF metadata.
//!
//! Photos are stored without metadata, so an orientation that is not found here is lost. Cameras and editors differ in
//! the type of the number, the byte order and the place of the metadata; all of them are read.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;

use super::{Format, container};

/// The tag of the orientation in the first directory (EXIF 2.32, section 4.6.4).
const ORIENTATION: u16 = 0x0112;
/// The number of bytes that are read of a text that holds EXIF in a PNG, after it is inflated. Cameras write at most
/// 64 KiB of EXIF, and the text has two digits for each byte.
const MAX_RAW_PROFILE: u64 = 256 << 10;
/// The maximum number of such texts that are read.
const MAX_RAW_PROFILES: usize = 4;

/// Returns the orientation that the metadata of a file gives, or none if it gives no valid one. If there are several,
/// the first valid one counts.
pub(super) fn orientation(format: Format, bytes: &[u8]) -> Orientation {
    let found = match format {
        Format::Jpeg => container::jpeg_segments(bytes)
            .take_while(|segment| segment.marker != 0xDA)
            .filter(|segment| segment.marker == 0xE1)
            .find_map(|segment| in_exif(segment.payload)),
        Format::Png => in_png(bytes),
        Format::WebP => container::webp_chunks(bytes)
            .filter(|chunk| chunk.name == b"EXIF")
            .find_map(|chunk| in_exif(chunk.data)),
        // GIF has no EXIF.
        Format::Gif => None,
    };
    found.unwrap_or(Orientation::NoTransforms)
}

fn in_png(bytes: &[u8]) -> Option<Orientation> {
    let in_chunk = container::png_chunks(bytes)
        .filter(|chunk| chunk.name == *b"eXIf")
        .find_map(|chunk| in_exif(chunk.data));
    in_chunk.or_else(|| {
        container::png_chunks(bytes)
            .filter_map(|chunk| raw_profile(chunk.name, chunk.data))
            .take(MAX_RAW_PROFILES)
            .find_map(|text| in_exif(&text.read()?))
    })
}

/// EXIF as hexadecimal digits in a text chunk of a PNG. ImageMagick and ExifTool write it.
struct RawProfile<'a> {
    text: &'a [u8],
    is_deflated: bool,
}

/// Returns the profile if the chunk is a text whose keyword announces EXIF.
fn raw_profile(name: [u8; 4], data: &[u8]) -> Option<RawProfile<'_>> {
    let is_deflated = match &name {
        b"tEXt" => false,
        b"zTXt" => true,
        _ => return None,
    };
    let end = data.iter().position(|byte| *byte == 0)?;
    let (keyword, text) = data.split_at(end);
    let is_exif = [b"Raw profile type exif", b"Raw profile type APP1"]
        .iter()
        .any(|known| keyword.eq_ignore_ascii_case(known.as_slice()));
    // A deflated text starts with its compression method.
    let start = if is_deflated { 2 } else { 1 };
    let text = text.get(start..)?;
    is_exif.then_some(RawProfile { text, is_deflated })
}

impl RawProfile<'_> {
    /// Returns the bytes of the profile. Its text has a line with the name, one with the length, then the digits.
    fn read(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let read = if self.is_deflated {
            ZlibDecoder::new(self.text)
                .take(MAX_RAW_PROFILE)
                .read_to_end(&mut text)
        } else {
            self.text.take(MAX_RAW_PROFILE).read_to_end(&mut text)
        };
        read.ok()?;
        let digits: Vec<u32> = text
            .splitn(4, |byte| *byte == b'\n')
            .nth(3)?
            .iter()
            .filter_map(|byte| char::from(*byte).to_digit(16))
            .collect();
        let bytes = digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8);
        Some(bytes.collect())
    }
}

/// Returns the orientation in EXIF metadata, with or without the prefix that it has in a JPEG.
fn in_exif(metadata: &[u8]) -> Option<Orientation> {
    let mut bytes = metadata;
    // Some programs repeat the prefix. Its last byte is 0 or 0xFF.
    while let [mark @ .., _, _] = bytes.get(..6)?
        && mark.eq_ignore_ascii_case(b"Exif")
    {
        bytes = &bytes[6..];
    }
    let is_big_endian = match bytes.get(..4)? {
        b"II\x2A\0" => false,
        b"MM\0\x2A" => true,
        _ => return None,
    };
    Tiff { bytes, is_big_endian }.orientation()
}

/// The structure of EXIF metadata (TIFF 6.0).
struct Tiff<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl Tiff<'_> {
    fn orientation(&self) -> Option<Orientation> {
        let directory = self.position(4)?;
        let entries = self.number(directory, 2)?;
        (0..usize::try_from(entries).ok()?)
            .map_while(|entry| {
                let at = directory.checked_add(2)?.checked_add(entry * 12)?;
                Some((at, self.number(at, 2)?))
            })
            .filter(|(_, tag)| *tag == u64::from(ORIENTATION))
            .find_map(|(at, _)| {
                let number = u8::try_from(self.first_integer(at)?).ok()?;
                Orientation::from_exif(number)
            })
    }

    /// Returns the first value of an entry of any integer type. A negative value becomes a large one.
    fn first_integer(&self, entry: usize) -> Option<u64> {
        let length = match self.number(entry + 2, 2)? {
            // BYTE, SBYTE
            1 | 6 => 1,
            // SHORT, SSHORT
            3 | 8 => 2,
            // LONG, SLONG, IFD
            4 | 9 | 13 => 4,
            // LONG8, SLONG8, IFD8 (BigTIFF)
            16..=18 => 8,
            _ => return None,
        };
        let count = self.number(entry + 4, 4)?;
        // Values of more than four bytes are elsewhere, and the entry holds their position.
        let at = if count.max(1) * length > 4 {
            self.position(entry + 8)?
        } else {
            entry + 8
        };
        self.number(at, usize::try_from(length).ok()?)
    }

    fn position(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at, 4)?).ok()
    }

    /// Reads an unsigned number of at most eight bytes.
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        })
    }
}
