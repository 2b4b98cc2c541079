//! Variational refinement (Brox and others, ECCV 2004): the flow is moved to where brightness and
//! its gradients agree and neighbours move alike, with robust penalties.

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
        let (x, y) = mean.gradients();
        let (xx, xy) = x.gradients();
        let (_, yy) = y.gradients();
        let (xt, yt) = t.gradients();
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
            let norm = x * x + y * y + 0.01;
            let residual = t + x * du + y * dv;
            let weight =
                BRIGHTNESS / norm / (residual * residual / norm + EPSILON * EPSILON).sqrt();
            add_constraint(&mut term, weight, x, y, t);
            let (norm_x, norm_y) = (xx * xx + xy * xy + 0.01, yy * yy + xy * xy + 0.01);
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

/// The weight of smoothness at each pixel: less where the flow has an edge.
fn smoothness(field: &Field, update: &Field) -> Plane {
    let total = |plane: &Plane, update: &Plane| Plane {
        values: plane
            .values
            .iter()
            .zip(&update.values)
            .map(|(a, b)| a + b)
            .collect(),
        ..*plane
    };
    let (ux, uy) = total(&field.u, &update.u).gradients();
    let (vx, vy) = total(&field.v, &update.v).gradients();
    Plane {
        width: ux.width,
        height: ux.height,
        values: (0..ux.values.len())
            .map(|at| {
                let squares = [&ux, &uy, &vx, &vy].map(|plane| plane.values[at].powi(2));
                SMOOTHNESS / (squares.iter().sum::<f32>() + EPSILON * EPSILON).sqrt()
            })
            .collect(),
    }
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
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let neighbours = [
                    (x > 0).then(|| at - 1),
                    (x + 1 < width).then(|| at + 1),
                    (y > 0).then(|| at - width),
                    (y + 1 < height).then(|| at + width),
                ];
                let (mut weights, mut pull_u, mut pull_v) = (0.0, 0.0, 0.0);
                for other in neighbours.into_iter().flatten() {
                    let weight = (self.smoothness.values[at] + self.smoothness.values[other]) / 2.0;
                    weights += weight;
                    pull_u += weight
                        * (field.u.values[other] + update.u.values[other] - field.u.values[at]);
                    pull_v += weight
                        * (field.v.values[other] + update.v.values[other] - field.v.values[at]);
                }
                let [uu, uv, vv, u, v] = self.terms[at];
                let (du, dv) = (update.u.values[at], update.v.values[at]);
                let new_u = (pull_u - u - uv * dv) / (uu + weights).max(EPSILON);
                update.u.values[at] = du + RELAXATION * (new_u - du);
                let du = update.u.values[at];
                let new_v = (pull_v - v - uv * du) / (vv + weights).max(EPSILON);
                update.v.values[at] = dv + RELAXATION * (new_v - dv);
            }
        }
    }
}
