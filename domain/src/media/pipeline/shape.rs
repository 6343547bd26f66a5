//! Reads the size that a file claims, and the memory that decoding needs, from its structure before it is decoded.
//!
//! A file of a few bytes can claim a picture of gigabytes, so all limits are checked here. If a decoder finds another
//! size than the checked size, the file counts as damaged.

use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom};

use super::{Error, Format, Limits, SMALL, container, fit};

/// The number of bytes that the detection of the format reads. The brands of a HEIC can exceed it; its name is then
/// found when the whole file is read.
const HEAD: usize = 128;
/// The maximum number of segments or chunks before the picture. Files of cameras and editors have some dozens.
const MAX_SEGMENTS: usize = 10_000;
/// The memory for everything except pixels, in bytes: tables and buffers of the decoders, profiles.
const FIXED: u64 = 4 << 20;

/// The format, size and structure that a file claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Jpeg(Jpeg),
    Png { is_interlaced: bool },
    WebP { is_plain: bool },
    Gif,
}

/// How a JPEG is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jpeg {
    /// The sampling of up to four components, horizontal and vertical.
    sampling: [(u8, u8); 4],
    components: usize,
    /// Whether a decoder holds all coefficients until the last scan: for progressive files, and files with several
    /// scans.
    holds_coefficients: bool,
    /// The length of the segments before the picture, such as metadata, in bytes.
    metadata: u64,
}

