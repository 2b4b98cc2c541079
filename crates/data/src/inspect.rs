//! What a data set holds: counts, sizes, and how objects come and go.

mod sheet;
mod sizes;
mod visibility;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::{Dataset, ImageDataset, Sequence, VideoDataset};
use crate::{DataError, LabelledImage, Layout, Result, SkipReason, SkipReport};

pub use sheet::{Sheet, SheetOptions, contact_sheet};
pub use sizes::{Buckets, Spread};
pub use visibility::{Visibility, VisibilityCounts};

/// What was found in a data set.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The layout.
    pub layout: Layout,
    /// The number of sequences or images.
    pub items: usize,
    /// How many of them were looked into.
    pub inspected: usize,
    /// What was found in videos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub videos: Option<VideoCounts>,
    /// What was found in images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageCounts>,
    /// What was left out, and why.
    pub skipped: SkipReport,
}

/// Counts over the videos looked into.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VideoCounts {
    /// Frames.
    pub frames: usize,
    /// Frames with an annotation.
    pub annotated_frames: usize,
    /// Annotated frames with void pixels.
    pub frames_with_void: usize,
    /// Objects that are visible on at least one annotated frame.
    pub objects: usize,
    /// Masks with at least one pixel.
    pub masks: usize,
    /// Frames of a sequence.
    pub length: Spread,
    /// Width and height of the frames, and how many sequences have them.
    pub resolutions: Vec<((u32, u32), usize)>,
    /// Objects by their mean area on the frames where they are visible.
    pub size: Buckets,
    /// That mean area, as a fraction of the picture.
    pub relative_size: Spread,
    /// How objects come and go.
    pub visibility: VisibilityCounts,
}

/// Counts over the images looked into.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImageCounts {
    /// Segmentations: one, or one for each annotator, of each image.
    pub segmentations: usize,
    /// Segments with at least one pixel.
    pub segments: usize,
    /// Segments that are crowds.
    pub crowds: usize,
    /// Segments of a segmentation.
    pub segments_each: Spread,
    /// Width and height of the pictures, and how many have them.
    pub resolutions: Vec<((u32, u32), usize)>,
    /// Segments by area.
    pub size: Buckets,
    /// Area as a fraction of the picture.
    pub relative_size: Spread,
    /// Categories with their numbers of segments, most frequent first.
    pub categories: Vec<(String, usize)>,
}

/// Looks into a data set, or into `most` of its items spread evenly over it; `step` is called
/// after each. Items that cannot be read are noted in [`Inspection::skipped`].
///
/// # Errors
/// None, unless `strict`: then that of the first item that cannot be read or has nothing in it.
pub fn inspect(
    dataset: &Dataset,
    most: Option<usize>,
    strict: bool,
    step: impl FnMut(),
) -> Result<Inspection> {
    let items = dataset.len();
    let chosen = spread_over(items, most.unwrap_or(items));
    let mut skipped = SkipReport::new(strict);
    let name = dataset.layout().name();
    for left_out in dataset.left_out() {
        match strict {
            true => return Err(DataError::unusable(&left_out.name, left_out.reason.clone())),
            false => skipped.add(name, left_out.clone()),
        }
    }
    let (mut videos, mut images) = (None, None);
    match dataset {
        Dataset::Videos(set) => videos = Some(inspect_videos(&**set, &chosen, &mut skipped, step)?),
        Dataset::Images(set) => images = Some(inspect_images(&**set, &chosen, &mut skipped, step)?),
    }
    Ok(Inspection {
        layout: dataset.layout(),
        items,
        inspected: chosen.len(),
        videos,
        images,
        skipped,
    })
}

/// At most `most` of `0..items`, evenly.
pub(crate) fn spread_over(items: usize, most: usize) -> Vec<usize> {
    let count = most.min(items);
    (0..count).map(|index| index * items / count).collect()
}

