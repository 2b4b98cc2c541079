//! Prompts and propagation give exactly what the predictors give, whatever happened to the session.

mod common;

use common::{Client, FRAMES, Lab, Task, click, fixture, model, square};
use masklet::{Click, ClickHistory, FrameResult, Propagation, VideoPredictor, VideoSession};
use masklet_media::{Mask, MemoryFrames, RgbImage, Rle};
use serde_json::{Value, json};

const FIRST: [f32; 2] = [31.0, 61.0];
const SECOND: [f32; 2] = [50.0, 80.0];

fn session() -> VideoSession<MemoryFrames> {
    let frames = (0..FRAMES).map(|frame| RgbImage::open(fixture(format!("frames/{frame:05}.png"))));
    let frames: Vec<RgbImage> = frames.collect::<Result<_, _>>().unwrap();
    VideoPredictor::new(&model()).session(MemoryFrames::new(frames).unwrap())
}

fn clicked(session: &mut VideoSession<MemoryFrames>, frame: usize, [x, y]: [f32; 2]) -> Value {
    let clicks = [Click::positive(x, y)];
    let result = session.add_clicks(frame, 1, &clicks, ClickHistory::Append);
    mask_of(&result.unwrap())
}

fn mask_of(result: &FrameResult) -> Value {
    json!(Rle::encode(&result.object(1).unwrap().mask()))
}

fn tracked(
    session: &mut VideoSession<MemoryFrames>,
    propagation: Propagation,
) -> Vec<(u32, Value)> {
    let results = session.propagate(propagation).unwrap();
    results
        .map(|result| result.unwrap())
        .map(|result| (result.frame as u32, mask_of(&result)))
        .collect()
}

/// Checks that masks are equal, and names the frames on which they are not.
#[track_caller]
fn same(found: &[(u32, Value)], expected: &[(u32, Value)]) {
    let frames = |masks: &[(u32, Value)]| masks.iter().map(|on| on.0).collect::<Vec<_>>();
    assert_eq!(frames(found), frames(expected));
    let pairs = found.iter().zip(expected);
    let differing = pairs
        .filter(|(one, other)| one != other)
        .map(|(one, _)| one.0);
    assert_eq!(
        differing.collect::<Vec<_>>(),
        [0; 0],
        "masks differ on these frames"
    );
}

fn mask(mask: &Value) -> Mask {
    serde_json::from_value::<Rle>(mask.clone())
        .unwrap()
        .decode()
}

#[test]
fn in_phase_3_it_is_the_video_predictor() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(3, 1);
    let object = task.masklets[0];
    let [a, b] = [FIRST, SECOND].map(|[x, y]| click(x, y));

    let mut direct = session();
    let first = owner.prompt(&task, object, 2, std::slice::from_ref(&a));
    assert!(first["mask"] == clicked(&mut direct, 2, FIRST));
    assert_ne!(first["entry"]["area"], 0, "an empty mask shows nothing");
    let second = owner.prompt(&task, object, 2, &[a, b.clone()]);
    assert!(second["mask"] == clicked(&mut direct, 2, SECOND));
    assert_eq!(second["entry"]["clicks"], 2);

    let done = owner.propagate(&task, &[object], 2, "forward");
    assert_eq!((&done["frames"], &done["last"]), (&json!(6), &json!(7)));
    let expected = tracked(&mut direct, Propagation::default());
    same(&owner.masks(&task, object), &expected);
    // A frame that was tracked is corrected with what is remembered.
    let corrected = owner.prompt(&task, object, 5, &[b]);
    assert!(corrected["mask"] == clicked(&mut direct, 5, SECOND));
    owner.propagate(&task, &[object], 5, "forward");
    let again = Propagation {
        start: Some(5),
        ..Propagation::default()
    };
    let expected = tracked(&mut direct, again);
    same(&owner.masks(&task, object)[3..], &expected);
    owner.propagate(&task, &[object], 2, "backward");
    let mut expected = tracked(
        &mut direct,
        Propagation {
            start: Some(2),
            ..Propagation::backward()
        },
    );
    expected.reverse();
    assert_eq!(owner.masks(&task, object)[..3], expected);
}

