//! [`EverythingTracker`] on the micro model that answers to clicks (see everything_parity.rs).

mod common;

use std::num::NonZeroUsize;

use common::{Reference, config, frames, model_of};
use masklet::{
    DiscoveryOptions, Error, EverythingFrame, EverythingTracker, MaskGenerator,
    MaskGeneratorOptions, Model, PointGrid, StreamTracker,
};
use masklet_media::Mask;

fn model() -> Model {
    let reference = Reference::open("sam2.1", "everything");
    model_of("sam2.1", &config("sam2.1"), &reference)
}

fn generator(model: &Model, pred_iou_thresh: f32) -> MaskGenerator {
    let options = MaskGeneratorOptions {
        points: PointGrid::PerSide(4),
        pred_iou_thresh,
        stability_score_thresh: 0.5,
        stability_score_offset: 0.5,
        mask_threshold: 14.0,
        box_nms_thresh: 1.0,
        ..MaskGeneratorOptions::default()
    };
    MaskGenerator::with_options(model, options).unwrap()
}

/// Discovery that takes whatever does not repeat a known mask.
fn discovery(every: usize, max_objects: usize) -> DiscoveryOptions {
    DiscoveryOptions {
        every: NonZeroUsize::new(every),
        max_objects: NonZeroUsize::new(max_objects),
        min_uncovered: 0.0,
        max_iou: 0.5,
    }
}

fn track(every: usize, max_objects: usize, count: usize) -> Vec<EverythingFrame> {
    let model = model();
    let options = discovery(every, max_objects);
    let mut tracker = EverythingTracker::new(&model, generator(&model, 0.5), options).unwrap();
    let frames = frames(count).into_iter();
    frames.map(|frame| tracker.push(frame).unwrap()).collect()
}

#[test]
fn what_is_found_on_the_first_frame_is_tracked_as_masks_that_are_given() {
    let all = track(0, 5, 4);
    let found = &all[0].found;
    assert_eq!(found.len(), 5);
    let ids: Vec<u32> = found.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);

    let mut by_hand = StreamTracker::new(&model());
    for (index, (frame, picture)) in all.iter().zip(frames(4)).enumerate() {
        let mut result = by_hand.push(picture).unwrap();
        if index == 0 {
            for (id, record) in found {
                result = by_hand.add_mask(*id, &record.mask()).unwrap();
            }
        }
        assert_eq!(frame.result, result);
        assert!(index == 0 || frame.found.is_empty());
    }
}

#[test]
fn new_objects_are_found_every_so_many_frames_and_tracked_from_there() {
    let all = track(2, 0, 5);
    for (index, frame) in all.iter().enumerate() {
        assert_eq!(frame.result.frame, index);
        assert!(index % 2 == 0 || frame.found.is_empty());
    }
    let later: Vec<_> = all[2..].iter().flat_map(|frame| &frame.found).collect();
    assert!(!later.is_empty(), "nothing new was found");
    // Numbers go on, and nobody is lost.
    let ids: Vec<u32> = all
        .iter()
        .flat_map(|frame| frame.found.iter().map(|(id, _)| *id))
        .collect();
    assert_eq!(ids, (1..=ids.len() as u32).collect::<Vec<_>>());
    let last = &all[4].result.objects;
    assert_eq!(last.iter().map(|object| object.id).collect::<Vec<_>>(), ids);

    // What is new repeats nothing that was tracked on its frame.
    let known: Vec<Mask> = all[2]
        .result
        .objects
        .iter()
        .filter(|object| all[2].found.iter().all(|(id, _)| *id != object.id))
        .map(|object| object.mask())
        .collect();
    for (_, record) in &all[2].found {
        let mask = record.mask();
        assert!(known.iter().all(|known| known.iou(&mask).unwrap() <= 0.5));
    }
}

#[test]
fn there_are_never_more_objects_than_allowed() {
    let all = track(1, 3, 4);
    assert!(all.iter().all(|frame| frame.result.objects.len() == 3));
    assert!(all[1..].iter().all(|frame| frame.found.is_empty()));
}

#[test]
fn an_object_added_by_hand_keeps_its_number() {
    let model = model();
    let options = discovery(1, 0);
    let mut tracker = EverythingTracker::new(&model, generator(&model, 0.5), options).unwrap();
    let mut frames = frames(4).into_iter();
    let first = tracker.push(frames.next().unwrap()).unwrap().found;
    let corner = Mask::from_fn(208, 152, |x, y| x > 190 && y > 140);
    tracker.tracker().add_mask(100, &corner).unwrap();
    let ids: Vec<u32> = frames
        .flat_map(|frame| tracker.push(frame).unwrap().found)
        .map(|(id, _)| id)
        .collect();
    assert!(first.iter().all(|(id, _)| *id < 100));
    assert!(!ids.is_empty() && ids[0] == 101, "{ids:?}");
}

#[test]
fn a_video_without_objects_has_empty_frames() {
    let model = model();
    let generator = generator(&model, 1.0);
    let mut tracker =
        EverythingTracker::new(&model, generator, DiscoveryOptions::default()).unwrap();
    for picture in frames(2) {
        let frame = tracker.push(picture).unwrap();
        assert!(frame.result.objects.is_empty() && frame.found.is_empty());
    }
}

#[test]
fn shares_out_of_range_are_refused() {
    let model = model();
    let options = DiscoveryOptions {
        min_uncovered: 1.5,
        ..DiscoveryOptions::default()
    };
    let refused = EverythingTracker::new(&model, generator(&model, 0.5), options);
    assert!(matches!(
        refused,
        Err(Error::InvalidOption {
            option: "min_uncovered",
            ..
        })
    ));
}
