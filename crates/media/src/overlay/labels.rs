//! Numbers on pictures: which object is which, and which are hidden.

use super::shapes::fill;
use super::{OverlayObject, colour_of, unit_of};
use crate::{Mask, RgbImage};

const DARK: [u8; 3] = [16, 16, 20];
const LIGHT: [u8; 3] = [255; 3];

/// Height of a digit in units.
const DIGIT_HEIGHT: f32 = 17.0;

/// Writes each object's number onto it. The numbers of objects without a mask, or with an empty
/// one, stand crossed out in the upper left corner: those are hidden.
pub fn draw_labels(canvas: &mut RgbImage, objects: &[OverlayObject<'_>]) {
    let unit = unit_of(canvas);
    let (margin, gap) = (6.0 * unit, 5.0 * unit);
    let (mut left, mut top) = (margin, margin);
    for object in objects {
        let text = object.id.to_string();
        let chip = Chip::of(&text, unit);
        match object.mask.and_then(anchor) {
            Some((x, y)) => {
                let (width, height) = (canvas.width() as f32, canvas.height() as f32);
                let left = (x - chip.width / 2.0).clamp(0.0, (width - chip.width).max(0.0));
                let top = (y - chip.height / 2.0).clamp(0.0, (height - chip.height).max(0.0));
                chip.draw(canvas, (left, top), colour_of(object.id), false);
            }
            None => {
                if left > margin && left + chip.width > canvas.width() as f32 {
                    (left, top) = (margin, top + chip.height + gap);
                }
                chip.draw(canvas, (left, top), colour_of(object.id), true);
                left += chip.width + gap;
            }
        }
    }
}

/// Writes a frame's number into the lower left corner.
pub fn draw_frame_number(canvas: &mut RgbImage, frame: usize) {
    let unit = unit_of(canvas);
    let text = frame.to_string();
    let chip = Chip::of(&text, unit);
    let top = canvas.height() as f32 - chip.height - 3.0 * unit;
    chip.plate(canvas, (3.0 * unit, top), DARK, 0.7);
    chip.digits(canvas, (3.0 * unit, top), LIGHT);
}

/// A point inside the mask, near its middle: in the row of the centre of mass, the middle of the
/// longest run.
fn anchor(mask: &Mask) -> Option<(f32, f32)> {
    let bounds = mask.bounding_box()?;
    let width = mask.width() as usize;
    let (mut sum, mut area) = (0u64, 0u64);
    for (y, row) in mask.bits().chunks_exact(width).enumerate() {
        let count = row.iter().filter(|&&inside| inside).count() as u64;
        sum += count * y as u64;
        area += count;
    }
    let centre = (sum / area.max(1)) as u32;
    // Between two separate parts there may be nothing in that row.
    let row_of = |y: u32| &mask.bits()[y as usize * width..][..width];
    let y = (centre..bounds.y1)
        .chain((bounds.y0..centre).rev())
        .find(|&y| row_of(y).contains(&true))?;
    let (mut best, mut start) = (0..0, None);
    for (x, &inside) in row_of(y).iter().chain([&false]).enumerate() {
        match (inside, start) {
            (true, None) => start = Some(x),
            (false, Some(from)) => {
                if x - from > best.len() {
                    best = from..x;
                }
                start = None;
            }
            _ => {}
        }
    }
    Some(((best.start + best.end) as f32 / 2.0, y as f32 + 0.5))
}

/// A number on a rounded plate.
struct Chip<'a> {
    text: &'a str,
    unit: f32,
    width: f32,
    height: f32,
}

impl<'a> Chip<'a> {
    fn of(text: &'a str, unit: f32) -> Self {
        let digit = DIGIT_HEIGHT * unit;
        let padding = 0.35 * digit;
        let width = text.len() as f32 * Self::advance(digit) + 2.0 * padding;
        Self {
            text,
            unit,
            width,
            height: digit + 1.4 * padding,
        }
    }

    /// From one digit to the next.
    fn advance(digit: f32) -> f32 {
        0.72 * digit
    }

    /// In the object's colour; for a hidden object a dark plate with a rim and a line across in
    /// that colour.
    fn draw(&self, canvas: &mut RgbImage, place: (f32, f32), colour: [u8; 3], hidden: bool) {
        let rim = self.rim();
        self.plate_at(canvas, place, rim, if hidden { colour } else { LIGHT }, 1.0);
        if !hidden {
            self.plate(canvas, place, colour, 1.0);
            let [r, g, b] = colour.map(f32::from);
            let bright = 0.299 * r + 0.587 * g + 0.114 * b > 140.0;
            return self.digits(canvas, place, if bright { DARK } else { LIGHT });
        }
        self.plate(canvas, place, DARK, 1.0);
        let (left, top) = place;
        let line = [(left, top + self.height), (left + self.width, top)];
        self.stroke(canvas, &line, 0.9 * self.unit, colour);
        self.digits(canvas, place, LIGHT);
    }

    fn rim(&self) -> f32 {
        1.2 * self.unit.max(0.8)
    }

    fn plate(&self, canvas: &mut RgbImage, place: (f32, f32), colour: [u8; 3], opacity: f32) {
        self.plate_at(canvas, place, 0.0, colour, opacity);
    }

