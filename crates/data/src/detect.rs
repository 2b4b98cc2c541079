//! Which layout a folder is in.

use std::path::Path;

use crate::dataset::Dataset;
use crate::{DataError, Layout, ReadOptions, Result, coco, label_maps, listing, sa1b, sav, video};

/// What a look at a folder says of one layout.
enum Verdict {
    /// It is in this layout.
    Is(Layout),
    /// It would be in this layout if something were not missing.
    Almost(Layout, String),
    /// Nothing speaks for it.
    Not,
}

use Verdict::{Almost, Is, Not};

/// Tells the layout of a data set from the names of its files and folders. For COCO, `path` may
/// also be the JSON file.
///
/// Where layouts look alike: `JPEGImages` and `Annotations` with folders of resolutions between
/// are DAVIS, with a `meta.json` YouTube-VOS or LVOS (by its content), else MOSE. `images` and
/// `masks` are pictures with label maps if both hold files, and videos if both hold folders.
///
/// # Errors
/// [`DataError::Read`] if there is no such folder; [`DataError::NotRecognised`], which says what
/// the layouts that come closest lack, or which layouts there are.
pub fn detect(path: impl AsRef<Path>) -> Result<Layout> {
    let path = path.as_ref();
    let metadata = std::fs::metadata(path).map_err(DataError::read(path))?;
    if metadata.is_file() {
        return match listing::has_extension(path, &["json"]) {
            true => Ok(Layout::Coco),
            false => Err(not_recognised(path, Vec::new())),
        };
    }
    let probes = [
        sav_eval, sav_train, coco, sa1b, davis, sequences, label_maps, frames,
    ];
    let mut almost = Vec::new();
    for probe in probes {
        match probe(path) {
            Is(layout) => return Ok(layout),
            Almost(layout, lacks) => almost.push(format!("as {layout}, {lacks}")),
            Not => {}
        }
    }
    Err(not_recognised(path, almost))
}

/// Opens a data set in whichever layout it is.
///
/// # Errors
/// Those of [`detect`], and of the layout's reader: each says which file or folder is missing or
/// what is wrong in it.
pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Dataset> {
    let path = path.as_ref();
    open_as(path, detect(path)?, options)
}

/// Opens a data set in a layout that is known.
///
/// # Errors
/// Those of the layout's reader.
pub fn open_as(path: impl AsRef<Path>, layout: Layout, options: &ReadOptions) -> Result<Dataset> {
    let path = path.as_ref();
    let videos = match layout {
        Layout::Davis => video::open_davis(path, options),
        Layout::Mose => video::open_mose(path, options),
        Layout::YoutubeVos => video::open_youtube_vos(path, options),
        Layout::Lvos => video::open_lvos(path, options),
        Layout::SavTrain => sav::open_train(path, options),
        Layout::SavEval => sav::open_eval(path, options),
        Layout::Frames => video::open_frames(path, options),
        Layout::Sa1b => return Ok(Dataset::Images(sa1b::open(path, options)?)),
        Layout::Coco => return Ok(Dataset::Images(coco::open(path, options)?)),
        Layout::LabelMaps => return Ok(Dataset::Images(label_maps::open(path, options)?)),
    };
    Ok(Dataset::Videos(videos?))
}

fn not_recognised(path: &Path, almost: Vec<String>) -> DataError {
    let advice = if almost.is_empty() {
        "accepted are DAVIS, MOSE, YouTube-VOS and LVOS (JPEGImages and Annotations), SA-V \
         training (<video>_manual.json, <video>_auto.json), SA-V validation and test \
         (JPEGImages_24fps and Annotations_6fps), SA-1B (sa_<n>.jpg and .json), COCO \
         (annotations/instances_<split>.json), images with label maps (images and segments), \
         and folders frames and masks"
            .to_owned()
    } else {
        almost.join("; ")
    };
    DataError::NotRecognised {
        path: path.to_owned(),
        advice,
    }
}

/// `root` and the folders in it: where splits may be.
fn with_splits(root: &Path) -> Vec<std::path::PathBuf> {
    let inner = listing::subfolders(root).unwrap_or_default();
    let inner = inner.into_iter().map(|name| root.join(name));
    std::iter::once(root.to_owned()).chain(inner).collect()
}

fn sav_eval(root: &Path) -> Verdict {
    for folder in with_splits(root) {
        let (frames, masks) = (
            folder.join("JPEGImages_24fps"),
            folder.join("Annotations_6fps"),
        );
        match (frames.is_dir(), masks.is_dir()) {
            (true, true) => return Is(Layout::SavEval),
            (false, true) => return Almost(Layout::SavEval, lacks(&frames)),
            // Extracted training frames have the same name.
            (true, false) if sav::annotation_files(&folder).is_empty() && folder == root => {
                return match sav_train(root) {
                    Is(layout) => Is(layout),
                    _ => Almost(Layout::SavEval, lacks(&masks)),
                };
            }
            _ => {}
        }
    }
    Not
}

