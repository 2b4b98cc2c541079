//! `metrics.jsonl`: every number of a run, one JSON line a record.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use masklet_media::MediaError;

use super::{Observer, Record, Result, StepRecord, ValidationRecord};

/// The file's name in the run's folder.
pub const METRICS: &str = "metrics.jsonl";

/// Appends records to a file. Each is handed to the operating system at once, where it survives
/// the end of the process.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
    line: Vec<u8>,
}

impl MetricsFile {
    /// Begins an empty file, in place of an older one.
    ///
    /// # Errors
    /// [`MediaError::Write`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match File::create(&path) {
            Ok(file) => Ok(Self::new(path, file)),
            Err(source) => Err(MediaError::Write { path, source }),
        }
    }

    /// Continues the file of a run that is resumed after `step` complete steps, of which the one
    /// numbered `validated` was the last to be validated. What was recorded after that is cut off, and so is a last line that a killed process left unfinished: the
    /// lines that follow are those of a run that was never stopped, but for their times. A file
    /// that is not there is begun.
    ///
    /// # Errors
    /// [`MediaError::Read`] if a line before that place is not a record; [`MediaError::Write`].
    pub fn resume(path: impl Into<PathBuf>, step: u64, validated: u64) -> Result<Self> {
        let path = path.into();
        if !path.exists() {
            return Self::create(path);
        }
        let mut reader = MetricsReader::open(&path)?;
        let mut end = 0;
        while let Some(record) = reader.next() {
            let later = match record? {
                Record::Step(record) => record.step > step,
                Record::Validation(record) => record.step > validated,
            };
            if later {
                break;
            }
            end = reader.place;
        }
        let cut = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            Ok(file)
        };
        match cut() {
            Ok(file) => Ok(Self::new(path, file)),
            Err(source) => Err(MediaError::Write { path, source }),
        }
    }

    fn new(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            line: Vec::new(),
        }
    }

    fn add(&mut self, record: &Record) -> Result {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)
            .map_err(io::Error::from)
            .and_then(|()| {
                self.line.push(b'\n');
                self.file.write_all(&self.line)
            })
            .map_err(|source| MediaError::Write {
                path: self.path.clone(),
                source,
            })
    }
}

impl Observer for MetricsFile {
    fn step(&mut self, record: &StepRecord) -> Result {
        self.add(&Record::Step(*record))
    }

    fn validated(&mut self, record: &ValidationRecord) -> Result {
        self.add(&Record::Validation(*record))
    }
}

/// Reads records one by one. A last line without an end, which is still being written or was left
/// by a killed process, is not read.
#[derive(Debug)]
pub struct MetricsReader {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next line begins.
    place: u64,
    lines: usize,
    line: Vec<u8>,
}

impl MetricsReader {
    /// Opens a file.
    ///
    /// # Errors
    /// [`MediaError::Read`].
    pub fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        match File::open(&path) {
            Ok(file) => Ok(Self {
                path,
                file: BufReader::new(file),
                place: 0,
                lines: 0,
                line: Vec::new(),
            }),
            Err(source) => Err(MediaError::Read { path, source }),
        }
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        self.line.clear();
        self.file.read_until(b'\n', &mut self.line)?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.lines += 1;
        let record = serde_json::from_slice(&self.line).map_err(|error| {
            let problem = format!(
                "line {} is not a record of a run ({error}); move the file away to go on without it",
                self.lines
            );
            io::Error::new(ErrorKind::InvalidData, problem)
        })?;
        self.place += self.line.len() as u64;
        Ok(Some(record))
    }
}

impl Iterator for MetricsReader {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().map_err(|source| MediaError::Read {
            path: self.path.clone(),
            source,
        });
        read.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn step(step: u64) -> StepRecord {
        StepRecord {
            step,
            mean_iou: 12.5 * step as f64,
            ..StepRecord::default()
        }
    }

    fn run(metrics: &mut MetricsFile, steps: std::ops::RangeInclusive<u64>) {
        for number in steps {
            metrics.step(&step(number)).unwrap();
            if number % 2 == 0 {
                let validation = ValidationRecord {
                    step: number,
                    ..ValidationRecord::default()
                };
                metrics.validated(&validation).unwrap();
            }
        }
    }

    #[test]
    fn a_killed_and_resumed_run_leaves_the_file_of_an_uninterrupted_one() {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole.jsonl");
        run(&mut MetricsFile::create(&whole).unwrap(), 1..=6);

        let path = folder.path().join(METRICS);
        run(&mut MetricsFile::create(&path).unwrap(), 1..=5);
        let mut killed = OpenOptions::new().append(true).open(&path).unwrap();
        killed.write_all(br#"{"kind":"step","st"#).unwrap();
        run(&mut MetricsFile::resume(&path, 4, 4).unwrap(), 5..=6);
        assert_eq!(fs::read(&path).unwrap(), fs::read(&whole).unwrap());
    }

    #[test]
    fn a_validation_that_will_be_made_again_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        run(&mut MetricsFile::create(&path).unwrap(), 1..=4);
        drop(MetricsFile::resume(&path, 4, 2).unwrap());
        let read = MetricsReader::open(&path).unwrap();
        let last = read.last().unwrap().unwrap();
        assert_eq!(last, Record::Step(step(4)));
    }

    #[test]
    fn records_are_read_back_as_they_were_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let mut metrics = MetricsFile::create(&path).unwrap();
        run(&mut metrics, 1..=2);
        let unseen = StepRecord {
            mean_iou: f64::NAN,
            ..step(3)
        };
        metrics.step(&unseen).unwrap();
        let read: Vec<Record> = MetricsReader::open(&path)
            .unwrap()
            .collect::<Result<_>>()
            .unwrap();
        let steps: Vec<u64> = read.iter().map(Record::step).collect();
        assert_eq!(steps, [1, 2, 2, 3]);
        assert_eq!(read[1], Record::Step(step(2)));
        let Record::Step(last) = read[3] else {
            panic!("{:?} is no step", read[3]);
        };
        assert!(last.mean_iou.is_nan());
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        run(&mut MetricsFile::create(&path).unwrap(), 1..=1);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{}\n").unwrap();
        let error = MetricsFile::resume(&path, 1, 0).unwrap_err().to_string();
        assert!(
            error.contains("metrics.jsonl") && error.contains("line 2"),
            "{error}"
        );
    }

    #[test]
    fn a_resumed_run_without_a_file_begins_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        run(&mut MetricsFile::resume(&path, 3, 0).unwrap(), 4..=4);
        assert_eq!(MetricsReader::open(&path).unwrap().count(), 2);
    }
}
