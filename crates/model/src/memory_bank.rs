//! The memory bank: what is remembered of one object, and which of it a frame attends to
//! (paper, section 4, "Memory bank").

mod selection;

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::config::MemoryConfig;
pub use selection::{PointerMemory, RecentChoice, Selection, SpatialMemory};

/// What is remembered of an object (or a batch of objects) on one frame.
#[derive(Debug, Clone)]
pub struct MemoryEntry {
    /// The memory encoder's output, `[batch, grid·grid, memory_dim]`.
    pub spatial: Tensor<3>,
    /// The object pointer, `[batch, hidden_dim]`.
    pub pointer: Tensor<2>,
}

/// The order in which frames are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
    /// Tracked frames that are attended to however old they are.
    anchors: BTreeMap<usize, E>,
}

impl<E> Default for MemoryBank<E> {
    fn default() -> Self {
        Self {
            conditioning: BTreeMap::new(),
            recent: BTreeMap::new(),
            anchors: BTreeMap::new(),
        }
    }
}

impl<E> MemoryBank<E> {
    /// Remembers a prompted frame; replaces whatever was known of it.
    pub fn insert_conditioning(&mut self, frame: usize, entry: E) {
        self.recent.remove(&frame);
        self.anchors.remove(&frame);
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
        self.anchors.retain(|&t, _| t.abs_diff(frame) > reach);
    }

    /// Forgets tracked frames that are more than `reach` frames from `frame`, so that the bank's size
    /// is bounded whichever way is tracked next. Conditioning frames and anchors stay.
    pub fn forget_beyond(&mut self, frame: usize, reach: usize) {
        self.recent.retain(|&t, _| t.abs_diff(frame) <= reach);
    }

    /// Forgets tracked frames that no frame from `frame` on will attend to, so that the bank's
    /// size does not grow with the video. Conditioning frames stay.
    pub fn forget_unreachable(
        &mut self,
        frame: usize,
        direction: Direction,
        config: &MemoryConfig,
        choice: RecentChoice<'_, E>,
    ) {
        let spatial = config.temporal_stride * config.num_maskmem;
        let reach = spatial.max(config.max_object_pointers);
        let worthy: Vec<usize> = match choice {
            RecentChoice::ByAge => Vec::new(),
            RecentChoice::Worthy(worthy) => self
                .behind(frame, direction)
                .filter(|(t, entry)| worthy(*t, entry))
                .map(|(t, _)| t)
                .take(config.num_maskmem)
                .collect(),
        };
        self.recent.retain(|&t, _| {
            !direction.reached(frame, t) || t.abs_diff(frame) <= reach || worthy.contains(&t)
        });
    }

    /// Forgets the oldest conditioning frames over `limit`, but never the first of all, which
    /// defines the object. Returns those forgotten.
    pub fn limit_conditioning(&mut self, limit: usize) -> Vec<usize> {
        let surplus = self.conditioning.len().saturating_sub(limit.max(1));
        let forgotten: Vec<usize> = self
            .conditioning
            .keys()
            .skip(1)
            .take(surplus)
            .copied()
            .collect();
        for frame in &forgotten {
            self.conditioning.remove(frame);
        }
        forgotten
    }

    /// Makes a tracked frame one that is attended to until `limit` newer ones have come, however
    /// old it is.
    pub fn anchor(&mut self, frame: usize, limit: usize)
    where
        E: Clone,
    {
        if let Some(entry) = self.recent.get(&frame) {
            self.anchors.insert(frame, entry.clone());
        }
        while self.anchors.len() > limit {
            self.anchors.pop_first();
        }
    }

    /// The anchors, in order of time.
    pub fn anchors(&self) -> impl Iterator<Item = (usize, &E)> {
        self.anchors.iter().map(|(&t, entry)| (t, entry))
    }

    /// Puts back an anchor that was saved.
    pub fn insert_anchor(&mut self, frame: usize, entry: E) {
        self.anchors.insert(frame, entry);
    }

    /// The conditioning frames with their memories, in order of time.
    pub fn conditioning_entries(&self) -> impl Iterator<Item = (usize, &E)> {
        self.conditioning.iter().map(|(&t, entry)| (t, entry))
    }

    /// The tracked frames with their memories, in order of time.
    pub fn recent_entries(&self) -> impl Iterator<Item = (usize, &E)> {
        self.recent.iter().map(|(&t, entry)| (t, entry))
    }

    /// Tracked frames that come before `frame` in the given direction, or are it; nearest first.
    fn behind(
        &self,
        frame: usize,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = (usize, &E)> + '_> {
        let pair = |(&t, entry)| (t, entry);
        match direction {
            Direction::Forward => Box::new(self.recent.range(..=frame).rev().map(pair)),
            Direction::Backward => Box::new(self.recent.range(frame..).map(pair)),
        }
    }

    /// How many frames are remembered.
    pub fn len(&self) -> usize {
        self.conditioning.len() + self.recent.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
