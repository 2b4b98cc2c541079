//! JSON arrays whose elements are made while they are written.

use std::cell::Cell;
use std::io;

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

/// An iterator that is serialised as an array, one element in memory at a time. It can be
/// serialised once.
pub struct Streamed<I>(Cell<Option<I>>);

impl<I> Streamed<I> {
    /// Over the elements.
    pub fn new(elements: I) -> Self {
        Self(Cell::new(Some(elements)))
    }
}

impl<T: Serialize, I: Iterator<Item = io::Result<T>>> Serialize for Streamed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let elements = self
            .0
            .take()
            .ok_or_else(|| S::Error::custom("a streamed array can be written only once"))?;
        let mut sequence = serializer.serialize_seq(None)?;
        for element in elements {
            sequence.serialize_element(&element.map_err(S::Error::custom)?)?;
        }
        sequence.end()
    }
}
