//! [`BitMask`]: a binary mask with 64 pixels to a word, for counting and for comparing.

use std::ops::Range;

use crate::{Mask, Rle};

/// Pixels in a word.
const WORD: usize = 64;
/// Pixels that are packed at a time, one to a byte of a word.
const LANES: usize = 8;
/// A one in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;

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

    /// A mask that holds where `values`, `[height, width]`, are `value`; or everywhere else if
    /// `inverted`.
    ///
    /// # Panics
    /// If `values` is not `width * height` long.
    pub fn where_equal(
        (width, height): (u32, u32),
        values: &[u8],
        value: u8,
        inverted: bool,
    ) -> Self {
        let wanted = u64::from(value) * ONES;
        let flip = if inverted { !0 } else { 0 };
        Self::packed((width, height), values, |values| {
            // Most stretches are of one value.
            let first = values[0];
            if values.iter().fold(0, |all, value| all | (value ^ first)) == 0 {
                return if first == value { !flip } else { flip };
            }
            let (eights, rest) = values.as_chunks::<LANES>();
            let mut word = 0;
            for (at, eight) in eights.iter().enumerate() {
                word |= zero_bytes(u64::from_le_bytes(*eight) ^ wanted) << (LANES * at);
            }
            for (at, &pixel) in rest.iter().enumerate() {
                word |= u64::from(pixel == value) << (LANES * eights.len() + at);
            }
            word ^ flip
        })
    }

    /// A mask that holds where `inside` says so of the value, `values` being `[height, width]`.
    ///
    /// # Panics
    /// If `values` is not `width * height` long.
    pub fn from_values<T>(
        dimensions: (u32, u32),
        values: &[T],
        inside: impl Fn(&T) -> bool,
    ) -> Self {
        Self::packed(dimensions, values, |values| {
            let bits = values.iter().enumerate();
            bits.fold(0, |word, (bit, value)| {
                word | (u64::from(inside(value)) << bit)
            })
        })
    }

    /// A mask of what `pack` makes of up to 64 values; it may set bits past the last.
    fn packed<T>((width, height): (u32, u32), values: &[T], pack: impl Fn(&[T]) -> u64) -> Self {
        let mut mask = Self::empty(width, height);
        assert_eq!(values.len(), mask.width * mask.height, "values of the mask");
        if values.is_empty() {
            return mask;
        }
        let rows = mask.words.chunks_exact_mut(mask.words_per_row);
        for (row, values) in rows.zip(values.chunks_exact(mask.width)) {
            for (word, values) in row.iter_mut().zip(values.chunks(WORD)) {
                *word = pack(values);
            }
        }
        mask.clear_past_width();
        mask
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    /// The number of pixels the object covers.
    pub fn area(&self) -> u64 {
        count(self.words.iter().copied())
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// This mask without the pixels of `other`.
    ///
    /// # Panics
    /// If the masks differ in size.
    pub fn without(mut self, other: &Self) -> Self {
        self.check_same_size(other);
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own &= !other;
        }
        self
    }

    /// How many pixels are in both masks.
    ///
    /// # Panics
    /// If the masks differ in size.
    pub fn shared_area(&self, other: &Self) -> u64 {
        self.check_same_size(other);
        count(self.words.iter().zip(&other.words).map(|(a, b)| a & b))
    }

    /// The rows and, in each row, the words that hold all of both objects and a pixel of background
    /// around them, as far as the picture reaches; `None` if there is no object in either.
    ///
    /// # Panics
    /// If the masks differ in size.
    pub fn surroundings(&self, other: &Self) -> Option<(Range<usize>, Range<usize>)> {
        self.check_same_size(other);
        let mut columns = vec![0; self.words_per_row];
        let (mut first, mut last) = (None, 0);
        for y in 0..self.height {
            let mut any = 0;
            for ((column, a), b) in columns.iter_mut().zip(self.row(y)).zip(other.row(y)) {
                *column |= a | b;
                any |= a | b;
            }
            if any != 0 {
                first.get_or_insert(y);
                last = y;
            }
        }
        let first = first?;
        let left = columns.iter().position(|&word| word != 0)?;
        let right = columns.iter().rposition(|&word| word != 0)?;
        // The pixel before or after may lie in the next word.
        let left = left - usize::from(left > 0 && columns[left] & 1 == 1);
        let right = right + 1 + usize::from(columns[right] >> (WORD - 1) == 1);
        Some((
            first.saturating_sub(1)..(last + 2).min(self.height),
            left..right.min(self.words_per_row),
        ))
    }

    /// The part of the mask in `rows` and, in each, in `words`, a range that ends at the picture's
    /// right side or before it.
    ///
    /// # Panics
    /// If there are no such rows or words.
    pub fn part(&self, rows: Range<usize>, words: Range<usize>) -> Self {
        let width = self.width.min(words.end * WORD) - words.start * WORD;
        let mut part = Vec::with_capacity(rows.len() * words.len());
        let height = rows.len();
        for y in rows {
            part.extend_from_slice(&self.row(y)[words.clone()]);
        }
        Self {
            width,
            height,
            words_per_row: words.len(),
            words: part,
        }
    }

    /// The words of row `y`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.words_per_row..][..self.words_per_row]
    }

    /// The words of row `y`, to change in place; bits past the width have to stay zero.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, y: usize) -> &mut [u64] {
        &mut self.words[y * self.words_per_row..][..self.words_per_row]
    }

    /// Clears bits past the width, which operations on whole words may have set.
    pub fn clear_past_width(&mut self) {
        let used = self.width % WORD;
        if used == 0 {
            return;
        }
        for row in self.words.chunks_exact_mut(self.words_per_row) {
            row[self.words_per_row - 1] &= (1 << used) - 1;
        }
    }

    fn check_same_size(&self, other: &Self) {
        assert_eq!(self.dimensions(), other.dimensions(), "sizes of the masks");
    }
}

