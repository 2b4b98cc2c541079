//! What reader and writer need to know of H.264 itself.

use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet, SpsError};
use h264_reader::rbsp::{BitReader, ByteReader};

use crate::yuv::Colour;

/// A slice of a picture that needs others (ITU-T H.264, table 7-1).
pub(crate) const SLICE: u8 = 1;
/// A slice of a picture at which decoding can start.
pub(crate) const IDR_SLICE: u8 = 5;
/// A sequence parameter set.
pub(crate) const SEQUENCE_PARAMETERS: u8 = 7;
/// A picture parameter set.
pub(crate) const PICTURE_PARAMETERS: u8 = 8;

/// The kind of a NAL unit, or `None` if it is empty.
pub(crate) fn unit_type(unit: &[u8]) -> Option<u8> {
    unit.first().map(|header| header & 0x1f)
}

/// Macroblocks of a frame at level 5.2, the highest that the decoder knows.
const MAX_MACROBLOCKS: u64 = 36_864;

/// What a sequence parameter set says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PictureFormat {
    /// Size after cropping.
    pub(crate) dimensions: (u32, u32),
    /// Whether rows or columns are cut at the top or left.
    pub(crate) cropped_at_origin: bool,
    pub(crate) colour: Option<u8>,
    pub(crate) full_range: Option<bool>,
}

impl PictureFormat {
    /// From a sequence parameter set, which begins with its NAL header.
    ///
    /// # Errors
    /// If it is malformed or describes pictures that the decoder is not made for.
    pub(crate) fn parse(nal: &[u8]) -> Result<Self, String> {
        let bits = BitReader::new(ByteReader::skipping_h264_header(nal));
        let describe = |error: SpsError| format!("its parameters are damaged ({error:?})");
        let sps = SeqParameterSet::from_bits(bits).map_err(describe)?;
        let chroma = &sps.chroma_info;
        if chroma.chroma_format != ChromaFormat::YUV420 {
            return Err(format!(
                "its pixels are {:?}, not 4:2:0",
                chroma.chroma_format
            ));
        }
        if (chroma.bit_depth_luma_minus8, chroma.bit_depth_chroma_minus8) != (0, 0) {
            let bits = 8 + chroma
                .bit_depth_luma_minus8
                .max(chroma.bit_depth_chroma_minus8);
            return Err(format!("it has {bits} bits per channel, not 8"));
        }
        if sps.frame_mbs_flags != FrameMbsFlags::Frames {
            return Err("it is interlaced".to_owned());
        }
        let macroblocks = (u64::from(sps.pic_width_in_mbs_minus1) + 1)
            * (u64::from(sps.pic_height_in_map_units_minus1) + 1);
        if macroblocks > MAX_MACROBLOCKS {
            return Err(format!(
                "its frames have {macroblocks} blocks of 16x16 pixels; {MAX_MACROBLOCKS} \
                 (4096x2304 pixels) are accepted"
            ));
        }
        let dimensions = sps.pixel_dimensions().map_err(describe)?;
        if dimensions.0 == 0 || dimensions.1 == 0 {
            return Err("its frames have no pixels".to_owned());
        }
        let signal = sps
            .vui_parameters
            .as_ref()
            .and_then(|vui| vui.video_signal_type.as_ref());
        let colour = signal.and_then(|signal| signal.colour_description.as_ref());
        Ok(Self {
            dimensions,
            cropped_at_origin: (sps.frame_cropping.as_ref())
                .is_some_and(|crop| crop.left_offset != 0 || crop.top_offset != 0),
            colour: colour.map(|colour| colour.matrix_coefficients),
            full_range: signal.map(|signal| signal.video_full_range_flag),
        })
    }

    /// The size that is shown, where the container states one. It may cut rows and columns that
    /// exist only because sizes are even in the bit stream; ffmpeg believes it if it stays
    /// within a macroblock.
    pub(crate) fn shown_dimensions(self, (width, height): (u32, u32)) -> (u32, u32) {
        let plausible = |stated: u32, coded: u32| {
            stated > 0
                && stated <= coded
                && stated.next_multiple_of(16) == coded.next_multiple_of(16)
        };
        let (coded_width, coded_height) = self.dimensions;
        if !self.cropped_at_origin
            && plausible(width, coded_width)
            && plausible(height, coded_height)
        {
            (width, height)
        } else {
            self.dimensions
        }
    }

    /// How its planes become RGB: the bit stream's word before the container's, which is
    /// matrix coefficients and full range.
    pub(crate) fn colour(self, container: Option<(u8, bool)>) -> Colour {
        let (container_matrix, container_range) = container.unwrap_or((2, false));
        Colour::new(
            self.colour.unwrap_or(container_matrix),
            self.full_range.unwrap_or(container_range),
        )
    }
}
