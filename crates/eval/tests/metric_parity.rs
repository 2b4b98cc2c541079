//! Scores equal those of the official evaluators on the masks of `fixtures/metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use masklet_data::{FrameAnnotation, LabelMap, LabelRule};
use masklet_eval::metrics::Statistics;
use masklet_eval::scoring::{
    Missing, ObjectScore, Rules, Scoring, SequenceScore, Void, score_sequence,
};
use masklet_media::Rle;
use serde::Deserialize;

const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Case {
    name: String,
    frames: usize,
    davis: BTreeMap<u32, DavisScore>,
    davis_void_ignored: BTreeMap<u32, DavisScore>,
    vos_benchmark: BTreeMap<u32, [f64; 2]>,
    sav: BTreeMap<u32, [f64; 2]>,
}

#[derive(Deserialize)]
struct DavisScore {
    j: Vec<f64>,
    f: Vec<f64>,
    j_statistics: [f64; 3],
    f_statistics: [f64; 3],
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/metrics")
        .join(name)
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(fixture("reference.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

impl Case {
    /// The label maps of all frames, which the file has one below the other.
    fn maps(&self, what: &str) -> Vec<LabelMap> {
        let stacked = LabelMap::open(fixture(&format!("{}_{what}.png", self.name))).unwrap();
        let (width, height) = stacked.dimensions();
        let height = height / self.frames as u32;
        let labels = stacked.to_labels();
        labels
            .chunks_exact((width * height) as usize)
            .map(|labels| LabelMap::from_labels(width, height, labels.to_vec()).unwrap())
            .collect()
    }

    fn score(&self, rules: Rules, void: Void, truth: &[FrameAnnotation]) -> SequenceScore {
        let labels = self.labels(rules);
        let predicted: Vec<FrameAnnotation> = self
            .maps("predicted")
            .into_iter()
            .map(|map| FrameAnnotation::from_labels(map, labels))
            .collect();
        let frames: Vec<usize> = (0..self.frames).collect();
        let scoring = Scoring {
            frames: &frames,
            rules,
            void,
            missing: Missing::Error,
            listed: None,
        };
        score_sequence(
            &self.name,
            scoring,
            |frame| Ok(truth[frame].clone()),
            |frame| Ok(Some(predicted[frame].clone())),
        )
        .unwrap()
    }

    fn labels(&self, rules: Rules) -> LabelRule {
        match rules.labels() {
            None if self.name == "binary" => LabelRule::Binary,
            labels => labels.unwrap_or(LabelRule::Objects),
        }
    }

    fn truth(&self, rules: Rules) -> Vec<FrameAnnotation> {
        let labels = self.labels(rules);
        let maps = self.maps("truth").into_iter();
        maps.map(|map| FrameAnnotation::from_labels(map, labels))
            .collect()
    }

    /// Each object by itself, annotated from its first appearance on, as in SA-V.
    fn truth_by_object(&self) -> Vec<FrameAnnotation> {
        let mut known = BTreeSet::new();
        self.truth(Rules::Sav)
            .iter()
            .map(|labels| {
                known.extend(labels.object_ids());
                let mask = |&id: &u32| (id, Rle::encode(&labels.mask(id).unwrap()));
                FrameAnnotation::from_masks(labels.dimensions(), known.iter().map(mask).collect())
            })
            .collect()
    }
}

fn close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= TOLERANCE,
        "{what}: {found} instead of {expected}"
    );
}

fn same_objects<T>(found: &SequenceScore, expected: &BTreeMap<u32, T>, what: &str) {
    let found: Vec<u32> = found.objects.iter().map(|object| object.id).collect();
    assert_eq!(
        found,
        expected.keys().copied().collect::<Vec<_>>(),
        "objects of {what}"
    );
}

fn check_davis(case: &Case, void: Void, expected: &BTreeMap<u32, DavisScore>) {
    let found = case.score(Rules::Davis, void, &case.truth(Rules::Davis));
    same_objects(&found, expected, &case.name);
    for object in &found.objects {
        let expected = &expected[&object.id];
        let what = format!("{}, object {}", case.name, object.id);
        assert_eq!(object.frames.len(), expected.j.len(), "frames of {what}");
        for (frame, (&j, &f)) in object.frames.iter().zip(expected.j.iter().zip(&expected.f)) {
            close(frame.j, j, &format!("J of {what}, frame {}", frame.frame));
            close(frame.f, f, &format!("F of {what}, frame {}", frame.frame));
        }
        check_statistics(&object.j, expected.j_statistics, &format!("J of {what}"));
        check_statistics(&object.f, expected.f_statistics, &format!("F of {what}"));
    }
}

fn check_statistics(found: &Statistics, [mean, recall, decay]: [f64; 3], what: &str) {
    close(found.mean, mean, &format!("mean {what}"));
    close(found.recall, recall, &format!("recall {what}"));
    close(found.decay, decay, &format!("decay {what}"));
}

fn check_means(found: &SequenceScore, expected: &BTreeMap<u32, [f64; 2]>, what: &str) {
    same_objects(found, expected, what);
    for ObjectScore { id, j, f, .. } in &found.objects {
        let [expected_j, expected_f] = expected[id];
        close(
            j.mean * 100.0,
            expected_j,
            &format!("J of {what}, object {id}"),
        );
        close(
            f.mean * 100.0,
            expected_f,
            &format!("F of {what}, object {id}"),
        );
    }
}

#[test]
fn davis_rules_give_the_scores_and_statistics_of_the_davis_code() {
    for case in cases() {
        check_davis(&case, Void::Background, &case.davis);
    }
}

#[test]
fn void_pixels_can_be_left_out_as_the_davis_code_can() {
    for case in cases() {
        check_davis(&case, Void::Ignored, &case.davis_void_ignored);
    }
    let void = cases()
        .into_iter()
        .find(|case| case.name == "void_borders")
        .unwrap();
    assert_ne!(
        void.davis[&1].j, void.davis_void_ignored[&1].j,
        "the case shows no difference"
    );
}

#[test]
fn vos_benchmark_rules_give_the_scores_of_vos_benchmark() {
    for case in cases() {
        let found = case.score(
            Rules::VosBenchmark,
            Void::Background,
            &case.truth(Rules::VosBenchmark),
        );
        check_means(&found, &case.vos_benchmark, &case.name);
    }
}

#[test]
fn sav_rules_give_the_scores_of_the_sav_evaluator() {
    for case in cases().into_iter().filter(|case| case.name != "binary") {
        let found = case.score(Rules::Sav, Void::Background, &case.truth_by_object());
        check_means(&found, &case.sav, &case.name);
    }
}
