//! `[data]`: what is trained on.

use std::path::{Path, PathBuf};

use masklet_data::clip::{Augmentation, MotionOptions, SampleOptions};
use masklet_data::mixture::{LoadOptions, Source};
use masklet_data::{DataError, LabelRule, Layout, Masklets, ReadOptions, open, open_as, read_list};
use serde::{Deserialize, Serialize};

use super::FieldError;

/// What is trained on, and how clips are made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// Whether a sequence or image that cannot be used ends the run; else it is named in the
    /// report of what was skipped, and the run goes on.
    pub fail_on_unusable: bool,
    /// How clips are taken from videos. Of images, only the number of objects counts.
    pub sample: SampleOptions,
    /// How clips are made of images; without it an image is a clip of one frame. Its numbers of
    /// frames and objects are those of `sample`.
    pub motion: Option<MotionOptions>,
    /// Random transforms of clips. Their `resize` is `model.image_size`.
    pub augmentation: Augmentation,
    /// The data sets, `[[data.source]]`; `--data` replaces them.
    #[serde(rename = "source")]
    pub sources: Vec<SourceOptions>,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            fail_on_unusable: false,
            sample: SampleOptions::default(),
            motion: None,
            augmentation: Augmentation {
                resize: None,
                ..Augmentation::default()
            },
            sources: Vec::new(),
        }
    }
}

impl DataOptions {
    /// Checks that every value is in its range and contradicts no other.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        let of = |section| move |error| FieldError::from_data(error, section);
        self.sample.check().map_err(of("sample"))?;
        self.augmentation.check().map_err(of("augmentation"))?;
        if let Some(motion) = &self.motion {
            motion.check().map_err(of("motion"))?;
            let same = |field: &str, found: usize, of_sample: usize| {
                let accepted =
                    format!("it follows from `data.sample.{field}` ({of_sample}): leave it out");
                let field = format!("motion.{field}");
                FieldError::unless(found == of_sample, &field, found, accepted)
            };
            same("frames", motion.frames, self.sample.frames)?;
            same("objects", motion.objects, self.sample.objects)?;
        }
        check_sources(&self.sources).map_err(|error| error.indexed("source"))
    }

    /// How clips are loaded.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            sample: self.sample.clone(),
            motion: self.motion.clone(),
        }
    }

    /// The transforms, for a network whose input has `image_size` pixels a side.
    pub fn augmentation_for(&self, image_size: u32) -> Augmentation {
        Augmentation {
            resize: Some(image_size),
            ..self.augmentation.clone()
        }
    }
}

/// A data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceOptions {
    /// Its folder.
    pub path: PathBuf,
    /// Its layout; told from the folder if left out.
    #[serde(default)]
    pub layout: Option<Layout>,
    /// What it is called in reports; the folder's name if left out.
    #[serde(default)]
    pub name: Option<String>,
    /// Probability of drawing from it, relative to those of the others; for all data sets or for
    /// none. In proportion to their sizes if left out.
    #[serde(default)]
    pub probability: Option<f64>,
    /// How often each item occurs in a pass over it (1 if left out); a fraction is a part of the
    /// items, drawn anew in each pass.
    #[serde(default)]
    pub repeat: Option<f64>,
    /// Only these sequences or images.
    #[serde(default)]
    pub include: Option<Vec<String>>,
    /// Only the sequences or images named in this file, one a line.
    #[serde(default)]
    pub list: Option<PathBuf>,
    /// Not these sequences or images.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Its split (`train`), as `masklet data inspect` takes it.
    #[serde(default)]
    pub split: Option<String>,
    /// DAVIS: the folder of the resolution (`480p`).
    #[serde(default)]
    pub resolution: Option<String>,
    /// How values in label maps are read; as the layout has them if left out.
    #[serde(default)]
    pub labels: Option<LabelRule>,
    /// SA-V training: which masklets.
    #[serde(default)]
    pub masklets: Masklets,
}

impl SourceOptions {
    /// All of the data set in a folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    /// What the data set is called in reports.
    pub fn name(&self) -> String {
        let folder = || self.path.file_name().unwrap_or(self.path.as_os_str());
        let of_folder = || folder().to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(of_folder)
    }

    /// Opens the data set.
    ///
    /// # Errors
    /// Those of the layout's reader, and [`DataError::Read`] for the list.
    pub fn open(&self) -> Result<Source, DataError> {
        let options = ReadOptions {
            split: self.split.clone(),
            resolution: self.resolution.clone(),
            labels: self.labels,
            masklets: self.masklets,
        };
        let dataset = match self.layout {
            Some(layout) => open_as(&self.path, layout, &options)?,
            None => open(&self.path, &options)?,
        };
        let listed = self.list.as_deref().map(|list: &Path| read_list(list));
        Ok(Source {
            probability: self.probability,
            repeat: self.repeat.unwrap_or(1.0),
            include: listed.transpose()?.or_else(|| self.include.clone()),
            exclude: self.exclude.clone(),
            ..Source::new(self.name(), dataset)
        })
    }

    fn check(&self) -> Result<(), FieldError> {
        let empty = self.path.as_os_str().is_empty();
        FieldError::unless(!empty, "path", "empty", "a folder is accepted")?;
        let repeat = self.repeat.unwrap_or(1.0);
        FieldError::unless(
            repeat > 0.0 && repeat <= 1e6,
            "repeat",
            repeat,
            "a positive number up to 1e6 is accepted",
        )?;
        FieldError::not_negative("probability", self.probability.unwrap_or(0.0))?;
        if let (Some(list), Some(_)) = (&self.list, &self.include) {
            let accepted = "that or `include` is accepted, not both";
            return FieldError::unless(false, "list", list.display(), accepted);
        }
        let included = self.include.iter().flatten();
        let mut both = included.filter(|&name| self.exclude.contains(name));
        match both.next() {
            None => Ok(()),
            Some(name) => {
                let accepted = format!("`include` has {name:?} too: name it in one of them");
                FieldError::unless(
                    false,
                    "exclude",
                    format_args!("{:?}", self.exclude),
                    accepted,
                )
            }
        }
    }
}

/// Checks data sets that are drawn from together; the error's field begins with the place.
pub(super) fn check_sources(sources: &[SourceOptions]) -> Result<(), FieldError> {
    for (place, source) in sources.iter().enumerate() {
        source
            .check()
            .map_err(|error| error.within(&place.to_string()))?;
    }
    let with = sources.iter().any(|source| source.probability.is_some());
    let without = sources
        .iter()
        .position(|source| source.probability.is_none());
    if let (true, Some(place)) = (with, without) {
        let field = format!("{place}.probability");
        let accepted = "a probability is accepted for every data set or for none";
        return FieldError::unless(false, &field, "missing", accepted);
    }
    let sum: f64 = sources.iter().filter_map(|source| source.probability).sum();
    let accepted = "probabilities of which at least one is positive are accepted";
    FieldError::unless(
        !with || sum > 0.0,
        "0.probability",
        "0, as all others",
        accepted,
    )
}
