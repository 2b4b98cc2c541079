//! Progress: a bar with rate and time left on a terminal, plain lines elsewhere.
//!
//! It counts steps, such as frames, or bytes.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, a line is printed this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Counts steps on standard error.
pub(crate) enum Progress {
    /// Nothing is shown.
    Quiet,
    /// A bar.
    Bar(ProgressBar),
    /// Lines now and then.
    Plain(PlainProgress),
}

/// What is counted.
#[derive(Clone, Copy)]
enum Unit {
    Steps,
    Bytes,
}

/// The state of plain progress.
pub(crate) struct PlainProgress {
    what: String,
    unit: Unit,
    total: Option<u64>,
    /// What was done before this run.
    before: u64,
    done: u64,
    started: Instant,
    printed: Instant,
}

impl Progress {
    /// Progress over `total` steps, if their number is known.
    pub(crate) fn new(what: &str, total: Option<usize>, quiet: bool) -> Self {
        Self::of(what, Unit::Steps, total.map(|steps| steps as u64), 0, quiet)
    }

    /// Progress over `total` bytes, of which `before` were there at the start.
    pub(crate) fn bytes(what: &str, total: u64, before: u64, quiet: bool) -> Self {
        Self::of(what, Unit::Bytes, Some(total), before, quiet)
    }

    fn of(what: &str, unit: Unit, total: Option<u64>, before: u64, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            let now = Instant::now();
            return Self::Plain(PlainProgress {
                what: what.to_owned(),
                unit,
                total,
                before,
                done: before,
                started: now,
                printed: now,
            });
        }
        let template = match (unit, total) {
            (Unit::Steps, Some(_)) => "{msg} {wide_bar} {pos}/{len} · {per_sec} · {eta} left",
            (Unit::Steps, None) => "{spinner} {msg} {pos} · {per_sec} · {elapsed}",
            (Unit::Bytes, _) => {
                "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} · {decimal_bytes_per_sec} · {eta} left"
            }
        };
        let style = ProgressStyle::with_template(template).expect("the templates are valid");
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        // The rate is that of this run.
        let bar = bar.with_style(style).with_message(what.to_owned());
        bar.set_position(before);
        bar.reset_eta();
        Self::Bar(bar)
    }

    /// One more step is done.
    pub(crate) fn step(&mut self) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.inc(1),
            Self::Plain(plain) => plain.reach(plain.done + 1),
        }
    }

    /// So many steps or bytes are done in all.
    pub(crate) fn reach(&mut self, done: u64) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.set_position(done),
            Self::Plain(plain) => plain.reach(done),
        }
    }

    /// So many steps need not be made.
    pub(crate) fn skip(&mut self, steps: usize) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                let left = bar
                    .length()
                    .map(|length| length.saturating_sub(steps as u64));
                bar.set_length(left.unwrap_or(0));
            }
            Self::Plain(plain) => {
                plain.total = plain.total.map(|total| total.saturating_sub(steps as u64));
            }
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl PlainProgress {
    fn reach(&mut self, done: u64) {
        self.done = done;
        if self.printed.elapsed() < PLAIN_INTERVAL {
            return;
        }
        self.printed = Instant::now();
        eprintln!("{}", self.line(self.started.elapsed().as_secs_f64()));
    }

    /// What is done after so many seconds, and what is left.
    fn line(&self, seconds: f64) -> String {
        let rate = self.done.saturating_sub(self.before) as f64 / seconds;
        let (done, rate_text) = match self.unit {
            Unit::Steps => (self.done.to_string(), format!("{rate:.2}/s")),
            Unit::Bytes => (
                megabytes(self.done),
                format!("{}/s", megabytes(rate as u64)),
            ),
        };
        let what = &self.what;
        let Some(total) = self.total else {
            return format!("{what} {done} · {rate_text}");
        };
        let total_text = match self.unit {
            Unit::Steps => total.to_string(),
            Unit::Bytes => megabytes(total),
        };
        let left = total.saturating_sub(self.done) as f64 / rate;
        format!("{what} {done}/{total_text} · {rate_text} · {left:.0} s left")
    }
}

/// A size for people: `156.0 MB`, of a million bytes each.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(unit: Unit, before: u64, done: u64, total: Option<u64>) -> PlainProgress {
        let now = Instant::now();
        PlainProgress {
            what: "work".to_owned(),
            unit,
            total,
            before,
            done,
            started: now,
            printed: now,
        }
    }

    #[test]
    fn steps_are_told_with_rate_and_time_left() {
        let line = |total| plain(Unit::Steps, 0, 20, total).line(10.0);
        assert_eq!(line(Some(100)), "work 20/100 · 2.00/s · 40 s left");
        assert_eq!(line(None), "work 20 · 2.00/s");
    }

    #[test]
    fn the_rate_of_a_continued_download_is_that_of_this_run() {
        let line = plain(Unit::Bytes, 50_000_000, 60_000_000, Some(160_000_000)).line(10.0);
        assert_eq!(line, "work 60.0 MB/160.0 MB · 1.0 MB/s · 100 s left");
    }
}
