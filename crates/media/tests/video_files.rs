//! MP4 files: the frames are ffmpeg's, in order, whatever is asked for, whatever is damaged.

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use masklet_media::{FrameSource, Frames, MediaError, Mp4Video, RgbImage, open_video};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/video")
        .join(name)
}

fn open(name: &str) -> Mp4Video {
    Mp4Video::open(fixture(name)).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<Mp4Video<Cursor<Vec<u8>>>, MediaError> {
    Mp4Video::from_reader(Cursor::new(bytes), "clip.mp4")
}

/// What ffmpeg made of a clip: its frames on top of each other.
fn expected(name: &str, (width, height): (u32, u32)) -> Vec<RgbImage> {
    let sheet = RgbImage::open(fixture(name)).unwrap();
    assert_eq!(sheet.width(), width);
    let frames = sheet.pixels().chunks_exact((width * height * 3) as usize);
    frames
        .map(|pixels| RgbImage::from_raw(width, height, pixels.to_vec()).unwrap())
        .collect()
}

fn difference(a: &RgbImage, b: &RgbImage) -> u8 {
    let pairs = a.pixels().iter().zip(b.pixels());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Checks every frame of a clip against ffmpeg's.
fn check(clip: &str, sheet: &str, count: usize) {
    let mut video = open(clip);
    let expected = expected(sheet, video.dimensions());
    assert_eq!(
        (expected.len(), video.frame_count()),
        (count, Some(count)),
        "{clip}"
    );
    for (index, expected) in expected.iter().enumerate() {
        let frame = video.frame(index).unwrap().unwrap();
        let difference = difference(&frame, expected);
        assert!(
            difference <= 2,
            "{clip}, frame {index}: off by {difference}"
        );
    }
    assert!(video.frame(count).unwrap().is_none(), "{clip}");
}

#[test]
fn every_frame_arrives_in_order_and_is_ffmpegs() {
    check("b_frames.mp4", "b_frames.png", 24);
    check("quicktime.mov", "b_frames.png", 24);
    check("fragmented.mp4", "b_frames.png", 24);
    check("variable_rate.mp4", "variable_rate.png", 8);
    check("full_range.mp4", "full_range.png", 4);
    check("bt709.mp4", "bt709.png", 4);
}

#[test]
fn rotation_and_edit_lists_are_applied() {
    assert_eq!(open("rotated.mp4").dimensions(), (38, 52));
    check("rotated.mp4", "rotated.png", 24);
    check("edit_list.mp4", "edit_list.png", 9);
}

#[test]
fn frames_can_be_asked_for_in_any_order() {
    let mut video = open("b_frames.mp4");
    let all: Vec<RgbImage> = Frames::from(&mut video, 0).map(Result::unwrap).collect();
    let mut video = open("b_frames.mp4");
    for index in [20, 3, 3, 4, 23, 0, 9, 8, 17, 16, 18, 5] {
        let frame = video.frame(index).unwrap().unwrap();
        assert!(
            frame == all[index],
            "frame {index} differs when asked for out of order"
        );
    }
    assert!(video.can_go_back());
}

#[test]
fn times_are_those_of_the_file() {
    let constant = open("b_frames.mp4");
    assert_eq!(constant.frame_rate().unwrap().to_string(), "10");
    assert_eq!(
        constant.presentation_time(7),
        Some(Duration::from_millis(700))
    );
    let variable = open("variable_rate.mp4");
    for index in 0..8 {
        let time = Duration::from_millis(10 * (index * index) as u64);
        assert_eq!(
            variable.presentation_time(index),
            Some(time),
            "frame {index}"
        );
    }
    assert_eq!(variable.presentation_time(8), None);
    assert_eq!(variable.frame_rate().unwrap().to_string(), "14.286");
    assert_eq!(
        open("fragmented.mp4").presentation_time(23),
        Some(Duration::from_millis(2300))
    );
}

#[test]
fn other_videos_are_declined_by_name() {
    for (clip, reason) in [
        ("interlaced.mp4", "interlaced"),
        ("ten_bits.mp4", "10 bits"),
        ("hevc.mp4", "hvc1"),
    ] {
        let error = Mp4Video::open(fixture(clip)).err().unwrap();
        assert!(
            matches!(error, MediaError::UnsupportedVideo { .. }),
            "{error}"
        );
        let message = error.to_string();
        assert!(
            message.contains(reason) && message.contains(clip),
            "{message}"
        );
    }
}

#[test]
fn content_and_not_the_name_tells_what_to_open() {
    let folder = tempfile::tempdir().unwrap();
    let renamed = folder.path().join("clip.txt");
    std::fs::copy(fixture("b_frames.mp4"), &renamed).unwrap();
    assert_eq!(open_video(&renamed).unwrap().frame_count(), Some(24));
    std::fs::remove_file(&renamed).unwrap();
    std::fs::write(
        folder.path().join("0.png"),
        RgbImage::filled(4, 3, [0; 3]).unwrap().to_png().unwrap(),
    )
    .unwrap();
    assert_eq!(open_video(folder.path()).unwrap().dimensions(), (4, 3));
    let missing = open_video(&renamed).err().unwrap();
    assert!(matches!(missing, MediaError::Read { .. }), "{missing}");
}

/// Reads to the end or the first error; the number of frames, and the error.
fn read_through(video: &mut dyn FrameSource) -> (usize, Option<MediaError>) {
    let mut frames = 0;
    for frame in Frames::from(video, 0) {
        match frame {
            Ok(_) => frames += 1,
            Err(error) => return (frames, Some(error)),
        }
    }
    (frames, None)
}

#[test]
fn of_a_truncated_file_the_frames_before_the_cut_are_delivered() {
    let whole = bytes("quicktime.mov");
    let mut complete = read(whole.clone()).unwrap();
    let all: Vec<RgbImage> = Frames::from(&mut complete, 0).map(Result::unwrap).collect();
    let mut counts = Vec::new();
    for kept in [60, 80, 95].map(|percent| whole.len() * percent / 100) {
        let mut video = read(whole[..kept].to_vec()).unwrap();
        let mut count = 0;
        let error = loop {
            match video.frame(count) {
                Ok(frame) => assert!(frame.unwrap() == all[count], "frame {count} is wrong"),
                Err(error) => break error,
            }
            count += 1;
        };
        let MediaError::Frame { frame, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*frame, count, "the error names the frame");
        assert!(error.to_string().contains("cut off"), "{error}");
        // It stays so, and what came before can still be had.
        assert!(video.frame(count).is_err());
        assert!(video.frame(0).unwrap().unwrap() == all[0]);
        counts.push(count);
    }
    assert!(counts[0] > 0 && counts.is_sorted(), "{counts:?}");
    assert!(counts[2] < all.len(), "{counts:?}");
}

#[test]
fn a_file_cut_before_its_index_says_so() {
    let whole = bytes("b_frames.mp4");
    for kept in [40, whole.len() / 2, whole.len() - 10] {
        let error = read(whole[..kept].to_vec()).err().unwrap();
        assert!(matches!(error, MediaError::NotAVideo { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("clip.mp4") && message.contains("index"),
            "{message}"
        );
    }
}

#[test]
fn a_fragment_cut_off_ends_the_video_with_an_error() {
    let whole = bytes("fragmented.mp4");
    let cut = whole.len() * 6 / 10;
    let (frames, error) = read_through(&mut read(whole[..cut].to_vec()).unwrap());
    assert!(frames > 5 && frames < 24, "{frames}");
    assert!(
        matches!(error, Some(MediaError::Frame { frame, .. }) if frame == frames),
        "{error:?}"
    );
}

#[test]
fn damaged_data_end_the_video_there_and_a_later_keyframe_begins_anew() {
    let whole = bytes("quicktime.mov");
    let mut complete = read(whole.clone()).unwrap();
    let all: Vec<RgbImage> = Frames::from(&mut complete, 0).map(Result::unwrap).collect();
    // Frames 10 to 18 are hit; at frame 19 there is a keyframe.
    let frame_10 = whole.len() - 1151;
    for (hit, first_lost) in [
        (0, 10),
        (40, 10),
        (220, 11),
        (340, 13),
        (600, 16),
        (680, 18),
    ] {
        let mut damaged = whole.clone();
        damaged[frame_10 + hit..][..40].fill(0xff);
        let mut video = read(damaged).unwrap();
        let (frames, error) = read_through(&mut video);
        let error = error.unwrap();
        assert_eq!(frames, first_lost, "damage at {hit}: {error}");
        assert!(
            matches!(error, MediaError::Frame { frame, .. } if frame == first_lost),
            "{error}"
        );
        for index in (0..first_lost).chain(19..24) {
            let frame = video.frame(index).unwrap().unwrap();
            assert!(
                frame == all[index],
                "damage at {hit}: frame {index} is wrong"
            );
        }
    }
}

#[test]
fn no_mutation_of_a_file_makes_reading_panic() {
    // A small generator: the mutations are the same in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut opened = 0;
    for name in [
        "b_frames.mp4",
        "fragmented.mp4",
        "edit_list.mp4",
        "variable_rate.mp4",
    ] {
        let whole = bytes(name);
        let index = whole.windows(4).position(|w| w == b"moov").unwrap();
        for round in 0..150 {
            let mut mutated = whole.clone();
            for _ in 0..=random(3) {
                // Every other time within the index, which the reader is made of.
                let at = match round % 2 {
                    0 => index + random(whole.len() - index),
                    _ => random(whole.len()),
                };
                let values = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8];
                let length = 1 + random(4);
                let value = values[random(values.len())];
                let end = (at + length).min(whole.len());
                mutated[at..end].fill(value);
            }
            if let Ok(mut video) = read(mutated) {
                opened += 1;
                let (width, height) = video.dimensions();
                let _ = (video.frame_rate(), video.presentation_time(3));
                for index in [0, 9, 5] {
                    if let Ok(Some(frame)) = video.frame(index) {
                        assert_eq!(frame.dimensions(), (width, height));
                    }
                }
            }
        }
    }
    assert!(
        opened > 100,
        "most mutations should leave a file that opens: {opened}"
    );
}
