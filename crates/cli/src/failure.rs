//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

use masklet_engine::EngineError;

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

    /// The same, with what to do about it.
    pub(crate) fn advised(self, advice: &str) -> Self {
        let told = anyhow::anyhow!("{self}; {advice}");
        match self {
            Self::Usage(_) => Self::Usage(told),
            Self::Failed(_) => Self::Failed(told),
        }
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
        // The whole chain of causes on one line, without those that a message tells already.
        let mut told = String::new();
        for cause in error.chain().map(ToString::to_string) {
            if told.is_empty() {
                told = cause;
            } else if !told.contains(&cause) {
                told.push_str(": ");
                told.push_str(&cause);
            }
        }
        f.write_str(&told)
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
    /// Files that do not do are failures; a share that is none is wrong use.
    fn from(error: masklet_model::weights::WeightsError) -> Self {
        match error {
            masklet_model::weights::WeightsError::BadShare(_) => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

impl From<masklet_data::DataError> for Failure {
    /// Asking for what is not there is wrong use; files that are not as they should be are not.
    fn from(error: masklet_data::DataError) -> Self {
        match error {
            masklet_data::DataError::Unknown { .. } | masklet_data::DataError::BadValue { .. } => {
                Self::usage(error)
            }
            _ => Self::failed(error),
        }
    }
}

impl From<EngineError> for Failure {
    /// Asking for what cannot be is wrong use; what goes wrong with files is not.
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Media(error) => error.into(),
            EngineError::Data(error) => error.into(),
            EngineError::Model(error) => error.into(),
            EngineError::Train(error) => error.into(),
            EngineError::Database(_)
            | EngineError::File { .. }
            | EngineError::DamagedMasks { .. }
            | EngineError::NewerProject { .. } => Self::failed(error),
            _ => Self::usage(error),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow!("no such file")
            .context("cannot read a.png: no such file")
            .context("the frame is missing");
        assert_eq!(
            Failure::failed(error).to_string(),
            "the frame is missing: cannot read a.png: no such file"
        );
    }
}
