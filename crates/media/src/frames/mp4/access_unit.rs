//! H.264 as MP4 stores it: NAL units behind length fields, parameter sets aside.

use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet, SpsError};
use h264_reader::rbsp::{BitReader, ByteReader};

use super::track::Description;
use crate::yuv::Colour;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
/// Macroblocks of a frame at level 5.2, the highest that the decoder knows.
const MAX_MACROBLOCKS: u64 = 36_864;

/// What a sequence parameter set says of the pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PictureFormat {
    /// Size after cropping.
    pub(super) dimensions: (u32, u32),
    /// Whether rows or columns are cut at the top or left.
    pub(super) cropped_at_origin: bool,
    pub(super) colour: Option<u8>,
    pub(super) full_range: Option<bool>,
}

impl PictureFormat {
    /// From a sequence parameter set, which begins with its NAL header.
    ///
    /// # Errors
    /// If it is malformed or describes pictures that the decoder is not made for.
    pub(super) fn parse(nal: &[u8]) -> Result<Self, String> {
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

    /// The size that is shown. A container may cut rows and columns that exist only because
    /// sizes are even in the bit stream; ffmpeg believes it if it stays within a macroblock.
    pub(super) fn shown_dimensions(self, description: &Description) -> (u32, u32) {
        let (width, height) = (
            u32::from(description.dimensions.0),
            u32::from(description.dimensions.1),
        );
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

    /// How its planes become RGB: the bit stream's word before the container's.
    pub(super) fn colour(self, description: &Description) -> Colour {
        let (container_matrix, container_range) = description.colour.unwrap_or((2, false));
        Colour::new(
            self.colour.unwrap_or(container_matrix),
            self.full_range.unwrap_or(container_range),
        )
    }
}

/// The parameter sets of a description, each behind a start code.
pub(super) fn parameter_sets(description: &Description) -> Vec<u8> {
    let avcc = &description.avcc;
    let mut stream = Vec::new();
    for nal in avcc
        .sps_list
        .iter()
        .chain(&avcc.sps_ext_list)
        .chain(&avcc.pps_list)
    {
        stream.extend_from_slice(&START_CODE);
        stream.extend_from_slice(nal);
    }
    stream
}

/// The NAL units of a sample; an error where a length field reaches past its end.
pub(super) fn nal_units<'a>(
    description: &Description,
    mut sample: &'a [u8],
) -> impl Iterator<Item = Result<&'a [u8], String>> {
    let field = usize::from(description.avcc.length_size_minus_one.get()) + 1;
    std::iter::from_fn(move || {
        if sample.is_empty() {
            return None;
        }
        let unit = sample.split_at_checked(field).and_then(|(length, rest)| {
            let length = length
                .iter()
                .fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
            rest.split_at_checked(length)
        });
        match unit {
            Some((unit, rest)) => {
                sample = rest;
                Some(Ok(unit))
            }
            None => {
                sample = &[];
                Some(Err("a length field in it is damaged".to_owned()))
            }
        }
    })
}

/// A sample as a stream with start codes, appended to `stream`.
///
/// # Errors
/// If it is damaged, or brings parameters for pictures of another size than `dimensions`.
pub(super) fn append_stream(
    description: &Description,
    sample: &[u8],
    dimensions: (u32, u32),
    stream: &mut Vec<u8>,
) -> Result<(), String> {
    for unit in nal_units(description, sample) {
        let unit = unit?;
        if unit_type(unit) == Some(SEQUENCE_PARAMETERS) {
            check_parameters(unit, dimensions)?;
        }
        stream.extend_from_slice(&START_CODE);
        stream.extend_from_slice(unit);
    }
    Ok(())
}

/// Checks a sequence parameter set before the decoder acts on it.
///
/// # Errors
/// If it is damaged, or for pictures of another size than `dimensions`.
pub(super) fn check_parameters(nal: &[u8], dimensions: (u32, u32)) -> Result<(), String> {
    let found = PictureFormat::parse(nal)?.dimensions;
    if found != dimensions {
        let ((a, b), (c, d)) = (dimensions, found);
        return Err(format!(
            "the video changes its size from {a}x{b} to {c}x{d}"
        ));
    }
    Ok(())
}

/// Whether decoding can begin with this sample alone.
pub(super) fn begins_afresh(description: &Description, sample: &[u8]) -> bool {
    nal_units(description, sample).any(|unit| unit.is_ok_and(|u| unit_type(u) == Some(IDR_SLICE)))
}

/// The sequence parameter set within a sample, where the description has none.
pub(super) fn parameters_within<'a>(
    description: &Description,
    sample: &'a [u8],
) -> Option<&'a [u8]> {
    nal_units(description, sample)
        .filter_map(Result::ok)
        .find(|unit| unit_type(unit) == Some(SEQUENCE_PARAMETERS))
}

fn unit_type(unit: &[u8]) -> Option<u8> {
    unit.first().map(|header| header & 0x1f)
}
