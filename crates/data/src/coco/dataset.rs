//! Reading a COCO file by image.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use masklet_media::Rle;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{rasterise, scan};
use crate::dataset::ImageDataset;
use crate::{
    DataError, LabelledImage, Layout, ReadOptions, Result, Segment, Segmentation, SkipReason,
    Skipped, listing,
};

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

/// What of an annotation is needed to find it again.
#[derive(Deserialize)]
struct AnnotationOf {
    image_id: u64,
}

#[derive(Deserialize)]
struct Annotation {
    id: u64,
    #[serde(default)]
    category_id: Option<u64>,
    #[serde(default)]
    iscrowd: u8,
    segmentation: Shape,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Polygons(Vec<Vec<f64>>),
    Rle(Rle),
}

struct Coco {
    file: PathBuf,
    folder: PathBuf,
    images: Vec<Image>,
    /// Where in the file each image's annotations are.
    annotations: Vec<Vec<Range<u64>>>,
    categories: HashMap<u64, String>,
    left_out: Vec<Skipped>,
}

/// The files of instances that belong to `root`.
pub(crate) fn annotation_files(root: &Path) -> Vec<PathBuf> {
    let mut files = listing::files(&root.join("annotations"), &["json"]).unwrap_or_default();
    files.retain(|path| listing::file_name(path).starts_with("instances"));
    let others = [
        "annotations.json",
        "instances.json",
        "_annotations.coco.json",
    ];
    files.extend(
        others
            .map(|name| root.join(name))
            .into_iter()
            .filter(|path| path.is_file()),
    );
    files
}

/// Reads a COCO folder, or one file of instances.
///
/// # Errors
/// [`DataError::Missing`] if there is no file or no folder of pictures; [`DataError::BadValue`]
/// if there are several files and no split was asked for; [`DataError::Json`] and
/// [`DataError::Inconsistent`], naming the element, if the file is not what it should be.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn ImageDataset>> {
    let file = if path.is_file() {
        path.to_owned()
    } else {
        choose(path, options.split.as_deref())?
    };
    let mut coco = Coco {
        folder: PathBuf::new(),
        images: Vec::new(),
        annotations: Vec::new(),
        categories: HashMap::new(),
        left_out: Vec::new(),
        file,
    };
    coco.read_index()?;
    coco.folder = picture_folder(&coco)?;
    Ok(Box::new(coco))
}

fn choose(root: &Path, split: Option<&str>) -> Result<PathBuf> {
    let files = annotation_files(root);
    let names = || {
        files
            .iter()
            .map(|path| listing::stem(path))
            .collect::<Vec<_>>()
    };
    match (split, files.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(DataError::Missing {
            layout: Layout::Coco.name(),
            path: root.join("annotations/instances_<split>.json"),
            what: "the file of instances".into(),
        }),
        (None, _) => Err(DataError::BadValue {
            what: "the split, which has to be chosen",
            found: format!("not given, with {}", names().join(", ")),
            accepted: "what follows `instances_` in one of them, or the path of the file,",
        }),
        (Some(split), _) => {
            let wanted = format!("instances_{split}");
            let found = files.iter().find(|path| listing::stem(path) == wanted);
            let names = names();
            found
                .cloned()
                .ok_or_else(|| DataError::unknown("split", split, names.iter().map(String::as_str)))
        }
    }
}

/// The first of the usual places that holds the first image.
fn picture_folder(coco: &Coco) -> Result<PathBuf> {
    let beside = coco.file.parent().unwrap_or(Path::new("."));
    let root = beside.parent().unwrap_or(beside);
    let stem = listing::stem(&coco.file);
    let split = stem.strip_prefix("instances_").unwrap_or(&stem);
    let places = [
        root.join(split),
        root.join("images").join(split),
        root.join("images"),
        beside.join("images"),
        beside.to_owned(),
        root.to_owned(),
    ];
    let first = coco
        .images
        .first()
        .map_or("", |image| image.file_name.as_str());
    let found = places.iter().find(|place| place.join(first).is_file());
    found.cloned().ok_or_else(|| DataError::Missing {
        layout: Layout::Coco.name(),
        path: places[0].join(first),
        what: format!(
            "the first picture of {}; also looked for in images/{split}, images and beside the file",
            coco.file.display()
        ),
    })
}

