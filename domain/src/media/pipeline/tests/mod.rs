//! Tests of the whole pipeline with generated pictures.

mod bounds;
mod cut;
mod made;
mod mutated;
mod oriented;
mod working;

use std::io::Cursor;

use bytes::Bytes;
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage,
};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use proptest::prelude::*;

use self::made::{animated_gif, every_kind, jpeg, scene, with_metadata, written};
use super::likeness::{self, HashIndex, distance};
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
fn every_exif_orientation_is_applied() {
    let (width, height) = (96, 64);
    let upright = scene(4, width, height);
    for number in 1..=8_u8 {
        let orientation = Orientation::from_exif(number).expect("there are eight");
        // Store the picture so that the orientation turns it upright.
        let back = match orientation {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            itself => itself,
        };
        let mut stored = DynamicImage::ImageRgb8(upright.clone());
        stored.apply_orientation(back);
        let stored = stored.into_rgb8();

        let plain = jpeg(&stored, 95, Subsampling::S444, false);
        let tagged = with_metadata(&plain, u16::from(number));
        let photo = done(&tagged);
        assert_eq!(
            (photo.width, photo.height),
            (width, height),
            "orientation {number}"
        );
        let off = difference(&pixels(&photo), &upright);
        assert!(off < 4.0, "orientation {number} is off by {off}");

        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        let exif = tagged
            .windows(6)
            .position(|part| part == b"Exif\0\0")
            .expect("is there")
            + 6;
        encoder
            .set_exif_metadata(tagged[exif..exif + 200].to_vec())
            .expect("takes it");
        encoder
            .write_image(&stored, stored.width(), stored.height(), ExtendedColorType::Rgb8)
            .expect("encodes");
        let off = difference(&pixels(&done(&png)), &upright);
        assert!(off < 4.0, "orientation {number} of a PNG is off by {off}");
    }
}

