//! A line chart with axes.

use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_9X15_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, Line, PrimitiveStyle, Rectangle, StyledDrawable as _};
use embedded_graphics::text::Alignment;

use super::canvas::Canvas;

pub(super) const PAPER: [u8; 3] = [255; 3];
const INK: Rgb888 = Rgb888::new(40, 42, 48);
const PALE: Rgb888 = Rgb888::new(226, 228, 232);
const GREY: Rgb888 = Rgb888::new(110, 114, 122);

/// Lines are drawn at this many times the size and scaled down, which makes them smooth.
pub(super) const OVERSAMPLING: u32 = 2;

/// Space for labels inside a chart's area: left, top, right, bottom.
const MARGIN: [f64; 4] = [64.0, 56.0, 18.0, 44.0];

/// What is less than this share of the largest value lies at the bottom of a logarithmic scale.
const SMALLEST_SHARE: f64 = 1e-5;

/// How values become heights.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Evenly, from 0 to the largest value.
    FromZero,
    /// Evenly, from 0 to 100.
    PerCent,
    /// By the logarithm; what is not positive is left out.
    Logarithmic,
}

/// One line of a chart.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) colour: [u8; 3],
    /// Pairs of step and value.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether each point is marked.
    pub(super) dots: bool,
}

/// A chart of values over steps.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    pub(super) curves: Vec<Curve>,
    /// Left, top, width and height in the picture, in pixels.
    pub(super) area: [f64; 4],
    /// The step at the right end.
    pub(super) last_step: f64,
}

impl Chart {
    /// Grid and lines, on a canvas of [`OVERSAMPLING`] times the size.
    pub(super) fn draw_lines(&self, canvas: &mut Canvas) {
        let range = self.range();
        let [left, top, right, bottom] = self.frame();
        let line = |canvas: &mut Canvas, from, to, colour, width| {
            let style = PrimitiveStyle::with_stroke(colour, width);
            let Ok(()) = Line::new(enlarged(from), enlarged(to)).draw_styled(&style, canvas);
        };
        for tick in steps(self.last_step) {
            let x = self.x(tick);
            line(canvas, (x, top), (x, bottom), PALE, OVERSAMPLING);
        }
        for tick in self.ticks(range) {
            let y = self.y(tick, range);
            line(canvas, (left, y), (right, y), PALE, OVERSAMPLING);
        }
        for curve in &self.curves {
            let colour = colour(curve.colour);
            let points: Vec<Point> = self
                .shown(curve)
                .map(|(step, value)| enlarged((self.x(step), self.y(value, range))))
                .collect();
            // Not a `Polyline`: the library's thick ones overflow where long lines nearly fold back.
            for ends in points.windows(2) {
                let style = PrimitiveStyle::with_stroke(colour, 3 * OVERSAMPLING / 2);
                let Ok(()) = Line::new(ends[0], ends[1]).draw_styled(&style, canvas);
            }
            let filled = PrimitiveStyle::with_fill(colour);
            for &point in points.iter().filter(|_| curve.dots || points.len() == 1) {
                let dot = Circle::with_center(point, 6 * OVERSAMPLING);
                let Ok(()) = dot.draw_styled(&filled, canvas);
            }
        }
        line(canvas, (left, top), (left, bottom), INK, OVERSAMPLING);
        line(canvas, (left, bottom), (right, bottom), INK, OVERSAMPLING);
    }

    /// Title, legend and the numbers at the axes, on a canvas of the picture's size.
    pub(super) fn draw_text(&self, canvas: &mut Canvas) {
        let range = self.range();
        let [left, top, right, bottom] = self.frame();
        let mut write = |text: &str, x: f64, y: f64, alignment, colour| {
            canvas.text(text, pixel((x, y)), alignment, &FONT_7X13, colour);
        };
        for tick in steps(self.last_step) {
            let text = format!("{tick:.0}");
            write(&text, self.x(tick), bottom + 12.0, Alignment::Center, GREY);
        }
        write("step", right, bottom + 29.0, Alignment::Right, GREY);
        for tick in self.ticks(range) {
            let y = self.y(tick, range);
            write(&label(tick, range), left - 8.0, y, Alignment::Right, GREY);
        }
        if self
            .curves
            .iter()
            .all(|curve| self.shown(curve).next().is_none())
        {
            let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
            write("nothing yet", x, y, Alignment::Center, GREY);
        }
        self.draw_legend(canvas, (right, top - 14.0));
        let place = pixel((left, self.area[1] + 18.0));
        canvas.text(self.title, place, Alignment::Left, &FONT_9X15_BOLD, INK);
    }

    /// The curves' names with their colours, one after the other, up to `right`.
    fn draw_legend(&self, canvas: &mut Canvas, (right, y): (f64, f64)) {
        let mut x = right;
        for curve in self.curves.iter().rev() {
            canvas.text(curve.name, pixel((x, y)), Alignment::Right, &FONT_7X13, INK);
            x -= 7.0 * curve.name.chars().count() as f64 + 12.0;
            let swatch = Rectangle::with_center(pixel((x, y)).into(), Size::new(14, 4));
            let fill = PrimitiveStyle::with_fill(colour(curve.colour));
            let Ok(()) = swatch.draw_styled(&fill, canvas);
            x -= 20.0;
        }
    }

