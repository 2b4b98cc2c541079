//! The paper's tables, counted by hand.

mod common;

use common::{FRAMES, Lab, clicked, square};
use masklet_engine::{MaskUpdate, NewMasklet, NewTask, Phase, Scope};

#[test]
fn the_tables_are_those_of_the_paper() {
    let lab = Lab::new();
    let project = &lab.project;
    // Phase 1: frames 0, 4 and 8 by hand, with two clicks and three seconds on each.
    let (first, masklets) = lab.task(1);
    let truth = masklets[0];
    project
        .change_phase(lab.ann, first, None, Phase::PerFrame)
        .unwrap();
    for frame in (0..FRAMES).step_by(4) {
        let update = MaskUpdate {
            clicks: 2,
            milliseconds: 3000,
            ..clicked(truth, frame, square(5, 5, 10))
        };
        project
            .annotate(lab.ann, first, None, &[update], None)
            .unwrap();
    }
    project.submit(lab.ann, first, None).unwrap();

    // Phase 3: one click, tracked through all frames; on frame 8 the mask is off, and gone on 5.
    let again = NewMasklet {
        reference: Some(truth),
        ..NewMasklet::default()
    };
    let new = NewTask {
        masklets: vec![again],
        ..NewTask::on(lab.video)
    };
    let second = project.create_task(lab.ann, &new).unwrap().value;
    project.claim(lab.ann, second).unwrap();
    let masklet = lab.masklets(second)[0];
    let click = clicked(masklet, 0, square(5, 5, 10));
    project
        .annotate(lab.ann, second, None, &[click], None)
        .unwrap();
    let tracked: Vec<MaskUpdate> = (0..FRAMES)
        .map(|frame| {
            let mask = match frame {
                4 => square(5, 5, 9), // IoU 0.81
                5 => square(0, 0, 0),
                8 => square(8, 5, 10), // IoU 70/130
                _ => square(5, 5, 10),
            };
            MaskUpdate::new(masklet, frame, mask)
        })
        .collect();
    project
        .annotate(lab.ann, second, None, &tracked, None)
        .unwrap();
    // What was undone took its time all the same, and leaves no other trace.
    let click = clicked(masklet, 11, square(1, 1, 2));
    project
        .annotate(lab.ann, second, None, &[click], None)
        .unwrap();
    project.undo(lab.ann, Scope::Task(second), None).unwrap();

    let stats = project.stats().unwrap();
    let contents = &stats.contents;
    assert_eq!((contents.videos, contents.frames), (1, u64::from(FRAMES)));
    assert!((contents.hours - f64::from(FRAMES) / 24.0 / 3600.0).abs() < 1e-12);
    assert_eq!((contents.masklets, contents.manual_masklets), (2, 2));
    assert_eq!(contents.masks, 3 + u64::from(FRAMES) - 1);
    assert_eq!((contents.sizes.small, contents.below_a_tenth), (2, 0.0));
    assert_eq!(
        (contents.states["submitted"], contents.states["open"]),
        (1, 1)
    );
    assert_eq!(contents.tasks["verify"], 1);
    // Frame 5 is not annotated at this rate: nothing disappears.
    assert_eq!(contents.disappearance_rate, 0.0);

    let phase1 = &stats.phases[0];
    assert_eq!(
        (phase1.masklets, phase1.frames, phase1.seconds_per_frame),
        (1, 3, Some(3.0))
    );
    assert_eq!(
        (phase1.edited_share, phase1.clicks_per_clicked_frame),
        (1.0, 2.0)
    );
    assert_eq!(phase1.alignment.all.share(), None);
    let phase3 = &stats.phases[2];
    assert_eq!((phase3.masklets, phase3.frames), (1, 3));
    assert_eq!(phase3.seconds_per_frame, Some(1.0));
    assert_eq!(phase3.edited_share, 1.0 / 3.0);
    assert_eq!(
        (phase3.clicked_frames, phase3.clicks_per_clicked_frame),
        (1, 1.0)
    );
    let aligned = &phase3.alignment;
    assert_eq!((aligned.all.masks, aligned.all.agreeing), (3, 2));
    assert_eq!(
        (
            aligned.small.masks,
            aligned.medium.masks,
            aligned.large.masks
        ),
        (3, 0, 0)
    );
    assert_eq!(stats.phases[1].masklets, 0);

    let ann = &stats.workers[0];
    assert_eq!(
        (ann.name.as_str(), ann.submitted, ann.clicks),
        ("Ann", 1, 8)
    );
    assert_eq!(ann.edited_frames, 5);
    assert!((ann.annotation_hours - 12.0 / 3600.0).abs() < 1e-12);
    assert!((ann.submitted_per_hour - 300.0).abs() < 1e-9);

    let text = stats.to_text();
    assert!(text.contains("66.7 %") && text.contains("Ann"), "{text}");
    let csv = stats.to_csv();
    assert!(csv.starts_with("table,row,measure,value\n"));
    assert!(
        csv.contains("phases,phase 3,alignment.all.agreeing,2\n"),
        "{csv}"
    );
    assert!(csv.contains("workers,Ann,clicks,8\n"), "{csv}");
    assert!(csv.contains("contents,all,states.open,1\n"), "{csv}");
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["phases"][2]["phase"], 3);
}

