//! Separable resampling with a filter that widens as the picture shrinks.
//!
//! PyTorch's antialiased resize and Pillow's resize share this scheme (the first was modelled
//! on the second): every output sample is a weighted sum over a window of input samples, the
//! horizontal pass first. They differ in the arithmetic: [`resize_f32`] keeps floats between
//! the passes, [`resize_u8_fixed_point`] rounds to bytes as Pillow does.

use rayon::prelude::*;

/// A resampling filter, as a function of the distance in (output-scaled) samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Linear interpolation; support 1.
    Triangle,
    /// Cubic convolution with a = -0.5; support 2.
    CatmullRom,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
            Self::CatmullRom => 2.0,
        }
    }

    /// Rounds as the reference does between steps: PyTorch places its (triangle) windows in
    /// single precision, Pillow its (cubic) ones in double.
    fn round(self, value: f64) -> f64 {
        match self {
            Self::Triangle => f64::from(value as f32),
            Self::CatmullRom => value,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Self::Triangle if x < 1.0 => 1.0 - x,
            Self::CatmullRom if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::CatmullRom if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

/// For one axis: which input samples make up each output sample, and with which weights.
pub(super) struct Windows {
    input: usize,
    spans: Vec<Span>,
    weights: Vec<f64>,
}

/// One output sample's window: `length` input samples from `start`, its weights from `offset`.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
    offset: usize,
}

impl Windows {
    /// The windows that turn `input` samples into `output`.
    pub(super) fn new(input: usize, output: usize, filter: Filter) -> Self {
        let scale = filter.round(input as f64 / output as f64);
        let filter_scale = scale.max(1.0);
        let inverse = filter.round(1.0 / filter_scale);
        let support = filter.support() * filter_scale;
        let mut spans = Vec::with_capacity(output);
        let mut weights = Vec::new();
        for index in 0..output {
            let center = filter.round((index as f64 + 0.5) * scale);
            // Casts truncate and saturate at zero, as the references do by hand.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(input);
            let offset = weights.len();
            let distance = |sample: usize| (filter.round(sample as f64 - center) + 0.5) * inverse;
            weights.extend((start..end).map(|sample| filter.weight(distance(sample))));
            let total: f64 = weights[offset..].iter().sum();
            weights[offset..]
                .iter_mut()
                .for_each(|weight| *weight /= total);
            spans.push(Span {
                start,
                length: weights.len() - offset,
                offset,
            });
        }
        Self {
            input,
            spans,
            weights,
        }
    }

    fn output(&self) -> usize {
        self.spans.len()
    }
}

/// The weights in the number format of one kind of arithmetic.
struct Taps<'a, W> {
    spans: &'a [Span],
    weights: Vec<W>,
}

impl<'a, W> Taps<'a, W> {
    fn new(windows: &'a Windows, convert: impl Fn(f64) -> W) -> Self {
        let weights = windows
            .weights
            .iter()
            .map(|&weight| convert(weight))
            .collect();
        Self {
            spans: &windows.spans,
            weights,
        }
    }

    fn of(&self, span: Span) -> &[W] {
        &self.weights[span.offset..span.offset + span.length]
    }
}

/// Resizes `[rows.input, columns.input, C]` to `[rows.output, columns.output, C]` in floats.
pub(super) fn resize_f32<const C: usize, T: Copy + Sync + IntoF32>(
    source: &[T],
    columns: &Windows,
    rows: &Windows,
) -> Vec<f32> {
    let across = Taps::new(columns, |weight| weight as f32);
    let down = Taps::new(rows, |weight| weight as f32);
    let width = columns.output();

    let mut squeezed = vec![0f32; rows.input * width * C];
    for_each_row(&mut squeezed, width * C, |y, out| {
        let line = source[y * columns.input * C..][..columns.input * C]
            .as_chunks::<C>()
            .0;
        for (pixel, &span) in out.as_chunks_mut::<C>().0.iter_mut().zip(across.spans) {
            let mut sums = [0f32; C];
            for (sample, &weight) in line[span.start..].iter().zip(across.of(span)) {
                for channel in 0..C {
                    sums[channel] += weight * sample[channel].into_f32();
                }
            }
            *pixel = sums;
        }
    });

    let mut resized = vec![0f32; rows.output() * width * C];
    for_each_row(&mut resized, width * C, |y, out| {
        let span = down.spans[y];
        for (tap, &weight) in down.of(span).iter().enumerate() {
            let line = &squeezed[(span.start + tap) * width * C..][..width * C];
            for (value, &sample) in out.iter_mut().zip(line) {
                *value += weight * sample;
            }
        }
    });
    resized
}

