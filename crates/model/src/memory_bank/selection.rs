//! Which memories a frame attends to.

use super::{Direction, MemoryBank};
use crate::config::MemoryConfig;

/// Which tracked frames a frame attends to.
#[derive(Clone, Copy)]
pub enum RecentChoice<'p, E> {
    /// The frames just before, or every `temporal_stride`-th one: the reference.
    ByAge,
    /// The latest ones for which this holds, and the frame just before in any case. Their ages are
    /// their ranks, so that gaps do not use up the temporal positions.
    Worthy(&'p dyn Fn(usize, &E) -> bool),
}

/// A spatial memory and how old it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpatialMemory<'a, E> {
    /// 0 for a conditioning frame or an anchor, else how many steps back the memory lies: 1 is the
    /// frame just before, up to `num_maskmem - 1`.
    pub age: usize,
    /// The frame's memory.
    pub entry: &'a E,
}

/// An object pointer and its distance in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointerMemory<'a, E> {
    /// Frames from the pointer's to the current one, in the direction of tracking.
    pub distance: f32,
    /// The frame's memory.
    pub entry: &'a E,
}

/// What one frame attends to.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection<'a, E> {
    /// Spatial memories: conditioning frames by time, anchors by time, then recent frames, oldest
    /// first.
    pub spatial: Vec<SpatialMemory<'a, E>>,
    /// Object pointers: conditioning frames by time, then recent frames, latest first.
    pub pointers: Vec<PointerMemory<'a, E>>,
    /// Distances are encoded relative to this, the largest that a recent pointer can have.
    pub max_distance: f32,
}

impl<'a, E> Selection<'a, E> {
    /// The same selection, of a part of each entry.
    pub fn map<F>(self, part: impl Fn(&'a E) -> &'a F) -> Selection<'a, F> {
        Selection {
            spatial: self
                .spatial
                .into_iter()
                .map(|SpatialMemory { age, entry }| SpatialMemory {
                    age,
                    entry: part(entry),
                })
                .collect(),
            pointers: self
                .pointers
                .into_iter()
                .map(|PointerMemory { distance, entry }| PointerMemory {
                    distance,
                    entry: part(entry),
                })
                .collect(),
            max_distance: self.max_distance,
        }
    }
}

impl<E> MemoryBank<E> {
    /// The memories that `frame` attends to when it is reached in the given direction.
    ///
    /// `video_length` is `None` for a stream; with it, distances of pointers are encoded relative
    /// to the video if that is shorter than the pointer limit, as in the reference.
    pub fn select(
        &self,
        frame: usize,
        direction: Direction,
        video_length: Option<usize>,
        config: &MemoryConfig,
        choice: RecentChoice<'_, E>,
    ) -> Selection<'_, E> {
        let near = self.nearest_conditioning(frame, config.max_conditioning_frames);
        // A conditioning frame over the limit still counts as a recent frame.
        let recent = |t: usize| {
            let demoted = || self.conditioning.get(&t).filter(|_| !near.contains(&t));
            self.recent.get(&t).or_else(demoted)
        };
        let conditioning = || near.iter().map(|&t| (t, &self.conditioning[&t]));

        let from_conditioning = conditioning().map(|(_, entry)| SpatialMemory { age: 0, entry });
        let from_anchors = self
            .anchors
            .iter()
            .filter(|(t, _)| !near.contains(t))
            .map(|(_, entry)| SpatialMemory { age: 0, entry });
        let from_recent: Vec<_> = match choice {
            RecentChoice::ByAge => (1..config.num_maskmem)
                .rev()
                .filter_map(|age| {
                    let t = recent_frame(frame, age, direction, config.temporal_stride)?;
                    Some(SpatialMemory {
                        age,
                        entry: recent(t)?,
                    })
                })
                .collect(),
            RecentChoice::Worthy(worthy) => {
                let before = direction.back(frame, 1);
                let mut ranked: Vec<_> = self
                    .behind(frame, direction)
                    .filter(|&(t, entry)| {
                        t != frame
                            && !self.anchors.contains_key(&t)
                            && (Some(t) == before || worthy(t, entry))
                    })
                    .take(config.num_maskmem.saturating_sub(1 + self.anchors.len()))
                    .zip(1..)
                    .map(|((_, entry), age)| SpatialMemory { age, entry })
                    .collect();
                ranked.reverse();
                ranked
            }
        };

        let limit = video_length.map_or(config.max_object_pointers, |length| {
            length.min(config.max_object_pointers)
        });
        // Pointers of conditioning frames that lie ahead would distract at the start.
        let pointers_conditioning = conditioning()
            .filter(|&(t, _)| config.pointers_ahead || direction.reached(frame, t))
            .map(|(t, entry)| PointerMemory {
                distance: direction.signed_distance(frame, t),
                entry,
            });
        let pointers_recent = (1..limit).filter_map(|distance| {
            let entry = recent(direction.back(frame, distance)?)?;
            Some(PointerMemory {
                distance: distance as f32,
                entry,
            })
        });
        Selection {
            spatial: from_conditioning
                .chain(from_anchors)
                .chain(from_recent)
                .collect(),
            pointers: pointers_conditioning.chain(pointers_recent).collect(),
            max_distance: limit.saturating_sub(1).max(1) as f32,
        }
    }

    /// Up to `limit` conditioning frames: the closest before, the closest at or after, then the
    /// closest remaining ones; in order of time.
    fn nearest_conditioning(&self, frame: usize, limit: Option<usize>) -> Vec<usize> {
        let frames = &self.conditioning;
        let limit = match limit {
            Some(limit) if frames.len() > limit => limit,
            _ => return frames.keys().copied().collect(),
        };
        let before = frames.range(..frame).next_back().map(|(&t, _)| t);
        let after = frames.range(frame..).next().map(|(&t, _)| t);
        let mut chosen: Vec<usize> = before.into_iter().chain(after).collect();
        let mut rest: Vec<usize> = frames
            .keys()
            .copied()
            .filter(|t| !chosen.contains(t))
            .collect();
        rest.sort_by_key(|t| t.abs_diff(frame));
        chosen.extend(rest.into_iter().take(limit.saturating_sub(chosen.len())));
        chosen.sort_unstable();
        chosen
    }
}

/// The frame that provides the recent memory of the given age: the frame just before for 1, and
/// for the others every `stride`-th frame further back, on multiples of the stride.
fn recent_frame(frame: usize, age: usize, direction: Direction, stride: usize) -> Option<usize> {
    if age == 1 {
        return direction.back(frame, 1);
    }
    let further = (age - 2) * stride;
    match direction {
        Direction::Forward => (frame.checked_sub(2)? / stride * stride).checked_sub(further),
        Direction::Backward => Some((frame + 2).div_ceil(stride) * stride + further),
    }
}
