//! JPEG to JPEG without leaving its own colour space.
//!
//! A JPEG holds a plane of brightness and two of colour, the latter often at half the size. Shrinking and turning work on
//! each plane by itself, and the encoder takes planes as they are: neither conversion to RGB nor enlarging of the colour
//! planes is needed.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, JpegError, PixelFormat, Subsampling};

use super::{Error, Format, Header, Limits, Photo, QUALITY, fit, likeness, orient, rgb};

/// Scans of one progressive JPEG: encoders write about ten, and each one costs a walk over the whole picture.
const MAX_SCANS: usize = 100;

/// The share of the longest side allowed at which halving alone is good enough: the common 4000 and 4032 become 2000 and
/// 2016, are as sharp as any, and need no second resampling.
const NEAR_ENOUGH: f64 = 0.9;

/// # Errors
/// As [`super::inspect`].
pub(super) fn header(bytes: &[u8]) -> Result<Header, Error> {
    let decoder = decoder(bytes)?;
    let (width, height) = decoder.header().dimensions();
    Ok(Header {
        format: Format::Jpeg,
        width: u32::try_from(width).expect("a JPEG's sides have 16 bits"),
        height: u32::try_from(height).expect("a JPEG's sides have 16 bits"),
        orientation: decoder
            .exif_orientation()
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms),
    })
}

/// The photo made of a JPEG in brightness and colour, or `None` when it is of another kind ([`decode_rgb`] reads those).
pub(super) fn process(bytes: &[u8], header: &Header, limits: &Limits) -> Result<Option<Photo>, Error> {
    let decoder = decoder(bytes)?;
    let grey = match decoder.jpeg_color_space() {
        ColorSpace::YCbCr => false,
        ColorSpace::Grayscale => true,
        ColorSpace::Rgb | ColorSpace::Cmyk | ColorSpace::Ycck | ColorSpace::Unknown => return Ok(None),
    };
    let foreign_colours = decoder
        .icc_profile()
        .ok()
        .flatten()
        .and_then(|profile| rgb::to_srgb(&profile))
        .is_some();
    if (foreign_colours && !grey) || decoder.header().is_lossless {
        return Ok(None);
    }
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
        width: f64::from(header.width),
        height: f64::from(header.height),
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
        // Half a pixel at the right or lower edge is left out rather than smeared over the whole width.
        let whole = Frame {
            width: frame.width.floor().max(1.0),
            height: frame.height.floor().max(1.0),
        };
        frame = whole;
        (whole.width as u32, whole.height as u32)
    } else {
        fit(header.width, header.height, limits.max_side)
    };

    let half = (width.div_ceil(2), height.div_ceil(2));
    let scale = (frame.width / f64::from(width), frame.height / f64::from(height));
    let mut upright = planes.iter().enumerate().map(|(at, plane)| {
        // A sample of colour stands for two by two pixels, also where the last of them are beyond the edge.
        let (size, pixels) = if at == 0 { ((width, height), 1) } else { (half, 2) };
        let pixels = (size.0 * pixels, size.1 * pixels);
        let area = (
            f64::from(pixels.0) * scale.0 * plane.across,
            f64::from(pixels.1) * scale.1 * plane.down,
        );
        plane.upright(area, size, header.orientation)
    });
    let luma = upright.next().ok_or_else(|| corrupt("it has no brightness"))?;
    let neutral = || vec![128; half.0 as usize * half.1 as usize];
    let blue = upright.next().unwrap_or_else(neutral);
    let red = upright.next().unwrap_or_else(neutral);

    let turned = |(width, height): (u32, u32)| {
        if orient::swaps_sides(header.orientation) {
            (height, width)
        } else {
            (width, height)
        }
    };
    let ((width, height), half) = (turned((width, height)), turned(half));
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

/// Pixels of a JPEG that [`process`] does not take: RGB, the inks of a printer, or foreign colours. With its profile.
pub(super) fn decode_rgb(bytes: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
    let mut decoder = decoder(bytes)?;
    decoder.set_output_format(PixelFormat::Rgb);
    let profile = decoder.icc_profile().ok().flatten();
    let image = decoder.decode_image().map_err(decoding)?;
    Ok((image.data, profile))
}

fn decoder(bytes: &[u8]) -> Result<Decoder<'_>, Error> {
    let limits = DecodeLimits {
        max_scans: MAX_SCANS,
        ..DecodeLimits::default()
    };
    let decoder = Decoder::new_with_limits(bytes, limits).map_err(decoding)?;
    if decoder.header().precision != 8 {
        return Err(Error::Unsupported {
            found: format!("JPEG with {} bits a sample", decoder.header().precision),
        });
    }
    Ok(decoder)
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

/// The size of what is to be seen, in pixels of the brightness plane; fractions come from halving.
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

/// One component. Its sides are whole blocks: beyond the frame there is padding.
struct Plane {
    samples: Vec<u8>,
    width: usize,
    height: usize,
    /// Samples a pixel of the frame, along each side: 1 or, for subsampled colour, less.
    across: f64,
    down: f64,
}

impl Plane {
    /// Every two by two samples become their mean.
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

    /// The samples of `area` at the top left, as `size` samples, turned upright.
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
