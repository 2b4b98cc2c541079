//! Masklets as data sets: SA-V, DAVIS, COCO and YouTube-VIS.
//!
//! A frame `n` is the picture `%05d` of `n` in every format: the file that the project has where the
//! video is a folder of pictures, else a JPEG.

mod names;
mod pictures;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use masklet_data::export::sav::{self, Origin, SavFacts};
use masklet_data::export::{VideoFacts, coco, davis, ytvis};
use masklet_data::record::{FrameRecord, ObjectRecord, RecordWriter, Records};
use masklet_data::sav::ANNOTATED_EVERY;
use masklet_media::{BitMask, Mask, Rle, atomic};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::frames::{self, FrameEntry};
use crate::ids::words;
use crate::tasks::{self, MaskletState};
use crate::{EngineError, Kind, Masklet, Project, Result, Video};
use names::Names;
use pictures::Pictures;

words! {
    /// Layouts of data sets.
    Format {
        /// SA-V's training videos: `<video>_manual.json`, `<video>_auto.json`, and the video.
        Sav = "sav",
        /// SA-V's validation videos: `JPEGImages_24fps`, `Annotations_6fps`, `sav_val.txt`.
        SavVal = "sav-val",
        /// The same with `sav_test.txt`.
        SavTest = "sav-test",
        /// DAVIS: `JPEGImages/480p`, `Annotations/480p`, `ImageSets/2017`.
        Davis = "davis",
        /// COCO: `annotations/instances_<video>.json`, and a folder of pictures for each video.
        Coco = "coco",
        /// YouTube-VIS: `annotations/<video>.json`, `JPEGImages/<video>`.
        Ytvis = "ytvis",
    }
}

words! {
    /// Which videos are written.
    Part {
        /// All.
        All = "all",
        /// Those that are not held out.
        Training = "training",
        /// Those that are held out, to evaluate on.
        HeldOut = "held-out",
    }
}

/// What is written.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportOptions {
    /// The layout.
    pub format: Format,
    /// Masklets in these states.
    pub states: Vec<MaskletState>,
    /// Which videos.
    pub part: Part,
    /// Only these videos, by name; all of the part if empty.
    pub videos: Vec<String>,
    /// SA-V's validation and test videos: one in so many frames is annotated; by default 4, as in the
    /// data set. Training videos have no other step: their files do not say which frames they are of.
    pub sav_step: u32,
}

impl ExportOptions {
    /// All satisfactory masklets.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            states: vec![MaskletState::Satisfactory],
            part: Part::All,
            videos: Vec::new(),
            sav_step: ANNOTATED_EVERY as u32,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExportReport {
    /// The videos that have masklets.
    pub videos: Vec<ExportedVideo>,
}

/// What was written of a video.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExportedVideo {
    /// Its name in the data set.
    pub name: String,
    /// Its masklets.
    pub masklets: usize,
    /// Its masks that are not empty.
    pub masks: u64,
    /// Objects that have another number in the data set: the project's number and that one, by the
    /// masklets' order.
    pub renumbered: Vec<(u32, u32)>,
    /// DAVIS: frames on which masks overlap, where the smaller one is on top.
    pub overlapping_frames: usize,
}

/// A masklet with its frames.
struct Exported {
    masklet: Masklet,
    entries: Vec<FrameEntry>,
    masks: Vec<Rle>,
    /// The object's number in the data set.
    number: u32,
}

