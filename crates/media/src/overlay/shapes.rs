//! Prompts as marks with smooth edges.
//!
//! A mark is drawn through its signed distance function: negative inside, in pixels. How much
//! of a pixel it covers is read off the distance at the pixel's centre.

use super::{PromptMark, blend};
use crate::RgbImage;

const POSITIVE: [u8; 3] = [24, 168, 72];
const NEGATIVE: [u8; 3] = [222, 40, 48];
const WHITE: [u8; 3] = [255; 3];
const BLACK: [u8; 3] = [0; 3];

pub(super) fn draw_prompt(canvas: &mut RgbImage, prompt: &PromptMark, colour: [u8; 3], unit: f32) {
    match *prompt {
        PromptMark::Point { x, y, positive } => draw_point(canvas, (x, y), positive, unit),
        PromptMark::Box { x0, y0, x1, y1 } => draw_box(canvas, [x0, y0, x1, y1], colour, unit),
    }
}

/// A filled disc with a white ring and a white plus or minus.
fn draw_point(canvas: &mut RgbImage, (x, y): (f32, f32), positive: bool, unit: f32) {
    let disc = 8.0 * unit.max(0.75);
    let ring = 0.24 * disc;
    let (arm, thickness) = (0.56 * disc, 0.15 * disc);
    let edge = disc + ring + 1.0;
    let area = [
        x - edge - 1.0,
        y - edge - 1.0,
        x + edge + 1.0,
        y + edge + 1.0,
    ];
    let circle = |radius: f32| move |px: f32, py: f32| (px - x).hypot(py - y) - radius;
    let bar = |half_x: f32, half_y: f32| {
        move |px: f32, py: f32| rectangle(px - x, py - y, half_x, half_y)
    };

    fill(canvas, area, BLACK, 0.45, circle(edge));
    fill(canvas, area, WHITE, 1.0, circle(disc + ring));
    fill(
        canvas,
        area,
        if positive { POSITIVE } else { NEGATIVE },
        1.0,
        circle(disc),
    );
    fill(canvas, area, WHITE, 1.0, bar(arm, thickness));
    if positive {
        fill(canvas, area, WHITE, 1.0, bar(thickness, arm));
    }
}

/// The outline of a rectangle, in the object's colour between dark rims.
fn draw_box(canvas: &mut RgbImage, [x0, y0, x1, y1]: [f32; 4], colour: [u8; 3], unit: f32) {
    let half_width = 1.25 * unit.max(0.8);
    let (center_x, center_y) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
    let (half_x, half_y) = ((x1 - x0).abs() / 2.0, (y1 - y0).abs() / 2.0);
    let outline = |half_line: f32| {
        move |x: f32, y: f32| {
            rectangle(x - center_x, y - center_y, half_x, half_y).abs() - half_line
        }
    };
    let reach = half_width + unit + 1.0;
    // Four strips, so that a large box does not cost its whole inside.
    let strips = [
        [x0 - reach, y0 - reach, x1 + reach, y0 + reach],
        [x0 - reach, y1 - reach, x1 + reach, y1 + reach],
        [x0 - reach, y0 + reach, x0 + reach, y1 - reach],
        [x1 - reach, y0 + reach, x1 + reach, y1 - reach],
    ];
    for strip in strips {
        fill(
            canvas,
            strip,
            BLACK,
            0.5,
            outline(half_width + unit.max(0.8)),
        );
        fill(canvas, strip, colour, 1.0, outline(half_width));
    }
}

/// Signed distance to a rectangle around the origin.
fn rectangle(x: f32, y: f32, half_x: f32, half_y: f32) -> f32 {
    let (dx, dy) = (x.abs() - half_x, y.abs() - half_y);
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0)
}

/// Lays `colour` over the pixels of `area` (x0, y0, x1, y1; cut to the picture) that the shape
/// covers, at `opacity`.
pub(super) fn fill(
    canvas: &mut RgbImage,
    [x0, y0, x1, y1]: [f32; 4],
    colour: [u8; 3],
    opacity: f32,
    distance: impl Fn(f32, f32) -> f32,
) {
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    // Casts saturate, and take NaN to 0: any coordinate is safe.
    let columns = x0.floor() as usize..(x1.ceil() as usize).min(width);
    let rows = y0.floor() as usize..(y1.ceil() as usize).min(height);
    let pixels = canvas.pixels_mut().as_chunks_mut::<3>().0;
    for y in rows {
        for x in columns.clone() {
            let covered = (0.5 - distance(x as f32 + 0.5, y as f32 + 0.5)).clamp(0.0, 1.0);
            if covered > 0.0 {
                let pixel = &mut pixels[y * width + x];
                *pixel = blend(*pixel, colour, opacity * covered);
            }
        }
    }
}
