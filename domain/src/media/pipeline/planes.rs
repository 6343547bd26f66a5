//! Converts JPEG to JPEG within the colour space of the file.
//!
//! A JPEG has one plane of brightness and two of colour, often at half the size. Each plane is shrunk and turned
//! separately, and the encoder accepts planes. This needs neither a conversion to RGB nor an enlargement of the colour
//! planes. A colour profile is converted when the photo has its final size.
//!
//! Here, libjpeg-turbo-rs only decodes planes. Its conversion of rarer kinds to RGB panics on some damaged files, so
//! those go through [`rgb`].

use std::borrow::Cow;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, JpegError, Subsampling};

use super::container::Body;
use super::shape::Shape;
use super::{Error, Limits, Photo, QUALITY, Stop, fit, likeness, orient, rgb};

/// The maximum number of scans of a small progressive JPEG. Encoders write about ten. Each scan costs a pass over the
/// whole picture, so the limit falls with the size to [`FEW_SCANS`].
const MAX_SCANS: u64 = 100;
/// The maximum number of scans of a large progressive JPEG.
const FEW_SCANS: u64 = 20;
/// The number of pixels that all scans together may cover, where that gives a limit between [`FEW_SCANS`] and
/// [`MAX_SCANS`].
const SCANNED_PIXELS: u64 = 400_000_000;

/// The share of the maximum side above which halving suffices. The common sides of 4000 and 4032 pixels become 2000 and
/// 2016, without loss of sharpness and without a second resampling.
const NEAR_ENOUGH: f64 = 0.9;

