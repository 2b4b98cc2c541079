//! `tensorboard/`: a run's numbers and samples as TensorBoard reads them.

mod framing;
mod proto;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use masklet_media::MediaError;
use prost::Message as _;

use self::framing::append_record;
use self::proto::{Event, Image, SessionLog, SessionStatus, Summary, SummaryValue, Value, What};
use super::{Measure, Observer, Result, RunInfo, Sample, StepRecord, ValidationRecord};

/// The folder's name in the run's folder.
pub const TENSORBOARD: &str = "tensorboard";

/// What TensorBoard expects the first event of a file to say.
const FILE_VERSION: &str = "brain.Event:2";

/// Writes an event file. Every process of a run has its own; that of a resumed run says from which
/// step on it replaces what the others have.
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: File,
    record: Vec<u8>,
}

impl TensorBoard {
    /// Begins a file in `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`MediaError::Write`].
    pub fn create(folder: &Path) -> Result<Self> {
        let (path, file) = new_file(folder).map_err(|source| MediaError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let mut board = Self {
            path,
            file,
            record: Vec::new(),
        };
        board.add(0, What::FileVersion(FILE_VERSION.into()))?;
        Ok(board)
    }

    fn add(&mut self, step: u64, what: What) -> Result {
        let event = Event {
            wall_time: now().as_secs_f64(),
            step: step as i64,
            what: Some(what),
        };
        self.record.clear();
        append_record(&mut self.record, &event.encode_to_vec());
        self.file
            .write_all(&self.record)
            .map_err(|source| MediaError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn add_numbers(
        &mut self,
        step: u64,
        numbers: impl IntoIterator<Item = (&'static str, f64)>,
    ) -> Result {
        let values = numbers.into_iter().map(|(tag, number)| SummaryValue {
            tag: tag.into(),
            value: Some(Value::Simple(number as f32)),
        });
        let values = values.collect();
        self.add(step, What::Summary(Summary { values }))
    }
}

impl Observer for TensorBoard {
    fn started(&mut self, run: &RunInfo) -> Result {
        let status = SessionStatus::Start.into();
        self.add(run.resumed_at + 1, What::SessionLog(SessionLog { status }))
    }

    fn step(&mut self, record: &StepRecord) -> Result {
        let measures = Measure::ALL.map(|measure| (measure.tag(), measure.of(record)));
        let speed = (
            "speed/clips_per_second",
            record.clips as f64 / record.seconds,
        );
        let memory = record.peak_memory_bytes;
        let memory = memory.map(|bytes| ("memory/peak_gib", bytes as f64 / f64::from(1 << 30)));
        let numbers = measures.into_iter().chain([speed]).chain(memory);
        self.add_numbers(record.step, numbers)
    }

    fn validated(&mut self, record: &ValidationRecord) -> Result {
        let numbers = [
            ("validation/j_and_f", record.j_and_f),
            ("validation/j", record.j),
            ("validation/f", record.f),
            ("validation/occlusion_accuracy", record.occlusion_accuracy),
        ];
        self.add_numbers(record.step, numbers)
    }

    fn sampled(&mut self, sample: &Sample<'_>) -> Result {
        let sheet = sample.sheet()?;
        let image = Image {
            height: sheet.height() as i32,
            width: sheet.width() as i32,
            colour_space: 3,
            encoded: sheet.to_png()?,
        };
        let value = SummaryValue {
            tag: format!("samples/{}", sample.clip.name),
            value: Some(Value::Image(image)),
        };
        let values = vec![value];
        self.add(sample.step, What::Summary(Summary { values }))
    }
}

/// A file with a name that TensorBoard recognises, and that sorts after those of earlier processes.
fn new_file(folder: &Path) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(folder)?;
    let seconds = now().as_secs();
    let mut count = 0;
    loop {
        let name = format!("events.out.tfevents.{seconds:010}.masklet.{count:03}");
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => count += 1,
            file => return Ok((path, file?)),
        }
    }
}

/// The time since 1970.
fn now() -> std::time::Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::records::tests::plausible;
    use crate::monitor::samples::tests::clip;

    fn events(folder: &Path) -> Vec<Vec<Event>> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let events = |path: &PathBuf| {
            let records = framing::tests::records(&fs::read(path).unwrap());
            records
                .iter()
                .map(|record| Event::decode(&record[..]).unwrap())
                .collect()
        };
        files.iter().map(events).collect()
    }

