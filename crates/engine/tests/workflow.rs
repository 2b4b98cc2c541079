//! From annotation to verification and back; who may do what; who holds what.

mod common;

use common::{FRAMES, Lab, SIZE, clicked, square};
use masklet_engine::{
    EngineError, Judgement, MaskUpdate, MaskletId, MaskletState, ModelFacts, NewMasklet, NewTask,
    Phase, Project, Role, Scope, TaskId, TaskQuery, TaskState, Verdict,
};
use masklet_media::{Mask, Rle};

fn judgement(masklet: MaskletId, verdict: Verdict) -> Judgement {
    let remark = (verdict == Verdict::Unsatisfactory).then(|| "the tail is missing".to_owned());
    Judgement {
        masklet,
        verdict,
        remark,
        milliseconds: 4000,
    }
}

fn state_of(lab: &Lab, masklet: MaskletId) -> MaskletState {
    lab.project.masklet(masklet).unwrap().state
}

#[test]
fn an_unsatisfactory_masklet_goes_back_with_a_remark_until_it_is_satisfactory() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(2);
    for &masklet in &masklets {
        lab.annotate_all(task, masklet);
    }
    project.submit(lab.ann, task, None).unwrap();
    assert_eq!(project.task(task).unwrap().state, TaskState::Verify);
    assert_eq!(project.task(task).unwrap().lease, None);

    let lease = project
        .claim_next(lab.vera, TaskState::Verify)
        .unwrap()
        .unwrap();
    assert_eq!(lease.task, task);
    let first = judgement(masklets[0], Verdict::Satisfactory);
    assert_eq!(
        project.judge(lab.vera, task, None, &first).unwrap().value,
        TaskState::Verify
    );
    let second = judgement(masklets[1], Verdict::Unsatisfactory);
    assert_eq!(
        project.judge(lab.vera, task, None, &second).unwrap().value,
        TaskState::Annotate
    );

    let repaired = project
        .claim_next(lab.ann, TaskState::Annotate)
        .unwrap()
        .unwrap();
    assert_eq!(repaired.task, task);
    let known = project.masklet(masklets[1]).unwrap();
    assert_eq!(known.remark.as_deref(), Some("the tail is missing"));
    // What was satisfactory stays as it is.
    let update = clicked(masklets[0], 0, square(1, 1, 4));
    assert!(matches!(
        project.annotate(lab.ann, task, None, &[update], None),
        Err(EngineError::WrongState { .. })
    ));
    let update = clicked(masklets[1], 0, square(1, 1, 4));
    project
        .annotate(lab.ann, task, None, &[update], None)
        .unwrap();
    project.submit(lab.ann, task, None).unwrap();
    assert_eq!(state_of(&lab, masklets[0]), MaskletState::Satisfactory);
    assert_eq!(state_of(&lab, masklets[1]), MaskletState::Submitted);

    project.claim(lab.vera, task).unwrap();
    let done = project.judge(
        lab.vera,
        task,
        None,
        &judgement(masklets[1], Verdict::Satisfactory),
    );
    assert_eq!(done.unwrap().value, TaskState::Done);
    assert_eq!(
        project.claim_next(lab.vera, TaskState::Verify).unwrap(),
        None
    );
    assert!(matches!(
        project.claim(lab.ann, task),
        Err(EngineError::WrongState { .. })
    ));

    project
        .reopen(lab.owner, task, None, &masklets[..1], Some("look again"))
        .unwrap();
    assert_eq!(project.task(task).unwrap().state, TaskState::Annotate);
    assert_eq!(state_of(&lab, masklets[0]), MaskletState::Unsatisfactory);
}

#[test]
fn rejected_masklets_end_a_task_and_last_verdicts_can_be_undone() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    lab.annotate_all(task, masklets[0]);
    project.submit(lab.ann, task, None).unwrap();
    // Nobody has looked at it yet.
    project.undo(lab.ann, Scope::Task(task), None).unwrap();
    assert_eq!(project.task(task).unwrap().state, TaskState::Annotate);
    project.redo(lab.ann, Scope::Task(task), None).unwrap();
    project.claim(lab.vera, task).unwrap();
    let reject = judgement(masklets[0], Verdict::Reject);
    assert_eq!(
        project.judge(lab.vera, task, None, &reject).unwrap().value,
        TaskState::Done
    );
    assert_eq!(state_of(&lab, masklets[0]), MaskletState::Rejected);
    project.undo(lab.vera, Scope::Task(task), None).unwrap();
    assert_eq!(state_of(&lab, masklets[0]), MaskletState::Submitted);
    assert_eq!(project.task(task).unwrap().state, TaskState::Verify);
}

