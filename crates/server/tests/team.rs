//! Several people: leases, stale changes, roles, verification, and the way back.

mod common;

use common::{Lab, SIZE, square};
use masklet_media::{Mask, RgbImage};
use serde_json::{Value, json};

#[test]
fn two_people_never_hold_the_same_task() {
    let lab = Lab::new();
    let [ann, ben] = ["Ann", "Ben"].map(|name| lab.user(name, "annotator"));
    let task = ann.task(3, 1);
    let held = ben.refused("POST", &task.path("/claim"), json!({}), "held");
    assert_eq!(held["holder"], "Ann");
    assert_eq!(held["task"]["lease"]["user_name"], "Ann");
    let seen = ben.revision(&task);
    let masks = json!([{ "masklet": task.masklets[0], "frame": 0, "mask": square(1, 1, 5) }]);
    let body = json!({ "seen": seen, "masks": masks });
    ben.refused("POST", &task.path("/masks"), body.clone(), "held");
    ben.refused("POST", &task.path("/renew"), json!({}), "held");
    ben.refused("POST", &task.path("/release"), json!({}), "held");
    let next = ben.post("/api/tasks/next", json!({ "state": "annotate" }));
    assert_eq!(next, Value::Null);
    // Of many who ask at once, one gets it.
    ann.call("POST", &task.path("/release"), None);
    let got: Vec<Value> = std::thread::scope(|scope| {
        let asking = [&ann, &ben, &ann, &ben].map(|client| {
            scope.spawn(|| client.post("/api/tasks/next", json!({ "state": "annotate" })))
        });
        asking
            .into_iter()
            .map(|asked| asked.join().unwrap())
            .collect()
    });
    let holders: std::collections::BTreeSet<String> = got
        .iter()
        .filter(|task| !task.is_null())
        .map(|task| task["lease"]["user_name"].to_string())
        .collect();
    assert_eq!(holders.len(), 1, "{got:?}");
}

#[test]
fn pictures_are_named_by_what_the_video_is_and_not_by_its_number() {
    let lab = Lab::new();
    let owner = lab.owner();
    let file = owner.get("/api/videos/1")["file"].clone();
    let tag = |file: &str| format!("\"{file}-0-jpg\"");
    let asked = |tag: &str| {
        let known = [("if-none-match", tag)];
        owner.send("GET", "/api/videos/1/frames/0", &known, Vec::new())
    };
    let (status, body) = asked(&tag(file.as_str().unwrap()));
    assert_eq!((status, body.len()), (304, 0));
    // A browser that knows the first video of another project.
    let (status, body) = asked(&tag("0123.mp4"));
    assert_eq!(status, 200);
    assert!(body.starts_with(&[0xff, 0xd8]), "a JPEG");
}

#[test]
fn a_stale_change_is_refused_with_the_newer_state() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(3, 1);
    let object = task.masklets[0];
    let seen = owner.revision(&task);
    owner.draw(&task, object, 0, &square(1, 1, 5));
    let newest = owner.revision(&task);
    let masks = json!([{ "masklet": object, "frame": 0, "mask": square(9, 9, 5) }]);
    let paths = [
        ("/masks", json!({ "masks": masks })),
        (
            "/prompt",
            json!({ "masklet": object, "frame": 0, "prompts": [common::click(9.0, 9.0)] }),
        ),
        ("/erase", json!({ "masklet": object, "frames": [0] })),
        ("/phase", json!({ "phase": 1 })),
        ("/masklets", json!({})),
        ("/submit", json!({})),
    ];
    for (path, mut body) in paths {
        body["seen"] = seen.clone();
        let refused = owner.refused("POST", &task.path(path), body, "stale");
        assert_eq!(refused["current"], newest, "{path}");
        assert_eq!(refused["task"]["revision"], newest, "{path}");
        assert_eq!(refused["since"][0]["action"]["kind"], "annotate", "{path}");
        assert_eq!(
            refused["since_count"],
            refused["since"].as_array().unwrap().len(),
            "{path}"
        );
    }
    let scope = format!("task {}", task.id);
    let body = json!({ "scope": scope, "seen": seen });
    owner.refused("POST", "/api/undo", body, "stale");
    let path = format!("/masklets/{object}?seen={seen}");
    owner.refused("DELETE", &task.path(&path), json!({}), "stale");
    let settings = json!({ "seen": 0, "phase": 1 });
    owner.refused("PATCH", "/api/settings", settings, "stale");
    let user = json!({ "seen": 99, "active": true });
    owner.refused("PATCH", "/api/users/1", user, "stale");
    assert_eq!(owner.revision(&task), newest, "nothing was changed");
}

