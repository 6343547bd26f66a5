//! Judges a JPEG by its markers and the headers of its scans.

use super::Body;

/// The end-of-image marker.
const END: &[u8] = &[0xFF, 0xD9];
/// The maximum number of components. Files with more are rejected ([`super::super::shape`]), so the scans of the others
/// are not examined.
const MAX_COMPONENTS: usize = 4;

/// A segment of a JPEG.
pub(in crate::media::pipeline) struct Segment<'a> {
    pub marker: u8,
    pub payload: &'a [u8],
    /// The position after the segment.
    end: usize,
}

/// The segments of a JPEG up to its first end-of-image marker or cut segment. Bytes that belong to no segment are
/// skipped, as decoders do. After a start of scan, the caller has to go on after the data of the scan.
pub(in crate::media::pipeline) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Returns the segments of a JPEG. Those after the first start of scan are not valid.
pub(in crate::media::pipeline) fn jpeg_segments(bytes: &[u8]) -> Segments<'_> {
    Segments { bytes, at: 2 }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        loop {
            match (*self.bytes.get(self.at)?, *self.bytes.get(self.at + 1)?) {
                (0xFF, 0xFF) => self.at += 1,
                // A stuffed byte, and markers without a length.
                (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => self.at += 2,
                (0xFF, 0xD9) => {
                    let end = self.at + 2;
                    self.at = self.bytes.len();
                    return Some(Segment {
                        marker: 0xD9,
                        payload: &[],
                        end,
                    });
                }
                (0xFF, marker) => {
                    let start = self.at + 2;
                    let end = start + u16_be(self.bytes, start)?;
                    let payload = self.bytes.get(start + 2..end)?;
                    self.at = end;
                    return Some(Segment { marker, payload, end });
                }
                _ => self.at += 1,
            }
        }
    }
}

pub(super) fn jpeg_body(bytes: &[u8]) -> Option<Body<'_>> {
    let mut frame = None;
    let mut segments = jpeg_segments(bytes);
    let first = loop {
        let segment = segments.next()?;
        match segment.marker {
            0xDA => break segment,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => frame = Some(segment),
            _ => {}
        }
    };
    let has_mark = bytes[first.end..].windows(2).rev().any(|pair| pair == END);
    let marked = has_mark.then_some(Body::ended(bytes));
    let Some(frame) = frame else {
        return marked;
    };
    let components: Vec<u8> = frame
        .payload
        .get(6..)
        .unwrap_or_default()
        .chunks_exact(3)
        .take(MAX_COMPONENTS)
        .map(|component| component[0])
        .collect();
    let is_progressive = matches!(frame.marker, 0xC2 | 0xC6 | 0xCA | 0xCE);
    // Arithmetic coding may omit zeros at the end of a scan, so missing data cannot be told from it without a mark.
    let is_arithmetic = frame.marker > 0xC8;
    let in_scan = first.payload.first().copied().map_or(0, usize::from);
    if !is_progressive && in_scan >= components.len() {
        if has_mark || is_arithmetic {
            return marked;
        }
        return Some(Body {
            bytes: &bytes[..scan_end(bytes, first.end)],
            missing_end: END,
        });
    }
    let scans = Scans::read(bytes, first, &components);
    if scans.has_mark {
        return marked.filter(|_| scans.have_every_component());
    }
    if scans.are_complete() && !is_arithmetic {
        return Some(Body {
            bytes: &bytes[..scans.end],
            missing_end: END,
        });
    }
    marked
}

/// What the headers of the scans of a JPEG announce.
struct Scans {
    /// The position after the last scan.
    end: usize,
    /// Whether an end-of-image marker follows the last scan.
    has_mark: bool,
    /// The number of low bits that no scan holds, for each component and coefficient.
    missing_bits: Vec<[u8; 64]>,
}

impl Scans {
    /// The number of missing bits of a coefficient that is in no scan.
    const ALL_BITS: u8 = u8::MAX;

    fn read(bytes: &[u8], first: Segment<'_>, components: &[u8]) -> Self {
        let mut scans = Self {
            end: first.end,
            has_mark: false,
            missing_bits: vec![[Self::ALL_BITS; 64]; components.len()],
        };
        let mut scan = first;
        while scans.add(scan.payload, components).is_some() {
            scans.end = scan_end(bytes, scan.end);
            let mut segments = Segments { bytes, at: scans.end };
            // Tables, intervals, comments and application data may stand between scans.
            let is_between = |marker: u8| matches!(marker, 0xC4 | 0xCC | 0xDB..=0xDD | 0xE0..=0xEF | 0xFE);
            match segments.find(|segment| !is_between(segment.marker)) {
                Some(next) if next.marker == 0xDA && !scans.are_complete() => scan = next,
                Some(next) => {
                    scans.has_mark = next.marker == 0xD9;
                    break;
                }
                None => break,
            }
        }
        scans
    }

    /// Notes what a scan holds. Returns `None` if its header is not valid.
    fn add(&mut self, header: &[u8], components: &[u8]) -> Option<()> {
        let count = usize::from(*header.first()?);
        let (selectors, rest) = header.get(1..)?.split_at_checked(count * 2)?;
        let &[first, last, bits] = rest else {
            return None;
        };
        if first > last || last > 63 {
            return None;
        }
        for selector in selectors.chunks_exact(2) {
            let component = components.iter().position(|id| *id == selector[0])?;
            let coefficients = usize::from(first)..=usize::from(last);
            self.missing_bits[component][coefficients].fill(bits & 15);
        }
        Some(())
    }

    fn are_complete(&self) -> bool {
        self.missing_bits.iter().flatten().all(|bits| *bits == 0)
    }

    fn have_every_component(&self) -> bool {
        self.missing_bits
            .iter()
            .all(|component| component[0] != Self::ALL_BITS)
    }
}

/// Returns the position of the marker after the data of a scan, or the end of the file.
fn scan_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(mark) = bytes[at..].iter().position(|byte| *byte == 0xFF) {
        let mark = at + mark;
        let Some(fill) = bytes[mark..].iter().position(|byte| *byte != 0xFF) else {
            return mark;
        };
        let code = mark + fill;
        match bytes[code] {
            // A stuffed byte, and restart markers.
            0x00 | 0xD0..=0xD7 => at = code + 1,
            _ => return code - 1,
        }
    }
    bytes.len()
}

fn u16_be(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        bytes.get(at..at + 2)?.try_into().ok()?,
    )))
}
