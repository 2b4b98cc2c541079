//! From a file that has arrived to a model in the cache.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use hf_hub::CacheRepo;
use masklet_media::atomic;
use sha2::{Digest as _, Sha256};

use super::transfer::Arrival;
use super::{FetchEvent, HubError};

/// Verifies a file and puts it into the cache, under its checksum and linked from its commit.
///
/// Each step is a rename, so other processes see the model or do not, and never half of it.
pub(super) fn publish(
    cached: &CacheRepo,
    arrival: &Arrival,
    on_event: &mut impl FnMut(FetchEvent),
    url: &str,
) -> Result<PathBuf, HubError> {
    let blob = cached.blob_path(&arrival.sha256);
    if let Some(file) = &arrival.file {
        on_event(FetchEvent::Verifying);
        verify(file, &arrival.sha256, url)?;
        create_parent(&blob)?;
        fs::rename(file, &blob).map_err(HubError::cache(&blob))?;
    }
    let snapshot = cached.pointer_path(&arrival.commit).join(&arrival.name);
    create_parent(&snapshot)?;
    link(&blob, &snapshot).map_err(HubError::cache(&snapshot))?;
    refer(&snapshot, &arrival.commit)?;
    Ok(snapshot)
}

/// Compares a file's SHA-256 with the one stated; removes the file if they differ.
fn verify(file: &Path, expected: &str, url: &str) -> Result<(), HubError> {
    let found = sha256(file).map_err(HubError::cache(file))?;
    if found == expected {
        return Ok(());
    }
    fs::remove_file(file).map_err(HubError::cache(file))?;
    Err(HubError::Checksum {
        url: url.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}

fn sha256(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn create_parent(path: &Path) -> Result<(), HubError> {
    let parent = path.parent().expect("a file of the cache is in a folder");
    fs::create_dir_all(parent).map_err(HubError::cache(parent))
}

/// Makes `snapshot` the blob: a relative link as other tools make it, or where there are none a
/// second name, or a copy.
fn link(blob: &Path, snapshot: &Path) -> io::Result<()> {
    let digest = blob.file_name().expect("a blob has a name");
    let relative = Path::new("../../blobs").join(digest);
    let temporary = snapshot.with_extension(format!("{}.tmp", std::process::id()));
    symlink(&relative, &temporary)
        .or_else(|_| fs::hard_link(blob, &temporary))
        .or_else(|_| fs::copy(blob, &temporary).map(drop))?;
    fs::rename(&temporary, snapshot)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// Makes the commit the one that the branch `main` stands for.
fn refer(snapshot: &Path, commit: &str) -> Result<(), HubError> {
    // <repository>/snapshots/<commit>/<file>
    let repository = snapshot
        .ancestors()
        .nth(3)
        .expect("a snapshot is three folders deep");
    let main = repository.join("refs/main");
    create_parent(&main)?;
    atomic::write(&main, commit.as_bytes()).map_err(|error| HubError::Cache {
        path: main.clone(),
        source: io::Error::other(error),
    })
}
