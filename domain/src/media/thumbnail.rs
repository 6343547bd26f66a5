//! A small picture of what a browser's window showed: enough to see what happened, and light enough for every step.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, Limits};

/// Wide enough to tell one page from another.
const WIDTH: u32 = 320;
/// Of a long page the top is kept: that is where a site says what is wrong.
const HEIGHT: u32 = 640;
const QUALITY: u8 = 60;
/// A page of any sane length fits; what does not is left out rather than decoded.
const MAX_DECODED_BYTES: u64 = 256 * 1024 * 1024;

/// The picture as a small JPEG; `None` where it is no usable PNG, since a film strip with a gap is better than an attempt
/// that stops because of one.
pub async fn thumbnail(png: Bytes) -> Option<Bytes> {
    tokio::task::spawn_blocking(move || shrink(&png)).await.ok()?
}

fn shrink(png: &[u8]) -> Option<Bytes> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    reader.limits(limits);
    let picture = reader.decode().ok()?;
    let (width, height) = (picture.width().max(1), picture.height().max(1));
    let shown = picture.crop_imm(0, 0, width, height.min(width.saturating_mul(HEIGHT / WIDTH)));
    let small = if width > WIDTH {
        shown.resize(WIDTH, HEIGHT, FilterType::Triangle)
    } else {
        shown
    };
    let mut jpeg = Vec::new();
    small
        .to_rgb8()
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .ok()?;
    Some(jpeg.into())
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

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
    fn a_window_becomes_a_small_jpeg_and_of_a_long_page_the_top_is_kept() {
        assert_eq!(size(&png(1280, 1600)), (320, 400));
        assert_eq!(size(&png(1280, 9000)), (320, 640));
        assert_eq!(size(&png(200, 100)), (200, 100));
    }

    #[test]
    fn a_broken_picture_is_no_picture() {
        let mut cut = png(64, 64);
        cut.truncate(40);
        assert!(shrink(&cut).is_none());
        assert!(shrink(b"not a picture").is_none());
    }
}
