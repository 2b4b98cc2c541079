//! The frames of a byte stream of H.264.

use std::io::{BufRead, BufReader, Read};

use crate::h264::{IDR_SLICE, PICTURE_PARAMETERS, SEQUENCE_PARAMETERS, SLICE, unit_type};

/// The longest NAL unit that makes sense: a frame of the largest size, uncompressed.
const MAX_UNIT: usize = 64 << 20;

/// One frame as MP4 stores it, every NAL unit behind its length in four bytes.
#[derive(Default)]
pub(super) struct AccessUnit {
    pub(super) data: Vec<u8>,
    pub(super) keyframe: bool,
}

/// The parameter sets of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parameters {
    pub(super) sequence: Vec<Vec<u8>>,
    pub(super) picture: Vec<Vec<u8>>,
}

/// Reads frames one by one, and sets parameters aside.
pub(super) struct AccessUnits<R> {
    units: Units<R>,
    pub(super) parameters: Parameters,
    /// The first slice of the frame after the one that was handed out.
    next_slice: Option<Vec<u8>>,
}

impl<R: Read> AccessUnits<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            units: Units {
                reader: BufReader::with_capacity(1 << 16, reader),
                started: false,
            },
            parameters: Parameters::default(),
            next_slice: None,
        }
    }

    /// The next frame, or `None` at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<AccessUnit>> {
        let mut frame = AccessUnit::default();
        if let Some(slice) = self.next_slice.take() {
            frame.append(&slice);
        }
        while let Some(unit) = self.units.next()? {
            match unit_type(&unit) {
                Some(SLICE | IDR_SLICE) => {
                    // The number of its first macroblock is coded as a single 1 if it is zero.
                    let begins_frame = unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
                    if begins_frame && !frame.data.is_empty() {
                        self.next_slice = Some(unit);
                        return Ok(Some(frame));
                    }
                    frame.append(&unit);
                }
                Some(SEQUENCE_PARAMETERS) => add(&mut self.parameters.sequence, unit),
                Some(PICTURE_PARAMETERS) => add(&mut self.parameters.picture, unit),
                _ => {}
            }
        }
        Ok((!frame.data.is_empty()).then_some(frame))
    }
}

impl AccessUnit {
    fn append(&mut self, unit: &[u8]) {
        self.keyframe = unit_type(unit) == Some(IDR_SLICE);
        self.data
            .extend_from_slice(&(unit.len() as u32).to_be_bytes());
        self.data.extend_from_slice(unit);
    }
}

/// Parameter sets are repeated with every keyframe.
fn add(known: &mut Vec<Vec<u8>>, unit: Vec<u8>) {
    if !known.contains(&unit) {
        known.push(unit);
    }
}

/// Splits at start codes, `00 00 01`; never yields an empty unit.
struct Units<R> {
    reader: BufReader<R>,
    started: bool,
}

impl<R: Read> Units<R> {
    fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut unit = Vec::new();
        loop {
            // A start code ends with a 1, and hardly anything else does.
            let read = self
                .reader
                .by_ref()
                .take(MAX_UNIT as u64)
                .read_until(1, &mut unit)?;
            let at_end = read == 0;
            if !at_end && !unit.ends_with(&[0, 0, 1]) {
                if unit.len() >= MAX_UNIT {
                    return Err(std::io::Error::other("a unit of the stream does not end"));
                }
                continue;
            }
            if !at_end {
                unit.truncate(unit.len() - 3);
            }
            // Zeros before a start code belong to no unit, and no unit ends with one.
            while unit.last() == Some(&0) {
                unit.pop();
            }
            let was_started = std::mem::replace(&mut self.started, true);
            if was_started && !unit.is_empty() {
                return Ok(Some(unit));
            }
            if at_end {
                return Ok(None);
            }
            unit.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_by_their_first_slices() {
        let stream = [
            &[0, 0, 0, 1, 0x67, 9, 9][..],
            &[0, 0, 1, 0x68, 8],
            &[0, 0, 1, 0x65, 0x80, 0, 1, 5],
            &[0, 0, 0, 1, 0x65, 0x40, 6, 0, 0],
            &[0, 0, 0, 1, 0x67, 9, 9],
            &[0, 0, 1, 0x41, 0x80, 7],
        ]
        .concat();
        let mut units = AccessUnits::new(&stream[..]);
        let first = units.next().unwrap().unwrap();
        assert!(first.keyframe);
        assert_eq!(
            first.data,
            [0, 0, 0, 5, 0x65, 0x80, 0, 1, 5, 0, 0, 0, 3, 0x65, 0x40, 6]
        );
        let second = units.next().unwrap().unwrap();
        assert!(!second.keyframe);
        assert_eq!(second.data, [0, 0, 0, 3, 0x41, 0x80, 7]);
        assert!(units.next().unwrap().is_none());
        assert_eq!(units.parameters.sequence, [[0x67, 9, 9]]);
        assert_eq!(units.parameters.picture, [[0x68, 8]]);
    }
}
