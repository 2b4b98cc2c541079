//! A folder of pictures as a video.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::FrameSource;
use crate::rgb_image::{decode_dimensions, is_image, read_file};
use crate::{MediaError, Result, RgbImage};

/// A video as a folder of pictures, one file per frame.
///
/// **Which files.** Every file whose content is a picture (see [`RgbImage::open`]), whatever
/// its extension; hidden files and sub-folders are passed over, other files are passed over
/// and listed by [`skipped`](Self::skipped). A file with a picture's extension but no picture
/// in it is an error, because leaving it out would shift the frames after it.
///
/// **In which order.** If the names without extension are whole numbers, by number, as the
/// reference does (`2.jpg` before `10.jpg`). If none is, in natural order (`shot-2` before
/// `shot-10`). A mixture, or a number that occurs twice, is an error.
///
/// **Sizes** are read from the files' headers at once, so that an odd frame is found before
/// work begins; pixels are decoded when a frame is asked for and never kept.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    files: Vec<PathBuf>,
    skipped: Vec<PathBuf>,
    dimensions: (u32, u32),
}

impl ImageFolder {
    /// Lists the frames of a folder and checks that they have one size.
    ///
    /// # Errors
    /// [`MediaError::Read`] if the folder or a file cannot be read (or is not there);
    /// [`MediaError::NotAFolder`]; [`MediaError::NoFrames`];
    /// [`MediaError::MixedFrameNames`] and [`MediaError::DuplicateFrameNumber`] if the order
    /// is unclear; [`MediaError::NotAnImage`] and [`MediaError::Decode`] for a damaged file;
    /// [`MediaError::SizeMismatch`], naming the first frame that differs from frame 0.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let folder = path.as_ref();
        let mut files = Vec::new();
        let mut skipped = Vec::new();
        for file in visible_files(folder)? {
            if begins_like_an_image(&file)? {
                files.push(file);
            } else if has_picture_extension(&file) {
                return Err(MediaError::NotAnImage {
                    name: file.display().to_string(),
                });
            } else {
                skipped.push(file);
            }
        }
        skipped.sort();
        if files.is_empty() {
            return Err(MediaError::NoFrames {
                path: folder.to_owned(),
                skipped: skipped.len(),
            });
        }
        sort_frames(folder, &mut files)?;
        let dimensions = common_dimensions(&files)?;
        Ok(Self {
            files,
            skipped,
            dimensions,
        })
    }

    /// The given files as frames, in the given order: for callers who know their folder.
    ///
    /// Only the first file is looked at, for the size; the others are checked as they are read.
    ///
    /// # Errors
    /// [`MediaError::NoFramesGiven`] if `files` is empty; [`MediaError::Read`],
    /// [`MediaError::NotAnImage`] or [`MediaError::Decode`] for the first file.
    pub fn from_files(files: Vec<PathBuf>) -> Result<Self> {
        let first = files.first().ok_or(MediaError::NoFramesGiven)?;
        Ok(Self {
            dimensions: file_dimensions(first)?,
            skipped: Vec::new(),
            files,
        })
    }

    /// The files of the frames, in order.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The files that were passed over because they are not pictures, sorted by name.
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }
}

impl FrameSource for ImageFolder {
    fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    fn frame_count(&self) -> Option<usize> {
        Some(self.files.len())
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        let Some(file) = self.files.get(index) else {
            return Ok(None);
        };
        let frame = RgbImage::open(file)?;
        // The file may have changed since the folder was opened.
        check_dimensions(index, file, frame.dimensions(), self.dimensions)?;
        Ok(Some(frame))
    }
}

fn visible_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| MediaError::Read {
        path: folder.to_owned(),
        source,
    };
    if !std::fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(MediaError::NotAFolder {
            path: folder.to_owned(),
        });
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = file_name(&path).starts_with('.');
        // `is_file` follows links: a folder of links to frames works.
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// The first `limit` bytes of a file, or all of it if it is shorter.
fn read_beginning(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|source| MediaError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

fn begins_like_an_image(path: &Path) -> Result<bool> {
    const LONGEST_SIGNATURE: u64 = 64;
    Ok(is_image(&read_beginning(path, LONGEST_SIGNATURE)?))
}

fn has_picture_extension(path: &Path) -> bool {
    const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif"];
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    EXTENSIONS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(extension))
}

