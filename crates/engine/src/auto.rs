//! Automatic masklets: everything on the first frame, tracked through the video, and filtered; then
//! people verify them (section 5.1 of the paper).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use masklet::{
    DiscoveryOptions, EverythingTracker, MaskGenerator, MaskGeneratorOptions, Model, ObjectId,
    ObjectMask,
};
use masklet_media::{BitMask, FrameSource, Frames, Rle, stability_score};
use serde::Serialize;

use crate::frames::{self, MaskUpdate};
use crate::history::Action;
use crate::tasks::{self, MaskletRow, MaskletState, NewMasklet, TaskState};
use crate::{
    Done, EngineError, Kind, MaskletId, ModelFacts, Phase, Project, Result, Scope, TaskId, UserId,
    VideoId, models, settings, videos,
};

/// What is looked for and what is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoOptions {
    /// How everything is found on the first frame. By default from a grid of 32 points a side on
    /// the whole frame to ever finer ones on 4 and 16 crops of it.
    pub generator: MaskGeneratorOptions,
    /// At most so many objects are tracked; by default 64.
    pub max_objects: NonZeroUsize,
    /// Mean area on the frames where it is visible, in pixels; by default 100.
    pub min_area: f64,
    /// Mean stability on these frames, 0..=1; by default 0.85.
    pub min_stability: f32,
    /// Share of the frames on which it is visible, 0..=1; by default 0.1.
    pub min_visible: f64,
    /// Mean IoU with a masklet that is more stable, on the frames where both are visible, 0..=1;
    /// by default 0.7.
    pub max_overlap: f64,
}

impl Default for AutoOptions {
    fn default() -> Self {
        Self {
            generator: MaskGeneratorOptions {
                crop_n_layers: 2,
                crop_n_points_downscale_factor: 2,
                ..MaskGeneratorOptions::default()
            },
            max_objects: const { NonZeroUsize::new(64).unwrap() },
            min_area: 100.0,
            min_stability: 0.85,
            min_visible: 0.1,
            max_overlap: 0.7,
        }
    }
}

impl AutoOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] for the first that is not.
    pub fn check(&self) -> Result<()> {
        self.generator.check()?;
        let shares = [
            ("min_stability", f64::from(self.min_stability)),
            ("min_visible", self.min_visible),
            ("max_overlap", self.max_overlap),
        ];
        for (what, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(EngineError::bad_value(what, share, "0 to 1 is accepted"));
            }
        }
        if !(self.min_area >= 0.0 && self.min_area.is_finite()) {
            return Err(EngineError::bad_value(
                "min_area",
                self.min_area,
                "0 or more is accepted",
            ));
        }
        Ok(())
    }
}

/// A masklet that a model found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundMasklet {
    /// On each frame.
    pub frames: Vec<FoundMask>,
}

/// The mask of an object that was found, on one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundMask {
    /// The mask; empty where the object is hidden.
    pub mask: Rle,
    /// The logit of the object's being in the picture.
    pub occlusion_score: f32,
    /// How little the mask depends on the threshold.
    pub stability_score: f32,
}

impl FoundMask {
    fn of(object: &ObjectMask) -> Self {
        Self {
            mask: Rle::encode(&object.mask()),
            occlusion_score: object.object_score,
            stability_score: stability_score(&object.low_res_logits, 0.0, 1.0),
        }
    }
}

/// What was found in a video.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What is kept, the most stable first.
    pub masklets: Vec<FoundMasklet>,
    /// What is not.
    pub dropped: Dropped,
}

/// How many masklets were not kept, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Their masks depend on the threshold.
    pub unstable: usize,
    /// They are too small.
    pub small: usize,
    /// They are visible on too few frames.
    pub hidden: usize,
    /// They are another one over again.
    pub repeated: usize,
}

