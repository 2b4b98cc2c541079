//! Samples of fragmented files, whose index is spread over the file in `moof` boxes.

use std::io::{Read, Seek};

use shiguredo_mp4::BoxType;
use shiguredo_mp4::SampleFlags;
use shiguredo_mp4::boxes::{MoofBox, TfdtBox, TfhdBox, TrexBox, TrunBox};

use super::boxes::{self, Span};
use super::sample::Sample;

/// What samples are like unless their fragment says otherwise.
#[derive(Clone, Copy)]
struct Defaults {
    description: u32,
    duration: u32,
    size: u32,
    flags: SampleFlags,
}

/// Reads the fragments of one track.
pub(super) struct Fragments {
    track: u32,
    defaults: Defaults,
    next_time: i64,
}

impl Fragments {
    /// For track `track` of a movie whose `moov` box has this payload; `None` if the movie is
    /// not fragmented.
    ///
    /// # Errors
    /// If the track's defaults are malformed.
    pub(super) fn of(moov: &[u8], track: u32) -> Result<Option<Self>, String> {
        let Some(mvex) = boxes::child(moov, b"mvex") else {
            return Ok(None);
        };
        for child in boxes::children(mvex.payload) {
            if child.kind == TrexBox::TYPE {
                let trex: TrexBox = boxes::decode(child.whole, b"trex")?;
                if trex.track_id == track {
                    let defaults = Defaults {
                        description: trex.default_sample_description_index,
                        duration: trex.default_sample_duration,
                        size: trex.default_sample_size,
                        flags: trex.default_sample_flags,
                    };
                    return Ok(Some(Self {
                        track,
                        defaults,
                        next_time: 0,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Whether a box of the file is a fragment's index.
    pub(super) fn is_fragment(kind: BoxType) -> bool {
        kind == MoofBox::TYPE
    }

    /// Appends the samples of one fragment.
    ///
    /// # Errors
    /// If it is malformed, or there would be more samples than `limit`.
    pub(super) fn read(
        &mut self,
        reader: &mut (impl Read + Seek),
        span: Span,
        length: u64,
        limit: usize,
        samples: &mut Vec<Sample>,
    ) -> Result<(), String> {
        let whole = boxes::read_span(reader, span, length)?;
        let moof = boxes::child(&whole, b"moof").ok_or("a fragment is damaged")?;
        // Without a base of its own, a track's data follows that of the track before it.
        let mut data_end = span.start;
        for traf in boxes::children(moof.payload) {
            if traf.kind != BoxType::Normal(*b"traf") {
                continue;
            }
            let header: TfhdBox = boxes::decode_child(traf.payload, b"tfhd")?;
            let mine = header.track_id == self.track;
            let mut defaults = self.defaults;
            defaults.description = header
                .sample_description_index
                .unwrap_or(defaults.description);
            defaults.duration = header.default_sample_duration.unwrap_or(defaults.duration);
            defaults.size = header.default_sample_size.unwrap_or(defaults.size);
            defaults.flags = header.default_sample_flags.unwrap_or(defaults.flags);
            let base = match header.base_data_offset {
                Some(offset) => offset,
                None if header.default_base_is_moof => span.start,
                None => data_end,
            };
            if mine && let Some(start) = boxes::optional_child::<TfdtBox>(traf.payload, b"tfdt")? {
                self.next_time = i64::try_from(start.base_media_decode_time)
                    .map_err(|_| "a fragment begins at an impossible time")?;
            }
            let mut position = base;
            for child in boxes::children(traf.payload) {
                if child.kind != TrunBox::TYPE {
                    continue;
                }
                // Checked before anything is allocated for them: they may take no bytes each.
                if samples.len() + sample_count(child.payload) > limit {
                    return Err("its fragments claim more frames than fit into the file".into());
                }
                let run: TrunBox = boxes::decode(child.whole, b"trun")?;
                if let Some(offset) = run.data_offset {
                    position = base.saturating_add_signed(offset.into());
                }
                for (index, sample) in run.samples.iter().enumerate() {
                    let size = sample.size.unwrap_or(defaults.size);
                    if mine {
                        let first_flags = run.first_sample_flags.filter(|_| index == 0);
                        let flags = sample.flags.or(first_flags).unwrap_or(defaults.flags);
                        let shift = sample.composition_time_offset.unwrap_or(0);
                        samples.push(Sample {
                            offset: position,
                            size,
                            time: self.next_time.saturating_add(shift),
                            sync: !flags.sample_is_non_sync_sample(),
                            description: defaults.description.saturating_sub(1),
                        });
                        let duration = sample.duration.unwrap_or(defaults.duration);
                        self.next_time = self.next_time.saturating_add(duration.into());
                    }
                    position = position.saturating_add(size.into());
                }
            }
            data_end = position;
        }
        Ok(())
    }
}

/// How many samples a `trun` box claims: the field after version and flags.
fn sample_count(trun: &[u8]) -> usize {
    match trun.get(4..8) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]) as usize,
        _ => 0,
    }
}