fn common_dimensions(files: &[PathBuf]) -> Result<(u32, u32)> {
    let all: Vec<_> = files.par_iter().map(|file| file_dimensions(file)).collect();
    let mut common = None;
    for (index, (file, found)) in files.iter().zip(all).enumerate() {
        let found = found?;
        check_dimensions(index, file, found, *common.get_or_insert(found))?;
    }
    Ok(common.unwrap_or_default())
}

fn file_dimensions(path: &Path) -> Result<(u32, u32)> {
    /// Reaches past the header of nearly every file, so that the rest need not be read.
    const BEGINNING: u64 = 64 * 1024;
    let name = path.display().to_string();
    decode_dimensions(&name, &read_beginning(path, BEGINNING)?)
        .or_else(|_| decode_dimensions(&name, &read_file(path)?))
}

fn check_dimensions(
    index: usize,
    file: &Path,
    found: (u32, u32),
    expected: (u32, u32),
) -> Result<()> {
    if found != expected {
        let what = format!("frame {index} ({})", file.display());
        return Err(MediaError::SizeMismatch {
            what,
            found,
            expected,
        });
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn file_stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The stem as a number of any length, without leading zeros; `None` if it is not one.
fn frame_number(path: &Path) -> Option<String> {
    let stem = file_stem(path);
    let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| without_leading_zeros(&stem).to_owned())
}

fn without_leading_zeros(digits: &str) -> &str {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() && !digits.is_empty() {
        "0"
    } else {
        trimmed
    }
}

/// Brings the files of `folder` into the order of frames, as [`ImageFolder`] describes it.
///
/// # Errors
/// [`MediaError::MixedFrameNames`] and [`MediaError::DuplicateFrameNumber`] if the order is
/// unclear.
pub fn sort_frames(folder: &Path, files: &mut [PathBuf]) -> Result<()> {
    files.sort_by(|a, b| natural_order(&file_name(a), &file_name(b)));
    let numbered = files.iter().find(|file| frame_number(file).is_some());
    let named = files.iter().find(|file| frame_number(file).is_none());
    match (numbered, named) {
        (Some(numbered), Some(named)) => Err(MediaError::MixedFrameNames {
            path: folder.to_owned(),
            numbered: file_name(numbered),
            named: file_name(named),
        }),
        (Some(_), None) => sort_by_number(folder, files),
        (None, _) => Ok(()),
    }
}

fn sort_by_number(folder: &Path, files: &mut [PathBuf]) -> Result<()> {
    files.sort_by_cached_key(|file| {
        let number = frame_number(file).unwrap_or_default();
        (number.len(), number)
    });
    for pair in files.windows(2) {
        let number = frame_number(&pair[0]);
        if number == frame_number(&pair[1]) {
            return Err(MediaError::DuplicateFrameNumber {
                path: folder.to_owned(),
                number: number.unwrap_or_default(),
                first: file_name(&pair[0]),
                second: file_name(&pair[1]),
            });
        }
    }
    Ok(())
}

/// Compares text piece by piece, stretches of digits as numbers; ties go to plain order.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    while !rest_a.is_empty() && !rest_b.is_empty() {
        let (piece_a, after_a) = split_piece(rest_a);
        let (piece_b, after_b) = split_piece(rest_b);
        let both_numbers = [piece_a, piece_b]
            .iter()
            .all(|p| p.starts_with(|c: char| c.is_ascii_digit()));
        let order = if both_numbers {
            let (x, y) = (
                without_leading_zeros(piece_a),
                without_leading_zeros(piece_b),
            );
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            piece_a.cmp(piece_b)
        };
        if order.is_ne() {
            return order;
        }
        (rest_a, rest_b) = (after_a, after_b);
    }
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

/// Splits off the leading stretch of digits, or of anything else.
fn split_piece(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text
        .find(|c: char| c.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}
