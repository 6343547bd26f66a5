//! Judges a PNG by its chunks.

use flate2::Crc;

use super::Body;

/// The last chunk.
const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// A chunk of a PNG.
pub(in crate::media::pipeline) struct PngChunk<'a> {
    pub name: [u8; 4],
    /// The data, less than announced if the file ends in it.
    pub data: &'a [u8],
    is_cut: bool,
    /// The checksum, unless the file ends before it.
    checksum: Option<u32>,
}

impl PngChunk<'_> {
    fn is_intact(&self) -> bool {
        let mut crc = Crc::new();
        crc.update(&self.name);
        crc.update(self.data);
        self.checksum == Some(crc.sum())
    }
}

/// Returns the chunks of a PNG. Those after the last valid one are not valid.
pub(in crate::media::pipeline) fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = PngChunk<'_>> {
    let mut at = 8_usize;
    std::iter::from_fn(move || {
        let start = at.checked_add(8)?;
        let head = bytes.get(at..start)?;
        let length = u32::from_be_bytes(*head.first_chunk::<4>()?);
        let name: [u8; 4] = *head.last_chunk()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        at = end.checked_add(4)?;
        Some(PngChunk {
            name,
            data: &bytes[start..end.min(bytes.len())],
            is_cut: end > bytes.len(),
            checksum: bytes
                .get(end..at)
                .and_then(|checksum| checksum.first_chunk::<4>())
                .map(|checksum| u32::from_be_bytes(*checksum)),
        })
    })
}

pub(super) fn png_body(bytes: &[u8]) -> Option<Body<'_>> {
    if png_chunks(bytes).any(|chunk| chunk.name == *b"IEND" && chunk.checksum.is_some()) {
        return Some(Body::ended(bytes));
    }
    let (mut frames, mut begun) = (0, 0);
    for chunk in png_chunks(bytes) {
        match &chunk.name {
            // Decoders return rows before they know the checksum. Without an end mark, the data may be padding.
            b"IDAT" | b"fdAT" if chunk.checksum.is_some() && !chunk.is_intact() => return None,
            b"fdAT" if chunk.is_cut => return None,
            b"acTL" => {
                frames = chunk
                    .data
                    .first_chunk::<4>()
                    .map_or(0, |count| u32::from_be_bytes(*count));
            }
            b"fcTL" => begun += 1,
            _ => {}
        }
    }
    (begun >= frames).then_some(Body {
        bytes,
        missing_end: END,
    })
}