fn sav_train(root: &Path) -> Verdict {
    let here = with_splits(root)
        .iter()
        .any(|folder| !sav::annotation_files(folder).is_empty());
    let is_video = |path: &std::path::PathBuf| listing::file_name(path).starts_with("sav_");
    let videos = listing::files(root, &["mp4"]).unwrap_or_default();
    match (here, videos.iter().find(|path| is_video(path))) {
        (true, _) => Is(Layout::SavTrain),
        (false, Some(video)) => {
            let name = format!("{}_manual.json", listing::stem(video));
            Almost(Layout::SavTrain, lacks(&root.join(name)))
        }
        (false, None) => Not,
    }
}

fn coco(root: &Path) -> Verdict {
    if coco::annotation_files(root).is_empty() {
        Not
    } else {
        Is(Layout::Coco)
    }
}

fn sa1b(root: &Path) -> Verdict {
    if with_splits(root).iter().any(|folder| sa1b::is_in(folder)) {
        return Is(Layout::Sa1b);
    }
    let named = |extension: &'static str| {
        let files = listing::files(root, &[extension]).unwrap_or_default();
        files
            .into_iter()
            .find(|path| listing::stem(path).starts_with("sa_"))
    };
    match (named("jpg"), named("json")) {
        (Some(picture), None) => Almost(Layout::Sa1b, lacks(&picture.with_extension("json"))),
        (None, Some(json)) => Almost(Layout::Sa1b, lacks(&json.with_extension("jpg"))),
        _ => Not,
    }
}

fn davis(root: &Path) -> Verdict {
    let (frames, masks) = (root.join("JPEGImages"), root.join("Annotations"));
    let resolutions = listing::subfolders(&frames).unwrap_or_default();
    // Between `JPEGImages` and the pictures there is one folder more than in other layouts.
    let Some(resolution) = resolutions.iter().find(|name| {
        let folder = frames.join(name);
        let inner = listing::subfolders(&folder).unwrap_or_default();
        inner
            .first()
            .is_some_and(|inner| listing::holds_pictures(&folder.join(inner)))
    }) else {
        return Not;
    };
    match masks.join(resolution).is_dir() {
        true => Is(Layout::Davis),
        false => Almost(Layout::Davis, lacks(&masks.join(resolution))),
    }
}

/// MOSE, YouTube-VOS and LVOS.
fn sequences(root: &Path) -> Verdict {
    for folder in with_splits(root) {
        let (frames, masks) = (folder.join("JPEGImages"), folder.join("Annotations"));
        let meta = folder.join("meta.json");
        if listing::holds_pictures(&frames) {
            continue;
        }
        match (frames.is_dir(), masks.is_dir()) {
            (true, true) => {
                return Is(match std::fs::read_to_string(meta) {
                    Ok(text) if text.contains("\"frame_range\"") => Layout::Lvos,
                    Ok(_) => Layout::YoutubeVos,
                    Err(_) => Layout::Mose,
                });
            }
            (true, false) if label_maps::pair(&folder).is_none() => {
                return Almost(Layout::Mose, lacks(&masks));
            }
            (false, true) if meta.is_file() || folder == root => {
                return Almost(Layout::Mose, lacks(&frames));
            }
            _ => {}
        }
    }
    Not
}

fn label_maps(root: &Path) -> Verdict {
    if label_maps::pair(root).is_some() {
        return Is(Layout::LabelMaps);
    }
    let maps = listing::first_folder(root, &label_maps::MAPS);
    let pictures = listing::first_folder(root, &label_maps::PICTURES);
    match (pictures, maps) {
        (None, Some(_)) => Almost(Layout::LabelMaps, lacks(&root.join("images"))),
        (Some(_), None) if video::pair(root).is_none() => {
            Almost(Layout::LabelMaps, lacks(&root.join("segments")))
        }
        _ => Not,
    }
}

fn frames(root: &Path) -> Verdict {
    if with_splits(root)
        .iter()
        .any(|folder| video::pair(folder).is_some())
    {
        return Is(Layout::Frames);
    }
    match (root.join("frames").is_dir(), root.join("masks").is_dir()) {
        (true, false) => Almost(Layout::Frames, lacks(&root.join("masks"))),
        (false, true) => Almost(Layout::Frames, lacks(&root.join("frames"))),
        _ => Not,
    }
}

fn lacks(path: &Path) -> String {
    format!("{} is missing", path.display())
}
