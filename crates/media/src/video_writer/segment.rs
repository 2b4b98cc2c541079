//! A stretch of frames, encoded.

use std::io::Write;
use std::path::Path;

use openh264::OpenH264API;
use openh264::encoder::{
    Encoder, EncoderConfig, FrameRate as EncoderRate, IntraFramePeriod, QpRange, RateControlMode,
    VuiConfig,
};
use openh264::formats::YUVSlices;

use super::{MAX_SHORT_SIDE, MAX_SIDE, coded_dimensions};
use crate::atomic::PendingFile;
use crate::yuv::{self, Colour};
use crate::{MediaError, Result, RgbImage};

/// How much is lost in encoding: the quantizer of H.264, constant over the video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoQuality(u8);

impl VideoQuality {
    /// From 0 (largest file) to 51 (worst picture); six more double the step. `None` above.
    pub fn from_quantizer(quantizer: u8) -> Option<Self> {
        (quantizer <= 51).then_some(Self(quantizer))
    }
}

impl Default for VideoQuality {
    /// 20: hardly told from the original.
    fn default() -> Self {
        Self(20)
    }
}

/// Writes one segment: H.264 as a byte stream (Annex B), which players open too.
///
/// It begins with a keyframe and has one at least every 250 frames. Colours are BT.709 in
/// limited range, with 4:2:0 chroma. The file appears when it is [finished](Self::finish).
pub struct SegmentWriter {
    file: PendingFile,
    name: String,
    encoder: Encoder,
    dimensions: (u32, u32),
    frames: usize,
}

impl SegmentWriter {
    /// Begins a segment of frames of `dimensions`, width and height.
    ///
    /// # Errors
    /// [`MediaError::Encode`] if a side is zero or too long (3840 x 2160 in either
    /// orientation is accepted); [`MediaError::Write`] if the file cannot be created.
    pub fn create(path: &Path, dimensions: (u32, u32), quality: VideoQuality) -> Result<Self> {
        let name = path.display().to_string();
        let (width, height) = dimensions;
        let (long, short) = (width.max(height), width.min(height));
        if short == 0 || long > MAX_SIDE || short > MAX_SHORT_SIDE {
            let reason = format!(
                "frames of {width}x{height} pixels; 1x1 to {MAX_SIDE}x{MAX_SHORT_SIDE}, in either \
                 orientation, are accepted; scale them down"
            );
            return Err(MediaError::Encode { name, reason });
        }
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), configuration(quality))
            .map_err(|error| MediaError::Encode {
                name: name.clone(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            file: PendingFile::create(path)?,
            name,
            encoder,
            dimensions,
            frames: 0,
        })
    }

    /// Encodes one more frame.
    ///
    /// # Errors
    /// [`MediaError::SizeMismatch`]; [`MediaError::Encode`]; [`MediaError::Write`].
    pub fn push(&mut self, frame: &RgbImage) -> Result<()> {
        if frame.dimensions() != self.dimensions {
            return Err(MediaError::SizeMismatch {
                what: format!("frame {} for {}", self.frames, self.name),
                found: frame.dimensions(),
                expected: self.dimensions,
            });
        }
        let (width, height) = coded_dimensions(self.dimensions);
        let coded = (width as usize, height as usize);
        let planes = yuv::from_rgb(frame, coded, Colour::bt709());
        let source = YUVSlices::new(
            (&planes.luma, &planes.cb, &planes.cr),
            coded,
            (coded.0, coded.0 / 2, coded.0 / 2),
        );
        let failed = |reason: String| MediaError::Encode {
            name: self.name.clone(),
            reason: format!("frame {}: {reason}", self.frames),
        };
        let encoded = (self.encoder.encode(&source))
            .map_err(|error| failed(error.to_string()))?
            .to_vec();
        if encoded.is_empty() {
            return Err(failed("the encoder left it out".to_owned()));
        }
        if let Err(source) = self.file.write_all(&encoded) {
            return Err(self.file.failed(source));
        }
        self.frames += 1;
        Ok(())
    }

    /// Lets the segment appear under its name; returns its number of frames.
    ///
    /// # Errors
    /// [`MediaError::Encode`] if it has none; [`MediaError::Write`].
    pub fn finish(self) -> Result<usize> {
        if self.frames == 0 {
            return Err(MediaError::NoFramesGiven);
        }
        self.file.commit()?;
        Ok(self.frames)
    }
}

fn configuration(quality: VideoQuality) -> EncoderConfig {
    const KEYFRAME_PERIOD: u32 = 250;
    EncoderConfig::new()
        // The quantizer's bounds fix it, so that neither the rate nor the content moves it.
        .rate_control_mode(RateControlMode::Bufferbased)
        .qp(QpRange::new(quality.0, quality.0))
        .adaptive_quantization(false)
        .background_detection(false)
        // Every frame has to come out.
        .skip_frames(false)
        // Affects rate control only; frames are timed by the container.
        .max_frame_rate(EncoderRate::from_hz(30.0))
        .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_PERIOD))
        // Slices, and with them the bytes, follow from the number of threads.
        .num_threads(1)
        .vui(VuiConfig::bt709())
}
