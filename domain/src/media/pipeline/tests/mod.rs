//! Tests of the whole pipeline with generated pictures.

mod bounds;
mod cut;
mod formats;
mod likeness;
mod made;
mod mutated;
mod oriented;
mod working;

use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use proptest::prelude::*;

use self::made::{animated_gif, deflated, every_kind, jpeg, png_chunk, scene, with_metadata, written};
use super::shape::Shape;
use super::{Error, Format, Limits, Processed, process, process_off_thread};

fn pixels(photo: &Processed) -> RgbImage {
    image::load_from_memory_with_format(&photo.bytes, ImageFormat::Jpeg)
        .expect("a JPEG")
        .into_rgb8()
}

/// Returns the mean difference of the samples of two pictures, on the scale of 0 to 255.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.as_raw().len() as f64
}

/// Returns a picture that was handled wrongly before.
macro_rules! fault {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../proofs/data/faults/photos/", $name)).as_slice()
    };
}
pub(super) use fault;

fn done(bytes: &[u8]) -> Processed {
    process(bytes, &Limits::default()).expect("is taken")
}

#[test]
fn every_picture_format_gives_the_same_photo() {
    let expected = scene(1, 61, 43);
    for (kind, bytes) in every_kind() {
        let photo = done(&bytes);
        assert_eq!((photo.width, photo.height), (61, 43), "{kind}");
        let (mut got, mut expected) = (pixels(&photo), expected.clone());
        if kind.contains("grey") {
            expected = DynamicImage::ImageLuma8(DynamicImage::ImageRgb8(expected).to_luma8()).to_rgb8();
            got = DynamicImage::ImageLuma8(DynamicImage::ImageRgb8(got).to_luma8()).to_rgb8();
        }
        let off = difference(&got, &expected);
        let allowed = if kind.contains("loss") || kind.contains("animated") || kind.contains("palette") {
            12.0
        } else {
            6.0
        };
        assert!(off < allowed, "{kind} is off by {off}");
    }
}

