//! Orientations in every type, byte order and container.

use image::metadata::Orientation;
use image::{ExtendedColorType, ImageEncoder as _};

use super::super::metadata::orientation;
use super::*;

/// The integer types of TIFF (TIFF 6.0, BigTIFF): number, name and length in bytes.
const TYPES: [(u16, &str, usize); 9] = [
    (1, "BYTE", 1),
    (6, "SBYTE", 1),
    (3, "SHORT", 2),
    (8, "SSHORT", 2),
    (4, "LONG", 4),
    (9, "SLONG", 4),
    (13, "IFD", 4),
    (16, "LONG8", 8),
    (17, "SLONG8", 8),
];

/// Returns the lowest `length` bytes of a number.
fn number(value: u64, length: usize, is_big_endian: bool) -> Vec<u8> {
    if is_big_endian {
        value.to_be_bytes()[8 - length..].to_vec()
    } else {
        value.to_le_bytes()[..length].to_vec()
    }
}

/// Returns EXIF metadata with the camera and one orientation of the given type.
fn exif_of(value: u64, (kind, _, length): (u16, &str, usize), is_big_endian: bool) -> Vec<u8> {
    let add = |out: &mut Vec<u8>, value: u64, length| out.extend(number(value, length, is_big_endian));
    let order = if is_big_endian { b"MM" } else { b"II" };
    let mut out = order.to_vec();
    add(&mut out, 42, 2);
    add(&mut out, 8, 4);
    add(&mut out, 2, 2);
    // The maker, as text of four bytes.
    add(&mut out, 0x010F, 2);
    add(&mut out, 2, 2);
    add(&mut out, 4, 4);
    out.extend(b"abc\0");
    add(&mut out, 0x0112, 2);
    add(&mut out, u64::from(kind), 2);
    add(&mut out, 1, 4);
    let value = number(value, length, is_big_endian);
    if length > 4 {
        // After the directory, which ends with the position of the next one.
        add(&mut out, 8 + 2 + 2 * 12 + 4, 4);
        add(&mut out, 0, 4);
        out.extend(value);
    } else {
        out.extend(&value);
        out.resize(out.len() + 4 - length, 0);
        add(&mut out, 0, 4);
    }
    out
}

fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).expect("short").to_be_bytes();
    [[0xFF, marker].as_slice(), &length, payload].concat()
}

