//! Files of masks: what an action made, a run-length encoding on each line, 32 lines at most.
//!
//! ```json
//! {"size":[480,854],"counts":"…"}
//! ```
//!
//! A file is named by the SHA-256 of its contents and never changes, so that whatever once stood in
//! the database, an undo included, finds its masks; equal masks share a file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use masklet_media::{Rle, atomic};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::project::hex;
use crate::{EngineError, Project, Result};

/// Where a mask is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MaskPlace {
    /// The file: the hash of its contents.
    pub blob: String,
    /// The line, from 0.
    pub line: u32,
}

/// Masks that share a file. Who reads one of them reads and checks the whole file.
const MASKS_A_FILE: usize = 32;

/// The folder of the files.
#[derive(Debug)]
pub(crate) struct MaskStore {
    folder: PathBuf,
}

impl MaskStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes masks into files of [`MASKS_A_FILE`] and returns where they are, in their order. When
    /// it returns they are on the disk.
    pub(crate) fn write<'a>(
        &self,
        masks: impl IntoIterator<Item = &'a Rle>,
    ) -> Result<Vec<MaskPlace>> {
        let mut masks = masks.into_iter().peekable();
        let mut places = Vec::new();
        while masks.peek().is_some() {
            places.extend(self.write_file(masks.by_ref().take(MASKS_A_FILE))?);
        }
        Ok(places)
    }

    /// Writes masks into one file.
    fn write_file<'a>(&self, masks: impl Iterator<Item = &'a Rle>) -> Result<Vec<MaskPlace>> {
        let mut text = Vec::new();
        let mut count = 0;
        for mask in masks {
            serde_json::to_writer(&mut text, mask).expect("a mask is plain data");
            text.push(b'\n');
            count += 1;
        }
        let blob = hex(&Sha256::digest(&text));
        let path = self.path(&blob);
        if !path.exists() {
            let folder = path.parent().unwrap_or(&self.folder);
            if !folder.exists() {
                fs::create_dir_all(folder).map_err(EngineError::file("create", folder))?;
                atomic::sync_folder(&self.folder)?;
            }
            atomic::write_durably(&path, &text)?;
        }
        let place = |line| MaskPlace {
            blob: blob.clone(),
            line,
        };
        Ok((0..count).map(place).collect())
    }

    /// Reads masks; each file once.
    pub(crate) fn read(&self, places: &[MaskPlace]) -> Result<Vec<Rle>> {
        let mut files: HashMap<&str, Vec<Rle>> = HashMap::new();
        let mut masks = Vec::with_capacity(places.len());
        for MaskPlace { blob, line } in places {
            if !files.contains_key(blob.as_str()) {
                files.insert(blob, self.read_file(blob)?);
            }
            let mask = files
                .get(blob.as_str())
                .and_then(|file| file.get(*line as usize));
            masks.push(mask.cloned().ok_or_else(|| EngineError::DamagedMasks {
                path: self.path(blob),
                why: format!("it has no line {line}"),
            })?);
        }
        Ok(masks)
    }

    /// Reads all masks of a file and checks that they are what was written.
    fn read_file(&self, blob: &str) -> Result<Vec<Rle>> {
        let path = self.path(blob);
        let text = fs::read(&path).map_err(EngineError::file("read", &path))?;
        let damaged = |why: String| EngineError::DamagedMasks {
            path: path.clone(),
            why,
        };
        if hex(&Sha256::digest(&text)) != blob {
            return Err(damaged(
                "its contents are not those that its name tells".to_owned(),
            ));
        }
        let lines = text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).map_err(|error| damaged(error.to_string())))
            .collect()
    }

    /// `masks/ab/ab12….jsonl`.
    fn path(&self, blob: &str) -> PathBuf {
        // Names come from the database, which may be anybody's: none leads out of the folder.
        let safe: String = blob.chars().filter(char::is_ascii_hexdigit).collect();
        let start = safe.get(..2).unwrap_or("00");
        Path::new(&self.folder)
            .join(start)
            .join(format!("{safe}.jsonl"))
    }
}

impl Project {
    /// Reads masks, in the order of their places.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn read_masks(&self, places: &[MaskPlace]) -> Result<Vec<Rle>> {
        self.masks().read(places)
    }
}

#[cfg(test)]
mod tests {
    use masklet_media::Mask;

    use super::*;

    fn rle(x0: u32) -> Rle {
        Rle::encode(&Mask::from_fn(8, 4, |x, _| x >= x0))
    }

    #[test]
    fn masks_are_read_as_they_were_written_and_equal_ones_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = MaskStore::new(folder.path().join("masks"));
        fs::create_dir(folder.path().join("masks")).unwrap();
        let masks = [rle(1), rle(5), rle(8)];
        let places = store.write(&masks).unwrap();
        assert_eq!(store.read(&places).unwrap(), masks);
        assert_eq!(store.write(&masks).unwrap(), places);
        let reversed: Vec<MaskPlace> = places.iter().rev().cloned().collect();
        assert_eq!(store.read(&reversed).unwrap()[0], masks[2]);
        assert!(store.write(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_long_masklet_is_in_several_files() {
        let folder = tempfile::tempdir().unwrap();
        let store = MaskStore::new(folder.path().to_owned());
        let masks: Vec<Rle> = (0..70).map(|at| rle(at % 9)).collect();
        let places = store.write(&masks).unwrap();
        let lines: Vec<u32> = places.iter().map(|place| place.line).collect();
        let expected: Vec<u32> = (0..32).chain(0..32).chain(0..6).collect();
        assert_eq!(lines, expected);
        assert_ne!(places[31].blob, places[32].blob);
        assert_eq!(store.read(&places).unwrap(), masks);
        assert_eq!(store.read(&places[40..41]).unwrap(), masks[40..41]);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = MaskStore::new(folder.path().to_owned());
        let places = store.write(&[rle(3)]).unwrap();
        let path = store.path(&places[0].blob);
        fs::write(&path, serde_json::to_vec(&rle(4)).unwrap()).unwrap();
        let error = store.read(&places).unwrap_err().to_string();
        assert!(
            error.contains("is damaged") && error.contains("copy of the project"),
            "{error}"
        );
        fs::remove_file(&path).unwrap();
        assert!(matches!(store.read(&places), Err(EngineError::File { .. })));
        let elsewhere = MaskPlace {
            blob: "../../etc/passwd".into(),
            line: 0,
        };
        assert!(store.path(&elsewhere.blob).starts_with(folder.path()));
    }
}
