//! `masklet models`: the models that have a name, and which of them are here.

use std::iter;
use std::path::PathBuf;

use clap::Subcommand;
use masklet::hub::{self, LICENCE};
use masklet::{Official, built_in};
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::fetching;
use crate::output::{path_in_report, path_in_report_if_any, print_json, print_line};
use crate::progress::megabytes;

/// List the models by name, and fetch official ones ahead of use.
///
/// lite is inside this program. The others are kept in the Hugging Face cache ($HF_HUB_CACHE, $HF_HOME/hub, or
/// ~/.cache/huggingface/hub), which other tools share.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet models
  masklet models fetch sam2.1-tiny
  HF_ENDPOINT=https://mirror.example.org masklet models fetch sam2.1-large")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Fetch a model into the cache, if it is not there, and print its path.
    Fetch {
        /// The model's name.
        #[arg(value_name = "NAME")]
        model: Official,
        /// Only look into the cache. HF_HUB_OFFLINE=1 does the same.
        #[arg(long)]
        offline: bool,
    },
}

/// A line of the list.
#[derive(Serialize)]
struct Entry {
    name: &'static str,
    /// Bytes of the cached file; what was published, to the nearest million, if there is none.
    bytes: u64,
    /// Where it is published; null for the one inside this program.
    repository: Option<String>,
    licence: &'static str,
    /// The cached file.
    #[serde(serialize_with = "path_in_report_if_any")]
    file: Option<PathBuf>,
}

/// A fetched model.
#[derive(Serialize)]
struct Fetched {
    name: &'static str,
    #[serde(serialize_with = "path_in_report")]
    file: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.action {
        None => list(global),
        Some(Action::Fetch { model, offline }) => {
            let file = fetching::fetch(*model, *offline)?;
            if global.json {
                let name = model.name();
                print_json(&Fetched { name, file })
            } else {
                print_line(&file.display().to_string())
            }
        }
    }
}

fn list(global: &Global) -> Result<(), Failure> {
    let hub = fetching::hub(false)?;
    let cached = hub.contents().models;
    let built_in = Entry {
        name: built_in::PRESET.name(),
        bytes: built_in::WEIGHTS.len() as u64,
        repository: None,
        licence: built_in::LICENCE,
        file: None,
    };
    let official = Official::ALL.map(|preset| {
        let here = cached.iter().find(|model| model.preset == preset);
        Entry {
            name: preset.name(),
            bytes: here.map_or(hub::published_megabytes(preset) * 1_000_000, |m| m.bytes),
            repository: Some(hub::repository(preset)),
            licence: LICENCE,
            file: here.map(|model| model.file.clone()),
        }
    });
    let entries: Vec<Entry> = iter::once(built_in).chain(official).collect();
    if global.json {
        return print_json(&entries);
    }
    print_line(&format!("models in {}:", hub.cache().display()))?;
    for entry in entries {
        let (state, repository) = match (&entry.repository, &entry.file) {
            (None, _) => ("built in", "(this program)"),
            (Some(repository), Some(_)) => ("in the cache", repository.as_str()),
            (Some(repository), None) => ("not fetched", repository.as_str()),
        };
        print_line(&format!(
            "{:<17} {:>9}  {:<13} {:<32} {}",
            entry.name,
            megabytes(entry.bytes),
            state,
            repository,
            entry.licence
        ))?;
    }
    Ok(())
}