#[test]
fn a_task_whose_bad_object_was_removed_is_done_when_it_is_submitted() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(2);
    for &masklet in &masklets {
        lab.annotate_all(task, masklet);
    }
    project.submit(lab.ann, task, None).unwrap();
    project.claim(lab.vera, task).unwrap();
    for (masklet, verdict) in [
        (masklets[0], Verdict::Satisfactory),
        (masklets[1], Verdict::Unsatisfactory),
    ] {
        project
            .judge(lab.vera, task, None, &judgement(masklet, verdict))
            .unwrap();
    }
    project.claim(lab.ann, task).unwrap();
    project
        .remove_masklet(lab.ann, task, None, masklets[1])
        .unwrap();
    project.submit(lab.ann, task, None).unwrap();
    assert_eq!(project.task(task).unwrap().state, TaskState::Done);
    let error = project
        .reopen(lab.owner, task, None, &[], None)
        .unwrap_err();
    assert!(matches!(error, EngineError::BadValue { .. }), "{error}");
}

#[test]
fn nobody_verifies_their_own_work_unless_the_settings_say_so() {
    let lab = Lab::new();
    let project = &lab.project;
    let task = project.create_task(
        lab.owner,
        &NewTask {
            masklets: vec![Default::default()],
            ..NewTask::on(lab.video)
        },
    );
    let task = task.unwrap().value;
    let masklet = lab.masklets(task)[0];
    project.claim(lab.owner, task).unwrap();
    let update = clicked(masklet, 0, square(1, 1, 4));
    project
        .annotate(lab.owner, task, None, &[update], None)
        .unwrap();
    project.submit(lab.owner, task, None).unwrap();
    let error = project.claim(lab.owner, task).unwrap_err();
    assert!(error.to_string().contains("verify_own_work"), "{error}");
    assert_eq!(
        project.claim_next(lab.owner, TaskState::Verify).unwrap(),
        None
    );
    project
        .change_settings(lab.owner, None, |settings| settings.verify_own_work = true)
        .unwrap();
    project.claim(lab.owner, task).unwrap();
    project
        .judge(
            lab.owner,
            task,
            None,
            &judgement(masklet, Verdict::Satisfactory),
        )
        .unwrap();
}

#[test]
fn a_task_is_held_by_one_person_until_the_lease_ends() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    let other = project
        .add_user(lab.owner, "Bob", Role::Annotator)
        .unwrap()
        .value;
    let error = project.claim(other, task).unwrap_err();
    assert!(error.to_string().contains("held by Ann for 30"), "{error}");
    let update = clicked(masklets[0], 0, square(1, 1, 4));
    let annotate = |user| project.annotate(user, task, None, std::slice::from_ref(&update), None);
    assert!(matches!(annotate(other), Err(EngineError::Held { .. })));
    assert_eq!(
        project.claim_next(other, TaskState::Annotate).unwrap(),
        None
    );

    lab.wait(200);
    project.renew(lab.ann, task).unwrap();
    lab.wait(200);
    annotate(lab.ann).unwrap();
    lab.wait(101);
    assert!(matches!(
        annotate(lab.ann),
        Err(EngineError::NotHeld { .. })
    ));
    assert!(matches!(
        project.renew(lab.ann, task),
        Err(EngineError::NotHeld { .. })
    ));
    assert_eq!(project.task(task).unwrap().lease, None);

    let lease = project
        .claim_next(other, TaskState::Annotate)
        .unwrap()
        .unwrap();
    assert_eq!((lease.task, lease.user_name.as_str()), (task, "Bob"));
    assert!(matches!(
        project.renew(lab.ann, task),
        Err(EngineError::Held { .. })
    ));
    assert!(matches!(
        project.release(lab.ann, task),
        Err(EngineError::Held { .. })
    ));
    project.release(other, task).unwrap();
    project.claim(lab.ann, task).unwrap();
    // An owner takes it from whoever holds it.
    project.release(lab.owner, task).unwrap();
    assert_eq!(project.task(task).unwrap().lease, None);
}