fn inspect_videos(
    set: &dyn VideoDataset,
    chosen: &[usize],
    skipped: &mut SkipReport,
    mut step: impl FnMut(),
) -> Result<VideoCounts> {
    let mut counts = VideoCounts::default();
    let mut lengths = Vec::new();
    let mut relative = Vec::new();
    let mut resolutions = BTreeMap::new();
    for &index in chosen {
        let name = &set.names()[index];
        let read = set
            .open(index)
            .and_then(|sequence| Ok((Tracks::read(&*sequence)?, sequence)));
        step();
        let Some((tracks, sequence)) = skipped.usable(set.layout().name(), name, read)? else {
            continue;
        };
        // A frame without objects is nothing unusual; a sequence without any is.
        if tracks.objects.is_empty() {
            let empty = DataError::unusable(name, SkipReason::EmptyMasks);
            skipped.usable::<()>(set.layout().name(), name, Err(empty))?;
            continue;
        }
        counts.frames += sequence.frame_count();
        counts.annotated_frames += sequence.annotated_frames().len();
        counts.frames_with_void += tracks.with_void;
        lengths.push(sequence.frame_count() as f64);
        *resolutions.entry(tracks.dimensions).or_default() += 1;
        let pixels = f64::from(tracks.dimensions.0) * f64::from(tracks.dimensions.1);
        for areas in tracks.objects.values() {
            let visible: Vec<f64> = areas
                .iter()
                .filter(|&&a| a > 0)
                .map(|&a| a as f64)
                .collect();
            let mean = visible.iter().sum::<f64>() / visible.len().max(1) as f64;
            counts.objects += 1;
            counts.masks += visible.len();
            counts.size.add(mean);
            relative.push(mean / pixels);
            counts
                .visibility
                .add(Visibility::of(areas.iter().map(|&area| area > 0)));
        }
    }
    counts.length = Spread::of(lengths);
    counts.relative_size = Spread::of(relative);
    counts.resolutions = most_frequent_first(resolutions);
    Ok(counts)
}

/// The areas of a sequence's objects on the frames that say something about them.
struct Tracks {
    dimensions: (u32, u32),
    objects: BTreeMap<u32, Vec<u64>>,
    with_void: usize,
}

impl Tracks {
    fn read(sequence: &dyn Sequence) -> Result<Self> {
        let annotated = sequence.annotated_frames();
        let ids: Vec<u32> = sequence.objects()?.iter().map(|object| object.id).collect();
        let rows: Vec<_> = annotated
            .par_iter()
            .map(|&frame| {
                let annotation = sequence.annotation(frame)?;
                let Some(annotation) = annotation else {
                    return Ok(None);
                };
                let areas: BTreeMap<u32, u64> = annotation.areas().into_iter().collect();
                let area = |id| {
                    annotation
                        .covers(id)
                        .then(|| areas.get(&id).copied().unwrap_or(0))
                };
                let row: Vec<Option<u64>> = ids.iter().map(|&id| area(id)).collect();
                Ok(Some((
                    annotation.dimensions(),
                    annotation.void().is_some(),
                    row,
                )))
            })
            .collect::<Result<_>>()?;
        let mut tracks = Self {
            dimensions: (0, 0),
            objects: ids.iter().map(|&id| (id, Vec::new())).collect(),
            with_void: 0,
        };
        for (dimensions, void, row) in rows.into_iter().flatten() {
            tracks.dimensions = dimensions;
            tracks.with_void += usize::from(void);
            for (areas, area) in tracks.objects.values_mut().zip(row) {
                areas.extend(area);
            }
        }
        Ok(tracks)
    }
}

fn inspect_images(
    set: &dyn ImageDataset,
    chosen: &[usize],
    skipped: &mut SkipReport,
    mut step: impl FnMut(),
) -> Result<ImageCounts> {
    /// Images that are read at once.
    const AT_ONCE: usize = 64;
    let mut counts = ImageCounts::default();
    let mut each = Vec::new();
    let mut relative = Vec::new();
    let mut resolutions = BTreeMap::new();
    let mut categories: BTreeMap<String, usize> = BTreeMap::new();
    for chosen in chosen.chunks(AT_ONCE) {
        let read: Vec<(usize, Result<LabelledImage>)> = chosen
            .par_iter()
            .map(|&index| (index, set.open(index)))
            .collect();
        for (index, image) in read {
            step();
            let name = set.image_name(index);
            let Some(image) = skipped.usable(set.layout().name(), name, image)? else {
                continue;
            };
            *resolutions.entry(image.dimensions).or_default() += 1;
            let pixels = f64::from(image.dimensions.0) * f64::from(image.dimensions.1);
            for segmentation in &image.segmentations {
                counts.segmentations += 1;
                each.push(segmentation.segments.len() as f64);
                for segment in &segmentation.segments {
                    let area = segment.mask.area();
                    if area == 0 {
                        let name = format!("{name} segment {}", segment.id);
                        let empty = DataError::unusable(&name, SkipReason::EmptyMasks);
                        skipped.usable::<()>(set.layout().name(), &name, Err(empty))?;
                        continue;
                    }
                    counts.segments += 1;
                    counts.crowds += usize::from(segment.crowd);
                    counts.size.add(area as f64);
                    relative.push(area as f64 / pixels);
                    if let Some(category) = &segment.category {
                        *categories.entry(category.clone()).or_default() += 1;
                    }
                }
            }
        }
    }
    counts.segments_each = Spread::of(each);
    counts.relative_size = Spread::of(relative);
    counts.resolutions = most_frequent_first(resolutions);
    counts.categories = most_frequent_first(categories);
    Ok(counts)
}

fn most_frequent_first<K: Ord>(counts: BTreeMap<K, usize>) -> Vec<(K, usize)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    counts
}
