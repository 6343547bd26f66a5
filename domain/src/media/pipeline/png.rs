//! Decodes PNG and shrinks it while its rows are read, so a large picture is never held in memory as a whole.
//!
//! Text chunks are skipped. A colour profile is used unless it inflates to more than [`MAX_METADATA`]; the picture then
//! counts as sRGB.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{ColorType, Decoder, DecodingError, InterlaceInfo, Limits as PngLimits, Reader, Transformations};

use super::shape::Shape;
use super::{Error, Limits, Photo, Stop, rgb};
use crate::failpoints;

/// The maximum memory for inflated metadata such as profile and EXIF, in bytes. Profiles of cameras have a few
/// kilobytes, those of printers two megabytes.
const MAX_METADATA: usize = 4 << 20;
/// The share of the maximum side that averaging must not go below.
const NEAR_ENOUGH: f64 = 0.9;

/// Returns the averaging factor (pixels of the file per pixel, along each side) and the resulting size.
pub(super) fn shrunk(width: u32, height: u32, max_side: u32) -> (u32, (u32, u32)) {
    let enough = f64::from(max_side) * NEAR_ENOUGH;
    let (long, short) = (width.max(height), width.min(height));
    let mut factor = 1;
    while f64::from(long) / f64::from(factor * 2) >= enough && factor * 2 <= short {
        factor *= 2;
    }
    (factor, ((width / factor).max(1), (height / factor).max(1)))
}

/// Processes a PNG.
///
/// # Errors
/// As [`super::process`]; [`Error::Truncated`] if the data ends before the last row.
pub(super) fn process(
    bytes: &[u8],
    shape: &Shape,
    orientation: Orientation,
    limits: &Limits,
    stop: &Stop,
) -> Result<Photo, Error> {
    let (factor, size) = shrunk(shape.width, shape.height, limits.max_side);
    let mut reader = open(bytes)?;
    if reader.info().size() != (shape.width, shape.height) {
        return Err(damaged("it declares two different sizes"));
    }
    let pixels = read(&mut reader, shape, factor, size, stop)?;
    if !shape.is_interlaced() {
        // Rows that are too few for another square are not in the photo, but a file without them was cut.
        for _ in size.1 * factor..shape.height {
            reader.next_row().map_err(decoding)?.ok_or(Error::Truncated)?;
        }
    }
    let profile = reader.info().icc_profile.as_deref().map(<[u8]>::to_vec);
    rgb::finish(pixels, size, orientation, profile.as_deref(), limits, stop)
}

/// Returns the RGB pixels of the top of a PNG, averaged to about `width`, and their size. `None` if the file is not a
/// valid PNG or is interlaced.
pub(crate) fn thumbnail_pixels(bytes: &[u8], width: u32, ratio: u32) -> Option<(Vec<u8>, (u32, u32))> {
    let shape = Shape::of(bytes).ok()?;
    if shape.is_interlaced() {
        return None;
    }
    let factor = (shape.width / width).max(1);
    let shown = shape.height.min(shape.width.saturating_mul(ratio));
    let size = ((shape.width / factor).max(1), (shown / factor).max(1));
    let mut reader = open(bytes).ok()?;
    let pixels = read(&mut reader, &shape, factor, size, &Stop::default()).ok()?;
    Some((pixels, size))
}

fn open(bytes: &[u8]) -> Result<Reader<Cursor<&[u8]>>, Error> {
    let open = |ignore_profile| {
        let most = if failpoints::disables("metadata") {
            usize::MAX
        } else {
            MAX_METADATA
        };
        let limits = PngLimits { bytes: most };
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(ignore_profile);
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        decoder.read_info()
    };
    open(false).or_else(|_| open(true)).map_err(decoding)
}