    /// A rounded rectangle, larger by `grown` on each side.
    fn plate_at(
        &self,
        canvas: &mut RgbImage,
        (left, top): (f32, f32),
        grown: f32,
        colour: [u8; 3],
        opacity: f32,
    ) {
        let radius = 0.3 * self.height;
        let (half_x, half_y) = (self.width / 2.0, self.height / 2.0);
        let (x, y) = (left + half_x, top + half_y);
        let reach = grown + 1.0;
        let area = [
            left - reach,
            top - reach,
            left + self.width + reach,
            top + self.height + reach,
        ];
        fill(canvas, area, colour, opacity, |px, py| {
            let dx = ((px - x).abs() - half_x + radius).max(0.0);
            let dy = ((py - y).abs() - half_y + radius).max(0.0);
            dx.hypot(dy) - radius - grown
        });
    }

    fn digits(&self, canvas: &mut RgbImage, (left, top): (f32, f32), colour: [u8; 3]) {
        let digit = DIGIT_HEIGHT * self.unit;
        let padding = 0.35 * digit;
        for (place, character) in self.text.bytes().enumerate() {
            let x = left + padding + 0.11 * digit + place as f32 * Self::advance(digit);
            let y = top + 0.7 * padding;
            let at = |&(dx, dy): &(f32, f32)| (x + dx * digit, y + dy * digit);
            let line: Vec<(f32, f32)> = stroke_of(character).iter().map(at).collect();
            self.stroke(canvas, &line, 0.075 * digit, colour);
        }
    }

    /// A line through points, with round ends.
    fn stroke(&self, canvas: &mut RgbImage, line: &[(f32, f32)], half_width: f32, colour: [u8; 3]) {
        let reach = half_width + 1.0;
        let least = |f: fn(&(f32, f32)) -> f32| line.iter().map(f).fold(f32::INFINITY, f32::min);
        let most = |f: fn(&(f32, f32)) -> f32| line.iter().map(f).fold(f32::NEG_INFINITY, f32::max);
        let area = [
            least(|p| p.0) - reach,
            least(|p| p.1) - reach,
            most(|p| p.0) + reach,
            most(|p| p.1) + reach,
        ];
        fill(canvas, area, colour, 1.0, |x, y| {
            let distances = line
                .windows(2)
                .map(|ends| to_segment((x, y), ends[0], ends[1]));
            distances.fold(f32::INFINITY, f32::min) - half_width
        });
    }
}

/// The distance of a point to a line between two points.
fn to_segment((x, y): (f32, f32), (ax, ay): (f32, f32), (bx, by): (f32, f32)) -> f32 {
    let (dx, dy) = (bx - ax, by - ay);
    let squared = (dx * dx + dy * dy).max(f32::EPSILON);
    let along = (((x - ax) * dx + (y - ay) * dy) / squared).clamp(0.0, 1.0);
    (x - ax - along * dx).hypot(y - ay - along * dy)
}

type Stroke = &'static [(f32, f32)];

/// The line that writes a digit, 0.5 wide and 1 high.
#[rustfmt::skip]
fn stroke_of(digit: u8) -> &'static [(f32, f32)] {
    const ZERO: Stroke = &[
        (0.15, 0.0), (0.35, 0.0), (0.5, 0.2), (0.5, 0.8), (0.35, 1.0), (0.15, 1.0), (0.0, 0.8),
        (0.0, 0.2), (0.15, 0.0),
    ];
    const ONE: Stroke = &[(0.05, 0.2), (0.27, 0.0), (0.27, 1.0)];
    const TWO: Stroke = &[
        (0.0, 0.2), (0.15, 0.0), (0.35, 0.0), (0.5, 0.18), (0.48, 0.4), (0.0, 1.0), (0.5, 1.0),
    ];
    const THREE: Stroke = &[
        (0.0, 0.1), (0.15, 0.0), (0.35, 0.0), (0.48, 0.15), (0.48, 0.33), (0.34, 0.47),
        (0.18, 0.47), (0.34, 0.47), (0.5, 0.63), (0.5, 0.82), (0.35, 1.0), (0.15, 1.0), (0.0, 0.9),
    ];
    const FOUR: Stroke = &[(0.38, 1.0), (0.38, 0.0), (0.0, 0.7), (0.52, 0.7)];
    const FIVE: Stroke = &[
        (0.46, 0.0), (0.05, 0.0), (0.02, 0.45), (0.18, 0.38), (0.35, 0.38), (0.5, 0.55),
        (0.5, 0.82), (0.35, 1.0), (0.15, 1.0), (0.0, 0.88),
    ];
    const SIX: Stroke = &[
        (0.44, 0.05), (0.3, 0.0), (0.15, 0.05), (0.0, 0.35), (0.0, 0.8), (0.15, 1.0), (0.35, 1.0),
        (0.5, 0.82), (0.5, 0.6), (0.35, 0.43), (0.15, 0.43), (0.0, 0.6),
    ];
    const SEVEN: Stroke = &[(0.0, 0.0), (0.5, 0.0), (0.18, 1.0)];
    const EIGHT: Stroke = &[
        (0.16, 0.47), (0.03, 0.33), (0.03, 0.14), (0.16, 0.0), (0.34, 0.0), (0.47, 0.14),
        (0.47, 0.33), (0.34, 0.47), (0.16, 0.47), (0.0, 0.63), (0.0, 0.84), (0.15, 1.0),
        (0.35, 1.0), (0.5, 0.84), (0.5, 0.63), (0.34, 0.47),
    ];
    const NINE: Stroke = &[
        (0.06, 0.95), (0.2, 1.0), (0.35, 0.95), (0.5, 0.65), (0.5, 0.2), (0.35, 0.0), (0.15, 0.0),
        (0.0, 0.18), (0.0, 0.4), (0.15, 0.57), (0.35, 0.57), (0.5, 0.4),
    ];
    const DIGITS: [Stroke; 10] = [ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE];
    DIGITS[usize::from(digit.saturating_sub(b'0')).min(9)]
}
