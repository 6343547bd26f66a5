//! Detects the format of a file and whether its picture is complete, from its outermost structure.
//!
//! Decoders accept files that lack rows, or all frames but the first. The seller has to know that the upload was cut,
//! so such files are rejected. Only the data of the picture counts. A file that lacks its end mark, or has other bytes
//! there, is accepted if all rows and frames are in it. This module checks what the structure shows; the decoders check
//! that the data suffices for all rows.

use std::borrow::Cow;

use flate2::Crc;

use super::{Error, Format};

/// Brands of HEIC: pictures and sequences in HEVC, and the rarer ones in AVC and VVC. From the registry of the MP4
/// Registration Authority (`data/brands.csv` of github.com/mp4ra/mp4ra.github.io, read on 2026-11-30).
const HEIC_BRANDS: [&[u8; 4]; 12] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"avci", b"avcs", b"vvic",
    b"vvis",
];
/// Brands of AVIF, from the same registry.
const AVIF_BRANDS: [&[u8; 4]; 5] = [b"avif", b"avis", b"avio", b"MA1A", b"MA1B"];
/// Brands of the container of both, from the same registry. A file without a brand of the lists above is most likely
/// HEIC.
const HEIF_BRANDS: [&[u8; 4]; 9] = [
    b"mif1", b"mif2", b"msf1", b"miaf", b"MiHA", b"MiHB", b"MiHE", b"MiAB", b"1pic",
];

const JPEG_END: &[u8] = &[0xFF, 0xD9];
const PNG_END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";
/// Completes a sub-block of any length, ends the frame and the file.
const GIF_END: &[u8] = &{
    let mut end = [0_u8; 257];
    end[256] = 0x3B;
    end
};

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

/// Returns the picture format that the brands of a file name: its major brand, then the compatible ones.
fn branded(bytes: &[u8]) -> Option<&'static str> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    let major = bytes.get(8..12)?;
    // The minor version lies between them.
    let compatible = bytes.get(16..length.min(bytes.len())).unwrap_or_default();
    let brands = || std::iter::once(major).chain(compatible.chunks_exact(4));
    let is_one_of = |list: &[&[u8; 4]], brand: &[u8]| list.iter().any(|known| known.as_slice() == brand);
    let named = brands().find_map(|brand| {
        if is_one_of(&HEIC_BRANDS, brand) {
            Some("HEIC")
        } else if is_one_of(&AVIF_BRANDS, brand) {
            Some("AVIF")
        } else {
            None
        }
    });
    named.or_else(|| {
        brands()
            .any(|brand| is_one_of(&HEIF_BRANDS, brand))
            .then_some("HEIC")
    })
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

/// A segment of a JPEG.
pub(super) struct Segment<'a> {
    pub marker: u8,
    pub payload: &'a [u8],
    /// The position after the segment.
    end: usize,
}

/// The segments of a JPEG up to its first end-of-image marker or cut segment. Bytes that belong to no segment are
/// skipped, as decoders do. After a start of scan, the caller has to go on after the data of the scan.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Returns the segments of a JPEG. Those after the first start of scan are not valid.
pub(super) fn jpeg_segments(bytes: &[u8]) -> Segments<'_> {
    Segments { bytes, at: 2 }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        loop {
            match (*self.bytes.get(self.at)?, *self.bytes.get(self.at + 1)?) {
                (0xFF, 0xFF) => self.at += 1,
                // A stuffed byte, and markers without a length.
                (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => self.at += 2,
                (0xFF, 0xD9) => {
                    let end = self.at + 2;
                    self.at = self.bytes.len();
                    return Some(Segment {
                        marker: 0xD9,
                        payload: &[],
                        end,
                    });
                }
                (0xFF, marker) => {
                    let start = self.at + 2;
                    let end = start + u16_be(self.bytes, start)?;
                    let payload = self.bytes.get(start + 2..end)?;
                    self.at = end;
                    return Some(Segment { marker, payload, end });
                }
                _ => self.at += 1,
            }
        }
    }
}

