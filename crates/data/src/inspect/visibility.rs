//! How objects come and go.

use serde::Serialize;

/// How one object comes and goes on its annotated frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// How often it disappears or comes back after its first appearance, as SA-V counts its
    /// visibility changes.
    pub changes: usize,
    /// Whether it disappears on at least one frame and comes back later.
    pub reappears: bool,
}

impl Visibility {
    /// From whether it is visible, frame by frame.
    pub fn of(visible: impl IntoIterator<Item = bool>) -> Self {
        let mut before = false;
        let mut flips = 0usize;
        for now in visible {
            flips += usize::from(now != before);
            before = now;
        }
        // The first flip is the first appearance.
        let changes = flips.saturating_sub(1);
        Self {
            changes,
            reappears: changes >= 2,
        }
    }
}

/// How many objects come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct VisibilityCounts {
    /// Objects.
    pub objects: usize,
    /// Changes from visible to not visible or back, over all objects.
    pub changes: usize,
    /// Objects with at least one change.
    pub changing: usize,
    /// The most changes of one object.
    pub most_changes: usize,
    /// Objects that disappear and come back.
    pub reappearing: usize,
    /// The disappearance rate of the SAM 2 paper: of all objects, the fraction that disappear in
    /// at least one frame and then come back.
    pub disappearance_rate: f64,
}

impl VisibilityCounts {
    /// Counts an object.
    pub fn add(&mut self, object: Visibility) {
        self.objects += 1;
        self.changes += object.changes;
        self.changing += usize::from(object.changes > 0);
        self.most_changes = self.most_changes.max(object.changes);
        self.reappearing += usize::from(object.reappears);
        self.disappearance_rate = self.reappearing as f64 / self.objects as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> (usize, bool) {
        let visibility = Visibility::of(pattern.chars().map(|c| c == '#'));
        (visibility.changes, visibility.reappears)
    }

    #[test]
    fn the_first_appearance_is_no_change_and_leaving_for_good_no_reappearance() {
        assert_eq!(of("###"), (0, false));
        assert_eq!(of("..#"), (0, false));
        assert_eq!(of("##."), (1, false));
        assert_eq!(of("#.#"), (2, true));
        assert_eq!(of(".#..##.#."), (5, true));
        assert_eq!(of("..."), (0, false));
        assert_eq!(of(""), (0, false));
    }

    #[test]
    fn the_rate_is_over_all_objects() {
        let mut counts = VisibilityCounts::default();
        for pattern in ["#.#", "##.", "###", "#.##"] {
            counts.add(Visibility::of(pattern.chars().map(|c| c == '#')));
        }
        assert_eq!(counts.disappearance_rate, 0.5);
        assert_eq!(
            (counts.changing, counts.changes, counts.most_changes),
            (3, 5, 2)
        );
    }
}
