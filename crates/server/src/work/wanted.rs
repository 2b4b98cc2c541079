//! Which frames of an object a session is to know.

use masklet::Direction;
use masklet_engine::FrameEntry;

/// Which frames of an object are to be known before it is looked at on another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Frames that condition: all of phase 3 that somebody prompted or edited, or those of a range.
    pub(super) conditioning: Conditioning,
    /// The frame that is looked at next, and from where.
    pub(super) near: Option<(u32, Direction)>,
    /// A frame that is about to be prompted anew.
    pub(super) except: Option<u32>,
}

/// Which frames condition the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Conditioning {
    /// All that somebody prompted or edited; the first visible one if there are none.
    Touched,
    /// One, and those between it and another (not included) that somebody prompted or edited.
    Passed {
        /// That one.
        from: u32,
        /// The other.
        to: u32,
    },
}

impl Conditioning {
    /// Whether a frame conditions the others.
    pub(super) fn has(self, entry: &FrameEntry) -> bool {
        match self {
            Self::Touched => entry.touched(),
            Self::Passed { from, .. } => {
                entry.frame == from || (self.may_remember(entry.frame) && entry.touched())
            }
        }
    }

    /// Whether a frame may be remembered at all.
    pub(super) fn may_remember(self, frame: u32) -> bool {
        match self {
            Self::Touched => true,
            Self::Passed { from, to } => {
                (from..to).contains(&frame) || (to + 1..=from).contains(&frame)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use masklet_engine::MaskPlace;

    use super::*;

    fn entry(frame: u32, touched: bool) -> FrameEntry {
        FrameEntry {
            frame,
            mask: MaskPlace {
                blob: "ab".to_owned(),
                line: 0,
            },
            area: 1,
            bbox: [0, 0, 1, 1],
            occlusion_score: None,
            stability_score: None,
            prompts: Vec::new(),
            prompted: false,
            edited: touched,
            clicks: 0,
            milliseconds: 0,
        }
    }

    fn chosen(conditioning: Conditioning) -> Vec<u32> {
        let entries = (0..10).map(|frame| entry(frame, frame % 3 == 0));
        let chosen = entries.filter(|entry| conditioning.has(entry));
        chosen.map(|entry| entry.frame).collect()
    }

    #[test]
    fn a_mask_conditions_what_comes_after_it_with_those_that_were_passed() {
        assert_eq!(chosen(Conditioning::Touched), [0, 3, 6, 9]);
        assert_eq!(chosen(Conditioning::Passed { from: 2, to: 2 }), [2]);
        assert_eq!(chosen(Conditioning::Passed { from: 2, to: 6 }), [2, 3]);
        assert_eq!(chosen(Conditioning::Passed { from: 2, to: 7 }), [2, 3, 6]);
        assert_eq!(chosen(Conditioning::Passed { from: 7, to: 3 }), [6, 7]);
        assert_eq!(chosen(Conditioning::Passed { from: 7, to: 2 }), [3, 6, 7]);
        assert_eq!(chosen(Conditioning::Passed { from: 0, to: 0 }), [0]);
    }
}
