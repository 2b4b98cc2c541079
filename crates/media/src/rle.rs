//! COCO run-length encoding, byte for byte as pycocotools writes it.
//!
//! A mask is read column by column (top to bottom, then left to right) as alternating runs of
//! background and object, background first (possibly of length 0). In JSON, the lengths are
//! squeezed into a printable string: from the fourth on, each is the difference to the one two
//! places before, cut into groups of five bits, least significant first, a sixth bit saying
//! that more follow, each group written as the character `48 + group`.

use serde::{Deserialize, Serialize};

use crate::{BoundingBox, MAX_PIXELS, Mask};

/// A mask as COCO run-length encoding.
///
/// Always consistent: the runs add up to `height * width`. With serde it is pycocotools' form
/// `{"size": [height, width], "counts": "..."}`; when reading, `counts` may also be the
/// uncompressed list of lengths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireRle", into = "WireRle")]
pub struct Rle {
    height: u32,
    width: u32,
    counts: Vec<u32>,
}

/// What is wrong with a run-length encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RleError {
    /// The mask is larger than this crate is willing to allocate.
    #[error(
        "a run-length encoded mask of {height}x{width} (height x width) is too large: at most {MAX_PIXELS} pixels are accepted"
    )]
    TooLarge {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
    },
    /// The runs do not cover the mask exactly.
    #[error(
        "the runs cover {found} pixels, but a mask of {height}x{width} (height x width) has {expected}; check that \"size\" is [height, width] and that \"counts\" belongs to it"
    )]
    WrongTotal {
        /// Pixels the runs cover (of those read before the error was certain).
        found: u64,
        /// Pixels of the mask.
        expected: u64,
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
    },
    /// The counts string holds a character that no encoder writes.
    #[error(
        "character {character:?} at byte {position} of a counts string; only '0' (48) to 'o' (111) occur in COCO's encoding"
    )]
    BadCharacter {
        /// The character.
        character: char,
        /// Its byte position.
        position: usize,
    },
    /// The counts string ends inside a number.
    #[error(
        "the counts string of {length} bytes ends in the middle of a number; it may be cut off"
    )]
    Truncated {
        /// The string's length in bytes.
        length: usize,
    },
    /// A number in the counts string is negative or larger than any mask.
    #[error(
        "run {run} of the counts string does not fit a mask: a length must be 0 to {MAX_PIXELS}"
    )]
    BadLength {
        /// Which run, from 0.
        run: usize,
    },
}

impl Rle {
    /// Encodes a mask, in the form pycocotools' `encode` gives.
    pub fn encode(mask: &Mask) -> Self {
        let (width, height) = (mask.width() as usize, mask.height() as usize);
        let bits = mask.bits();
        let mut counts = Vec::new();
        let (mut current, mut length) = (false, 0u32);
        for x in 0..width {
            for y in 0..height {
                let bit = bits[y * width + x];
                if bit != current {
                    counts.push(length);
                    (current, length) = (bit, 0);
                }
                length += 1;
            }
        }
        counts.push(length);
        Self {
            height: mask.height(),
            width: mask.width(),
            counts,
        }
    }

    /// From run lengths in column-major order, background first.
    ///
    /// # Errors
    /// [`RleError::TooLarge`] above [`MAX_PIXELS`]; [`RleError::WrongTotal`] if the runs do
    /// not add up to `height * width`.
    pub fn from_counts(height: u32, width: u32, counts: Vec<u32>) -> Result<Self, RleError> {
        let expected = checked_pixels(height, width)?;
        // At most 2^32 runs of less than 2^32 could be held in memory: no overflow.
        let found: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        if found != expected {
            return Err(RleError::WrongTotal {
                found,
                expected,
                height,
                width,
            });
        }
        Ok(Self {
            height,
            width,
            counts,
        })
    }

    /// From the compressed `counts` string.
    ///
    /// # Errors
    /// Any [`RleError`]; never panics, and allocates in proportion to the string's length.
    pub fn from_counts_string(height: u32, width: u32, counts: &str) -> Result<Self, RleError> {
        checked_pixels(height, width)?;
        Self::from_counts(height, width, decompress(counts)?)
    }

    /// The mask.
    pub fn decode(&self) -> Mask {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut bits = vec![false; width * height];
        for (start, end) in self.object_runs() {
            let (mut x, mut y) = (start / height, start % height);
            for _ in start..end {
                bits[y * width + x] = true;
                y += 1;
                if y == height {
                    (x, y) = (x + 1, 0);
                }
            }
        }
        let mut mask = Mask::empty(self.width, self.height);
        mask.bits_mut().copy_from_slice(&bits);
        mask
    }

    /// The compressed `counts` string, as pycocotools writes it.
    pub fn counts_string(&self) -> String {
        compress(&self.counts)
    }

    /// The run lengths, column-major, background first.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The number of pixels the object covers.
    pub fn area(&self) -> u64 {
        self.counts
            .iter()
            .skip(1)
            .step_by(2)
            .map(|&count| u64::from(count))
            .sum()
    }

