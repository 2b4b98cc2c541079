//! Smooth random fields.

/// A random field over the plane, the same wherever it is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise(pub(super) u32);

impl Noise {
    /// A number in 0..1 for a point of the lattice.
    fn at_lattice(self, x: i32, y: i32) -> f32 {
        // Two rounds of multiplying and mixing spread every bit of the place (as in MurmurHash3).
        let mut bits = self.0 ^ (x as u32).wrapping_mul(0x85EB_CA6B);
        bits =
            (bits ^ (bits >> 15)).wrapping_mul(0xC2B2_AE35) ^ (y as u32).wrapping_mul(0x27D4_EB2F);
        bits = (bits ^ (bits >> 13)).wrapping_mul(0x85EB_CA6B);
        bits ^= bits >> 16;
        (bits >> 8) as f32 / (1 << 24) as f32
    }

    /// The field at a point, 0..1; it changes over distances of about 1.
    pub(super) fn at(self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (tx, ty) = (smooth(x - left), smooth(y - top));
        let (i, j) = (left as i32, top as i32);
        let row = |j| mix(self.at_lattice(i, j), self.at_lattice(i + 1, j), tx);
        mix(row(j), row(j + 1), ty)
    }

    /// Sums of ever finer and weaker fields, 0..1.
    pub(super) fn rough(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weights, mut weight, mut scale) = (0.0, 0.0, 1.0, 1.0);
        for octave in 0..octaves {
            sum += weight * Self(self.0.wrapping_add(octave)).at(x * scale, y * scale);
            weights += weight;
            weight *= 0.5;
            scale *= 2.03;
        }
        sum / weights
    }

    /// Distance to the nearest of random points, one in each cell of the lattice; 0 to about 1.
    pub(super) fn spots(self, x: f32, y: f32) -> f32 {
        let (i, j) = (x.floor() as i32, y.floor() as i32);
        let other = Self(self.0 ^ 0x5555_5555);
        let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (i + dx, j + dy)));
        around
            .map(|(i, j)| {
                let point = (
                    i as f32 + self.at_lattice(i, j),
                    j as f32 + other.at_lattice(i, j),
                );
                (point.0 - x).hypot(point.1 - y)
            })
            .fold(f32::INFINITY, f32::min)
    }
}

/// Between `from` and `to`.
pub(super) fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_smooth_and_fill_their_range() {
        let noise = Noise(9);
        let mut values = Vec::new();
        for step in 0..4000 {
            let (x, y) = (step as f32 * 0.37 - 700.0, step as f32 * 0.11);
            let value = noise.rough(x, y, 3);
            assert!((0.0..=1.0).contains(&value));
            assert!((value - noise.rough(x + 1e-3, y, 3)).abs() < 0.02);
            assert!((0.0..1.5).contains(&noise.spots(x, y)));
            values.push(value);
        }
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
        assert!(values.iter().any(|&v| v < 0.25) && values.iter().any(|&v| v > 0.75));
    }
}
