//! Frame sources.

use std::path::Path;

use masklet_media::{FrameSource, Frames, ImageFolder, MediaError, MemoryFrames, RgbImage};

fn frame(width: u32, height: u32, level: u8) -> RgbImage {
    RgbImage::filled(width, height, [level, 0, 0]).unwrap()
}

/// Writes one-colour PNGs under the given names, the level telling the position.
fn write_frames(folder: &Path, names: &[&str]) {
    for (level, name) in names.iter().enumerate() {
        std::fs::write(
            folder.join(name),
            frame(4, 3, level as u8).to_png().unwrap(),
        )
        .unwrap();
    }
}

fn order(source: &ImageFolder) -> Vec<String> {
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    source.files().iter().map(name).collect()
}

#[test]
fn numbered_frames_come_in_numeric_order_whatever_their_format() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["10.jpg", "2.png", "001.jpeg", "00000.jpg"]);
    let mut source = ImageFolder::open(folder.path()).unwrap();
    assert_eq!(order(&source), ["00000.jpg", "001.jpeg", "2.png", "10.jpg"]);
    assert_eq!(source.frame_count(), Some(4));
    assert_eq!(source.dimensions(), (4, 3));
    let levels: Vec<u8> = Frames::from(&mut source, 0)
        .map(|frame| frame.unwrap().pixels()[0])
        .collect();
    assert_eq!(levels, [3, 2, 1, 0]);
    assert_eq!(source.frame(1).unwrap().unwrap().pixels()[0], 2);
    assert!(source.frame(4).unwrap().is_none());
}

#[test]
fn numbers_longer_than_any_integer_are_in_order_too() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("1{}.png", "0".repeat(40));
    write_frames(folder.path(), &[&long, "99999999999999999999.png"]);
    let source = ImageFolder::open(folder.path()).unwrap();
    assert_eq!(order(&source)[1], long);
}

#[test]
fn named_frames_come_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(
        folder.path(),
        &["shot10.png", "shot2.png", "shot2b.png", "intro.png"],
    );
    let source = ImageFolder::open(folder.path()).unwrap();
    assert_eq!(
        order(&source),
        ["intro.png", "shot2.png", "shot2b.png", "shot10.png"]
    );
}

#[test]
fn hidden_files_and_folders_are_ignored_and_other_files_listed() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["0.png", "1.png", ".2.png"]);
    std::fs::write(folder.path().join("notes.txt"), "hello").unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    std::fs::create_dir(folder.path().join("3.png")).unwrap();
    let source = ImageFolder::open(folder.path()).unwrap();
    assert_eq!(order(&source), ["0.png", "1.png"]);
    assert_eq!(
        source.skipped(),
        [folder.path().join("empty"), folder.path().join("notes.txt")]
    );
}

#[test]
fn a_picture_name_without_a_picture_in_it_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["0.png", "2.png"]);
    std::fs::write(folder.path().join("1.jpg"), "").unwrap();
    let message = ImageFolder::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("1.jpg"), "{message}");
}

#[test]
fn an_unclear_order_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["0.png", "1.png", "cover.png"]);
    let mixed = ImageFolder::open(folder.path()).unwrap_err();
    assert!(
        matches!(mixed, MediaError::MixedFrameNames { .. }),
        "{mixed}"
    );
    assert!(mixed.to_string().contains("cover.png"));

    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["7.png", "1.png", "007.png"]);
    let twice = ImageFolder::open(folder.path()).unwrap_err().to_string();
    assert!(
        twice.contains("\"7.png\"") && twice.contains("\"007.png\""),
        "{twice}"
    );
}

#[test]
fn a_frame_of_another_size_is_named_before_work_begins() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["0.png", "1.png"]);
    std::fs::write(
        folder.path().join("2.png"),
        frame(4, 4, 0).to_png().unwrap(),
    )
    .unwrap();
    let message = ImageFolder::open(folder.path()).unwrap_err().to_string();
    for part in ["frame 2", "2.png", "4x4", "4x3"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_frame_that_changes_size_or_vanishes_later_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["0.png", "1.png", "2.png"]);
    let mut source = ImageFolder::open(folder.path()).unwrap();
    std::fs::write(
        folder.path().join("1.png"),
        frame(4, 4, 0).to_png().unwrap(),
    )
    .unwrap();
    std::fs::remove_file(folder.path().join("2.png")).unwrap();
    assert!(source.frame(1).unwrap_err().to_string().contains("frame 1"));
    assert!(source.frame(2).unwrap_err().to_string().contains("2.png"));
    let results: Vec<bool> = Frames::from(&mut source, 0)
        .map(|frame| frame.is_ok())
        .collect();
    assert_eq!(results, [true, false], "iteration ends at the first error");
}

#[test]
fn a_damaged_frame_is_found_when_it_is_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    write_frames(folder.path(), &["0.png", "1.png"]);
    let path = folder.path().join("1.png");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let mut source = ImageFolder::open(folder.path()).unwrap();
    assert!(source.frame(0).is_ok());
    let damaged = source.frame(1).unwrap_err();
    assert!(matches!(damaged, MediaError::Decode { .. }), "{damaged}");
    assert!(damaged.to_string().contains("1.png"));
}

#[test]
fn empty_missing_and_wrong_folders_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let empty = ImageFolder::open(folder.path()).unwrap_err();
    assert!(
        matches!(empty, MediaError::NoFrames { skipped: 0, .. }),
        "{empty}"
    );
    let missing = ImageFolder::open(folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(missing, MediaError::Read { .. }), "{missing}");
    write_frames(folder.path(), &["0.png"]);
    let file = ImageFolder::open(folder.path().join("0.png")).unwrap_err();
    assert!(matches!(file, MediaError::NotAFolder { .. }), "{file}");
}

#[test]
fn memory_frames_must_exist_and_agree_in_size() {
    let mut source = MemoryFrames::new(vec![frame(4, 3, 1), frame(4, 3, 2)]).unwrap();
    assert_eq!(Frames::from(&mut source, 1).count(), 1);
    assert!(source.frame(2).unwrap().is_none());
    let mut boxed: Box<dyn FrameSource> = Box::new(source);
    assert_eq!(boxed.frame(0).unwrap().unwrap().pixels()[0], 1);
    assert!(matches!(
        MemoryFrames::new(vec![]),
        Err(MediaError::NoFramesGiven)
    ));
    let message = MemoryFrames::new(vec![frame(4, 3, 1), frame(3, 4, 2)])
        .unwrap_err()
        .to_string();
    assert!(message.contains("frame 1"), "{message}");
}