    fn values(event: &Event) -> &[SummaryValue] {
        match &event.what {
            Some(What::Summary(summary)) => &summary.values,
            other => panic!("no summary: {other:?}"),
        }
    }

    /// The first record of a file that TensorBoard's own writer made.
    #[test]
    fn a_record_has_the_bytes_that_tensorboard_writes() {
        let event = Event {
            wall_time: 1_700_000_000.0,
            step: 0,
            what: Some(What::FileVersion(FILE_VERSION.into())),
        };
        let mut record = Vec::new();
        append_record(&mut record, &event.encode_to_vec());
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d"
        );
    }

    #[test]
    fn a_scalar_has_the_bytes_that_tensorboard_writes() {
        let value = SummaryValue {
            tag: "loss/total".into(),
            value: Some(Value::Simple(1.5)),
        };
        let event = Event {
            wall_time: 1_700_000_000.25,
            step: 300,
            what: Some(What::Summary(Summary {
                values: vec![value],
            })),
        };
        let mut record = Vec::new();
        append_record(&mut record, &event.encode_to_vec());
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "2100000000000000017becf60900001040fc54d94110ac022a130a110a0a6c6f73732f746f74616c150000c03fd23d4817"
        );
    }

    #[test]
    fn every_number_of_a_step_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path()).unwrap();
        board.started(&RunInfo::default()).unwrap();
        let record = plausible(7, 100);
        board.step(&record).unwrap();
        let files = events(folder.path());
        let event = &files[0][2];
        assert_eq!(event.step, 7);
        let value = |tag: &str| {
            let value = values(event).iter().find(|value| value.tag == tag);
            value.and_then(|value| value.value.clone())
        };
        assert_eq!(
            value("loss/dice"),
            Some(Value::Simple(record.losses.dice as f32))
        );
        assert_eq!(
            value("train/gradient_norm"),
            Some(Value::Simple(record.gradient_norm as f32))
        );
        assert_eq!(values(event).len(), Measure::ALL.len() + 2);
    }

    #[test]
    fn a_resumed_run_says_from_where_it_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        for resumed_at in [0, 40] {
            let mut board = TensorBoard::create(folder.path()).unwrap();
            board
                .started(&RunInfo {
                    resumed_at,
                    ..RunInfo::default()
                })
                .unwrap();
        }
        let files = events(folder.path());
        assert_eq!(files.len(), 2);
        assert_eq!(
            files[1][0].what,
            Some(What::FileVersion(FILE_VERSION.into()))
        );
        let start = SessionLog {
            status: SessionStatus::Start.into(),
        };
        assert_eq!(
            (files[1][1].step, &files[1][1].what),
            (41, &Some(What::SessionLog(start)))
        );
    }

    #[test]
    fn samples_are_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let (clip, predictions) = clip(3);
        let sample = Sample {
            step: 30,
            clip: &clip,
            predictions: &predictions,
            j_and_f: 50.0,
        };
        TensorBoard::create(folder.path())
            .unwrap()
            .sampled(&sample)
            .unwrap();
        let files = events(folder.path());
        let Some(Value::Image(image)) = &values(&files[0][1])[0].value else {
            panic!("no picture");
        };
        let sheet = masklet_media::RgbImage::decode(&image.encoded).unwrap();
        assert_eq!(
            sheet.dimensions(),
            (image.width as u32, image.height as u32)
        );
    }
}
