//! What is known of a masklet on each frame.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use masklet_media::Rle;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use crate::history::Action;
use crate::masks::MaskPlace;
use crate::project::Change;
use crate::tasks::{self, Task};
use crate::videos::{self, Video};
use crate::{
    Done, EngineError, EventId, MaskletId, ModelFacts, Phase, Project, Result, Scope, TaskId,
    UserId, models,
};

/// What a model was shown of an object on a frame. Coordinates are pixels of the video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Prompt {
    /// A click on the object, or beside it.
    Click {
        /// Across.
        x: f32,
        /// Down.
        y: f32,
        /// Whether it is on the object.
        positive: bool,
    },
    /// A box around the object: opposite corners.
    Box {
        /// Left.
        x0: f32,
        /// Top.
        y0: f32,
        /// Right.
        x1: f32,
        /// Bottom.
        y1: f32,
    },
    /// The frame's own mask, as it was drawn.
    Mask,
}

/// A masklet on one frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrameEntry {
    /// Which frame of the video, from 0.
    pub frame: u32,
    /// Where the mask is: [`Project::read_masks`] reads it.
    pub mask: MaskPlace,
    /// Pixels of the mask; 0 where the object is occluded or out of the picture.
    pub area: u64,
    /// Left, top, width and height in pixels; zeros for an empty mask.
    pub bbox: [u32; 4],
    /// The model's logit of the object's being in the picture, where a model made the mask.
    pub occlusion_score: Option<f32>,
    /// How little the mask depends on the threshold, in 0..=1, where a model made it.
    pub stability_score: Option<f32>,
    /// What the model was shown on this frame.
    pub prompts: Vec<Prompt>,
    /// Whether it was ever shown anything on this frame.
    pub prompted: bool,
    /// Whether somebody ever changed the mask itself: with brush, eraser or polygon.
    pub edited: bool,
    /// Clicks that were made on this frame.
    pub clicks: u64,
    /// Time that was spent on this frame.
    pub milliseconds: u64,
}

impl FrameEntry {
    /// Whether any of the object is seen.
    pub fn visible(&self) -> bool {
        self.area > 0
    }

    /// Whether a person had a hand in it: the paper's edited frames.
    pub fn touched(&self) -> bool {
        self.prompted || self.edited
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let json = |column: usize| -> rusqlite::Result<String> { row.get(column) };
        let bad = |column: usize| {
            move |error: serde_json::Error| {
                let text = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(column, text, error.into())
            }
        };
        Ok(Self {
            frame: row.get(0)?,
            mask: MaskPlace {
                blob: row.get(1)?,
                line: row.get(2)?,
            },
            area: row.get::<_, i64>(3)? as u64,
            bbox: serde_json::from_str(&json(4)?).map_err(bad(4))?,
            occlusion_score: row.get(5)?,
            stability_score: row.get(6)?,
            prompts: serde_json::from_str(&json(7)?).map_err(bad(7))?,
            prompted: row.get(8)?,
            edited: row.get(9)?,
            clicks: row.get::<_, i64>(10)? as u64,
            milliseconds: row.get::<_, i64>(11)? as u64,
        })
    }
}

const FRAMES: &str = "SELECT frame, blob, line, area, bbox, occlusion_score, stability_score,
    prompts, prompted, edited, clicks, milliseconds FROM frames";

/// A masklet's frames, ascending.
pub(crate) fn of_masklet(connection: &Connection, masklet: MaskletId) -> Result<Vec<FrameEntry>> {
    let query = format!("{FRAMES} WHERE masklet = ?1 ORDER BY frame");
    let mut statement = connection.prepare(&query)?;
    let frames = statement.query_map([masklet], FrameEntry::of)?;
    Ok(frames.collect::<rusqlite::Result<_>>()?)
}

/// A new mask of an object on a frame, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskUpdate {
    /// Which object.
    pub masklet: MaskletId,
    /// Which frame, from 0.
    pub frame: u32,
    /// Its mask, of the video's size.
    pub mask: Rle,
    /// The model's logit of the object's being in the picture, if a model made the mask.
    #[serde(default)]
    pub occlusion_score: Option<f32>,
    /// How little the mask depends on the threshold, if a model made it.
    #[serde(default)]
    pub stability_score: Option<f32>,
    /// All that the model was shown of the object on this frame; without it, what it was shown
    /// before stays.
    #[serde(default)]
    pub prompts: Option<Vec<Prompt>>,
    /// Whether somebody changed the mask itself.
    #[serde(default)]
    pub edited: bool,
    /// Clicks that were made on this frame since the last update.
    #[serde(default)]
    pub clicks: u32,
    /// Time that was spent on this frame since then.
    #[serde(default)]
    pub milliseconds: u32,
}

impl MaskUpdate {
    /// A mask that nobody had a hand in.
    pub fn new(masklet: MaskletId, frame: u32, mask: Rle) -> Self {
        Self {
            masklet,
            frame,
            mask,
            occlusion_score: None,
            stability_score: None,
            prompts: None,
            edited: false,
            clicks: 0,
            milliseconds: 0,
        }
    }

