//! SA-1B: `sa_<n>.jpg` beside `sa_<n>.json`, in the folder given or in folders in it.

use std::path::{Path, PathBuf};

use masklet_media::Rle;
use serde::Deserialize;

use crate::dataset::ImageDataset;
use crate::{
    DataError, LabelledImage, Layout, ReadOptions, Result, Segment, Segmentation, SkipReason,
    Skipped, listing,
};

/// One image's file. SA-1B has more fields (boxes, scores, prompts); what is not needed is not
/// asked for.
#[derive(Deserialize)]
struct ImageFile {
    image: Image,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    width: u32,
    height: u32,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    id: u64,
    segmentation: Rle,
}

struct Sa1b {
    root: PathBuf,
    /// Names without extension, relative to the folder.
    names: Vec<String>,
    left_out: Vec<Skipped>,
}

/// The annotation files directly in `folder` that have a picture, and the others' names.
fn annotated(folder: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let stems = listing::files(folder, &["json"])?;
    let stems = stems.iter().map(|path| listing::stem(path));
    Ok(stems.partition(|stem| folder.join(format!("{stem}.jpg")).is_file()))
}

/// Whether `folder` directly holds images of this layout.
pub(crate) fn is_in(folder: &Path) -> bool {
    annotated(folder).is_ok_and(|(with_picture, _)| !with_picture.is_empty())
}

/// Reads an SA-1B folder.
///
/// # Errors
/// [`DataError::Missing`] if no JSON file has a picture beside it.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn ImageDataset>> {
    let folders = match &options.split {
        Some(split) => vec![split.clone()],
        None => std::iter::once(String::new())
            .chain(listing::subfolders(root)?)
            .collect(),
    };
    let mut names = Vec::new();
    let mut left_out = Vec::new();
    for folder in folders {
        let named = |stem: &String| match folder.as_str() {
            "" => stem.clone(),
            folder => format!("{folder}/{stem}"),
        };
        let (with_picture, without) = annotated(&root.join(&folder))?;
        names.extend(with_picture.iter().map(named));
        left_out.extend(
            without
                .iter()
                .map(|s| Skipped::new(named(s), SkipReason::NoPicture)),
        );
    }
    if names.is_empty() {
        return Err(DataError::Missing {
            layout: Layout::Sa1b.name(),
            path: root.join("sa_<n>.json"),
            what: "with sa_<n>.jpg beside it; also looked for in every sub-folder".into(),
        });
    }
    Ok(Box::new(Sa1b {
        root: root.to_owned(),
        names,
        left_out,
    }))
}

impl ImageDataset for Sa1b {
    fn layout(&self) -> Layout {
        Layout::Sa1b
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn len(&self) -> usize {
        self.names.len()
    }

    fn image_name(&self, index: usize) -> &str {
        &self.names[index]
    }

    fn left_out(&self) -> &[Skipped] {
        &self.left_out
    }

    fn open(&self, index: usize) -> Result<LabelledImage> {
        let name = self.names.get(index).ok_or_else(|| {
            let names = self.names.iter().map(String::as_str);
            DataError::unknown("image number", index.to_string(), names)
        })?;
        let path = self.root.join(format!("{name}.json"));
        let read: ImageFile = listing::read_json(&path, "an SA-1B annotation of one image")?;
        let dimensions = (read.image.width, read.image.height);
        let mut segments = Vec::with_capacity(read.annotations.len());
        for Annotation { id, segmentation } in read.annotations {
            crate::images::check_size(
                &path,
                (segmentation.width(), segmentation.height()),
                dimensions,
            )?;
            segments.push(Segment {
                id,
                mask: segmentation,
                category: None,
                crowd: false,
            });
        }
        Ok(LabelledImage {
            name: name.clone(),
            picture: path.with_file_name(&read.image.file_name),
            dimensions,
            segmentations: vec![Segmentation {
                name: String::new(),
                segments,
            }],
        })
    }
}
