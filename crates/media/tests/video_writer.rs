//! The H.264 writer: what it writes is read back, by the reader of this crate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use masklet_media::video_writer::{SegmentWriter, Timing, VideoQuality, mux};
use masklet_media::{FrameRate, FrameSource, MediaError, Mp4Video, RgbImage};

/// A picture of smooth colours that differs from frame to frame.
fn picture(index: usize, (width, height): (u32, u32)) -> RgbImage {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let level = (20 + 9 * index as u32) % 200;
            pixels.extend([level + x % 40, level / 2 + y % 60, 200 - level].map(|v| v as u8));
        }
    }
    RgbImage::from_raw(width, height, pixels).unwrap()
}

/// Writes the given frames as one segment and returns its path.
fn segment(path: PathBuf, frames: std::ops::Range<usize>, dimensions: (u32, u32)) -> PathBuf {
    let mut writer = SegmentWriter::create(&path, dimensions, VideoQuality::default()).unwrap();
    let count = frames.len();
    for index in frames {
        writer.push(&picture(index, dimensions)).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), count);
    path
}

fn rate() -> FrameRate {
    FrameRate::new(30000, 1001).unwrap()
}

fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let pairs = a.pixels().iter().zip(b.pixels());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.pixels().len() as f64
}

fn write(folder: &Path, dimensions: (u32, u32)) -> PathBuf {
    let segments = [
        segment(folder.join("a.h264"), 0..5, dimensions),
        segment(folder.join("b.h264"), 5..6, dimensions),
        segment(folder.join("c.h264"), 6..7, dimensions),
        segment(folder.join("d.h264"), 7..12, dimensions),
    ];
    let output = folder.join("out.mp4");
    mux(&segments, dimensions, Timing::Constant(rate()), &output).unwrap();
    output
}

#[test]
fn segments_become_a_video_with_every_frame_in_place() {
    let folder = tempfile::tempdir().unwrap();
    for dimensions in [(64, 48), (100, 36), (33, 27), (5, 3), (1, 1)] {
        let mut video = Mp4Video::open(write(folder.path(), dimensions)).unwrap();
        assert_eq!(video.dimensions(), dimensions);
        assert_eq!(video.frame_count(), Some(12));
        assert_eq!(video.frame_rate(), Some(rate()));
        assert_eq!(video.presentation_time(11), Some(rate().time_of(11)));
        for index in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 6, 2] {
            let frame = video.frame(index).unwrap().unwrap();
            let difference = mean_difference(&frame, &picture(index, dimensions));
            // Chroma is shared by four pixels, and converting back darkens by a level.
            assert!(
                difference < 5.0,
                "{dimensions:?}, frame {index}: {difference}"
            );
        }
        assert!(video.frame(12).unwrap().is_none());
    }
}

#[test]
fn the_index_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let written = std::fs::read(write(folder.path(), (64, 48))).unwrap();
    let position = |kind: &[u8]| written.windows(4).position(|w| w == kind).unwrap();
    assert!(position(b"ftyp") < position(b"moov") && position(b"moov") < position(b"mdat"));
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let read = |folder: &Path| std::fs::read(write(folder, (64, 48))).unwrap();
    assert!(read(first.path()) == read(second.path()));
}

#[test]
fn times_of_a_variable_rate_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let segments = [segment(folder.path().join("a.h264"), 0..4, (32, 32))];
    let times = [0, 40, 50, 200].map(Duration::from_millis);
    let output = folder.path().join("out.mp4");
    mux(&segments, (32, 32), Timing::Times(&times), &output).unwrap();
    let video = Mp4Video::open(&output).unwrap();
    for (index, time) in times.into_iter().enumerate() {
        assert_eq!(video.presentation_time(index), Some(time));
    }

    let refused = |times: &[Duration]| {
        let failed = mux(&segments, (32, 32), Timing::Times(times), &output);
        failed.unwrap_err().to_string()
    };
    assert!(refused(&times[..3]).contains("4 frames have 3 times"));
    let message = refused(&[0, 40, 40, 50].map(Duration::from_millis));
    assert!(message.contains("frame 2"), "{message}");
}

#[test]
fn an_unfinished_segment_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h264");
    let mut writer = SegmentWriter::create(&path, (32, 32), VideoQuality::default()).unwrap();
    writer.push(&picture(0, (32, 32))).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h264");
    for dimensions in [(0, 10), (3841, 100), (2161, 2161)] {
        let refused = SegmentWriter::create(&path, dimensions, VideoQuality::default());
        assert!(
            matches!(refused, Err(MediaError::Encode { .. })),
            "{dimensions:?}"
        );
    }
    let mut writer = SegmentWriter::create(&path, (32, 32), VideoQuality::default()).unwrap();
    let odd = writer.push(&picture(0, (32, 30))).unwrap_err().to_string();
    assert!(odd.contains("frame 0") && odd.contains("32x30"), "{odd}");
    assert!(matches!(writer.finish(), Err(MediaError::NoFramesGiven)));

    let output = folder.path().join("out.mp4");
    let refused = |segments: &[PathBuf], dimensions| {
        let failed = mux(segments, dimensions, Timing::Constant(rate()), &output);
        failed.unwrap_err().to_string()
    };
    let small = segment(folder.path().join("small.h264"), 0..2, (32, 32));
    let large = segment(folder.path().join("large.h264"), 0..2, (64, 64));
    assert!(refused(&[], (32, 32)).contains("no segments"));
    assert!(refused(std::slice::from_ref(&small), (64, 64)).contains("32x32"));
    assert!(refused(&[small.clone(), large], (32, 32)).contains("large.h264"));
    let nothing = folder.path().join("nothing.h264");
    std::fs::write(&nothing, b"hello").unwrap();
    assert!(refused(&[small, nothing], (32, 32)).contains("nothing.h264"));
    assert!(!output.exists());
}

#[test]
fn a_better_quality_is_nearer_to_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let dimensions = (64, 64);
    let difference = |quantizer| {
        let path = folder.path().join("a.h264");
        let quality = VideoQuality::from_quantizer(quantizer).unwrap();
        let mut writer = SegmentWriter::create(&path, dimensions, quality).unwrap();
        writer.push(&picture(3, dimensions)).unwrap();
        writer.finish().unwrap();
        let output = folder.path().join("out.mp4");
        mux(&[path], dimensions, Timing::Constant(rate()), &output).unwrap();
        let frame = Mp4Video::open(&output).unwrap().frame(0).unwrap().unwrap();
        mean_difference(&frame, &picture(3, dimensions))
    };
    assert!(difference(10) < difference(45));
    assert!(VideoQuality::from_quantizer(52).is_none());
}
