//! Outlines.

use std::f32::consts::TAU;

use rand::Rng;

/// An outline around the origin, of about radius 1.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Round, with waves of 2, 3, 4, … crests: height and phase of each.
    Blob(Vec<(f32, f32)>),
    /// From an ellipse (2) to a rectangle with round corners (8): half its height, and the exponent.
    Rounded { height: f32, power: f32 },
    /// Corners in order.
    Polygon(Vec<(f32, f32)>),
    /// A body with limbs: both ends, and the radius at each.
    Limbs(Vec<Limb>),
    /// A ring: the hole's radius.
    Ring(f32),
}

/// A stroke that gets wider or thinner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limb {
    from: (f32, f32),
    to: (f32, f32),
    radii: (f32, f32),
}

/// A shape at its place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) shape: Shape,
    pub(super) centre: (f32, f32),
    /// Pixels of the shape's 1.
    pub(super) radius: f32,
    /// Cosine and sine of its rotation.
    pub(super) turn: (f32, f32),
    /// How much wider than high.
    pub(super) stretch: f32,
}

impl Placed {
    /// Distance from the outline in pixels, about, negative inside.
    pub(super) fn distance(&self, x: f32, y: f32) -> f32 {
        let (x, y) = self.own_place(x, y);
        self.shape.distance(x, y) * self.radius * self.stretch.min(1.0)
    }

    /// A place in pixels in the shape's own measure.
    pub(super) fn own_place(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (cos, sin) = self.turn;
        let along = (dx * cos + dy * sin) / self.radius;
        let across = (dy * cos - dx * sin) / self.radius;
        (along / self.stretch, across)
    }

    /// The farthest that something of it can be from its centre, in pixels.
    pub(super) fn reach(&self) -> f32 {
        1.9 * self.radius * self.stretch.max(1.0)
    }
}

impl Shape {
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..30 => Self::Blob(waves(rng)),
            30..50 => Self::Rounded {
                height: rng.random_range(0.25..1.0),
                power: rng.random_range(2.0..8.0),
            },
            50..68 => Self::Polygon(corners(rng)),
            68..94 => Self::Limbs(limbs(rng)),
            _ => Self::Ring(rng.random_range(0.3..0.7)),
        }
    }

    /// Distance from the outline, about, negative inside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        match self {
            Self::Blob(waves) => {
                let angle = y.atan2(x);
                let heights = waves.iter().zip(2u8..).map(|(&(height, phase), crests)| {
                    height * (f32::from(crests) * angle + phase).cos()
                });
                x.hypot(y) - 0.8 - heights.sum::<f32>()
            }
            Self::Rounded { height, power } => {
                let sum = x.abs().powf(*power) + (y.abs() / height).powf(*power);
                (sum.powf(1.0 / power) - 1.0) * height
            }
            Self::Polygon(corners) => polygon(corners, x, y),
            Self::Limbs(limbs) => limbs
                .iter()
                .map(|limb| limb.distance(x, y))
                .fold(f32::INFINITY, f32::min),
            Self::Ring(hole) => {
                let radius = x.hypot(y);
                (radius - 1.0).max(hole - radius)
            }
        }
    }
}

impl Limb {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let (px, py) = (x - self.from.0, y - self.from.1);
        let length = (dx * dx + dy * dy).max(1e-6);
        let share = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
        let radius = self.radii.0 + (self.radii.1 - self.radii.0) * share;
        (px - share * dx).hypot(py - share * dy) - radius
    }
}

fn waves(rng: &mut impl Rng) -> Vec<(f32, f32)> {
    let count = rng.random_range(1..=6);
    let height = rng.random_range(0.02..0.35f32);
    (1..=count)
        .map(|wave| {
            let most = height / wave as f32;
            (rng.random_range(0.0..most), rng.random_range(0.0..TAU))
        })
        .collect()
}

