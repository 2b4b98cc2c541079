//! What can be wrong with a checkpoint file.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A tensor whose shape is not the one the network has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// The tensor's name.
    pub name: String,
    /// Its shape in the file.
    pub found: Vec<usize>,
    /// The shape that the network needs.
    pub expected: Vec<usize>,
}

/// Why a checkpoint cannot be read, understood or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted: `open`, `write`, …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The first bytes belong to no format that is read here.
    #[error(
        "{} is not a checkpoint: {found}; accepted are PyTorch `.pt` files (zip) and `.safetensors` \
         files, told apart by their content",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What its first bytes look like.
        found: String,
    },

    /// A file in PyTorch's format of before version 1.6, which is not a zip archive.
    #[error(
        "{} is in PyTorch's legacy format (a bare pickle, from before version 1.6), only zip files \
         are read; save it again with a current PyTorch: \
         `torch.save(torch.load(\"old.pt\", weights_only=True), \"new.pt\")`",
        path.display()
    )]
    LegacyTorch {
        /// The file.
        path: PathBuf,
    },

    /// The file ends before what it announces, or contradicts itself.
    #[error(
        "{} is damaged: {what}; copy or download it again", path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not add up.
        what: String,
    },

    /// The file is sound, but uses something that is not read here.
    #[error("{}: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What was found, what is accepted, and what to do.
        what: String,
    },

    /// The pickle asks for Python code to be run, or for objects that are not tensors.
    #[error(
        "{} asks to call or create `{global}`, and a checkpoint may hold tensors and plain values \
         only (nothing was executed); if you trust the file, save its tensors alone: \
         `torch.save({{\"model\": model.state_dict()}}, \"clean.pt\")`",
        path.display()
    )]
    ForbiddenPickle {
        /// The file.
        path: PathBuf,
        /// The Python name, as `module.name`.
        global: String,
    },

    /// The file was read and holds not a single tensor where the weights belong.
    #[error(
        "{} holds no tensors: {found}; expected a state dictionary (name → tensor), alone or under \
         the key \"model\"",
        path.display()
    )]
    NoTensors {
        /// The file.
        path: PathBuf,
        /// What was there instead.
        found: String,
    },

    /// A tensor was asked for that the file does not have.
    #[error("{} has no tensor named `{name}`", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        name: String,
    },

    /// The tensors fit no known model, and the file brings no configuration.
    #[error(
        "cannot tell which model {} holds: {seen}. Known models: {}. A custom model needs its \
         configuration: as JSON under the metadata key `{}`, or with `--config FILE`",
        path.display(),
        super::preset_names(),
        super::CONFIG_KEY
    )]
    UnknownModel {
        /// The file.
        path: PathBuf,
        /// The dimensions that were seen.
        seen: String,
    },

    /// The file's own configuration cannot be used.
    #[error(
        "the configuration in {} (metadata key `{}`) cannot be used: {what}",
        path.display(),
        super::CONFIG_KEY
    )]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },

    /// The model that was named is not the one in the file.
    #[error(
        "the model `{wanted}` was asked for, but {} holds `{found}`; leave the name out to use what \
         the file holds, or give the file that belongs to `{wanted}`",
        path.display()
    )]
    WrongModel {
        /// The file.
        path: PathBuf,
        /// The model that was asked for.
        wanted: String,
        /// The model that is in the file.
        found: String,
    },

    /// The file's tensors are not the network's parameters.
    #[error(
        "the tensors in {} do not fit the model{}",
        path.display(),
        differences(missing, unexpected, wrong_shape)
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Parameters of the network that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the network does not have.
        unexpected: Vec<String>,
        /// Tensors whose shape differs.
        wrong_shape: Vec<WrongShape>,
    },

    /// Files that were to be averaged, and are not of one network.
    #[error(
        "the tensors in {} are not those of {}, and only files of one network can be averaged{}",
        path.display(),
        first.display(),
        differences
    )]
    NotAlike {
        /// The file that differs.
        path: PathBuf,
        /// The file it was compared with.
        first: PathBuf,
        /// Which tensors are missing, unexpected or wrongly shaped, in lines.
        differences: String,
    },

    /// A share of an average that is no share.
    #[error(
        "the share {0} cannot be used; accepted are numbers above zero, such as 0.6 and 0.4, or 3 and 2"
    )]
    BadShare(f64),

    /// A value that the requested number format cannot hold.
    #[error(
        "tensor `{name}` holds {value}, and {dtype} reaches only to {max}; write bf16 or f32 instead"
    )]
    OutOfRange {
        /// The tensor.
        name: String,
        /// The first value that does not fit.
        value: f32,
        /// The requested format.
        dtype: super::Precision,
        /// The largest value it holds.
        max: f32,
    },

    /// Tensors that cannot be written together or as described.
    #[error("cannot write {}: {what}", path.display())]
    Unwritable {
        /// The file that was to be written.
        path: PathBuf,
        /// What is wrong with the tensors.
        what: String,
    },

    /// A text that names no number format.
    #[error("there is no weight format `{0}`; accepted are f32, f16 and bf16")]
    UnknownPrecision(String),
}

impl WeightsError {
    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        Self::Io {
            action,
            path,
            source,
        }
    }
}

/// A complaint about a file's content, before it is known which file it is in.
#[derive(Debug)]
pub(super) enum Fault {
    /// See [`WeightsError::Corrupt`].
    Corrupt(String),
    /// See [`WeightsError::Unsupported`].
    Unsupported(String),
    /// See [`WeightsError::ForbiddenPickle`].
    Forbidden(String),
    /// See [`WeightsError::NoTensors`].
    NoTensors(String),
    /// See [`WeightsError::UnknownFormat`].
    UnknownFormat(String),
    /// See [`WeightsError::LegacyTorch`].
    Legacy,
}

impl Fault {
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }

    pub(super) fn in_file(self, path: &Path) -> WeightsError {
        let path = path.to_owned();
        match self {
            Self::Corrupt(what) => WeightsError::Corrupt { path, what },
            Self::Unsupported(what) => WeightsError::Unsupported { path, what },
            Self::Forbidden(global) => WeightsError::ForbiddenPickle { path, global },
            Self::NoTensors(found) => WeightsError::NoTensors { path, found },
            Self::UnknownFormat(found) => WeightsError::UnknownFormat { path, found },
            Self::Legacy => WeightsError::LegacyTorch { path },
        }
    }
}

const LISTED: usize = 10;

/// Lists what differs, each kind on lines of its own; nothing where nothing does.
pub(super) fn differences(
    missing: &[String],
    unexpected: &[String],
    wrong_shape: &[WrongShape],
) -> String {
    let mut message = String::new();
    list(&mut message, "missing", missing.iter());
    list(&mut message, "unexpected", unexpected.iter());
    list(&mut message, "wrongly shaped", wrong_shape.iter());
    message
}

fn list<T: fmt::Display>(
    message: &mut String,
    what: &str,
    items: impl ExactSizeIterator<Item = T>,
) {
    let count = items.len();
    if count == 0 {
        return;
    }
    let _ = write!(message, "\n  {count} {what}:");
    for item in items.take(LISTED) {
        let _ = write!(message, "\n    {item}");
    }
    if count > LISTED {
        let _ = write!(message, "\n    and {} more", count - LISTED);
    }
}

impl fmt::Display for WrongShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            found,
            expected,
        } = self;
        write!(f, "{name}: found {found:?}, expected {expected:?}")
    }
}