#[test]
fn from_annotation_to_verification_and_back() {
    let lab = Lab::new();
    let owner = lab.owner();
    let ann = lab.user("Ann", "annotator");
    let vera = lab.user("Vera", "verifier");
    let task = ann.task(3, 1);
    let object = task.masklets[0];
    ann.draw(&task, object, 0, &square(1, 1, 5));
    let submit = |seen: Value| ann.post(&task.path("/submit"), json!({ "seen": seen }));
    let submitted = submit(ann.revision(&task));
    assert_eq!(submitted["task"]["state"], "verify");
    ann.refused(
        "POST",
        "/api/tasks/next",
        json!({ "state": "verify" }),
        "forbidden",
    );
    let taken = vera.post("/api/tasks/next", json!({ "state": "verify" }));
    assert_eq!(taken["id"], task.id);
    let judge = |verdict: &str, remark: Option<&str>| {
        json!({
            "seen": vera.revision(&task), "masklet": object, "verdict": verdict,
            "remark": remark, "milliseconds": 1200,
        })
    };
    vera.refused(
        "POST",
        &task.path("/judge"),
        judge("unsatisfactory", None),
        "bad-request",
    );
    let back = vera.post(
        &task.path("/judge"),
        judge("unsatisfactory", Some("the edge")),
    );
    assert_eq!(back["task"]["state"], "annotate");
    assert_eq!(back["task"]["masklets"][0]["remark"], "the edge");
    let again = ann.post("/api/tasks/next", json!({ "state": "annotate" }));
    assert_eq!(again["id"], task.id);
    submit(ann.revision(&task));
    vera.post(&task.path("/claim"), json!({}));
    let done = vera.post(&task.path("/judge"), judge("satisfactory", None));
    assert_eq!(done["task"]["state"], "done");

    let reopen =
        json!({ "seen": owner.revision(&task), "masklets": [object], "remark": "once more" });
    vera.refused("POST", &task.path("/reopen"), reopen.clone(), "forbidden");
    let reopened = owner.post(&task.path("/reopen"), reopen);
    assert_eq!(reopened["task"]["state"], "annotate");
    let undone = owner.undo(&task);
    assert_eq!(undone["task"]["state"], "done");

    let stats = owner.get("/api/stats");
    assert_eq!(stats["contents"]["states"]["satisfactory"], 1);
    let workers = stats["workers"].as_array().unwrap();
    assert!(
        workers
            .iter()
            .any(|worker| worker["name"] == "Vera" && worker["verified"] == 2)
    );
    let (_, csv) = owner.send("GET", "/api/stats.csv", &[], Vec::new());
    assert!(
        String::from_utf8(csv)
            .unwrap()
            .contains("contents,all,videos,1")
    );

    let export = json!({ "format": "davis" });
    vera.refused("POST", "/api/exports", export.clone(), "forbidden");
    let written = owner.post("/api/exports", export);
    assert_eq!(written["report"]["videos"][0]["masklets"], 1);
    let path = format!("/api/exports/{}/zip", written["id"].as_str().unwrap());
    let (status, archive) = owner.send("GET", &path, &[], Vec::new());
    assert_eq!(
        (status, archive.len() as u64),
        (200, written["bytes"].as_u64().unwrap())
    );
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    let mut mask = archive.by_name("Annotations/480p/clip/00000.png").unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut mask, &mut bytes).unwrap();
    assert_eq!(Mask::decode(&bytes).unwrap().area(), 25);
}

