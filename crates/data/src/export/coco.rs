//! COCO instances: one image for each tracked frame, one annotation for each object and frame.
//!
//! Readable by pycocotools' `COCO()`. Frames on which an object has no mask have no annotation
//! of it. Beyond COCO's own fields, annotations carry `track_id` (the object's id, the same on
//! all frames) and `score` (the occlusion score), and images `frame_id`.

use std::io::{self, Write};

use masklet_media::Rle;
use serde::Serialize;

use super::{CATEGORY_ID, Category, Info, Streamed, VideoFacts, frame_file};
use crate::record::{Order, Records};

#[derive(Serialize)]
struct Coco<I, A> {
    info: Info,
    licenses: [(); 0],
    images: I,
    annotations: A,
    categories: [Category; 1],
}

#[derive(Serialize)]
struct Image {
    /// The frame's number and one: some readers take 0 for no image.
    id: usize,
    file_name: String,
    width: u32,
    height: u32,
    frame_id: usize,
}

#[derive(Serialize)]
struct Annotation {
    id: usize,
    image_id: usize,
    category_id: u32,
    segmentation: Rle,
    area: u64,
    /// Left, top, width, height.
    bbox: [u32; 4],
    iscrowd: u8,
    track_id: u32,
    score: f32,
}

/// Writes the file. Images are in the order of their frames; annotations are numbered from 1 in
/// that order.
///
/// # Errors
/// If the records cannot be read or the file cannot be written.
pub fn write(video: &VideoFacts, records: &Records, file: &mut dyn Write) -> io::Result<()> {
    let (width, height) = video.dimensions;
    let images = records.numbers(Order::Frame).map(|frame| {
        Ok(Image {
            id: frame + 1,
            file_name: frame_file(frame),
            width,
            height,
            frame_id: frame,
        })
    });
    let mut id = 0;
    let annotations = records.frames(Order::Frame).flat_map(|record| {
        let annotations: Vec<io::Result<Annotation>> = match record {
            Err(error) => vec![Err(error)],
            Ok(record) => record
                .objects
                .into_iter()
                .filter(|object| object.area > 0)
                .map(|object| {
                    id += 1;
                    Ok(Annotation {
                        id,
                        image_id: record.frame + 1,
                        category_id: CATEGORY_ID,
                        segmentation: object.segmentation,
                        area: object.area,
                        bbox: object.bbox,
                        iscrowd: 0,
                        track_id: object.id,
                        score: object.occlusion_score,
                    })
                })
                .collect(),
        };
        annotations
    });
    let content = Coco {
        info: Info::of(video),
        licenses: [],
        images: Streamed::new(images),
        annotations: Streamed::new(annotations),
        categories: Category::only(),
    };
    Ok(serde_json::to_writer(file, &content)?)
}