#[test]
fn two_people_who_claim_at_once_get_different_tasks() {
    let lab = Lab::new();
    let tasks: Vec<TaskId> = (0..8).map(|_| lab.task(1).0).collect();
    for &task in &tasks {
        lab.project.release(lab.ann, task).unwrap();
    }
    let people: Vec<_> = (0..8)
        .map(|number| {
            let name = format!("person {number}");
            lab.project
                .add_user(lab.owner, &name, Role::Annotator)
                .unwrap()
                .value
        })
        .collect();
    let mut claimed: Vec<TaskId> = std::thread::scope(|scope| {
        let claims: Vec<_> = people
            .iter()
            .map(|&user| {
                let project: &Project = &lab.project;
                scope.spawn(move || {
                    project
                        .claim_next(user, TaskState::Annotate)
                        .unwrap()
                        .unwrap()
                })
            })
            .collect();
        claims
            .into_iter()
            .map(|claim| claim.join().unwrap().task)
            .collect()
    });
    claimed.sort();
    assert_eq!(claimed, tasks);
}

#[test]
fn roles_bound_what_people_can_do() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    lab.annotate_all(task, masklets[0]);
    project.submit(lab.ann, task, None).unwrap();
    let forbidden = |error: EngineError| {
        assert!(matches!(error, EngineError::Forbidden { .. }), "{error}");
        error.to_string()
    };
    forbidden(project.claim(lab.ann, task).unwrap_err());
    forbidden(
        project
            .create_task(lab.vera, &NewTask::on(lab.video))
            .unwrap_err(),
    );
    forbidden(project.remove_video(lab.ann, lab.video).unwrap_err());
    forbidden(project.add_user(lab.vera, "Eve", Role::Owner).unwrap_err());
    forbidden(project.new_token(lab.ann, lab.vera).unwrap_err());
    let told = forbidden(
        project
            .undo(lab.ann, Scope::Video(lab.video), None)
            .unwrap_err(),
    );
    assert!(
        told.contains("Ann (annotator)") && told.contains("an owner can"),
        "{told}"
    );
    forbidden(project.claim_next(lab.ann, TaskState::Verify).unwrap_err());
}

#[test]
fn tokens_stand_for_users_until_they_are_replaced() {
    let lab = Lab::new();
    let project = &lab.project;
    let first = project.new_token(lab.owner, lab.ann).unwrap();
    assert_eq!(project.authenticate(first.secret()).unwrap().name, "Ann");
    let second = project.new_token(lab.ann, lab.ann).unwrap();
    assert_ne!(first, second);
    assert!(matches!(
        project.authenticate(first.secret()),
        Err(EngineError::UnknownToken)
    ));
    assert_eq!(project.authenticate(second.secret()).unwrap().id, lab.ann);
    assert!(!format!("{second:?}").contains(second.secret()));
    // The project does not hold the secret itself.
    for entry in std::fs::read_dir(project.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let secret = second.secret().as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
    project
        .change_user(lab.owner, lab.ann, Role::Annotator, false, None)
        .unwrap();
    assert!(matches!(
        project.authenticate(second.secret()),
        Err(EngineError::UnknownToken)
    ));
    assert!(matches!(
        project.create_task(lab.ann, &NewTask::on(lab.video)),
        Err(EngineError::Unknown { .. })
    ));
}

#[test]
fn masks_that_do_not_fit_are_refused() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    let (_, others) = lab.task(1);
    let fine = square(1, 1, 4);
    let small = masklet_media::Rle::encode(&masklet_media::Mask::empty(8, 8));
    let of = |update: MaskUpdate| {
        let error = project
            .annotate(lab.ann, task, None, &[update], None)
            .unwrap_err();
        error.to_string()
    };
    let beyond = of(MaskUpdate::new(masklets[0], FRAMES, fine.clone()));
    assert!(beyond.contains("frames 0 to 11"), "{beyond}");
    assert!(of(MaskUpdate::new(masklets[0], 0, small)).contains("32x24"));
    let other = of(MaskUpdate::new(others[0], 0, fine.clone()));
    assert!(other.contains("task 1 has"), "{other}");
    let nan = MaskUpdate {
        occlusion_score: Some(f32::NAN),
        ..MaskUpdate::new(masklets[0], 0, fine.clone())
    };
    assert!(of(nan).contains("finite"));
    assert!(project.annotate(lab.ann, task, None, &[], None).is_err());
    project
        .change_phase(lab.ann, task, None, Phase::PerFrame)
        .unwrap();
    assert!(of(MaskUpdate::new(masklets[0], 0, fine.clone())).contains("phase 1"));
    project
        .annotate(lab.ann, task, None, &[clicked(masklets[0], 0, fine)], None)
        .unwrap();
    assert_eq!(project.frames(masklets[0]).unwrap().len(), 1);
}

