//! Automatic masklets from the page: begun, heard of, stopped.

mod common;

use common::{FRAMES, Lab};
use serde_json::{Value, json};

/// A few clicks, of which every mask is tracked and kept.
fn few() -> Value {
    json!({
        "video": 1, "points_per_side": 2, "crop_n_layers": 0, "pred_iou_thresh": 0,
        "stability_score_thresh": 0, "max_objects": 2, "min_area": 0, "min_stability": 0,
        "min_visible": 0, "max_overlap": 1,
    })
}

fn ended(live: &mut common::Live) -> Value {
    loop {
        let message = live.next();
        if message["type"] == "auto" && message["auto"]["state"] != "running" {
            return message["auto"].clone();
        }
    }
}

#[test]
fn what_is_found_is_sent_to_verification() {
    let lab = Lab::new();
    let owner = lab.owner();
    let ann = lab.user("Ann", "annotator");
    ann.refused("POST", "/api/auto", few(), "forbidden");
    let mut wrong = few();
    wrong["min_stability"] = json!(2);
    owner.refused("POST", "/api/auto", wrong, "bad-request");
    let mut missing = few();
    missing["video"] = json!(7);
    owner.refused("POST", "/api/auto", missing, "not-found");

    let mut live = owner.live();
    let begun = owner.post("/api/auto", few());
    assert_eq!(
        (&begun["state"], &begun["frames"]),
        (&json!("running"), &json!(FRAMES))
    );
    let ended = ended(&mut live);
    assert_eq!(ended["state"], "done", "{ended}");
    assert_eq!(ended["frame"], FRAMES);
    assert_eq!(owner.get("/api/auto"), json!([ended]));
    let tasks = owner.get("/api/tasks?state=verify");
    let tasks = tasks.as_array().unwrap();
    assert_eq!(json!(tasks.len()), ended["masklets"]);
    assert!(!tasks.is_empty());
    for task in tasks {
        assert_eq!(task["masklets"][0]["kind"], "auto");
        let masks = owner.get(&format!("/api/tasks/{}/masks?from=0&to=9", task["id"]));
        assert_eq!(masks["masks"].as_array().unwrap().len(), FRAMES as usize);
    }
}

#[test]
fn a_search_is_stopped_and_another_one_begins() {
    let lab = Lab::new();
    let owner = lab.owner();
    let mut live = owner.live();
    let mut long = few();
    long["points_per_side"] = json!(12);
    owner.post("/api/auto", long);
    owner.refused("POST", "/api/auto", few(), "busy");
    let (status, _) = owner.call("DELETE", "/api/auto/1", None);
    assert_eq!(status, 204);
    assert_eq!(ended(&mut live)["state"], "cancelled");
    assert_eq!(owner.get("/api/tasks"), json!([]));
    owner.post("/api/auto", few());
    assert_eq!(ended(&mut live)["state"], "done");
}
