//! Pictures with label maps, one or several each.
//!
//! `images/<name>.jpg` and `segments/<name>.png`, or `segments/<name>_<annotator>.png` where a
//! picture has several; with folders of splits between, if there are any
//! (`images/train/<name>.jpg`).

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::dataset::ImageDataset;
use crate::{
    DataError, LabelMap, LabelRule, LabelledImage, Layout, ReadOptions, Result, Segment,
    Segmentation, SkipReason, Skipped, listing,
};

/// Names of a folder of pictures, in the order they are looked for.
pub(crate) const PICTURES: [&str; 3] = ["images", "JPEGImages", "imgs"];
/// Names of a folder of label maps, in the order they are looked for.
pub(crate) const MAPS: [&str; 4] = ["segments", "labels", "label_maps", "SegmentationObject"];
/// Names that are taken for label maps of pictures only where they hold files, not folders: with
/// folders in them they are the masks of videos.
pub(crate) const FLAT_MAPS: [&str; 2] = ["masks", "annotations"];

struct Entry {
    name: String,
    picture: PathBuf,
    /// The annotators' names and maps.
    maps: Vec<(String, PathBuf)>,
}

struct LabelMaps {
    root: PathBuf,
    entries: Vec<Entry>,
    left_out: Vec<Skipped>,
    rule: LabelRule,
}

/// The folders of pictures and of label maps in `root`.
pub(crate) fn pair(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let pictures = listing::first_folder(root, &PICTURES)?;
    let maps = listing::first_folder(root, &MAPS).or_else(|| {
        listing::first_folder(root, &FLAT_MAPS)
            .filter(|maps| listing::holds_pictures(maps) && listing::holds_pictures(&pictures))
    })?;
    Some((pictures, maps))
}

/// Reads a folder of pictures and label maps.
///
/// # Errors
/// [`DataError::Missing`]; [`DataError::Unknown`] for a split that is not there;
/// [`DataError::Inconsistent`] for a label map without a picture.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn ImageDataset>> {
    let (pictures, maps) = pair(root).ok_or_else(|| DataError::Missing {
        layout: Layout::LabelMaps.name(),
        path: root.join("segments"),
        what: "the label maps, beside a folder `images`".into(),
    })?;
    let mut entries = Vec::new();
    let mut left_out = Vec::new();
    for split in splits(&pictures, options.split.as_deref())? {
        collect(&pictures, &maps, &split, &mut entries, &mut left_out)?;
    }
    if entries.is_empty() {
        return Err(DataError::Missing {
            layout: Layout::LabelMaps.name(),
            path: maps.join("<name>.png"),
            what: format!("no picture in {} has a label map", pictures.display()),
        });
    }
    let rule = options.labels.unwrap_or_else(|| guess_rule(&entries));
    Ok(Box::new(LabelMaps {
        root: root.to_owned(),
        entries,
        left_out,
        rule,
    }))
}

/// The folders to read below that of the pictures; the empty name is the folder itself.
fn splits(pictures: &Path, asked: Option<&str>) -> Result<Vec<String>> {
    let splits = listing::subfolders(pictures)?;
    match asked {
        Some(asked) if splits.iter().any(|split| split == asked) => Ok(vec![asked.to_owned()]),
        Some(asked) => Err(DataError::unknown(
            "split",
            asked,
            splits.iter().map(String::as_str),
        )),
        None => Ok(std::iter::once(String::new()).chain(splits).collect()),
    }
}

fn collect(
    pictures: &Path,
    maps: &Path,
    split: &str,
    entries: &mut Vec<Entry>,
    left_out: &mut Vec<Skipped>,
) -> Result<()> {
    let (pictures, maps) = (pictures.join(split), maps.join(split));
    let named = |stem: &str| match split {
        "" => stem.to_owned(),
        split => format!("{split}/{stem}"),
    };
    let pictures = listing::files(&pictures, &listing::PICTURES)?;
    let stems: HashSet<String> = pictures.iter().map(|path| listing::stem(path)).collect();
    let mut of_picture: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
    let files = match maps.is_dir() {
        true => listing::files(&maps, &["png"])?,
        false => Vec::new(),
    };
    for file in files {
        let stem = listing::stem(&file);
        let (picture, annotator) = match stem.rsplit_once('_') {
            _ if stems.contains(&stem) => (stem.as_str(), ""),
            Some((picture, annotator)) if stems.contains(picture) => (picture, annotator),
            _ => {
                return Err(DataError::Inconsistent {
                    path: file,
                    found: "a label map without a picture".into(),
                    expected: format!("a picture called {stem:?}, or what is before its last `_`,"),
                });
            }
        };
        let (picture, annotator) = (picture.to_owned(), annotator.to_owned());
        of_picture
            .entry(picture)
            .or_default()
            .push((annotator, file));
    }
    for picture in pictures {
        let stem = listing::stem(&picture);
        match of_picture.remove(&stem) {
            Some(maps) => entries.push(Entry {
                name: named(&stem),
                picture,
                maps,
            }),
            None => left_out.push(Skipped::new(named(&stem), SkipReason::NoMasks)),
        }
    }
    Ok(())
}

/// [`LabelRule::guess`] from the first maps that can be read.
fn guess_rule(entries: &[Entry]) -> LabelRule {
    const LOOKED_AT: usize = 4;
    let files = entries.iter().flat_map(|entry| &entry.maps);
    let maps = files.filter_map(|(_, file)| LabelMap::open(file).ok());
    LabelRule::guess(&maps.take(LOOKED_AT).collect::<Vec<_>>())
}

impl ImageDataset for LabelMaps {
    fn layout(&self) -> Layout {
        Layout::LabelMaps
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn image_name(&self, index: usize) -> &str {
        &self.entries[index].name
    }

    fn left_out(&self) -> &[Skipped] {
        &self.left_out
    }

    fn open(&self, index: usize) -> Result<LabelledImage> {
        let entry = self.entries.get(index).ok_or_else(|| {
            let names = self.entries.iter().map(|entry| entry.name.as_str());
            DataError::unknown("image number", index.to_string(), names)
        })?;
        let read: Vec<(LabelMap, Segmentation)> = entry
            .maps
            .par_iter()
            .map(|(annotator, file)| {
                let map = LabelMap::open(file)?;
                let segments = segments(&map, self.rule)?;
                let name = annotator.clone();
                Ok((map, Segmentation { name, segments }))
            })
            .collect::<Result<_>>()?;
        // An entry has at least one map.
        let dimensions = read.first().map_or((0, 0), |(map, _)| map.dimensions());
        for ((map, _), (_, file)) in read.iter().zip(&entry.maps) {
            crate::images::check_size(file, map.dimensions(), dimensions)?;
        }
        Ok(LabelledImage {
            name: entry.name.clone(),
            picture: entry.picture.clone(),
            dimensions,
            segmentations: read.into_iter().map(|(_, segments)| segments).collect(),
        })
    }
}

fn segments(map: &LabelMap, rule: LabelRule) -> Result<Vec<Segment>> {
    let map = map.relabelled(|label| rule.object(label).map_or(0, |object| object as u16));
    let segments = map.segments()?.into_iter();
    Ok(segments
        .map(|(label, mask)| Segment {
            id: label.into(),
            mask,
            category: None,
            crowd: false,
        })
        .collect())
}