    /// Whether somebody prompted or edited it.
    pub fn touched(&self) -> bool {
        self.edited
            || self
                .prompts
                .as_ref()
                .is_some_and(|prompts| !prompts.is_empty())
    }

    /// Refuses a mask that is not one of the video's.
    pub(crate) fn check_fits(&self, video: &Video) -> Result<()> {
        if self.frame >= video.frames {
            let accepted = format!("{} has frames 0 to {}", video.name, video.frames - 1);
            return Err(EngineError::bad_value("the frame", self.frame, accepted));
        }
        let (width, height) = video.dimensions();
        if (self.mask.width(), self.mask.height()) != (width, height) {
            let found = format!("{}x{} pixels", self.mask.width(), self.mask.height());
            let accepted = format!("the video's size {width}x{height} is accepted");
            return Err(EngineError::bad_value("the mask's size", found, accepted));
        }
        let scores = [self.occlusion_score, self.stability_score];
        if scores.into_iter().flatten().any(|score| !score.is_finite()) {
            let found = format!("{scores:?}");
            return Err(EngineError::bad_value(
                "a score",
                found,
                "finite numbers are accepted",
            ));
        }
        Ok(())
    }

    fn check(&self, video: &Video, phase: Phase) -> Result<()> {
        self.check_fits(video)?;
        if phase == Phase::PerFrame && !self.touched() {
            return Err(EngineError::bad_value(
                "a mask in phase 1",
                "neither prompted nor edited",
                "nothing is tracked in phase 1: prompt or edit each frame, or change the phase",
            ));
        }
        Ok(())
    }
}

/// Left, top, width and height of a mask; zeros if it is empty.
pub(crate) fn bbox(mask: &Rle) -> [u32; 4] {
    mask.bounding_box()
        .map_or([0; 4], |bounds| bounds.to_coco())
}

/// Writes frames whose masks are in the project's files already, at `places`.
pub(crate) fn write(
    change: &Change<'_>,
    updates: &[MaskUpdate],
    places: &[MaskPlace],
) -> Result<()> {
    let mut statement = change.prepare(
        "INSERT INTO frames (masklet, frame, blob, line, area, bbox, occlusion_score,
             stability_score, prompts, prompted, edited, clicks, milliseconds)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?9, '[]'), ?10, ?11, ?12, ?13)
         ON CONFLICT (masklet, frame) DO UPDATE SET
             blob = excluded.blob, line = excluded.line, area = excluded.area,
             bbox = excluded.bbox, occlusion_score = excluded.occlusion_score,
             stability_score = excluded.stability_score, prompts = coalesce(?9, prompts),
             prompted = prompted OR excluded.prompted, edited = edited OR excluded.edited,
             clicks = clicks + excluded.clicks,
             milliseconds = milliseconds + excluded.milliseconds",
    )?;
    for (update, place) in updates.iter().zip(places) {
        let prompts = update.prompts.as_ref();
        let prompted = prompts.is_some_and(|prompts| !prompts.is_empty());
        let text = |value: &Vec<Prompt>| serde_json::to_string(value).expect("plain data");
        let bbox = serde_json::to_string(&bbox(&update.mask)).expect("plain data");
        statement.execute(rusqlite::params![
            update.masklet,
            update.frame,
            place.blob,
            place.line,
            update.mask.area() as i64,
            bbox,
            update.occlusion_score,
            update.stability_score,
            prompts.map(text),
            prompted,
            update.edited,
            update.clicks,
            update.milliseconds,
        ])?;
    }
    Ok(())
}

/// What an update of several frames comes to, for the history.
fn action_of(updates: &[MaskUpdate], phase: Phase, propagation: Option<EventId>) -> Action {
    let masklets: BTreeSet<MaskletId> = updates.iter().map(|update| update.masklet).collect();
    Action::Annotate {
        masklets: masklets.into_iter().collect(),
        frames: updates.len(),
        edited: updates.iter().filter(|update| update.touched()).count(),
        clicks: updates.iter().map(|update| u64::from(update.clicks)).sum(),
        milliseconds: updates
            .iter()
            .map(|update| u64::from(update.milliseconds))
            .sum(),
        phase,
        propagation,
    }
}

impl Project {
    /// A masklet's frames, ascending.
    ///
    /// # Errors
    /// [`EngineError::Unknown`].
    pub fn frames(&self, masklet: MaskletId) -> Result<Vec<FrameEntry>> {
        self.read(|now| {
            tasks::read_masklet(now, masklet)?;
            of_masklet(now, masklet)
        })
    }

