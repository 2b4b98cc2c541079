//! Label maps: pictures whose values are numbers of objects.

mod png_file;

pub use png_file::davis_colour;

use masklet_media::{BitMask, Mask, Rle};

use crate::{DataError, Result};

/// A picture of labels, `[height, width]`, row-major.
#[derive(Clone, PartialEq, Eq)]
pub struct LabelMap {
    width: u32,
    height: u32,
    labels: Labels,
}

/// Bytes if they are enough, as for almost all maps; otherwise at least one label is above 255.
#[derive(Clone, PartialEq, Eq)]
enum Labels {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

impl From<Vec<u16>> for Labels {
    fn from(labels: Vec<u16>) -> Self {
        let all = labels.iter().fold(0, |all, label| all | label);
        match all > u8::MAX.into() {
            true => Self::Words(labels),
            false => Self::Bytes(labels.iter().map(|&label| label as u8).collect()),
        }
    }
}

impl Labels {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(labels) => labels.len(),
            Self::Words(labels) => labels.len(),
        }
    }

    fn at(&self, index: usize) -> u16 {
        match self {
            Self::Bytes(labels) => labels[index].into(),
            Self::Words(labels) => labels[index],
        }
    }

    /// What `change` makes of each label.
    fn map<T>(&self, change: impl Fn(u16) -> T) -> Vec<T> {
        match self {
            Self::Bytes(labels) => labels.iter().map(|&label| change(label.into())).collect(),
            Self::Words(labels) => labels.iter().map(|&label| change(label)).collect(),
        }
    }
}

impl LabelMap {
    /// The label that stands for void in 8-bit maps of video benchmarks.
    pub const VOID: u16 = 255;

    /// A map over `labels`, `[height, width]`.
    ///
    /// # Errors
    /// [`DataError::BadValue`] if `labels` is not `width * height` long.
    pub fn from_labels(width: u32, height: u32, labels: Vec<u16>) -> Result<Self> {
        Self::new(width, height, labels.into())
    }

    fn new(width: u32, height: u32, labels: Labels) -> Result<Self> {
        if labels.len() as u64 != u64::from(width) * u64::from(height) {
            return Err(DataError::BadValue {
                what: "the number of labels",
                found: format!("{} for {width}x{height} pixels", labels.len()),
                accepted: "one label for each pixel",
            });
        }
        Ok(Self {
            width,
            height,
            labels,
        })
    }

    /// A map that holds at column `x`, row `y` what `label(x, y)` says.
    pub fn from_fn(width: u32, height: u32, mut label: impl FnMut(u32, u32) -> u16) -> Self {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            width,
            height,
            labels: pixels
                .map(|(x, y)| label(x, y))
                .collect::<Vec<u16>>()
                .into(),
        }
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The labels, `[height, width]`.
    pub fn to_labels(&self) -> Vec<u16> {
        self.labels.map(|label| label)
    }

    /// The number of pixels of each label that occurs, by label.
    pub fn counts(&self) -> Vec<(u16, u64)> {
        // Labels come in stretches; counting those spares a wait for memory at every pixel.
        const STRETCH: usize = 32;
        let mut counts = match &self.labels {
            Labels::Bytes(_) => vec![0u64; 1 << 8],
            Labels::Words(_) => vec![0u64; 1 << 16],
        };
        match &self.labels {
            Labels::Bytes(labels) => {
                for stretch in labels.chunks(STRETCH) {
                    let first = stretch[0];
                    if stretch.iter().fold(0, |all, label| all | (label ^ first)) == 0 {
                        counts[usize::from(first)] += stretch.len() as u64;
                    } else {
                        for &label in stretch {
                            counts[usize::from(label)] += 1;
                        }
                    }
                }
            }
            Labels::Words(labels) => {
                for stretch in labels.chunk_by(|a, b| a == b) {
                    counts[usize::from(stretch[0])] += stretch.len() as u64;
                }
            }
        }
        (0..=u16::MAX)
            .zip(counts)
            .filter(|&(_, count)| count > 0)
            .collect()
    }

    /// Where `chosen` holds of the label.
    pub fn mask_where(&self, chosen: impl Fn(u16) -> bool) -> Mask {
        Mask::from_bits(self.width, self.height, self.labels.map(chosen))
            .expect("there is a label for each pixel")
    }

    /// Where the map holds `label`, or everywhere else if `inverted`.
    pub fn bits_of(&self, label: u16, inverted: bool) -> BitMask {
        match (&self.labels, u8::try_from(label)) {
            (Labels::Bytes(labels), Ok(label)) => {
                BitMask::where_equal(self.dimensions(), labels, label, inverted)
            }
            (Labels::Bytes(labels), Err(_)) => {
                BitMask::from_values(self.dimensions(), labels, |_| inverted)
            }
            (Labels::Words(labels), _) => {
                BitMask::from_values(self.dimensions(), labels, |&other| {
                    (other == label) != inverted
                })
            }
        }
    }

    /// The map with every label replaced by what `label` gives for it.
    pub fn relabelled(&self, label: impl Fn(u16) -> u16) -> Self {
        Self {
            labels: self.labels.map(label).into(),
            ..*self
        }
    }

    /// The run-length encoding of every label but 0, by label, in one pass over the map.
    ///
    /// # Errors
    /// If the map has more than [`masklet_media::MAX_PIXELS`] pixels.
    pub fn segments(&self) -> Result<Vec<(u16, Rle)>> {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut runs: std::collections::BTreeMap<u16, Runs> = std::collections::BTreeMap::new();
        let mut open: Option<(u16, u32)> = None;
        let column_major = (0..width).flat_map(|x| (0..height).map(move |y| y * width + x));
        for (position, index) in column_major.enumerate() {
            let (position, label) = (position as u32, self.labels.at(index));
            if open.is_some_and(|(current, _)| current == label) {
                continue;
            }
            if let Some((current, start)) = open.replace((label, position)) {
                runs.entry(current).or_default().add(start, position);
            }
        }
        let end = self.labels.len() as u32;
        if let Some((current, start)) = open {
            runs.entry(current).or_default().add(start, end);
        }
        runs.remove(&0);
        runs.into_iter()
            .map(|(label, runs)| Ok((label, runs.finish(self.height, self.width)?)))
            .collect()
    }
}

impl std::fmt::Debug for LabelMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels: Vec<u16> = self.counts().into_iter().map(|(label, _)| label).collect();
        write!(f, "LabelMap({}x{}, {labels:?})", self.width, self.height)
    }
}

/// The runs of one label while they are collected, column-major.
#[derive(Default)]
struct Runs {
    counts: Vec<u32>,
    end: u32,
}

impl Runs {
    fn add(&mut self, start: u32, end: u32) {
        self.counts.extend([start - self.end, end - start]);
        self.end = end;
    }

    fn finish(mut self, height: u32, width: u32) -> Result<Rle> {
        let rest = height * width - self.end;
        if rest > 0 {
            self.counts.push(rest);
        }
        let rle = Rle::from_counts(height, width, self.counts);
        Ok(rle.map_err(masklet_media::MediaError::from)?)
    }
}
