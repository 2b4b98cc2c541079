//! The videos: copied into the project, looked through once, and never changed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use masklet_data::export::sav;
use masklet_media::{FrameRate, FrameSource, Frames, ImageFolder, MediaError, atomic, open_video};
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::history::Action;
use crate::import::Arrival;
use crate::project::{Change, hex};
use crate::settings::{self, check_name};
use crate::{Done, EngineError, Project, Result, Scope, UserId, VideoId, users};

/// What only an owner does here.
const IMPORT: &str = "import videos";

/// A video of the project.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Video {
    /// Its number.
    pub id: VideoId,
    /// Its name, which no other video has.
    pub name: String,
    /// Its file, or folder of pictures, in the project's folder `videos`.
    pub file: String,
    /// Bytes of that.
    pub bytes: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The number of frames, all of which were decoded once.
    pub frames: u32,
    /// Frames a second as numerator and denominator, where the video tells.
    pub rate: Option<(u32, u32)>,
    /// Where it was taken, as SA-V says it: `Indoor`, `Outdoor`.
    pub environment: Option<String>,
    /// The split of the data set that it came from.
    pub split: Option<String>,
}

impl Video {
    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Frames a second; SA-V's 24 where the video does not tell.
    pub fn frames_per_second(&self) -> f64 {
        let known = self
            .rate
            .and_then(|(top, bottom)| FrameRate::new(top, bottom));
        known.map_or(sav::FRAME_RATE, FrameRate::per_second)
    }

    /// The SHA-256 of its contents, in hexadecimal.
    pub(crate) fn contents(&self) -> &str {
        contents_of(&self.file)
    }

    /// Seconds from its beginning to its end.
    pub fn seconds(&self) -> f64 {
        f64::from(self.frames) / self.frames_per_second()
    }

    /// Every how many frames it is annotated, to have `annotation_rate` of them a second.
    pub fn annotation_step(&self, annotation_rate: u32) -> u32 {
        let step = self.frames_per_second() / f64::from(annotation_rate.max(1));
        (step.round() as u32).max(1)
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let rate: (Option<u32>, Option<u32>) = (row.get(7)?, row.get(8)?);
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            file: row.get(2)?,
            bytes: row.get::<_, i64>(3)? as u64,
            width: row.get(4)?,
            height: row.get(5)?,
            frames: row.get(6)?,
            rate: rate.0.zip(rate.1),
            environment: row.get(9)?,
            split: row.get(10)?,
        })
    }
}

const VIDEOS: &str = "SELECT id, name, file, bytes, width, height, frames, rate_numerator,
    rate_denominator, environment, split FROM videos";

pub(crate) fn read(connection: &Connection, id: VideoId) -> Result<Video> {
    let found = connection.query_row(&format!("{VIDEOS} WHERE id = ?1"), [id], Video::of);
    found
        .optional()?
        .ok_or_else(|| EngineError::unknown("video", id, "`masklet engine videos` lists them"))
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<Video>> {
    let mut statement = connection.prepare(&format!("{VIDEOS} ORDER BY id"))?;
    let videos = statement.query_map([], Video::of)?;
    Ok(videos.collect::<rusqlite::Result<_>>()?)
}

/// What is taken in.
#[derive(Clone, Debug)]
pub struct VideoImport {
    /// What to call it; a number is added if there is one of that name.
    pub name: String,
    /// Its file, or its pictures in the order of frames.
    pub pixels: Pixels,
    /// Where it was taken, as SA-V says it.
    pub environment: Option<String>,
    /// The split of the data set that it comes from.
    pub split: Option<String>,
}

/// Where the pixels of a video are.
#[derive(Clone, Debug)]
pub enum Pixels {
    /// A video file.
    File(PathBuf),
    /// Pictures, one a frame.
    Pictures(Vec<PathBuf>),
}

impl VideoImport {
    /// A video file or a folder of pictures, named as it is.
    ///
    /// # Errors
    /// If it is a folder without pictures, or cannot be read.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path
            .file_stem()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let pixels = match path.is_dir() {
            true => Pixels::Pictures(ImageFolder::open(path)?.files().to_vec()),
            false => Pixels::File(path.to_owned()),
        };
        Ok(Self {
            name,
            pixels,
            environment: None,
            split: None,
        })
    }
}

/// What the name of a video's file says of its contents: all but the extension, which says nothing of
/// the pixels.
fn contents_of(file: &str) -> &str {
    file.split('.').next().unwrap_or_default()
}

/// A copy that is in the project's folder and not yet in its database.
pub(crate) struct Copied {
    file: String,
    bytes: u64,
    dimensions: (u32, u32),
    frames: u32,
    rate: Option<FrameRate>,
}