/// Finds everything on the first frame of a video and tracks it. `tracked` is called with the
/// number of frames so far; the search ends, with `None`, when it says so by returning `false`.
///
/// # Errors
/// If an option is out of its range, or a frame cannot be read.
pub fn find(
    model: &Model,
    source: &mut dyn FrameSource,
    options: &AutoOptions,
    tracked: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Found>> {
    options.check()?;
    let generator = MaskGenerator::with_options(model, options.generator.clone())?;
    let discovery = DiscoveryOptions {
        every: None,
        max_objects: Some(options.max_objects),
        ..DiscoveryOptions::default()
    };
    let mut tracker = EverythingTracker::new(model, generator, discovery)?;
    let mut masklets: BTreeMap<ObjectId, Vec<FoundMask>> = BTreeMap::new();
    for (index, picture) in Frames::from(source, 0).enumerate() {
        let frame = tracker.push(picture?)?;
        for object in &frame.result.objects {
            masklets
                .entry(object.id)
                .or_default()
                .push(FoundMask::of(object));
        }
        if !tracked(index + 1) {
            return Ok(None);
        }
    }
    let all = masklets
        .into_values()
        .map(|frames| FoundMasklet { frames })
        .collect();
    Ok(Some(filter(all, options)))
}

/// What a masklet is like on the frames where it is visible.
struct Quality {
    stability: f32,
    area: f64,
    /// Share of all frames.
    visible: f64,
}

impl Quality {
    fn of(masklet: &FoundMasklet) -> Self {
        let all = masklet.frames.len().max(1);
        let visible: Vec<&FoundMask> = masklet
            .frames
            .iter()
            .filter(|frame| frame.mask.area() > 0)
            .collect();
        let count = visible.len().max(1);
        let area: u64 = visible.iter().map(|frame| frame.mask.area()).sum();
        let stability: f32 = visible.iter().map(|frame| frame.stability_score).sum();
        Self {
            stability: stability / count as f32,
            area: area as f64 / count as f64,
            visible: visible.len() as f64 / all as f64,
        }
    }
}

/// Drops what is hardly seen, unstable, too small, or there twice.
fn filter(masklets: Vec<FoundMasklet>, options: &AutoOptions) -> Found {
    let mut dropped = Dropped::default();
    let mut rated: Vec<(Quality, FoundMasklet)> = Vec::new();
    for masklet in masklets {
        let quality = Quality::of(&masklet);
        if quality.visible == 0.0 || quality.visible < options.min_visible {
            dropped.hidden += 1;
        } else if quality.stability < options.min_stability {
            dropped.unstable += 1;
        } else if quality.area < options.min_area {
            dropped.small += 1;
        } else {
            rated.push((quality, masklet));
        }
    }
    rated.sort_by(|(a, _), (b, _)| b.stability.total_cmp(&a.stability));
    let mut kept: Vec<FoundMasklet> = Vec::new();
    for (_, masklet) in rated {
        let repeats =
            |other| mean_iou(&masklet, other).is_some_and(|iou| iou > options.max_overlap);
        if kept.iter().any(repeats) {
            dropped.repeated += 1;
        } else {
            kept.push(masklet);
        }
    }
    Found {
        masklets: kept,
        dropped,
    }
}

/// The mean IoU over the frames on which both are visible; `None` if there are none.
fn mean_iou(a: &FoundMasklet, b: &FoundMasklet) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0;
    for (a, b) in a.frames.iter().zip(&b.frames) {
        let (of_a, of_b) = (a.mask.area(), b.mask.area());
        if of_a == 0 || of_b == 0 {
            continue;
        }
        count += 1;
        // Masks whose boxes are apart need no look at the pixels.
        if boxes_touch(&a.mask, &b.mask) {
            let shared = BitMask::from(&a.mask).shared_area(&BitMask::from(&b.mask));
            sum += shared as f64 / (of_a + of_b - shared) as f64;
        }
    }
    (count > 0).then(|| sum / f64::from(count))
}

fn boxes_touch(a: &Rle, b: &Rle) -> bool {
    match (a.bounding_box(), b.bounding_box()) {
        (Some(a), Some(b)) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1,
        _ => false,
    }
}

