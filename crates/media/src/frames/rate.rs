//! Frames per second.

use std::num::NonZeroU32;
use std::time::Duration;

/// Frames per second as a fraction, such as 30000/1001; always above zero, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: NonZeroU32,
    denominator: NonZeroU32,
}

impl FrameRate {
    /// `numerator / denominator` frames per second; `None` if either is zero.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        Self::from_u64(numerator.into(), denominator.into())
    }

    /// The same from larger numbers, shortened (and if it must be, rounded) to 32 bits.
    pub(crate) fn from_u64(numerator: u64, denominator: u64) -> Option<Self> {
        let divisor = greatest_common_divisor(numerator, denominator).max(1);
        let (mut numerator, mut denominator) = (numerator / divisor, denominator / divisor);
        while numerator > u32::MAX.into() || denominator > u32::MAX.into() {
            numerator /= 2;
            denominator /= 2;
        }
        Some(Self {
            numerator: NonZeroU32::new(numerator as u32)?,
            denominator: NonZeroU32::new(denominator as u32)?,
        })
    }

    /// Frames in [`denominator`](Self::denominator) seconds.
    pub fn numerator(self) -> NonZeroU32 {
        self.numerator
    }

    /// Seconds in which [`numerator`](Self::numerator) frames are shown.
    pub fn denominator(self) -> NonZeroU32 {
        self.denominator
    }

    /// Frames per second as a number.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator.get()) / f64::from(self.denominator.get())
    }

    /// When frame `index` is shown if every frame lasts equally long and frame 0 is at zero.
    pub fn time_of(self, index: usize) -> Duration {
        let per_second = u128::from(self.numerator.get());
        let nanoseconds = index as u128 * u128::from(self.denominator.get()) * 1_000_000_000;
        Duration::from_nanos(u64::try_from(nanoseconds / per_second).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for FrameRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rounded = (self.per_second() * 1000.0).round() / 1000.0;
        write!(f, "{rounded}")
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_shortened_and_never_zero() {
        let rate = FrameRate::new(60000, 2002).unwrap();
        assert_eq!(
            (rate.numerator().get(), rate.denominator().get()),
            (30000, 1001)
        );
        assert_eq!(rate.to_string(), "29.97");
        assert_eq!(rate.time_of(30000), Duration::from_secs(1001));
        assert!(FrameRate::new(0, 1).is_none() && FrameRate::new(1, 0).is_none());
        let huge = FrameRate::from_u64(u64::MAX, 1 << 60).unwrap();
        assert!((huge.per_second() - 16.0).abs() < 1e-6);
    }
}
