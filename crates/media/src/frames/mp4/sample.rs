//! Where the compressed frames of a track lie and when they are shown.

use shiguredo_mp4::boxes::{Co64Box, CttsBox, StcoBox, StscBox, StssBox, StszBox, SttsBox};

use super::boxes;

/// One compressed frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Position in the file.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) size: u32,
    /// When it is shown, in the track's time scale.
    pub(super) time: i64,
    /// Whether decoding can start here.
    pub(super) sync: bool,
    /// Which of the track's sample descriptions it needs, from 0.
    pub(super) description: u32,
}

/// The most samples a file of `length` bytes is believed to have: a guard against tables that
/// claim billions of them in a few bytes. 16 million frames are six days at 30 a second.
pub(super) fn limit(length: u64) -> usize {
    length.min(1 << 24) as usize
}

/// The samples in the tables of a `stbl` box, in decoding order.
///
/// # Errors
/// If a table is missing or malformed, or claims more samples than `limit`.
pub(super) fn read_tables(stbl: &[u8], limit: usize) -> Result<Vec<Sample>, String> {
    let sizes = Sizes::read(stbl, limit)?;
    let stts: SttsBox = boxes::decode_child(stbl, b"stts")?;
    let ctts: Option<CttsBox> = boxes::optional_child(stbl, b"ctts")?;
    let stss: Option<StssBox> = boxes::optional_child(stbl, b"stss")?;
    let stsc: StscBox = boxes::decode_child(stbl, b"stsc")?;
    let chunks = chunk_offsets(stbl)?;

    let mut durations = runs(
        stts.entries
            .iter()
            .map(|e| (e.sample_count, e.sample_delta)),
    );
    let offsets = ctts.iter().flat_map(|ctts| &ctts.entries);
    let mut offsets = runs(offsets.map(|e| (e.sample_count, composition_offset(e.sample_offset))));
    let mut sync_numbers = stss
        .as_ref()
        .map(|stss| stss.sample_numbers.iter().peekable());
    let mut samples = Vec::new();
    let mut decode_time = 0_i64;

    let mut groups = stsc.entries.iter().peekable();
    let mut group = None;
    for (chunk, &chunk_offset) in (1_u32..).zip(&chunks) {
        if let Some(next) = groups.next_if(|next| next.first_chunk.get() <= chunk) {
            group = Some(next);
        }
        let group = group.ok_or("its chunk table does not begin at the first chunk")?;
        let mut offset = chunk_offset;
        for _ in 0..group.sample_per_chunk {
            let Some(size) = sizes.get(samples.len()) else {
                return Ok(samples);
            };
            let number = samples.len() as u32 + 1;
            let sync = sync_numbers.as_mut().is_none_or(|numbers| {
                while numbers.next_if(|next| next.get() < number).is_some() {}
                numbers.next_if(|next| next.get() == number).is_some()
            });
            samples.push(Sample {
                offset,
                size,
                time: decode_time.saturating_add(offsets.next().unwrap_or(0)),
                sync,
                description: group.sample_description_index.get() - 1,
            });
            offset = offset.saturating_add(size.into());
            decode_time = decode_time.saturating_add(durations.next().unwrap_or(0).into());
        }
    }
    if samples.len() < sizes.count() {
        return Err(format!(
            "its chunk table places {} of {} frames",
            samples.len(),
            sizes.count()
        ));
    }
    Ok(samples)
}

/// Some writers store negative offsets in a version of the box that has none; no real offset
/// is that large.
fn composition_offset(stored: i64) -> i64 {
    if stored > i64::from(i32::MAX) {
        stored - (1 << 32)
    } else {
        stored
    }
}

/// The values of run-length pairs, one after the other.
fn runs<T: Copy>(pairs: impl Iterator<Item = (u32, T)>) -> impl Iterator<Item = T> {
    pairs.flat_map(|(count, value)| std::iter::repeat_n(value, count as usize))
}

struct Sizes(StszBox);

impl Sizes {
    fn read(stbl: &[u8], limit: usize) -> Result<Self, String> {
        let sizes = Self(boxes::decode_child(stbl, b"stsz")?);
        if sizes.count() > limit {
            return Err(format!(
                "its index claims {} frames, more than fit into the file",
                sizes.count()
            ));
        }
        Ok(sizes)
    }

    fn count(&self) -> usize {
        match &self.0 {
            StszBox::Fixed { sample_count, .. } => *sample_count as usize,
            StszBox::Variable { entry_sizes } => entry_sizes.len(),
        }
    }

    fn get(&self, index: usize) -> Option<u32> {
        match &self.0 {
            StszBox::Fixed { sample_size, .. } => {
                (index < self.count()).then_some(sample_size.get())
            }
            StszBox::Variable { entry_sizes } => entry_sizes.get(index).copied(),
        }
    }
}

fn chunk_offsets(stbl: &[u8]) -> Result<Vec<u64>, String> {
    match boxes::child(stbl, b"stco") {
        Some(child) => {
            let stco: StcoBox = boxes::decode(child.whole, b"stco")?;
            Ok(stco.chunk_offsets.into_iter().map(u64::from).collect())
        }
        None => boxes::decode_child::<Co64Box>(stbl, b"co64").map(|co64| co64.chunk_offsets),
    }
}
