//! Bounds-checked reading of a pickle's bytes.

use super::super::error::Fault;

pub(super) struct Stream<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Stream<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let end = self.position.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or_else(|| self.ended(length))?;
        self.position += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = self.take(N)?.first_chunk().copied();
        taken.ok_or_else(|| self.ended(N))
    }

    pub fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_le_bytes)
    }

    /// A length or number of four bytes.
    pub fn length4(&mut self) -> Result<usize, Fault> {
        let value = self.array().map(u32::from_le_bytes)?;
        usize::try_from(value).map_err(|_| self.ended(usize::MAX))
    }

    /// A length of eight bytes.
    pub fn length8(&mut self) -> Result<usize, Fault> {
        let value = self.array().map(u64::from_le_bytes)?;
        usize::try_from(value).map_err(|_| self.ended(usize::MAX))
    }

    pub fn text(&mut self, length: usize) -> Result<&'a str, Fault> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map_err(|_| Fault::corrupt("its pickle holds a text that is not UTF-8"))
    }

    /// Up to the next line feed, which is taken too.
    pub fn line(&mut self) -> Result<&'a str, Fault> {
        const LONGEST: usize = 4096;
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest
            .iter()
            .take(LONGEST)
            .position(|&b| b == b'\n')
            .ok_or_else(|| self.ended(rest.len().saturating_add(1)))?;
        let line = self.text(length)?;
        self.position += 1;
        Ok(line)
    }

    fn ended(&self, wanted: usize) -> Fault {
        Fault::corrupt(format!(
            "its pickle needs {wanted} more bytes at byte {}, but has {} in all",
            self.position,
            self.bytes.len()
        ))
    }
}
