//! TFRecord: how events follow one another in a file.
//!
//! A record is its length (64 bits, little-endian), a checksum of the length, the bytes, and a
//! checksum of the bytes. Checksums are CRC-32C, masked so that a checksum over data that holds
//! checksums stays a good one.

/// Appends `bytes` as a record.
pub(super) fn append_record(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = (bytes.len() as u64).to_le_bytes();
    to.extend(length);
    to.extend(checksum(&length).to_le_bytes());
    to.extend(bytes);
    to.extend(checksum(bytes).to_le_bytes());
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The records of a file, with their checksums verified.
    pub(in crate::monitor::tensorboard) fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            let (length_sum, rest) = rest.split_at(4);
            assert_eq!(length_sum, checksum(length).to_le_bytes());
            let (record, rest) =
                rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
            let (sum, rest) = rest.split_at(4);
            assert_eq!(sum, checksum(record).to_le_bytes());
            records.push(record.to_owned());
            file = rest;
        }
        records
    }
}
