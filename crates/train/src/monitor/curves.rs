//! `curves.png`: the course of a run in one picture.

use std::path::PathBuf;

use masklet_media::RgbImage;

use super::canvas::Canvas;
use super::plot::{Chart, Curve, OVERSAMPLING, PAPER, Scale};
use super::{History, Measure, Observer, Result, RunInfo, StepRecord, Summary, ValidationRecord};

const WIDTH: u32 = 1360;
const HEIGHT: u32 = 860;

/// Colours that people with any colour vision can tell apart.
const BLACK: [u8; 3] = [30, 30, 34];
const BLUE: [u8; 3] = [0, 114, 178];
const ORANGE: [u8; 3] = [213, 94, 0];
const GREEN: [u8; 3] = [0, 158, 115];
const PINK: [u8; 3] = [204, 121, 167];

/// Draws losses, mask quality, learning rates and the gradient norm over the steps: at the
/// beginning, every few steps, after each validation and at the end.
#[derive(Debug)]
pub struct Curves {
    path: PathBuf,
    history: History,
    every: u64,
}

impl Curves {
    /// The file's name in the run's folder.
    pub const NAME: &'static str = "curves.png";

    /// Draws into `path` every `every` steps; `history` is what an earlier process of the run left.
    pub fn new(path: impl Into<PathBuf>, history: History, every: u64) -> Self {
        Self {
            path: path.into(),
            history,
            every: every.max(1),
        }
    }

    fn draw(&self) -> Result {
        draw(&self.history)?.save_png(&self.path)
    }
}

impl Observer for Curves {
    fn started(&mut self, _: &RunInfo) -> Result {
        self.draw()
    }

    fn step(&mut self, record: &StepRecord) -> Result {
        self.history.step(record);
        match record.step.is_multiple_of(self.every) {
            true => self.draw(),
            false => Ok(()),
        }
    }

    fn validated(&mut self, record: &ValidationRecord) -> Result {
        self.history.validated(record);
        self.draw()
    }

    fn finished(&mut self, _: &Summary) -> Result {
        self.draw()
    }
}

fn draw(history: &History) -> Result<RgbImage> {
    let charts = charts(history);
    let size = (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING);
    let mut lines = Canvas(RgbImage::filled(size.0, size.1, PAPER)?);
    charts.iter().for_each(|chart| chart.draw_lines(&mut lines));
    let mut picture = Canvas(lines.0.resized((WIDTH, HEIGHT))?);
    charts
        .iter()
        .for_each(|chart| chart.draw_text(&mut picture));
    Ok(picture.0)
}

fn charts(history: &History) -> [Chart; 4] {
    let curve = |measure: Measure, colour| Curve {
        name: measure.name(),
        colour,
        points: history.series(measure).points().collect(),
        dots: false,
    };
    let validation = |name, colour, value: fn(&ValidationRecord) -> f64| Curve {
        name,
        colour,
        points: history
            .validations()
            .iter()
            .map(|record| (record.step as f64, value(record)))
            .filter(|(_, value)| value.is_finite())
            .collect(),
        dots: true,
    };
    let last_step = history.series(Measure::Total).points().last();
    let last_step = last_step.map_or(1.0, |(step, _)| step.ceil());
    let (width, height) = (f64::from(WIDTH) / 2.0, f64::from(HEIGHT) / 2.0);
    let chart = |title, scale, (column, row), curves| Chart {
        title,
        scale,
        curves,
        area: [
            f64::from(column) * width,
            f64::from(row) * height,
            width,
            height,
        ],
        last_step,
    };
    [
        chart(
            "Loss (logarithmic)",
            Scale::Logarithmic,
            (0, 0),
            vec![
                curve(Measure::Focal, BLUE),
                curve(Measure::Dice, ORANGE),
                curve(Measure::Iou, GREEN),
                curve(Measure::Occlusion, PINK),
                curve(Measure::Total, BLACK),
            ],
        ),
        chart(
            "Quality of masks (%)",
            Scale::PerCent,
            (1, 0),
            vec![
                curve(Measure::MeanIou, PINK),
                validation("validation J", BLUE, |record| record.j),
                validation("F", GREEN, |record| record.f),
                validation("J&F", BLACK, |record| record.j_and_f),
            ],
        ),
        chart(
            "Learning rate",
            Scale::FromZero,
            (0, 1),
            vec![
                curve(Measure::TrunkLearningRate, ORANGE),
                curve(Measure::LearningRate, BLUE),
            ],
        ),
        chart(
            "Norm of the gradients (logarithmic)",
            Scale::Logarithmic,
            (1, 1),
            vec![curve(Measure::GradientNorm, BLUE)],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::records::tests::plausible;

    fn history(steps: u64) -> History {
        let mut history = History::default();
        for step in 1..=steps {
            history.step(&plausible(step, steps));
        }
        history
    }

    fn inked(picture: &RgbImage, colour: [u8; 3]) -> usize {
        let pixels = picture.pixels().as_chunks::<3>().0.iter();
        // Smoothed lines mix with the paper.
        let near = |pixel: &[u8; 3]| (0..3).all(|at| pixel[at].abs_diff(colour[at]) < 30);
        pixels.filter(|pixel| near(pixel)).count()
    }

    #[test]
    fn every_part_of_the_loss_is_in_the_picture() {
        let empty = draw(&History::default()).unwrap();
        let drawn = draw(&history(300)).unwrap();
        assert_eq!(drawn.dimensions(), (WIDTH, HEIGHT));
        for colour in [BLACK, BLUE, ORANGE, GREEN, PINK] {
            // The legend has every colour even when there is nothing to draw.
            assert!(
                inked(&drawn, colour) > inked(&empty, colour) + 20,
                "{colour:?}"
            );
        }
    }

    #[test]
    fn short_and_steep_runs_are_drawn() {
        for steps in [1, 2, 5, 40] {
            draw(&history(steps)).unwrap();
        }
    }

    #[test]
    fn the_picture_is_there_from_the_start_and_kept_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Curves::NAME);
        let read = || std::fs::read(&path).unwrap();
        let mut curves = Curves::new(&path, History::default(), 2);
        curves.started(&RunInfo::default()).unwrap();
        let empty = read();
        curves.step(&plausible(1, 10)).unwrap();
        assert_eq!(read(), empty);
        curves.step(&plausible(2, 10)).unwrap();
        let first = read();
        assert_ne!(first, empty);
        let validation = ValidationRecord {
            step: 2,
            j_and_f: 50.0,
            ..ValidationRecord::default()
        };
        curves.validated(&validation).unwrap();
        assert_ne!(read(), first);
    }
}
