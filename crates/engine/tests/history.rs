//! Every action can be taken back, and a change to what has changed is refused.

mod common;

use common::{FRAMES, Lab, Monkey, clicked, square};
use masklet_engine::{
    Action, EngineError, HistoryQuery, NewMasklet, NewTask, Phase, Role, Scope, Way,
};
use proptest::prelude::*;

#[test]
fn an_undone_action_leaves_nothing_and_a_redone_one_all() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let (project, scope) = (&lab.project, Scope::Task(task));
    let before = project.fingerprint().unwrap();
    let updates: Vec<_> = (0..FRAMES)
        .map(|frame| clicked(masklets[0], frame, square(frame, 3, 5)))
        .collect();
    project
        .annotate(lab.ann, task, None, &updates, None)
        .unwrap();
    let after = project.fingerprint().unwrap();
    assert_ne!(before, after);

    project.undo(lab.ann, scope, None).unwrap();
    assert_eq!(project.fingerprint().unwrap(), before);
    project.redo(lab.ann, scope, None).unwrap();
    assert_eq!(project.fingerprint().unwrap(), after);
    assert_eq!(lab.masks(masklets[0])[3], (3, square(3, 3, 5)));
    assert!(matches!(
        project.redo(lab.ann, scope, None),
        Err(EngineError::NothingLeft { what: "redo", .. })
    ));
}

#[test]
fn undo_goes_back_step_by_step_and_a_new_action_ends_redo() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let (project, scope) = (&lab.project, Scope::Task(task));
    let mut states = vec![project.fingerprint().unwrap()];
    for frame in 0..4 {
        let update = clicked(masklets[0], frame, square(frame, 3, 5));
        project
            .annotate(lab.ann, task, None, &[update], None)
            .unwrap();
        states.push(project.fingerprint().unwrap());
    }
    for state in states.iter().rev().skip(1) {
        project.undo(lab.ann, scope, None).unwrap();
        assert_eq!(project.fingerprint().unwrap(), *state);
    }
    for state in &states[1..3] {
        project.redo(lab.ann, scope, None).unwrap();
        assert_eq!(project.fingerprint().unwrap(), *state);
    }
    project.undo(lab.ann, scope, None).unwrap();
    assert_eq!(project.fingerprint().unwrap(), states[1]);
    let update = clicked(masklets[0], 9, square(9, 3, 5));
    project
        .annotate(lab.ann, task, None, &[update], None)
        .unwrap();
    assert!(project.redo(lab.ann, scope, None).is_err());
    // What was done before the undone actions can still be undone.
    project.undo(lab.ann, scope, None).unwrap();
    project.undo(lab.ann, scope, None).unwrap();
    assert_eq!(project.fingerprint().unwrap(), states[0]);
}

#[test]
fn the_history_tells_who_did_what_and_what_stands() {
    let lab = Lab::new();
    let (task, _) = lab.task(2);
    lab.project
        .change_phase(lab.ann, task, None, Phase::PerFrame)
        .unwrap();
    lab.project.undo(lab.ann, Scope::Task(task), None).unwrap();
    let query = HistoryQuery {
        scope: Some(Scope::Task(task)),
        ..HistoryQuery::default()
    };
    let events = lab.project.history(&query).unwrap();
    let ways: Vec<Way> = events.iter().map(|event| event.way).collect();
    assert_eq!(ways, [Way::Undo, Way::Do, Way::Do]);
    assert_eq!(events[0].reverts, Some(events[1].id));
    assert_eq!(
        events.iter().map(|event| event.stands).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert_eq!(
        events[1].action,
        Action::ChangePhase {
            phase: Phase::PerFrame
        }
    );
    assert!(
        events
            .iter()
            .all(|event| event.user_name == "Ann" && event.at == 1_000_000)
    );

    let page = HistoryQuery {
        limit: Some(2),
        before: Some(events[0].id),
        scope: None,
    };
    let page = lab.project.history(&page).unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(page[0].id, events[1].id);
}

#[test]
fn a_stale_change_is_refused_and_told_what_happened() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let seen = lab.project.task(task).unwrap().revision;
    let update = |frame| clicked(masklets[0], frame, square(1, 1, 4));
    let done = lab
        .project
        .annotate(lab.ann, task, Some(seen), &[update(0)], None)
        .unwrap();
    let error = lab
        .project
        .annotate(lab.ann, task, Some(seen), &[update(1)], None)
        .unwrap_err();
    match error {
        EngineError::Stale {
            scope,
            seen: told,
            current,
            since,
            since_count,
        } => {
            assert_eq!(
                (scope, told, current),
                (Scope::Task(task), seen, done.revision)
            );
            assert_eq!((since.len(), since_count), (1, 1));
            assert!(matches!(
                since[0].action,
                Action::Annotate {
                    frames: 1,
                    clicks: 1,
                    ..
                }
            ));
        }
        error => panic!("{error}"),
    }
    assert_eq!(lab.project.frames(masklets[0]).unwrap().len(), 1);
    // An undo counts as a change, and so does a redo.
    let undone = lab
        .project
        .undo(lab.ann, Scope::Task(task), Some(done.revision))
        .unwrap();
    assert!(matches!(
        lab.project
            .annotate(lab.ann, task, Some(done.revision), &[update(1)], None),
        Err(EngineError::Stale { .. })
    ));
    lab.project
        .annotate(lab.ann, task, Some(undone.revision), &[update(1)], None)
        .unwrap();
}

