//! Judges a WebP by its chunks.

use super::Body;

/// The padding after a chunk of odd length.
const END: &[u8] = &[0];

/// A chunk of a WebP.
pub(in crate::media::pipeline) struct WebpChunk<'a> {
    pub name: &'a [u8],
    /// The data, less than announced if the file ends in it.
    pub data: &'a [u8],
    is_cut: bool,
}

/// Returns the chunks of a WebP, without those in its frames.
pub(in crate::media::pipeline) fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = WebpChunk<'_>> {
    let mut at = 12_usize;
    std::iter::from_fn(move || {
        let start = at.checked_add(8)?;
        let (name, length) = bytes.get(at..start)?.split_at(4);
        let length = usize::try_from(u32::from_le_bytes(*length.first_chunk::<4>()?)).ok()?;
        let end = start.checked_add(length)?;
        at = end.checked_add(length % 2)?;
        Some(WebpChunk {
            name,
            data: &bytes[start..end.min(bytes.len())],
            is_cut: end > bytes.len(),
        })
    })
}

pub(super) fn webp_body(bytes: &[u8]) -> Option<Body<'_>> {
    let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    if bytes.len() as u64 >= u64::from(length) + 8 {
        return Some(Body::ended(bytes));
    }
    // A picture without animation is one chunk. After it, only metadata and padding can be missing.
    let has_picture =
        webp_chunks(bytes).any(|chunk| matches!(chunk.name, b"VP8 " | b"VP8L") && !chunk.is_cut);
    has_picture.then_some(Body {
        bytes,
        missing_end: END,
    })
}
