//! Memory on a long stream. Alone in its file, so that no other test allocates beside it.
#![cfg(target_os = "linux")]

mod common;

use common::{config, frames};
use masklet::{Click, ClickHistory, Compute, Model, Sam2Config, StreamTracker};

/// Resident memory in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_at_frame_2000_is_that_of_frame_200() {
    // Small, so that thousands of frames take seconds.
    let config = Sam2Config {
        image_size: 64,
        ..config("sam2.1")
    };
    let model = Model::random(&config, 1, Compute::default()).unwrap();
    let mut tracker = StreamTracker::new(&model);
    let pictures = frames(10);
    let mut at_200 = 0;
    for frame in 0..=2000 {
        tracker.push(pictures[frame % 10].clone()).unwrap();
        // A prompt now and then: prompted frames must not pile up either.
        if frame % 100 == 0 {
            tracker
                .add_clicks(1, &[Click::positive(31.0, 61.0)], ClickHistory::Replace)
                .unwrap();
        }
        if frame == 200 {
            at_200 = resident();
        }
    }
    let at_2000 = resident();
    let growth = at_2000 as f64 / at_200 as f64;
    assert!(
        growth < 1.05,
        "{at_200} kB at frame 200, {at_2000} kB at 2000"
    );
}