#[test]
fn oversized_file_or_picture_is_refused_from_its_header() {
    let mut bomb = written(&DynamicImage::ImageRgb8(scene(1, 8, 8)), ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    // The header's checksum follows its 13 bytes.
    let checksum = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
    let refused = process(&bomb, &Limits::default());
    assert_eq!(
        refused,
        Err(Error::TooManyPixels {
            width: 60_000,
            height: 60_000,
            limit: 64_000_000
        })
    );

    let bytes = jpeg(&scene(1, 100, 100), 90, Subsampling::S420, false);
    let limits = Limits {
        max_pixels: 9_999,
        ..Limits::default()
    };
    assert_eq!(
        process(&bytes, &limits),
        Err(Error::TooManyPixels {
            width: 100,
            height: 100,
            limit: 9_999
        })
    );
    let limits = Limits {
        max_bytes: 10,
        ..Limits::default()
    };
    assert_eq!(
        process(&bytes, &limits),
        Err(Error::TooManyBytes {
            bytes: bytes.len() as u64,
            limit: 10
        })
    );
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn unknown_data_and_unsupported_formats_are_distinguished() {
    for bytes in [
        &b""[..],
        b"hello",
        b"%PDF-1.7 and so on",
        b"<svg></svg>",
        &[0; 64],
    ] {
        assert_eq!(Shape::of(bytes), Err(Error::NotAnImage));
    }
    for (found, bytes) in [
        ("HEIC", &b"\0\0\0\x18ftypheic\0\0\0\0"[..]),
        ("HEIC", b"\0\0\0\x18ftypmif1\0\0\0\0miafMiHB"),
        ("HEIC", b"\0\0\0\x18ftypmsf1\0\0\0\0mif1hevc"),
        ("HEIC", b"\0\0\0\x18ftypXXXX\0\0\0\0mif1heix"),
        ("AVIF", b"\0\0\0\x18ftypavif\0\0\0\0"),
        ("AVIF", b"\0\0\0\x18ftypmif1\0\0\0\0miafavif"),
        ("TIFF", b"II*\0\x08\0\0\0"),
    ] {
        assert_eq!(
            process(bytes, &Limits::default()),
            Err(Error::Unsupported {
                found: found.to_owned()
            })
        );
    }
}

#[test]
fn every_heic_brand_is_named_with_the_setting_of_the_phone() {
    let brands = [
        "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "mif2", "msf1", "miaf",
    ];
    for brand in brands {
        let major = [b"\0\0\0\x10ftyp".as_slice(), brand.as_bytes(), b"\0\0\0\0"].concat();
        let head = b"\0\0\0\x18ftypisom\0\0\0\0mp41".as_slice();
        let compatible = [head, brand.as_bytes(), b"\0\0\0\x08meta"].concat();
        for bytes in [major, compatible] {
            let refused = process(&bytes, &Limits::default()).expect_err("is refused");
            assert!(
                matches!(&refused, Error::Unsupported { found } if found == "HEIC"),
                "{brand}"
            );
            assert!(
                refused.to_string().contains("Formats > Most Compatible"),
                "{refused}"
            );
        }
    }
    let after_brands = b"\0\0\0\x14ftypisom\0\0\0\0mp41\0\0\0\x08heic";
    assert_eq!(
        process(after_brands, &Limits::default()),
        Err(Error::NotAnImage),
        "a video"
    );
    let rare = process(fault!("rare-hevx.heic"), &Limits::default());
    assert!(
        matches!(&rare, Err(Error::Unsupported { found }) if found == "HEIC"),
        "{rare:?}"
    );
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

#[test]
fn copies_have_near_hashes_and_other_photos_do_not() {
    let hash = |bytes: &[u8]| done(bytes).perceptual_hash;
    let originals: Vec<RgbImage> = (0..12).map(|seed| scene(seed, 480, 360)).collect();
    let hashes: Vec<u64> = originals
        .iter()
        .map(|picture| hash(&jpeg(picture, 92, Subsampling::S420, false)))
        .collect();
    for (picture, original) in originals.iter().zip(&hashes) {
        let smaller = image::imageops::resize(picture, 160, 120, image::imageops::FilterType::Triangle);
        let cropped = image::imageops::crop_imm(picture, 5, 4, 470, 352).to_image();
        let copies = [
            ("recompressed", jpeg(picture, 30, Subsampling::S420, true)),
            (
                "as PNG",
                written(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Png),
            ),
            ("smaller", jpeg(&smaller, 80, Subsampling::S444, false)),
            ("cropped", jpeg(&cropped, 90, Subsampling::S420, false)),
        ];
        for (kind, copy) in copies {
            let apart = distance(*original, hash(&copy));
            assert!(apart <= likeness::NEAR_DUPLICATE, "{kind}: {apart} bits");
        }
    }
    for (at, a) in hashes.iter().enumerate() {
        for b in &hashes[at + 1..] {
            assert!(
                distance(*a, *b) > likeness::NEAR_DUPLICATE,
                "{a:016x} and {b:016x} look alike"
            );
        }
    }
}

#[test]
fn index_finds_only_near_hashes_in_order() {
    let target = 0xDEAD_BEEF_0BAD_F00D_u64;
    let far = (0..5_000_u64).map(|at| (!target ^ at, 0));
    let near = [(target ^ 0b111, 3), (target, 9), (target ^ (1 << 63), 1)];
    let index: HashIndex<u32> = far.clone().chain(near).chain(far).collect();
    assert_eq!(index.nearest(target, 2), [(&9, 0), (&1, 1)]);
    assert_eq!(index.nearest(target, 3), [(&9, 0), (&1, 1), (&3, 3)]);
    assert!(index.nearest(target ^ 0xFFFF_0000, 5).is_empty());
    assert_eq!(HashIndex::<u32>::default().nearest(target, 64), []);
    assert_eq!(index.nearest(target, 64).len(), 10_003);
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
