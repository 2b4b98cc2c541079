//! Surfaces.

use std::f32::consts::{PI, TAU};

use rand::Rng;

use super::noise::{Noise, mix};

/// A colour: red, green, blue, each 0..1.
pub(super) type Colour = [f32; 3];

/// A surface: colours along a pattern.
#[derive(Clone, Debug)]
pub(super) struct Texture {
    /// From the pattern's 0 to its 1.
    colours: Vec<Colour>,
    pattern: Pattern,
    noise: Noise,
    /// Pixels in which the pattern changes.
    scale: f32,
    /// Direction of stripes, squares and gradients.
    direction: (f32, f32),
    /// How far the pattern is bent by noise, in its own scale.
    bent: f32,
    /// Deviation of each pixel from the pattern.
    grain: f32,
}

#[derive(Clone, Copy, Debug)]
enum Pattern {
    Plain,
    Gradient,
    Cloudy { octaves: u32 },
    Stripes,
    Squares,
    Spots,
}

impl Texture {
    /// Draws a surface for something about `size` pixels large.
    pub(super) fn draw(size: f32, rng: &mut impl Rng) -> Self {
        let pattern = match rng.random_range(0..100) {
            0..12 => Pattern::Plain,
            12..27 => Pattern::Gradient,
            27..65 => Pattern::Cloudy {
                octaves: rng.random_range(1..=5),
            },
            65..78 => Pattern::Stripes,
            78..86 => Pattern::Squares,
            _ => Pattern::Spots,
        };
        let first = colour(rng);
        let count = rng.random_range(1..=3);
        let contrast = rng.random_range(0.1..0.8f32);
        let mut colours = vec![first];
        for _ in 0..count {
            let other = colour(rng);
            colours.push([0, 1, 2].map(|channel| mix(first[channel], other[channel], contrast)));
        }
        let angle = rng.random_range(0.0..PI);
        Self {
            colours,
            pattern,
            noise: Noise(rng.random()),
            scale: size * 10f32.powf(rng.random_range(-1.4..-0.1)),
            direction: (angle.cos(), angle.sin()),
            bent: if rng.random_bool(0.6) {
                rng.random_range(0.0..1.5)
            } else {
                0.0
            },
            grain: rng.random_range(0.0f32..0.06).powi(2) * 20.0,
        }
    }

    /// Another surface of the same kind: other noise, slightly other colours.
    pub(super) fn sibling(&self, rng: &mut impl Rng) -> Self {
        let shift = rng.random_range(-0.06..0.06f32);
        let moved = |colour: &Colour| colour.map(|value| (value + shift).clamp(0.0, 1.0));
        Self {
            colours: self.colours.iter().map(moved).collect(),
            noise: Noise(rng.random()),
            ..self.clone()
        }
    }

    /// The colour at a place, in pixels.
    pub(super) fn at(&self, x: f32, y: f32) -> Colour {
        let (mut u, mut v) = (x / self.scale, y / self.scale);
        if self.bent > 0.0 {
            let other = Noise(self.noise.0 ^ 0x1234_5678);
            u += self.bent * (self.noise.at(u * 0.5, v * 0.5) - 0.5);
            v += self.bent * (other.at(u * 0.5, v * 0.5) - 0.5);
        }
        let (along, across) = (
            u * self.direction.0 + v * self.direction.1,
            v * self.direction.0 - u * self.direction.1,
        );
        let wave = |t: f32| (t * TAU).sin() * 0.5 + 0.5;
        let value = match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Gradient => wave(along * 0.15),
            Pattern::Cloudy { octaves } => {
                (self.noise.rough(u, v, octaves) * 1.6 - 0.3).clamp(0.0, 1.0)
            }
            Pattern::Stripes => (wave(along) * 1.8 - 0.4).clamp(0.0, 1.0),
            Pattern::Squares => ((along.floor() as i64 + across.floor() as i64) & 1) as f32,
            Pattern::Spots => (self.noise.spots(u, v) * 2.2 - 0.5).clamp(0.0, 1.0),
        };
        let grain = self.grain * (Noise(self.noise.0 ^ 0x0F0F_F0F0).at(x * 0.7, y * 0.7) - 0.5);
        let place = value * (self.colours.len() - 1) as f32;
        let below = (place as usize).min(self.colours.len() - 1);
        let above = (below + 1).min(self.colours.len() - 1);
        [0, 1, 2].map(|channel| {
            let colour = mix(
                self.colours[below][channel],
                self.colours[above][channel],
                place - below as f32,
            );
            colour + grain
        })
    }
}

/// A colour as things have them: most are dull, few are bright.
fn colour(rng: &mut impl Rng) -> Colour {
    let (hue, value) = (
        rng.random_range(0.0..6.0f32),
        rng.random_range(0.08..1.0f32),
    );
    let saturation = rng.random_range(0.0f32..1.0).powi(2);
    // Hue, saturation, value to red, green, blue.
    [5.0, 3.0, 1.0].map(|n: f32| {
        let k = (n + hue).rem_euclid(6.0);
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}