#[test]
fn in_phase_2_a_mask_is_all_that_the_model_is_shown() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(2, 1);
    let object = task.masklets[0];
    let [a, b] = [FIRST, SECOND].map(|[x, y]| click(x, y));
    let first = owner.prompt(&task, object, 0, std::slice::from_ref(&a));
    owner.propagate(&task, &[object], 0, "forward");

    let mut direct = session();
    direct.add_mask(0, 1, &mask(&first["mask"])).unwrap();
    let expected = tracked(&mut direct, Propagation::default());
    let found = owner.masks(&task, object);
    assert_eq!(found[0].1, first["mask"], "what was clicked stays");
    same(&found[1..], &expected[1..]);

    // A repair is by the picture alone, and what follows it is by the repair alone.
    let repair = owner.prompt(&task, object, 4, std::slice::from_ref(&b));
    assert!(repair["mask"] == clicked(&mut session(), 4, SECOND));
    owner.propagate(&task, &[object], 4, "forward");
    let mut direct = session();
    direct.add_mask(4, 1, &mask(&repair["mask"])).unwrap();
    let expected = tracked(
        &mut direct,
        Propagation {
            start: Some(4),
            ..Propagation::default()
        },
    );
    let after = owner.masks(&task, object);
    same(&after[5..], &expected[1..]);
    // What is before the repair stays.
    same(&after[..4], &found[..4]);
}

#[test]
fn in_phase_1_each_frame_is_for_itself() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(1, 1);
    let object = task.masklets[0];
    let [a, b] = [FIRST, SECOND].map(|[x, y]| click(x, y));
    for frame in [0, 3] {
        let found = owner.prompt(&task, object, frame, std::slice::from_ref(&a));
        assert_eq!(
            found["mask"],
            clicked(&mut session(), frame as usize, FIRST)
        );
    }
    let both = owner.prompt(&task, object, 3, &[a.clone(), b]);
    let mut direct = session();
    clicked(&mut direct, 3, FIRST);
    assert!(both["mask"] == clicked(&mut direct, 3, SECOND));
    // A click less is as if it had never been.
    let one = owner.prompt(&task, object, 3, std::slice::from_ref(&a));
    assert!(one["mask"] == clicked(&mut session(), 3, FIRST));
    let body = json!({
        "seen": owner.revision(&task), "masklets": [object], "from": 0, "direction": "forward",
    });
    owner.refused("POST", &task.path("/propagate"), body, "wrong-state");
}

/// What a fresh user of a session gets: a click on a tracked frame, and what follows it.
fn correct_and_go_on(client: &Client, task: &Task) -> Vec<(u32, Value)> {
    let object = task.masklets[0];
    client.prompt(task, object, 6, &[click(SECOND[0], SECOND[1])]);
    client.propagate(task, &[object], 0, "forward");
    client.masks(task, object)
}

#[test]
fn a_session_is_rebuilt_from_what_is_stored() {
    let lab = Lab::new();
    let owner = lab.owner();
    let tasks = [owner.task(3, 1), owner.task(3, 1)];
    for task in &tasks {
        let object = task.masklets[0];
        owner.prompt(task, object, 1, &[click(FIRST[0], FIRST[1])]);
        owner.draw(task, object, 4, &square(40, 40, 30));
    }
    // One has a server that was there all the time, the other a new one.
    owner.propagate(&tasks[0], &tasks[0].masklets, 0, "forward");
    let expected = owner.masks(&tasks[0], tasks[0].masklets[0]);
    assert_eq!(expected.len(), FRAMES as usize);
    let lab = lab.restarted();
    let owner = lab.owner();
    owner.propagate(&tasks[1], &tasks[1].masklets, 0, "forward");
    same(&owner.masks(&tasks[1], tasks[1].masklets[0]), &expected);
    // With memories that are made again, it works and is repeatable.
    let lab = lab.restarted();
    let corrected = tasks.map(|task| correct_and_go_on(&lab.owner(), &task));
    same(&corrected[0], &corrected[1]);
    assert!(corrected[0] != expected, "the correction changes something");
}

