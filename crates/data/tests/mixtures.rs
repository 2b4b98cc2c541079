//! Mixtures of data sets, and reports of what was left out.

mod common;

use std::collections::BTreeMap;

use common::Folder;
use masklet_data::clip::{MotionOptions, SampleOptions};
use masklet_data::mixture::{Draw, LoadOptions, Mixture, Source};
use masklet_data::{DataError, ReadOptions, SkipReason, SkipReport, open};

/// `count` pictures with a label map each.
fn pictures(count: usize) -> (Folder, Source) {
    let folder = Folder::new();
    for index in 0..count {
        folder.picture(&format!("images/i{index}.png"), index as u8);
        folder.labels(&format!("segments/i{index}.png"), |x, _| u8::from(x < 4));
    }
    let dataset = open(folder.path(), &ReadOptions::default()).unwrap();
    (folder, Source::new("pictures", dataset))
}

/// A video of three frames.
fn video() -> (Folder, Source) {
    let folder = Folder::new();
    folder.pictures("frames", &["0", "1", "2"]);
    for frame in 0..3 {
        folder.labels(&format!("masks/{frame}.png"), |x, _| u8::from(x < 4));
    }
    let dataset = open(folder.path(), &ReadOptions::default()).unwrap();
    (folder, Source::new("video", dataset))
}

fn counts(draws: impl Iterator<Item = Draw>) -> BTreeMap<(usize, usize), usize> {
    let mut counts = BTreeMap::new();
    draws.for_each(|draw| *counts.entry((draw.source, draw.item)).or_default() += 1);
    counts
}

#[test]
fn data_sets_are_drawn_with_their_probabilities() {
    let ((_a, mut many), (_b, mut one)) = (pictures(5), video());
    many.probability = Some(3.0);
    one.probability = Some(1.0);
    let mixture = Mixture::new(vec![many, one]).unwrap();
    let draws = 40_000;
    let of_many = mixture
        .draws(7)
        .take(draws)
        .filter(|draw| draw.source == 0)
        .count();
    // Four standard deviations of a binomial with p = 3/4.
    let (expected, slack) = (0.75 * draws as f64, 4.0 * (draws as f64 * 0.1875).sqrt());
    assert!(
        (of_many as f64 - expected).abs() < slack,
        "{of_many} of {draws}"
    );
}

#[test]
fn without_probabilities_size_and_repeat_factor_decide() {
    let ((_a, many), (_b, mut one)) = (pictures(6), video());
    one.repeat = 4.0;
    let mixture = Mixture::new(vec![many, one]).unwrap();
    assert_eq!(mixture.pass_length(), 10);
    let of_one = mixture
        .draws(1)
        .take(20_000)
        .filter(|draw| draw.source == 1)
        .count();
    assert!(
        (of_one as f64 - 8_000.0).abs() < 4.0 * (20_000f64 * 0.24).sqrt(),
        "{of_one}"
    );
}

#[test]
fn a_pass_holds_every_item_as_often_as_its_repeat_factor() {
    let (_folder, mut source) = pictures(4);
    source.repeat = 2.5;
    let mixture = Mixture::new(vec![source]).unwrap();
    assert_eq!(mixture.pass_length(), 10);
    let mut draws = mixture.draws(3);
    for _ in 0..3 {
        let counts: Vec<usize> = counts(draws.by_ref().take(10)).into_values().collect();
        assert_eq!(counts.len(), 4);
        assert!(
            counts.iter().all(|count| (2..=3).contains(count)),
            "{counts:?}"
        );
    }
}

#[test]
fn a_stream_continues_where_it_was_left() {
    let ((_a, many), (_b, one)) = (pictures(5), video());
    let mixture = Mixture::new(vec![many, one]).unwrap();
    let whole: Vec<Draw> = mixture.draws(11).take(100).collect();
    let resumed: Vec<Draw> = mixture.draws(11).skip(37).take(63).collect();
    assert_eq!(whole[37..], resumed);
    let other: Vec<Draw> = mixture.draws(12).take(100).collect();
    assert_ne!(whole, other);
}