fn jpeg_body(bytes: &[u8]) -> Option<Body<'_>> {
    let mut frame = None;
    let mut segments = jpeg_segments(bytes);
    let first = loop {
        let segment = segments.next()?;
        match segment.marker {
            0xDA => break segment,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => frame = Some(segment),
            _ => {}
        }
    };
    let has_mark = bytes[first.end..].windows(2).rev().any(|pair| pair == JPEG_END);
    let marked = has_mark.then_some(Body::ended(bytes));
    let Some(frame) = frame else {
        return marked;
    };
    let components: Vec<u8> = frame
        .payload
        .get(6..)
        .unwrap_or_default()
        .chunks_exact(3)
        .map(|component| component[0])
        .collect();
    let is_progressive = matches!(frame.marker, 0xC2 | 0xC6 | 0xCA | 0xCE);
    // Arithmetic coding may omit zeros at the end of a scan, so missing data cannot be told from it without a mark.
    let is_arithmetic = frame.marker > 0xC8;
    let in_scan = first.payload.first().copied().map_or(0, usize::from);
    if !is_progressive && in_scan >= components.len() {
        if has_mark || is_arithmetic {
            return marked;
        }
        return Some(Body {
            bytes: &bytes[..scan_end(bytes, first.end)],
            missing_end: JPEG_END,
        });
    }
    let scans = Scans::read(bytes, first, &components);
    if scans.has_mark {
        return marked.filter(|_| scans.have_every_component());
    }
    if scans.are_complete() && !is_arithmetic {
        return Some(Body {
            bytes: &bytes[..scans.end],
            missing_end: JPEG_END,
        });
    }
    marked
}

/// What the headers of the scans of a JPEG announce.
struct Scans {
    /// The position after the last scan.
    end: usize,
    /// Whether an end-of-image marker follows the last scan.
    has_mark: bool,
    /// The number of low bits that no scan holds, for each component and coefficient.
    missing_bits: Vec<[u8; 64]>,
}

impl Scans {
    /// The number of missing bits of a coefficient that is in no scan.
    const ALL_BITS: u8 = u8::MAX;

    fn read(bytes: &[u8], first: Segment<'_>, components: &[u8]) -> Self {
        let mut scans = Self {
            end: first.end,
            has_mark: false,
            missing_bits: vec![[Self::ALL_BITS; 64]; components.len()],
        };
        let mut scan = first;
        while scans.add(scan.payload, components).is_some() {
            scans.end = scan_end(bytes, scan.end);
            let mut segments = Segments { bytes, at: scans.end };
            // Tables, intervals, comments and application data may stand between scans.
            let is_between = |marker: u8| matches!(marker, 0xC4 | 0xCC | 0xDB..=0xDD | 0xE0..=0xEF | 0xFE);
            match segments.find(|segment| !is_between(segment.marker)) {
                Some(next) if next.marker == 0xDA && !scans.are_complete() => scan = next,
                Some(next) => {
                    scans.has_mark = next.marker == 0xD9;
                    break;
                }
                None => break,
            }
        }
        scans
    }

    /// Notes what a scan holds. Returns `None` if its header is not valid.
    fn add(&mut self, header: &[u8], components: &[u8]) -> Option<()> {
        let count = usize::from(*header.first()?);
        let (selectors, rest) = header.get(1..)?.split_at_checked(count * 2)?;
        let &[first, last, bits] = rest else {
            return None;
        };
        if first > last || last > 63 {
            return None;
        }
        for selector in selectors.chunks_exact(2) {
            let component = components.iter().position(|id| *id == selector[0])?;
            let coefficients = usize::from(first)..=usize::from(last);
            self.missing_bits[component][coefficients].fill(bits & 15);
        }
        Some(())
    }

    fn are_complete(&self) -> bool {
        self.missing_bits.iter().flatten().all(|bits| *bits == 0)
    }

    fn have_every_component(&self) -> bool {
        self.missing_bits
            .iter()
            .all(|component| component[0] != Self::ALL_BITS)
    }
}

/// Returns the position of the marker after the data of a scan, or the end of the file.
fn scan_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(mark) = bytes[at..].iter().position(|byte| *byte == 0xFF) {
        let mark = at + mark;
        let Some(fill) = bytes[mark..].iter().position(|byte| *byte != 0xFF) else {
            return mark;
        };
        let code = mark + fill;
        match bytes[code] {
            // A stuffed byte, and restart markers.
            0x00 | 0xD0..=0xD7 => at = code + 1,
            _ => return code - 1,
        }
    }
    bytes.len()
}

