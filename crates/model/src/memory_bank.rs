//! The memory bank: what is remembered of one object, and which of it a frame attends to
//! (paper, section 4, "Memory bank").

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use crate::config::MemoryConfig;

/// What is remembered of an object (or a batch of objects) on one frame.
#[derive(Debug, Clone)]
pub struct MemoryEntry {
    /// The memory encoder's output, `[batch, grid·grid, memory_dim]`.
    pub spatial: Tensor<3>,
    /// The object pointer, `[batch, hidden_dim]`.
    pub pointer: Tensor<2>,
}

/// The order in which frames are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// From earlier to later frames.
    #[default]
    Forward,
    /// From later to earlier frames.
    Backward,
}

impl Direction {
    /// The frame `distance` steps before `frame` in this order, if there is one.
    fn back(self, frame: usize, distance: usize) -> Option<usize> {
        match self {
            Self::Forward => frame.checked_sub(distance),
            Self::Backward => frame.checked_add(distance),
        }
    }

    /// Whether `other` comes before `frame` in this order, or is it.
    fn reached(self, frame: usize, other: usize) -> bool {
        match self {
            Self::Forward => other <= frame,
            Self::Backward => other >= frame,
        }
    }

    /// How far `frame` lies behind `other` in this order; negative where `other` comes later.
    fn signed_distance(self, frame: usize, other: usize) -> f32 {
        let distance = frame as f32 - other as f32;
        match self {
            Self::Forward => distance,
            Self::Backward => -distance,
        }
    }
}

/// The memories of one object. `E` is what is kept for a frame.
#[derive(Debug, Clone)]
pub struct MemoryBank<E = MemoryEntry> {
    conditioning: BTreeMap<usize, E>,
    recent: BTreeMap<usize, E>,
}

impl<E> Default for MemoryBank<E> {
    fn default() -> Self {
        Self {
            conditioning: BTreeMap::new(),
            recent: BTreeMap::new(),
        }
    }
}

