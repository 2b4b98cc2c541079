//! Inverse search: each patch of one picture looks for its place in the other, and the patches'
//! displacements are averaged where they overlap, those that fit better counting more.

use super::Field;
use super::plane::Plane;

/// A patch's side in pixels.
pub(super) const SIDE: usize = 8;
/// Pixels from one patch to the next.
const STRIDE: usize = 3;
/// Steps of descent at most, in each sweep over the patches.
const STEPS: usize = 12;
/// The share of a Gauss-Newton step that is taken. A whole step often leaves the right place behind,
/// where the pictures are not as smooth as it assumes.
const STEP: f32 = 1.0 / 8.0;
const PIXELS: usize = SIDE * SIDE;

/// A number for each pixel of a patch, row by row.
type Values = [f32; PIXELS];

/// The displacements from `from` to `to`, beginning at `start`.
pub(super) fn search(from: &Plane, to: &Plane, start: &Field) -> Field {
    if from.width < SIDE || from.height < SIDE {
        return start.clone();
    }
    let (columns, rows) = (positions(from.width), positions(from.height));
    let places = || {
        rows.iter()
            .flat_map(|&y| columns.iter().map(move |&x| (x, y)))
    };
    let (right, down) = from.smooth_gradients();
    let patches: Vec<Patch> = places()
        .map(|(x, y)| Patch::new(from, &right, &down, x, y))
        .collect();
    let at_centre = |(x, y)| {
        let centre = (y + SIDE / 2) * from.width + x + SIDE / 2;
        (start.u.values[centre], start.v.values[centre])
    };
    let mut found: Vec<(f32, f32)> = places().map(at_centre).collect();
    sweep(&patches, to, &mut found, columns.len(), false);
    sweep(&patches, to, &mut found, columns.len(), true);
    densify(from, to, &patches, &found)
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

/// Moves each patch to where it fits better, from the first to the last or backwards. What the two
/// neighbours that came before have found may be nearer than what the patch knows itself.
fn sweep(patches: &[Patch], to: &Plane, found: &mut [(f32, f32)], columns: usize, backwards: bool) {
    let count = patches.len();
    for step in 0..count {
        let (index, beside, above) = if backwards {
            let index = count - 1 - step;
            (index, index + 1, index + columns)
        } else {
            // What wraps around here is in no range below.
            (step, step.wrapping_sub(1), step.wrapping_sub(columns))
        };
        let patch = &patches[index];
        let mut best = found[index];
        let mut best_error = patch.difference(to, best).1;
        for (other, there) in [
            (
                beside,
                beside < count && beside / columns == index / columns,
            ),
            (above, above < count),
        ] {
            if there && found[other] != best {
                let error = patch.difference(to, found[other]).1;
                if error < best_error {
                    (best, best_error) = (found[other], error);
                }
            }
        }
        found[index] = patch.descend(to, best);
    }
}

/// A patch with what descent needs of it, which does not change from step to step.
struct Patch {
    x: usize,
    y: usize,
    values: Values,
    right: Values,
    down: Values,
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
        let (xx, xy, yy) = (dot(&right, &right), dot(&right, &down), dot(&down, &down));
        let determinant = xx * yy - xy * xy;
        let inverse = (determinant > 1e-3).then(|| [yy, -xy, xx].map(|term| term / determinant));
        Self {
            x,
            y,
            values,
            right,
            down,
            inverse,
        }
    }

    /// The differences at a displacement, and the sum of their squares.
    fn difference(&self, to: &Plane, (u, v): (f32, f32)) -> (Values, f32) {
        let mut difference = centred(window(to, self.x as f32 + u, self.y as f32 + v));
        for (difference, value) in difference.iter_mut().zip(&self.values) {
            *difference -= value;
        }
        let error = dot(&difference, &difference);
        (difference, error)
    }

    /// Gauss-Newton descent from `start`, as long as it fits better.
    fn descend(&self, to: &Plane, start: (f32, f32)) -> (f32, f32) {
        let Some([a, b, c]) = self.inverse else {
            return start;
        };
        let (mut here, mut last_error) = (start, f32::INFINITY);
        for _ in 0..STEPS {
            let (difference, error) = self.difference(to, here);
            let (gx, gy) = (dot(&difference, &self.right), dot(&difference, &self.down));
            here.0 -= STEP * (a * gx + b * gy);
            here.1 -= STEP * (b * gx + c * gy);
            if error >= last_error {
                break;
            }
            last_error = error;
        }
        // A patch that went further than its own size has lost its way.
        let far = (here.0 - start.0).hypot(here.1 - start.1) > SIDE as f32;
        if far { start } else { here }
    }
}

/// The pixels of a patch whose upper left corner lies at `x`, `y`, bilinear; beyond the picture its
/// border goes on.
fn window(plane: &Plane, x: f32, y: f32) -> Values {
    let side = SIDE as f32;
    let x = x.clamp(1.0 - side, plane.width as f32 - 1.0);
    let y = y.clamp(1.0 - side, plane.height as f32 - 1.0);
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let (left, top) = (left as isize, top as isize);
    let row = |y: isize| -> [f32; SIDE] {
        let y = y.clamp(0, plane.height as isize - 1) as usize;
        let line = &plane.values[y * plane.width..][..plane.width];
        let inside = usize::try_from(left).ok();
        let pixels: [f32; SIDE + 1] = match inside.and_then(|left| line.get(left..=left + SIDE)) {
            Some(pixels) => std::array::from_fn(|column| pixels[column]),
            None => std::array::from_fn(|column| {
                line[(left + column as isize).clamp(0, line.len() as isize - 1) as usize]
            }),
        };
        std::array::from_fn(|column| pixels[column] + (pixels[column + 1] - pixels[column]) * fx)
    };
    let mut values = [0.0; PIXELS];
    let mut upper = row(top);
    for (number, values) in values.chunks_exact_mut(SIDE).enumerate() {
        let lower = row(top + number as isize + 1);
        for ((value, upper), lower) in values.iter_mut().zip(upper).zip(lower) {
            *value = upper + (lower - upper) * fy;
        }
        upper = lower;
    }
    values
}

/// The sum of products, in eight sums that a processor can keep side by side.
fn dot(a: &Values, b: &Values) -> f32 {
    let mut sums = [0.0; SIDE];
    for (a, b) in a.chunks_exact(SIDE).zip(b.chunks_exact(SIDE)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

fn centred(mut values: Values) -> Values {
    let mean = dot(&values, &[1.0; PIXELS]) / PIXELS as f32;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

/// A displacement for each pixel, from the patches that cover it.
fn densify(from: &Plane, to: &Plane, patches: &[Patch], found: &[(f32, f32)]) -> Field {
    let mut field = Field::zero(from.width, from.height);
    let mut weights = vec![0.0f32; from.values.len()];
    for (patch, &(u, v)) in patches.iter().zip(found) {
        let there = window(to, patch.x as f32 + u, patch.y as f32 + v);
        for (row, there) in there.chunks_exact(SIDE).enumerate() {
            let start = (patch.y + row) * from.width + patch.x;
            for (at, there) in (start..).zip(there) {
                let weight = 1.0 / (there - from.values[at]).abs().max(1.0);
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
