//! What a run tells while it runs, and what it leaves behind.
//!
//! The trainer tells every [`Observer`] the same: that the run began, what each step and each
//! validation came to, what was saved, how the run ended. The observers here keep that in the
//! run's folder, or print it:
//!
//! | observer | what |
//! |---|---|
//! | [`MetricsFile`] | `metrics.jsonl`: the truth, one JSON line a record; a resumed run cuts it back |
//! | [`TensorBoard`] | `tensorboard/`: the same numbers, and the samples, for TensorBoard |
//! | [`Curves`] | `curves.png`: losses, J&F, learning rates, gradient norm |
//! | [`Samples`] | `samples/`: validation clips with truth and prediction |
//! | [`PlainLog`] | lines of text |
//!
//! ```
//! use masklet_train::monitor::{Observer, PlainLog, RunInfo};
//!
//! let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(PlainLog::new(std::io::stderr(), 10))];
//! observers.started(&RunInfo { model: "sam2.1-tiny".into(), steps: 100, ..RunInfo::default() })?;
//! # Ok::<(), masklet_media::MediaError>(())
//! ```

mod canvas;
mod curves;
mod history;
mod log;
mod memory;
mod metrics;
mod pace;
mod plot;
mod records;
mod samples;
mod tensorboard;
pub mod words;

use std::path::Path;

use masklet_media::MediaError;

pub use curves::Curves;
pub use history::{History, Measure, Series};
pub use log::PlainLog;
pub use memory::peak_memory_bytes;
pub use metrics::{METRICS, MetricsFile, MetricsReader};
pub use pace::Pace;
pub use records::{LossRecord, Record, RunInfo, StepRecord, Summary, ValidationRecord};
pub use samples::{SAMPLES, Sample, Samples};
pub use tensorboard::{TENSORBOARD, TensorBoard};

/// The result of telling an observer something: files could not be read or written.
pub type Result<T = ()> = std::result::Result<T, MediaError>;

/// Somebody who is told how a run goes. What is of no interest need not be implemented.
///
/// An error means that an observer could not keep what it was told, as on a full disk; the trainer
/// saves what it can and stops, as for any other file that cannot be written.
pub trait Observer {
    /// The run begins, or goes on after a stop.
    #[expect(unused_variables)]
    fn started(&mut self, run: &RunInfo) -> Result {
        Ok(())
    }

    /// A step is complete.
    #[expect(unused_variables)]
    fn step(&mut self, record: &StepRecord) -> Result {
        Ok(())
    }

    /// A validation is complete. It comes after the step of its number.
    #[expect(unused_variables)]
    fn validated(&mut self, record: &ValidationRecord) -> Result {
        Ok(())
    }

    /// A validation clip was tracked.
    #[expect(unused_variables)]
    fn sampled(&mut self, sample: &Sample<'_>) -> Result {
        Ok(())
    }

    /// A checkpoint was written.
    #[expect(unused_variables)]
    fn saved(&mut self, path: &Path) -> Result {
        Ok(())
    }

    /// The run is over, or was stopped.
    #[expect(unused_variables)]
    fn finished(&mut self, summary: &Summary) -> Result {
        Ok(())
    }
}

/// All are told, in order, up to the first that fails.
impl Observer for Vec<Box<dyn Observer + '_>> {
    fn started(&mut self, run: &RunInfo) -> Result {
        self.iter_mut().try_for_each(|one| one.started(run))
    }

    fn step(&mut self, record: &StepRecord) -> Result {
        self.iter_mut().try_for_each(|one| one.step(record))
    }

    fn validated(&mut self, record: &ValidationRecord) -> Result {
        self.iter_mut().try_for_each(|one| one.validated(record))
    }

    fn sampled(&mut self, sample: &Sample<'_>) -> Result {
        self.iter_mut().try_for_each(|one| one.sampled(sample))
    }

    fn saved(&mut self, path: &Path) -> Result {
        self.iter_mut().try_for_each(|one| one.saved(path))
    }

    fn finished(&mut self, summary: &Summary) -> Result {
        self.iter_mut().try_for_each(|one| one.finished(summary))
    }
}
