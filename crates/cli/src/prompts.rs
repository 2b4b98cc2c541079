//! Prompts on the command line and in files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use masklet::{BoxPrompt, Click, ObjectId, clicks_from_labels};
use masklet_media::PromptMark;
use serde::Deserialize;

/// Numbers separated by commas.
fn numbers(text: &str) -> Result<Vec<f32>> {
    text.split(',')
        .map(|part| {
            let number: f32 = part
                .trim()
                .parse()
                .map_err(|_| anyhow!("`{part}` in `{text}` is not a number"))?;
            ensure!(number.is_finite(), "`{part}` in `{text}` is not finite");
            Ok(number)
        })
        .collect()
}

/// `X,Y` or `X,Y,LABEL`.
pub(crate) fn parse_click(text: &str) -> Result<Click> {
    match numbers(text)?[..] {
        [x, y] => Ok(Click::positive(x, y)),
        [x, y, 1.0] => Ok(Click::positive(x, y)),
        [x, y, 0.0] => Ok(Click::negative(x, y)),
        [_, _, label] => bail!("label {label} is unknown: 1 is the object, 0 the background"),
        _ => bail!("`{text}` is not a point: write X,Y or X,Y,LABEL"),
    }
}

/// `X0,Y0,X1,Y1`.
pub(crate) fn parse_box(text: &str) -> Result<BoxPrompt> {
    match numbers(text)?[..] {
        [x0, y0, x1, y1] => Ok(BoxPrompt::new(x0, y0, x1, y1)),
        _ => bail!("`{text}` is not a box: write X0,Y0,X1,Y1, the upper left corner first"),
    }
}

/// A prompt with its frame and object: `FRAME:WHAT` or `FRAME:WHAT@ID`. The object is 1 if none
/// is named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed<T> {
    frame: usize,
    id: ObjectId,
    what: T,
}

impl<T> Placed<T> {
    fn parse(text: &str, what: impl Fn(&str) -> Result<T>) -> Result<Self> {
        let (frame, rest) = text
            .split_once(':')
            .with_context(|| format!("`{text}` names no frame: write FRAME:…"))?;
        let (rest, id) = match rest.split_once('@') {
            None => (rest, 1),
            Some((rest, id)) => {
                let id = id
                    .parse()
                    .ok()
                    .with_context(|| format!("`{id}` in `{text}` is not an object number"))?;
                (rest, id)
            }
        };
        Ok(Self {
            frame: frame
                .parse()
                .ok()
                .with_context(|| format!("`{frame}` in `{text}` is not a frame number"))?,
            id,
            what: what(rest)?,
        })
    }
}

impl FromStr for Placed<Click> {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, parse_click)
    }
}

impl FromStr for Placed<BoxPrompt> {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, parse_box)
    }
}

/// One step of prompting a video.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoPrompt {
    /// Which object.
    pub(crate) id: ObjectId,
    /// On which frame.
    pub(crate) frame: usize,
    /// With what.
    pub(crate) what: PromptKind,
}

/// What a step prompts with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PromptKind {
    /// Clicks in addition to the frame's earlier ones.
    Clicks(Vec<Click>),
    /// A box, and clicks with it.
    Box(BoxPrompt, Vec<Click>),
    /// A mask file.
    Mask(PathBuf),
}

/// The prompts of the short forms: for each frame and object the box first, then all clicks.
pub(crate) fn from_flags(
    points: &[Placed<Click>],
    boxes: &[Placed<BoxPrompt>],
) -> Result<Vec<VideoPrompt>> {
    let mut placed: BTreeMap<(ObjectId, usize), (Option<BoxPrompt>, Vec<Click>)> = BTreeMap::new();
    for &Placed { frame, id, what } in boxes {
        let earlier = placed.entry((id, frame)).or_default().0.replace(what);
        ensure!(
            earlier.is_none(),
            "object {id} has two boxes on frame {frame}; give one, or another object with @ID"
        );
    }
    for &Placed { frame, id, what } in points {
        placed.entry((id, frame)).or_default().1.push(what);
    }
    Ok(placed
        .into_iter()
        .map(|((id, frame), (bounds, clicks))| VideoPrompt {
            id,
            frame,
            what: match bounds {
                Some(bounds) => PromptKind::Box(bounds, clicks),
                None => PromptKind::Clicks(clicks),
            },
        })
        .collect())
}

/// Clicks and boxes as they are drawn.
pub(crate) fn marks_of<'a>(
    clicks: &[Click],
    boxes: impl IntoIterator<Item = &'a BoxPrompt>,
) -> Vec<PromptMark> {
    let clicks = clicks
        .iter()
        .map(|&Click { x, y, positive }| PromptMark::Point { x, y, positive });
    let boxes = boxes
        .into_iter()
        .map(|&BoxPrompt { x0, y0, x1, y1 }| PromptMark::Box { x0, y0, x1, y1 });
    clicks.chain(boxes).collect()
}

