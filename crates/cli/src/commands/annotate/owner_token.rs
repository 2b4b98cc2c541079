//! The token of the project's owner, as it is given at start.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context as _;

use crate::failure::Failure;

/// The variable that it is taken from where no flag gives it.
pub(super) const VARIABLE: &str = "MASKLET_TOKEN";

/// Where the owner's token comes from.
#[derive(clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct OwnerToken {
    /// A file with the token of the project's owner, and nothing else: 16 or more letters, digits, -
    /// and _ [default: what MASKLET_TOKEN says, or a new one].
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// The token itself. Other users of this machine can see it, in the list of processes:
    /// --token-file or MASKLET_TOKEN keep it from them.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

impl OwnerToken {
    /// The token that was given; `None` if a new one is to be made.
    pub(super) fn read(&self) -> Result<Option<String>, Failure> {
        if let Some(path) = &self.token_file {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the token in {}", path.display()))
                .map_err(Failure::Usage)?;
            // Editors and `echo` end it with a line break.
            return Ok(Some(text.trim_end().to_owned()));
        }
        let from_environment = || {
            let token = env::var_os(VARIABLE)?;
            Some(token.to_string_lossy().into_owned())
        };
        Ok(self.token.clone().or_else(from_environment))
    }
}