/// Processes a JPEG that consists of brightness, with or without colour planes. Returns `None` for other kinds of JPEG.
///
/// # Errors
/// As [`super::process`]; [`Error::Truncated`] if the data ends before the last row.
pub(super) fn process(
    body: &Body<'_>,
    shape: &Shape,
    orientation: Orientation,
    limits: &Limits,
    stop: &Stop,
) -> Result<Option<Photo>, Error> {
    if !shape.jpeg().is_some_and(|jpeg| jpeg.is_planar()) {
        return Ok(None);
    }
    let bytes = decodable(body, shape);
    let decoder = decoder(&bytes, shape)?;
    let size = (shape.width as usize, shape.height as usize);
    if decoder.header().dimensions() != size {
        return Err(corrupt("it declares two different sizes"));
    }
    let grey = match decoder.jpeg_color_space() {
        ColorSpace::YCbCr => false,
        ColorSpace::Grayscale => true,
        ColorSpace::Rgb | ColorSpace::Cmyk | ColorSpace::Ycck | ColorSpace::Unknown => return Ok(None),
    };
    if decoder.header().is_lossless {
        return Ok(None);
    }
    let profile = decoder.icc_profile().ok().flatten().filter(|_| !grey);
    let convert = profile.and_then(|profile| rgb::to_srgb(&profile));
    let sampling: Vec<_> = decoder
        .header()
        .components
        .iter()
        .map(|component| (component.horizontal_sampling, component.vertical_sampling))
        .collect();
    let largest = sampling
        .iter()
        .fold((1, 1), |most, each| (most.0.max(each.0), most.1.max(each.1)));
    let raw = decoder.decode_raw().map_err(decoding)?;
    drop(bytes);
    stop.check()?;

    let sizes = raw.plane_widths.into_iter().zip(raw.plane_heights);
    let mut planes: Vec<_> = raw
        .planes
        .into_iter()
        .zip(sizes)
        .zip(sampling)
        .map(|((samples, (width, height)), (across, down))| Plane {
            samples,
            width,
            height,
            across: f64::from(across) / f64::from(largest.0),
            down: f64::from(down) / f64::from(largest.1),
        })
        .collect();

    let mut frame = Frame {
        width: f64::from(shape.width),
        height: f64::from(shape.height),
    };
    let max_side = f64::from(limits.max_side);
    let mut halved = false;
    while frame.long() > max_side
        && frame.long() / 2.0 >= max_side * NEAR_ENOUGH
        && planes
            .iter()
            .all(|plane| plane.width % 2 == 0 && plane.height % 2 == 0)
    {
        planes.iter_mut().for_each(Plane::halve);
        frame = Frame {
            width: frame.width / 2.0,
            height: frame.height / 2.0,
        };
        halved = true;
    }
    let (width, height) = if halved && frame.long() <= max_side {
        // Half a pixel at the right or lower edge is cut off instead of being resampled over the whole width.
        let whole = Frame {
            width: frame.width.floor().max(1.0),
            height: frame.height.floor().max(1.0),
        };
        frame = whole;
        (whole.width as u32, whole.height as u32)
    } else {
        fit(shape.width, shape.height, limits.max_side)
    };

    let half = (width.div_ceil(2), height.div_ceil(2));
    let scale = (frame.width / f64::from(width), frame.height / f64::from(height));
    let mut upright = planes.iter().enumerate().map(|(at, plane)| {
        // A colour sample covers two by two pixels, even if some of them are beyond the edge.
        let (size, pixels) = if at == 0 { ((width, height), 1) } else { (half, 2) };
        let pixels = (size.0 * pixels, size.1 * pixels);
        let area = (
            f64::from(pixels.0) * scale.0 * plane.across,
            f64::from(pixels.1) * scale.1 * plane.down,
        );
        plane.upright(area, size, orientation)
    });
    let luma = upright
        .next()
        .ok_or_else(|| corrupt("it has no brightness plane"))?;
    let neutral = || vec![128; half.0 as usize * half.1 as usize];
    let blue = upright.next().unwrap_or_else(neutral);
    let red = upright.next().unwrap_or_else(neutral);

    let turned = |(width, height): (u32, u32)| {
        if orient::swaps_sides(orientation) {
            (height, width)
        } else {
            (width, height)
        }
    };
    let ((width, height), half) = (turned((width, height)), turned(half));
    stop.check()?;
    if let Some(convert) = convert {
        let pixels = rgb::converted(&*convert, &to_rgb([&luma, &blue, &red], width, half.0))?;
        return Ok(Some(Photo {
            jpeg: rgb::encoded(&pixels, width, height)?,
            width,
            height,
            perceptual_hash: likeness::hash(&luma, width, height),
        }));
    }
    let jpeg = libjpeg_turbo_rs::compress_raw(
        &[&luma, &blue, &red],
        &[width, half.0, half.0].map(|side| side as usize),
        &[height, half.1, half.1].map(|side| side as usize),
        width as usize,
        height as usize,
        QUALITY,
        Subsampling::S420,
    )
    .map_err(|error| Error::Encode {
        detail: error.to_string(),
    })?;
    Ok(Some(Photo {
        jpeg,
        width,
        height,
        perceptual_hash: likeness::hash(&luma, width, height),
    }))
}

/// Converts planes to RGB; the colour planes have half the width and height (JFIF 1.02, conversion of ITU-R BT.601).
/// Each colour sample applies to its four pixels, because the encoder takes their mean again.
fn to_rgb([luma, blue, red]: [&[u8]; 3], width: u32, half: u32) -> Vec<u8> {
    let (width, half) = (width as usize, half as usize);
    let mut out = Vec::with_capacity(luma.len() * 3);
    for (y, row) in luma.chunks(width).enumerate() {
        let colour = y / 2 * half..(y / 2 + 1) * half;
        let colours = blue[colour.clone()].iter().zip(&red[colour]);
        for (pixels, (blue, red)) in row.chunks(2).zip(colours) {
            let (blue, red) = (i32::from(*blue) - 128, i32::from(*red) - 128);
            // In steps of 1/65536.
            let add = [91_881 * red, -22_554 * blue - 46_802 * red, 116_130 * blue];
            for light in pixels {
                let light = (i32::from(*light) << 16) + (1 << 15);
                out.extend(add.map(|add| ((light + add) >> 16).clamp(0, 255) as u8));
            }
        }
    }
    out
}

