//! Number formats, and the way from each of them to `f32`.

use std::fmt;
use std::str::FromStr;

use half::{bf16, f16};
use serde::Serialize;

use super::WeightsError;

/// The number format of a stored tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// 16-bit float with the exponent range of `f32`.
    Bf16,
    /// 64-bit float.
    F64,
    /// Signed 64-bit integer.
    I64,
    /// Signed 32-bit integer.
    I32,
    /// Signed 16-bit integer.
    I16,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 8-bit integer.
    U8,
    /// Truth value in one byte.
    Bool,
}

impl Dtype {
    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The name as it is written everywhere, for example `bf16`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// Reads little-endian elements and appends them to `out`, rounded to the nearest `f32`.
    /// Bytes that do not fill an element are left out.
    pub(super) fn extend_f32(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F32 => extend(bytes, out, f32::from_le_bytes),
            Self::F16 => extend(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => extend(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F64 => extend(bytes, out, |b| f64::from_le_bytes(b) as f32),
            Self::I64 => extend(bytes, out, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => extend(bytes, out, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => extend(bytes, out, |b| i16::from_le_bytes(b).into()),
            Self::I8 => extend(bytes, out, |b| i8::from_le_bytes(b).into()),
            Self::U8 => extend(bytes, out, |b| u8::from_le_bytes(b).into()),
            Self::Bool => extend(bytes, out, |[b]| if b == 0 { 0.0 } else { 1.0 }),
        }
    }
}

fn extend<const N: usize>(bytes: &[u8], out: &mut Vec<f32>, value: impl Fn([u8; N]) -> f32) {
    let (elements, _) = bytes.as_chunks::<N>();
    out.extend(elements.iter().map(|&element| value(element)));
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The number formats that weights are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit float: nothing is lost.
    F32,
    /// 16-bit IEEE float: half the size; 11 significant bits, up to 65504.
    F16,
    /// 16-bit float with the range of `f32`: half the size; 8 significant bits.
    Bf16,
}

impl Precision {
    /// The format of a stored tensor.
    pub const fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::Bf16,
        }
    }

    /// The largest finite value.
    pub const fn max(self) -> f32 {
        match self {
            Self::F32 => f32::MAX,
            Self::F16 => f16::MAX.to_f32_const(),
            Self::Bf16 => bf16::MAX.to_f32_const(),
        }
    }

    /// Replaces `out` by the little-endian elements, rounded to nearest, ties to even.
    ///
    /// # Errors
    /// The first finite value that would become infinite.
    pub(super) fn encode(self, values: &[f32], out: &mut Vec<u8>) -> Result<(), f32> {
        out.clear();
        match self {
            Self::F32 => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::F16 => encode_half(values, out, |v| {
                let half = f16::from_f32(v);
                (half.to_le_bytes(), half.is_infinite())
            })?,
            Self::Bf16 => encode_half(values, out, |v| {
                let half = bf16::from_f32(v);
                (half.to_le_bytes(), half.is_infinite())
            })?,
        }
        Ok(())
    }
}

fn encode_half(
    values: &[f32],
    out: &mut Vec<u8>,
    encode: impl Fn(f32) -> ([u8; 2], bool),
) -> Result<(), f32> {
    out.reserve(values.len() * 2);
    for &value in values {
        let (bytes, infinite) = encode(value);
        if infinite && value.is_finite() {
            return Err(value);
        }
        out.extend_from_slice(&bytes);
    }
    Ok(())
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dtype().name())
    }
}

impl FromStr for Precision {
    type Err = WeightsError;

    fn from_str(s: &str) -> Result<Self, WeightsError> {
        [Self::F32, Self::F16, Self::Bf16]
            .into_iter()
            .find(|precision| precision.dtype().name().eq_ignore_ascii_case(s))
            .ok_or_else(|| WeightsError::UnknownPrecision(s.to_owned()))
    }
}
