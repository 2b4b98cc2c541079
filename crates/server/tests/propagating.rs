//! Propagation on the WebSocket: masks as they are computed, pause, cancel, and what everybody hears.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Client, FRAMES, Lab, Live, Task, click, square};
use serde_json::{Value, json};

fn started(owner: &Client) -> (Task, Value) {
    let task = owner.task(3, 2);
    for (object, x) in task.masklets.iter().zip([31.0, 80.0]) {
        owner.prompt(&task, *object, 0, &[click(x, 61.0)]);
    }
    let seen = owner.revision(&task);
    let message = json!({
        "type": "propagate", "id": "p", "task": task.id, "seen": seen,
        "masklets": task.masklets, "from": 0, "direction": "forward",
    });
    (task, message)
}

fn of_kind<'a>(heard: &'a [Value], kind: &str) -> Vec<&'a Value> {
    heard
        .iter()
        .filter(|message| message["type"] == kind)
        .collect()
}

/// Propagates as soon as nothing else is propagated through the task.
fn propagate_at_last(client: &Client, task: &Task, mut message: Value) {
    for attempt in 0.. {
        message["seen"] = client.revision(task);
        let mut live = client.live();
        live.say(&message);
        let ended = loop {
            let message = live.next();
            if message["type"] == "error" || message["type"] == "done" {
                break message;
            }
        };
        if ended["type"] == "done" {
            return;
        }
        assert!(attempt < 200, "{ended}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn masks_come_as_they_are_computed_and_are_what_is_stored() {
    let lab = Lab::new();
    let owner = lab.owner();
    let (task, message) = started(&owner);
    let mut live = owner.live();
    live.say(&message);
    let heard = live.until("done");
    let done = heard.last().unwrap();
    assert_eq!(
        (&done["reason"], &done["frames"]),
        (&json!("end"), &json!(FRAMES))
    );
    let frames = of_kind(&heard, "frame");
    assert_eq!(frames.len(), FRAMES as usize);
    // The clicked frame keeps what it has.
    assert!(frames[0]["masks"].as_array().unwrap().is_empty());
    for (at, object) in task.masklets.iter().enumerate() {
        let stored = owner.masks(&task, *object);
        for (message, (frame, mask)) in frames.iter().zip(stored).skip(1) {
            assert_eq!(message["frame"], frame);
            assert_eq!(message["masks"][at]["masklet"], *object);
            assert_eq!(message["masks"][at]["mask"], mask);
        }
    }
    let saved: BTreeSet<u64> = of_kind(&heard, "saved")
        .iter()
        .flat_map(|saved| saved["frames"].as_array().unwrap())
        .map(|frame| frame.as_u64().unwrap())
        .collect();
    assert_eq!(saved, (1..u64::from(FRAMES)).collect());
    assert_eq!(done["revision"], owner.revision(&task));
    // Its actions belong together, and to nothing else.
    let history = owner.get(&format!("/api/history?scope=task%20{}", task.id));
    let history = history.as_array().unwrap().iter();
    let tracked: Vec<&Value> = history
        .filter(|event| event["action"]["kind"] == "annotate" && event["action"]["edited"] == 0)
        .collect();
    assert!(!tracked.is_empty());
    for event in tracked {
        assert_eq!(event["action"]["propagation"], message["seen"], "{event}");
    }
    // Everybody hears of the task: before the end, or after it.
    if of_kind(&heard, "task").is_empty() {
        live.until("task");
    }
}

#[test]
fn a_pause_saves_and_a_cancelled_propagation_keeps_what_it_has() {
    let lab = Lab::new();
    let owner = lab.owner();
    let (task, message) = started(&owner);
    let mut live = owner.live();
    live.say(&message);
    live.say(&json!({ "type": "pause", "id": "p" }));
    let heard = live.until("paused");
    let next = heard.last().unwrap()["next"].as_u64().unwrap() as usize;
    assert_eq!(owner.masks(&task, task.masklets[0]).len(), next.max(1));
    // While it waits, its owner draws on a frame that is still to come.
    let last = FRAMES - 1;
    let drawn = square(10, 10, 20);
    owner.draw(&task, task.masklets[0], last, &drawn);
    let second = json!({ "id": "other", "seen": owner.revision(&task) });
    let mut other = message.clone();
    other
        .as_object_mut()
        .unwrap()
        .extend(second.as_object().unwrap().clone());
    live.say(&other);
    let refused = loop {
        let message = live.next();
        if message["type"] == "error" {
            break message;
        }
    };
    assert_eq!(
        (&refused["id"], &refused["error"]["code"]),
        (&json!("other"), &json!("wrong-state"))
    );
    live.say(&json!({ "type": "resume", "id": "p" }));
    live.until("done");
    assert_eq!(owner.masks(&task, task.masklets[0])[last as usize].1, drawn);
    assert_eq!(owner.masks(&task, task.masklets[1]).len(), FRAMES as usize);

    let mut again = message;
    again["seen"] = owner.revision(&task);
    live.say(&again);
    live.say(&json!({ "type": "cancel", "id": "p" }));
    let heard = live.until("done");
    let done = heard.last().unwrap();
    assert_eq!(done["reason"], "cancelled");
    let computed = of_kind(&heard, "frame").len() as u64;
    assert_eq!(done["frames"], computed);
    let saved = of_kind(&heard, "saved");
    let saved: usize = saved
        .iter()
        .map(|saved| saved["frames"].as_array().unwrap().len())
        .sum();
    let with_masks = of_kind(&heard, "frame");
    let with_masks = with_masks
        .iter()
        .filter(|frame| !frame["masks"].as_array().unwrap().is_empty());
    assert_eq!(saved, with_masks.count());
}

#[test]
fn what_the_user_does_meanwhile_stands() {
    let lab = Lab::new();
    let owner = lab.owner();
    let (task, message) = started(&owner);
    let object = task.masklets[0];
    let mut live = owner.live();
    live.say(&message);
    live.until("frame");
    // Drawn while frames are computed that are not saved yet.
    let drawn = square(60, 30, 25);
    let mut masks = None;
    while masks.is_none() {
        let body = json!({
            "seen": owner.revision(&task),
            "masks": [{ "masklet": object, "frame": 2, "mask": drawn }],
        });
        let (status, answer) = owner.call("POST", &task.path("/masks"), Some(&body));
        match status {
            200 => masks = Some(answer),
            409 => assert_eq!(answer["error"]["code"], "stale", "{answer}"),
            _ => panic!("{answer}"),
        }
    }
    live.until("done");
    let found = owner.masks(&task, object);
    assert_eq!(found.len(), FRAMES as usize);
    assert_eq!(found[2].1, drawn);
}

#[test]
fn orders_that_cannot_be_are_refused_with_their_id() {
    let lab = Lab::new();
    let owner = lab.owner();
    let (task, message) = started(&owner);
    let empty = owner.task(3, 1);
    let mut live = owner.live();
    let mut refused = |change: Value, code: &str| {
        let mut message = message.clone();
        message
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        live.say(&message);
        let answer = loop {
            let message = live.next();
            if message["type"] == "error" {
                break message;
            }
        };
        assert_eq!(answer["id"], "p");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        answer
    };
    let stale = refused(json!({ "seen": 1 }), "stale");
    assert_eq!(stale["error"]["task"]["id"], task.id);
    refused(json!({ "masklets": [] }), "bad-request");
    refused(
        json!({ "masklets": [task.masklets[0], task.masklets[0]] }),
        "bad-request",
    );
    refused(json!({ "masklets": [9999] }), "not-found");
    refused(json!({ "from": FRAMES }), "bad-request");
    refused(json!({ "from": 3, "until": 1 }), "bad-request");
    refused(json!({ "task": 9999 }), "not-found");
    let seen = owner.revision(&empty);
    refused(
        json!({ "task": empty.id, "seen": seen, "masklets": empty.masklets }),
        "bad-request",
    );
    live.say(&json!({ "type": "ping" }));
    live.until("pong");
    live.say(&json!({ "type": "nonsense" }));
    assert_eq!(live.next()["type"], "error");
}

#[test]
fn a_client_that_leaves_cancels_its_propagations() {
    let lab = Lab::new();
    let owner = lab.owner();
    let (task, message) = started(&owner);
    let mut live = owner.live();
    live.say(&message);
    live.until("frame");
    live.close();
    // Another one can begin as soon as the first has ended.
    propagate_at_last(&owner, &task, message);
    assert_eq!(owner.masks(&task, task.masklets[1]).len(), FRAMES as usize);
}

#[test]
fn what_somebody_left_paused_ends_when_the_task_is_another_s() {
    let lab = Lab::new();
    let (owner, ann) = (lab.owner(), lab.user("Ann", "annotator"));
    let (task, message) = started(&ann);
    let mut of_ann = ann.live();
    of_ann.say(&message);
    of_ann.say(&json!({ "type": "pause", "id": "p" }));
    of_ann.until("paused");
    // Her machine sleeps; the owner takes the task from her.
    owner.call("POST", &task.path("/release"), None);
    owner.post(&task.path("/claim"), json!({}));
    propagate_at_last(&owner, &task, message);
    assert_eq!(owner.masks(&task, task.masklets[0]).len(), FRAMES as usize);
}

#[test]
fn a_token_that_is_replaced_ends_what_was_open_with_it() {
    let lab = Lab::new();
    let (owner, ann) = (lab.owner(), lab.user("Ann", "annotator"));
    let of_ann = ann.live();
    let of_owner = owner.live();
    let users = owner.get("/api/users");
    let mut users = users.as_array().unwrap().iter();
    let id = &users.find(|user| user["name"] == "Ann").unwrap()["id"];
    owner.post(&format!("/api/users/{id}/token"), json!({}));
    assert!(of_ann.ends());
    of_owner.close();
}

#[test]
fn everybody_hears_of_tasks_and_those_who_lose_a_lease_of_that() {
    let lab = Lab::new();
    let owner = lab.owner();
    let ann = lab.user("Ann", "annotator");
    let hears = |live: &mut Live, kind: &str| live.until(kind).pop().unwrap();
    let mut of_owner = owner.live();
    let revision = owner.get("/api/settings")["revision"].clone();
    let body = json!({ "seen": revision, "lease_seconds": 1 });
    let (status, answer) = owner.call("PATCH", "/api/settings", Some(&body));
    assert_eq!(status, 200, "{answer}");
    let mut of_ann = ann.live();
    let task = ann.task(3, 1);
    let made = hears(&mut of_owner, "task");
    assert_eq!(made["task"]["id"], task.id);
    let claimed = hears(&mut of_owner, "task");
    assert_eq!(claimed["task"]["lease"]["user_name"], "Ann");
    // She does not renew it.
    let lost = hears(&mut of_ann, "lease-lost");
    assert_eq!(lost["task"], task.id);
    let free = hears(&mut of_owner, "task");
    assert_eq!(free["task"]["lease"], Value::Null);
    let seen = ann.revision(&task);
    let body = json!({ "seen": seen, "phase": 2 });
    ann.refused("POST", &task.path("/phase"), body, "not-held");
}
