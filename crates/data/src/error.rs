//! The crate's error type.

use std::path::{Path, PathBuf};

use masklet_media::MediaError;

use crate::SkipReason;

/// The crate's result type.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// What can go wrong between a data set on disk and its pictures and masks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A picture or mask could not be read; the message names the file.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A JSON file does not hold what its layout prescribes.
    #[error("{} is not {expected}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the file was expected to hold.
        expected: &'static str,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// A label map could not be decoded.
    #[error("cannot decode {} as a label map: {source}; the file may be damaged or cut off", path.display())]
    Png {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: png::DecodingError,
    },
    /// A picture is no label map.
    #[error(
        "{} holds no labels: {found}; a label map is a palette or grey PNG whose values are \
         object numbers, or an RGB one in the colours of the DAVIS palette", path.display()
    )]
    NotLabels {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        found: String,
    },
    /// A file's content contradicts its layout or the files beside it.
    #[error("{}: found {found}, but {expected} is needed", path.display())]
    Inconsistent {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be there, and what to do.
        expected: String,
    },
    /// Something that the layout prescribes is not there.
    #[error("{layout}: {} is missing ({what})", path.display())]
    Missing {
        /// The data set's layout.
        layout: &'static str,
        /// The file or folder that was looked for.
        path: PathBuf,
        /// What it would hold, or how to go on without it.
        what: String,
    },
    /// A sequence has masks and no pictures.
    #[error("sequence {sequence:?} has no pictures: {} {why}", path.display())]
    NoPictures {
        /// The sequence.
        sequence: String,
        /// Where pictures were looked for.
        path: PathBuf,
        /// What is wrong with that place, and what to do.
        why: String,
    },
    /// A sequence or image is intact, and is of no use for what was asked.
    #[error("{name:?} cannot be used: {reason}")]
    Unusable {
        /// The sequence or image.
        name: String,
        /// Why.
        reason: SkipReason,
    },
    /// A folder is of no known layout.
    #[error("{} is not a data set of a known layout; {advice}", path.display())]
    NotRecognised {
        /// The folder.
        path: PathBuf,
        /// The layout that comes closest and what it lacks, or what is accepted.
        advice: String,
    },
    /// A sequence, image, frame or object that the data set does not have.
    #[error("there is no {what} {name:?}; there are {available}")]
    Unknown {
        /// What was asked for.
        what: &'static str,
        /// Its name or number.
        name: String,
        /// What could be asked for.
        available: String,
    },
    /// A value outside its range.
    #[error("{what} is {found}; {accepted} is accepted")]
    BadValue {
        /// The option.
        what: &'static str,
        /// Its value.
        found: String,
        /// The range.
        accepted: &'static str,
    },
}

impl DataError {
    /// An input/output error at `path`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    /// `name` is of no use.
    pub(crate) fn unusable(name: impl Into<String>, reason: SkipReason) -> Self {
        Self::Unusable {
            name: name.into(),
            reason,
        }
    }

    /// `name` was asked for and only `names` are there; says up to eight of them.
    pub(crate) fn unknown<'a>(
        what: &'static str,
        name: impl Into<String>,
        names: impl ExactSizeIterator<Item = &'a str>,
    ) -> Self {
        const SHOWN: usize = 8;
        let count = names.len();
        let shown = names.take(SHOWN).collect::<Vec<_>>().join(", ");
        let available = match count {
            0 => "none".to_owned(),
            1..=SHOWN => shown,
            _ => format!("{count}: {shown}, …"),
        };
        Self::Unknown {
            what,
            name: name.into(),
            available,
        }
    }
}