    /// Left, top, right and bottom of the plane that lines are in.
    fn frame(&self) -> [f64; 4] {
        let [left, top, width, height] = self.area;
        [
            left + MARGIN[0],
            top + MARGIN[1],
            left + width - MARGIN[2],
            top + height - MARGIN[3],
        ]
    }

    fn x(&self, step: f64) -> f64 {
        let [left, _, right, _] = self.frame();
        left + step / self.last_step.max(1.0) * (right - left)
    }

    fn y(&self, value: f64, (least, most): (f64, f64)) -> f64 {
        let [_, top, _, bottom] = self.frame();
        let height = match self.scale {
            Scale::Logarithmic => (value.max(least) / least).ln() / (most / least).ln(),
            _ => (value - least) / (most - least),
        };
        bottom - height * (bottom - top)
    }

    fn shown<'a>(&self, curve: &'a Curve) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let positive = self.scale == Scale::Logarithmic;
        let points = curve.points.iter().copied();
        points.filter(move |(_, value)| *value > 0.0 || !positive)
    }

    /// The values at the bottom and at the top. A logarithmic scale has a bottom: a loss that is
    /// almost 0 would press all others to the top.
    fn range(&self) -> (f64, f64) {
        let values = || {
            self.curves
                .iter()
                .flat_map(|curve| self.shown(curve))
                .map(|point| point.1)
        };
        let (least, most) = values().fold((f64::INFINITY, 0.0f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        match self.scale {
            Scale::PerCent => (0.0, 100.0),
            Scale::FromZero if most > 0.0 => (0.0, 1.05 * most),
            Scale::Logarithmic if most > 0.0 => {
                (0.8 * least.max(most * SMALLEST_SHARE), 1.25 * most)
            }
            Scale::FromZero => (0.0, 1.0),
            Scale::Logarithmic => (0.1, 10.0),
        }
    }

    fn ticks(&self, (least, most): (f64, f64)) -> Vec<f64> {
        let ticks = match self.scale {
            Scale::Logarithmic => decades(least, most),
            _ => round_numbers(most, 5.0),
        };
        let inside = least..=most;
        ticks
            .into_iter()
            .filter(|tick| inside.contains(tick))
            .collect()
    }
}

/// Round steps up to the last one.
fn steps(last: f64) -> Vec<f64> {
    let ticks = round_numbers(last, 5.0).into_iter();
    ticks.filter(|tick| tick.fract() == 0.0).collect()
}

/// About so many round numbers from 0 to `most`.
fn round_numbers(most: f64, count: f64) -> Vec<f64> {
    let rough = most / count;
    let power = 10f64.powf(rough.log10().floor());
    let step = power
        * [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|step| step * power >= rough)
            .unwrap_or(10.0);
    (0..=(most / step) as usize)
        .map(|at| at as f64 * step)
        .collect()
}

/// Powers of ten and, if the range is small, their multiples.
fn decades(least: f64, most: f64) -> Vec<f64> {
    let (first, last) = (least.log10().floor() as i32, most.log10().ceil() as i32);
    let multiples: &[f64] = match (most / least).log10() {
        0.0..0.5 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        0.5..2.2 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let powers = (first..=last).map(|power| 10f64.powi(power));
    powers
        .flat_map(|power| multiples.iter().map(move |multiple| multiple * power))
        .collect()
}

/// A number at an axis.
fn label(value: f64, (_, most): (f64, f64)) -> String {
    match value {
        0.0 => "0".into(),
        _ if !(1e-3..1e6).contains(&most) || value < 1e-3 => format!("{value:.1e}"),
        // At most six decimals, and no zeros at the end.
        _ => format!("{}", (value * 1e6).round() / 1e6),
    }
}

fn colour([red, green, blue]: [u8; 3]) -> Rgb888 {
    Rgb888::new(red, green, blue)
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn enlarged((x, y): (f64, f64)) -> Point {
    let factor = f64::from(OVERSAMPLING);
    pixel((x * factor, y * factor)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(steps(1234.0), [0.0, 500.0, 1000.0]);
        assert_eq!(steps(3.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(
            round_numbers(100.0, 5.0),
            [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        );
        let small = [
            0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
        ];
        assert_eq!(decades(0.5, 30.0), small);
        assert_eq!(decades(0.01, 500.0), [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn a_vanishing_value_does_not_stretch_the_scale() {
        let chart = Chart {
            title: "",
            scale: Scale::Logarithmic,
            curves: vec![Curve {
                name: "",
                colour: [0; 3],
                points: vec![(1.0, 10.0), (2.0, 1e-12)],
                dots: false,
            }],
            area: [0.0, 0.0, 400.0, 300.0],
            last_step: 2.0,
        };
        let (least, most) = chart.range();
        assert!(most / least < 1e6);
        assert_eq!(chart.y(1e-12, (least, most)), chart.frame()[3]);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(label(0.30000000000000004, (0.0, 1.0)), "0.3");
        assert_eq!(label(2e-5, (0.0, 5e-5)), "2.0e-5");
        assert_eq!(label(20.0, (0.0, 100.0)), "20");
    }
}
