//! Every other video, through ffmpeg.

mod probe;
mod process;
mod watchdog;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sequential::Sequential;
use super::{FrameRate, FrameSource};
use crate::{MediaError, Result, RgbImage};
use probe::Probe;
use process::Process;

/// What ffmpeg may take a file for: containers that hold their frames. A playlist or list of files
/// (HLS, DASH, `ffconcat`, SDP), whatever it is called, would have ffmpeg read other files of the
/// machine; a file that comes from a stranger must not.
const FORMATS: &str = "3gp,apng,asf,av1,avi,avs2,avs3,cavsvideo,dirac,dv,flv,gif,gxf,h261,h263,h264,\
    hevc,ivf,kux,live_flv,lxf,m4v,matroska,mjpeg,mjpeg_2000,mov,mp4,mpeg,mpegts,mpegvideo,mxf,nut,nuv,\
    obu,ogg,pva,rm,roq,smk,swf,vc1,vc1test,webm,webp_pipe,wtv,yuv4mpegpipe";

/// The options of an input that keep ffmpeg at the one file.
const ONE_FILE: [&str; 4] = ["-protocol_whitelist", "file", "-format_whitelist", FORMATS];

/// The programs that read videos for us.
#[derive(Clone, Debug)]
pub struct FfmpegTools {
    /// Decodes.
    pub ffmpeg: PathBuf,
    /// Tells frame rates and times. Without it, they are unknown.
    pub ffprobe: PathBuf,
    /// How long they may be silent before they are ended; the next frame of a video in its middle
    /// may take longer, as those before it are decoded.
    pub patience: Duration,
}

impl Default for FfmpegTools {
    /// `ffmpeg` and `ffprobe` as found on the PATH, and a minute.
    fn default() -> Self {
        Self {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            patience: Duration::from_secs(60),
        }
    }
}

/// A video in any format that the `ffmpeg` on the PATH reads, through a pipe.
///
/// Frames are those of the first video stream that is not a cover picture, one for every frame
/// of the file whatever its frame rate, with rotation applied. ffmpeg decodes as frames are
/// asked for and is ended with this value. Going back starts it again and decodes from the
/// beginning without handing over what comes before the frame, so it costs time in
/// proportion to the frame's number and never gives a wrong frame.
///
/// The file is handed over by name, as one argument and marked as a file, so no name is taken
/// for an option, an address or a command; lists of other files are not read. If ffmpeg fails after some frames, these are
/// delivered, then the error names the next.
pub struct FfmpegVideo {
    tools: FfmpegTools,
    path: PathBuf,
    probe: Probe,
    sequence: Sequential<Process>,
}

impl FfmpegVideo {
    /// Opens a file with the ffmpeg on the PATH and reads its first frame.
    ///
    /// # Errors
    /// [`MediaError::Read`] if the file cannot be read; [`MediaError::NoFfmpeg`];
    /// [`MediaError::NotAVideo`] with what ffmpeg says if it cannot read it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_because(path.as_ref(), "no other decoder was asked for".to_owned())
    }

    /// As [`open`](Self::open); `reason` tells in [`MediaError::NoFfmpeg`] why ffmpeg is needed.
    pub(super) fn open_because(path: &Path, reason: String) -> Result<Self> {
        Self::open_with(FfmpegTools::default(), path).map_err(|error| match error {
            MediaError::NoFfmpeg { name, .. } => MediaError::NoFfmpeg { name, reason },
            other => other,
        })
    }

    /// As [`open`](Self::open), with programs of your choice.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(tools: FfmpegTools, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        File::open(path).map_err(|source| MediaError::Read {
            path: path.to_owned(),
            source,
        })?;
        let sequence = begin(&tools, path, 0)?;
        Ok(Self {
            probe: Probe::of(&tools, path),
            tools,
            path: path.to_owned(),
            sequence,
        })
    }
}

impl FfmpegVideo {
    /// Of some damage (a file that is cut off, a container out of order) ffmpeg complains and
    /// then takes what it has for the whole. That is believed if the file does not say that
    /// more should have come.
    fn check_end(&self) -> Result<()> {
        let frames = self.sequence.position() + 1;
        let (Some(complaint), Some(expected)) = (
            self.sequence.pictures().complaint(),
            self.probe.expected_frames,
        ) else {
            return Ok(());
        };
        // Durations are rounded, and sound may last longer than pictures.
        if frames + 2 + expected / 50 >= expected {
            return Ok(());
        }
        Err(MediaError::Frame {
            name: self.sequence.name.clone(),
            frame: frames,
            reason: format!("ffmpeg ended early, of about {expected} frames, saying: {complaint}"),
        })
    }
}

/// The frames from `start` on.
fn begin(tools: &FfmpegTools, path: &Path, start: usize) -> Result<Sequential<Process>> {
    let name = path.display().to_string();
    let process = Process::start(tools, path, start).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            MediaError::NoFfmpeg {
                name: name.clone(),
                reason: error.to_string(),
            }
        } else {
            MediaError::NotAVideo {
                name: name.clone(),
                reason: format!("{} cannot be run: {error}", tools.ffmpeg.display()),
            }
        }
    })?;
    Sequential::begin(name, process, start)
}

impl FrameSource for FfmpegVideo {
    fn dimensions(&self) -> (u32, u32) {
        self.sequence.dimensions
    }

    fn frame_count(&self) -> Option<usize> {
        self.probe.frame_count
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        if index < self.sequence.position() {
            let dimensions = self.sequence.dimensions;
            self.sequence = begin(&self.tools, &self.path, index)?;
            if self.sequence.dimensions != dimensions {
                return Err(MediaError::SizeMismatch {
                    what: format!("frame {index} of {}", self.path.display()),
                    found: self.sequence.dimensions,
                    expected: dimensions,
                });
            }
        }
        match self.sequence.frame(index)? {
            None => self.check_end().map(|()| None),
            frame => Ok(frame),
        }
    }

    fn frame_rate(&self) -> Option<FrameRate> {
        self.probe.frame_rate
    }

    fn presentation_time(&self, index: usize) -> Option<Duration> {
        match &self.probe.times {
            Some(times) => times.get(index).copied(),
            None => Some(self.probe.frame_rate?.time_of(index)),
        }
    }
}

/// The name and version of the ffmpeg on the PATH, or why there is none.
pub(super) fn version() -> Result<String, String> {
    process::version(&FfmpegTools::default().ffmpeg)
}
