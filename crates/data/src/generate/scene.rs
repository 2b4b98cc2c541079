//! A scene: a ground, and things before it.

use std::f32::consts::TAU;

use masklet_media::RgbImage;
use rand::Rng;

use super::Generated;
use super::noise::mix;
use super::shape::{Placed, Shape};
use super::texture::{Colour, Texture};
use crate::{LabelMap, Result};

/// Smallest and largest radius of a thing, of the picture's shorter side; their logarithms are evenly
/// distributed, as small things are as common as large ones.
const RADII: (f32, f32) = (0.05, 0.45);

/// Something with an outline and a surface.
struct Thing {
    placed: Placed,
    texture: Texture,
    parts: Vec<(Placed, Texture)>,
    /// How much brighter it is towards the light.
    shading: f32,
    /// How dark its shadow is, and how far it reaches; `None` for what lies on the ground.
    shadow: Option<(f32, f32)>,
}

/// Draws a scene and what is in it.
pub(super) fn draw((width, height): (u32, u32), rng: &mut impl Rng) -> Result<Generated> {
    let light = direction(rng);
    let mut canvas = Canvas::new((width, height), light, rng);
    for thing in things((width as f32, height as f32), rng) {
        canvas.lay(&thing);
    }
    canvas.finish(rng)
}

fn direction(rng: &mut impl Rng) -> (f32, f32) {
    let angle = rng.random_range(0.0..TAU);
    (angle.cos(), angle.sin())
}

/// From back to front.
fn things(size: (f32, f32), rng: &mut impl Rng) -> Vec<Thing> {
    let mut things = Vec::new();
    if rng.random_bool(0.5) {
        things.push(ground(size, rng));
    }
    let count = rng.random_range(2..=9);
    while things.len() < count {
        let thing = Thing::draw(size, rng);
        let herd = if rng.random_bool(0.2) {
            rng.random_range(2..=5)
        } else {
            0
        };
        let others: Vec<Thing> = (0..herd).map(|_| thing.sibling(size, rng)).collect();
        things.push(thing);
        things.extend(others);
    }
    things
}

/// What fills the lower part of the picture.
fn ground((width, height): (f32, f32), rng: &mut impl Rng) -> Thing {
    let radius = width * rng.random_range(0.7..3.0);
    let horizon = height * rng.random_range(0.3..0.9);
    Thing {
        placed: Placed {
            shape: Shape::Rounded {
                height: 1.0,
                power: rng.random_range(2.0..6.0),
            },
            centre: (width * rng.random_range(0.2..0.8), horizon + radius),
            radius,
            turn: (1.0, 0.0),
            stretch: 1.0,
        },
        texture: Texture::draw(width, rng),
        parts: Vec::new(),
        shading: 0.0,
        shadow: None,
    }
}

impl Thing {
    fn draw(size: (f32, f32), rng: &mut impl Rng) -> Self {
        let (least, most) = (RADII.0.ln(), RADII.1.ln());
        let radius = size.0.min(size.1) * rng.random_range(least..most).exp();
        let placed = place(Shape::draw(rng), radius, size, rng);
        let count = match rng.random_bool(0.5) {
            true => rng.random_range(1..=3),
            false => 0,
        };
        let parts = (0..count).map(|_| part(&placed, rng)).collect();
        Self {
            texture: Texture::draw(radius, rng),
            parts,
            shading: rng.random_range(0.0..0.5),
            shadow: rng.random_bool(0.6).then(|| {
                (
                    rng.random_range(0.1..0.6),
                    radius * rng.random_range(0.05..0.4),
                )
            }),
            placed,
        }
    }

    /// Another of its kind, elsewhere.
    fn sibling(&self, size: (f32, f32), rng: &mut impl Rng) -> Self {
        let radius = self.placed.radius * rng.random_range(0.8..1.25);
        Self {
            placed: place(self.placed.shape.clone(), radius, size, rng),
            texture: self.texture.sibling(rng),
            parts: Vec::new(),
            ..*self
        }
    }
}

fn place(shape: Shape, radius: f32, (width, height): (f32, f32), rng: &mut impl Rng) -> Placed {
    Placed {
        shape,
        centre: (rng.random_range(0.0..width), rng.random_range(0.0..height)),
        radius,
        turn: direction(rng),
        stretch: rng.random_range(-0.5..0.5f32).exp(),
    }
}

/// A part of something: where another shape lies over it.
fn part(of: &Placed, rng: &mut impl Rng) -> (Placed, Texture) {
    let radius = of.radius * rng.random_range(0.3..0.7);
    let mut beside = || of.radius * rng.random_range(-0.7..0.7);
    let centre = (of.centre.0 + beside(), of.centre.1 + beside());
    let placed = Placed {
        shape: Shape::draw(rng),
        centre,
        radius,
        turn: direction(rng),
        stretch: 1.0,
    };
    (placed, Texture::draw(radius, rng))
}

struct Canvas {
    size: (u32, u32),
    light: (f32, f32),
    /// Row by row.
    colours: Vec<Colour>,
    objects: Vec<u16>,
    parts: Vec<u16>,
    /// The next label: of a thing or of a part.
    next: u16,
}

impl Canvas {
    fn new((width, height): (u32, u32), light: (f32, f32), rng: &mut impl Rng) -> Self {
        let backdrop = Texture::draw(width as f32, rng);
        let pixels = (width * height) as usize;
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
        Self {
            size: (width, height),
            light,
            colours: places.map(|(x, y)| backdrop.at(x, y)).collect(),
            objects: vec![0; pixels],
            parts: vec![0; pixels],
            next: 1,
        }
    }