impl Project {
    /// Takes in a video, by an owner: copies it, decodes every frame once and calls `decoded` with
    /// the number of frames so far.
    ///
    /// # Errors
    /// [`EngineError::RefusedVideo`] if it is damaged, too large or too long, or is there already;
    /// [`EngineError::Forbidden`].
    pub fn import_video(
        &self,
        user: UserId,
        import: &VideoImport,
        decoded: &mut dyn FnMut(u32),
    ) -> Result<Done<VideoId>> {
        let done = self.import_with_masklets(user, import, &[], Arrival::default(), decoded)?;
        Ok(Done {
            value: done.value.id,
            revision: done.revision,
        })
    }

    /// Copies what an owner takes in, and decodes every frame once.
    pub(crate) fn copy_video(
        &self,
        user: UserId,
        import: &VideoImport,
        decoded: &mut dyn FnMut(u32),
    ) -> Result<Copied> {
        let settings = self.read(|now| {
            users::active(now, user)?.must_own(IMPORT)?;
            settings::read(now)
        })?;
        let folder = self.videos_folder();
        let refused = |why: String| EngineError::RefusedVideo {
            name: import.name.clone(),
            why,
        };
        // Removed when anything goes wrong; left behind, and of no harm, if the process is killed.
        let pending = tempfile::Builder::new()
            .prefix(atomic::TEMPORARY_PREFIX)
            .suffix(atomic::TEMPORARY_SUFFIX)
            .tempdir_in(&folder)
            .map_err(EngineError::file("create a folder in", &folder))?;
        let inner = pending.path().join("video");
        let (hash, bytes, extension) = match &import.pixels {
            Pixels::File(path) => {
                let mut hash = Sha256::new();
                let bytes = copy_hashed(path, &inner, settings.max_video_bytes, &mut hash)?;
                (hash, bytes, Some(extension_of(path)))
            }
            Pixels::Pictures(files) => {
                let (hash, bytes) = copy_pictures(files, &inner, settings.max_video_bytes)?;
                (hash, bytes, None)
            }
        };
        if bytes > settings.max_video_bytes {
            return Err(refused(format!(
                "it has more than the {} bytes that max_video_bytes allows; cut it, or change the \
                 setting",
                settings.max_video_bytes
            )));
        }
        let hash = hex(&hash.finalize());
        let file = match extension {
            Some(extension) => format!("{hash}.{extension}"),
            None => hash,
        };
        let target = folder.join(&file);
        // Before it is decoded, which takes long.
        self.read(|now| refuse_known(now, import, &file))?;
        let probe = probe(&inner, settings.max_video_frames, decoded)
            .map_err(|why| refused(why.to_string()))?;
        // An earlier import may have been killed after this step.
        if !target.exists() {
            fs::rename(&inner, &target).map_err(EngineError::file("write", &target))?;
            atomic::sync_folder(&folder)?;
        }
        let (dimensions, frames, rate) = probe;
        Ok(Copied {
            file,
            bytes,
            dimensions,
            frames,
            rate,
        })
    }

    /// All videos, in the order they were taken in.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn videos(&self) -> Result<Vec<Video>> {
        self.read(|now| all(now))
    }

    /// A video.
    ///
    /// # Errors
    /// [`EngineError::Unknown`].
    pub fn video(&self, id: VideoId) -> Result<Video> {
        self.read(|now| read(now, id))
    }

    /// The video of a name.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], saying which there are.
    pub fn video_named(&self, name: &str) -> Result<Video> {
        const SHOWN: usize = 8;
        let videos = self.videos()?;
        let names: Vec<&str> = videos
            .iter()
            .map(|video| video.name.as_str())
            .take(SHOWN)
            .collect();
        let available = match videos.len() {
            0 => "none was imported yet".to_owned(),
            count => format!("there are {count}: {}", names.join(", ")),
        };
        let found = videos.iter().find(|video| video.name == name).cloned();
        found.ok_or_else(|| EngineError::unknown("video", format!("{name:?}"), available))
    }

    /// Where a video's file or folder of pictures is.
    pub fn video_path(&self, video: &Video) -> PathBuf {
        // The name comes from the database, which may be anybody's: none leads out of the folder.
        let name = Path::new(&video.file).file_name().unwrap_or_default();
        self.videos_folder().join(name)
    }

    /// Opens a video's frames.
    ///
    /// # Errors
    /// If the file is missing or damaged.
    pub fn open_frames(&self, video: &Video) -> Result<Box<dyn FrameSource>> {
        Ok(open_video(self.video_path(video))?)
    }

    /// Removes a video with everything that was annotated in it, by an owner. Its pixels stay in
    /// the project's folder, so that this can be undone.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], [`EngineError::Forbidden`].
    pub fn remove_video(&self, user: UserId, id: VideoId) -> Result<Done<()>> {
        self.change(user, |change| {
            change.author()?.must_own("remove videos")?;
            let video = read(change, id)?;
            change.execute(
                "DELETE FROM frames WHERE masklet IN (SELECT id FROM masklets WHERE video = ?1)",
                [id],
            )?;
            for table in ["masklets", "tasks"] {
                change.execute(&format!("DELETE FROM {table} WHERE video = ?1"), [id])?;
            }
            change.execute("DELETE FROM videos WHERE id = ?1", [id])?;
            Ok((
                (),
                Scope::Video(id),
                Action::RemoveVideo { name: video.name },
            ))
        })
    }
}