#[test]
fn an_event_that_others_build_on_is_not_reverted() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let project = &lab.project;
    let update = |x| clicked(masklets[0], 0, square(x, 1, 4));
    let first = project
        .annotate(lab.ann, task, None, &[update(1)], None)
        .unwrap()
        .revision;
    let second = project
        .annotate(lab.ann, task, None, &[update(9)], None)
        .unwrap()
        .revision;
    let error = project.revert(lab.owner, first, None).unwrap_err();
    assert!(
        matches!(error, EngineError::CannotRevert { event, .. } if event == first),
        "{error}"
    );
    // The video has a task: taking its import back would leave that without a video.
    let query = HistoryQuery {
        scope: Some(Scope::Video(lab.video)),
        ..HistoryQuery::default()
    };
    let import = project.history(&query).unwrap()[0].id;
    let state = project.fingerprint().unwrap();
    let error = project.revert(lab.owner, import, None).unwrap_err();
    assert!(
        error.to_string().contains("later events build on it"),
        "{error}"
    );
    assert_eq!(
        project.fingerprint().unwrap(),
        state,
        "a refused change changes nothing"
    );

    project.revert(lab.owner, second, None).unwrap();
    project.revert(lab.owner, first, None).unwrap();
    assert!(matches!(
        project.revert(lab.owner, first, None),
        Err(EngineError::CannotRevert { .. })
    ));
    assert!(project.frames(masklets[0]).unwrap().is_empty());
    // A reverted event stands again when the reverting one is undone.
    project.undo(lab.owner, Scope::Task(task), None).unwrap();
    assert_eq!(lab.masks(masklets[0]), [(0, square(1, 1, 4))]);
    project.revert(lab.owner, first, None).unwrap();
    assert!(project.frames(masklets[0]).unwrap().is_empty());
    assert!(matches!(
        project.revert(lab.ann, second, None),
        Err(EngineError::Forbidden { .. })
    ));
}

#[test]
fn a_video_with_all_that_was_annotated_in_it_is_removed_and_comes_back() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(2);
    lab.annotate_all(task, masklets[0]);
    let before = lab.project.fingerprint().unwrap();
    lab.project.remove_video(lab.owner, lab.video).unwrap();
    assert!(lab.project.videos().unwrap().is_empty());
    assert!(lab.project.task(task).is_err());
    lab.project
        .undo(lab.owner, Scope::Video(lab.video), None)
        .unwrap();
    assert_eq!(lab.project.fingerprint().unwrap(), before);
    assert_eq!(lab.masks(masklets[0]).len(), FRAMES as usize);
    let video = lab.project.video(lab.video).unwrap();
    let mut frames = lab.project.open_frames(&video).unwrap();
    assert!(frames.frame(0).unwrap().is_some());
}

