//! Published numbers, to be shown beside measured ones and marked as quoted.

use masklet_data::Layout;

/// What somebody else measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Quoted {
    /// The model.
    pub method: &'static str,
    /// The prompt, in the words of [`Prompt::words`](crate::prompts::Prompt::words).
    pub prompt: &'static str,
    /// Measures by their names in reports, per cent.
    pub metrics: Vec<(&'static str, f64)>,
    /// Where the numbers are published.
    pub source: &'static str,
}

impl Quoted {
    /// The sources of several, each once.
    pub fn sources(quoted: &[Self]) -> String {
        let mut sources: Vec<&str> = Vec::new();
        for one in quoted {
            if !sources.contains(&one.source) {
                sources.push(one.source);
            }
        }
        sources.join("; ")
    }
}

const PAPER: &str = "arXiv 2408.00714v1, table 17";
const PAPER_IMAGES: &str = "arXiv 2408.00714v1, table 15";
const REPOSITORY: &str = "github.com/facebookresearch/sam2, README, \"Model Description\"";

const JF: &[&str] = &["J&F", "J", "F"];
const JF_BY_KIND: &[&str] = &["J&F", "J seen", "F seen", "J unseen", "F unseen"];
const G: &[&str] = &["G", "J seen", "F seen", "J unseen", "F unseen"];

/// The models of the paper's table 17: those that are released, and two that were trained on the
/// video object segmentation sets as well, which are not.
const MODELS: [&str; 6] = [
    "SAM 2 tiny",
    "SAM 2 small",
    "SAM 2 base+",
    "SAM 2 large",
    "SAM 2 base+, full data mix",
    "SAM 2 large, full data mix",
];
const SAV_VAL: [[f64; 3]; 6] = [
    [73.7, 70.3, 77.1],
    [72.7, 69.4, 76.0],
    [75.3, 71.8, 78.7],
    [76.1, 72.9, 79.2],
    [73.6, 70.4, 76.9],
    [75.6, 72.3, 78.9],
];
const SAV_TEST: [[f64; 3]; 6] = [
    [75.0, 71.5, 78.5],
    [74.9, 71.4, 78.4],
    [74.7, 71.2, 78.2],
    [76.0, 72.6, 79.3],
    [74.1, 70.6, 77.5],
    [77.6, 74.0, 81.1],
];
const LVOS: [[f64; 3]; 6] = [
    [73.6, 68.8, 78.3],
    [73.5, 68.6, 78.4],
    [76.2, 71.6, 80.7],
    [77.9, 73.1, 82.7],
    [74.9, 70.2, 79.6],
    [76.1, 71.6, 80.6],
];
const LVOS_V2: [[f64; 5]; 6] = [
    [75.3, 75.2, 81.8, 67.7, 76.4],
    [76.4, 77.1, 84.0, 67.5, 77.0],
    [75.8, 77.0, 83.4, 67.0, 75.6],
    [79.8, 80.0, 86.6, 71.6, 81.1],
    [75.8, 78.9, 85.3, 65.1, 73.8],
    [78.1, 78.9, 85.2, 69.7, 78.6],
];
const MOSE: [[f64; 3]; 6] = [
    [70.9, 66.7, 75.2],
    [71.5, 67.3, 75.6],
    [72.8, 68.8, 76.9],
    [74.6, 70.6, 78.6],
    [75.8, 71.8, 79.9],
    [77.2, 73.3, 81.2],
];
const DAVIS_2017: [[f64; 3]; 6] = [
    [89.2, 85.7, 92.7],
    [88.8, 85.4, 92.2],
    [88.9, 85.5, 92.2],
    [89.3, 85.7, 92.8],
    [90.9, 87.7, 94.1],
    [91.6, 88.3, 94.9],
];
const YOUTUBE_VOS_2019: [[f64; 5]; 6] = [
    [87.4, 85.5, 90.0, 83.0, 91.2],
    [87.5, 85.7, 90.1, 83.2, 91.2],
    [87.9, 86.2, 90.7, 83.2, 91.4],
    [88.6, 86.6, 91.3, 84.2, 92.2],
    [88.4, 87.1, 91.7, 83.3, 91.4],
    [89.1, 87.5, 92.0, 84.5, 92.4],
];