/// An error while an element is visited, or of the file under it.
enum ScanError {
    Io(io::Error),
    Data(DataError),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Coco {
    /// Reads the images and categories, and notes where each image's annotations are.
    fn read_index(&mut self) -> Result<()> {
        let path = self.file.clone();
        let file = File::open(&path).map_err(DataError::read(&path))?;
        let mut of_image: HashMap<u64, Vec<Range<u64>>> = HashMap::new();
        let scanned = scan::for_each_element(file, |key, place, element| {
            match key {
                "images" => self.images.push(parse(&path, "an image", &place, element)?),
                "categories" => {
                    let category: Category = parse(&path, "a category", &place, element)?;
                    self.categories.insert(category.id, category.name);
                }
                "annotations" => {
                    let of: AnnotationOf = parse(&path, "an annotation", &place, element)?;
                    of_image.entry(of.image_id).or_default().push(place);
                }
                _ => {}
            }
            Ok(())
        });
        scanned.map_err(|error| match error {
            ScanError::Data(error) => error,
            ScanError::Io(source) => DataError::Read {
                path: path.clone(),
                source,
            },
        })?;
        self.keep_annotated(of_image)
    }

    /// Leaves out images without annotations.
    fn keep_annotated(&mut self, mut of_image: HashMap<u64, Vec<Range<u64>>>) -> Result<()> {
        for image in std::mem::take(&mut self.images) {
            match of_image.remove(&image.id) {
                Some(places) => {
                    self.images.push(image);
                    self.annotations.push(places);
                }
                None => self
                    .left_out
                    .push(Skipped::new(image.file_name, SkipReason::NoMasks)),
            }
        }
        match of_image.keys().min() {
            Some(id) => Err(self.inconsistent(
                format!("annotations of image {id}, which is not listed"),
                "an entry in \"images\" for every annotation".into(),
            )),
            None if self.images.is_empty() => Err(self.inconsistent(
                "no image with an annotation".into(),
                "arrays \"images\" and \"annotations\" of COCO instances".into(),
            )),
            None => Ok(()),
        }
    }

    fn inconsistent(&self, found: String, expected: String) -> DataError {
        DataError::Inconsistent {
            path: self.file.clone(),
            found,
            expected,
        }
    }
}

/// Parses one element of the file.
fn parse<T: DeserializeOwned>(
    path: &Path,
    what: &str,
    place: &Range<u64>,
    element: &[u8],
) -> Result<T, ScanError> {
    serde_json::from_slice(element).map_err(|error| {
        ScanError::Data(DataError::Inconsistent {
            path: path.to_owned(),
            found: format!("at byte {}: {error}", place.start),
            expected: format!("{what} of COCO instances"),
        })
    })
}

impl ImageDataset for Coco {
    fn layout(&self) -> Layout {
        Layout::Coco
    }

    fn root(&self) -> &Path {
        &self.file
    }

    fn len(&self) -> usize {
        self.images.len()
    }

    fn image_name(&self, index: usize) -> &str {
        &self.images[index].file_name
    }

    fn left_out(&self) -> &[Skipped] {
        &self.left_out
    }

    fn open(&self, index: usize) -> Result<LabelledImage> {
        let (Some(image), Some(places)) = (self.images.get(index), self.annotations.get(index))
        else {
            let names = self.images.iter().map(|image| image.file_name.as_str());
            return Err(DataError::unknown("image number", index.to_string(), names));
        };
        let mut file = File::open(&self.file).map_err(DataError::read(&self.file))?;
        let mut segments = Vec::with_capacity(places.len());
        for place in places {
            let mut element = vec![0; (place.end - place.start) as usize];
            file.seek(SeekFrom::Start(place.start))
                .and_then(|_| file.read_exact(&mut element))
                .map_err(DataError::read(&self.file))?;
            let annotation = match parse(&self.file, "an annotation", place, &element) {
                Ok(annotation) => annotation,
                Err(ScanError::Data(error)) => return Err(error),
                Err(ScanError::Io(error)) => return Err(DataError::read(&self.file)(error)),
            };
            segments.push(self.segment(image, annotation)?);
        }
        Ok(LabelledImage {
            name: image.file_name.clone(),
            picture: self.folder.join(&image.file_name),
            dimensions: (image.width, image.height),
            segmentations: vec![Segmentation {
                name: String::new(),
                segments,
            }],
        })
    }
}

impl Coco {
    fn segment(&self, image: &Image, annotation: Annotation) -> Result<Segment> {
        let mask = match annotation.segmentation {
            Shape::Polygons(polygons) => rasterise(&polygons, image.width, image.height)?,
            Shape::Rle(rle) => rle,
        };
        let dimensions = (image.width, image.height);
        if (mask.width(), mask.height()) != dimensions {
            return Err(self.inconsistent(
                format!(
                    "annotation {} of {}x{} pixels",
                    annotation.id,
                    mask.width(),
                    mask.height()
                ),
                format!("{dimensions:?}, as image {} has,", image.id),
            ));
        }
        let category = annotation
            .category_id
            .and_then(|id| self.categories.get(&id));
        Ok(Segment {
            id: annotation.id,
            mask,
            category: category.cloned(),
            crowd: annotation.iscrowd != 0,
        })
    }
}