/// A chunk of a PNG.
pub(super) struct PngChunk<'a> {
    pub name: [u8; 4],
    /// The data, less than announced if the file ends in it.
    pub data: &'a [u8],
    is_cut: bool,
    /// The checksum, unless the file ends before it.
    checksum: Option<u32>,
}

impl PngChunk<'_> {
    fn is_intact(&self) -> bool {
        let mut crc = Crc::new();
        crc.update(&self.name);
        crc.update(self.data);
        self.checksum == Some(crc.sum())
    }
}

/// Returns the chunks of a PNG. Those after the last valid one are not valid.
pub(super) fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = PngChunk<'_>> {
    let mut at = 8_usize;
    std::iter::from_fn(move || {
        let start = at.checked_add(8)?;
        let head = bytes.get(at..start)?;
        let length = u32::from_be_bytes(*head.first_chunk::<4>()?);
        let name: [u8; 4] = *head.last_chunk()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        at = end.checked_add(4)?;
        Some(PngChunk {
            name,
            data: &bytes[start..end.min(bytes.len())],
            is_cut: end > bytes.len(),
            checksum: bytes
                .get(end..at)
                .and_then(|checksum| checksum.first_chunk::<4>())
                .map(|checksum| u32::from_be_bytes(*checksum)),
        })
    })
}

fn png_body(bytes: &[u8]) -> Option<Body<'_>> {
    if png_chunks(bytes).any(|chunk| chunk.name == *b"IEND" && chunk.checksum.is_some()) {
        return Some(Body::ended(bytes));
    }
    let (mut frames, mut begun) = (0, 0);
    for chunk in png_chunks(bytes) {
        match &chunk.name {
            // Decoders return rows before they know the checksum. Without an end mark, the data may be padding.
            b"IDAT" | b"fdAT" if chunk.checksum.is_some() && !chunk.is_intact() => return None,
            b"fdAT" if chunk.is_cut => return None,
            b"acTL" => {
                frames = chunk
                    .data
                    .first_chunk::<4>()
                    .map_or(0, |count| u32::from_be_bytes(*count));
            }
            b"fcTL" => begun += 1,
            _ => {}
        }
    }
    (begun >= frames).then_some(Body {
        bytes,
        missing_end: PNG_END,
    })
}

/// Returns the chunks of a WebP, without those in its frames: their names and data.
pub(super) fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 12_usize;
    std::iter::from_fn(move || {
        let start = at.checked_add(8)?;
        let (name, length) = bytes.get(at..start)?.split_at(4);
        let length = usize::try_from(u32::from_le_bytes(*length.first_chunk::<4>()?)).ok()?;
        let end = start.checked_add(length)?;
        at = end.checked_add(length % 2)?;
        Some((name, &bytes[start..end.min(bytes.len())]))
    })
}

fn webp_body(bytes: &[u8]) -> Option<Body<'_>> {
    let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    (bytes.len() as u64 >= u64::from(length) + 8).then_some(Body::ended(bytes))
}

fn gif_body(bytes: &[u8]) -> Option<Body<'_>> {
    let mut at = 13 + colour_table(*bytes.get(10)?);
    let mut frames = 0;
    // What shows that more would follow in a file without a trailer.
    let (mut is_short, mut is_announced) = (false, false);
    loop {
        match bytes.get(at) {
            Some(0x3B) => return (frames > 0).then_some(Body::ended(bytes)),
            // Zeros between blocks.
            Some(0) => at += 1,
            Some(0x21) => {
                // A graphic control extension announces a frame.
                is_announced |= bytes.get(at + 1) == Some(&0xF9);
                match gif_data_end(bytes, at + 2, |_| {}) {
                    Some(end) => at = end,
                    None => break,
                }
            }
            Some(0x2C) => {
                is_announced = false;
                let Some(frame) = GifFrame::read(bytes, at) else {
                    is_short = true;
                    break;
                };
                if frames == 0 && frame.is_short {
                    return None;
                }
                frames += 1;
                is_short |= frame.is_short;
                match frame.end {
                    Some(end) => at = end,
                    None => break,
                }
            }
            // The end of the file, or bytes of no block. As in browsers, the animation ends there.
            _ => break,
        }
    }
    (frames > 0 && !is_short && !is_announced).then_some(Body {
        bytes,
        missing_end: GIF_END,
    })
}