/// Checks that the data of a JPEG that [`rgb`] decodes suffices for all rows. The decoder there fills missing rows with
/// grey.
///
/// # Errors
/// [`Error::Truncated`].
pub(super) fn check_rows(body: &Body<'_>, shape: &Shape) -> Result<(), Error> {
    let bytes = decodable(body, shape);
    let rows = decoder(&bytes, shape).and_then(|decoder| {
        if decoder.header().is_lossless {
            return Ok(());
        }
        decoder.decode_raw().map(drop).map_err(decoding)
    });
    match rows {
        Err(Error::Truncated) => Err(Error::Truncated),
        Err(Error::Corrupt { .. }) if body.lacks_end() => Err(Error::Truncated),
        // The decoder of `rgb` reports what it cannot decode.
        _ => Ok(()),
    }
}

/// Returns the bytes for the decoder. It looks for the end mark only in files with several scans.
fn decodable<'a>(body: &Body<'a>, shape: &Shape) -> Cow<'a, [u8]> {
    if shape.jpeg().is_some_and(|jpeg| jpeg.holds_coefficients()) {
        body.joined()
    } else {
        Cow::Borrowed(body.bytes)
    }
}

fn decoder<'a>(bytes: &'a [u8], shape: &Shape) -> Result<Decoder<'a>, Error> {
    let scans = (SCANNED_PIXELS / shape.pixels()).clamp(FEW_SCANS, MAX_SCANS);
    let limits = DecodeLimits {
        max_pixels: shape.pixels(),
        max_scans: usize::try_from(scans).unwrap_or(usize::MAX),
        ..DecodeLimits::default()
    };
    Decoder::new_with_limits(bytes, limits).map_err(decoding)
}

fn decoding(error: JpegError) -> Error {
    match error {
        JpegError::UnexpectedEof => Error::Truncated,
        JpegError::Unsupported(feature) => Error::Unsupported {
            found: format!("JPEG with {feature}"),
        },
        other => corrupt(&other.to_string()),
    }
}

fn corrupt(detail: &str) -> Error {
    Error::Corrupt {
        detail: detail.to_owned(),
    }
}

/// The size of the visible part, in pixels of the brightness plane. Halving can make it fractional.
#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
}

impl Frame {
    fn long(self) -> f64 {
        self.width.max(self.height)
    }
}

/// One component. Its sides are multiples of the block size; the part beyond the frame is padding.
struct Plane {
    samples: Vec<u8>,
    width: usize,
    height: usize,
    /// Horizontal samples per pixel of the frame: 1, or less for subsampled colour.
    across: f64,
    /// Vertical samples per pixel of the frame.
    down: f64,
}

impl Plane {
    /// Replaces each square of two by two samples by its mean.
    fn halve(&mut self) {
        let width = self.width / 2;
        let mut out = vec![0; width * (self.height / 2)];
        for (row, pair) in out.chunks_mut(width).zip(self.samples.chunks(self.width * 2)) {
            let (upper, lower) = pair.split_at(self.width);
            let columns = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            for (mean, (a, b)) in row.iter_mut().zip(columns) {
                let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
                *mean = ((sum + 2) >> 2) as u8;
            }
        }
        (self.samples, self.width, self.height) = (out, width, self.height / 2);
    }

    /// Returns the samples of `area` at the top left, resized to `size` and turned upright.
    fn upright(&self, area: (f64, f64), size: (u32, u32), orientation: Orientation) -> Vec<u8> {
        let target = (size.0 as usize, size.1 as usize);
        if area == (f64::from(size.0), f64::from(size.1)) && target.0 <= self.width && target.1 <= self.height
        {
            return orient::upright(&self.samples, self.width, target, orientation);
        }
        let sides = [self.width, self.height].map(|side| u32::try_from(side).expect("a side has 16 bits"));
        let source = ImageRef::new(sides[0], sides[1], &self.samples, PixelType::U8)
            .expect("a plane has width x height samples");
        let mut resized = Image::new(size.0, size.1, PixelType::U8);
        let area = (area.0.min(f64::from(sides[0])), area.1.min(f64::from(sides[1])));
        let options = ResizeOptions::new()
            .crop(0.0, 0.0, area.0, area.1)
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
        Resizer::new()
            .resize(&source, &mut resized, &options)
            .expect("the area lies within the plane");
        orient::upright(resized.buffer(), target.0, target, orientation)
    }
}