#[test]
fn settings_and_users_are_undone_too_but_never_the_last_owner() {
    let lab = Lab::new();
    let project = &lab.project;
    let before = project.settings().unwrap();
    let changed = project
        .change_settings(lab.owner, None, |settings| settings.annotation_rate = 12)
        .unwrap();
    assert_eq!(changed.value.annotation_rate, 12);
    let event = &project
        .history(&HistoryQuery {
            limit: Some(1),
            ..Default::default()
        })
        .unwrap()[0];
    assert_eq!(
        event.action,
        Action::ChangeSettings {
            changed: vec!["annotation_rate".into()]
        }
    );
    project
        .undo(lab.owner, Scope::Project, Some(changed.revision))
        .unwrap();
    assert_eq!(project.settings().unwrap(), before);
    assert!(
        project
            .change_settings(lab.owner, None, |s| s.lease_seconds = 0)
            .is_err()
    );
    assert!(
        project
            .change_settings(lab.ann, None, |s| s.lease_seconds = 9)
            .is_err()
    );

    let error = project
        .change_user(lab.owner, lab.owner, Role::Annotator, true, None)
        .unwrap_err();
    assert!(matches!(error, EngineError::WrongState { .. }), "{error}");
    let second = project.add_user(lab.owner, "Oskar", Role::Owner).unwrap();
    project
        .change_user(second.value, lab.owner, Role::Annotator, true, None)
        .unwrap();
    let error = project
        .revert(second.value, second.revision, None)
        .unwrap_err();
    assert!(matches!(
        error,
        EngineError::WrongState { .. } | EngineError::CannotRevert { .. }
    ));
}

#[test]
fn undoing_the_making_of_a_project_is_refused() {
    let lab = Lab::new();
    let error = lab
        .project
        .undo(lab.owner, Scope::Project, None)
        .unwrap_err();
    assert!(!error.to_string().is_empty());
    assert_eq!(lab.project.settings().unwrap().name, "Lab");
    assert_eq!(lab.project.users().unwrap().len(), 3);
}

#[test]
fn only_an_owner_takes_back_what_somebody_else_did() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let project = &lab.project;
    lab.annotate_all(task, masklets[0]);
    project.release(lab.ann, task).unwrap();
    let other = project
        .add_user(lab.owner, "Bob", Role::Annotator)
        .unwrap()
        .value;
    project.claim(other, task).unwrap();
    let error = project.undo(other, Scope::Task(task), None).unwrap_err();
    assert!(matches!(error, EngineError::Forbidden { .. }), "{error}");
    let error = project.undo(lab.ann, Scope::Task(task), None).unwrap_err();
    assert!(matches!(error, EngineError::Held { .. }), "{error}");
    project.undo(lab.owner, Scope::Task(task), None).unwrap();
    assert!(project.frames(masklets[0]).unwrap().is_empty());
}

#[test]
fn objects_are_added_renamed_and_removed() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let project = &lab.project;
    let cat = NewMasklet {
        name: Some("cat".into()),
        colour: Some([9, 8, 7]),
        reference: None,
    };
    let cat = project
        .add_masklet(lab.ann, task, None, &cat)
        .unwrap()
        .value;
    let known = project.masklet(cat).unwrap();
    assert_eq!(
        (known.name.as_str(), known.colour, known.number),
        ("cat", [9, 8, 7], 2)
    );
    project
        .rename_masklet(lab.ann, task, None, cat, ("tom cat", [1, 2, 3]))
        .unwrap();
    assert_eq!(project.masklet(cat).unwrap().name, "tom cat");
    project.remove_masklet(lab.ann, task, None, cat).unwrap();
    assert_eq!(lab.masklets(task), masklets);
    project.undo(lab.ann, Scope::Task(task), None).unwrap();
    assert_eq!(project.masklet(cat).unwrap().name, "tom cat");
    for name in ["", "  ", "two\nlines"] {
        let error = project
            .rename_masklet(lab.ann, task, None, cat, (name, [0; 3]))
            .unwrap_err();
        assert!(matches!(error, EngineError::BadValue { .. }), "{error}");
    }
    let new = NewTask {
        step: Some(0),
        ..NewTask::on(lab.video)
    };
    assert!(project.create_task(lab.ann, &new).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_done_in_a_task_is_undone_and_redone(seed: u64) {
        let lab = Lab::new();
        lab.project.change_settings(lab.owner, None, |s| s.verify_own_work = true).unwrap();
        let (task, _) = lab.task(2);
        lab.project.release(lab.ann, task).unwrap();
        let scope = Scope::Task(task);
        let mut monkey = Monkey::new(seed);
        for _ in 0..40 {
            monkey.act(&lab.project, lab.owner).unwrap();
        }
        let last = lab.project.fingerprint().unwrap();
        let mut undone = 0;
        while lab.project.undo(lab.owner, scope, None).is_ok() {
            undone += 1;
        }
        prop_assert!(lab.project.task(task).is_err(), "undone up to its making");
        for _ in 0..undone {
            lab.project.redo(lab.owner, scope, None).unwrap();
        }
        prop_assert_eq!(lab.project.fingerprint().unwrap(), last);
    }
}
