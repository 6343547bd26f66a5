//! Files that claim sizes over the limits, and files with large metadata.

use std::io::Write as _;

use super::*;

/// Builds a PNG that claims a size but contains only 64 KiB of zeros.
fn png_of(width: u32, height: u32, depth: u8, color: u8, interlace: u8) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, interlace]);
    out.extend(png_chunk(b"IHDR", &header));
    out.extend(png_chunk(b"IDAT", &deflated(&[0; 1 << 16])));
    out.extend(png_chunk(b"IEND", b""));
    out
}

fn jpeg_of(width: u16, height: u16, progressive: bool, length: usize) -> Vec<u8> {
    let mut bytes = jpeg(&scene(1, 16, 16), 90, Subsampling::S444, progressive);
    let marker = if progressive { 0xC2 } else { 0xC0 };
    let at = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, marker])
        .expect("a frame");
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes.resize(bytes.len().max(length), 0);
    bytes
}

fn gif_of(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = animated_gif(&[RgbaImage::new(2, 2)]);
    bytes[6..8].copy_from_slice(&width.to_le_bytes());
    bytes[8..10].copy_from_slice(&height.to_le_bytes());
    bytes
}

fn webp_of(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = written(&DynamicImage::ImageRgb8(scene(1, 8, 8)), ImageFormat::WebP);
    let at = bytes
        .windows(4)
        .position(|name| name == b"VP8L")
        .expect("is there")
        + 9;
    bytes[at..at + 4].copy_from_slice(&((width - 1) | (height - 1) << 14).to_le_bytes());
    bytes
}

