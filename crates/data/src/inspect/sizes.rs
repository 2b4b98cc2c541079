//! Sizes of objects, and how numbers spread.

use serde::Serialize;

/// Objects by area in pixels, with the limits of COCO and SA-V.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Buckets {
    /// Below 32².
    pub small: usize,
    /// From 32² to below 96².
    pub medium: usize,
    /// From 96² on.
    pub large: usize,
}

impl Buckets {
    /// Counts an object of `area` pixels.
    pub fn add(&mut self, area: f64) {
        match area {
            _ if area < 32.0 * 32.0 => self.small += 1,
            _ if area < 96.0 * 96.0 => self.medium += 1,
            _ => self.large += 1,
        }
    }
}

/// How numbers spread; all 0 if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The one in the middle (of an even count, the upper of two).
    pub median: f64,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of these numbers, none of which is NaN.
    pub fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (numbers.first(), numbers.last()) else {
            return Self::default();
        };
        Self {
            least,
            median: numbers[numbers.len() / 2],
            mean: numbers.iter().sum::<f64>() / numbers.len() as f64,
            most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_coco() {
        let mut buckets = Buckets::default();
        for area in [1.0, 1023.9, 1024.0, 9215.9, 9216.0] {
            buckets.add(area);
        }
        let expected = Buckets {
            small: 2,
            medium: 2,
            large: 1,
        };
        assert_eq!(buckets, expected);
    }

    #[test]
    fn a_spread_has_a_middle_and_ends() {
        let spread = Spread::of(vec![5.0, 1.0, 3.0]);
        assert_eq!(
            (spread.least, spread.median, spread.mean, spread.most),
            (1.0, 3.0, 3.0, 5.0)
        );
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
