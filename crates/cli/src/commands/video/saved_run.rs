//! Runs that can be interrupted: what `--save-state` keeps and `--resume` reads.
//!
//! A state file is a saved session; its note is a [`RunNote`]: the command line as it was, and how
//! far it had come.

use std::env;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser as _;
use masklet::SavedSession;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::model_args::Source;
use crate::{Cli, Command};

/// A run that was interrupted.
pub(crate) struct SavedRun {
    pub(super) session: SavedSession,
    pub(super) progress: Progressed,
    arguments: Vec<String>,
    checkpoint: Fingerprint,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunNote {
    arguments: Vec<String>,
    folder: PathBuf,
    threads: usize,
    checkpoint: Fingerprint,
    progress: Progressed,
}

/// How far a run has come.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progressed {
    /// Frames whose results are complete.
    pub(super) frames: usize,
    /// The frame that comes next; none if that was the last.
    pub(super) next_frame: Option<usize>,
}

/// Tells whether a checkpoint is the same.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fingerprint {
    bytes: u64,
    crc32: u32,
}

impl Fingerprint {
    fn of(source: &Source) -> Result<Self> {
        let read = source.read().and_then(Self::read);
        read.with_context(|| format!("cannot read the checkpoint {source}"))
    }

    fn read(mut file: impl Read) -> io::Result<Self> {
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                let crc32 = hasher.finalize();
                return Ok(Self { bytes, crc32 });
            }
            hasher.update(&buffer[..count]);
            bytes += count as u64;
        }
    }
}

/// Makes the notes of one run.
pub(super) struct NoteMaker {
    arguments: Vec<String>,
    folder: PathBuf,
    checkpoint: Fingerprint,
}

impl NoteMaker {
    /// Notes of this program's run, or of the interrupted one that it continues.
    pub(super) fn new(source: &Source, continues: Option<&SavedRun>) -> Result<Self> {
        let checkpoint = Fingerprint::of(source)?;
        let arguments = match continues {
            None => own_arguments()?,
            Some(saved) if saved.checkpoint == checkpoint => saved.arguments.clone(),
            Some(_) => bail!(
                "the checkpoint is not the one that the interrupted run used: put that one back, \
                 or track again from the start"
            ),
        };
        Ok(Self {
            arguments,
            folder: env::current_dir().context("cannot tell the current folder")?,
            checkpoint,
        })
    }

    pub(super) fn note(&self, progress: Progressed) -> String {
        let note = RunNote {
            arguments: self.arguments.clone(),
            folder: self.folder.clone(),
            threads: rayon::current_num_threads(),
            checkpoint: self.checkpoint,
            progress,
        };
        serde_json::to_string(&note).expect("plain values")
    }
}

/// The program's arguments, if they are text.
fn own_arguments() -> Result<Vec<String>> {
    env::args_os()
        .map(|argument| {
            argument.into_string().map_err(|argument| {
                anyhow!(
                    "--save-state keeps the command line, and {} is not UTF-8: rename it",
                    argument.display()
                )
            })
        })
        .collect()
}

/// Puts the interrupted run's command line in place of `--resume FILE`, and moves to the folder
/// that it was started in. Other commands stay as they are.
pub(crate) fn resumed(cli: Cli) -> Result<Cli, Failure> {
    let Command::Video(args) = &cli.command else {
        return Ok(cli);
    };
    let Some(path) = &args.resume else {
        return Ok(cli);
    };
    let session = SavedSession::open(path)?;
    let foreign = || format!("{} was not saved by `masklet video`", path.display());
    let note: RunNote = serde_json::from_str(session.note())
        .with_context(foreign)
        .map_err(Failure::Usage)?;
    let mut cli = Cli::try_parse_from(&note.arguments)
        .with_context(foreign)
        .map_err(Failure::Usage)?;
    let Command::Video(args) = &mut cli.command else {
        return Err(Failure::usage(anyhow!(foreign())));
    };
    env::set_current_dir(&note.folder).with_context(|| {
        format!(
            "the run was started in {}, which cannot be entered",
            note.folder.display()
        )
    })?;
    args.continues = Some(SavedRun {
        session,
        progress: note.progress,
        arguments: note.arguments,
        checkpoint: note.checkpoint,
    });
    // The number of threads is part of what makes results equal to the last bit.
    let threads = u16::try_from(note.threads).ok();
    cli.global.threads = cli.global.threads.or(threads);
    Ok(cli)
}
