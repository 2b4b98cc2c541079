//! [`Cache`]: results that took long, kept as files so that an interrupted evaluation continues and
//! another metric needs no new predictions.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{fs, io};

use masklet_media::{MediaError, atomic};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Bytes of a key that are used; enough that no two tasks share one.
const KEY_BYTES: usize = 12;

/// A folder of results, or nothing if none are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Keeps results in a folder, which is created when the first is written.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: Some(folder.into()),
        }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self { folder: None }
    }

    /// Whether results are kept.
    pub fn keeps(&self) -> bool {
        self.folder.is_some()
    }

    /// The result called `name` of exactly what `depends_on` describes, computed only if it is not
    /// there yet. The second value says whether it was there. A file that cannot be read as a
    /// result (of an older version, or damaged) is computed anew.
    ///
    /// # Errors
    /// What `compute` returns, or if the result cannot be written.
    pub fn get<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        depends_on: &serde_json::Value,
        compute: impl FnOnce() -> Result<T>,
    ) -> Result<(T, bool)> {
        let Some(folder) = &self.folder else {
            return Ok((compute()?, false));
        };
        let key = &digest(depends_on.to_string().as_bytes())[..2 * KEY_BYTES];
        let path = folder.join(format!("{}-{key}.json", file_name(name)));
        if let Ok(bytes) = fs::read(&path)
            && let Ok(known) = serde_json::from_slice(&bytes)
        {
            return Ok((known, true));
        }
        let result = compute()?;
        write(&path, &result)?;
        Ok((result, false))
    }
}

fn write(path: &Path, result: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| MediaError::Write {
            path: folder.to_owned(),
            source,
        })?;
    }
    let json = |source| Error::Json {
        path: path.to_owned(),
        expected: "a result that can be kept",
        source,
    };
    Ok(atomic::write(
        path,
        &serde_json::to_vec(result).map_err(json)?,
    )?)
}

/// SHA-256, hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 of a file or any other reader, hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn stream_digest(mut reader: impl io::Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut reader, &mut hasher)?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// SHA-256 of the names, sizes and times of change of files, hexadecimal: cheap, and different once
/// a file is exchanged.
///
/// # Errors
/// If a file is not there.
pub fn files_digest<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<String> {
    let mut hasher = Sha256::new();
    for path in files {
        let about = fs::metadata(path).map_err(Error::read(path))?;
        let changed = about.modified().ok();
        let changed = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update([0]);
        hasher.update(about.len().to_le_bytes());
        hasher.update(changed.unwrap_or_default().as_nanos().to_le_bytes());
    }
    Ok(hexadecimal(&hasher.finalize()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A name of a sequence as a file's name.
fn file_name(name: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_is_computed_once_for_what_it_depends_on() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::in_folder(folder.path().join("deep"));
        let get = |depends: &serde_json::Value, value: i32| {
            cache.get("a/b", depends, || Ok(value)).unwrap()
        };
        assert_eq!(get(&json!({"weights": 1}), 10), (10, false));
        assert_eq!(get(&json!({"weights": 1}), 20), (10, true));
        assert_eq!(get(&json!({"weights": 2}), 30), (30, false));
        assert_eq!(
            Cache::none().get("a", &json!(1), || Ok(5)).unwrap(),
            (5, false)
        );
    }

    #[test]
    fn any_file_that_is_exchanged_changes_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["0.jpg", "1.jpg", "2.jpg"].map(|name| folder.path().join(name));
        for file in &files {
            fs::write(file, b"picture").unwrap();
        }
        let digest = |files: &[PathBuf]| files_digest(files).unwrap();
        let before = digest(&files);
        assert_eq!(digest(&files), before);
        assert_ne!(digest(&files[..2]), before);
        // The same size at another time; another size at the same time.
        let written = fs::metadata(&files[2]).unwrap().modified().unwrap();
        let set_time = |path: &PathBuf, time| {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(time).unwrap();
        };
        set_time(&files[2], written + std::time::Duration::from_millis(1500));
        let later = digest(&files);
        assert_ne!(later, before);
        fs::write(&files[1], b"another picture").unwrap();
        assert_ne!(digest(&files), later);
        assert!(files_digest(&[folder.path().join("3.jpg")]).is_err());
    }

    #[test]
    fn a_damaged_file_is_computed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::in_folder(folder.path());
        cache.get("a", &json!(1), || Ok(1)).unwrap();
        let file = fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        fs::write(&file, b"[1, 2").unwrap();
        assert_eq!(cache.get("a", &json!(1), || Ok(7)).unwrap(), (7, false));
    }

    #[test]
    fn failures_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::in_folder(folder.path());
        assert!(
            cache
                .get::<i32>("a", &json!(1), || Err(Error::Interrupted))
                .is_err()
        );
        assert_eq!(cache.get("a", &json!(1), || Ok(2)).unwrap(), (2, false));
    }
}