/// Returns `size` RGB pixels on white, each the mean of `factor` x `factor` pixels of the file, from its top left.
fn read(
    reader: &mut Reader<Cursor<&[u8]>>,
    shape: &Shape,
    factor: u32,
    size: (u32, u32),
    stop: &Stop,
) -> Result<Vec<u8>, Error> {
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err(damaged("its palette is missing")),
    };
    let mut mean = Mean::new(factor as usize, size.0 as usize, size.1 as usize, channels);
    if shape.is_interlaced() {
        let length = reader
            .output_buffer_size()
            .ok_or_else(|| damaged("it is too large"))?;
        let mut whole = vec![0; length];
        let stride = shape.width as usize * channels;
        // The samples are counted because the reader looks for the next chunk after the last row, which may be missing.
        let mut missing = length;
        while missing > 0 {
            stop.check()?;
            let row = reader
                .next_interlaced_row()
                .map_err(decoding)?
                .ok_or(Error::Truncated)?;
            missing = missing.saturating_sub(row.data().len());
            if let InterlaceInfo::Adam7(pass) = row.interlace() {
                png::expand_interlaced_row(&mut whole, stride, row.data(), pass, channels as u8 * 8);
            }
        }
        for row in whole.chunks(stride).take(size.1 as usize * factor as usize) {
            stop.check()?;
            mean.add(row);
        }
    } else {
        for _ in 0..size.1 * factor {
            stop.check()?;
            let row = reader.next_row().map_err(decoding)?.ok_or(Error::Truncated)?;
            mean.add(row.data());
        }
    }
    Ok(mean.pixels)
}

/// Averages squares of pixels while rows are added.
struct Mean {
    factor: usize,
    width: usize,
    channels: usize,
    sums: Vec<u32>,
    rows: usize,
    pixels: Vec<u8>,
}

impl Mean {
    fn new(factor: usize, width: usize, height: usize, channels: usize) -> Self {
        Self {
            factor,
            width,
            channels,
            sums: vec![0; width * 3],
            rows: 0,
            pixels: Vec::with_capacity(width * height * 3),
        }
    }

    fn add(&mut self, row: &[u8]) {
        match self.channels {
            1 => self.add_row(row, |[grey]: &[u8; 1]| [*grey; 3]),
            2 => self.add_row(row, |[grey, alpha]| [rgb::over_white(*grey, *alpha); 3]),
            3 => self.add_row(row, |pixel: &[u8; 3]| *pixel),
            _ => self.add_row(row, |[red, green, blue, alpha]| {
                [red, green, blue].map(|sample| rgb::over_white(*sample, *alpha))
            }),
        }
        self.rows += 1;
        if self.rows == self.factor {
            let count = (self.factor * self.factor) as u32;
            let means = self.sums.iter().map(|sum| ((sum + count / 2) / count) as u8);
            self.pixels.extend(means.take(self.width * 3));
            self.sums.fill(0);
            self.rows = 0;
        }
    }

    fn add_row<const N: usize>(&mut self, row: &[u8], rgb: impl Fn(&[u8; N]) -> [u8; 3]) {
        let squares = row.as_chunks::<N>().0.chunks_exact(self.factor);
        for (sums, square) in self.sums.as_chunks_mut::<3>().0.iter_mut().zip(squares) {
            for pixel in square {
                for (sum, sample) in sums.iter_mut().zip(rgb(pixel)) {
                    *sum += u32::from(sample);
                }
            }
        }
    }
}

/// Parts of the messages of the decoder for image data that ends too early although other chunks follow. The decoder
/// has no other way to tell these errors from damage.
const TOO_LITTLE_DATA: [&str; 3] = [
    "InsufficientInput",
    "enough data for image",
    "IDAT or fdAT chunk is missing",
];

fn damaged(detail: &str) -> Error {
    Error::Corrupt {
        detail: detail.to_owned(),
    }
}

fn decoding(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated
        }
        other => {
            let detail = other.to_string();
            if TOO_LITTLE_DATA.iter().any(|part| detail.contains(part)) {
                Error::Truncated
            } else {
                damaged(&detail)
            }
        }
    }
}
