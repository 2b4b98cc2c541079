//! Which frames and objects count, and what is refused.

use masklet_data::{FrameAnnotation, LabelMap, LabelRule, ObjectInfo};
use masklet_eval::scoring::{
    Missing, Rules, Scoring, SequenceScore, Summary, Void, score_sequence,
};
use masklet_eval::{Error, Result};

/// A picture of 8x8 with a square of each label.
fn frame(labels: &[u16]) -> FrameAnnotation {
    let map = LabelMap::from_fn(8, 8, |x, y| {
        let inside = (2..5).contains(&y) && x % 3 < 2;
        labels
            .get(x as usize / 3)
            .copied()
            .filter(|_| inside)
            .unwrap_or(0)
    });
    FrameAnnotation::from_labels(map, LabelRule::Objects)
}

fn score(
    rules: Rules,
    listed: Option<&[ObjectInfo]>,
    truth: &[&[u16]],
    predicted: &[Option<&[u16]>],
) -> Result<SequenceScore> {
    let frames: Vec<usize> = (0..truth.len()).collect();
    let scoring = Scoring {
        frames: &frames,
        rules,
        void: Void::Background,
        missing: Missing::Error,
        listed,
    };
    score_sequence(
        "clip",
        scoring,
        |at| Ok(frame(truth[at])),
        |at| Ok(predicted[at].map(frame)),
    )
}

fn scored_frames(score: &SequenceScore, object: usize) -> Vec<usize> {
    score.objects[object]
        .frames
        .iter()
        .map(|frame| frame.frame)
        .collect()
}

#[test]
fn davis_leaves_out_the_first_and_the_last_frame_which_need_no_prediction() {
    let truth: [&[u16]; 4] = [&[1], &[1], &[1], &[1]];
    let score = score(
        Rules::Davis,
        None,
        &truth,
        &[None, Some(&[1]), Some(&[]), None],
    )
    .unwrap();
    assert_eq!(scored_frames(&score, 0), [1, 2]);
    assert_eq!(score.objects[0].j.mean, 0.5);
    assert_eq!(score.objects[0].occlusion_accuracy, 0.5);
}

#[test]
fn a_missing_prediction_is_an_error_only_where_it_is_scored() {
    let truth: [&[u16]; 4] = [&[1], &[1], &[1], &[1]];
    let missing = score(Rules::Davis, None, &truth, &[None, Some(&[1]), None, None]);
    assert!(matches!(
        missing,
        Err(Error::MissingPrediction {
            frame: 2,
            object: 1,
            ..
        })
    ));
}

#[test]
fn youtube_vos_scores_listed_frames_after_the_first_appearance() {
    let listed = [
        ObjectInfo {
            id: 1,
            first_frame: 0,
            category: Some("cat".into()),
            listed_frames: Some(vec![0, 1, 2, 3]),
        },
        ObjectInfo {
            id: 2,
            first_frame: 1,
            category: Some("zebra".into()),
            listed_frames: Some(vec![1, 3]),
        },
    ];
    let truth: [&[u16]; 4] = [&[1], &[1, 2], &[1, 2], &[1, 2]];
    let predicted: [Option<&[u16]>; 4] = [None, Some(&[1, 2]), Some(&[1]), Some(&[1])];
    let found = score(Rules::YoutubeVos, Some(&listed), &truth, &predicted).unwrap();
    assert_eq!(scored_frames(&found, 0), [1, 2, 3]);
    assert_eq!(scored_frames(&found, 1), [3]);

    let seen = ["cat".to_owned()].into();
    let split = Summary::over(std::slice::from_ref(&found), Some(&seen))
        .seen_unseen
        .unwrap();
    assert_eq!((split.j_seen, split.j_unseen), (1.0, 0.0));
    assert_eq!(split.overall, 0.5);
    // Without a category for every object there is no split.
    let unknown = score(Rules::YoutubeVos, None, &truth, &predicted).unwrap();
    assert!(Summary::over(&[unknown], Some(&seen)).seen_unseen.is_none());
}

#[test]
fn lvos_scores_the_first_listed_frame_too() {
    let listed = [ObjectInfo {
        id: 1,
        first_frame: 0,
        category: None,
        listed_frames: Some(vec![0, 1, 2]),
    }];
    let truth: [&[u16]; 4] = [&[1], &[1], &[1], &[1]];
    let predicted: [Option<&[u16]>; 4] = [Some(&[1]), Some(&[1]), Some(&[1]), None];
    let found = score(Rules::Lvos, Some(&listed), &truth, &predicted).unwrap();
    assert_eq!(scored_frames(&found, 0), [0, 1, 2]);
}

#[test]
fn predictions_of_another_size_are_refused_with_both_sizes() {
    let frames = [0, 1, 2];
    let scoring = Scoring {
        frames: &frames,
        rules: Rules::Davis,
        void: Void::Background,
        missing: Missing::Error,
        listed: None,
    };
    let small = FrameAnnotation::from_labels(LabelMap::from_fn(4, 8, |_, _| 1), LabelRule::Objects);
    let result = score_sequence(
        "clip",
        scoring,
        |_| Ok(frame(&[1])),
        |_| Ok(Some(small.clone())),
    );
    let message = result.unwrap_err().to_string();
    assert!(
        message.contains("4x8") && message.contains("8x8") && message.contains("clip"),
        "{message}"
    );
}

#[test]
fn too_few_frames_leave_nothing_to_score() {
    let result = score(Rules::Davis, None, &[&[1], &[1]], &[None, None]);
    assert!(matches!(
        result,
        Err(Error::NothingToScore { frames: 2, .. })
    ));
}

#[test]
fn labels_that_nobody_annotated_are_noted_and_do_not_count() {
    let truth: [&[u16]; 3] = [&[1], &[1], &[1]];
    let predicted: [Option<&[u16]>; 3] = [None, Some(&[1, 7]), None];
    let found = score(Rules::Davis, None, &truth, &predicted).unwrap();
    assert_eq!(found.jf(), 1.0);
    assert!(found.notes[0].contains('7'), "{:?}", found.notes);
}