/// SAM 2.1's J&F on SA-V test, MOSE val and LVOS v2.
const SAM_2_1: [(&str, f64, f64, f64); 4] = [
    ("SAM 2.1 tiny", 76.5, 71.8, 77.3),
    ("SAM 2.1 small", 76.6, 73.5, 78.3),
    ("SAM 2.1 base+", 78.2, 73.7, 78.2),
    ("SAM 2.1 large", 79.5, 74.6, 80.6),
];

/// Sequences of DAVIS 2017 val that those of 2016 do not have, and how many there are in all.
const DAVIS_2017_ONLY: [&str; 3] = ["bike-packing", "india", "shooting"];
const DAVIS_2017_COUNT: usize = 30;

/// The numbers that the authors published for a set of videos, with the first true mask given. Which
/// set it is, is told from its layout, its sequences, and the names in its path: `sav_test`,
/// `MOSE/valid`, `LVOS_v2`, `YouTubeVOS2019/valid`.
pub fn quoted(layout: Layout, path: &str, sequences: &[String]) -> Vec<Quoted> {
    let path = path.to_lowercase();
    let validation = path.contains("val");
    let is_sav = |split: &str| {
        path.contains(&format!("sav_{split}")) || path.ends_with(&format!("/{split}"))
    };
    match layout {
        Layout::SavEval if is_sav("test") => [sam_2_1(|row| row.1), paper(JF, &SAV_TEST)].concat(),
        Layout::SavEval if is_sav("val") => paper(JF, &SAV_VAL),
        Layout::Mose if validation => [sam_2_1(|row| row.2), paper(JF, &MOSE)].concat(),
        Layout::Lvos if path.contains("v2") => {
            [sam_2_1(|row| row.3), paper(JF_BY_KIND, &LVOS_V2)].concat()
        }
        Layout::Lvos if validation => paper(JF, &LVOS),
        Layout::YoutubeVos if validation && path.contains("2019") => paper(G, &YOUTUBE_VOS_2019),
        Layout::Davis if is_davis_2017_val(sequences) => paper(JF, &DAVIS_2017),
        _ => Vec::new(),
    }
}

fn is_davis_2017_val(sequences: &[String]) -> bool {
    let has = |name: &str| sequences.iter().any(|sequence| sequence == name);
    sequences.len() == DAVIS_2017_COUNT && DAVIS_2017_ONLY.iter().all(|name| has(name))
}