/// Reads a prompt file. Masks are relative to it.
pub(crate) fn from_file(path: &Path) -> Result<Vec<VideoPrompt>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the prompts {}", path.display()))?;
    let file: PromptFile = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a prompt file", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut prompts: Vec<VideoPrompt> = Vec::new();
    for object in file.objects {
        ensure!(
            !prompts.iter().any(|prompt| prompt.id == object.id),
            "{} lists object {} twice; put its prompts together",
            path.display(),
            object.id
        );
        for entry in object.prompts {
            let frame = entry.frame;
            let what = entry.into_kind(folder).with_context(|| {
                format!("{}: object {}, frame {frame}", path.display(), object.id)
            })?;
            let clicked = || {
                prompts.iter().any(|earlier| {
                    (earlier.id, earlier.frame) == (object.id, frame)
                        && matches!(earlier.what, PromptKind::Clicks(_))
                })
            };
            ensure!(
                !(matches!(what, PromptKind::Box(..)) && clicked()),
                "{}: object {} has a box after clicks on frame {frame}; the model expects the box \
                 first",
                path.display(),
                object.id
            );
            prompts.push(VideoPrompt {
                id: object.id,
                frame,
                what,
            });
        }
    }
    Ok(prompts)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptFile {
    objects: Vec<PromptedObject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptedObject {
    id: ObjectId,
    prompts: Vec<PromptEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptEntry {
    frame: usize,
    #[serde(default)]
    points: Vec<[f32; 2]>,
    /// One for each point; without any, all points are on the object.
    labels: Option<Vec<i64>>,
    #[serde(rename = "box")]
    bounds: Option<[f32; 4]>,
    mask: Option<PathBuf>,
}

impl PromptEntry {
    fn into_kind(self, folder: &Path) -> Result<PromptKind> {
        let labels = self.labels.unwrap_or_else(|| vec![1; self.points.len()]);
        let clicks = clicks_from_labels(&self.points, &labels)?;
        match (self.mask, self.bounds) {
            (Some(_), Some(_)) => bail!("a prompt is either a mask or a box, not both"),
            (Some(_), None) if !clicks.is_empty() => {
                bail!(
                    "a prompt is either a mask or points; give the points as a prompt of their own"
                )
            }
            (Some(mask), None) => Ok(PromptKind::Mask(folder.join(mask))),
            (None, Some([x0, y0, x1, y1])) => {
                Ok(PromptKind::Box(BoxPrompt::new(x0, y0, x1, y1), clicks))
            }
            (None, None) if clicks.is_empty() => {
                bail!("the prompt is empty: give `points`, `box` or `mask`")
            }
            (None, None) => Ok(PromptKind::Clicks(clicks)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_positive_unless_labelled() {
        assert_eq!(parse_click("1.5,2").unwrap(), Click::positive(1.5, 2.0));
        assert_eq!(parse_click("1,2,0").unwrap(), Click::negative(1.0, 2.0));
        for wrong in ["1", "1,2,3", "1,2,1,1", "a,b", "1,inf", ""] {
            assert!(parse_click(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_placed_prompt_belongs_to_object_one_unless_named() {
        let click: Placed<Click> = "3:10,20".parse().unwrap();
        assert_eq!((click.frame, click.id), (3, 1));
        let bounds: Placed<BoxPrompt> = "0:1,2,3,4@7".parse().unwrap();
        assert_eq!(
            (bounds.id, bounds.what),
            (7, BoxPrompt::new(1.0, 2.0, 3.0, 4.0))
        );
        for wrong in ["10,20", "x:10,20", "0:10,20@", "0:10,20@-1", "-1:2,3"] {
            assert!(wrong.parse::<Placed<Click>>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_for_one_frame_are_one_prompt_with_the_box_first() {
        let points = ["0:1,1", "0:2,2,0", "4:3,3"].map(|p| p.parse().unwrap());
        let boxes = ["0:0,0,9,9".parse().unwrap()];
        let prompts = from_flags(&points, &boxes).unwrap();
        assert_eq!(prompts.len(), 2);
        let PromptKind::Box(_, clicks) = &prompts[0].what else {
            panic!("{prompts:?}");
        };
        assert_eq!(clicks.len(), 2);
    }

    fn read(json: &str) -> Result<Vec<VideoPrompt>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("prompts.json");
        fs::write(&path, json)?;
        from_file(&path)
    }

    #[test]
    fn a_prompt_file_is_read_in_order() {
        let prompts = read(
            r#"{"objects":[{"id":1,"prompts":[
                {"frame":0,"points":[[1,2],[3,4]],"labels":[1,0]},
                {"frame":2,"box":[0,0,5,5]},
                {"frame":4,"mask":"m.png"}]}]}"#,
        )
        .unwrap();
        assert_eq!(
            prompts.iter().map(|p| p.frame).collect::<Vec<_>>(),
            [0, 2, 4]
        );
        assert!(matches!(&prompts[2].what, PromptKind::Mask(path) if path.ends_with("m.png")));
    }

    #[test]
    fn what_is_wrong_in_a_prompt_file_is_named() {
        let entry = |entry: &str| {
            let error = read(&format!(
                r#"{{"objects":[{{"id":7,"prompts":[{entry}]}}]}}"#
            ));
            format!("{:#}", error.unwrap_err())
        };
        assert!(
            entry(r#"{"frame":0,"points":[[1,2]],"labels":[1,0]}"#)
                .contains("1 points came with 2 labels")
        );
        assert!(entry(r#"{"frame":0,"points":[[1,2]],"labels":[5]}"#).contains("label 5"));
        assert!(entry(r#"{"frame":0}"#).contains("object 7, frame 0: the prompt is empty"));
        assert!(entry(r#"{"frame":0,"point":[[1,2]]}"#).contains("unknown field `point`"));
        let late_box = r#"{"frame":0,"points":[[1,2]]},{"frame":0,"box":[0,0,5,5]}"#;
        assert!(entry(late_box).contains("box after clicks"));
    }
}