#[test]
fn truncated_file_is_refused_unless_all_rows_remain() {
    for (kind, bytes) in every_kind() {
        let whole = done(&bytes);
        for length in 0..bytes.len() {
            let cut = process(&bytes[..length], &Limits::default());
            match cut {
                Err(Error::Truncated) => {}
                Err(Error::NotAnImage) if length < 12 => {}
                // Only end marks and checksums are missing.
                Ok(photo) if photo == whole && bytes.len() - length <= cut::MARKS => {}
                // The whole second frame is missing.
                Ok(photo) if photo == whole && kind == "animated GIF" => {}
                other => panic!("{kind} cut to {length} of {} bytes: {other:?}", bytes.len()),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn larger_truncated_photo_is_refused(share in 0.0..1.0_f64, seed in 0..9_u32, progressive: bool) {
        let whole = jpeg(&scene(seed, 320, 240), 85, Subsampling::S420, progressive);
        let length = (whole.len() as f64 * share) as usize;
        let cut = process(&whole[..length], &Limits::default());
        let lacks_only_mark = whole.len() - length <= 2 && cut.is_ok();
        prop_assert!(lacks_only_mark || matches!(cut, Err(Error::Truncated | Error::NotAnImage)), "{cut:?}");
    }

    #[test]
    fn damaged_file_never_panics(kind in 0..19_usize, at in any::<prop::sample::Index>(), byte: u8) {
        let (_, mut bytes) = every_kind().swap_remove(kind);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // A damaged file may still decode, so both a photo and an error are accepted.
        let _ = process(&bytes, &Limits::default());
    }

    #[test]
    fn any_size_keeps_its_proportions_and_its_limit(width in 1..700_u32, height in 1..700_u32, max_side in 1..400_u32) {
        let bytes = jpeg(&scene(1, width, height), 80, Subsampling::S420, false);
        let photo = process(&bytes, &Limits { max_side, max_ratio: 700, ..Limits::default() }).expect("is taken");
        let long = width.max(height);
        prop_assert!(photo.width.max(photo.height) <= max_side.min(long));
        prop_assert!(f64::from(photo.width.max(photo.height)) >= f64::from(max_side.min(long)) * 0.9 - 1.0);
        let scale = f64::from(photo.width.max(photo.height)) / f64::from(long);
        prop_assert!((f64::from(width) * scale - f64::from(photo.width)).abs() <= 1.0);
        prop_assert!((f64::from(height) * scale - f64::from(photo.height)).abs() <= 1.0);
    }
}

/// Returns the markers of the segments of a JPEG, up to its first scan.
fn segments(jpeg: &[u8]) -> Vec<u8> {
    let (mut at, mut markers) = (2, Vec::new());
    while jpeg[at + 1] != 0xDA {
        markers.push(jpeg[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    markers
}

#[test]
fn photo_has_no_metadata() {
    let input = with_metadata(&jpeg(&scene(3, 120, 90), 90, Subsampling::S420, false), 6);
    let read = exif::Reader::new()
        .read_from_container(&mut Cursor::new(&input))
        .expect("the input has it");
    assert!(
        read.get_field(exif::Tag::GPSLatitude, exif::In::PRIMARY)
            .is_some()
    );

    let photo = done(&input);
    assert!(
        exif::Reader::new()
            .read_from_container(&mut Cursor::new(&photo.bytes))
            .is_err()
    );
    // JFIF, tables and frame are the only segments before the picture, and nothing follows it.
    let allowed = [0xE0, 0xDB, 0xC0, 0xC4];
    assert!(
        segments(&photo.bytes)
            .iter()
            .all(|marker| allowed.contains(marker)),
        "{:x?}",
        segments(&photo.bytes)
    );
    assert!(!photo.bytes.windows(6).any(|part| part == b"SECRET"));
    assert!(photo.bytes.ends_with(&[0xFF, 0xD9]));
}

#[test]
fn smallest_and_longest_pictures_are_accepted() {
    for (width, height, expected) in [
        (1, 1, (1, 1)),
        (20_000, 400, (2048, 41)),
        (180, 9_000, (41, 2048)),
        (2049, 41, (2048, 41)),
    ] {
        let picture = RgbImage::from_pixel(width, height, Rgb([200, 60, 30]));
        for bytes in [
            jpeg(&picture, 95, Subsampling::S420, false),
            written(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Png),
        ] {
            let photo = done(&bytes);
            assert_eq!((photo.width, photo.height), expected, "{width} x {height}");
            let expected = RgbImage::from_pixel(photo.width, photo.height, Rgb([200, 60, 30]));
            let off = difference(&pixels(&photo), &expected);
            assert!(off < 4.0, "{width} x {height} is off by {off}");
        }
    }
}

#[test]
fn picture_without_pixels_is_refused() {
    let mut bytes = animated_gif(&[RgbaImage::new(4, 4)]);
    bytes[6..8].fill(0);
    assert!(matches!(
        process(&bytes, &Limits::default()),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn transparency_becomes_white_and_hidden_colours_do_not_bleed() {
    let picture = RgbaImage::from_fn(600, 600, |x, _| {
        if x < 300 {
            Rgba([255, 0, 0, 0])
        } else {
            Rgba([0, 0, 0, 255])
        }
    });
    let bytes = written(&DynamicImage::ImageRgba8(picture), ImageFormat::Png);
    let photo = process(
        &bytes,
        &Limits {
            max_side: 200,
            ..Limits::default()
        },
    )
    .expect("is taken");
    let pixels = pixels(&photo);
    assert!(pixels.get_pixel(50, 100).0.iter().all(|sample| *sample > 250));
    assert!(pixels.get_pixel(150, 100).0.iter().all(|sample| *sample < 5));
    assert!(
        pixels
            .pixels()
            .all(|Rgb([red, green, _])| red.abs_diff(*green) < 12),
        "red shows at the edge"
    );
}

#[test]
fn colours_are_converted_to_srgb() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().expect("encodes");
    let picture = RgbImage::from_pixel(64, 64, Rgb([200, 100, 100]));
    let tagged = Encoder::new(&picture, 64, 64, PixelFormat::Rgb)
        .quality(95)
        .icc_profile(&profile)
        .encode()
        .expect("encodes");
    // Display P3 (200, 100, 100) is a stronger red in sRGB (computed from both spaces' primaries).
    let Rgb([red, green, _]) = *pixels(&done(&tagged)).get_pixel(32, 32);
    assert!(
        red.abs_diff(214) <= 4 && green.abs_diff(95) <= 4,
        "({red}, {green})"
    );

    let srgb = moxcms::ColorProfile::new_srgb().encode().expect("encodes");
    assert!(super::rgb::to_srgb(&srgb).is_none(), "sRGB needs no conversion");
}

#[test]
fn same_bytes_give_the_same_photo() {
    let bytes = jpeg(&scene(5, 900, 700), 90, Subsampling::S420, false);
    let limits = Limits {
        max_side: 400,
        ..Limits::default()
    };
    let (first, second) = (process(&bytes, &limits), process(&bytes, &limits));
    assert_eq!(first, second);
    let first = first.expect("is taken");
    assert_eq!(first.sha256, super::sha256(&first.bytes));
    assert_eq!(first.content_type, "image/jpeg");
}

#[test]
fn halving_matches_resampling_in_quality() {
    let picture = scene(6, 1000, 752);
    let photo = process(
        &jpeg(&picture, 95, Subsampling::S420, false),
        &Limits {
            max_side: 512,
            ..Limits::default()
        },
    );
    let photo = photo.expect("is taken");
    assert_eq!((photo.width, photo.height), (500, 376));
    let expected = image::imageops::resize(&picture, 500, 376, image::imageops::FilterType::Lanczos3);
    let off = difference(&pixels(&photo), &expected);
    assert!(off < 2.5, "off by {off}");
}

#[tokio::test]
async fn photos_are_processed_off_the_async_threads() {
    let bytes = Bytes::from(jpeg(&scene(7, 200, 150), 90, Subsampling::S420, false));
    for _ in 0..20 {
        let call = process_off_thread(bytes.clone(), Limits::default());
        // Cancel the call at once, usually before it is done.
        drop(tokio::time::timeout(std::time::Duration::ZERO, call).await);
    }
    let photo = process_off_thread(bytes.clone(), Limits::default())
        .await
        .expect("a place comes free");
    assert_eq!(photo, done(&bytes));
    assert_eq!(
        process_off_thread(Bytes::new(), Limits::default()).await,
        Err(Error::NotAnImage)
    );
    assert_eq!(Shape::of(&bytes).expect("a shape").format, Format::Jpeg);
}
