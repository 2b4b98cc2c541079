//! H.264 as MP4 stores it: NAL units behind length fields, parameter sets aside.

use super::track::Description;
use crate::h264::{IDR_SLICE, PictureFormat, SEQUENCE_PARAMETERS, unit_type};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

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