#[test]
fn frames_remember_prompts_clicks_and_time_through_propagation() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    let model = ModelFacts {
        name: "tiny".into(),
        sha256: Some("00".into()),
    };
    let first = clicked(masklets[0], 0, square(1, 1, 4));
    project
        .annotate(
            lab.ann,
            task,
            None,
            std::slice::from_ref(&first),
            Some(&model),
        )
        .unwrap();
    let tracked: Vec<MaskUpdate> = (0..FRAMES)
        .map(|frame| MaskUpdate {
            occlusion_score: Some(3.5),
            stability_score: Some(0.75),
            ..MaskUpdate::new(masklets[0], frame, square(frame, 1, 4))
        })
        .collect();
    project
        .annotate(lab.ann, task, None, &tracked, Some(&model))
        .unwrap();
    let again = MaskUpdate {
        prompts: None,
        edited: true,
        ..first.clone()
    };
    project
        .annotate(lab.ann, task, None, &[again], None)
        .unwrap();
    let frames = project.frames(masklets[0]).unwrap();
    assert_eq!(frames.len(), FRAMES as usize);
    let entry = project.frame(masklets[0], 0).unwrap().unwrap();
    assert_eq!(Some(&entry.prompts), first.prompts.as_ref());
    assert!(entry.prompted && entry.edited);
    assert_eq!(
        (entry.clicks, entry.milliseconds, entry.area),
        (2, 3000, 16)
    );
    assert_eq!(entry.bbox, [1, 1, 4, 4]);
    assert!(!frames[1].touched());
    assert_eq!(
        (frames[1].occlusion_score, frames[1].stability_score),
        (Some(3.5), Some(0.75))
    );
    let models = project.models().unwrap();
    assert_eq!(
        project.masklet(masklets[0]).unwrap().model,
        Some(models[0].id)
    );
    // Another checkpoint of the same name is another version.
    let other = ModelFacts {
        name: "tiny".into(),
        sha256: Some("11".into()),
    };
    project
        .annotate(lab.ann, task, None, &tracked, Some(&other))
        .unwrap();
    let names: Vec<_> = project
        .models()
        .unwrap()
        .into_iter()
        .map(|model| model.name)
        .collect();
    assert_eq!(names, ["tiny", "tiny-2"]);
}

#[test]
fn a_task_without_masks_is_not_submitted() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    let error = lab.project.submit(lab.ann, task, None).unwrap_err();
    assert!(
        error.to_string().contains("annotate or remove it"),
        "{error}"
    );
    lab.project
        .remove_masklet(lab.ann, task, None, masklets[0])
        .unwrap();
    let error = lab.project.submit(lab.ann, task, None).unwrap_err();
    assert!(error.to_string().contains("without an object"), "{error}");
}

#[test]
fn tasks_are_listed_by_state_and_video() {
    let lab = Lab::new();
    let (first, masklets) = lab.task(1);
    let (second, _) = lab.task(1);
    lab.annotate_all(first, masklets[0]);
    lab.project.submit(lab.ann, first, None).unwrap();
    let ids = |query| -> Vec<TaskId> {
        lab.project
            .tasks(query)
            .unwrap()
            .iter()
            .map(|task| task.id)
            .collect()
    };
    assert_eq!(ids(TaskQuery::default()), [first, second]);
    assert_eq!(
        ids(TaskQuery {
            state: Some(TaskState::Verify),
            video: None
        }),
        [first]
    );
    assert_eq!(
        ids(TaskQuery {
            state: None,
            video: Some(lab.video)
        }),
        [first, second]
    );
    // Videos without a rate are taken to have 24 frames a second: one in four is annotated.
    assert_eq!(lab.project.task(second).unwrap().step, 4);
}