#[test]
fn time_and_frames_are_of_the_phase_in_which_they_were_made() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    let masklet = masklets[0];
    let annotate = |frame, milliseconds| {
        let update = MaskUpdate {
            milliseconds,
            ..clicked(masklet, frame, square(5, 5, 10))
        };
        project.annotate(lab.ann, task, None, &[update], None)
    };
    let per_phase = || {
        let phases = project.stats().unwrap().phases;
        phases
            .into_iter()
            .map(|of| (of.masklets, of.frames, of.seconds_per_frame))
            .collect::<Vec<_>>()
    };
    project
        .change_phase(lab.ann, task, None, Phase::PerFrame)
        .unwrap();
    for frame in [0, 4, 8] {
        annotate(frame, 6000).unwrap();
    }
    project
        .change_phase(lab.ann, task, None, Phase::Interactive)
        .unwrap();
    let first = (1, 3, Some(6.0));
    assert_eq!(per_phase(), [first, (0, 0, None), (0, 0, None)]);
    annotate(11, 2000).unwrap();
    // Frame 8 is remade, which moves it to the other phase and leaves its time where it was spent.
    annotate(8, 1000).unwrap();
    let remade = [(1, 2, Some(9.0)), (0, 0, None), (1, 2, Some(1.5))];
    assert_eq!(per_phase(), remade);
    project.undo(lab.ann, Scope::Task(task), None).unwrap();
    assert_eq!(per_phase(), [first, (0, 0, None), (1, 1, Some(3.0))]);
    project.redo(lab.ann, Scope::Task(task), None).unwrap();
    assert_eq!(per_phase(), remade);

    project
        .remove_masklet(lab.ann, task, None, masklet)
        .unwrap();
    let stats = project.stats().unwrap();
    assert!(
        stats
            .phases
            .iter()
            .all(|of| (of.seconds, of.seconds_per_frame) == (0.0, None)),
        "{:?}",
        stats.phases
    );
    assert!(
        stats.workers[0].annotation_hours > 0.0,
        "the person worked all the same"
    );
    let json = serde_json::to_value(&stats).unwrap();
    assert!(json["phases"][0]["seconds_per_frame"].is_null());
}

#[test]
fn an_empty_project_has_tables_too() {
    let folder = tempfile::tempdir().unwrap();
    let project = masklet_engine::Project::create(folder.path(), "Empty", "Olga").unwrap();
    let text = project.stats().unwrap().to_text();
    assert!(text.contains("videos             0"), "{text}");
    assert!(!text.contains("NaN"), "{text}");
}

#[test]
fn an_object_that_goes_and_comes_back_counts_as_disappearing() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(2);
    for (place, &masklet) in masklets.iter().enumerate() {
        let updates: Vec<_> = (0..FRAMES)
            .map(|frame| {
                let hidden = place == 0 && frame == 4;
                MaskUpdate::new(masklet, frame, square(1, 1, if hidden { 0 } else { 8 }))
            })
            .collect();
        lab.project
            .annotate(lab.ann, task, None, &updates, None)
            .unwrap();
    }
    let contents = lab.project.stats().unwrap().contents;
    assert_eq!(contents.disappearance_rate, 0.5);
    assert_eq!(contents.below_a_tenth, 1.0);
}
