//! Generated pictures, and four small files in `testdata` of kinds that no encoder here can write. The files show the
//! same scene.

use std::io::{Cursor, Write as _};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, RgbaImage};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};

/// Draws the scene of `seed`: a background of two waves and three discs. Different seeds give pictures that do not look
/// alike.
pub(super) fn scene(seed: u32, width: u32, height: u32) -> RgbImage {
    let number = |salt: u32| {
        let mixed =
            (seed.wrapping_mul(0x9E37_79B9) ^ salt.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0xC2B2_AE35);
        f64::from((mixed ^ (mixed >> 15)).wrapping_mul(0x27D4_EB2F) >> 8) / f64::from(1 << 24)
    };
    let discs = [1, 2, 3].map(|at| {
        (
            number(at * 10),
            number(at * 10 + 1),
            0.1 + 0.2 * number(at * 10 + 2),
            number(at),
        )
    });
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let wave =
            (x * (2.0 + 9.0 * number(4)) + y * 6.0 * number(5)).sin() + (y * (2.0 + 9.0 * number(6))).cos();
        let mut light = 128.0 + 45.0 * wave;
        for (cx, cy, radius, shade) in discs {
            if (x - cx).hypot(y - cy) < radius {
                light = 255.0 * shade;
            }
        }
        Rgb([light, light * 0.8 + 20.0, 255.0 - light].map(|sample| sample.clamp(0.0, 255.0) as u8))
    })
}

pub(super) fn jpeg(picture: &RgbImage, quality: u8, subsampling: Subsampling, progressive: bool) -> Vec<u8> {
    Encoder::new(
        picture,
        picture.width() as usize,
        picture.height() as usize,
        PixelFormat::Rgb,
    )
    .quality(quality)
    .subsampling(subsampling)
    .progressive(progressive)
    .encode()
    .expect("encodes")
}

pub(super) fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).expect("encodes");
    out.into_inner()
}

pub(super) fn animated_gif(pictures: &[RgbaImage]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new(&mut out);
    encoder
        .encode_frames(pictures.iter().cloned().map(Frame::new))
        .expect("encodes");
    drop(encoder);
    out
}

/// Builds a PNG chunk.
pub(super) fn png_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("short").to_be_bytes();
    let mut checksum = Crc::new();
    checksum.update(name);
    checksum.update(data);
    [length.as_slice(), name, data, &checksum.sum().to_be_bytes()].concat()
}

/// Compresses bytes with zlib; zeros to about a thousandth of their length.
pub(super) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

/// Returns one complete file of every supported kind, 61 x 43 pixels. The tests also cut and damage each of these files.
pub(super) fn every_kind() -> Vec<(&'static str, Vec<u8>)> {
    let rgb = scene(1, 61, 43);
    let picture = DynamicImage::ImageRgb8(rgb.clone());
    let with_alpha = DynamicImage::ImageRgba8(picture.to_rgba8());
    let ink: Vec<u8> = rgb
        .pixels()
        .flat_map(|Rgb([r, g, b])| [*r, *g, *b, 255])
        .collect();
    let cmyk = Encoder::new(&ink, 61, 43, PixelFormat::Cmyk)
        .quality(90)
        .encode()
        .expect("encodes");
    let grey = picture.to_luma8();
    let grey_jpeg = Encoder::new(&grey, 61, 43, PixelFormat::Grayscale)
        .quality(90)
        .encode()
        .expect("encodes");
    let frames = [
        with_alpha.to_rgba8(),
        DynamicImage::ImageRgb8(scene(2, 61, 43)).to_rgba8(),
    ];
    vec![
        ("JPEG 4:2:0", jpeg(&rgb, 90, Subsampling::S420, false)),
        ("JPEG 4:2:2", jpeg(&rgb, 90, Subsampling::S422, false)),
        ("JPEG 4:4:0", jpeg(&rgb, 90, Subsampling::S440, false)),
        ("JPEG 4:4:4", jpeg(&rgb, 90, Subsampling::S444, false)),
        ("progressive JPEG", jpeg(&rgb, 90, Subsampling::S420, true)),
        ("grey JPEG", grey_jpeg),
        ("CMYK JPEG", cmyk),
        ("PNG", written(&picture, ImageFormat::Png)),
        ("PNG with alpha", written(&with_alpha, ImageFormat::Png)),
        (
            "PNG of 16 bits",
            written(&DynamicImage::ImageRgb16(picture.to_rgb16()), ImageFormat::Png),
        ),
        (
            "grey PNG",
            written(&DynamicImage::ImageLuma8(grey), ImageFormat::Png),
        ),
        ("WebP without loss", written(&picture, ImageFormat::WebP)),
        ("WebP with alpha", written(&with_alpha, ImageFormat::WebP)),
        (
            "WebP with loss",
            include_bytes!("../testdata/lossy.webp").to_vec(),
        ),
        (
            "WebP with loss and alpha",
            include_bytes!("../testdata/lossy-alpha.webp").to_vec(),
        ),
        (
            "animated WebP",
            include_bytes!("../testdata/animated.webp").to_vec(),
        ),
        ("palette PNG", include_bytes!("../testdata/palette.png").to_vec()),
        ("GIF", animated_gif(&frames[..1])),
        ("animated GIF", animated_gif(&frames)),
    ]
}

/// Adds the metadata that phones write to a JPEG: orientation, location, camera, XMP, IPTC and a comment.
pub(super) fn with_metadata(bytes: &[u8], orientation: u16) -> Vec<u8> {
    use exif::{Field, In, Rational, Tag, Value};
    let field = |tag, value| Field {
        tag,
        ifd_num: In::PRIMARY,
        value,
    };
    let degrees = |parts: [u32; 3]| Value::Rational(parts.map(|num| Rational { num, denom: 1 }).to_vec());
    let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
    let fields = [
        field(Tag::Orientation, Value::Short(vec![orientation])),
        field(Tag::Model, text("SECRET-CAMERA")),
        field(Tag::GPSLatitudeRef, text("N")),
        field(Tag::GPSLatitude, degrees([48, 51, 29])),
        field(Tag::GPSLongitude, degrees([2, 17, 40])),
    ];
    let mut writer = exif::experimental::Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut tiff = Cursor::new(Vec::new());
    writer.write(&mut tiff, false).expect("writes");

    let mut out = bytes[..2].to_vec();
    let mut segment = |marker: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len() + 2).expect("short");
        out.extend([0xFF, marker]);
        out.extend(length.to_be_bytes());
        out.extend(payload);
    };
    segment(0xE1, &[b"Exif\0\0", tiff.get_ref().as_slice()].concat());
    segment(
        0xE1,
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET-XMP</x:xmpmeta>",
    );
    segment(0xED, b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x0cSECRET-IPTC!");
    segment(0xFE, b"SECRET-COMMENT");
    out.extend(&bytes[2..]);
    out
}
