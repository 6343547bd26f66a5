//! Reads the metadata of photos: EXIF with position and camera, XMP, IPTC, colour profiles and comments. The values
//! become part of the photo's record.

use std::collections::BTreeMap;
use std::io::Cursor;

use image::{ImageFormat, ImageReader};

/// The header of a photo.
pub struct Header {
    pub content_type: &'static str,
    pub width: u32,
    pub height: u32,
}

/// Reads type and size from the content. Returns `None` for anything but JPEG, PNG, WebP and GIF.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let format = reader.format()?;
    if !matches!(
        format,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif
    ) {
        return None;
    }
    let (width, height) = reader.into_dimensions().ok()?;
    Some(Header {
        content_type: format.to_mime_type(),
        width,
        height,
    })
}

/// Returns every metadata value by name.
pub fn read(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut reader = exif::Reader::new();
    reader.continue_on_error(true);
    let exif = reader.read_from_container(&mut Cursor::new(bytes));
    let exif = exif.or_else(|error| error.distill_partial_result(|_| {}));
    if let Ok(exif) = exif {
        for field in exif.fields() {
            let thumbnail = if field.ifd_num == exif::In::PRIMARY {
                ""
            } else {
                "thumbnail."
            };
            let value = field.display_value().with_unit(&exif).to_string();
            found.insert(format!("exif.{thumbnail}{}", field.tag), value);
        }
    }
    if bytes.starts_with(&[0xff, 0xd8]) {
        jpeg(bytes, &mut found);
    } else if bytes.starts_with(b"\x89PNG") {
        png(bytes, &mut found);
    } else if bytes.starts_with(b"RIFF") {
        webp(bytes, &mut found);
    } else if bytes.starts_with(b"GIF8") {
        gif(bytes, &mut found);
    }
    found
}

fn shown(value: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(value)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    format!("{} bytes: {text}", value.len())
}

/// Reads the segments before the image data. Segments that describe only the encoding (JFIF, Adobe) are not metadata.
fn jpeg(bytes: &[u8], found: &mut BTreeMap<String, String>) {
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(data) = bytes.get(at + 4..at + 2 + length.max(2)) else {
            break;
        };
        let name = match marker {
            0xda | 0xd9 => break,
            0xe0 if data.starts_with(b"JFIF\0") || data.starts_with(b"JFXX\0") => None,
            0xee if data.starts_with(b"Adobe") => None,
            0xe1 if data.starts_with(b"Exif\0") => Some("exif".to_owned()),
            0xe1 if data.starts_with(b"http://ns.adobe.com/") => Some("xmp".to_owned()),
            0xe2 if data.starts_with(b"ICC_PROFILE\0") => Some("icc".to_owned()),
            0xed => Some("iptc".to_owned()),
            0xfe => Some("comment".to_owned()),
            0xe0..=0xef => Some(format!("app{}", marker - 0xe0)),
            _ => None,
        };
        if let Some(name) = name {
            found.insert(name, shown(data));
        }
        at += 2 + length.max(2);
    }
}

fn png(bytes: &[u8], found: &mut BTreeMap<String, String>) {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(data) = bytes.get(at + 8..at + 8 + length) else {
            break;
        };
        let name = match &head[4..8] {
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let keyword = data.split(|byte| *byte == 0).next().unwrap_or_default();
                Some(format!("text.{}", String::from_utf8_lossy(keyword)))
            }
            b"eXIf" => Some("exif".to_owned()),
            b"iCCP" => Some("icc".to_owned()),
            b"tIME" => Some("time".to_owned()),
            _ => None,
        };
        if let Some(name) = name {
            found.insert(name, shown(data));
        }
        at += 12 + length;
    }
}

fn webp(bytes: &[u8], found: &mut BTreeMap<String, String>) {
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some(data) = bytes.get(at + 8..at + 8 + length) else {
            break;
        };
        let name = match &head[..4] {
            b"EXIF" => Some("exif"),
            b"XMP " => Some("xmp"),
            b"ICCP" => Some("icc"),
            _ => None,
        };
        if let Some(name) = name {
            found.insert(name.to_owned(), shown(data));
        }
        at += 8 + length + length % 2;
    }
}

fn gif(bytes: &[u8], found: &mut BTreeMap<String, String>) {
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let mut at = 13 + bytes.get(10).map_or(0, |flags| table(*flags));
    loop {
        let label = match bytes.get(at..at + 2) {
            Some(&[0x21, label]) => {
                at += 2;
                label
            }
            Some(&[0x2c, _]) => {
                at += 11 + bytes.get(at + 9).map_or(0, |flags| table(*flags));
                0
            }
            _ => break,
        };
        let mut data = Vec::new();
        while let Some(length) = bytes.get(at).map(|length| usize::from(*length)) {
            data.extend_from_slice(bytes.get(at + 1..at + 1 + length).unwrap_or_default());
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if label == 0xfe {
            found.insert("comment".to_owned(), shown(&data));
        } else if label == 0xff && data.starts_with(b"XMP DataXMP") {
            found.insert("xmp".to_owned(), shown(&data));
        }
    }
}
