//! Counts the pixels in the LZW data of a GIF (GIF 89a, appendix F) without their colours.

/// The state of the counting.
pub(super) struct Codes {
    code_size: u8,
    /// The number of pixels at which counting stops.
    wanted: u64,
    pixels: u64,
    /// Whether the data is not valid LZW. The decoder will reject it.
    is_invalid: bool,
    has_ended: bool,
    /// The number of pixels of each defined code.
    lengths: Vec<u16>,
    previous: Option<usize>,
    buffer: u32,
    buffered_bits: u32,
    width: u32,
}

impl Codes {
    /// The number of codes of at most 12 bits.
    const MOST: usize = 1 << 12;

    pub(super) fn new(code_size: u8, wanted: u64) -> Self {
        let is_invalid = !(1..=11).contains(&code_size);
        let mut codes = Self {
            code_size,
            wanted,
            pixels: 0,
            is_invalid,
            has_ended: false,
            lengths: Vec::new(),
            previous: None,
            buffer: 0,
            buffered_bits: 0,
            width: 0,
        };
        if !is_invalid {
            codes.clear();
        }
        codes
    }

    /// Whether valid data ended before the last pixel.
    pub(super) fn are_short(&self) -> bool {
        !self.is_invalid && self.pixels < self.wanted
    }

    /// Forgets all codes except one for each colour, the clear code and the end code.
    fn clear(&mut self) {
        self.lengths.resize((1 << self.code_size) + 2, 1);
        self.width = u32::from(self.code_size) + 1;
        self.previous = None;
    }

    pub(super) fn read(&mut self, data: &[u8]) {
        for byte in data {
            if self.is_invalid || self.has_ended || self.pixels >= self.wanted {
                return;
            }
            self.buffer |= u32::from(*byte) << self.buffered_bits;
            self.buffered_bits += 8;
            while self.buffered_bits >= self.width && !self.is_invalid && !self.has_ended {
                let code = self.buffer & ((1 << self.width) - 1);
                self.buffer >>= self.width;
                self.buffered_bits -= self.width;
                self.count(code as usize);
            }
        }
    }

    fn count(&mut self, code: usize) {
        let clear = 1 << self.code_size;
        if code == clear {
            self.clear();
            return;
        }
        if code == clear + 1 {
            self.has_ended = true;
            return;
        }
        let length = match self.previous {
            None if code < clear => 1,
            None => {
                self.is_invalid = true;
                return;
            }
            Some(previous) => {
                let defined = self.lengths[previous] + 1;
                let next = self.lengths.len();
                let is_full = next == Self::MOST;
                let length = if code < next {
                    self.lengths[code]
                } else if code == next && !is_full {
                    defined
                } else {
                    self.is_invalid = true;
                    return;
                };
                if !is_full {
                    self.lengths.push(defined);
                    if self.lengths.len() == 1 << self.width && self.width < 12 {
                        self.width += 1;
                    }
                }
                length
            }
        };
        self.pixels += u64::from(length);
        self.previous = Some(code);
    }
}
