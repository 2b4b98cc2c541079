//! What was left out, and why.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::{DataError, Result};

/// Why something is not used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason", content = "detail")]
pub enum SkipReason {
    /// There are no masks for it.
    NoMasks,
    /// There is no picture for it.
    NoPicture,
    /// Its masks have no pixel.
    EmptyMasks,
    /// It has fewer frames than were asked for.
    TooShort,
    /// It cannot be read; the message names the file.
    Unreadable(String),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMasks => f.write_str("no masks"),
            Self::NoPicture => f.write_str("no picture"),
            Self::EmptyMasks => f.write_str("empty masks"),
            Self::TooShort => f.write_str("too few frames"),
            Self::Unreadable(message) => write!(f, "unreadable: {message}"),
        }
    }
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// Its name: a sequence, an image, or one of its frames or objects.
    pub name: String,
    /// Why.
    #[serde(flatten)]
    pub reason: SkipReason,
}

impl Skipped {
    /// `name` was left out because of `reason`.
    pub fn new(name: impl Into<String>, reason: SkipReason) -> Self {
        Self {
            name: name.into(),
            reason,
        }
    }
}

/// What a long run left out. Nothing is dropped without an entry here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SkipReport {
    /// By data set: what was left out, each once, with how often it came up.
    entries: BTreeMap<String, BTreeMap<Skipped, u64>>,
    #[serde(skip)]
    strict: bool,
}

impl SkipReport {
    /// A report; `strict` makes everything that would be left out an error instead.
    pub fn new(strict: bool) -> Self {
        Self {
            entries: BTreeMap::new(),
            strict,
        }
    }

    /// Notes that something of `dataset` was left out.
    pub fn add(&mut self, dataset: &str, skipped: Skipped) {
        let of_dataset = self.entries.entry(dataset.to_owned()).or_default();
        *of_dataset.entry(skipped).or_default() += 1;
    }

    /// Adds what another report holds.
    pub fn merge(&mut self, other: &Self) {
        for (dataset, skipped, count) in other.entries() {
            let of_dataset = self.entries.entry(dataset.to_owned()).or_default();
            *of_dataset.entry(skipped.clone()).or_default() += count;
        }
    }

    /// The value, or `None` and an entry if there is none: `name` of `dataset` is left out.
    ///
    /// # Errors
    /// The error of `result`, if the report is strict.
    pub fn usable<T>(&mut self, dataset: &str, name: &str, result: Result<T>) -> Result<Option<T>> {
        let error = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) if self.strict => return Err(error),
            Err(error) => error,
        };
        let reason = match error {
            DataError::Unusable { reason, .. } => reason,
            other => SkipReason::Unreadable(other.to_string()),
        };
        self.add(dataset, Skipped::new(name, reason));
        Ok(None)
    }

    /// Everything that was left out: data set, what and why, how often.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Skipped, u64)> {
        self.entries.iter().flat_map(|(dataset, entries)| {
            entries
                .iter()
                .map(move |(skipped, &count)| (dataset.as_str(), skipped, count))
        })
    }

    /// How many different things were left out.
    pub fn len(&self) -> usize {
        self.entries.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// One line for each thing left out.
impl fmt::Display for SkipReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (dataset, skipped, count) in self.entries() {
            let Skipped { name, reason } = skipped;
            write!(f, "{dataset}: {name}: {reason}")?;
            match count {
                1 => writeln!(f)?,
                _ => writeln!(f, " ({count} times)")?,
            }
        }
        Ok(())
    }
}