    /// The smallest box around the object, or `None` if there is none; without decoding the mask.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        let height = self.height as usize;
        let mut found: Option<BoundingBox> = None;
        for (start, end) in self.object_runs() {
            let (x0, x1) = (start / height, (end - 1) / height + 1);
            // A run that reaches into the next column goes through a whole side of both.
            let (y0, y1) = match x1 - x0 {
                1 => (start % height, (end - 1) % height + 1),
                _ => (0, height),
            };
            let run = BoundingBox {
                x0: x0 as u32,
                y0: y0 as u32,
                x1: x1 as u32,
                y1: y1 as u32,
            };
            found = Some(found.map_or(run, |all| BoundingBox {
                x0: all.x0.min(run.x0),
                y0: all.y0.min(run.y0),
                x1: all.x1.max(run.x1),
                y1: all.y1.max(run.y1),
            }));
        }
        found
    }

    /// The object's runs as `(start, end)` in column-major pixel indices; empty ones left out.
    fn object_runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut end = 0;
        self.counts
            .iter()
            .enumerate()
            .map(move |(run, &count)| {
                let start = end;
                end += count as usize;
                (run % 2 == 1, start, end)
            })
            .filter(|&(object, start, end)| object && end > start)
            .map(|(_, start, end)| (start, end))
    }
}

/// An encoding that serialises as pycocotools' uncompressed form: `counts` is the list of run
/// lengths. [`Rle`] reads both forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Rle", into = "UncompressedWire")]
pub struct UncompressedRle(pub Rle);

#[derive(Serialize)]
struct UncompressedWire {
    size: [u32; 2],
    counts: Vec<u32>,
}

impl From<Rle> for UncompressedRle {
    fn from(rle: Rle) -> Self {
        Self(rle)
    }
}

impl From<UncompressedRle> for UncompressedWire {
    fn from(UncompressedRle(rle): UncompressedRle) -> Self {
        Self {
            size: [rle.height, rle.width],
            counts: rle.counts,
        }
    }
}

impl From<&Mask> for Rle {
    fn from(mask: &Mask) -> Self {
        Self::encode(mask)
    }
}

fn checked_pixels(height: u32, width: u32) -> Result<u64, RleError> {
    let pixels = u64::from(height) * u64::from(width);
    if pixels > MAX_PIXELS {
        Err(RleError::TooLarge { height, width })
    } else {
        Ok(pixels)
    }
}

/// Bits of a character's group that carry the number.
const GROUP_BITS: u32 = 5;
const GROUP_MASK: i64 = 0x1f;
/// The bit that says another group follows.
const MORE: u8 = 0x20;
/// The sign bit of a number's last group.
const SIGN: u8 = 0x10;
/// Longest number accepted, in bits; a length or difference of pycocotools' own has 35.
const MAX_BITS: u32 = 60;

fn compress(counts: &[u32]) -> String {
    let mut text = String::new();
    for (run, &count) in counts.iter().enumerate() {
        let base = if run > 2 {
            i64::from(counts[run - 2])
        } else {
            0
        };
        let mut rest = i64::from(count) - base;
        loop {
            let group = (rest & GROUP_MASK) as u8;
            rest >>= GROUP_BITS;
            let done = if group & SIGN != 0 {
                rest == -1
            } else {
                rest == 0
            };
            let flags = if done { 0 } else { MORE };
            text.push(char::from(b'0' + (group | flags)));
            if done {
                break;
            }
        }
    }
    text
}

fn decompress(text: &str) -> Result<Vec<u32>, RleError> {
    let mut counts: Vec<u32> = Vec::new();
    let (mut value, mut bits) = (0i64, 0u32);
    for (position, character) in text.char_indices() {
        let run = counts.len();
        let group = match character {
            '0'..='o' => character as u8 - b'0',
            _ => {
                return Err(RleError::BadCharacter {
                    character,
                    position,
                });
            }
        };
        if bits >= MAX_BITS {
            return Err(RleError::BadLength { run });
        }
        value |= (i64::from(group) & GROUP_MASK) << bits;
        bits += GROUP_BITS;
        if group & MORE != 0 {
            continue;
        }
        if group & SIGN != 0 {
            value |= -1i64 << bits;
        }
        if run > 2 {
            value = value.saturating_add(i64::from(counts[run - 2]));
        }
        match u32::try_from(value) {
            Ok(count) if u64::from(count) <= MAX_PIXELS => counts.push(count),
            _ => return Err(RleError::BadLength { run }),
        }
        (value, bits) = (0, 0);
    }
    if bits != 0 {
        return Err(RleError::Truncated { length: text.len() });
    }
    Ok(counts)
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
struct WireRle {
    size: [u32; 2],
    counts: WireCounts,
}

/// `counts` as the compressed string, or (when reading) as the plain list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WireCounts {
    Compressed(String),
    Plain(Vec<u32>),
}

impl From<Rle> for WireRle {
    fn from(rle: Rle) -> Self {
        Self {
            size: [rle.height, rle.width],
            counts: WireCounts::Compressed(rle.counts_string()),
        }
    }
}

impl TryFrom<WireRle> for Rle {
    type Error = RleError;

    fn try_from(wire: WireRle) -> Result<Self, RleError> {
        let [height, width] = wire.size;
        match wire.counts {
            WireCounts::Compressed(text) => Self::from_counts_string(height, width, &text),
            WireCounts::Plain(counts) => Self::from_counts(height, width, counts),
        }
    }
}