    /// Calls `paint` for each pixel within a rectangle around `placed`.
    fn around(
        &mut self,
        placed: &Placed,
        margin: f32,
        mut paint: impl FnMut(&mut Self, usize, f32, f32),
    ) {
        let reach = placed.reach() + margin;
        let range = |centre: f32, length: u32| {
            let limit = |value: f32| value.clamp(0.0, length as f32) as u32;
            limit(centre - reach)..limit((centre + reach).ceil())
        };
        for y in range(placed.centre.1, self.size.1) {
            for x in range(placed.centre.0, self.size.0) {
                let pixel = (y * self.size.0 + x) as usize;
                paint(self, pixel, x as f32, y as f32);
            }
        }
    }

    fn lay(&mut self, thing: &Thing) {
        if let Some((darkness, length)) = thing.shadow {
            let (dx, dy) = (self.light.0 * length, self.light.1 * length);
            self.around(&thing.placed, 2.0 * length, |canvas, pixel, x, y| {
                let distance = thing.placed.distance(x + dx, y + dy);
                let share = ((length - distance) / (2.0 * length)).clamp(0.0, 1.0);
                let left = 1.0 - darkness * share;
                canvas.colours[pixel] = canvas.colours[pixel].map(|value| value * left);
            });
        }
        let label = self.next;
        self.next += 1 + thing.parts.len() as u16;
        self.around(&thing.placed, 1.0, |canvas, pixel, x, y| {
            let cover = (0.5 - thing.placed.distance(x, y)).clamp(0.0, 1.0);
            if cover == 0.0 {
                return;
            }
            let part = thing
                .parts
                .iter()
                .rposition(|(placed, _)| placed.distance(x, y) < 0.0);
            let texture = part.map_or(&thing.texture, |part| &thing.parts[part].1);
            let (u, v) = thing.placed.own_place(x, y);
            let (cos, sin) = thing.placed.turn;
            let towards =
                (u * cos - v * sin) * canvas.light.0 + (u * sin + v * cos) * canvas.light.1;
            let bright = 1.0 + thing.shading * towards.clamp(-1.0, 1.0);
            let colour = texture.at(x, y);
            let below = canvas.colours[pixel];
            canvas.colours[pixel] =
                [0, 1, 2].map(|channel| mix(below[channel], colour[channel] * bright, cover));
            if cover >= 0.5 {
                canvas.objects[pixel] = label;
                canvas.parts[pixel] = part.map_or(label, |part| label + 1 + part as u16);
            }
        });
    }

    /// What a camera makes of it: blur and noise.
    fn finish(mut self, rng: &mut impl Rng) -> Result<Generated> {
        let (width, height) = self.size;
        for _ in 0..rng.random_range(0..=2) {
            self.blur();
        }
        let noise = rng.random_range(0.0f32..0.2).powi(2);
        let bytes = self.colours.iter().flatten().map(|value| {
            let around = rng.random::<f32>() + rng.random::<f32>() - 1.0;
            ((value + noise * around).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
        });
        Ok(Generated {
            picture: RgbImage::from_raw(width, height, bytes.collect())?,
            objects: LabelMap::from_labels(width, height, self.objects)?,
            parts: LabelMap::from_labels(width, height, self.parts)?,
        })
    }

    /// Each pixel half itself and half its four neighbours.
    fn blur(&mut self) {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let before = self.colours.clone();
        for (pixel, colour) in self.colours.iter_mut().enumerate() {
            let (x, y) = (pixel % width, pixel / width);
            let around = [
                y * width + x.saturating_sub(1),
                y * width + (x + 1).min(width - 1),
                y.saturating_sub(1) * width + x,
                (y + 1).min(height - 1) * width + x,
            ];
            *colour = [0, 1, 2].map(|channel| {
                let sum: f32 = around.iter().map(|&place| before[place][channel]).sum();
                mix(before[pixel][channel], sum / 4.0, 0.5)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::super::ids;
    use super::*;

    #[test]
    fn scenes_are_repeatable_and_have_things_that_stand_out() {
        let scene = |seed| draw((120, 80), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        let mut steps = (0.0, 0.0);
        for seed in 0..20 {
            let made = scene(seed);
            assert_eq!(made.picture, scene(seed).picture);
            assert!(ids(&made.objects).count() > 0, "scene {seed} is empty");
            assert!(ids(&made.parts).count() >= ids(&made.objects).count());
            // Neighbours differ more across outlines than within things.
            let pixels = made.picture.pixels().as_chunks::<3>().0;
            let labels = made.parts.to_labels();
            let (mut across, mut within) = ((0.0, 0.0), (0.0, 0.0));
            for y in 0..80 {
                for x in 0..119 {
                    let (here, next) = (y * 120 + x, y * 120 + x + 1);
                    let step: f64 = (0..3)
                        .map(|c| f64::from(pixels[here][c].abs_diff(pixels[next][c])))
                        .sum();
                    let sum = if labels[here] == labels[next] {
                        &mut within
                    } else {
                        &mut across
                    };
                    *sum = (sum.0 + step, sum.1 + 1.0);
                }
            }
            steps = (steps.0 + across.0 / across.1, steps.1 + within.0 / within.1);
        }
        assert!(steps.0 > 1.5 * steps.1, "{steps:?}");
    }

    #[test]
    fn a_part_lies_within_its_thing() {
        let made = draw((160, 120), &mut ChaCha8Rng::seed_from_u64(12)).unwrap();
        let (parts, objects) = (made.parts.to_labels(), made.objects.to_labels());
        for id in ids(&made.parts) {
            let owners: BTreeSet<u16> = parts
                .iter()
                .zip(&objects)
                .filter(|&(&part, _)| part == id)
                .map(|(_, &object)| object)
                .collect();
            assert_eq!(owners.len(), 1, "part {id} lies in {owners:?}");
        }
    }
}
