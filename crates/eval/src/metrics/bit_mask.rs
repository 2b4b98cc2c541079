//! [`BitMask`]: a binary mask with 64 pixels to a word, for counting.

use masklet_media::Mask;

/// Pixels in a word.
const WORD: usize = 64;

/// A binary mask, `[height, width]`, each row in whole 64-bit words; pixel `x` of a row is bit
/// `x % 64` of word `x / 64`. Bits past the width are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitMask {
    width: usize,
    height: usize,
    words_per_row: usize,
    words: Vec<u64>,
}

impl BitMask {
    /// A mask with no object in it.
    pub fn empty(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let words_per_row = width.div_ceil(WORD);
        Self {
            width,
            height,
            words_per_row,
            words: vec![0; words_per_row * height],
        }
    }

    /// A mask that holds where `inside` says so of the value, `values` being `[height, width]`.
    ///
    /// # Panics
    /// If `values` is not `width * height` long.
    pub fn from_values<T: Copy>(
        (width, height): (u32, u32),
        values: &[T],
        inside: impl Fn(T) -> bool,
    ) -> Self {
        let mut mask = Self::empty(width, height);
        assert_eq!(values.len(), mask.width * mask.height, "values of the mask");
        if values.is_empty() {
            return mask;
        }
        let rows = mask.words.chunks_exact_mut(mask.words_per_row);
        for (row, values) in rows.zip(values.chunks_exact(mask.width)) {
            for (word, values) in row.iter_mut().zip(values.chunks(WORD)) {
                for (bit, &value) in values.iter().enumerate() {
                    *word |= u64::from(inside(value)) << bit;
                }
            }
        }
        mask
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    /// The number of pixels the object covers.
    pub fn area(&self) -> u64 {
        count(&self.words)
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// This mask without the pixels of `other`, which must have the same size.
    pub fn without(&self, other: &Self) -> Self {
        debug_assert_eq!(self.dimensions(), other.dimensions());
        let words = self.words.iter().zip(&other.words);
        Self {
            words: words.map(|(&own, &other)| own & !other).collect(),
            ..*self
        }
    }

    /// Pixels in both masks, and in either. The masks must have the same size.
    pub fn overlap(&self, other: &Self) -> (u64, u64) {
        debug_assert_eq!(self.dimensions(), other.dimensions());
        let words = || self.words.iter().zip(&other.words);
        let both = words().map(|(a, b)| u64::from((a & b).count_ones())).sum();
        let either = words().map(|(a, b)| u64::from((a | b).count_ones())).sum();
        (both, either)
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    pub(super) fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.words_per_row..][..self.words_per_row]
    }

    pub(super) fn row_mut(&mut self, y: usize) -> &mut [u64] {
        &mut self.words[y * self.words_per_row..][..self.words_per_row]
    }
}

impl From<&Mask> for BitMask {
    fn from(mask: &Mask) -> Self {
        Self::from_values(mask.dimensions(), mask.bits(), |bit| bit)
    }
}

/// Bits that are set.
pub(super) fn count(words: &[u64]) -> u64 {
    words.iter().map(|word| u64::from(word.count_ones())).sum()
}
