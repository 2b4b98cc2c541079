//! Progress: a bar with rate and time left on a terminal, plain lines elsewhere.

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

/// The state of plain progress.
pub(crate) struct PlainProgress {
    what: &'static str,
    total: Option<usize>,
    done: usize,
    started: Instant,
    printed: Instant,
}

impl Progress {
    /// Progress over `total` steps, if their number is known.
    pub(crate) fn new(what: &'static str, total: Option<usize>, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            let now = Instant::now();
            return Self::Plain(PlainProgress {
                what,
                total,
                done: 0,
                started: now,
                printed: now,
            });
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total as u64),
                "{msg} {wide_bar} {pos}/{len} · {per_sec} · {eta} left",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {msg} {pos} · {per_sec} · {elapsed}",
            ),
        };
        let style = ProgressStyle::with_template(template).expect("the templates are valid");
        Self::Bar(bar.with_style(style).with_message(what))
    }

    /// One more step is done.
    pub(crate) fn step(&mut self) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.inc(1),
            Self::Plain(plain) => plain.step(),
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
                plain.total = plain.total.map(|total| total.saturating_sub(steps));
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
    fn step(&mut self) {
        self.done += 1;
        if self.printed.elapsed() < PLAIN_INTERVAL {
            return;
        }
        self.printed = Instant::now();
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64();
        match self.total {
            None => eprintln!("{} {} · {rate:.2}/s", self.what, self.done),
            Some(total) => {
                let left = total.saturating_sub(self.done) as f64 / rate;
                eprintln!(
                    "{} {}/{total} · {rate:.2}/s · {left:.0} s left",
                    self.what, self.done
                );
            }
        }
    }
}