impl Project {
    /// Writes masklets as a data set into a folder that is new or empty. `written` is called with
    /// the name of each video that is complete.
    ///
    /// # Errors
    /// [`EngineError::Unknown`] for a video; [`EngineError::BadValue`] for the folder or step;
    /// [`EngineError::Refused`] if there is nothing to write; if a file cannot be read or written.
    pub fn export(
        &self,
        folder: &Path,
        options: &ExportOptions,
        written: &mut dyn FnMut(&str),
    ) -> Result<ExportReport> {
        if options.sav_step == 0 {
            return Err(EngineError::bad_value(
                "the step",
                0,
                "1 or more is accepted",
            ));
        }
        if options.format == Format::Sav && options.sav_step != ANNOTATED_EVERY as u32 {
            return Err(EngineError::bad_value(
                "the step",
                options.sav_step,
                format!(
                    "sav takes {ANNOTATED_EVERY} only, for its files do not say which frames they \
                     are of: leave the step out, or choose sav-val or sav-test"
                ),
            ));
        }
        let videos = self.chosen_videos(options)?;
        let layout = Layout::create(folder, options)?;
        let mut names = Names::new(options.format);
        let mut report = ExportReport::default();
        for video in &videos {
            let mut masklets = self.exported(video, &options.states)?;
            if masklets.is_empty() {
                continue;
            }
            let renumbered = renumber(&mut masklets, options.format);
            let mut of_video =
                layout.write_video(self, video, names.give(&video.name), &masklets)?;
            of_video.renumbered = renumbered;
            report.videos.push(of_video);
            written(&video.name);
        }
        if report.videos.is_empty() {
            let states: Vec<&str> = options.states.iter().map(|state| state.name()).collect();
            return Err(EngineError::Refused(format!(
                "there is nothing to export: no masklet of these videos is {}",
                states.join(" or ")
            )));
        }
        layout.finish(&report)?;
        Ok(report)
    }

    /// Whether a video is held out from training. It depends on its pixels alone, so a video stays
    /// where it is while others come and go, and also after it was imported anew.
    pub fn is_held_out(video: &Video, percent: u8) -> bool {
        let hash = Sha256::digest(video.contents().as_bytes());
        let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        number % 100 < u32::from(percent)
    }

    fn chosen_videos(&self, options: &ExportOptions) -> Result<Vec<Video>> {
        let percent = self.settings()?.held_out_percent;
        let mut videos = match options.videos.is_empty() {
            true => self.videos()?,
            false => {
                let named = options.videos.iter().map(|name| self.video_named(name));
                named.collect::<Result<_>>()?
            }
        };
        videos.retain(|video| match options.part {
            Part::All => true,
            Part::Training => !Self::is_held_out(video, percent),
            Part::HeldOut => Self::is_held_out(video, percent),
        });
        Ok(videos)
    }

    /// The masklets of a video that are in one of `states` and have a frame, with all their masks.
    fn exported(&self, video: &Video, states: &[MaskletState]) -> Result<Vec<Exported>> {
        let found = self.read(|now| {
            let mut masklets = tasks::masklets_where(now, "video = ?1", video.id.0)?;
            masklets.retain(|masklet| states.contains(&masklet.state));
            let with_frames = masklets.into_iter().map(|masklet| {
                let entries = frames::of_masklet(now, masklet.id)?;
                Ok((masklet, entries))
            });
            with_frames.collect::<Result<Vec<_>>>()
        })?;
        let found = found.into_iter().filter(|(_, entries)| !entries.is_empty());
        found
            .map(|(masklet, entries)| {
                let places: Vec<_> = entries.iter().map(|entry| entry.mask.clone()).collect();
                let masks = self.read_masks(&places)?;
                let number = masklet.number;
                Ok(Exported {
                    masklet,
                    entries,
                    masks,
                    number,
                })
            })
            .collect()
    }
}

/// Gives objects numbers that the format can hold, if theirs are not: 1, 2, … in the masklets'
/// order. Returns the old and new ones.
fn renumber(masklets: &mut [Exported], format: Format) -> Vec<(u32, u32)> {
    let separate_kinds = format == Format::Sav;
    let mut seen = BTreeSet::new();
    let fits = masklets.iter().all(|of| {
        let kind = separate_kinds.then_some(of.masklet.kind.name());
        let in_range = match format {
            Format::Davis => (1..=davis::MAX_ID).contains(&of.number),
            _ => true,
        };
        in_range && seen.insert((kind, of.number))
    });
    if fits {
        return Vec::new();
    }
    for (place, of) in masklets.iter_mut().enumerate() {
        of.number = place as u32 + 1;
    }
    masklets
        .iter()
        .map(|of| (of.masklet.number, of.number))
        .collect()
}

/// The occlusion score of a mask that no model made: the reference's for a mask that was given.
const CERTAIN: f32 = 10.0;