/// Returns a JPEG with these payloads in segments APP1, between other segments.
fn jpeg_with(picture: &RgbImage, payloads: &[&[u8]]) -> Vec<u8> {
    let bytes = jpeg(picture, 95, Subsampling::S444, false);
    let mut out = bytes[..2].to_vec();
    out.extend(segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
    for payload in payloads {
        out.extend(segment(0xFE, b"a comment"));
        out.extend(segment(0xE1, payload));
    }
    out.extend(&bytes[2..]);
    out
}

/// Returns a PNG with one more chunk, after its header or before its end.
fn png_with(picture: &RgbImage, name: &[u8; 4], data: &[u8], at_end: bool) -> Vec<u8> {
    let bytes = written(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Png);
    let at = if at_end { bytes.len() - 12 } else { 33 };
    [&bytes[..at], &png_chunk(name, data), &bytes[at..]].concat()
}

/// Returns EXIF as the text of a PNG in which ImageMagick and ExifTool store it.
fn raw_profile(exif: &[u8]) -> Vec<u8> {
    let mut text = format!("\nexif\n{:8}\n", exif.len());
    for line in exif.chunks(36) {
        text.push_str(&super::super::hex(line));
        text.push('\n');
    }
    text.into_bytes()
}

/// Returns a WebP with EXIF in its own chunk, after the picture.
fn webp_with(picture: &RgbImage, exif: &[u8]) -> Vec<u8> {
    let plain = written(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::WebP);
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let mut chunks = b"VP8X\x0a\0\0\0\x08\0\0\0".to_vec();
    chunks.extend(side(picture.width()));
    chunks.extend(side(picture.height()));
    chunks.extend(&plain[12..]);
    chunks.extend(b"EXIF");
    chunks.extend(u32::try_from(exif.len()).expect("short").to_le_bytes());
    chunks.extend(exif);
    chunks.resize(chunks.len().next_multiple_of(2), 0);
    let length = u32::try_from(chunks.len() + 4).expect("short").to_le_bytes();
    [b"RIFF".as_slice(), &length, b"WEBP", &chunks].concat()
}

/// Returns a file of every container that has EXIF, with these metadata in every place and form that is read.
fn every_container(picture: &RgbImage, exif: &[u8]) -> Vec<(&'static str, Format, Vec<u8>)> {
    let prefixed = [b"Exif\0\0".as_slice(), exif].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>".as_slice();
    let text = |keyword: &str, text: &[u8]| [keyword.as_bytes(), b"\0", text].concat();
    let plain_text = text("Raw profile type exif", &raw_profile(&prefixed));
    let method = [b"\0".as_slice(), &deflated(&raw_profile(&prefixed))].concat();
    let deflated_text = text("Raw profile type APP1", &method);
    let twice = [b"Exif\0\0".as_slice(), &prefixed].concat();
    vec![
        ("JPEG", Format::Jpeg, jpeg_with(picture, &[&prefixed])),
        (
            "JPEG after XMP",
            Format::Jpeg,
            jpeg_with(picture, &[xmp, &prefixed]),
        ),
        ("JPEG, prefix twice", Format::Jpeg, jpeg_with(picture, &[&twice])),
        ("PNG", Format::Png, png_with(picture, b"eXIf", exif, false)),
        (
            "PNG with a prefix",
            Format::Png,
            png_with(picture, b"eXIf", &prefixed, false),
        ),
        (
            "PNG after the picture",
            Format::Png,
            png_with(picture, b"eXIf", exif, true),
        ),
        (
            "PNG text",
            Format::Png,
            png_with(picture, b"tEXt", &plain_text, false),
        ),
        (
            "PNG deflated text",
            Format::Png,
            png_with(picture, b"zTXt", &deflated_text, false),
        ),
        ("WebP", Format::WebP, webp_with(picture, exif)),
        ("WebP with a prefix", Format::WebP, webp_with(picture, &prefixed)),
    ]
}

#[test]
fn orientation_of_every_integer_type_is_read() {
    let picture = scene(4, 6, 4);
    for kind in TYPES {
        for is_big_endian in [false, true] {
            for value in 1..=8_u8 {
                let expected = Orientation::from_exif(value).expect("there are eight");
                let exif = exif_of(u64::from(value), kind, is_big_endian);
                for (container, format, bytes) in every_container(&picture, &exif) {
                    let found = orientation(format, &bytes);
                    assert_eq!(
                        found, expected,
                        "{value} as {}, big-endian: {is_big_endian}, in {container}",
                        kind.1
                    );
                }
            }
        }
    }
}

/// Returns the pixels that the orientation of this number turns upright.
fn stored_as(upright: &RgbImage, number: u8) -> RgbImage {
    let back = match Orientation::from_exif(number).expect("there are eight") {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        itself => itself,
    };
    let mut stored = DynamicImage::ImageRgb8(upright.clone());
    stored.apply_orientation(back);
    stored.into_rgb8()
}

#[test]
fn every_exif_orientation_is_applied() {
    let (width, height) = (96, 64);
    let upright = scene(4, width, height);
    for number in 1..=8_u8 {
        let stored = stored_as(&upright, number);

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
fn photo_of_every_container_is_turned_upright() {
    // The top left of the upright photo is red, its top right is blue.
    let (red, blue, grey) = (Rgb([220, 20, 20]), Rgb([20, 20, 220]), Rgb([128; 3]));
    let upright = RgbImage::from_fn(64, 48, |x, y| match (x < 32, y < 24) {
        (true, true) => red,
        (false, true) => blue,
        (_, false) => grey,
    });
    for value in 1..=8_u8 {
        let stored = stored_as(&upright, value);
        for (container, _, bytes) in every_container(&stored, &exif_of(u64::from(value), TYPES[4], false)) {
            let photo = done(&bytes);
            assert_eq!((photo.width, photo.height), (64, 48), "{value} in {container}");
            let off = difference(&pixels(&photo), &upright);
            assert!(off < 6.0, "{value} in {container} is off by {off}");
            assert!(!photo.bytes.windows(4).any(|part| part == b"Exif"), "{container}");
        }
    }
}

#[test]
fn photo_with_rare_metadata_is_stored_upright() {
    for (name, bytes) in [
        ("LONG", fault!("01-orientation-long.jpg")),
        ("SHORT", fault!("01-orientation-short-control.jpg")),
        ("a prefix in a PNG", fault!("v-png-prefixed.png")),
    ] {
        let photo = done(bytes);
        assert_eq!((photo.width, photo.height), (300, 400), "{name}");
        // A red bar is at the top.
        let Rgb([red, green, blue]) = *pixels(&photo).get_pixel(150, 5);
        assert!(
            red > 170 && green < 60 && blue < 60,
            "{name}: ({red}, {green}, {blue})"
        );
    }
}

#[test]
fn invalid_orientation_does_not_hide_a_valid_one() {
    let picture = scene(4, 6, 4);
    let prefixed = |value, kind| [b"Exif\0\0".as_slice(), &exif_of(value, kind, true)].concat();
    let text = (2, "ASCII", 4);
    for invalid in [
        prefixed(0, TYPES[2]),
        prefixed(9, TYPES[2]),
        prefixed(u64::MAX, TYPES[5]),
        prefixed(6, text),
        b"Exif\0\0".to_vec(),
        b"Exif\0\0MM\0\x2A\xFF\xFF\xFF\xFF".to_vec(),
    ] {
        let alone = jpeg_with(&picture, &[&invalid]);
        assert_eq!(orientation(Format::Jpeg, &alone), Orientation::NoTransforms);
        let both = jpeg_with(&picture, &[&invalid, &prefixed(6, TYPES[2])]);
        assert_eq!(orientation(Format::Jpeg, &both), Orientation::Rotate90);
    }
    let gif = animated_gif(&[RgbaImage::new(4, 4)]);
    assert_eq!(orientation(Format::Gif, &gif), Orientation::NoTransforms);
}

#[test]
fn inflating_profile_text_is_cut_off() {
    let picture = scene(4, 6, 4);
    let with_blanks = |count| {
        let mut text = b"\nexif\n       1\n".to_vec();
        text.resize(text.len() + count, b' ');
        text.extend(super::super::hex(&exif_of(6, TYPES[2], true)).into_bytes());
        let text = [b"Raw profile type exif\0\0".as_slice(), &deflated(&text)].concat();
        png_with(&picture, b"zTXt", &text, false)
    };
    assert_eq!(
        orientation(Format::Png, &with_blanks(1 << 10)),
        Orientation::Rotate90
    );
    let large = with_blanks(32 << 20);
    assert_eq!(orientation(Format::Png, &large), Orientation::NoTransforms);
    assert_eq!(done(&large).width, 6);
}

#[test]
fn profile_text_is_read_up_to_its_limit() {
    let picture = scene(4, 6, 4);
    let with_blanks = |count| {
        let mut text = b"Raw profile type exif\0\nexif\n       1\n".to_vec();
        text.resize(text.len() + count, b' ');
        text.extend(super::super::hex(&exif_of(6, TYPES[2], true)).into_bytes());
        png_with(&picture, b"tEXt", &text, false)
    };
    assert_eq!(
        orientation(Format::Png, &with_blanks(1 << 10)),
        Orientation::Rotate90
    );
    assert_eq!(
        orientation(Format::Png, &with_blanks(1 << 20)),
        Orientation::NoTransforms
    );
}