impl Shape {
    /// Reads the shape of a file in memory.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(&mut Cursor::new(bytes))
    }

    /// Reads the shape from the start of a file, and skips the segments before the picture.
    ///
    /// # Errors
    /// [`Error::NotAnImage`], [`Error::Unsupported`], [`Error::Truncated`]; [`Error::Corrupt`], also for a picture
    /// without pixels; [`Error::Unreadable`] if the file cannot be read.
    pub(super) fn read(file: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let mut head = Vec::with_capacity(HEAD);
        file.by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(reading)?;
        let format = container::format(&head)?;
        let (width, height, kind) = match format {
            Format::Jpeg => jpeg(file)?,
            Format::Png => png(&head)?,
            Format::WebP => webp(file)?,
            Format::Gif => {
                let side = |at| u16_le(&head, at).map(u32::from);
                (side(6)?, side(8)?, Kind::Gif)
            }
        };
        if width == 0 || height == 0 {
            return Err(corrupt("it has no pixels"));
        }
        Ok(Self {
            format,
            width,
            height,
            kind,
        })
    }

    /// Checks a file of `length` bytes against the limits.
    ///
    /// # Errors
    /// One of the errors whose names start with `Too` or `Side`.
    pub(super) fn check(&self, length: u64, limits: &Limits) -> Result<(), Error> {
        check_length(length, limits)?;
        if crate::failpoints::disables("bounds") {
            return Ok(());
        }
        let (width, height) = (self.width, self.height);
        let pixels = self.pixels();
        let (long, short) = (width.max(height), width.min(height));
        if pixels > limits.max_pixels {
            return Err(Error::TooManyPixels {
                width,
                height,
                limit: limits.max_pixels,
            });
        }
        if long > limits.max_source_side {
            return Err(Error::SideTooLong {
                width,
                height,
                limit: limits.max_source_side,
            });
        }
        if long / short > limits.max_ratio {
            return Err(Error::TooNarrow {
                width,
                height,
                limit: limits.max_ratio,
            });
        }
        if pixels > SMALL && pixels / length.max(1) > limits.max_pixels_per_byte {
            return Err(Error::TooDense {
                width,
                height,
                bytes: length,
                limit: limits.max_pixels_per_byte,
            });
        }
        let needed = self.memory(length, limits.max_side);
        if needed > limits.max_memory {
            return Err(Error::TooMuchMemory {
                width,
                height,
                needed,
                limit: limits.max_memory,
            });
        }
        Ok(())
    }

    /// Returns the maximum memory that processing a file of `length` bytes needs, in bytes. A test measures it.
    pub(super) fn memory(&self, length: u64, max_side: u32) -> u64 {
        let (wide, high) = fit(self.width, self.height, max_side);
        let kept = u64::from(wide) * u64::from(high);
        let shrinking = |(width, height): (u32, u32)| {
            // The resizer works along one side first and holds the intermediate picture.
            (u64::from(wide) * u64::from(height)).max(u64::from(width) * u64::from(high)) * 3
        };
        let pixels = self.pixels();
        let (decoding, decoded, size) = match self.kind {
            Kind::Jpeg(jpeg) if jpeg.is_planar() => {
                let planes = jpeg.samples(self.width, self.height);
                let coefficients = if jpeg.holds_coefficients {
                    // The file is copied if it lacks its end mark.
                    planes * 2 + length
                } else {
                    0
                };
                // While a plane is halved, the result (a quarter) exists next to it.
                (
                    planes + (planes / 4).max(coefficients),
                    planes,
                    (self.width, self.height),
                )
            }
            Kind::Jpeg(jpeg) => {
                let coefficients = if jpeg.holds_coefficients { pixels * 8 } else { 0 };
                (
                    pixels * 4 + length + coefficients,
                    pixels * 4,
                    (self.width, self.height),
                )
            }
            Kind::Png { is_interlaced } => {
                let size = super::png::shrunk(self.width, self.height, max_side).1;
                let shrunk = u64::from(size.0) * u64::from(size.1) * 3;
                let whole = if is_interlaced { pixels * 4 } else { 0 };
                (shrunk + whole, shrunk, size)
            }
            Kind::WebP { is_plain: true } => (pixels * 8, pixels * 3, (self.width, self.height)),
            Kind::WebP { is_plain: false } => (pixels * 13, pixels * 4, (self.width, self.height)),
            // A frame that does not fill the picture is held in addition to it.
            Kind::Gif => (pixels * 8, pixels * 4, (self.width, self.height)),
        };
        // Turning, converting and the change from RGB to planes each need two copies of the pixels.
        let finishing = decoded + shrinking(size) + kept * 12;
        // Decoders copy metadata and join its parts. They keep the copy.
        let metadata = match self.kind {
            Kind::Jpeg(jpeg) => jpeg.metadata,
            Kind::Gif => length,
            // The metadata of a PNG is limited, and that of a WebP is not copied.
            Kind::Png { .. } | Kind::WebP { .. } => 0,
        };
        length + metadata + decoding.max(finishing).max(metadata) + FIXED
    }

    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(super) fn jpeg(&self) -> Option<Jpeg> {
        match self.kind {
            Kind::Jpeg(jpeg) => Some(jpeg),
            _ => None,
        }
    }

    pub(super) fn is_interlaced(&self) -> bool {
        matches!(self.kind, Kind::Png { is_interlaced: true })
    }
}

impl Jpeg {
    /// Whether the JPEG can be processed in planes: brightness only, or with two colour planes whose sampling divides
    /// that of the brightness.
    pub(super) fn is_planar(&self) -> bool {
        let [luma, colour @ ..] = &self.sampling[..self.components] else {
            return false;
        };
        let divides = |(across, down): &(u8, u8)| luma.0 % across == 0 && luma.1 % down == 0;
        matches!(colour.len(), 0 | 2) && colour.iter().all(divides)
    }

    /// Whether a decoder holds all coefficients until the last scan. Only then it reads up to the end mark.
    pub(super) fn holds_coefficients(&self) -> bool {
        self.holds_coefficients
    }

    /// Returns the number of samples of all planes, whose sides are multiples of the block size.
    fn samples(&self, width: u32, height: u32) -> u64 {
        let sampling = &self.sampling[..self.components];
        let most = sampling
            .iter()
            .fold((1, 1), |most, each| (most.0.max(each.0), most.1.max(each.1)));
        let blocks = |side: u32, most: u8| u64::from(side.div_ceil(u32::from(most) * 8));
        let units = blocks(width, most.0) * blocks(height, most.1);
        let of_unit: u64 = sampling
            .iter()
            .map(|(across, down)| u64::from(*across) * u64::from(*down) * 64)
            .sum();
        units * of_unit
    }
}

