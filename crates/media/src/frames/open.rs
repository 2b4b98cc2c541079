//! Opening a video without knowing what it is.

use std::path::Path;

use super::ffmpeg::{self, FfmpegVideo};
use super::{FrameSource, ImageFolder, Mp4Video};
use crate::{MediaError, Result};

/// Opens a video, whatever it is: a folder of pictures ([`ImageFolder`]), an MP4 or MOV file
/// with H.264 ([`Mp4Video`]), or anything that `ffmpeg` reads if that is installed
/// ([`FfmpegVideo`]). Content decides, not the extension.
///
/// # Errors
/// Those of the three; [`MediaError::NoFfmpeg`] if only ffmpeg could read it and there is none.
pub fn open_video(path: impl AsRef<Path>) -> Result<Box<dyn FrameSource>> {
    let path = path.as_ref();
    if path.is_dir() {
        return Ok(Box::new(ImageFolder::open(path)?));
    }
    let built_in = match Mp4Video::open(path) {
        Ok(video) => return Ok(Box::new(video)),
        Err(error @ MediaError::Read { .. }) => return Err(error),
        Err(error) => error,
    };
    match FfmpegVideo::open_because(path, reason_of(&built_in)) {
        Ok(video) => Ok(Box::new(video)),
        // For a damaged MP4 file, what is wrong with it says more than that ffmpeg is missing.
        Err(MediaError::NoFfmpeg { .. }) if is_mp4(path) && is_damage(&built_in) => Err(built_in),
        Err(error) => Err(error),
    }
}

fn reason_of(error: &MediaError) -> String {
    match error {
        MediaError::UnsupportedVideo { reason, .. } | MediaError::NotAVideo { reason, .. } => {
            reason.clone()
        }
        other => other.to_string(),
    }
}

fn is_damage(error: &MediaError) -> bool {
    matches!(error, MediaError::NotAVideo { .. })
}

/// Whether a file begins as MP4 and MOV files do.
fn is_mp4(path: &Path) -> bool {
    use std::io::Read;
    let mut beginning = [0; 8];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut beginning))
        .is_ok_and(|()| {
            matches!(
                &beginning[4..],
                b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free"
            )
        })
}

/// A way to read videos, for reports on an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderInfo {
    /// Its name and, where it is another program, its version.
    pub name: String,
    /// What it reads.
    pub reads: &'static str,
    /// Why it cannot be used, if it cannot.
    pub missing: Option<String>,
}

/// The ways to read videos on this machine.
pub fn decoders() -> Vec<DecoderInfo> {
    let ffmpeg = ffmpeg::version();
    vec![
        DecoderInfo {
            name: "built in (openh264)".to_owned(),
            reads: "MP4 and MOV with H.264 (progressive, 8 bits, 4:2:0)",
            missing: None,
        },
        DecoderInfo {
            name: ffmpeg.as_ref().map_or("ffmpeg", String::as_str).to_owned(),
            reads: "every other video: HEVC, VP9, AV1, MKV, WebM, GIF, …",
            missing: ffmpeg.err(),
        },
    ]
}