#[test]
fn undo_and_redo_take_the_session_with_them() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(3, 1);
    let object = task.masklets[0];
    let [a, b] = [FIRST, SECOND].map(|[x, y]| click(x, y));
    owner.prompt(&task, object, 0, std::slice::from_ref(&a));
    owner.prompt(&task, object, 0, &[a.clone(), b.clone()]);
    owner.undo(&task);
    // The click after the undone one follows the first.
    let next = owner.prompt(&task, object, 0, &[a, b]);
    let mut direct = session();
    clicked(&mut direct, 0, FIRST);
    assert!(next["mask"] == clicked(&mut direct, 0, SECOND));
    owner.propagate(&task, &[object], 0, "forward");
    let all = owner.masks(&task, object);
    // A slow machine stores what was tracked in parts, and each is a step to undo.
    let mut left = all.len();
    while left > 1 {
        owner.undo(&task);
        let now = owner.masks(&task, object).len();
        assert!(now < left, "an undo takes frames back");
        left = now;
    }
    assert_eq!(left, 1, "the clicked frame stays");
    owner.propagate(&task, &[object], 0, "forward");
    same(&owner.masks(&task, object), &all);
}

#[test]
fn what_people_drew_is_never_tracked_over() {
    let lab = Lab::new();
    let owner = lab.owner();
    let drawn = square(10, 20, 40);
    for phase in [2, 3] {
        let task = owner.task(phase, 2);
        let [one, other] = task.masklets[..] else {
            panic!("two objects")
        };
        owner.prompt(&task, one, 0, &[click(FIRST[0], FIRST[1])]);
        owner.prompt(&task, other, 0, &[click(SECOND[0], SECOND[1])]);
        let stored = owner.draw(&task, one, 3, &drawn);
        assert_eq!(stored["entries"][0]["frames"][0]["area"], 1600);
        assert_eq!(stored["entries"][0]["frames"][0]["edited"], true);
        owner.propagate(&task, &[one, other], 0, "forward");
        assert_eq!(owner.masks(&task, one)[3].1, drawn);
        assert_eq!(owner.masks(&task, other).len(), FRAMES as usize);
    }
}

#[test]
fn a_click_refines_a_mask_that_was_drawn() {
    let lab = Lab::new();
    let owner = lab.owner();
    let drawn = square(20, 50, 30);
    for phase in [1, 3] {
        let task = owner.task(phase, 1);
        let object = task.masklets[0];
        owner.draw(&task, object, 0, &drawn);
        let refined = owner.prompt(
            &task,
            object,
            0,
            &[json!({ "kind": "mask" }), click(SECOND[0], SECOND[1])],
        );
        let mut direct = session();
        direct.add_mask(0, 1, &mask(&drawn)).unwrap();
        assert!(refined["mask"] == clicked(&mut direct, 0, SECOND));
        assert_eq!(refined["entry"]["clicks"], 1);
    }
}

#[test]
fn prompts_that_cannot_be_change_nothing() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(3, 1);
    let object = task.masklets[0];
    let seen = owner.revision(&task);
    let prompt = |masklet: u64, frame: u32, prompts: Value, code: &str| {
        let body = json!({
            "seen": seen, "masklet": masklet, "frame": frame, "prompts": prompts,
        });
        owner.refused("POST", &task.path("/prompt"), body, code);
    };
    prompt(object, 0, json!([]), "bad-request");
    prompt(object, 0, json!([{ "kind": "mask" }]), "bad-request");
    prompt(object, 0, json!([click(5000.0, 1.0)]), "bad-request");
    prompt(
        object,
        0,
        json!([{ "kind": "mask" }, click(5.0, 1.0)]),
        "bad-request",
    );
    prompt(object, FRAMES, json!([click(5.0, 1.0)]), "bad-request");
    prompt(object + 1000, 0, json!([click(5.0, 1.0)]), "not-found");
    assert_eq!(owner.revision(&task), seen);
    assert!(owner.masks(&task, object).is_empty());
    let found = owner.prompt(&task, object, 0, &[click(FIRST[0], FIRST[1])]);
    assert!(found["mask"] == clicked(&mut session(), 0, FIRST));
}