fn corners(rng: &mut impl Rng) -> Vec<(f32, f32)> {
    let count = rng.random_range(3..=9);
    let least = rng.random_range(0.35..0.95);
    (0..count)
        .map(|corner| {
            let angle = (corner as f32 + rng.random_range(-0.3..0.3)) / count as f32 * TAU;
            let radius = rng.random_range(least..1.0f32);
            (radius * angle.cos(), radius * angle.sin())
        })
        .collect()
}

/// A body, and what grows out of it: legs, a neck with a head, branches.
fn limbs(rng: &mut impl Rng) -> Vec<Limb> {
    let length = rng.random_range(0.2..0.6);
    let thick = rng.random_range(0.15..0.4f32);
    let body = Limb {
        from: (-length, 0.0),
        to: (length, rng.random_range(-0.15..0.15)),
        radii: (thick, thick * rng.random_range(0.6..1.0)),
    };
    let mut limbs = vec![body];
    for _ in 0..rng.random_range(1..=6) {
        let share = rng.random_range(0.0..1.0f32);
        let from = (
            body.from.0 + share * (body.to.0 - body.from.0),
            body.from.1 + share * (body.to.1 - body.from.1),
        );
        let angle = rng.random_range(0.0..TAU);
        let reach = rng.random_range(0.3..0.9);
        let to = (from.0 + reach * angle.cos(), from.1 + reach * angle.sin());
        let start = thick * rng.random_range(0.2..0.6);
        // Some end in something thicker than themselves: a head, a foot.
        let end = start * rng.random_range(0.3..1.0);
        limbs.push(Limb {
            from,
            to,
            radii: (start, end),
        });
        if rng.random_bool(0.35) {
            let head = thick * rng.random_range(0.4..0.8);
            limbs.push(Limb {
                from: to,
                to,
                radii: (head, head),
            });
        }
    }
    limbs
}

/// Signed distance of a polygon: to its nearest edge, negative inside by the parity of crossings.
fn polygon(corners: &[(f32, f32)], x: f32, y: f32) -> f32 {
    let mut nearest = f32::INFINITY;
    let mut inside = false;
    let next = corners.iter().cycle().skip(1);
    for (&(ax, ay), &(bx, by)) in corners.iter().zip(next) {
        let (ex, ey) = (bx - ax, by - ay);
        let (px, py) = (x - ax, y - ay);
        let share = ((px * ex + py * ey) / (ex * ex + ey * ey).max(1e-6)).clamp(0.0, 1.0);
        nearest = nearest.min((px - share * ex).hypot(py - share * ey));
        if (ay > y) != (by > y) && x < ax + (y - ay) / ey * ex {
            inside = !inside;
        }
    }
    if inside { -nearest } else { nearest }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_square_has_its_distances() {
        let square = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        assert_eq!(polygon(&square, 0.0, 0.0), -1.0);
        assert_eq!(polygon(&square, 0.5, 0.0), -0.5);
        assert_eq!(polygon(&square, 3.0, 0.0), 2.0);
        assert_eq!(polygon(&square, 4.0, 5.0), 5.0);
    }

    #[test]
    fn every_shape_has_an_inside_and_stays_within_reach() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..300 {
            let placed = Placed {
                shape: Shape::draw(&mut rng),
                centre: (50.0, 40.0),
                radius: 20.0,
                turn: (0.6, 0.8),
                stretch: rng.random_range(0.6..1.6),
            };
            let (mut inside, mut beyond) = (0, 0);
            for y in -40..120 {
                for x in -30..130 {
                    let (x, y) = (x as f32, y as f32);
                    let within = placed.distance(x, y) < 0.0;
                    inside += usize::from(within);
                    let far = (x - 50.0).hypot(y - 40.0) > placed.reach();
                    beyond += usize::from(within && far);
                }
            }
            assert!(inside > 40, "{placed:?} covers {inside} pixels");
            assert_eq!(beyond, 0, "{placed:?}");
        }
    }
}