/// The masklets as records, in a temporary file that lives as long as they are read.
fn record(video: &Video, masklets: &[&Exported]) -> Result<(tempfile::NamedTempFile, Records)> {
    let mut frames: BTreeMap<u32, Vec<ObjectRecord>> = BTreeMap::new();
    for of in masklets {
        for (entry, mask) in of.entries.iter().zip(&of.masks) {
            let certain = if entry.visible() { CERTAIN } else { -CERTAIN };
            frames.entry(entry.frame).or_default().push(ObjectRecord {
                id: of.number,
                segmentation: mask.clone(),
                occlusion_score: entry.occlusion_score.unwrap_or(certain),
                area: entry.area,
                bbox: entry.bbox,
                stability_score: entry.stability_score.unwrap_or(1.0),
                prompted: entry.touched(),
            });
        }
    }
    let place = std::env::temp_dir();
    let failed = EngineError::file("write records into", &place);
    let write = || -> std::io::Result<_> {
        let file = tempfile::NamedTempFile::new()?;
        let mut writer = RecordWriter::create(file.path())?;
        for (frame, objects) in frames {
            let time = f64::from(frame) / video.frames_per_second();
            writer.add(&FrameRecord {
                frame: frame as usize,
                time: Some(time),
                objects,
            })?;
        }
        writer.flush()?;
        let records = Records::open(file.path())?;
        Ok((file, records))
    };
    write().map_err(failed)
}

/// A data set that is being written.
struct Layout<'a> {
    folder: PathBuf,
    options: &'a ExportOptions,
}

