//! The course of a run, thinned out so that it can be drawn however long the run is.

use std::path::Path;

use super::{MetricsReader, Record, Result, StepRecord, ValidationRecord};

/// A number that every step has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The loss.
    Total,
    /// Its focal part.
    Focal,
    /// Its dice part.
    Dice,
    /// Its part of the predicted IoU.
    Iou,
    /// Its part of the occlusion score.
    Occlusion,
    /// The mean IoU of the masks, per cent.
    MeanIou,
    /// The learning rate of everything but the trunk.
    LearningRate,
    /// The learning rate of the trunk.
    TrunkLearningRate,
    /// The norm of the gradients before clipping.
    GradientNorm,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Total,
        Self::Focal,
        Self::Dice,
        Self::Iou,
        Self::Occlusion,
        Self::MeanIou,
        Self::LearningRate,
        Self::TrunkLearningRate,
        Self::GradientNorm,
    ];

    /// The loss and its parts.
    pub const LOSSES: [Self; 5] = [
        Self::Total,
        Self::Focal,
        Self::Dice,
        Self::Iou,
        Self::Occlusion,
    ];

    /// Its name in a legend, among measures of its kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Focal => "focal",
            Self::Dice => "dice",
            Self::Iou => "IoU",
            Self::Occlusion => "occlusion",
            Self::MeanIou => "training IoU",
            Self::LearningRate => "other",
            Self::TrunkLearningRate => "trunk",
            Self::GradientNorm => "before clipping",
        }
    }

    /// Its name in TensorBoard, which groups by what is before the stroke.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Total => "loss/total",
            Self::Focal => "loss/focal",
            Self::Dice => "loss/dice",
            Self::Iou => "loss/iou",
            Self::Occlusion => "loss/occlusion",
            Self::MeanIou => "train/mean_iou",
            Self::LearningRate => "learning_rate/other",
            Self::TrunkLearningRate => "learning_rate/trunk",
            Self::GradientNorm => "train/gradient_norm",
        }
    }

    /// Its value in a step.
    pub fn of(self, record: &StepRecord) -> f64 {
        match self {
            Self::Total => record.losses.total,
            Self::Focal => record.losses.focal,
            Self::Dice => record.losses.dice,
            Self::Iou => record.losses.iou,
            Self::Occlusion => record.losses.occlusion,
            Self::MeanIou => record.mean_iou,
            Self::LearningRate => record.learning_rate,
            Self::TrunkLearningRate => record.trunk_learning_rate,
            Self::GradientNorm => record.gradient_norm,
        }
    }
}

/// Every [`Measure`] over the steps, and the validations.
#[derive(Debug, Clone, Default)]
pub struct History {
    series: [Series; Measure::ALL.len()],
    validations: Vec<ValidationRecord>,
}

impl History {
    /// The history in a metrics file.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self> {
        let mut history = Self::default();
        for record in MetricsReader::open(path)? {
            match record? {
                Record::Step(record) => history.step(&record),
                Record::Validation(record) => history.validated(&record),
            }
        }
        Ok(history)
    }

    /// Takes a step in.
    pub fn step(&mut self, record: &StepRecord) {
        for (series, measure) in self.series.iter_mut().zip(Measure::ALL) {
            series.push(record.step as f64, measure.of(record));
        }
    }

    /// Takes a validation in.
    pub fn validated(&mut self, record: &ValidationRecord) {
        self.validations.push(*record);
    }

    /// A measure over the steps.
    pub fn series(&self, measure: Measure) -> &Series {
        &self.series[measure as usize]
    }

    /// The validations, in order.
    pub fn validations(&self) -> &[ValidationRecord] {
        &self.validations
    }

    /// The validation with the highest J&F.
    pub fn best(&self) -> Option<&ValidationRecord> {
        let known = self.validations.iter().filter(|one| !one.j_and_f.is_nan());
        known.max_by(|a, b| a.j_and_f.total_cmp(&b.j_and_f))
    }
}

/// A series of values of which more than this many points are never kept.
const POINTS: usize = 512;

/// Values over steps. When they become many, each point is the mean over some steps.
#[derive(Debug, Clone)]
pub struct Series {
    points: Vec<(f64, f64)>,
    /// The number of values of a point.
    stride: u32,
    /// Sums of what will be the next point.
    pending: (f64, f64, u32),
}

impl Default for Series {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            stride: 1,
            pending: (0.0, 0.0, 0),
        }
    }
}

impl Series {
    /// Appends a value; one that is not finite is left out.
    pub fn push(&mut self, step: f64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let (steps, values, count) = &mut self.pending;
        *steps += step;
        *values += value;
        *count += 1;
        if *count < self.stride {
            return;
        }
        self.points.extend(mean(self.pending));
        self.pending = (0.0, 0.0, 0);
        if self.points.len() == POINTS {
            let pairs = self.points.as_chunks::<2>().0.iter();
            self.points = pairs
                .map(|[a, b]| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0))
                .collect();
            self.stride *= 2;
        }
    }

    /// Pairs of step and value.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().copied().chain(mean(self.pending))
    }
}

fn mean((steps, values, count): (f64, f64, u32)) -> Option<(f64, f64)> {
    let share = f64::from(count);
    (count > 0).then(|| (steps / share, values / share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_stand_at_their_own_place() {
        for (place, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(measure as usize, place);
        }
    }

    #[test]
    fn a_long_series_is_thinned_to_means_and_loses_nothing() {
        let mut series = Series::default();
        let count = 10 * POINTS + 7;
        for step in 1..=count {
            series.push(step as f64, 2.0 * step as f64);
        }
        let points: Vec<(f64, f64)> = series.points().collect();
        assert!(points.len() <= POINTS && points.len() > POINTS / 2);
        assert!(points.iter().all(|(step, value)| *value == 2.0 * step));
        assert!(points.last().unwrap().0 > (count - 16) as f64);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let mut series = Series::default();
        for (step, value) in [
            (1.0, 3.0),
            (2.0, f64::NAN),
            (3.0, f64::INFINITY),
            (4.0, 5.0),
        ] {
            series.push(step, value);
        }
        assert!(series.points().eq([(1.0, 3.0), (4.0, 5.0)]));
    }
}