/// Checks the length of a file.
///
/// # Errors
/// [`Error::TooManyBytes`].
pub(super) fn check_length(length: u64, limits: &Limits) -> Result<(), Error> {
    if length > limits.max_bytes {
        return Err(Error::TooManyBytes {
            bytes: length,
            limit: limits.max_bytes,
        });
    }
    Ok(())
}

fn jpeg(file: &mut (impl Read + Seek)) -> Result<(u32, u32, Kind), Error> {
    seek(file, 2)?;
    let mut frame = None;
    let mut metadata = 0;
    for _ in 0..MAX_SEGMENTS {
        let marker = marker(file)?;
        // Markers without a length.
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if marker == 0xD9 {
            return Err(corrupt("it has no picture"));
        }
        let length = u64::from(u16::from_be_bytes(take::<2>(file)?));
        let length = length
            .checked_sub(2)
            .ok_or_else(|| corrupt("a segment is too short"))?;
        match marker {
            // Start of scan.
            0xDA => {
                let (width, height, mut jpeg): (u32, u32, Jpeg) =
                    frame.ok_or_else(|| corrupt("it has no frame"))?;
                let [components] = take::<1>(file)?;
                jpeg.holds_coefficients |= usize::from(components) < jpeg.components;
                jpeg.metadata = metadata;
                return Ok((width, height, Kind::Jpeg(jpeg)));
            }
            // Start of frame, of every kind.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                if frame.is_some() {
                    return Err(corrupt("it has two frames"));
                }
                frame = Some(jpeg_frame(file, marker, length)?);
            }
            _ => {
                metadata += length;
                skip(file, length)?;
            }
        }
    }
    Err(corrupt("it has too many segments"))
}

fn jpeg_frame(file: &mut impl Read, marker: u8, length: u64) -> Result<(u32, u32, Jpeg), Error> {
    let [precision, h1, h0, w1, w0, components] = take::<6>(file)?;
    if precision != 8 {
        return Err(Error::Unsupported {
            found: format!("JPEG with {precision} bits a sample"),
        });
    }
    if !(1..=4).contains(&components) || length != 6 + 3 * u64::from(components) {
        return Err(corrupt("its frame has no components, or too many"));
    }
    let mut sampling = [(1, 1); 4];
    for sampling in sampling.iter_mut().take(usize::from(components)) {
        let [_, packed, _] = take::<3>(file)?;
        *sampling = (packed >> 4, packed & 15);
        if !(1..=4).contains(&sampling.0) || !(1..=4).contains(&sampling.1) {
            return Err(corrupt("a component has no sampling"));
        }
    }
    Ok((
        u32::from(u16::from_be_bytes([w1, w0])),
        u32::from(u16::from_be_bytes([h1, h0])),
        Jpeg {
            sampling,
            components: usize::from(components),
            // Baseline and extended sequential files with Huffman codes are decoded while they are read.
            holds_coefficients: !matches!(marker, 0xC0 | 0xC1),
            // The end of the segments is not known yet.
            metadata: 0,
        },
    ))
}

/// Returns the next marker. Skips bytes that belong to no segment, as decoders do.
fn marker(file: &mut impl Read) -> Result<u8, Error> {
    let [mut byte] = take::<1>(file)?;
    let mut after_mark = false;
    loop {
        match byte {
            0xFF => after_mark = true,
            0 => after_mark = false,
            marker if after_mark => return Ok(marker),
            _ => {}
        }
        [byte] = take::<1>(file)?;
    }
}

