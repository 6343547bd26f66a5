//! Generates photos like those of a phone: a garment on a floor, taken sideways, with place, time and camera in the
//! metadata. The same seed gives the same bytes.

use std::io::Cursor;

use anyhow::Result;
use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The orientation "rotate by 90 degrees clockwise to display upright" (EXIF 2.3, tag 0x0112).
const TURN_CLOCKWISE: u16 = 6;

/// Returns a JPEG that shows an upright picture of `width` x `height` pixels after its EXIF orientation is applied. The
/// stored rows are sideways.
///
/// # Errors
///
/// Fails if the encoder fails. This does not happen for sizes that a JPEG can have.
pub fn jpeg(seed: u64, width: u32, height: u32) -> Result<Vec<u8>> {
    let sideways = image::imageops::rotate270(&garment(seed, width, height));
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 88);
    encoder.set_exif_metadata(metadata(seed)?)?;
    encoder.write_image(
        sideways.as_raw(),
        sideways.width(),
        sideways.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(jpeg)
}

/// Draws a jumper, striped or plain, on a wooden floor.
fn garment(seed: u64, width: u32, height: u32) -> RgbImage {
    let mut chance = StdRng::seed_from_u64(seed);
    let floor = [
        chance.random_range(140..200),
        chance.random_range(110..150),
        chance.random_range(80..120),
    ];
    let cloth: [u8; 3] = [
        chance.random_range(20..235),
        chance.random_range(20..235),
        chance.random_range(20..235),
    ];
    let stripe: [u8; 3] = [
        chance.random_range(20..235),
        chance.random_range(20..235),
        chance.random_range(20..235),
    ];
    let stripes = chance.random_range(0..12_u32);
    let (middle, top) = (chance.random_range(0.45..0.55), chance.random_range(0.15..0.3));
    let plank = height / chance.random_range(5..9) + 1;
    let noise: Vec<u8> = (0..4_099).map(|_| chance.random_range(0..16)).collect();

    RgbImage::from_fn(width, height, |x, y| {
        let (across, down) = (
            f64::from(x) / f64::from(width) - middle,
            f64::from(y) / f64::from(height) - top,
        );
        let grain = noise[(y as usize * 31 + x as usize * 7) % noise.len()];
        let body = across.abs() < 0.2 && (0.0..0.55).contains(&down);
        let sleeve = across.abs() < 0.2 + down * 0.9 && across.abs() < 0.38 && (0.0..0.4).contains(&down);
        let neck = across.hypot(down) < 0.07;
        let colour = match ((body || sleeve) && !neck, stripes) {
            (true, 2..) if (down * f64::from(stripes) * 4.0) as u32 % 2 == 1 => stripe,
            (true, _) => cloth,
            (false, _) if y % plank < 3 => floor.map(|channel| channel - 60),
            (false, _) => floor,
        };
        Rgb(colour.map(|channel| channel.saturating_add(grain)))
    })
}

fn metadata(seed: u64) -> Result<Vec<u8>> {
    let seconds = u32::try_from(seed % 3_600).unwrap_or_default();
    let degrees = |whole: u32, minutes: u32| {
        let hundredths = Rational::from((seconds * 100 / 60, 100));
        Value::Rational(vec![
            Rational::from((whole, 1)),
            Rational::from((minutes, 1)),
            hundredths,
        ])
    };
    let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
    let values = [
        (Tag::Make, text("Practice")),
        (Tag::Model, text("Pocket 12")),
        (Tag::Orientation, Value::Short(vec![TURN_CLOCKWISE])),
        (Tag::DateTimeOriginal, text("2026:11:01 10:24:05")),
        (Tag::GPSLatitudeRef, text("N")),
        (Tag::GPSLatitude, degrees(48, 51)),
        (Tag::GPSLongitudeRef, text("E")),
        (Tag::GPSLongitude, degrees(2, 21)),
    ];
    let fields = values.map(|(tag, value)| Field {
        tag,
        ifd_num: In::PRIMARY,
        value,
    });
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut bytes = Cursor::new(Vec::new());
    writer.write(&mut bytes, false)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photo_has_orientation_and_location_metadata() {
        let bytes = jpeg(7, 60, 80).expect("it is encoded");
        let picture = image::load_from_memory(&bytes).expect("it is a picture");
        assert_eq!((picture.width(), picture.height()), (80, 60));
        let exif = exif::Reader::new()
            .read_from_container(&mut Cursor::new(&bytes))
            .expect("it has EXIF");
        let orientation = exif
            .get_field(Tag::Orientation, In::PRIMARY)
            .and_then(|field| field.value.get_uint(0));
        assert_eq!(orientation, Some(6));
        assert!(exif.get_field(Tag::GPSLatitude, In::PRIMARY).is_some());
    }

    #[test]
    fn photo_depends_only_on_its_seed() {
        let make = |seed| jpeg(seed, 60, 80).expect("it is encoded");
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }
}
