//! Thin-plate splines: smooth bending by a few points.

/// A displacement of the plane that takes given values at given points and bends as little as
/// possible between them (Bookstein 1989).
pub(super) struct ThinPlate {
    points: Vec<(f32, f32)>,
    /// Weight of each point's bump, then constant, x and y terms, for both axes.
    weights: Vec<[f32; 2]>,
    /// Coordinates are divided by this inside, for the arithmetic's sake.
    unit: f32,
}

impl ThinPlate {
    /// The spline through `displacements` at `points`; `None` if the points do not determine it
    /// (fewer than three, or all on a line).
    pub(super) fn new(
        points: &[(f32, f32)],
        displacements: &[(f32, f32)],
        unit: f32,
    ) -> Option<Self> {
        let points: Vec<(f32, f32)> = points.iter().map(|&(x, y)| (x / unit, y / unit)).collect();
        let count = points.len();
        let size = count + 3;
        let mut rows = vec![vec![0f64; size + 2]; size];
        for (i, &(x, y)) in points.iter().enumerate() {
            for (j, &other) in points.iter().enumerate() {
                rows[i][j] = bump((x, y), other).into();
            }
            for (term, value) in [1.0, x, y].into_iter().enumerate() {
                rows[i][count + term] = value.into();
                rows[count + term][i] = value.into();
            }
            let (dx, dy) = displacements.get(i).copied()?;
            rows[i][size] = dx.into();
            rows[i][size + 1] = dy.into();
        }
        let weights = solve(rows)?;
        Some(Self {
            points,
            weights,
            unit,
        })
    }

    /// The displacement at a place.
    pub(super) fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (x / self.unit, y / self.unit);
        let bumps = self.points.iter().map(|&point| bump((x, y), point));
        let terms = bumps.chain([1.0, x, y]);
        let mut sum = (0.0, 0.0);
        for (term, weight) in terms.zip(&self.weights) {
            sum = (sum.0 + term * weight[0], sum.1 + term * weight[1]);
        }
        sum
    }
}

/// r² ln r², the spline's basis.
fn bump(a: (f32, f32), b: (f32, f32)) -> f32 {
    let squared = (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2);
    if squared < 1e-12 {
        0.0
    } else {
        squared * squared.ln()
    }
}

/// Gaussian elimination with pivoting of `n` rows of `n + 2` values: the two solutions.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<[f32; 2]>> {
    let size = rows.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        let (above, below) = rows.split_at_mut(column + 1);
        let pivot = &mut above[column];
        let lead = pivot[column];
        if lead.abs() < 1e-9 {
            return None;
        }
        pivot.iter_mut().for_each(|value| *value /= lead);
        for row in below {
            let factor = row[column];
            for (value, above) in row.iter_mut().zip(pivot.iter()).skip(column) {
                *value -= factor * above;
            }
        }
    }
    let mut solutions = vec![[0f64; 2]; size];
    for row in (0..size).rev() {
        for which in 0..2 {
            let known: f64 = (row + 1..size)
                .map(|column| rows[row][column] * solutions[column][which])
                .sum();
            solutions[row][which] = rows[row][size + which] - known;
        }
    }
    Some(
        solutions
            .into_iter()
            .map(|pair| pair.map(|v| v as f32))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spline_takes_its_values_at_its_points_and_is_smooth_between() {
        let points = [
            (0.0, 0.0),
            (100.0, 0.0),
            (0.0, 80.0),
            (100.0, 80.0),
            (40.0, 30.0),
        ];
        let displacements = [(1.0, 0.0), (-3.0, 2.0), (0.0, 4.0), (2.0, 2.0), (-5.0, 6.0)];
        let spline = ThinPlate::new(&points, &displacements, 100.0).unwrap();
        for (&(x, y), &(dx, dy)) in points.iter().zip(&displacements) {
            let (found_x, found_y) = spline.at(x, y);
            assert!((found_x - dx).abs() < 1e-3 && (found_y - dy).abs() < 1e-3);
        }
        let (near, nearer) = (spline.at(60.0, 50.0), spline.at(60.1, 50.0));
        assert!((near.0 - nearer.0).abs() < 0.1);
    }

    #[test]
    fn a_displacement_that_is_affine_stays_affine() {
        let points = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (10.0, 10.0)];
        let affine = |(x, y): (f32, f32)| (0.1 * x - 0.2 * y + 1.0, 0.3 * y);
        let displacements = points.map(affine);
        let spline = ThinPlate::new(&points, &displacements, 10.0).unwrap();
        let (found, expected) = (spline.at(17.0, -3.0), affine((17.0, -3.0)));
        assert!((found.0 - expected.0).abs() < 1e-3 && (found.1 - expected.1).abs() < 1e-3);
    }

    #[test]
    fn points_on_a_line_determine_nothing() {
        let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)];
        assert!(ThinPlate::new(&points, &[(0.0, 0.0); 3], 1.0).is_none());
    }
}
