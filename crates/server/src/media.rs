//! Frames as pictures: decoders that stay open while somebody looks, and what they gave last.

mod reader;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use masklet_engine::{Project, Video, VideoId};
use masklet_media::{Mask, RgbImage, sheet};

use crate::error::{ApiError, Result};
use reader::Reader;

/// Decoders that stay open.
const OPEN_VIDEOS: usize = 6;
/// Bytes of encoded frames that are kept.
const CACHE_BYTES: usize = 64 << 20;
/// A JPEG in which nothing is lost that an annotator would see.
const JPEG_QUALITY: u8 = 92;

/// How a frame is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PictureFormat {
    #[default]
    Jpeg,
    Png,
}

impl PictureFormat {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

type Key = (VideoId, u32, PictureFormat);

/// Open decoders and encoded frames, the latest last.
#[derive(Default)]
pub(crate) struct Media {
    sources: Mutex<VecDeque<(VideoId, Arc<Reader>)>>,
    encoded: Mutex<VecDeque<(Key, Arc<Vec<u8>>)>>,
}

impl Media {
    /// A frame of a video, encoded.
    pub(crate) fn encoded(
        &self,
        project: &Project,
        id: VideoId,
        frame: u32,
        format: PictureFormat,
    ) -> Result<Arc<Vec<u8>>> {
        let key = (id, frame, format);
        if let Some(known) = self.known(key) {
            return Ok(known);
        }
        let video = project.video(id)?;
        let picture = self.picture(project, &video, frame)?;
        let bytes = Arc::new(match format {
            PictureFormat::Jpeg => picture.to_jpeg_fast(JPEG_QUALITY)?,
            PictureFormat::Png => picture.to_png()?,
        });
        let mut encoded = lock(&self.encoded);
        encoded.push_back((key, Arc::clone(&bytes)));
        let mut total: usize = encoded.iter().map(|(_, bytes)| bytes.len()).sum();
        while total > CACHE_BYTES && encoded.len() > 1 {
            total -= encoded.pop_front().map_or(0, |(_, bytes)| bytes.len());
        }
        Ok(bytes)
    }

    fn known(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        let mut encoded = lock(&self.encoded);
        let at = encoded.iter().position(|(known, _)| *known == key)?;
        let found = encoded.remove(at)?;
        let bytes = Arc::clone(&found.1);
        encoded.push_back(found);
        Some(bytes)
    }

    /// A frame of a video, decoded.
    pub(crate) fn picture(&self, project: &Project, video: &Video, frame: u32) -> Result<RgbImage> {
        let none = || {
            ApiError::not_found(format!(
                "there is no frame {frame}: {} has frames 0 to {}",
                video.name,
                video.frames.saturating_sub(1)
            ))
        };
        if frame >= video.frames {
            return Err(none());
        }
        self.reader(project, video)?.read(frame)?.ok_or_else(none)
    }

    /// A decoder of a video.
    fn reader(&self, project: &Project, video: &Video) -> Result<Arc<Reader>> {
        let mut sources = lock(&self.sources);
        let found = match sources.iter().position(|(id, _)| *id == video.id) {
            Some(at) => sources.remove(at),
            None => None,
        };
        let entry = match found {
            Some(entry) => entry,
            None => {
                let source = project.open_frames(video)?;
                (video.id, Arc::new(Reader::new(source)))
            }
        };
        let source = Arc::clone(&entry.1);
        sources.push_back(entry);
        if sources.len() > OPEN_VIDEOS {
            sources.pop_front();
        }
        Ok(source)
    }

    /// Forgets a video that is gone.
    pub(crate) fn forget(&self, video: VideoId) {
        lock(&self.sources).retain(|(id, _)| *id != video);
        lock(&self.encoded).retain(|((id, ..), _)| *id != video);
    }
}

/// Pictures in rows as a JPEG.
pub(crate) fn contact_sheet(
    pictures: &[(RgbImage, Vec<(u32, Mask)>)],
    columns: usize,
    width: u32,
) -> Result<Vec<u8>> {
    const GAP: u32 = 4;
    const GROUND: [u8; 3] = [32; 3];
    let small = pictures.iter().map(|(picture, masks)| {
        // The height follows from the width.
        sheet::thumbnail(picture, masks, (width, u32::MAX))
    });
    let small: Vec<RgbImage> = small.collect::<masklet_media::Result<_>>()?;
    let rows: Vec<Vec<RgbImage>> = small.chunks(columns.max(1)).map(<[_]>::to_vec).collect();
    Ok(sheet::arrange(&rows, GAP, GROUND)?.to_jpeg_fast(JPEG_QUALITY)?)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