#[test]
fn oversized_file_or_picture_is_refused_from_its_header() {
    let mut bomb = written(&DynamicImage::ImageRgb8(scene(1, 8, 8)), ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let header = png_chunk(b"IHDR", &bomb[16..29]);
    bomb[8..33].copy_from_slice(&header);
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

#[test]
fn oversized_picture_is_refused_before_decoding() {
    let refused = |bytes: &[u8]| process(bytes, &Limits::default()).expect_err("is refused");
    let long = refused(&png_of(64_000_000, 1, 8, 2, 0));
    assert!(matches!(long, Error::SideTooLong { .. }), "{long}");
    let high = refused(&png_of(1, 20_001, 8, 2, 0));
    assert!(matches!(high, Error::SideTooLong { .. }), "{high}");
    let narrow = refused(&png_of(19_000, 100, 8, 2, 0));
    assert!(matches!(narrow, Error::TooNarrow { .. }), "{narrow}");
    let pixels = refused(&png_of(8_001, 8_000, 8, 2, 0));
    assert!(matches!(pixels, Error::TooManyPixels { .. }), "{pixels}");
    for bytes in [
        gif_of(8_000, 8_000),
        webp_of(8_000, 8_000),
        png_of(8_000, 8_000, 8, 2, 0),
        jpeg_of(8_000, 8_000, false, 0),
    ] {
        let dense = refused(&bytes);
        assert!(matches!(dense, Error::TooDense { .. }), "{dense}");
    }
    let mut padded = gif_of(8_000, 8_000);
    padded.resize(64_000, 0);
    for bytes in [
        padded,
        jpeg_of(8_000, 8_000, true, 64_000),
        [png_of(8_000, 8_000, 16, 6, 1), vec![0; 64_000]].concat(),
        [webp_of(8_000, 8_000), vec![0; 64_000]].concat(),
    ] {
        let memory = refused(&bytes);
        assert!(matches!(memory, Error::TooMuchMemory { .. }), "{memory}");
    }
}

#[test]
fn picture_whose_parts_are_larger_than_it_is_refused() {
    // A frame of 16,384 x 16,384 on a canvas of 8 x 8.
    let inner = webp_of(16_384, 16_384);
    let chunk = &inner[12..];
    let canvas = [b"VP8X\x0a\0\0\0".as_slice(), &[0, 0, 0, 0, 7, 0, 0, 7, 0, 0]].concat();
    let length = u32::try_from(4 + canvas.len() + chunk.len()).expect("short");
    let bytes = [b"RIFF".as_slice(), &length.to_le_bytes(), b"WEBP", &canvas, chunk].concat();
    let refused = process(&bytes, &Limits::default());
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");

    // A frame of a GIF that is larger than its canvas.
    let mut bytes = animated_gif(&[RgbaImage::new(2, 2)]);
    let at = bytes.iter().rposition(|byte| *byte == 0x2C).expect("a frame");
    bytes[at + 5..at + 9].copy_from_slice(&[0xFF; 4]);
    let refused = process(&bytes, &Limits::default());
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn inflating_text_and_profile_chunks_are_ignored() {
    let picture = written(&DynamicImage::ImageRgb8(scene(1, 8, 8)), ImageFormat::Png);
    let expected = done(&picture);
    let zeros = deflated(&vec![0; 64 << 20]);
    let profile = [b"p\0\0".as_slice(), &zeros].concat();
    let text = [b"Comment\0\0".as_slice(), &zeros].concat();
    let international = [b"Comment\0\x01\0\0\0".as_slice(), &zeros].concat();
    for (name, payload) in [(b"iCCP", &profile), (b"zTXt", &text), (b"iTXt", &international)] {
        let mut bytes = picture[..33].to_vec();
        bytes.extend(png_chunk(name, payload));
        bytes.extend(&picture[33..]);
        assert_eq!(done(&bytes), expected);
    }
}

#[test]
fn interlaced_png_is_judged_by_its_rows() {
    let bytes = png_of(13, 11, 8, 2, 1);
    let whole = done(&bytes);
    // IEND has 12 bytes, and the checksum of the image data 4.
    for length in bytes.len() - 16..bytes.len() {
        assert_eq!(done(&bytes[..length]), whole, "cut to {length}");
    }
    // The image data starts after 41 bytes.
    let cut = process(&bytes[..45], &Limits::default());
    assert_eq!(cut, Err(Error::Truncated));
}

#[test]
fn png_whose_image_data_is_too_short_is_refused() {
    for interlace in [0, 1] {
        // Chunks and checksums are valid, but the data ends in the picture.
        let short = process(&png_of(400, 400, 8, 2, interlace), &Limits::default());
        assert_eq!(short, Err(Error::Truncated), "interlace {interlace}");
    }
    // The photo does not show the last of 1,801 rows.
    let (mut whole, mut short) = (Vec::new(), Vec::new());
    for (out, rows) in [(&mut whole, 1_801), (&mut short, 1_800)] {
        let mut encoder = png::Encoder::new(&mut *out, 8, rows);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().expect("writes");
        writer
            .write_image_data(&vec![90; 8 * rows as usize])
            .expect("writes");
    }
    let limits = Limits {
        max_side: 600,
        max_ratio: 300,
        ..Limits::default()
    };
    let shown = process(&whole, &limits).expect("is taken");
    assert_eq!(shown.height, 600);
    let header = whole[8..33].to_vec();
    short.splice(8..33, header);
    assert_eq!(process(&short, &limits), Err(Error::Truncated));
}

#[test]
fn large_16_bit_png_is_downscaled_while_read() {
    let (width, height) = (4_000, 3_000);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().expect("writes");
    let mut rows = writer.stream_writer().expect("writes");
    let row: Vec<u8> = (0..width)
        .flat_map(|_| [200, 0, 100, 0, 50, 0, 255, 255])
        .collect();
    for _ in 0..height {
        rows.write_all(&row).expect("writes");
    }
    rows.finish().expect("writes");
    drop(writer);
    let photo = done(&bytes);
    assert_eq!((photo.width, photo.height), (2_000, 1_500));
    let Rgb([red, green, blue]) = *pixels(&photo).get_pixel(1_000, 700);
    assert!(red.abs_diff(200) < 4 && green.abs_diff(100) < 4 && blue.abs_diff(50) < 4);
}

#[test]
fn copied_metadata_counts_as_memory() {
    let plain = jpeg(&scene(1, 16, 16), 90, Subsampling::S420, false);
    let segments = [b"\xFF\xE2\xEA\x62ICC_PROFILE\0".as_slice(), &[0; 60_000 - 12]]
        .concat()
        .repeat(400);
    let large = [&plain[..2], &segments, &plain[2..]].concat();
    let memory = |bytes: &[u8]| Shape::of(bytes).expect("a shape").memory(25 << 20, 2_048);
    // The parts and the whole that they give together.
    assert!(memory(&large) >= memory(&plain) + 2 * 400 * 60_000 - (1 << 20));
    let gif = animated_gif(&[RgbaImage::new(2, 2)]);
    assert!(memory(&gif) >= 3 * (25 << 20));
    assert_eq!(done(&large), done(&plain));
}

#[test]
fn webp_profile_that_claims_gigabytes_is_ignored() {
    let picture = written(&DynamicImage::ImageRgb8(scene(1, 8, 8)), ImageFormat::WebP);
    let canvas = [b"VP8X\x0a\0\0\0".as_slice(), &[0x20, 0, 0, 0, 7, 0, 0, 7, 0, 0]].concat();
    let profile = b"ICCP\xF0\xFF\xFF\xFF".as_slice();
    let chunks = [&canvas, &picture[12..], profile].concat();
    let length = u32::try_from(4 + chunks.len()).expect("short").to_le_bytes();
    let bytes = [b"RIFF".as_slice(), &length, b"WEBP", &chunks].concat();
    assert_eq!(done(&bytes), done(&picture));
}

#[test]
fn many_scans_of_a_jpeg_without_a_valid_frame_are_refused() {
    // A progressive frame of 256 components, all but one of them in the first scan.
    let mut bytes = b"\xFF\xD8\xFF\xC2\x03\x08\x08\0\x08\0\x08\xFF".to_vec();
    bytes.extend((0..=255_u8).flat_map(|id| [id, 0x11, 0]));
    bytes.extend(b"\xFF\xDA\x02\x04\xFF");
    bytes.extend((0..255_u8).flat_map(|id| [id, 0]));
    bytes.extend([0, 63, 0]);
    bytes.extend(b"\xFF\xDA\0\x08\x01\0\0\0\x3F\0".repeat(1 << 20));
    assert!(process(&bytes, &Limits::default()).is_err());
}
