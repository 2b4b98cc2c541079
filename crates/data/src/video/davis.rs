//! DAVIS 2016 and 2017.
//!
//! `JPEGImages/<resolution>/<sequence>/<frame>.jpg`, `Annotations/<resolution>/…` with the same
//! names as PNG, and lists in `ImageSets/<year>/<split>.txt`. The 2016 masks are 0 and 255, one
//! object; those of 2017 are palette pictures of object numbers.

use std::path::{Path, PathBuf};

use super::folders::{self, Folders};
use crate::ReadOptions;
use crate::dataset::VideoDataset;
use crate::{DataError, Layout, Result, listing};

/// Reads a DAVIS folder.
///
/// # Errors
/// [`DataError::Missing`] and [`DataError::Unknown`], saying what is not there.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let resolution = resolution(root, options.resolution.as_deref())?;
    let names = match &options.split {
        Some(split) => Some(sequences_of(&list_file(root, split)?)?),
        None => None,
    };
    let frames = root.join("JPEGImages").join(&resolution);
    let masks = root.join("Annotations").join(&resolution);
    let found = folders::entries(Layout::Davis, &frames, &masks, names)?;
    let rule = options
        .labels
        .unwrap_or_else(|| folders::guess_rule(&found));
    Ok(Box::new(Folders::new(Layout::Davis, root, found, rule)))
}

fn resolution(root: &Path, asked: Option<&str>) -> Result<String> {
    const USUAL: &str = "480p";
    let frames = root.join("JPEGImages");
    if !frames.is_dir() {
        return Err(DataError::Missing {
            layout: Layout::Davis.name(),
            path: frames,
            what: "a folder for each resolution, with the frames".into(),
        });
    }
    let available = listing::subfolders(&frames)?;
    let chosen = match asked {
        Some(asked) => available.iter().find(|name| *name == asked),
        None => available
            .iter()
            .find(|name| *name == USUAL)
            .or(available.first().filter(|_| available.len() == 1)),
    };
    chosen.cloned().ok_or_else(|| {
        let available = available.iter().map(String::as_str);
        DataError::unknown("resolution", asked.unwrap_or(USUAL), available)
    })
}

/// The list of a split: `2017/val` as it stands, `val` in the latest year that has it.
fn list_file(root: &Path, split: &str) -> Result<PathBuf> {
    let sets = root.join("ImageSets");
    let exact = sets.join(format!("{split}.txt"));
    // Without the folder there are no lists, and the error below says which one is missing.
    let mut years = match sets.is_dir() {
        true => listing::subfolders(&sets)?,
        false => Vec::new(),
    };
    years.reverse();
    let candidates = years
        .iter()
        .map(|year| sets.join(year).join(format!("{split}.txt")));
    std::iter::once(exact)
        .chain(candidates)
        .find(|path| path.is_file())
        .ok_or_else(|| DataError::Missing {
            layout: Layout::Davis.name(),
            path: sets.join(format!("<year>/{split}.txt")),
            what: "the list of the split's sequences; without a split, all sequences are read"
                .into(),
        })
}

/// The sequences of a list: one a line (2017), or one frame's files a line (2016).
fn sequences_of(list: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for line in listing::read_list(list)? {
        let first = line.split_whitespace().next().unwrap_or_default();
        let name = match Path::new(first).parent() {
            Some(parent) if first.contains('/') => listing::file_name(parent),
            _ => first.to_owned(),
        };
        if names.last() != Some(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}