fn png(head: &[u8]) -> Result<(u32, u32, Kind), Error> {
    if head.get(12..16).ok_or(Error::Truncated)? != b"IHDR" {
        return Err(corrupt("it does not start with its header"));
    }
    let side = |at: usize| {
        let four = head.get(at..at + 4).ok_or(Error::Truncated)?;
        Ok(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    let is_interlaced = *head.get(28).ok_or(Error::Truncated)? != 0;
    Ok((side(16)?, side(20)?, Kind::Png { is_interlaced }))
}

fn webp(file: &mut (impl Read + Seek)) -> Result<(u32, u32, Kind), Error> {
    seek(file, 12)?;
    let first = webp_chunk(file)?;
    let Chunk::Canvas { size, is_plain } = first else {
        return match first {
            Chunk::Picture { size, is_plain } => Ok((size.0, size.1, Kind::WebP { is_plain })),
            _ => Err(corrupt("it does not start with its header")),
        };
    };
    for _ in 0..MAX_SEGMENTS {
        let inner = match webp_chunk(file)? {
            Chunk::Picture { size, .. } => size,
            // A frame of an animation: sixteen bytes, then nested chunks.
            Chunk::Frame => loop {
                match webp_chunk(file)? {
                    Chunk::Picture { size, .. } => break size,
                    Chunk::Other => {}
                    Chunk::Canvas { .. } | Chunk::Frame => return Err(corrupt("a frame holds another")),
                }
            },
            Chunk::Canvas { .. } => return Err(corrupt("it has two headers")),
            Chunk::Other => continue,
        };
        if inner.0 > size.0 || inner.1 > size.1 {
            return Err(corrupt("a part of it is larger than the picture"));
        }
        return Ok((size.0, size.1, Kind::WebP { is_plain }));
    }
    Err(corrupt("it has too many chunks"))
}

enum Chunk {
    Canvas { size: (u32, u32), is_plain: bool },
    Picture { size: (u32, u32), is_plain: bool },
    Frame,
    Other,
}

/// Reads one chunk. Afterwards, the position is after the chunk, after the head of a frame, or within a picture.
fn webp_chunk(file: &mut (impl Read + Seek)) -> Result<Chunk, Error> {
    let name = take::<4>(file)?;
    let length = u64::from(u32::from_le_bytes(take::<4>(file)?));
    let padded = length + length % 2;
    match &name {
        b"VP8X" => {
            let head = take::<10>(file)?;
            skip(file, padded.saturating_sub(10))?;
            let side = |at: usize| 1 + u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]);
            Ok(Chunk::Canvas {
                size: (side(4), side(7)),
                // Neither transparent nor an animation.
                is_plain: head[0] & 0b1_0010 == 0,
            })
        }
        b"VP8 " => {
            let head = take::<10>(file)?;
            let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]) & 0x3FFF);
            Ok(Chunk::Picture {
                size: (side(6), side(8)),
                is_plain: true,
            })
        }
        b"VP8L" => {
            let [_, a, b, c, d] = take::<5>(file)?;
            let packed = u32::from_le_bytes([a, b, c, d]);
            Ok(Chunk::Picture {
                size: (1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)),
                is_plain: packed >> 28 & 1 == 0,
            })
        }
        b"ANMF" => {
            skip(file, 16)?;
            Ok(Chunk::Frame)
        }
        _ => {
            skip(file, padded)?;
            Ok(Chunk::Other)
        }
    }
}

fn take<const N: usize>(file: &mut impl Read) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(reading)?;
    Ok(bytes)
}

fn skip(file: &mut impl Seek, length: u64) -> Result<(), Error> {
    let length = i64::try_from(length).map_err(|_| Error::Truncated)?;
    file.seek_relative(length).map_err(reading)
}

fn seek(file: &mut impl Seek, at: u64) -> Result<(), Error> {
    file.seek(SeekFrom::Start(at)).map(drop).map_err(reading)
}

fn u16_le(bytes: &[u8], at: usize) -> Result<u16, Error> {
    let two = bytes.get(at..at + 2).ok_or(Error::Truncated)?;
    Ok(u16::from_le_bytes([two[0], two[1]]))
}

fn reading(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => Error::Truncated,
        _ => Error::Unreadable {
            detail: error.to_string(),
        },
    }
}

fn corrupt(detail: &str) -> Error {
    Error::Corrupt {
        detail: detail.to_owned(),
    }
}