impl<'a> Layout<'a> {
    fn create(folder: &Path, options: &'a ExportOptions) -> Result<Self> {
        fs::create_dir_all(folder).map_err(EngineError::file("create", folder))?;
        let mut inside = fs::read_dir(folder).map_err(EngineError::file("read", folder))?;
        if inside.next().is_some() {
            return Err(EngineError::bad_value(
                "the output",
                format!("{}, which is not empty", folder.display()),
                "a new or empty folder is accepted, so that old and new files do not mix",
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            options,
        })
    }

    /// A file of the data set; the folders above it are made.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(EngineError::file("create", parent))?;
        }
        Ok(path)
    }

    fn write_video(
        &self,
        project: &Project,
        video: &Video,
        name: String,
        masklets: &[Exported],
    ) -> Result<ExportedVideo> {
        let all: Vec<&Exported> = masklets.iter().collect();
        let mut overlapping_frames = 0;
        match self.options.format {
            Format::Sav => self.write_sav(project, video, &name, &all)?,
            Format::SavVal | Format::SavTest => {
                Pictures::of(project, video)?
                    .write(&self.file(&format!("JPEGImages_24fps/{name}"))?)?;
                self.write_object_masks(&name, &all)?;
            }
            Format::Davis => {
                Pictures::of(project, video)?
                    .write(&self.file(&format!("JPEGImages/480p/{name}"))?)?;
                overlapping_frames = self.write_label_maps(video, &name, &all)?;
            }
            Format::Coco => {
                Pictures::of(project, video)?.write(&self.file(&name)?)?;
                let (_file, records) = record(video, &all)?;
                let facts = facts(video, &name);
                let path = self.file(&format!("annotations/instances_{name}.json"))?;
                atomic::write_with(&path, |file| coco::write(&facts, &records, file))?;
            }
            Format::Ytvis => {
                Pictures::of(project, video)?.write(&self.file(&format!("JPEGImages/{name}"))?)?;
                let (_file, records) = record(video, &all)?;
                let facts = facts(video, &name);
                let path = self.file(&format!("annotations/{name}.json"))?;
                atomic::write_with(&path, |file| ytvis::write(&facts, &records, file))?;
            }
        }
        let visible = |of: &Exported| of.entries.iter().filter(|entry| entry.visible()).count();
        Ok(ExportedVideo {
            name,
            masklets: masklets.len(),
            masks: masklets.iter().map(|of| visible(of) as u64).sum(),
            renumbered: Vec::new(),
            overlapping_frames,
        })
    }

    fn write_sav(
        &self,
        project: &Project,
        video: &Video,
        name: &str,
        masklets: &[&Exported],
    ) -> Result<()> {
        for (kind, origin) in [(Kind::Manual, Origin::Manual), (Kind::Auto, Origin::Auto)] {
            let mut of_kind = masklets.to_vec();
            of_kind.retain(|of| of.masklet.kind == kind);
            if of_kind.is_empty() {
                continue;
            }
            let (_file, records) = record(video, &of_kind)?;
            let before = of_kind
                .iter()
                .map(|of| (of.number, of.masklet.edited_before));
            let sav = SavFacts {
                environment: video.environment.clone(),
                split: video.split.clone(),
                edited_before: before.collect(),
                ..SavFacts::new(origin, self.options.sav_step as usize)
            };
            let path = self.file(&format!("{name}_{kind}.json"))?;
            atomic::write_with(&path, |file| {
                sav::write(&facts(video, name), &sav, &records, file)
            })?;
        }
        let from = project.video_path(video);
        // The data set's videos are MP4; readers look for that or for pictures.
        match pictures::is_mp4(&from)? {
            true => {
                let to = self.file(&format!("{name}.mp4"))?;
                fs::copy(&from, &to).map_err(EngineError::file("write", &to))?;
                Ok(())
            }
            false => Pictures::of(project, video)?.write(&self.file(name)?),
        }
    }

    /// `Annotations_6fps/<video>/<object>/<frame>.png`.
    fn write_object_masks(&self, name: &str, masklets: &[&Exported]) -> Result<()> {
        for of in masklets {
            for (entry, mask) in of.entries.iter().zip(&of.masks) {
                if entry.frame.is_multiple_of(self.options.sav_step) {
                    let (number, frame) = (of.number, entry.frame);
                    let path = format!("Annotations_6fps/{name}/{number:03}/{frame:05}.png");
                    mask.decode().save_png(self.file(&path)?)?;
                }
            }
        }
        Ok(())
    }

    /// `Annotations/480p/<video>/<frame>.png`; returns the number of frames on which masks overlap.
    fn write_label_maps(&self, video: &Video, name: &str, masklets: &[&Exported]) -> Result<usize> {
        let mut frames: BTreeMap<u32, Vec<(u32, &Rle)>> = BTreeMap::new();
        for of in masklets {
            for (entry, mask) in of.entries.iter().zip(&of.masks) {
                frames
                    .entry(entry.frame)
                    .or_default()
                    .push((of.number, mask));
            }
        }
        let mut overlapping = 0;
        for (frame, masks) in frames {
            overlapping += usize::from(overlap(&masks));
            let areas: Vec<u64> = masks.iter().map(|(_, mask)| mask.area()).collect();
            let masks: Vec<(u32, Mask)> = masks
                .into_iter()
                .map(|(number, mask)| (number, mask.decode()))
                .collect();
            // What is in front covers less of the picture, more often than not.
            let path = self.file(&format!("Annotations/480p/{name}/{frame:05}.png"))?;
            let png = davis::encode(video.dimensions(), &masks, |object, _| {
                -(areas[object] as f32)
            });
            let png = png.map_err(EngineError::file("write", &path))?;
            atomic::write(&path, &png)?;
        }
        Ok(overlapping)
    }

    /// The lists of videos.
    fn finish(&self, report: &ExportReport) -> Result<()> {
        let list = match self.options.format {
            Format::SavVal => "sav_val.txt",
            Format::SavTest => "sav_test.txt",
            Format::Davis => match self.options.part {
                Part::HeldOut => "ImageSets/2017/val.txt",
                Part::All | Part::Training => "ImageSets/2017/train.txt",
            },
            Format::Sav | Format::Coco | Format::Ytvis => return Ok(()),
        };
        let mut text = String::new();
        for video in &report.videos {
            text += &video.name;
            text.push('\n');
        }
        Ok(atomic::write(&self.file(list)?, text.as_bytes())?)
    }
}

/// Whether two masks share a pixel.
fn overlap(masks: &[(u32, &Rle)]) -> bool {
    let bits: Vec<BitMask> = masks.iter().map(|(_, mask)| BitMask::from(*mask)).collect();
    let mut pairs = bits
        .iter()
        .enumerate()
        .flat_map(|(at, a)| bits[at + 1..].iter().map(move |b| (a, b)));
    pairs.any(|(a, b)| a.shared_area(b) > 0)
}

fn facts(video: &Video, name: &str) -> VideoFacts {
    VideoFacts {
        name: name.to_owned(),
        dimensions: video.dimensions(),
        frame_count: Some(video.frames as usize),
        frame_rate: Some(video.frames_per_second()),
    }
}