#[test]
fn lists_include_and_exclude_by_name() {
    let (_folder, mut source) = pictures(5);
    source.include = Some(vec!["i0".into(), "i2".into(), "i4".into()]);
    source.exclude = vec!["i4".into()];
    let mixture = Mixture::new(vec![source]).unwrap();
    let names: Vec<_> = counts(mixture.draws(0).take(50))
        .into_keys()
        .map(|(_, item)| item)
        .collect();
    assert_eq!(names, [0, 2]);

    let (_folder, mut source) = pictures(2);
    source.exclude = vec!["i7".into()];
    let message = Mixture::new(vec![source]).unwrap_err().to_string();
    assert_eq!(
        message,
        "there is no sequence or image \"i7\"; there are i0, i1"
    );
    let (_folder, mut source) = pictures(1);
    source.exclude = vec!["i0".into()];
    assert!(
        Mixture::new(vec![source])
            .unwrap_err()
            .to_string()
            .contains("0 in pictures")
    );
}

#[test]
fn contradictory_probabilities_are_errors() {
    let ((_a, mut many), (_b, one)) = (pictures(1), video());
    many.probability = Some(1.0);
    let message = Mixture::new(vec![many, one]).unwrap_err().to_string();
    assert!(message.contains("none of video"), "{message}");
    assert!(Mixture::new(Vec::new()).is_err());
    for bad in [-1.0, f64::NAN, 0.0] {
        let (_folder, mut source) = pictures(1);
        source.probability = Some(bad);
        assert!(Mixture::new(vec![source]).is_err(), "{bad}");
    }
    let (_folder, mut source) = pictures(1);
    source.repeat = 0.0;
    assert!(
        Mixture::new(vec![source])
            .unwrap_err()
            .to_string()
            .contains("repeat factor")
    );
}

#[test]
fn draws_of_both_kinds_become_clips() {
    let ((_a, many), (_b, one)) = (pictures(2), video());
    let mixture = Mixture::new(vec![many, one]).unwrap();
    let options = LoadOptions {
        sample: SampleOptions {
            frames: 3,
            ..SampleOptions::default()
        },
        motion: Some(MotionOptions {
            frames: 5,
            ..MotionOptions::default()
        }),
    };
    let mut seen = [false; 2];
    for draw in mixture.draws(2).take(20) {
        let clip = mixture.load(draw, &options).unwrap();
        assert_eq!(clip.frames.len(), [5, 3][draw.source]);
        assert_eq!(
            clip,
            mixture.load(draw, &options).unwrap(),
            "the draw's seed decides"
        );
        seen[draw.source] = true;
        let still = LoadOptions {
            motion: None,
            ..options.clone()
        };
        let frames = mixture.load(draw, &still).unwrap().frames.len();
        assert_eq!(frames, [1, 3][draw.source]);
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn what_cannot_be_used_is_counted_and_named_and_fatal_only_if_strict() {
    let (folder, source) = pictures(3);
    folder.labels("segments/i0.png", |_, _| 0);
    folder.text("segments/i1.png", "no picture at all");
    let mixture = Mixture::new(vec![source]).unwrap();
    let options = LoadOptions::default();
    let mut report = SkipReport::new(false);
    let mut loaded = 0;
    for draw in mixture.draws(0).take(9) {
        let (dataset, name) = mixture.names(draw);
        let clip = report
            .usable(dataset, name, mixture.load(draw, &options))
            .unwrap();
        loaded += usize::from(clip.is_some());
    }
    assert_eq!(loaded, 3);
    let entries: Vec<_> = report.entries().collect();
    assert_eq!(entries.len(), 2);
    let (dataset, skipped, times) = entries[0];
    assert_eq!(
        (dataset, skipped.name.as_str(), times),
        ("pictures", "i0", 3)
    );
    assert_eq!(skipped.reason, SkipReason::EmptyMasks);
    let SkipReason::Unreadable(message) = &entries[1].1.reason else {
        panic!("{:?}", entries[1]);
    };
    assert!(message.contains("segments/i1.png"), "{message}");
    assert!(
        report
            .to_string()
            .contains("pictures: i0: empty masks (3 times)")
    );

    let mut strict = SkipReport::new(true);
    let error = mixture.draws(0).take(9).find_map(|draw| {
        strict
            .usable("pictures", "x", mixture.load(draw, &options))
            .err()
    });
    assert!(matches!(
        error,
        Some(DataError::Unusable { .. } | DataError::Png { .. })
    ));
    assert!(strict.is_empty());
}
