//! Variational refinement (Brox and others, ECCV 2004): the flow is moved to where brightness and
//! its gradients agree and neighbours move alike, with robust penalties.
//!
//! Differences are taken over two pixels and not halved, as in OpenCV's refinement: the pull of the
//! pictures is then towards half the displacement that a linear picture would have. Taken whole it
//! follows noise, and a mask that is warped along is lost sooner.

use super::Field;
use super::plane::Plane;

/// Weight of equal brightness.
const BRIGHTNESS: f32 = 5.0;
/// Weight of equal gradients.
const GRADIENT: f32 = 10.0;
/// Weight of smoothness.
const SMOOTHNESS: f32 = 20.0;
/// Linearisations.
const ROUNDS: usize = 5;
/// Sweeps of the solver in each.
const SWEEPS: usize = 5;
/// Over-relaxation.
const RELAXATION: f32 = 1.6;
/// Below this, penalties are quadratic.
const EPSILON: f32 = 1e-3;
/// Added to squared differences that are divided by, and to the equations, so that pixels without
/// texture stay where they are.
const DAMPING: f32 = 0.01;

/// Refines a flow from `from` to `to`.
pub(super) fn refine(from: &Plane, to: &Plane, field: &mut Field) {
    let scene = Scene::new(from, to, field);
    let mut update = Field::zero(from.width, from.height);
    for _ in 0..ROUNDS {
        let equations = scene.linearised(field, &update);
        for _ in 0..SWEEPS {
            equations.sweep(field, &mut update);
        }
    }
    let add = |plane: &mut Plane, update: &Plane| {
        plane
            .values
            .iter_mut()
            .zip(&update.values)
            .for_each(|(value, change)| *value += change);
    };
    add(&mut field.u, &update.u);
    add(&mut field.v, &update.v);
}

/// Derivatives, across space and from one picture to the other, at the flow to be refined.
struct Scene {
    x: Plane,
    y: Plane,
    t: Plane,
    xx: Plane,
    xy: Plane,
    yy: Plane,
    xt: Plane,
    yt: Plane,
}

impl Scene {
    fn new(from: &Plane, to: &Plane, field: &Field) -> Self {
        let warped = Plane::from_fn(from.width, from.height, |x, y| {
            let at = y * from.width + x;
            to.sample(x as f32 + field.u.values[at], y as f32 + field.v.values[at])
        });
        let pairwise = |a: &Plane, b: &Plane, f: fn(f32, f32) -> f32| Plane {
            values: a
                .values
                .iter()
                .zip(&b.values)
                .map(|(&a, &b)| f(a, b))
                .collect(),
            ..*a
        };
        let mean = pairwise(from, &warped, |a, b| (a + b) / 2.0);
        let t = pairwise(&warped, from, |a, b| a - b);
        let (x, y) = mean.differences();
        let (xx, xy) = x.differences();
        let (_, yy) = y.differences();
        let (xt, yt) = t.differences();
        Self {
            x,
            y,
            t,
            xx,
            xy,
            yy,
            xt,
            yt,
        }
    }

    /// The equations of the update that is best given the penalties at the present one.
    fn linearised(&self, field: &Field, update: &Field) -> Equations {
        let count = self.t.values.len();
        let mut terms = Vec::with_capacity(count);
        for at in 0..count {
            let (du, dv) = (update.u.values[at], update.v.values[at]);
            let mut term = [0.0; 5];
            let (x, y, t) = (self.x.values[at], self.y.values[at], self.t.values[at]);
            let (xx, xy, yy) = (self.xx.values[at], self.xy.values[at], self.yy.values[at]);
            let (xt, yt) = (self.xt.values[at], self.yt.values[at]);
            // Normalised, so that strong edges do not count more than others.
            let norm = x * x + y * y + DAMPING;
            let residual = t + x * du + y * dv;
            let weight =
                BRIGHTNESS / norm / (residual * residual / norm + EPSILON * EPSILON).sqrt();
            add_constraint(&mut term, weight, x, y, t);
            let (norm_x, norm_y) = (xx * xx + xy * xy + DAMPING, yy * yy + xy * xy + DAMPING);
            let (residual_x, residual_y) = (xt + xx * du + xy * dv, yt + xy * du + yy * dv);
            let size = residual_x * residual_x / norm_x + residual_y * residual_y / norm_y;
            let weight = GRADIENT / (size + EPSILON * EPSILON).sqrt();
            add_constraint(&mut term, weight / norm_x, xx, xy, xt);
            add_constraint(&mut term, weight / norm_y, xy, yy, yt);
            terms.push(term);
        }
        Equations {
            terms,
            smoothness: smoothness(field, update),
        }
    }
}