/// A spatial memory and how old it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpatialMemory<'a, E> {
    /// 0 for a conditioning frame, else how many steps back the memory lies: 1 is the frame just
    /// before, up to `num_maskmem - 1`.
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
    /// Spatial memories: conditioning frames by time, then recent frames, oldest first.
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
    /// Remembers a prompted frame; replaces whatever was known of it.
    pub fn insert_conditioning(&mut self, frame: usize, entry: E) {
        self.recent.remove(&frame);
        self.conditioning.insert(frame, entry);
    }

    /// Remembers a tracked frame, unless it is a conditioning frame.
    pub fn insert_recent(&mut self, frame: usize, entry: E) {
        if !self.conditioning.contains_key(&frame) {
            self.recent.insert(frame, entry);
        }
    }

    /// The memory of `frame` if it is a conditioning frame.
    pub fn conditioning(&self, frame: usize) -> Option<&E> {
        self.conditioning.get(&frame)
    }

    /// The memory of `frame`, prompted or tracked.
    pub fn get(&self, frame: usize) -> Option<&E> {
        self.conditioning
            .get(&frame)
            .or_else(|| self.recent.get(&frame))
    }

    /// The conditioning frames, in order of time.
    pub fn conditioning_frames(&self) -> impl Iterator<Item = usize> {
        self.conditioning.keys().copied()
    }

    /// Makes a conditioning frame an ordinary one, as when its prompts are removed. Returns
    /// whether it was one.
    pub fn demote(&mut self, frame: usize) -> bool {
        let entry = self.conditioning.remove(&frame);
        let was_conditioning = entry.is_some();
        self.recent.extend(entry.map(|entry| (frame, entry)));
        was_conditioning
    }

    /// Forgets the tracked frames near `frame`, whose memories may be outdated by a correction.
    pub fn forget_around(&mut self, frame: usize, config: &MemoryConfig) {
        let reach = config.temporal_stride * config.num_maskmem;
        self.recent.retain(|&t, _| t.abs_diff(frame) > reach);
    }

    /// Forgets tracked frames that no frame from `frame` on will attend to, so that the bank's
    /// size does not grow with the video. Conditioning frames stay.
    pub fn forget_unreachable(
        &mut self,
        frame: usize,
        direction: Direction,
        config: &MemoryConfig,
    ) {
        let spatial = config.temporal_stride * config.num_maskmem;
        let reach = spatial.max(config.max_object_pointers);
        self.recent
            .retain(|&t, _| !direction.reached(frame, t) || t.abs_diff(frame) <= reach);
    }

    /// How many frames are remembered.
    pub fn len(&self) -> usize {
        self.conditioning.len() + self.recent.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

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
    ) -> Selection<'_, E> {
        let near = self.nearest_conditioning(frame, config.max_conditioning_frames);
        // A conditioning frame over the limit still counts as a recent frame.
        let recent = |t: usize| {
            let demoted = || self.conditioning.get(&t).filter(|_| !near.contains(&t));
            self.recent.get(&t).or_else(demoted)
        };
        let conditioning = || near.iter().map(|&t| (t, &self.conditioning[&t]));

        let from_conditioning = conditioning().map(|(_, entry)| SpatialMemory { age: 0, entry });
        let from_recent = (1..config.num_maskmem).rev().filter_map(|age| {
            let t = recent_frame(frame, age, direction, config.temporal_stride)?;
            Some(SpatialMemory {
                age,
                entry: recent(t)?,
            })
        });

        let limit = video_length.map_or(config.max_object_pointers, |length| {
            length.min(config.max_object_pointers)
        });
        // Pointers of conditioning frames that lie ahead would distract at the start.
        let pointers_conditioning = conditioning()
            .filter(|&(t, _)| direction.reached(frame, t))
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
            spatial: from_conditioning.chain(from_recent).collect(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    fn config() -> MemoryConfig {
        Preset::ALL[4].config().memory
    }

    fn bank(conditioning: &[usize], recent: impl IntoIterator<Item = usize>) -> MemoryBank<usize> {
        let mut bank = MemoryBank::default();
        for &t in conditioning {
            bank.insert_conditioning(t, t);
        }
        for t in recent {
            bank.insert_recent(t, t);
        }
        bank
    }

    fn spatial(selection: &Selection<'_, usize>) -> Vec<(usize, usize)> {
        selection
            .spatial
            .iter()
            .map(|m| (m.age, *m.entry))
            .collect()
    }

    fn pointers(selection: &Selection<'_, usize>) -> Vec<(f32, usize)> {
        selection
            .pointers
            .iter()
            .map(|m| (m.distance, *m.entry))
            .collect()
    }

    #[test]
    fn the_six_frames_before_and_the_prompted_frame_are_attended_to() {
        let bank = bank(&[0], 1..20);
        let selection = bank.select(20, Direction::Forward, None, &config());
        let expected = [(0, 0), (6, 14), (5, 15), (4, 16), (3, 17), (2, 18), (1, 19)];
        assert_eq!(spatial(&selection), expected);
        assert_eq!(pointers(&selection)[0], (20.0, 0));
        assert_eq!(pointers(&selection).len(), 16);
        assert_eq!(selection.max_distance, 15.0);
    }

    #[test]
    fn backward_tracking_looks_at_later_frames() {
        let bank = bank(&[9], 3..9);
        let selection = bank.select(2, Direction::Backward, Some(10), &config());
        let expected = [(0, 9), (6, 8), (5, 7), (4, 6), (3, 5), (2, 4), (1, 3)];
        assert_eq!(spatial(&selection), expected);
        assert_eq!(pointers(&selection)[..2], [(7.0, 9), (1.0, 3)]);
        assert_eq!(selection.max_distance, 9.0);
    }

    #[test]
    fn pointers_of_prompted_frames_ahead_are_left_out_but_their_memories_are_not() {
        let bank = bank(&[0, 8], 1..4);
        let selection = bank.select(4, Direction::Forward, None, &config());
        assert_eq!(spatial(&selection)[..2], [(0, 0), (0, 8)]);
        let pointers = pointers(&selection);
        assert_eq!(pointers, [(4.0, 0), (1.0, 3), (2.0, 2), (3.0, 1)]);
    }

    #[test]
    fn over_the_limit_the_nearest_prompted_frames_are_kept_and_near_others_count_as_recent() {
        let config = MemoryConfig {
            max_conditioning_frames: Some(2),
            ..config()
        };
        let bank = bank(&[0, 3, 4, 9], []);
        let selection = bank.select(5, Direction::Forward, None, &config);
        // 4 is the nearest before and 9 the nearest after; 3 lies two frames back, 0 five.
        assert_eq!(spatial(&selection), [(0, 4), (0, 9), (5, 0), (2, 3)]);
    }

    #[test]
    fn with_a_stride_recent_frames_lie_on_its_multiples_and_the_last_frame_is_always_there() {
        let config = MemoryConfig {
            temporal_stride: 3,
            num_maskmem: 4,
            ..config()
        };
        let bank = bank(&[0], 1..20);
        let forward = bank.select(12, Direction::Forward, None, &config);
        assert_eq!(spatial(&forward), [(0, 0), (3, 6), (2, 9), (1, 11)]);
        let backward = bank.select(5, Direction::Backward, None, &config);
        assert_eq!(spatial(&backward), [(0, 0), (3, 12), (2, 9), (1, 6)]);
    }

    #[test]
    fn a_bank_that_forgets_has_the_same_selection_and_a_bounded_size() {
        for stride in [1, 5] {
            let config = MemoryConfig {
                temporal_stride: stride,
                ..config()
            };
            let mut all = bank(&[0], []);
            let mut bounded = bank(&[0], []);
            for frame in 1..200 {
                let select = |bank: &MemoryBank<usize>| {
                    let s = bank.select(frame, Direction::Forward, None, &config);
                    (spatial(&s), pointers(&s))
                };
                assert_eq!(select(&bounded), select(&all));
                all.insert_recent(frame, frame);
                bounded.insert_recent(frame, frame);
                bounded.forget_unreachable(frame, Direction::Forward, &config);
                assert!(bounded.len() < 40);
            }
        }
    }

    #[test]
    fn a_demoted_frame_is_remembered_as_an_ordinary_one() {
        let mut bank = bank(&[0, 5], []);
        assert!(bank.demote(5) && !bank.demote(5));
        assert_eq!(bank.conditioning_frames().collect::<Vec<_>>(), [0]);
        assert_eq!(bank.get(5), Some(&5));
    }

    #[test]
    fn a_correction_can_clear_the_memories_around_it() {
        let mut bank = bank(&[10], (0..30).filter(|&t| t != 10));
        bank.forget_around(10, &config());
        assert_eq!(bank.get(3), None);
        assert_eq!(bank.get(17), None);
        assert_eq!(
            (bank.get(2), bank.get(18), bank.get(10)),
            (Some(&2), Some(&18), Some(&10))
        );
    }
}