impl From<&Mask> for BitMask {
    fn from(mask: &Mask) -> Self {
        Self::from_values(mask.dimensions(), mask.bits(), |&bit| bit)
    }
}

impl From<&Rle> for BitMask {
    fn from(rle: &Rle) -> Self {
        let mut mask = Self::empty(rle.width(), rle.height());
        let (height, words_per_row) = (mask.height, mask.words_per_row);
        let mut position = 0;
        for (run, &length) in rle.counts().iter().enumerate() {
            let end = position + length as usize;
            // Runs go down the columns; every second one is of the object.
            while run % 2 == 1 && position < end {
                let (x, y) = (position / height, position % height);
                let stop = (y + end - position).min(height);
                let column = mask.words[y * words_per_row + x / WORD..].iter_mut();
                for word in column.step_by(words_per_row).take(stop - y) {
                    *word |= 1 << (x % WORD);
                }
                position += stop - y;
            }
            position = end;
        }
        mask
    }
}

/// Bits that are set.
fn count(words: impl Iterator<Item = u64>) -> u64 {
    words.map(|word| u64::from(word.count_ones())).sum()
}

/// Eight bits: whether each byte of a word is zero, the lowest first.
fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = 0x7f * ONES;
    // The high bit of each byte: clear if the byte is zero. No carry leaves a byte.
    let occupied = ((word & LOW) + LOW) | word;
    let zero = (!occupied >> 7) & ONES;
    // Moves bit 8i to bit 56 + i.
    zero.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(mask: &BitMask) -> Vec<(usize, usize)> {
        (0..mask.height)
            .flat_map(|y| (0..mask.width).map(move |x| (x, y)))
            .filter(|&(x, y)| mask.row(y)[x / 64] >> (x % 64) & 1 == 1)
            .collect()
    }

    #[test]
    fn every_way_to_make_a_mask_gives_the_same() {
        for (width, height) in [(1, 1), (7, 5), (64, 3), (130, 9), (203, 40)] {
            let value = |at: u32| [0, 1, 255, 128, 129, 127][(at * at / 7 % 6) as usize];
            let values: Vec<u8> = (0..width * height).map(value).collect();
            for wanted in [0, 1, 127, 128, 129, 255, 3] {
                let mask = Mask::from_fn(width, height, |x, y| value(y * width + x) == wanted);
                let bits = BitMask::from(&mask);
                let (dimensions, area) = (mask.dimensions(), mask.area());
                assert_eq!(bits.area(), area);
                assert_eq!(BitMask::from(&Rle::encode(&mask)), bits);
                assert_eq!(
                    BitMask::where_equal(dimensions, &values, wanted, false),
                    bits
                );
                let others = BitMask::where_equal(dimensions, &values, wanted, true);
                assert_eq!(others.area() + area, u64::from(width * height));
                assert_eq!(others.shared_area(&bits), 0);
            }
        }
    }

    #[test]
    fn surroundings_hold_a_pixel_of_background_where_the_picture_has_one() {
        let rectangle = |x: Range<u32>, y: Range<u32>| {
            BitMask::from(&Mask::from_fn(200, 20, |u, v| {
                x.contains(&u) && y.contains(&v)
            }))
        };
        let none = rectangle(0..0, 0..0);
        assert_eq!(none.surroundings(&none), None);
        let inner = rectangle(70..80, 5..9);
        assert_eq!(inner.surroundings(&none), Some((4..10, 1..2)));
        // A word's first and last pixel need the word beside it.
        assert_eq!(
            none.surroundings(&rectangle(64..127, 0..1)),
            Some((0..2, 0..2))
        );
        assert_eq!(
            rectangle(65..128, 18..20).surroundings(&none),
            Some((17..20, 1..3))
        );
        let (rows, words) = rectangle(0..3, 2..3)
            .surroundings(&rectangle(190..200, 4..5))
            .unwrap();
        assert_eq!((rows.clone(), words.clone()), (1..6, 0..4));
        assert_eq!(inner.part(rows, words).dimensions(), (200, 5));
        let part = inner.part(4..10, 1..2);
        assert_eq!(part.dimensions(), (64, 6));
        assert_eq!(part.area(), inner.area());
        assert_eq!(pixels(&part)[0], (6, 1));
    }

    #[test]
    fn what_is_taken_away_is_gone() {
        let left = BitMask::from_values((4, 1), &[1, 1, 0, 0], |&value| value == 1);
        let middle = BitMask::from_values((4, 1), &[0, 1, 1, 0], |&value| value == 1);
        assert_eq!(pixels(&left.without(&middle)), [(0, 0)]);
    }
}