/// Adds `weight (a du + b dv + c)²` to `[uu, uv, vv, u, v]`.
fn add_constraint(term: &mut [f32; 5], weight: f32, a: f32, b: f32, c: f32) {
    let products = [a * a, a * b, b * b, a * c, b * c];
    for (term, product) in term.iter_mut().zip(products) {
        *term += weight * product;
    }
}

/// The weight of smoothness between each pixel and its right and lower neighbour: less where the
/// flow has an edge.
fn smoothness(field: &Field, update: &Field) -> Plane {
    let (width, height) = (field.u.width, field.u.height);
    let total = |plane: &Plane, update: &Plane, at: usize| plane.values[at] + update.values[at];
    let (u, v) = (
        |at: usize| total(&field.u, &update.u, at),
        |at: usize| total(&field.v, &update.v, at),
    );
    Plane::from_fn(width, height, |x, y| {
        let at = y * width + x;
        let right = if x + 1 < width { at + 1 } else { at };
        let below = if y + 1 < height { at + width } else { at };
        let (here_u, here_v) = (u(at), v(at));
        let changes = [
            u(right) - here_u,
            u(below) - here_u,
            v(right) - here_v,
            v(below) - here_v,
        ];
        let squares: f32 = changes.iter().map(|change| change * change).sum();
        SMOOTHNESS / (squares + EPSILON * EPSILON).sqrt()
    })
}

/// For each pixel, the data terms' matrix and right side; and the smoothness weights.
struct Equations {
    terms: Vec<[f32; 5]>,
    smoothness: Plane,
}

impl Equations {
    /// One sweep of successive over-relaxation.
    fn sweep(&self, field: &Field, update: &mut Field) {
        let (width, height) = (self.smoothness.width, self.smoothness.height);
        let weights = &self.smoothness.values;
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                // Each neighbour, with the pixel that has the weight between the two.
                let neighbours = [
                    (x > 0).then(|| (at - 1, at - 1)),
                    (x + 1 < width).then(|| (at + 1, at)),
                    (y > 0).then(|| (at - width, at - width)),
                    (y + 1 < height).then(|| (at + width, at)),
                ];
                let (mut total, mut pull_u, mut pull_v) = (0.0, 0.0, 0.0);
                let (here_u, here_v) = (field.u.values[at], field.v.values[at]);
                for (other, between) in neighbours.into_iter().flatten() {
                    let weight = weights[between];
                    total += weight;
                    pull_u += weight * (field.u.values[other] + update.u.values[other] - here_u);
                    pull_v += weight * (field.v.values[other] + update.v.values[other] - here_v);
                }
                let [uu, uv, vv, u, v] = self.terms[at];
                let (du, dv) = (update.u.values[at], update.v.values[at]);
                let new_u = (pull_u - u - uv * dv) / (uu + DAMPING + total);
                let du = du + RELAXATION * (new_u - du);
                let new_v = (pull_v - v - uv * du) / (vv + DAMPING + total);
                update.u.values[at] = du;
                update.v.values[at] = dv + RELAXATION * (new_v - dv);
            }
        }
    }
}
