//! The files of a result folder.

use std::ops::RangeInclusive;

use masklet_media::atomic;

use super::CHECKPOINT_INTERVAL;

/// One line for each frame: what everything else is made of.
pub(super) const RECORDS: &str = "masklets.jsonl";
/// The report.
pub(super) const REPORT: &str = "masklets.json";
/// The contact sheet.
pub(super) const SHEET: &str = "sheet.png";
/// COCO instances.
pub(super) const COCO: &str = "coco.json";
/// YouTube-VIS.
pub(super) const YTVIS: &str = "ytvis.json";
/// NumPy arrays.
pub(super) const NPZ: &str = "masklets.npz";
/// The clip before another background.
pub(super) const BACKGROUND_MOVIE: &str = "background.mp4";
/// What a run that was interrupted continues from; removed when a run is complete.
pub(super) const UNFINISHED: &str = "unfinished";

/// What a file is, for a run that begins or resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// May hold files of ours.
    Folder,
    /// Made from the whole video at the end.
    Whole,
    /// Belongs to the frame of that number.
    Frame(usize),
    /// Belongs to the frame tracked at that position.
    Position(usize),
    /// Grows with the run, and is cut by who writes it.
    Growing,
}

/// What of an earlier run stays when it is resumed.
pub(super) struct Kept {
    /// How many frames were completed.
    pub(super) frames: usize,
    /// The numbers of these frames.
    pub(super) numbers: RangeInclusive<usize>,
}

impl Kept {
    /// Whether the file `name` of the result folder is left as it is.
    pub(super) fn keeps(&self, name: &str) -> bool {
        match recognise(name) {
            Some(Kind::Frame(number)) => self.frames > 0 && self.numbers.contains(&number),
            Some(Kind::Position(position)) => position < self.frames,
            Some(Kind::Growing) => true,
            Some(Kind::Folder | Kind::Whole) | None => false,
        }
    }
}

/// Whether a file (or, with a slash at its end, a folder) in a result folder is one that is
/// written here.
pub(super) fn is_result(name: &str) -> bool {
    recognise(name).is_some()
}

fn recognise(name: &str) -> Option<Kind> {
    if is_temporary(name) {
        return Some(Kind::Whole);
    }
    let numbered = |file: &str, extension| file.strip_suffix(extension).and_then(number);
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        [
            "masks" | "cutout" | "overlay" | "davis" | "background" | "sav" | "yolo",
            "",
        ] => Some(Kind::Folder),
        ["masks" | "cutout", id, file] => {
            number(id)?;
            match file {
                "" => Some(Kind::Folder),
                file => numbered(file, ".png").map(Kind::Frame),
            }
        }
        ["overlay" | "davis" | "background", file] => numbered(file, ".png").map(Kind::Frame),
        ["yolo", "labels", ""] => Some(Kind::Folder),
        ["yolo", "labels", file] => numbered(file, ".txt").map(|_| Kind::Whole),
        ["yolo", "data.yaml"] => Some(Kind::Whole),
        ["sav", file] if file.ends_with("_manual.json") || file.ends_with("_auto.json") => {
            Some(Kind::Whole)
        }
        [REPORT | SHEET | COCO | YTVIS | NPZ | BACKGROUND_MOVIE] => Some(Kind::Whole),
        [RECORDS] | [UNFINISHED, "logits.f32"] => Some(Kind::Growing),
        [UNFINISHED, ""] | [UNFINISHED, "sheet" | "overlay" | "background", ""] => {
            Some(Kind::Folder)
        }
        [UNFINISHED, "sheet", file] => numbered(file, ".png").map(Kind::Position),
        [UNFINISHED, "overlay" | "background", file] => {
            let segment = number(file.split('.').next()?)?;
            Some(Kind::Position(segment * CHECKPOINT_INTERVAL))
        }
        _ => None,
    }
}

/// Whether a file in one of our folders was being written when a run was killed.
fn is_temporary(name: &str) -> bool {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    atomic::is_temporary(file)
        && (folder.is_empty() || recognise(&format!("{folder}/")) == Some(Kind::Folder))
}

/// A number without sign.
fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_ours_are_recognised() {
        for ours in [
            "masks/",
            "masks/3/",
            "masks/3/00012.png",
            "overlay/00000.png",
            "yolo/labels/00001.txt",
            "sav/clip_manual.json",
            "masklets.jsonl",
            "unfinished/sheet/00008.png",
            "unfinished/overlay/.masklet-a1b2c3.tmp",
            ".masklet-a1b2c3.tmp",
        ] {
            assert!(is_result(ours), "{ours}");
        }
        for foreign in [
            "notes.txt",
            "masks/notes.txt",
            "masks/a/00001.png",
            "overlay/x.png",
            "overlay/1/00000.png",
            "yolo/images/",
            "sav/notes.json",
            "notes/.masklet-a1b2c3.tmp",
        ] {
            assert!(!is_result(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_was_completed_before_an_interruption_is_kept() {
        let kept = Kept {
            frames: 64,
            numbers: 10..=73,
        };
        assert!(kept.keeps("masks/1/00073.png") && !kept.keeps("masks/1/00074.png"));
        assert!(kept.keeps("unfinished/overlay/00001.h264"));
        assert!(!kept.keeps("unfinished/overlay/00002.h264"));
        assert!(kept.keeps("masklets.jsonl") && !kept.keeps("masklets.json"));
    }
}
