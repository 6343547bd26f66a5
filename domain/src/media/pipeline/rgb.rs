//! Processes pictures in RGB: WebP, GIF and the rarer kinds of JPEG, and the pixels that [`super::png`] decodes.

use std::borrow::Cow;
use std::io::{BufRead, ErrorKind, Read, Seek, SeekFrom};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use super::container::{Body, webp_chunks};
use super::shape::Shape;
use super::{Error, Format, Limits, Photo, QUALITY, Stop, fit, likeness, orient};

/// The memory per pixel that a decoder may allocate, in bytes.
const BYTES_PER_PIXEL: u64 = 12;

/// The difference to sRGB, in steps of 255, up to which the colours of a profile count as sRGB.
const SAME_COLOUR: u8 = 2;

/// The maximum length of a profile, in bytes. Longer profiles are ignored; those of printers, the largest, have two
/// megabytes.
const MAX_PROFILE: usize = 4 << 20;

/// The number of bytes that a decoder reads at once. A cancelled photo is noticed between two reads.
const PIECE: usize = 4096;

/// Decodes and processes a picture.
///
/// # Errors
/// As [`super::process`].
pub(super) fn process(
    body: &Body<'_>,
    shape: &Shape,
    orientation: Orientation,
    limits: &Limits,
    stop: &Stop,
) -> Result<Photo, Error> {
    let input = Input {
        bytes: body.bytes,
        end: body.missing_end,
        at: 0,
        stop,
    };
    let stopped = |error| stop.check().err().unwrap_or(error);
    let mut decoder = decoder(input, shape).map_err(stopped)?;
    if decoder.dimensions() != (shape.width, shape.height) {
        return Err(corrupt("it declares two different sizes"));
    }
    let profile: Option<Cow<'_, [u8]>> = match shape.format {
        // The decoder allocates the length that the chunk claims.
        Format::WebP => webp_chunks(body.bytes)
            .find(|chunk| chunk.name == b"ICCP")
            .map(|chunk| Cow::Borrowed(chunk.data)),
        Format::Jpeg | Format::Png | Format::Gif => decoder.icc_profile().ok().flatten().map(Cow::Owned),
    };
    let profile = profile.filter(|profile| profile.len() <= MAX_PROFILE);
    let color = decoder.color_type();
    let length = usize::try_from(decoder.total_bytes()).map_err(|_| corrupt("it is too large"))?;
    let mut pixels = vec![0; length];
    decoder
        .read_image(&mut pixels)
        .map_err(|error| stopped(decoding(error)))?;
    let pixels = to_rgb(pixels, color)?;
    let size = (shape.width, shape.height);
    finish(pixels, size, orientation, profile.as_deref(), limits, stop)
}

/// Turns RGB pixels into a photo: shrinks them, converts them to sRGB, turns them upright and encodes them.
///
/// # Errors
/// [`Error::Stopped`], [`Error::Corrupt`], [`Error::Encode`].
pub(super) fn finish(
    mut pixels: Vec<u8>,
    size: (u32, u32),
    orientation: Orientation,
    profile: Option<&[u8]>,
    limits: &Limits,
    stop: &Stop,
) -> Result<Photo, Error> {
    stop.check()?;
    let (width, height) = fit(size.0, size.1, limits.max_side);
    if (width, height) != size {
        pixels = resized(&pixels, size, (width, height));
    }
    stop.check()?;
    if let Some(convert) = profile.and_then(to_srgb) {
        pixels = converted(&*convert, &pixels)?;
    }
    let size = (width as usize, height as usize);
    let pixels = orient::upright(pixels.as_chunks::<3>().0, size.0, size, orientation);
    let (width, height) = if orient::swaps_sides(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    let luma: Vec<u8> = pixels.iter().map(brightness).collect();
    Ok(Photo {
        jpeg: encoded(pixels.as_flattened(), width, height)?,
        width,
        height,
        perceptual_hash: likeness::hash(&luma, width, height),
    })
}

/// Encodes RGB pixels as JPEG.
///
/// # Errors
/// [`Error::Encode`].
pub(super) fn encoded(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, Error> {
    Encoder::new(pixels, width as usize, height as usize, PixelFormat::Rgb)
        .quality(QUALITY)
        .subsampling(Subsampling::S420)
        .encode()
        .map_err(|error| Error::Encode {
            detail: error.to_string(),
        })
}

/// Converts RGB pixels to sRGB.
///
/// # Errors
/// [`Error::Corrupt`].
pub(super) fn converted(convert: &Transform8BitExecutor, pixels: &[u8]) -> Result<Vec<u8>, Error> {
    let mut converted = vec![0; pixels.len()];
    convert
        .transform(pixels, &mut converted)
        .map_err(|error| corrupt(&error.to_string()))?;
    Ok(converted)
}

/// Returns the conversion of an RGB profile to sRGB, if its colours differ visibly from sRGB.
///
/// Profiles that cannot be read and profiles for CMYK or grey are ignored.
pub(super) fn to_srgb(profile: &[u8]) -> Option<std::sync::Arc<Transform8BitExecutor>> {
    if profile.len() > MAX_PROFILE {
        return None;
    }
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    if profile.color_space != DataColorSpace::Rgb {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let convert = profile
        .create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, TransformOptions::default())
        .ok()?;
    let steps = [0_u8, 64, 128, 192, 255];
    let cube: Vec<u8> = (0..125)
        .flat_map(|at| [steps[at / 25], steps[at / 5 % 5], steps[at % 5]])
        .collect();
    let mut converted = vec![0; cube.len()];
    convert.transform(&cube, &mut converted).ok()?;
    cube.iter()
        .zip(&converted)
        .any(|(before, after)| before.abs_diff(*after) > SAME_COLOUR)
        .then_some(convert)
}

/// The bytes of a file and the end that it lacks. Reading fails after the work was stopped.
struct Input<'a> {
    bytes: &'a [u8],
    end: &'a [u8],
    at: usize,
    stop: &'a Stop,
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(into.len());
        into[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.stop.check().map_err(std::io::Error::other)?;
        let rest = match self.at.checked_sub(self.bytes.len()) {
            None => &self.bytes[self.at..],
            Some(at) => self.end.get(at..).unwrap_or_default(),
        };
        Ok(&rest[..rest.len().min(PIECE)])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Seek for Input<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let from = |start: usize, by: i64| (start as u64).checked_add_signed(by);
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => from(self.at, by),
            SeekFrom::End(by) => from(self.bytes.len() + self.end.len(), by),
        };
        let at = at.ok_or(ErrorKind::InvalidInput)?;
        self.at = usize::try_from(at).map_err(|_| ErrorKind::InvalidInput)?;
        Ok(at)
    }
}