/// Refuses what the project has already, whatever the copy is called.
fn refuse_known(connection: &Connection, import: &VideoImport, file: &str) -> Result<()> {
    let all = all(connection)?;
    match all
        .iter()
        .find(|video| video.contents() == contents_of(file))
    {
        None => Ok(()),
        Some(known) => Err(EngineError::RefusedVideo {
            name: import.name.clone(),
            why: format!("it is in the project already, as {:?}", known.name),
        }),
    }
}

/// Writes a video of an owner's.
pub(crate) fn insert(change: &Change<'_>, import: &VideoImport, copied: &Copied) -> Result<Video> {
    change.author()?.must_own(IMPORT)?;
    check_name("the video's name", &import.name)?;
    // Somebody else may have taken it in while it was decoded.
    refuse_known(change, import, &copied.file)?;
    let taken = |name: &str| -> Result<bool> {
        let query = "SELECT EXISTS (SELECT 1 FROM videos WHERE name = ?1)";
        Ok(change.query_row(query, [name], |row| row.get(0))?)
    };
    let mut name = import.name.clone();
    for number in 2.. {
        if !taken(&name)? {
            break;
        }
        name = format!("{}-{number}", import.name);
    }
    change.execute(
        "INSERT INTO videos (name, file, bytes, width, height, frames, rate_numerator,
             rate_denominator, environment, split) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rusqlite::params![
            name,
            copied.file,
            copied.bytes as i64,
            copied.dimensions.0,
            copied.dimensions.1,
            copied.frames,
            copied.rate.map(|rate| rate.numerator().get()),
            copied.rate.map(|rate| rate.denominator().get()),
            import.environment,
            import.split,
        ],
    )?;
    read(change, VideoId(change.last_insert_rowid()))
}

/// Copies at most `most` bytes and one more of a file, and takes them into `hash`; what was copied
/// is on the disk.
fn copy_hashed(from: &Path, to: &Path, most: u64, hash: &mut Sha256) -> Result<u64> {
    const BLOCK: usize = 1 << 16;
    let source = File::open(from).map_err(EngineError::file("read", from))?;
    let mut source = source.take(most.saturating_add(1));
    let mut target = File::create(to).map_err(EngineError::file("write", to))?;
    let mut block = vec![0; BLOCK];
    let mut bytes = 0;
    loop {
        let length = match source.read(&mut block) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(EngineError::file("read", from)(error)),
        };
        if length == 0 {
            break;
        }
        hash.update(&block[..length]);
        target
            .write_all(&block[..length])
            .map_err(EngineError::file("write", to))?;
        bytes += length as u64;
    }
    target.sync_all().map_err(EngineError::file("write", to))?;
    Ok(bytes)
}

/// Copies pictures under their names. The hash covers names and contents.
fn copy_pictures(files: &[PathBuf], folder: &Path, most: u64) -> Result<(Sha256, u64)> {
    fs::create_dir(folder).map_err(EngineError::file("create", folder))?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    for file in files {
        let name = file.file_name().unwrap_or_default();
        let target = folder.join(name);
        if target.exists() {
            return Err(EngineError::RefusedVideo {
                name: file.display().to_string(),
                why: "two pictures have this name; rename one".to_owned(),
            });
        }
        let mut of_file = Sha256::new();
        bytes += copy_hashed(file, &target, most.saturating_sub(bytes), &mut of_file)?;
        hash.update(name.as_encoded_bytes());
        hash.update(of_file.finalize());
        if bytes > most {
            break;
        }
    }
    atomic::sync_folder(folder)?;
    Ok((hash, bytes))
}

/// A harmless extension for the copy; what the file is, its contents tell.
fn extension_of(path: &Path) -> String {
    const LONGEST: usize = 5;
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let harmless = (1..=LONGEST).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if harmless {
        extension
    } else {
        "video".to_owned()
    }
}

type Probe = ((u32, u32), u32, Option<FrameRate>);

/// Decodes every frame: what a file says of itself may be wrong.
fn probe(path: &Path, most: u32, decoded: &mut dyn FnMut(u32)) -> Result<Probe> {
    let mut source = open_video(path)?;
    let mut frames: u32 = 0;
    for frame in Frames::from(&mut source, 0) {
        frame?;
        frames += 1;
        if frames > most {
            return Err(EngineError::bad_value(
                "its number of frames",
                format!("above {most}"),
                "max_video_frames allows no more; cut it, or change the setting",
            ));
        }
        decoded(frames);
    }
    if frames == 0 {
        return Err(MediaError::NoFramesGiven.into());
    }
    Ok((source.dimensions(), frames, source.frame_rate()))
}
