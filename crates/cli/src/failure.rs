//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

/// Why a command stopped. The exit codes are part of the command line's contract.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command was given something it cannot accept: exit code 2, as for wrong flags.
    Usage(anyhow::Error),
    /// It was used rightly and did not succeed: exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    /// Wrong use.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// A failure of the work itself.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error) | Self::Failed(error)) = self;
        // The alternate form prints the whole chain of causes on one line.
        write!(f, "{error:#}")
    }
}

/// Errors of the files and the machine are failures; misuse of a predictor is wrong use.
impl From<masklet::Error> for Failure {
    fn from(error: masklet::Error) -> Self {
        match error {
            masklet::Error::Model(_) | masklet::Error::Media(_) => Self::failed(error),
            _ => Self::usage(error),
        }
    }
}

impl From<masklet_media::MediaError> for Failure {
    fn from(error: masklet_media::MediaError) -> Self {
        Self::failed(error)
    }
}

impl From<masklet_model::weights::WeightsError> for Failure {
    fn from(error: masklet_model::weights::WeightsError) -> Self {
        Self::failed(error)
    }
}

impl From<masklet_data::DataError> for Failure {
    /// Asking for what is not there is wrong use; files that are not as they should be are not.
    fn from(error: masklet_data::DataError) -> Self {
        match error {
            masklet_data::DataError::Unknown { .. } | masklet_data::DataError::BadValue { .. } => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
