//! Where the frames come from: the flags shared by all commands that read a video.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, ensure};
use masklet_media::{FrameRate, FrameSource, PictureStream, RawStream, open_video};

use crate::failure::Failure;

/// What standard input is called in messages and reports.
const STDIN: &str = "standard input";

/// A video on the command line.
#[derive(clap::Args)]
pub(crate) struct VideoInput {
    /// A video file, a folder of images (one a frame: sorted by number if all names are numbers,
    /// else by name), or `-` for frames on standard input: JPEG or PNG pictures one after the
    /// other, or raw ones (--raw). H.264 in MP4 and MOV is read by itself; other formats need
    /// ffmpeg on the PATH.
    input: Option<PathBuf>,
    /// Standard input is raw frames of this size, 3 bytes a pixel (ffmpeg: -f rawvideo
    /// -pix_fmt rgb24).
    #[arg(long, value_name = "WxH")]
    raw: Option<RawSize>,
    /// Frames a second, such as 25, 29.97 or 30000/1001, where the input does not say or is wrong.
    #[arg(long, value_name = "RATE")]
    fps: Option<Rate>,
}

impl VideoInput {
    /// Whether frames come on standard input, and only once.
    pub(crate) fn is_stream(&self) -> bool {
        self.input.as_deref().is_some_and(|path| path == "-")
    }

    /// The input as it was named.
    pub(crate) fn path(&self) -> Result<&PathBuf, Failure> {
        self.input
            .as_ref()
            .ok_or_else(|| Failure::usage(anyhow!("no video is given: name a file, a folder or -")))
    }

    /// The first flag that was given besides the input.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let raw = self.raw.map(|_| "--raw");
        raw.or(self.fps.map(|_| "--fps"))
    }

    /// Opens the input.
    pub(crate) fn open(&self) -> Result<Box<dyn FrameSource>, Failure> {
        if self.is_stream() {
            return Ok(match self.raw {
                None => Box::new(PictureStream::new(io::stdin(), STDIN)?),
                Some(RawSize(width, height)) => {
                    Box::new(RawStream::new(io::stdin(), width, height, STDIN)?)
                }
            });
        }
        if self.raw.is_some() {
            return Err(Failure::usage(anyhow!(
                "--raw is for frames on standard input: give - as the input"
            )));
        }
        Ok(open_video(self.path()?)?)
    }

    /// The frame rate that was asked for.
    pub(crate) fn frame_rate(&self) -> Option<FrameRate> {
        self.fps.map(|Rate(rate)| rate)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct RawSize(u32, u32);

impl FromStr for RawSize {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = text
            .split_once(['x', 'X', '×'])
            .and_then(|(w, h)| Some(Self(w.parse().ok()?, h.parse().ok()?)));
        parsed
            .filter(|Self(width, height)| *width > 0 && *height > 0)
            .with_context(|| {
                format!("`{text}` is not a size: write WIDTHxHEIGHT, such as 1280x720")
            })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(FrameRate);

impl FromStr for Rate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let rate = match text.split_once('/') {
            Some((numerator, denominator)) => numerator
                .parse()
                .ok()
                .zip(denominator.parse().ok())
                .and_then(|(numerator, denominator)| FrameRate::new(numerator, denominator)),
            None => text.parse().ok().and_then(thousandths),
        };
        let rate = rate.with_context(|| {
            format!("`{text}` is not a frame rate: write 25, 29.97 or 30000/1001")
        })?;
        ensure!(
            rate.per_second() <= 1000.0,
            "`{text}` is over 1000 frames a second"
        );
        Ok(Self(rate))
    }
}

/// A decimal rate, to a thousandth.
fn thousandths(rate: f64) -> Option<FrameRate> {
    let scaled = (rate * 1000.0).round();
    let fits = (1.0..=f64::from(u32::MAX)).contains(&scaled);
    fits.then(|| FrameRate::new(scaled as u32, 1000)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates_are_read_or_refused() {
        assert_eq!("1280x720".parse::<RawSize>().unwrap(), RawSize(1280, 720));
        for wrong in ["1280", "0x720", "x", "12x-3", "1x2x3"] {
            assert!(wrong.parse::<RawSize>().is_err(), "{wrong}");
        }
        let rate = |text: &str| text.parse::<Rate>().map(|Rate(rate)| rate.per_second());
        assert_eq!(rate("25").unwrap(), 25.0);
        assert_eq!(rate("29.97").unwrap(), 29.97);
        assert!((rate("30000/1001").unwrap() - 29.970_029_97).abs() < 1e-6);
        for wrong in ["0", "-1", "nan", "1/0", "fast", "1e9", ""] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