    /// A masklet's frames within a range, ascending.
    ///
    /// # Errors
    /// [`EngineError::Unknown`].
    pub fn frames_within(
        &self,
        masklet: MaskletId,
        range: RangeInclusive<u32>,
    ) -> Result<Vec<FrameEntry>> {
        self.read(|now| {
            tasks::read_masklet(now, masklet)?;
            let query =
                format!("{FRAMES} WHERE masklet = ?1 AND frame BETWEEN ?2 AND ?3 ORDER BY frame");
            let mut query = now.prepare(&query)?;
            let found = query.query_map((masklet, range.start(), range.end()), FrameEntry::of)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// A masklet on one frame, if it has a mask there.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn frame(&self, masklet: MaskletId, frame: u32) -> Result<Option<FrameEntry>> {
        self.read(|now| {
            let query = format!("{FRAMES} WHERE masklet = ?1 AND frame = ?2");
            Ok(now
                .query_row(&query, (masklet, frame), FrameEntry::of)
                .optional()?)
        })
    }

    /// Writes new masks of a task's objects as one action: a click's, or a stroke's. `model` is the one that had a part in them. The masks are on the disk before the
    /// database is locked.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] for a frame or mask that does not fit the video, or a mask of
    /// phase 1 that nobody made; [`EngineError::WrongState`], [`EngineError::NotHeld`],
    /// [`EngineError::Stale`], [`EngineError::Unknown`], [`EngineError::Forbidden`].
    pub fn annotate(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        updates: &[MaskUpdate],
        model: Option<&ModelFacts>,
    ) -> Result<Done<()>> {
        self.store_masks(user, task, seen, updates, model, None)
    }

    /// Writes what a propagation found as one action of several that belong together. `propagation`
    /// is the task's revision that it began at.
    ///
    /// # Errors
    /// As [`annotate`](Self::annotate).
    pub fn save_propagated(
        &self,
        user: UserId,
        task: TaskId,
        seen: EventId,
        updates: &[MaskUpdate],
        model: &ModelFacts,
        propagation: EventId,
    ) -> Result<Done<()>> {
        let seen = Some(seen);
        self.store_masks(user, task, seen, updates, Some(model), Some(propagation))
    }

    fn store_masks(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        updates: &[MaskUpdate],
        model: Option<&ModelFacts>,
        propagation: Option<EventId>,
    ) -> Result<Done<()>> {
        let checked = |change: &Change<'_>| {
            let known = tasks::to_annotate(change, task, seen, "annotate")?;
            check_updates(change, &known, updates)?;
            Ok(known)
        };
        // Who may not annotate leaves nothing on the disk.
        self.rehearse(user, checked)?;
        let places = self
            .masks()
            .write(updates.iter().map(|update| &update.mask))?;
        self.change(user, |change| {
            // It may have changed meanwhile.
            let known = checked(change)?;
            write(change, updates, &places)?;
            let action = action_of(updates, known.phase, propagation);
            if let (Some(model), Action::Annotate { masklets, .. }) = (model, &action) {
                let model = models::known(change, model)?;
                for masklet in masklets {
                    // Only where it is another one: an unchanged row is no change.
                    change.execute(
                        "UPDATE masklets SET model = ?2 WHERE id = ?1 AND model IS NOT ?2",
                        (masklet, model),
                    )?;
                }
            }
            Ok(((), Scope::Task(task), action))
        })
    }

    /// Whether [`annotate`](Self::annotate) would take masks of these objects now; the task as it is.
    /// For programs that compute before they write.
    ///
    /// # Errors
    /// As [`annotate`](Self::annotate).
    pub fn check_annotate(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        masklets: &[MaskletId],
    ) -> Result<Task> {
        self.rehearse(user, |change| {
            let known = tasks::to_annotate(change, task, seen, "annotate")?;
            for &masklet in masklets {
                tasks::must_be_open(known.masklet(masklet)?)?;
            }
            Ok(known)
        })
    }

    /// Removes the masks of an object on some frames; those without one are passed over.
    ///
    /// # Errors
    /// As [`annotate`](Self::annotate).
    pub fn erase(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        masklet: MaskletId,
        frames: &[u32],
    ) -> Result<Done<()>> {
        self.change(user, |change| {
            let known = tasks::to_annotate(change, task, seen, "erase masks")?;
            tasks::must_be_open(known.masklet(masklet)?)?;
            let mut erased = 0;
            for frame in frames {
                erased += change.execute(
                    "DELETE FROM frames WHERE masklet = ?1 AND frame = ?2",
                    (masklet, frame),
                )?;
            }
            Ok((
                (),
                Scope::Task(task),
                Action::Erase {
                    masklet,
                    frames: erased,
                },
            ))
        })
    }
}

fn check_updates(change: &Change<'_>, task: &Task, updates: &[MaskUpdate]) -> Result<()> {
    let video = videos::read(change, task.video)?;
    if updates.is_empty() {
        return Err(EngineError::bad_value(
            "the number of masks",
            0,
            "1 or more is accepted",
        ));
    }
    for update in updates {
        tasks::must_be_open(task.masklet(update.masklet)?)?;
        update.check(&video, task.phase)?;
    }
    Ok(())
}
