//! Two reports side by side: what got better and what got worse.

mod page;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{Report, Row, Table, Unit};
use crate::{Error, Result};

pub use page::page;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 10_000;
/// The confidence of intervals.
const CONFIDENCE: f64 = 0.95;

/// A row of one report against the same row of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The method in the first report.
    pub method_a: String,
    /// The method in the second.
    pub method_b: String,
    /// The prompt.
    pub prompt: String,
    /// The main measure's name.
    pub measure: String,
    /// The first report's mean over what both have, per cent.
    pub a: f64,
    /// The second's.
    pub b: f64,
    /// `b - a`.
    pub difference: f64,
    /// The 95 % confidence interval of the difference: a paired bootstrap over sequences.
    pub interval: [f64; 2],
    /// Each sequence that both have, the greatest loss first.
    pub units: Vec<UnitComparison>,
    /// Sequences that only one of the reports has.
    pub unpaired: Vec<String>,
}

/// A sequence in both reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitComparison {
    /// Its name.
    pub name: String,
    /// The score in the first report, per cent.
    pub a: f64,
    /// In the second.
    pub b: f64,
    /// How many objects it counts for in the mean.
    pub weight: usize,
}

/// Compares all rows that both reports have: models by their prompt, baselines by their name too.
///
/// # Errors
/// [`Error::Incomparable`] if the protocols or data sets differ, or no row or sequence is in both.
pub fn compare(a: &Report, b: &Report) -> Result<Vec<Comparison>> {
    if a.protocol != b.protocol || a.data.layout != b.data.layout {
        return Err(Error::Incomparable(format!(
            "one is of {} on {} and the other of {} on {}",
            a.protocol.title(),
            a.data.layout,
            b.protocol.title(),
            b.data.layout
        )));
    }
    let mut comparisons = Vec::new();
    for row in &a.rows {
        let same = |other: &&Row| {
            let same_method = !row.baseline || row.method == other.method;
            row.prompt == other.prompt && row.baseline == other.baseline && same_method
        };
        if let Some(other) = b.rows.iter().find(same) {
            comparisons.extend(compare_rows(row, other));
        }
    }
    if comparisons.is_empty() {
        return Err(Error::Incomparable(
            "no prompt with a sequence in common is in both".to_owned(),
        ));
    }
    Ok(comparisons)
}

/// `None` if no unit is in both.
fn compare_rows(a: &Row, b: &Row) -> Option<Comparison> {
    let find = |units: &[Unit], name: &str| units.iter().find(|unit| unit.name == name).cloned();
    let pair = |unit: &Unit| {
        let other = find(&b.units, &unit.name)?;
        Some(UnitComparison {
            name: unit.name.clone(),
            a: unit.score,
            b: other.score,
            weight: unit.objects.len().max(1),
        })
    };
    let mut units: Vec<UnitComparison> = a.units.iter().filter_map(pair).collect();
    if units.is_empty() {
        return None;
    }
    let mean = |value: fn(&UnitComparison) -> f64| {
        let weights: usize = units.iter().map(|unit| unit.weight).sum();
        units
            .iter()
            .map(|unit| unit.weight as f64 * value(unit))
            .sum::<f64>()
            / weights as f64
    };
    let (mean_a, mean_b) = (mean(|unit| unit.a), mean(|unit| unit.b));
    let interval = bootstrap(&units);
    let in_one = |own: &Row, other: &Row| -> Vec<String> {
        let missing = own
            .units
            .iter()
            .filter(|unit| find(&other.units, &unit.name).is_none());
        missing.map(|unit| unit.name.clone()).collect()
    };
    units.sort_by(|x, y| (x.b - x.a).total_cmp(&(y.b - y.a)));
    Some(Comparison {
        method_a: a.method.clone(),
        method_b: b.method.clone(),
        prompt: a.prompt.clone(),
        measure: a
            .metrics
            .first()
            .map_or_else(String::new, |metric| metric.name.clone()),
        a: mean_a,
        b: mean_b,
        difference: mean_b - mean_a,
        interval,
        units,
        unpaired: [in_one(a, b), in_one(b, a)].concat(),
    })
}

/// Percentiles of the mean difference over sequences drawn with replacement, each with its objects.
/// The draws are the same in every run.
fn bootstrap(units: &[UnitComparison]) -> [f64; 2] {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (mut sum, mut weights) = (0.0, 0);
            for _ in units {
                let unit = &units[random.random_range(0..units.len())];
                sum += unit.weight as f64 * (unit.b - unit.a);
                weights += unit.weight;
            }
            sum / weights as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let percentile = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    let tail = (1.0 - CONFIDENCE) / 2.0;
    [percentile(tail), percentile(1.0 - tail)]
}

impl Comparison {
    /// What is compared with what.
    pub fn methods(&self) -> String {
        if self.method_a == self.method_b {
            self.method_a.clone()
        } else {
            format!("{} → {}", self.method_a, self.method_b)
        }
    }

    /// What the interval says of the second report.
    pub fn verdict(&self) -> &'static str {
        match self.interval {
            [low, _] if low > 0.0 => "better",
            [_, high] if high < 0.0 => "worse",
            _ => "no difference that could not be chance",
        }
    }

    /// Lines for a terminal: the difference, and up to `most` sequences that lost and won most.
    pub fn to_text(&self, most: usize) -> String {
        let [low, high] = self.interval;
        let (methods, verdict) = (self.methods(), self.verdict());
        let mut text = format!(
            "{methods}, {}: {} {:.1} → {:.1}, difference {:+.2} [{low:+.2}, {high:+.2}] over {} ({verdict})\n",
            self.prompt,
            self.measure,
            self.a,
            self.b,
            self.difference,
            self.units.len()
        );
        let lost = self.units.iter().filter(|unit| unit.b < unit.a).take(most);
        let won = self
            .units
            .iter()
            .rev()
            .filter(|unit| unit.b > unit.a)
            .take(most);
        let row = |unit: &UnitComparison| {
            let change = format!("{:+.1}", unit.b - unit.a);
            vec![
                unit.name.clone(),
                format!("{:.1}", unit.a),
                format!("{:.1}", unit.b),
                change,
            ]
        };
        for (name, units) in [
            ("worse", lost.map(row).collect::<Vec<_>>()),
            ("better", won.map(row).collect()),
        ] {
            if !units.is_empty() {
                let head = [name, "A", "B", "change"].map(str::to_owned).to_vec();
                text.push_str(
                    &Table {
                        head,
                        rows: units,
                        words: 1,
                    }
                    .to_text(),
                );
            }
        }
        if !self.unpaired.is_empty() {
            text.push_str(&format!(
                "only in one report, left out: {}\n",
                self.unpaired.join(", ")
            ));
        }
        text
    }
}
