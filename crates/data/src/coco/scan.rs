//! Elements of the arrays of a large JSON file, one at a time, with their places.

use std::io::{self, Read};
use std::ops::Range;

/// Reads a JSON document whose top level is an object, and calls `visit(key, place, element)`
/// for every element of every array directly in it: `place` is its range of bytes in the document
/// and `element` its JSON text. Only one element is in memory at a time.
///
/// The scan looks at brackets, strings and commas and at nothing else: whoever parses the
/// elements finds what is wrong in them.
///
/// # Errors
/// Those of reading and of `visit`; [`io::ErrorKind::InvalidData`] if the top level is no object,
/// or the document ends too early.
pub(super) fn for_each_element<E: From<io::Error>>(
    source: impl Read,
    mut visit: impl FnMut(&str, Range<u64>, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::default();
    let mut reader = io::BufReader::with_capacity(1 << 18, source);
    loop {
        let block = io::BufRead::fill_buf(&mut reader)?;
        if block.is_empty() {
            break;
        }
        for &byte in block {
            if scanner.feed(byte)? {
                let place = scanner.start..scanner.position - 1;
                visit(&scanner.key, place, &scanner.element)?;
                scanner.element.clear();
            }
        }
        let length = block.len();
        io::BufRead::consume(&mut reader, length);
    }
    match scanner.finished {
        true => Ok(()),
        false => {
            Err(invalid("the document ends before its last bracket; it may be cut off").into())
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Depth of the top-level object's keys and values.
const TOP: usize = 1;
/// Depth of the elements of an array in it.
const ELEMENTS: usize = 2;

#[derive(Default)]
struct Scanner {
    /// Position of the next byte.
    position: u64,
    /// Open brackets.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The string that is or was read last at the top level.
    key: String,
    /// Whether the brackets at the depth of elements are an array's.
    in_array: bool,
    /// The element so far, and where it began.
    element: Vec<u8>,
    start: u64,
    finished: bool,
}

impl Scanner {
    /// Takes a byte; says whether it ends an element.
    fn feed(&mut self, byte: u8) -> io::Result<bool> {
        let position = self.position;
        self.position += 1;
        if self.in_string {
            self.string_byte(byte);
            return Ok(false);
        }
        if byte.is_ascii_whitespace() {
            if !self.element.is_empty() {
                self.element.push(byte);
            }
            return Ok(false);
        }
        if self.depth == 0 && (byte != b'{' || self.finished) {
            return Err(invalid("a JSON object was expected, and nothing after it"));
        }
        let in_elements = self.in_array && self.depth >= ELEMENTS;
        let ends = in_elements && self.depth == ELEMENTS && matches!(byte, b',' | b']');
        if in_elements && !ends {
            if self.element.is_empty() {
                self.start = position;
            }
            self.element.push(byte);
        }
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth == ELEMENTS {
                    self.in_array = byte == b'[';
                }
            }
            b'}' | b']' => {
                self.depth -= 1;
                self.in_array &= self.depth >= ELEMENTS;
                self.finished = self.depth == 0;
            }
            b'"' => {
                self.in_string = true;
                if self.depth == TOP {
                    self.key.clear();
                }
            }
            _ => {}
        }
        Ok(ends && !self.element.is_empty())
    }

    fn string_byte(&mut self, byte: u8) {
        let closes = byte == b'"' && !self.escaped;
        if self.in_array && self.depth >= ELEMENTS {
            self.element.push(byte);
        } else if self.depth == TOP && !closes {
            // Keys of interest are ASCII; others need not be exact.
            self.key.push(char::from(byte));
        }
        self.escaped = byte == b'\\' && !self.escaped;
        self.in_string = !closes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> io::Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for_each_element::<io::Error>(text.as_bytes(), |key, place, element| {
            let element = String::from_utf8(element.to_vec()).unwrap();
            assert_eq!(&text[place.start as usize..place.end as usize], element);
            found.push((key.to_owned(), element.trim_end().to_owned()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn elements_of_top_level_arrays_are_found_with_their_keys_and_places() {
        let text = r#" {"info": {"list": [1, 2], "t": "a]"}, "images": [ {"n": "a,]}\"b"} , {"l": [1, [2]]}],
            "none": [], "numbers": [1, "two", null]} "#;
        let expected = [
            ("images", r#"{"n": "a,]}\"b"}"#),
            ("images", r#"{"l": [1, [2]]}"#),
            ("numbers", "1"),
            ("numbers", "\"two\""),
            ("numbers", "null"),
        ];
        let found = elements(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(k, e)| (k.as_str(), e.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_document_that_is_cut_off_or_no_object_is_an_error() {
        for text in ["", "{\"a\": [1, 2", "[1]", "{}{}", "{\"a\": \"b"] {
            assert_eq!(
                elements(text).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{text}"
            );
        }
    }
}