/// Pillow's fixed point: weights carry 22 fractional bits, so that a sum of bytes fits 32 bits
/// with a sign and room for the overshoot of negative lobes.
const FRACTION_BITS: u32 = 32 - 8 - 2;
const ONE_HALF: i32 = 1 << (FRACTION_BITS - 1);

fn to_fixed(weight: f64) -> i32 {
    (weight * f64::from(1 << FRACTION_BITS)).round() as i32
}

fn to_byte(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// Resizes `[rows.input, columns.input, 3]` bytes to `[rows.output, columns.output, 3]` with
/// Pillow's arithmetic: fixed-point weights, and bytes between the two passes.
pub(super) fn resize_u8_fixed_point(source: &[u8], columns: &Windows, rows: &Windows) -> Vec<u8> {
    if vertical_goes_first(columns, rows) {
        across_u8(
            &down_u8(source, rows, columns.input),
            columns,
            rows.output(),
        )
    } else {
        down_u8(
            &across_u8(source, columns, rows.input),
            rows,
            columns.output(),
        )
    }
}

/// Since Pillow 13, the pass that removes much more goes first (with bytes in between, the
/// order shows in the result); before, it was always the horizontal one.
fn vertical_goes_first(columns: &Windows, rows: &Windows) -> bool {
    let rows_lost = rows.input.saturating_sub(rows.output());
    let columns_lost = columns.input.saturating_sub(columns.output());
    rows_lost > 2 * columns_lost
}

/// The horizontal pass over `height` rows.
fn across_u8(source: &[u8], columns: &Windows, height: usize) -> Vec<u8> {
    let taps = Taps::new(columns, to_fixed);
    let width = columns.output();
    let mut resized = vec![0u8; height * width * 3];
    for_each_row(&mut resized, width * 3, |y, out| {
        let line = source[y * columns.input * 3..][..columns.input * 3]
            .as_chunks::<3>()
            .0;
        for (pixel, &span) in out.as_chunks_mut::<3>().0.iter_mut().zip(taps.spans) {
            let mut sums = [ONE_HALF; 3];
            for (sample, &weight) in line[span.start..].iter().zip(taps.of(span)) {
                for channel in 0..3 {
                    sums[channel] += weight * i32::from(sample[channel]);
                }
            }
            *pixel = sums.map(to_byte);
        }
    });
    resized
}

/// The vertical pass over rows of `width` pixels.
fn down_u8(source: &[u8], rows: &Windows, width: usize) -> Vec<u8> {
    let taps = Taps::new(rows, to_fixed);
    let mut resized = vec![0u8; rows.output() * width * 3];
    for_each_row(&mut resized, width * 3, |y, out| {
        let span = taps.spans[y];
        let mut sums = vec![ONE_HALF; out.len()];
        for (tap, &weight) in taps.of(span).iter().enumerate() {
            let line = &source[(span.start + tap) * width * 3..][..width * 3];
            for (sum, &sample) in sums.iter_mut().zip(line) {
                *sum += weight * i32::from(sample);
            }
        }
        for (value, &sum) in out.iter_mut().zip(&sums) {
            *value = to_byte(sum);
        }
    });
    resized
}

/// Calls `work(row, values)` for every row of `length` values, in parallel.
fn for_each_row<T: Send>(values: &mut [T], length: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    values
        .par_chunks_mut(length.max(1))
        .enumerate()
        .for_each(|(row, values)| work(row, values));
}

/// A sample that floats can be summed from.
pub(super) trait IntoF32 {
    /// Its value.
    fn into_f32(self) -> f32;
}

impl IntoF32 for u8 {
    fn into_f32(self) -> f32 {
        f32::from(self)
    }
}

impl IntoF32 for bool {
    fn into_f32(self) -> f32 {
        f32::from(u8::from(self))
    }
}
