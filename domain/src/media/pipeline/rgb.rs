//! Pictures that are decoded to RGB: PNG, WebP, GIF, and the rarer kinds of JPEG.

use std::io::Cursor;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::error::{ImageError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use super::{Error, Format, Header, Limits, Photo, QUALITY, fit, likeness, orient, planes};

/// Memory that decoding one pixel may take, in bytes: four samples of 16 bits, and a copy of them.
const BYTES_PER_PIXEL: u64 = 16;

/// How far, in steps of 255, a profile's colours may be from sRGB to count as sRGB.
const SAME_COLOUR: u8 = 2;

/// # Errors
/// As [`super::inspect`].
pub(super) fn header(format: Format, bytes: &[u8]) -> Result<Header, Error> {
    let mut decoder = decoder(format, bytes, None)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().map_err(decoding)?;
    Ok(Header {
        format,
        width,
        height,
        orientation,
    })
}

pub(super) fn process(bytes: &[u8], header: &Header, limits: &Limits) -> Result<Photo, Error> {
    let (mut pixels, profile) = match header.format {
        Format::Jpeg => planes::decode_rgb(bytes)?,
        Format::Png | Format::WebP | Format::Gif => {
            let mut decoder = decoder(header.format, bytes, Some(limits.max_pixels))?;
            let profile = decoder.icc_profile().ok().flatten();
            (
                on_white(DynamicImage::from_decoder(decoder).map_err(decoding)?),
                profile,
            )
        }
    };
    let (width, height) = fit(header.width, header.height, limits.max_side);
    if (width, height) != (header.width, header.height) {
        pixels = resized(&pixels, (header.width, header.height), (width, height));
    }
    if let Some(convert) = profile.as_deref().and_then(to_srgb) {
        let mut converted = vec![0; pixels.len()];
        convert
            .transform(&pixels, &mut converted)
            .map_err(|error| Error::Corrupt {
                detail: error.to_string(),
            })?;
        pixels = converted;
    }
    let size = (width as usize, height as usize);
    let pixels = orient::upright(pixels.as_chunks::<3>().0, size.0, size, header.orientation);
    let (width, height) = if orient::swaps_sides(header.orientation) {
        (height, width)
    } else {
        (width, height)
    };

    let jpeg = Encoder::new(
        pixels.as_flattened(),
        width as usize,
        height as usize,
        PixelFormat::Rgb,
    )
    .quality(QUALITY)
    .subsampling(Subsampling::S420)
    .encode()
    .map_err(|error| Error::Encode {
        detail: error.to_string(),
    })?;
    let luma: Vec<u8> = pixels.iter().map(brightness).collect();
    Ok(Photo {
        jpeg,
        width,
        height,
        perceptual_hash: likeness::hash(&luma, width, height),
    })
}

/// The conversion to sRGB of an RGB profile whose colours differ from it visibly.
///
/// Profiles that cannot be read, or that are of printers' inks or greys, are left out of account.
pub(super) fn to_srgb(profile: &[u8]) -> Option<std::sync::Arc<Transform8BitExecutor>> {
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

fn decoder(format: Format, bytes: &[u8], max_pixels: Option<u64>) -> Result<impl ImageDecoder, Error> {
    let format = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = max_pixels.map(|pixels| pixels.saturating_mul(BYTES_PER_PIXEL));
    reader.limits(limits);
    reader.into_decoder().map_err(decoding)
}

fn decoding(error: ImageError) -> Error {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Error::Truncated,
        ImageError::Unsupported(error) => Error::Unsupported {
            found: error.to_string(),
        },
        ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => Error::Corrupt {
            detail: "a part of it is larger than the whole".to_owned(),
        },
        other => Error::Corrupt {
            detail: other.to_string(),
        },
    }
}

/// RGB of a picture laid on white. This comes before resizing, so that the colour hidden under transparent pixels does
/// not bleed into their neighbours.
fn on_white(picture: DynamicImage) -> Vec<u8> {
    if !picture.color().has_alpha() {
        return picture.into_rgb8().into_raw();
    }
    let over = |sample: u8, alpha: u8| {
        let sum = u16::from(sample) * u16::from(alpha) + 255 * (255 - u16::from(alpha));
        ((sum + 127) / 255) as u8
    };
    let pixels = picture.into_rgba8().into_raw();
    pixels
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|[r, g, b, a]| [over(*r, *a), over(*g, *a), over(*b, *a)])
        .collect()
}

fn resized(pixels: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let source =
        ImageRef::new(from.0, from.1, pixels, PixelType::U8x3).expect("a picture has width x height pixels");
    let mut out = Image::new(to.0, to.1, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(&source, &mut out, &options)
        .expect("both are of three bytes a pixel");
    out.into_vec()
}

/// The brightness that a JPEG would store for a pixel (ITU-R BT.601), so that both ways of decoding hash alike.
fn brightness([red, green, blue]: &[u8; 3]) -> u8 {
    ((u32::from(*red) * 19595 + u32::from(*green) * 38470 + u32::from(*blue) * 7471 + 32768) >> 16) as u8
}
