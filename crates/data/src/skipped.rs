//! What was left out, and why.

use std::fmt;

use serde::Serialize;

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