impl Project {
    /// Sends masklets that a model found to verification, a task for each, by an owner.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if a mask does not fit the video; [`EngineError::Unknown`],
    /// [`EngineError::Forbidden`].
    pub fn add_auto_masklets(
        &self,
        user: UserId,
        video: VideoId,
        found: &Found,
        model: &ModelFacts,
    ) -> Result<Done<Vec<(TaskId, MaskletId)>>> {
        self.rehearse(user, |change| {
            change.author()?.must_own("add automatic masklets")
        })?;
        // Each masklet has files of its own: its player reads no others.
        let places = found.masklets.iter().map(|masklet| {
            self.masks()
                .write(masklet.frames.iter().map(|frame| &frame.mask))
        });
        let places = places.collect::<Result<Vec<_>>>()?;
        self.change(user, |change| {
            change.author()?.must_own("add automatic masklets")?;
            let known = videos::read(change, video)?;
            let step = known.annotation_step(settings::read(change)?.annotation_rate);
            let model_id = models::known(change, model)?;
            let new = NewMasklet::default();
            let mut added = Vec::new();
            for (masklet, places) in found.masklets.iter().zip(&places) {
                // What is unsatisfactory is repaired with the full model.
                let phase = Phase::Interactive;
                let task = tasks::insert_task(change, video, phase, step, TaskState::Verify)?;
                let id = tasks::insert_masklet(
                    change,
                    &MaskletRow {
                        task,
                        video,
                        number: None,
                        kind: Kind::Auto,
                        new: &new,
                        state: MaskletState::Submitted,
                        model: Some(model_id),
                        edited_before: 0,
                    },
                )?;
                let updates = updates_of(id, masklet);
                for update in &updates {
                    update.check_fits(&known)?;
                }
                frames::write(change, &updates, places)?;
                added.push((task, id));
            }
            let action = Action::AutoMasklets {
                video: known.name,
                masklets: added.len(),
                model: models::read(change, model_id)?.name,
            };
            Ok((added, Scope::Video(video), action))
        })
    }
}

fn updates_of(id: MaskletId, masklet: &FoundMasklet) -> Vec<MaskUpdate> {
    let frames = masklet.frames.iter().zip(0u32..);
    frames
        .map(|(found, frame)| MaskUpdate {
            occlusion_score: Some(found.occlusion_score),
            stability_score: Some(found.stability_score),
            ..MaskUpdate::new(id, frame, found.mask.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use masklet_media::Mask;

    use super::*;

    /// Columns `x0..x1` of a picture of 20 by 10, on one frame.
    fn columns(x0: u32, x1: u32, stability_score: f32) -> FoundMask {
        let mask = Mask::from_fn(20, 10, |x, _| (x0..x1).contains(&x));
        FoundMask {
            mask: Rle::encode(&mask),
            occlusion_score: 1.0,
            stability_score,
        }
    }

    fn masklet(frames: &[FoundMask]) -> FoundMasklet {
        FoundMasklet {
            frames: frames.to_vec(),
        }
    }

    fn options() -> AutoOptions {
        AutoOptions {
            min_area: 20.0,
            min_visible: 0.5,
            ..AutoOptions::default()
        }
    }

    #[test]
    fn what_is_unstable_small_hidden_or_repeated_is_dropped() {
        let hidden = columns(0, 0, 0.0);
        let good = masklet(&[columns(0, 10, 0.95), columns(0, 10, 0.95)]);
        let again = masklet(&[columns(0, 9, 0.9), columns(1, 10, 0.9)]);
        let found = filter(
            vec![
                again,
                good.clone(),
                masklet(&[columns(12, 20, 0.5), columns(12, 20, 0.9)]),
                masklet(&[columns(12, 13, 0.9), columns(12, 13, 0.9)]),
                masklet(&[columns(12, 20, 0.9), hidden.clone(), hidden]),
            ],
            &options(),
        );
        assert_eq!(found.masklets, [good]);
        let each = Dropped {
            unstable: 1,
            small: 1,
            hidden: 1,
            repeated: 1,
        };
        assert_eq!(found.dropped, each);
    }

    #[test]
    fn masklets_that_are_never_seen_together_do_not_repeat_each_other() {
        let hidden = columns(0, 0, 0.0);
        let first = masklet(&[columns(0, 10, 0.9), hidden.clone()]);
        let second = masklet(&[hidden, columns(0, 10, 0.9)]);
        assert_eq!(mean_iou(&first, &second), None);
        assert_eq!(filter(vec![first, second], &options()).masklets.len(), 2);
    }

    #[test]
    fn a_masklet_that_is_never_visible_is_dropped_whatever_the_options() {
        let options = AutoOptions {
            min_visible: 0.0,
            min_stability: 0.0,
            min_area: 0.0,
            ..options()
        };
        let found = filter(vec![masklet(&[columns(0, 0, 0.0)])], &options);
        assert_eq!(found.dropped.hidden, 1);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for options in [
            AutoOptions {
                min_stability: f32::NAN,
                ..AutoOptions::default()
            },
            AutoOptions {
                min_area: -1.0,
                ..AutoOptions::default()
            },
            AutoOptions {
                max_overlap: 1.5,
                ..AutoOptions::default()
            },
        ] {
            assert!(matches!(options.check(), Err(EngineError::BadValue { .. })));
        }
    }
}