/// Returns the length of a colour table, which the lowest bits of `packed` give.
fn colour_table(packed: u8) -> usize {
    if packed & 0x80 == 0 {
        0
    } else {
        3 << ((packed & 7) + 1)
    }
}

/// Reads the sub-blocks from `start` on and returns the position after their terminator, or `None` if the file ends
/// before it.
fn gif_data_end(bytes: &[u8], start: usize, mut read: impl FnMut(&[u8])) -> Option<usize> {
    let mut at = start;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some(at);
        }
        read(&bytes[at..(at + length).min(bytes.len())]);
        at += length;
    }
}

/// A frame of a GIF.
struct GifFrame {
    /// The position after the frame, unless the file ends before its terminator.
    end: Option<usize>,
    /// Whether the data ends before the last pixel.
    is_short: bool,
}

impl GifFrame {
    /// Reads the frame at `at`: position and size, an optional colour table, the code size, then sub-blocks.
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let side = |at: usize| {
            Some(u64::from(u16::from_le_bytes(
                *bytes.get(at..)?.first_chunk::<2>()?,
            )))
        };
        let pixels = side(at + 5)? * side(at + 7)?;
        let start = at + 10 + colour_table(*bytes.get(at + 9)?);
        let mut codes = Codes::new(*bytes.get(start)?, pixels);
        let end = gif_data_end(bytes, start + 1, |data| codes.read(data));
        Some(Self {
            end,
            is_short: !codes.is_invalid && codes.pixels < pixels,
        })
    }
}

/// Counts the pixels in the LZW data of a GIF (GIF 89a, appendix F) without their colours.
struct Codes {
    code_size: u8,
    /// The number of pixels at which counting stops.
    wanted: u64,
    pixels: u64,
    /// Whether the data is not valid LZW. The decoder will reject it.
    is_invalid: bool,
    has_ended: bool,
    /// The number of pixels of each code.
    lengths: Vec<u16>,
    /// The next code to be defined.
    next: usize,
    previous: Option<usize>,
    buffer: u32,
    buffered_bits: u32,
    width: u32,
}

impl Codes {
    /// The number of codes of at most 12 bits.
    const MOST: usize = 1 << 12;

    fn new(code_size: u8, wanted: u64) -> Self {
        let mut codes = Self {
            code_size,
            wanted,
            pixels: 0,
            is_invalid: !(1..=11).contains(&code_size),
            has_ended: false,
            lengths: vec![1; Self::MOST],
            next: 0,
            previous: None,
            buffer: 0,
            buffered_bits: 0,
            width: 0,
        };
        if !codes.is_invalid {
            codes.clear();
        }
        codes
    }

    fn clear(&mut self) {
        self.next = (1 << self.code_size) + 2;
        self.width = u32::from(self.code_size) + 1;
        self.previous = None;
    }

    fn read(&mut self, data: &[u8]) {
        for byte in data {
            if self.is_invalid || self.has_ended || self.pixels >= self.wanted {
                return;
            }
            self.buffer |= u32::from(*byte) << self.buffered_bits;
            self.buffered_bits += 8;
            while self.buffered_bits >= self.width && !self.is_invalid && !self.has_ended {
                let code = self.buffer & ((1 << self.width) - 1);
                self.buffer >>= self.width;
                self.buffered_bits -= self.width;
                self.count(code as usize);
            }
        }
    }

    fn count(&mut self, code: usize) {
        let clear = 1 << self.code_size;
        if code == clear {
            self.clear();
            return;
        }
        if code == clear + 1 {
            self.has_ended = true;
            return;
        }
        let length = match self.previous {
            None if code < clear => 1,
            None => {
                self.is_invalid = true;
                return;
            }
            Some(previous) => {
                let defined = self.lengths[previous] + 1;
                let is_full = self.next == Self::MOST;
                let length = if code < self.next {
                    self.lengths[code]
                } else if code == self.next && !is_full {
                    defined
                } else {
                    self.is_invalid = true;
                    return;
                };
                if !is_full {
                    self.lengths[self.next] = defined;
                    self.next += 1;
                    if self.next == 1 << self.width && self.width < 12 {
                        self.width += 1;
                    }
                }
                length
            }
        };
        self.pixels += u64::from(length);
        self.previous = Some(code);
    }
}

fn u16_be(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        bytes.get(at..at + 2)?.try_into().ok()?,
    )))
}