fn paper<const N: usize>(names: &[&'static str], rows: &[[f64; N]; MODELS.len()]) -> Vec<Quoted> {
    let quote = |(method, values): (&'static str, &[f64; N])| Quoted {
        method,
        prompt: "true mask",
        metrics: names.iter().copied().zip(*values).collect(),
        source: PAPER,
    };
    MODELS.into_iter().zip(rows).map(quote).collect()
}

fn sam_2_1(column: fn(&(&'static str, f64, f64, f64)) -> f64) -> Vec<Quoted> {
    let quote = |row: &(&'static str, f64, f64, f64)| Quoted {
        method: row.0,
        prompt: "true mask",
        metrics: vec![("J&F", column(row))],
        source: REPOSITORY,
    };
    SAM_2_1.iter().map(quote).collect()
}

/// The sets of images over which SA-23 averages, by words of their names.
const SA_23: [&str; 23] = [
    "ade20k",
    "bbbc038",
    "cityscapes",
    "doors",
    "dram",
    "egohos",
    "gtea",
    "hypersim",
    "ibd",
    "ishape",
    "lvis",
    "ndd20",
    "ndispark",
    "ovis",
    "pidray",
    "plittersdorf",
    "ppdls",
    "streets",
    "timberseg",
    "trashcan",
    "visor",
    "woodscape",
    "zerowaste",
];
/// Model and training data; mIoU over SA-23 after one click and after five.
const SA_23_MIOU: [(&str, f64, f64); 5] = [
    ("SAM (ViT-H), SA-1B", 58.1, 81.3),
    ("SAM 2 base+, SA-1B", 58.9, 81.7),
    ("SAM 2 large, SA-1B", 60.0, 81.8),
    ("SAM 2 base+, full data mix", 61.9, 83.6),
    ("SAM 2 large, full data mix", 63.5, 83.5),
];

/// The numbers that the authors published for sets of images, by the sets' names: those for SA-23,
/// if each of its sets is there and nothing else. For single sets they show differences only.
pub fn quoted_images(sets: &[&str]) -> Vec<Quoted> {
    let names: Vec<String> = sets.iter().map(|name| name.to_lowercase()).collect();
    let is_there = |set: &str| names.iter().any(|name| name.contains(set));
    if names.len() != SA_23.len() || !SA_23.iter().all(|set| is_there(set)) {
        return Vec::new();
    }
    let quote = |method, prompt, miou| Quoted {
        method,
        prompt,
        metrics: vec![("mIoU", miou)],
        source: PAPER_IMAGES,
    };
    SA_23_MIOU
        .iter()
        .flat_map(|&(method, one, five)| {
            [
                quote(method, "1 click", one),
                quote(method, "5 clicks", five),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn davis(count: usize) -> Vec<String> {
        let others = (DAVIS_2017_ONLY.len()..count).map(|number| format!("other-{number}"));
        DAVIS_2017_ONLY
            .iter()
            .map(ToString::to_string)
            .chain(others)
            .collect()
    }

    fn metric(quoted: &[Quoted], method: &str, name: &str) -> f64 {
        let row = quoted.iter().find(|row| row.method == method).unwrap();
        row.metrics
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
    }

    #[test]
    fn numbers_are_quoted_only_for_the_set_they_belong_to() {
        let test = quoted(Layout::SavEval, "/data/sav_test", &[]);
        assert_eq!(metric(&test, "SAM 2.1 large", "J&F"), 79.5);
        assert_eq!(metric(&test, "SAM 2 tiny", "F"), 78.5);
        let val = quoted(Layout::SavEval, "/data/SA-V/val", &[]);
        assert_eq!(metric(&val, "SAM 2 large", "J&F"), 76.1);
        let lvos = quoted(Layout::Lvos, "LVOS_V2/valid", &[]);
        assert_eq!(metric(&lvos, "SAM 2.1 tiny", "J&F"), 77.3);
        let youtube = quoted(Layout::YoutubeVos, "YouTubeVOS2019/valid", &[]);
        assert_eq!(metric(&youtube, "SAM 2 small", "G"), 87.5);
        let davis_2017 = quoted(Layout::Davis, "DAVIS", &davis(30));
        assert_eq!(metric(&davis_2017, "SAM 2 large, full data mix", "J"), 88.3);
        for (layout, path) in [
            (Layout::SavEval, "/data/other"),
            (Layout::YoutubeVos, "YouTubeVOS2018/valid"),
            (Layout::Frames, "sav_test"),
        ] {
            assert!(quoted(layout, path, &[]).is_empty(), "{path}");
        }
        assert!(quoted(Layout::Davis, "DAVIS/2017", &davis(90)).is_empty());
    }

    #[test]
    fn joint_measures_are_the_mean_of_their_parts() {
        // A slip of the pen in the tables would show here; they are rounded to a tenth.
        for row in [SAV_VAL, SAV_TEST, LVOS, MOSE, DAVIS_2017].as_flattened() {
            assert!((row[0] - (row[1] + row[2]) / 2.0).abs() < 0.11, "{row:?}");
        }
        for row in [LVOS_V2, YOUTUBE_VOS_2019].as_flattened() {
            let mean = row[1..].iter().sum::<f64>() / 4.0;
            assert!((row[0] - mean).abs() < 0.11, "{row:?}");
        }
    }

    #[test]
    fn image_averages_need_every_set() {
        let names = SA_23.map(|name| format!("{name}_v1"));
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(quoted_images(&all).len(), 10);
        assert!(quoted_images(&all[1..]).is_empty());
        assert!(quoted_images(&["bsds500"]).is_empty());
    }

    #[test]
    fn each_source_is_named_once() {
        let test = quoted(Layout::SavEval, "/data/sav_test", &[]);
        assert_eq!(Quoted::sources(&test), format!("{REPOSITORY}; {PAPER}"));
        assert_eq!(Quoted::sources(&[]), "");
    }
}
