//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use masklet_data::DataError;
use thiserror::Error;

/// Where in a configuration something is. Written before a message, it ends with a colon and a
/// space, or is nothing where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, if it came from one.
    pub file: Option<PathBuf>,
    /// The line, from 1, if it is written down and not a default.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (None, None) => Ok(()),
            (None, Some(line)) => write!(f, "line {line}: "),
            (Some(file), None) => write!(f, "{}: ", file.display()),
            (Some(file), Some(line)) => write!(f, "{}, line {line}: ", file.display()),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or a value is of the wrong kind.
    #[error("{place}{message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        message: String,
    },
    /// A field or a choice that does not exist.
    #[error("{place}unknown {what}; {advice}")]
    Unknown {
        /// Where.
        place: Place,
        /// What it was meant as, its name as written, and its section.
        what: String,
        /// The nearest accepted name, or all of them.
        advice: String,
    },
    /// A value out of range, or one that contradicts another.
    #[error("{place}{error}")]
    Field {
        /// Where.
        place: Place,
        /// Which field, and what is wrong with it.
        error: FieldError,
    },
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written as TOML: {0}")]
    Write(#[from] toml::ser::Error),
}

/// A field whose value is out of range, or contradicts another's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` is {found}; {accepted}")]
pub struct FieldError {
    /// The field's name, with the names of its sections: `optimizer.layer_decay`.
    pub field: String,
    /// Its value.
    pub found: String,
    /// What is accepted.
    pub accepted: String,
}

impl FieldError {
    /// Nothing if `holds`, else the error that `field` is `found`.
    pub(crate) fn unless(
        holds: bool,
        field: &str,
        found: impl fmt::Display,
        accepted: impl Into<String>,
    ) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self {
                field: field.to_owned(),
                found: found.to_string(),
                accepted: accepted.into(),
            }),
        }
    }

    /// Checks a number from 0 to 1.
    pub(crate) fn probability(field: &str, found: f64) -> Result<(), Self> {
        let accepted = "0 to 1 is accepted";
        Self::unless((0.0..=1.0).contains(&found), field, found, accepted)
    }

    /// Checks a finite number of at least 0.
    pub(crate) fn not_negative(field: &str, found: f64) -> Result<(), Self> {
        let accepted = "a number of at least 0 is accepted";
        Self::unless(found >= 0.0 && found.is_finite(), field, found, accepted)
    }

    /// Checks a count.
    pub(crate) fn at_least_one(field: &str, found: usize) -> Result<(), Self> {
        Self::unless(found > 0, field, found, "at least 1 is accepted")
    }

    /// The same error of a field of `section`.
    pub(crate) fn within(self, section: &str) -> Self {
        let field = format!("{section}.{}", self.field);
        Self { field, ..self }
    }

    /// The same error where the field begins with a place in the list `list`.
    pub(crate) fn indexed(self, list: &str) -> Self {
        let (place, field) = self.field.split_once('.').unwrap_or((&self.field, ""));
        let field = format!("{list}[{place}].{field}");
        Self { field, ..self }
    }

    /// The error that the data crate has with the options in `section`.
    pub(crate) fn from_data(error: DataError, section: &str) -> Self {
        let DataError::BadValue {
            what,
            found,
            accepted,
        } = error
        else {
            return Self {
                field: section.to_owned(),
                found: "not usable".to_owned(),
                accepted: error.to_string(),
            };
        };
        let accepted = format!("{accepted} is accepted");
        // "affine: rotation" names a field, "affine: largest scale" describes one.
        let (group, name) = what.split_once(": ").unwrap_or(("", what));
        let inner = match group {
            "affine" => ".affine",
            _ => "",
        };
        match name.contains(' ') || group == "colour" {
            false => Self {
                field: format!("{section}{inner}.{name}"),
                found,
                accepted,
            },
            true => Self {
                field: format!("{section}{inner}"),
                found: format!("such that its {name} is {found}"),
                accepted,
            },
        }
    }
}
