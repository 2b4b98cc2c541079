//! The pictures of a video as files.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use masklet_media::{Frames, ImageFolder, atomic};

use crate::{EngineError, Project, Result, Video};

/// Quality of JPEGs that are made of a video's frames.
const QUALITY: u8 = 95;

/// Where pictures come from.
pub(super) enum Pictures<'a> {
    /// They are files already.
    Files(Vec<PathBuf>),
    /// They are in a video.
    Video(&'a Project, &'a Video),
}

impl<'a> Pictures<'a> {
    pub(super) fn of(project: &'a Project, video: &'a Video) -> Result<Self> {
        let path = project.video_path(video);
        Ok(match path.is_dir() {
            true => Self::Files(ImageFolder::open(path)?.files().to_vec()),
            false => Self::Video(project, video),
        })
    }

    /// Writes `00000.jpg`, `00001.jpg`, … into a new folder; files keep their extensions.
    pub(super) fn write(self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(EngineError::file("create", folder))?;
        match self {
            Self::Files(files) => {
                for (frame, from) in files.iter().enumerate() {
                    let extension = from.extension().unwrap_or_default().to_string_lossy();
                    let to = folder.join(format!("{frame:05}.{extension}"));
                    fs::copy(from, &to).map_err(EngineError::file("write", &to))?;
                }
            }
            Self::Video(project, video) => {
                let mut source = project.open_frames(video)?;
                for (frame, picture) in Frames::from(&mut source, 0).enumerate() {
                    let to = folder.join(format!("{frame:05}.jpg"));
                    // One scan is also read faster, by whoever trains on it.
                    atomic::write(&to, &picture?.to_jpeg_fast(QUALITY)?)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether something is an MP4 file, by its contents. QuickTime's files, which begin alike, are not.
pub(super) fn is_mp4(path: &Path) -> Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    let mut beginning = [0; 12];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    match read {
        Ok(()) => Ok(&beginning[4..8] == b"ftyp" && &beginning[8..] != b"qt  "),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(EngineError::file("read", path)(error)),
    }
}
