//! Thumbnails of screenshots for the step timeline.

use bytes::Bytes;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::pipeline::{resized, thumbnail_pixels, work};

/// The maximum width in pixels, enough to distinguish pages.
const WIDTH: u32 = 320;
/// The maximum height in pixels. Only the top of a longer page is used, where sites show their errors.
const HEIGHT: u32 = 640;
const QUALITY: u8 = 60;
/// The memory that one thumbnail needs in addition to the screenshot, in bytes. Rows are averaged while they are read.
const WORK_BYTES: u64 = 8 << 20;

/// Returns the screenshot as a small JPEG. `None` if it is not a valid PNG: the step timeline then lacks a thumbnail,
/// and the attempt continues.
pub async fn thumbnail(png: Bytes) -> Option<Bytes> {
    work::run(png.len() as u64 + WORK_BYTES, move |_| shrink(&png)).await?
}

fn shrink(png: &[u8]) -> Option<Bytes> {
    let (mut pixels, (mut width, mut height)) = thumbnail_pixels(png, WIDTH, HEIGHT / WIDTH)?;
    if width > WIDTH {
        let small = (u64::from(height) * u64::from(WIDTH) / u64::from(width)).clamp(1, u64::from(HEIGHT));
        let small = (WIDTH, u32::try_from(small).ok()?);
        pixels = resized(&pixels, (width, height), small);
        (width, height) = small;
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&pixels, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some(jpeg.into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 90]))
            .write_to(&mut out, ImageFormat::Png)
            .expect("encodes");
        out.into_inner()
    }

    fn size(png: &[u8]) -> (u32, u32) {
        let jpeg = shrink(png).expect("a picture");
        let small = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).expect("a JPEG");
        (small.width(), small.height())
    }

    #[test]
    fn screenshot_thumbnail_is_a_small_jpeg_of_the_top() {
        assert_eq!(size(&png(1280, 1600)), (320, 400));
        assert_eq!(size(&png(1280, 9000)), (320, 640));
        assert_eq!(size(&png(200, 100)), (200, 100));
    }

    #[test]
    fn broken_picture_has_no_thumbnail() {
        let mut cut = png(64, 64);
        cut.truncate(40);
        assert!(shrink(&cut).is_none());
        assert!(shrink(b"not a picture").is_none());
    }
}
