//! Fifty people at once: everybody gets their own masks, as if they were alone.

mod common;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use common::{Client, FRAMES, Lab, Task, click, fixture, model, square};
use masklet::{Click, ClickHistory, Model, Propagation, VideoPredictor};
use masklet_media::{MemoryFrames, RgbImage, Rle};
use serde_json::{Value, json};

const PEOPLE: usize = 50;

/// Where somebody clicks, and on which frame.
fn place(person: usize) -> ([f32; 2], [f32; 2], u32) {
    let first = [
        20.0 + 3.0 * person as f32,
        30.0 + (person % 7) as f32 * 13.0,
    ];
    let second = [first[0] + 9.0, first[1] + 5.0];
    (first, second, (person % 4) as u32)
}

/// What somebody gets who is alone: the masks after each click, and those of the propagation.
fn alone(model: &Model, person: usize) -> (Vec<Value>, Vec<(u32, Value)>) {
    let frames = (0..FRAMES).map(|frame| RgbImage::open(fixture(format!("frames/{frame:05}.png"))));
    let frames = frames.collect::<Result<_, _>>().unwrap();
    let mut session = VideoPredictor::new(model).session(MemoryFrames::new(frames).unwrap());
    let (first, second, frame) = place(person);
    let clicked = [first, second].map(|[x, y]| {
        let clicks = [Click::positive(x, y)];
        let result = session.add_clicks(frame as usize, 1, &clicks, ClickHistory::Append);
        json!(Rle::encode(&result.unwrap().object(1).unwrap().mask()))
    });
    let tracked = session.propagate(Propagation::default()).unwrap();
    let tracked = tracked.map(|result| {
        let result = result.unwrap();
        let mask = Rle::encode(&result.object(1).unwrap().mask());
        (result.frame as u32, json!(mask))
    });
    (clicked.to_vec(), tracked.collect())
}

/// One person's work, and how long each click took.
fn work(client: &Client, task: &Task, person: usize) -> (Vec<Value>, Vec<Duration>) {
    let (first, second, frame) = place(person);
    let object = task.masklets[0];
    let prompts = [first, second].map(|[x, y]| click(x, y));
    let mut masks = Vec::new();
    let mut times = Vec::new();
    for count in 1..=2 {
        let begun = Instant::now();
        let found = client.prompt(task, object, frame, &prompts[..count]);
        times.push(begun.elapsed());
        masks.push(found["mask"].clone());
    }
    // Somebody else's object in the same task is nobody's business.
    client.draw(task, task.masklets[1], 0, &square(person as u32, 2, 9));
    client.propagate(task, &[object], frame, "forward");
    (masks, times)
}

#[test]
fn fifty_people_get_their_own_masks() {
    let lab = Lab::new();
    let people: Vec<(Client, Task)> = (0..PEOPLE)
        .map(|person| {
            let client = lab.user(&format!("person {person}"), "annotator");
            let task = client.task(3, 2);
            (client, task)
        })
        .collect();
    let together = Barrier::new(PEOPLE);
    let begun = Instant::now();
    let worked: Vec<(Vec<Value>, Vec<Duration>)> = std::thread::scope(|scope| {
        let working: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(person, (client, task))| {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    work(client, task, person)
                })
            })
            .collect();
        working
            .into_iter()
            .map(|person| person.join().unwrap())
            .collect()
    });
    let whole = begun.elapsed();
    let model = model();
    let mut times = Vec::new();
    for (person, ((client, task), (clicked, of_person))) in people.iter().zip(worked).enumerate() {
        let (expected, tracked) = alone(&model, person);
        assert!(clicked == expected, "the clicks of person {person}");
        let stored = client.masks(task, task.masklets[0]);
        assert!(stored == tracked, "the masks of person {person}");
        let drawn = client.masks(task, task.masklets[1]);
        assert!(
            drawn == [(0, square(person as u32, 2, 9))],
            "what person {person} drew"
        );
        times.extend(of_person);
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_millis();
    println!(
        "{PEOPLE} people, {} clicks at once: {} ms (median), {} ms (90 %), {} ms (99 %); all of it, \
         with {PEOPLE} propagations, took {} ms",
        times.len(),
        at(50),
        at(90),
        at(99),
        whole.as_millis()
    );
}
