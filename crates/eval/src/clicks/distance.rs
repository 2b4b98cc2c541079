//! Exact squared Euclidean distances to the nearest pixel outside a region.
//!
//! Two passes (Meijster, Roerdink and Hesselink, 2000): down and up each column, distances along
//! the column; then along each row, the lower envelope of the parabolas that these span. All
//! arithmetic is in integers, so that equal distances compare equal.

/// For each pixel of `inside`, `[height, width]`, the squared distance to the nearest pixel that is
/// not inside; 0 for pixels that are not. Everything beyond the picture's border is outside.
///
/// # Panics
/// If `inside` is not `width * height` long.
pub fn squared_distances((width, height): (usize, usize), inside: &[bool]) -> Vec<u64> {
    assert_eq!(inside.len(), width * height, "pixels of the region");
    let columns = column_distances(width, height, inside);
    let mut squared = vec![0; inside.len()];
    if inside.is_empty() {
        return squared;
    }
    let mut envelope = Envelope::default();
    for (row, target) in columns
        .chunks_exact(width)
        .zip(squared.chunks_exact_mut(width))
    {
        if row.iter().any(|&distance| distance > 0) {
            envelope.along(row, target);
        }
    }
    squared
}

/// Distances within each column, `[height, width]`.
fn column_distances(width: usize, height: usize, inside: &[bool]) -> Vec<u32> {
    let mut distances = vec![0u32; inside.len()];
    for y in 0..height {
        for x in 0..width {
            let at = y * width + x;
            let above = if y == 0 { 0 } else { distances[at - width] };
            distances[at] = if inside[at] { above + 1 } else { 0 };
        }
    }
    for y in (0..height).rev() {
        for x in 0..width {
            let at = y * width + x;
            let below = if y + 1 == height {
                0
            } else {
                distances[at + width]
            };
            distances[at] = distances[at].min(below + 1);
        }
    }
    distances
}

/// The lower envelope of the parabolas `(x - centre)² + height²`.
#[derive(Default)]
struct Envelope {
    /// Centre and squared height of each parabola that is lowest somewhere, from left to right.
    parabolas: Vec<(i64, i64)>,
    /// From which column on each is lowest.
    starts: Vec<i64>,
}

impl Envelope {
    fn along(&mut self, row: &[u32], squared: &mut [u64]) {
        let width = row.len() as i64;
        self.parabolas.clear();
        self.starts.clear();
        // The pixels just beyond both ends are outside: parabolas of height 0.
        let heights = row.iter().map(|&height| i64::from(height).pow(2));
        let centres = (-1..=width).zip(std::iter::once(0).chain(heights).chain([0]));
        for parabola in centres {
            self.add(parabola, width);
        }
        let mut current = self.parabolas.len() - 1;
        for x in (0..width).rev() {
            while self.starts[current] > x {
                current -= 1;
            }
            let (centre, height) = self.parabolas[current];
            squared[x as usize] = ((x - centre).pow(2) + height) as u64;
        }
    }

    fn add(&mut self, (centre, height): (i64, i64), width: i64) {
        loop {
            let Some(&(last, last_height)) = self.parabolas.last() else {
                self.parabolas.push((centre, height));
                self.starts.push(-1);
                return;
            };
            // The first column at which the new parabola is below the last one.
            let numerator = centre * centre - last * last + height - last_height;
            let start = numerator.div_euclid(2 * (centre - last)) + 1;
            if self.starts.last().is_some_and(|&from| start <= from) {
                self.parabolas.pop();
                self.starts.pop();
                continue;
            }
            if start < width {
                self.parabolas.push((centre, height));
                self.starts.push(start);
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_definition((width, height): (usize, usize), inside: &[bool]) -> Vec<u64> {
        let (w, h) = (width as i64, height as i64);
        let is_inside = |x: i64, y: i64| {
            (0..w).contains(&x) && (0..h).contains(&y) && inside[(y * w + x) as usize]
        };
        let nearest = |x: i64, y: i64| {
            let all = (-1..=h).flat_map(|v| (-1..=w).map(move |u| (u, v)));
            all.filter(|&(u, v)| !is_inside(u, v))
                .map(|(u, v)| ((u - x).pow(2) + (v - y).pow(2)) as u64)
                .min()
                .unwrap()
        };
        (0..h)
            .flat_map(|y| (0..w).map(move |x| (x, y)))
            .map(|(x, y)| nearest(x, y))
            .collect()
    }

    #[test]
    fn distances_are_exact() {
        let mut state = 7u32;
        for (size, holes) in [
            ((1, 1), 2),
            ((23, 17), 9),
            ((40, 11), 60),
            ((9, 40), 1000),
            ((31, 31), 3),
        ] {
            let inside: Vec<bool> = (0..size.0 * size.1)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    !(state >> 16).is_multiple_of(holes)
                })
                .collect();
            assert_eq!(
                squared_distances(size, &inside),
                by_definition(size, &inside),
                "{size:?}"
            );
        }
    }

    #[test]
    fn a_full_picture_is_deepest_at_its_centre() {
        let distances = squared_distances((5, 3), &[true; 15]);
        assert_eq!(distances, [1, 1, 1, 1, 1, 1, 4, 4, 4, 1, 1, 1, 1, 1, 1]);
    }
}
