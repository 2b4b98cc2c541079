//! Pictures made by code, with label maps: shapes with textures of their own, one before the other.
//!
//! Nothing in them comes from a photograph, so whatever is trained on them carries nobody's licence.
//! They teach what an object is to a click: something whose outline and surface stand out from what is
//! around it, alone or among others of its kind, whole or half hidden. A picture has two label maps,
//! as people who segment differ: whole objects, and objects in their parts.

mod noise;
mod scene;
mod shape;
mod texture;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use masklet_media::{MediaError, RgbImage, atomic};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::export::davis;
use crate::{DataError, LabelMap, Result};

/// Quality of the JPEGs: what cameras write.
const QUALITY: u8 = 92;

/// The options of a folder of generated pictures.
const OPTIONS: &str = "generated.json";

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateOptions {
    /// How many pictures; at least 1.
    pub images: usize,
    /// Width and height in pixels, 32 to 4096.
    pub size: (u32, u32),
    /// Seed of everything random. Picture `n` depends on the seed, the size and `n` alone.
    pub seed: u64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            images: 500,
            size: (480, 320),
            seed: 0,
        }
    }
}

impl GenerateOptions {
    fn check(&self) -> Result<()> {
        let bad = |what, found: String, accepted| {
            Err(DataError::BadValue {
                what,
                found,
                accepted,
            })
        };
        let (width, height) = self.size;
        if self.images == 0 {
            return bad("the number of pictures", "0".into(), "1 or more");
        }
        if [width, height]
            .iter()
            .any(|side| !(32..=4096).contains(side))
        {
            let found = format!("{width}x{height}");
            return bad("the size", found, "sides of 32 to 4096 pixels");
        }
        Ok(())
    }
}

/// A generated picture.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The picture.
    pub picture: RgbImage,
    /// Whole objects by number, from back to front; 0 is the background. Some numbers are left out:
    /// they are those of parts.
    pub objects: LabelMap,
    /// The same with parts apart.
    pub parts: LabelMap,
}

/// Makes picture `number`.
///
/// # Errors
/// [`DataError::BadValue`] for options out of range.
pub fn generate(options: &GenerateOptions, number: usize) -> Result<Generated> {
    options.check()?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    rng.set_stream(number as u64);
    scene::draw(options.size, &mut rng)
}

/// Writes pictures and label maps that `masklet data inspect` knows: `images/<name>.jpg`,
/// `segments/<name>_objects.png` and `segments/<name>_parts.png`. What an interrupted run with the
/// same options wrote is kept. `written` is called after each picture, by several threads.
///
/// # Errors
/// [`DataError::BadValue`] for options out of range; [`DataError::Inconsistent`] for a folder that
/// holds something else; if a file cannot be written.
pub fn write(folder: &Path, options: &GenerateOptions, written: &(dyn Fn() + Sync)) -> Result<()> {
    options.check()?;
    begin(folder, options)?;
    let make = |kind: &str| -> Result<PathBuf> {
        let path = folder.join(kind);
        fs::create_dir_all(&path).map_err(unwritten(&path))?;
        Ok(path)
    };
    let (images, segments) = (make("images")?, make("segments")?);
    (0..options.images).into_par_iter().try_for_each(|number| {
        let name = format!("{number:05}");
        let image = images.join(format!("{name}.jpg"));
        // The picture comes last, so that one that is there is complete.
        if !image.exists() {
            let generated = generate(options, number)?;
            let maps = [("objects", &generated.objects), ("parts", &generated.parts)];
            for (kind, map) in maps {
                let path = segments.join(format!("{name}_{kind}.png"));
                atomic::write(&path, &encoded(map, &path)?)?;
            }
            atomic::write(&image, &generated.picture.to_jpeg_fast(QUALITY)?)?;
        }
        written();
        Ok(())
    })
}

/// Notes the options in a new folder, or finds the same ones in that of an interrupted run.
fn begin(folder: &Path, options: &GenerateOptions) -> Result<()> {
    fs::create_dir_all(folder).map_err(unwritten(folder))?;
    let path = folder.join(OPTIONS);
    let text = serde_json::to_string_pretty(options).expect("plain data");
    match fs::read_to_string(&path) {
        Ok(found) if found == text => Ok(()),
        Ok(found) => Err(DataError::Inconsistent {
            path,
            found: format!("pictures of other options, {found}"),
            expected: format!("{text}, or a new folder"),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut inside = fs::read_dir(folder).map_err(DataError::read(folder))?;
            if inside.next().is_some() {
                return Err(DataError::Inconsistent {
                    path: folder.to_owned(),
                    found: "other files".into(),
                    expected: "a new or empty folder".into(),
                });
            }
            Ok(atomic::write(&path, text.as_bytes())?)
        }
        Err(error) => Err(DataError::read(&path)(error)),
    }
}

fn encoded(map: &LabelMap, path: &Path) -> Result<Vec<u8>> {
    let masks: Vec<_> = ids(map)
        .map(|id| (u32::from(id), map.mask_where(|label| label == id)))
        .collect();
    let encoded = davis::encode(map.dimensions(), &masks, |_, _| 0.0);
    encoded.map_err(unwritten(path))
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    |source| MediaError::Write { path, source }.into()
}

/// The labels of what is in a map.
fn ids(map: &LabelMap) -> impl Iterator<Item = u16> {
    map.counts()
        .into_iter()
        .map(|(id, _)| id)
        .filter(|&id| id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, ReadOptions, open};

    const SMALL: GenerateOptions = GenerateOptions {
        images: 6,
        size: (96, 64),
        seed: 3,
    };

    #[test]
    fn what_is_written_is_read_as_a_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("generated");
        write(&place, &SMALL, &|| ()).unwrap();
        let Dataset::Images(images) = open(&place, &ReadOptions::default()).unwrap() else {
            panic!("pictures are no videos");
        };
        assert_eq!(images.len(), 6);
        for index in 0..6 {
            let generated = generate(&SMALL, index).unwrap();
            let read = images.open(index).unwrap();
            let segmentations = read.segmentations;
            assert_eq!(segmentations.len(), 2, "objects and parts");
            let count = |map: &LabelMap| ids(map).count();
            assert_eq!(segmentations[0].segments.len(), count(&generated.objects));
            assert_eq!(segmentations[1].segments.len(), count(&generated.parts));
        }
    }

    #[test]
    fn a_run_goes_on_where_it_stopped_and_other_options_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("generated");
        write(&place, &SMALL, &|| ()).unwrap();
        let (gone, kept) = (
            place.join("images/00002.jpg"),
            place.join("images/00001.jpg"),
        );
        let before = fs::read(&gone).unwrap();
        fs::remove_file(&gone).unwrap();
        fs::write(&kept, "as it was left").unwrap();
        write(&place, &SMALL, &|| ()).unwrap();
        assert_eq!(fs::read(&gone).unwrap(), before);
        assert_eq!(fs::read(&kept).unwrap(), b"as it was left");

        let other = GenerateOptions { seed: 4, ..SMALL };
        let error = write(&place, &other, &|| ()).unwrap_err().to_string();
        assert!(
            error.contains("other options") && error.contains("new folder"),
            "{error}"
        );
        let error = write(folder.path(), &SMALL, &|| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("new or empty folder"), "{error}");
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let tiny = GenerateOptions {
            size: (8, 64),
            ..SMALL
        };
        let error = generate(&tiny, 0).unwrap_err().to_string();
        assert!(
            error.contains("8x64") && error.contains("32 to 4096"),
            "{error}"
        );
        let none = GenerateOptions { images: 0, ..SMALL };
        assert!(generate(&none, 0).is_err());
    }
}