fn decoder<'a>(input: Input<'a>, shape: &Shape) -> Result<impl ImageDecoder + 'a, Error> {
    let format = match shape.format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
    };
    let mut reader = ImageReader::with_format(input, format);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(shape.pixels() * BYTES_PER_PIXEL + MAX_PROFILE as u64);
    reader.limits(limits);
    reader.into_decoder().map_err(decoding)
}

fn decoding(error: ImageError) -> Error {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => Error::Truncated,
        ImageError::Unsupported(error) => Error::Unsupported {
            found: error.to_string(),
        },
        ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => Error::Corrupt {
            detail: "a part of it is larger than the picture".to_owned(),
        },
        other => Error::Corrupt {
            detail: other.to_string(),
        },
    }
}

/// Converts decoded pixels to RGB on white, in place. This happens before resizing, so that the hidden colour of
/// transparent pixels does not bleed into their neighbours.
fn to_rgb(mut pixels: Vec<u8>, color: ColorType) -> Result<Vec<u8>, Error> {
    match color {
        ColorType::Rgb8 => Ok(pixels),
        ColorType::L8 => Ok(pixels.iter().flat_map(|grey| [*grey; 3]).collect()),
        ColorType::Rgba8 => {
            let count = pixels.len() / 4;
            for at in 0..count {
                let alpha = pixels[at * 4 + 3];
                for sample in 0..3 {
                    pixels[at * 3 + sample] = over_white(pixels[at * 4 + sample], alpha);
                }
            }
            pixels.truncate(count * 3);
            Ok(pixels)
        }
        other => Err(Error::Unsupported {
            found: format!("a picture in {other:?}"),
        }),
    }
}

pub(super) fn over_white(sample: u8, alpha: u8) -> u8 {
    let sum = u16::from(sample) * u16::from(alpha) + 255 * (255 - u16::from(alpha));
    ((sum + 127) / 255) as u8
}

/// Resizes RGB pixels.
pub(in crate::media) fn resized(pixels: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let source =
        ImageRef::new(from.0, from.1, pixels, PixelType::U8x3).expect("a picture has width x height pixels");
    let mut out = Image::new(to.0, to.1, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(&source, &mut out, &options)
        .expect("both are of three bytes a pixel");
    out.into_vec()
}

fn corrupt(detail: &str) -> Error {
    Error::Corrupt {
        detail: detail.to_owned(),
    }
}

/// Returns the brightness that a JPEG stores for a pixel (ITU-R BT.601), so that [`super::planes`] and this module
/// compute the same hash.
fn brightness([red, green, blue]: &[u8; 3]) -> u8 {
    ((u32::from(*red) * 19595 + u32::from(*green) * 38470 + u32::from(*blue) * 7471 + 32768) >> 16) as u8
}
