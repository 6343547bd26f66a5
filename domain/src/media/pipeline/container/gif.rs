//! Judges a GIF by its blocks and the number of pixels in its frames.

use super::Body;
use super::lzw::Codes;

/// Completes a sub-block of any length, ends the frame and the file.
const END: &[u8] = &{
    let mut end = [0_u8; 257];
    end[256] = 0x3B;
    end
};

pub(super) fn gif_body(bytes: &[u8]) -> Option<Body<'_>> {
    let mut at = 13 + colour_table(*bytes.get(10)?);
    let mut frames = 0;
    // What shows that more would follow in a file without a trailer.
    let (mut is_short, mut is_announced) = (false, false);
    loop {
        match bytes.get(at) {
            Some(0x3B) => return (frames > 0).then_some(Body::ended(bytes)),
            // Zeros between blocks.
            Some(0) => at += 1,
            Some(0x21) => {
                // A graphic control extension announces a frame.
                is_announced |= bytes.get(at + 1) == Some(&0xF9);
                match gif_data_end(bytes, at + 2, |_| {}) {
                    Some(end) => at = end,
                    None => break,
                }
            }
            Some(0x2C) => {
                is_announced = false;
                let Some(frame) = GifFrame::read(bytes, at) else {
                    is_short = true;
                    break;
                };
                if frames == 0 && frame.is_short {
                    return None;
                }
                frames += 1;
                is_short |= frame.is_short;
                match frame.end {
                    Some(end) => at = end,
                    None => break,
                }
            }
            // The end of the file, or bytes of no block. As in browsers, the animation ends there.
            _ => break,
        }
    }
    (frames > 0 && !is_short && !is_announced).then_some(Body {
        bytes,
        missing_end: END,
    })
}

/// Returns the length of a colour table, which the lowest bits of `packed` give.
fn colour_table(packed: u8) -> usize {
    if packed & 0x80 == 0 {
        0
    } else {
        3 << ((packed & 7) + 1)
    }
}

/// Reads the sub-blocks from `start` on and returns the position after their terminator, or `None` if the file ends
/// before it.
fn gif_data_end(bytes: &[u8], start: usize, mut read: impl FnMut(&[u8])) -> Option<usize> {
    let mut at = start;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some(at);
        }
        read(&bytes[at..(at + length).min(bytes.len())]);
        at += length;
    }
}

/// A frame of a GIF.
struct GifFrame {
    /// The position after the frame, unless the file ends before its terminator.
    end: Option<usize>,
    /// Whether the data ends before the last pixel.
    is_short: bool,
}

impl GifFrame {
    /// Reads the frame at `at`: position and size, an optional colour table, the code size, then sub-blocks.
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let side = |at: usize| {
            Some(u64::from(u16::from_le_bytes(
                *bytes.get(at..)?.first_chunk::<2>()?,
            )))
        };
        let pixels = side(at + 5)? * side(at + 7)?;
        let start = at + 10 + colour_table(*bytes.get(at + 9)?);
        let mut codes = Codes::new(*bytes.get(start)?, pixels);
        let end = gif_data_end(bytes, start + 1, |data| codes.read(data));
        Some(Self {
            end,
            is_short: codes.are_short(),
        })
    }
}