#[test]
fn the_history_tells_and_takes_back() {
    let lab = Lab::new();
    let owner = lab.owner();
    let task = owner.task(3, 1);
    let object = task.masklets[0];
    owner.draw(&task, object, 0, &square(1, 1, 5));
    owner.draw(&task, object, 1, &square(1, 1, 6));
    let scope = format!("task%20{}", task.id);
    let events = owner.get(&format!("/api/history?scope={scope}&limit=2"));
    assert_eq!(events.as_array().unwrap().len(), 2);
    let older = events[1]["id"].clone();
    let path = format!("/api/history/{older}/revert");
    owner.refused("POST", &path, json!({ "seen": 1 }), "stale");
    let reverted = owner.post(&path, json!({ "seen": owner.revision(&task) }));
    assert_eq!(reverted["task"]["id"], task.id);
    let left = owner.masks(&task, object);
    assert_eq!(left, [(1, square(1, 1, 6))]);
    owner.undo(&task);
    assert_eq!(owner.masks(&task, object).len(), 2);
    let scope = json!({ "scope": format!("task {}", task.id), "seen": owner.revision(&task) });
    owner.post("/api/redo", scope);
    assert_eq!(owner.masks(&task, object).len(), 1);

    let added = owner.post(
        &task.path("/masklets"),
        json!({ "seen": owner.revision(&task), "name": "tail", "colour": [1, 2, 3] }),
    );
    let path = task.path(&format!("/masklets/{}", added["masklet"]));
    let rename = json!({ "seen": added["revision"], "name": "the tail" });
    let (_, renamed) = owner.call("PATCH", &path, Some(&rename));
    let masklet = &renamed["task"]["masklets"][1];
    assert_eq!(
        (&masklet["name"], &masklet["colour"]),
        (&json!("the tail"), &json!([1, 2, 3]))
    );
    let seen = &renamed["revision"];
    let (_, removed) = owner.call("DELETE", &format!("{path}?seen={seen}"), None);
    assert_eq!(removed["task"]["masklets"].as_array().unwrap().len(), 1);
    let erase = json!({ "seen": removed["revision"], "masklet": object, "frames": [0, 1, 2] });
    owner.post(&task.path("/erase"), erase);
    assert!(owner.masks(&task, object).is_empty());
}

#[test]
fn frames_are_exact_and_masks_are_pictures_too() {
    let lab = Lab::new();
    let owner = lab.owner();
    for frame in [5, 0, 7] {
        let path = format!("/api/videos/1/frames/{frame}?format=png");
        let (status, png) = owner.send("GET", &path, &[], Vec::new());
        assert_eq!(status, 200);
        let expected = RgbImage::open(common::fixture(format!("frames/{frame:05}.png"))).unwrap();
        assert_eq!(RgbImage::decode(&png).unwrap().pixels(), expected.pixels());
    }
    let (status, jpeg) = owner.send("GET", "/api/videos/1/frames/3", &[], Vec::new());
    assert_eq!(status, 200);
    assert_eq!(RgbImage::decode(&jpeg).unwrap().dimensions(), SIZE);
    let path = format!("/api/videos/1/frames/{}", common::FRAMES);
    owner.refused("GET", &path, json!({}), "not-found");

    let task = owner.task(3, 1);
    let object = task.masklets[0];
    owner.draw(&task, object, 2, &square(3, 4, 5));
    let path = task.path(&format!("/masklets/{object}/frames/2/mask.png"));
    let (_, png) = owner.send("GET", &path, &[], Vec::new());
    let mask = Mask::decode(&png).unwrap();
    assert_eq!(
        (mask.area(), mask.contains(3, 4), mask.contains(2, 4)),
        (25, true, false)
    );
    let entries = owner.get(&task.path("/frames?from=1&to=2"));
    assert_eq!(
        entries["masklets"][0]["frames"][0]["bbox"],
        json!([3, 4, 5, 5])
    );
    let none = owner.get(&task.path("/frames?from=3"));
    assert_eq!(none["masklets"][0]["frames"], json!([]));
    let path = "/api/videos/1/sheet?frames=4&columns=2&width=60";
    let (status, sheet) = owner.send("GET", path, &[], Vec::new());
    assert_eq!(status, 200);
    let (width, height) = RgbImage::decode(&sheet).unwrap().dimensions();
    assert_eq!((width, height), (2 * 60 + 3 * 4, 2 * 44 + 3 * 4));

    let (status, removed) = owner.call("DELETE", "/api/videos/1", None);
    assert_eq!(status, 200, "{removed}");
    owner.refused("GET", &task.path(""), json!({}), "not-found");
    let back = json!({ "scope": "video 1", "seen": removed["revision"] });
    owner.post("/api/undo", back);
    assert_eq!(owner.masks(&task, object), [(2, square(3, 4, 5))]);
}
