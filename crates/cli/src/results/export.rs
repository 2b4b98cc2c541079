//! Formats that are made from the records of the whole video.

use anyhow::Context as _;
use masklet_data::export::sav::{self, SavFacts};
use masklet_data::export::{VideoFacts, coco, npz, yolo, ytvis};
use masklet_data::record::{Order, Records};
use masklet_media::{FrameRate, atomic};

use super::VideoInfo;
use super::args::{Format, ResultArgs};
use super::names::{COCO, NPZ, YTVIS};
use super::scene::{Scene, Sink, Whole};
use crate::failure::Failure;
use crate::output::OutputFolder;

/// What a video is called whose input has no name, such as standard input.
const UNNAMED: &str = "video";

/// The formats asked for.
pub(super) struct Exports {
    formats: Vec<Format>,
    sav_step: usize,
}

impl Exports {
    pub(super) fn new(args: &ResultArgs) -> Self {
        Self {
            formats: args.formats.clone(),
            sav_step: args.sav_step as usize,
        }
    }
}

impl Sink for Exports {
    fn add(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn finish(&mut self, whole: &Whole<'_>) -> Result<(), Failure> {
        let Whole {
            folder,
            video,
            records,
            ..
        } = *whole;
        let facts = facts(video);
        let wanted = |format| self.formats.contains(&format);
        if wanted(Format::Sav) {
            let kind = video.origin.name();
            let name = format!("sav/{}_{kind}.json", facts.name);
            folder.write_with(&name, |file| {
                let facts_of_sav = SavFacts::new(video.origin, self.sav_step);
                sav::write(&facts, &facts_of_sav, records, file)
            })?;
        }
        if wanted(Format::Coco) {
            folder.write_with(COCO, |file| coco::write(&facts, records, file))?;
        }
        if wanted(Format::Ytvis) {
            folder.write_with(YTVIS, |file| ytvis::write(&facts, records, file))?;
        }
        if wanted(Format::Yolo) {
            write_yolo(folder, records)?;
        }
        if wanted(Format::Npz) {
            folder.write_with(NPZ, |file| npz::write(&facts, records, file))?;
        }
        Ok(())
    }
}

fn write_yolo(folder: &OutputFolder, records: &Records) -> Result<(), Failure> {
    let classes: Vec<u32> = records.objects().iter().map(|object| object.id).collect();
    for record in records.frames(Order::Frame) {
        let record = record.context("cannot read the records")?;
        let path = folder.file(&format!("yolo/labels/{:05}.txt", record.frame))?;
        atomic::write(&path, yolo::labels(&record, &classes).as_bytes())?;
    }
    let path = folder.file("yolo/data.yaml")?;
    Ok(atomic::write(&path, yolo::data_file(records).as_bytes())?)
}

fn facts(video: &VideoInfo) -> VideoFacts {
    let stem = video.path.file_stem().map(|stem| stem.to_string_lossy());
    let name = match stem.as_deref() {
        None | Some("-" | "..") => UNNAMED.to_owned(),
        Some(stem) => stem.to_owned(),
    };
    VideoFacts {
        name,
        dimensions: video.dimensions,
        frame_count: video.frame_count,
        frame_rate: video.frame_rate.map(FrameRate::per_second),
    }
}