#[test]
fn a_promoted_model_is_copied_and_used_and_the_choice_is_undone() {
    let lab = Lab::new();
    let project = &lab.project;
    let weights = lab.path("weights.safetensors");
    std::fs::write(&weights, b"weights").unwrap();
    assert!(matches!(
        project.promote(lab.ann, "round 1", &weights),
        Err(EngineError::Forbidden { .. })
    ));
    let id = project.promote(lab.owner, "round 1", &weights).unwrap();
    assert_eq!(project.settings().unwrap().model, Some(id));
    let model = &project.models().unwrap()[0];
    let file = project.model_file(model).unwrap();
    assert!(file.starts_with(project.folder()));
    assert_eq!(std::fs::read(file).unwrap(), b"weights");
    // The same again changes nothing.
    let revision = project.revision(Scope::Project).unwrap();
    assert_eq!(project.promote(lab.owner, "round 1", &weights).unwrap(), id);
    assert_eq!(project.revision(Scope::Project).unwrap(), revision);
    project.undo(lab.owner, Scope::Project, None).unwrap();
    assert_eq!(project.settings().unwrap().model, None);
}

#[test]
fn masks_that_are_refused_leave_nothing_on_the_disk() {
    let lab = Lab::new();
    let project = &lab.project;
    let (task, masklets) = lab.task(1);
    let seen = project.task(task).unwrap().revision;
    let bob = project
        .add_user(lab.owner, "Bob", Role::Annotator)
        .unwrap()
        .value;
    let update = |x| vec![clicked(masklets[0], 0, square(x, 1, 4))];
    let large = Rle::encode(&Mask::from_fn(SIZE.0 * 2, SIZE.1, |x, _| x > 3));
    let done = project
        .annotate(lab.ann, task, Some(seen), &update(0), None)
        .unwrap();
    let masks = project.folder().join("masks");
    let files = || -> usize {
        let folders = std::fs::read_dir(&masks).unwrap();
        let inside =
            folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count());
        inside.sum()
    };
    assert_eq!(files(), 1);
    for (user, revision, updates) in [
        (lab.vera, None, update(1)),
        (bob, None, update(2)),
        (lab.ann, Some(seen), update(3)),
        (
            lab.ann,
            None,
            vec![clicked(masklets[0], FRAMES, square(4, 1, 4))],
        ),
        (lab.ann, None, vec![clicked(masklets[0], 0, large)]),
        (
            lab.ann,
            None,
            vec![clicked(MaskletId(99), 0, square(5, 1, 4))],
        ),
    ] {
        let refused = project.annotate(user, task, revision, &updates, None);
        refused.unwrap_err();
    }
    assert_eq!(files(), 1);
    project
        .annotate(lab.ann, task, Some(done.revision), &update(6), None)
        .unwrap();
    assert_eq!(files(), 2);
}

#[test]
fn what_another_task_is_compared_with_is_not_removed() {
    let lab = Lab::new();
    let project = &lab.project;
    let (first, masklets) = lab.task(1);
    let compared = || NewMasklet {
        reference: Some(masklets[0]),
        ..NewMasklet::default()
    };
    // In the same task, the other one is changed with it, and comes back with it.
    let beside = project
        .add_masklet(lab.ann, first, None, &compared())
        .unwrap()
        .value;
    let before = project.fingerprint().unwrap();
    project
        .remove_masklet(lab.ann, first, None, masklets[0])
        .unwrap();
    assert_eq!(project.masklet(beside).unwrap().reference, None);
    project.undo(lab.ann, Scope::Task(first), None).unwrap();
    assert_eq!(project.fingerprint().unwrap(), before);

    let new = NewTask {
        masklets: vec![compared()],
        ..NewTask::on(lab.video)
    };
    let second = project.create_task(lab.ann, &new).unwrap();
    let before = project.fingerprint().unwrap();
    let refused = project.remove_masklet(lab.ann, first, None, masklets[0]);
    let error = refused.unwrap_err();
    assert!(matches!(error, EngineError::Refused(_)), "{error}");
    let named = format!("of task {} is compared", second.value);
    assert!(error.to_string().contains(&named), "{error}");
    assert_eq!(project.fingerprint().unwrap(), before);
    // Without the other one it can be.
    project.claim(lab.ann, second.value).unwrap();
    let other = lab.masklets(second.value)[0];
    project
        .remove_masklet(lab.ann, second.value, None, other)
        .unwrap();
    project
        .remove_masklet(lab.ann, first, None, masklets[0])
        .unwrap();
}
