//! Inverse search: each patch of one picture looks for its place in the other, and the patches'
//! displacements are averaged where they overlap, those that fit better counting more.

use super::Field;
use super::plane::Plane;

/// A patch's side in pixels.
pub(super) const SIDE: usize = 8;
/// Pixels from one patch to the next.
const STRIDE: usize = 3;
/// Steps of descent at most.
const STEPS: usize = 25;
/// Descent ends when a step is shorter than this.
const SHORTEST_STEP: f32 = 0.02;
const PIXELS: usize = SIDE * SIDE;

/// The displacements from `from` to `to`, beginning at `start`.
pub(super) fn search(from: &Plane, to: &Plane, start: &Field) -> Field {
    if from.width < SIDE || from.height < SIDE {
        return start.clone();
    }
    let (right, down) = from.gradients();
    let (columns, rows) = (positions(from.width), positions(from.height));
    let mut found: Vec<(f32, f32)> = Vec::with_capacity(columns.len() * rows.len());
    for (row, &y) in rows.iter().enumerate() {
        for (column, &x) in columns.iter().enumerate() {
            let patch = Patch::new(from, &right, &down, x, y);
            let centre = (y + SIDE / 2) * from.width + x + SIDE / 2;
            let mut best = (start.u.values[centre], start.v.values[centre]);
            let mut best_error = patch.error(to, best).0;
            // What the patches above and to the left have found may be nearer.
            let left = (column > 0).then(|| found[row * columns.len() + column - 1]);
            let above = (row > 0).then(|| found[(row - 1) * columns.len() + column]);
            for candidate in [left, above].into_iter().flatten() {
                let error = patch.error(to, candidate).0;
                if error < best_error {
                    (best, best_error) = (candidate, error);
                }
            }
            found.push(patch.descend(to, best));
        }
    }
    densify(from, to, &columns, &rows, &found)
}

/// Where patches begin along a side; the last one ends at the border.
fn positions(length: usize) -> Vec<usize> {
    let last = length - SIDE;
    let mut all: Vec<usize> = (0..=last).step_by(STRIDE).collect();
    if all.last() != Some(&last) {
        all.push(last);
    }
    all
}

/// A patch with what descent needs of it, which does not change from step to step.
struct Patch {
    x: usize,
    y: usize,
    values: [f32; PIXELS],
    right: [f32; PIXELS],
    down: [f32; PIXELS],
    /// The inverse of the Hessian, symmetric; `None` where the patch has no texture.
    inverse: Option<[f32; 3]>,
}

impl Patch {
    /// Values and gradients have their mean taken off, so that brightness does not matter.
    fn new(plane: &Plane, right: &Plane, down: &Plane, x: usize, y: usize) -> Self {
        let cut = |plane: &Plane| {
            let mut values = [0.0; PIXELS];
            for (row, values) in values.chunks_exact_mut(SIDE).enumerate() {
                let at = (y + row) * plane.width + x;
                values.copy_from_slice(&plane.values[at..at + SIDE]);
            }
            centred(values)
        };
        let (values, right, down) = (cut(plane), cut(right), cut(down));
        let dot =
            |a: &[f32; PIXELS], b: &[f32; PIXELS]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let (xx, xy, yy) = (dot(&right, &right), dot(&right, &down), dot(&down, &down));
        let determinant = xx * yy - xy * xy;
        let inverse = (determinant > 1.0).then(|| [yy, -xy, xx].map(|term| term / determinant));
        Self {
            x,
            y,
            values,
            right,
            down,
            inverse,
        }
    }

    /// The sum of squared differences at a displacement, and the differences.
    fn error(&self, to: &Plane, (u, v): (f32, f32)) -> (f32, [f32; PIXELS]) {
        let mut found = [0.0; PIXELS];
        let (x, y) = (self.x as f32 + u, self.y as f32 + v);
        for (row, found) in found.chunks_exact_mut(SIDE).enumerate() {
            for (column, found) in found.iter_mut().enumerate() {
                *found = to.sample(x + column as f32, y + row as f32);
            }
        }
        let mut difference = centred(found);
        for (difference, value) in difference.iter_mut().zip(&self.values) {
            *difference -= value;
        }
        (difference.iter().map(|d| d * d).sum(), difference)
    }

    /// Gauss-Newton descent from `start`, as long as it fits better.
    fn descend(&self, to: &Plane, start: (f32, f32)) -> (f32, f32) {
        let Some([a, b, c]) = self.inverse else {
            return start;
        };
        let (mut best, mut best_error) = (start, f32::INFINITY);
        let mut here = start;
        for _ in 0..STEPS {
            let (error, difference) = self.error(to, here);
            if error >= best_error {
                break;
            }
            (best, best_error) = (here, error);
            let along = |gradient: &[f32; PIXELS]| -> f32 {
                difference.iter().zip(gradient).map(|(d, g)| d * g).sum()
            };
            let (gx, gy) = (along(&self.right), along(&self.down));
            let step = (a * gx + b * gy, b * gx + c * gy);
            here = (here.0 - step.0, here.1 - step.1);
            if step.0.hypot(step.1) < SHORTEST_STEP {
                break;
            }
        }
        // A patch that went further than its own size has lost its way.
        let far = (best.0 - start.0).hypot(best.1 - start.1) > SIDE as f32;
        if far { start } else { best }
    }
}

fn centred(mut values: [f32; PIXELS]) -> [f32; PIXELS] {
    let mean = values.iter().sum::<f32>() / PIXELS as f32;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

/// A displacement for each pixel, from the patches that cover it.
fn densify(
    from: &Plane,
    to: &Plane,
    columns: &[usize],
    rows: &[usize],
    found: &[(f32, f32)],
) -> Field {
    let mut field = Field::zero(from.width, from.height);
    let mut weights = vec![0.0f32; from.values.len()];
    for (index, &(u, v)) in found.iter().enumerate() {
        let (left, top) = (columns[index % columns.len()], rows[index / columns.len()]);
        for y in top..top + SIDE {
            for x in left..left + SIDE {
                let at = y * from.width + x;
                let difference = to.sample(x as f32 + u, y as f32 + v) - from.values[at];
                let weight = 1.0 / difference.abs().max(1.0);
                weights[at] += weight;
                field.u.values[at] += weight * u;
                field.v.values[at] += weight * v;
            }
        }
    }
    for (at, weight) in weights.into_iter().enumerate() {
        field.u.values[at] /= weight;
        field.v.values[at] /= weight;
    }
    field
}
