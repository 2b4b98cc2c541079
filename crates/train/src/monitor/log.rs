//! Lines of text, for where there is no terminal.

use std::io::Write;
use std::path::Path;

use masklet_eval::metrics::mean;

use super::words::{clips, duration, memory};
use super::{Measure, Observer, Pace, Result, RunInfo, StepRecord, Summary, ValidationRecord};

/// Prints a line every few steps, and one for each validation. Numbers are means over the steps
/// since the last line.
///
/// What cannot be printed is lost: a reader that has gone away is no reason to stop.
#[derive(Debug)]
pub struct PlainLog<W> {
    to: W,
    every: u64,
    steps: u64,
    pace: Pace,
    /// The steps since the last line.
    since: Vec<StepRecord>,
}

impl<W: Write> PlainLog<W> {
    /// Prints to `to`, a line every `every` steps.
    pub fn new(to: W, every: u64) -> Self {
        Self {
            to,
            every: every.max(1),
            steps: 0,
            pace: Pace::default(),
            since: Vec::new(),
        }
    }

    fn print(&mut self, line: &str) {
        let _ = writeln!(self.to, "{line}");
    }

    fn line(&self, last: &StepRecord) -> String {
        let mean = |measure: Measure| mean(self.since.iter().map(|step| measure.of(step)));
        let [total, focal, dice, iou, occlusion] = Measure::LOSSES.map(mean);
        let quality = mean(Measure::MeanIou);
        let digits = self.steps.to_string().len();
        let mut line = format!(
            "step {:>digits$}/{}  loss {total:7.3} (focal {focal:7.3}  dice {dice:6.3}  IoU {iou:6.3}  \
             occlusion {occlusion:6.3})  mask IoU {quality:5.1}%  lr {:>8.2e}  gradient {:8.3}",
            last.step,
            self.steps,
            last.learning_rate,
            mean(Measure::GradientNorm)
        );
        if let Some(rate) = self.pace.clips_per_second() {
            line += &format!("  {rate:6.2} clips/s");
        }
        if let Some(bytes) = last.peak_memory_bytes {
            line += &format!("  {:>8}", memory(bytes));
        }
        if let Some(left) = self.pace.seconds_for(self.steps.saturating_sub(last.step)) {
            line += &format!("  {} left", duration(left));
        }
        line
    }
}

impl<W: Write> Observer for PlainLog<W> {
    fn started(&mut self, run: &RunInfo) -> Result {
        self.steps = run.steps;
        self.print(&format!(
            "{}: {}; {} steps of {} into {}",
            run.model,
            run.parameters_in_words(),
            run.steps,
            clips(run.clips_per_step),
            run.folder.display()
        ));
        if run.resumed_at > 0 {
            self.print(&format!("going on after step {}", run.resumed_at));
        }
        Ok(())
    }

    fn step(&mut self, record: &StepRecord) -> Result {
        self.pace.step(record);
        self.since.push(*record);
        if record.step.is_multiple_of(self.every) || record.step == self.steps {
            let line = self.line(record);
            self.print(&line);
            self.since.clear();
        }
        Ok(())
    }

    fn validated(&mut self, record: &ValidationRecord) -> Result {
        self.pace.validated(record);
        let ValidationRecord {
            step,
            j,
            f,
            j_and_f,
            occlusion_accuracy,
            ..
        } = record;
        self.print(&format!(
            "validation after step {step}: J&F {j_and_f:.1} (J {j:.1}  F {f:.1})  \
             occlusion {occlusion_accuracy:.1}%  {} in {}",
            clips(record.clips),
            duration(record.seconds)
        ));
        Ok(())
    }

    fn saved(&mut self, path: &Path) -> Result {
        self.print(&format!("saved {}", path.display()));
        Ok(())
    }

    fn finished(&mut self, summary: &Summary) -> Result {
        let took = duration(summary.seconds);
        self.print(&match summary.complete {
            true => format!("done: {} steps, {took}", summary.step),
            false => format!(
                "stopped after step {} of {}, {took}",
                summary.step, self.steps
            ),
        });
        if let Some(best) = &summary.best {
            self.print(&format!(
                "best J&F {:.1}, after step {}",
                best.j_and_f, best.step
            ));
        }
        if let Some(weights) = &summary.weights {
            self.print(&format!("weights {}", weights.display()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::records::tests::plausible;

    fn printed(steps: std::ops::RangeInclusive<u64>) -> Vec<String> {
        let mut text = Vec::new();
        let mut log = PlainLog::new(&mut text, 10);
        log.started(&RunInfo {
            model: "sam2.1-tiny".into(),
            steps: 1000,
            parameters: 38_945_986,
            trained_parameters: 4_000,
            ..RunInfo::default()
        })
        .unwrap();
        for step in steps {
            log.step(&plausible(step, 1000)).unwrap();
        }
        String::from_utf8(text)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn there_is_a_line_every_few_steps_and_one_for_the_last() {
        let lines = printed(985..=1000);
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].contains("38.9 million parameters, 4.0 thousand trained"),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].starts_with("step  990/1000  loss "),
            "{}",
            lines[1]
        );
        for part in [
            "focal",
            "dice",
            "IoU",
            "occlusion",
            "clips/s",
            "1.86 GiB",
            " s left",
        ] {
            assert!(lines[1].contains(part), "{part}: {}", lines[1]);
        }
    }

    #[test]
    fn lines_are_aligned() {
        let lines = printed(1..=1000);
        let place = |line: &str| line.find("clips/s");
        let first = place(&lines[1]);
        assert!(first.is_some() && lines[2..].iter().all(|line| place(line) == first));
    }

    #[test]
    fn a_line_has_the_mean_of_the_steps_since_the_last() {
        let mut text = Vec::new();
        let mut log = PlainLog::new(&mut text, 2);
        for (step, mean_iou) in [(1, 20.0), (2, 60.0), (3, f64::NAN), (4, 70.0)] {
            log.step(&StepRecord {
                step,
                mean_iou,
                ..StepRecord::default()
            })
            .unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("mask IoU  40.0%") && text.contains("mask IoU  70.0%"),
            "{text}"
        );
    }

    #[test]
    fn a_reader_that_has_gone_away_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut log = PlainLog::new(Gone, 1);
        log.step(&plausible(1, 2)).unwrap();
    }
}
