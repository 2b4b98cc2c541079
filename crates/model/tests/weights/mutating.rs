//! Damaged files are refused or read, and never bring the program down.

use masklet_model::weights::{Checkpoint, Precision, Summary, convert};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{fixture_bytes, fixture_path};

const FILES: [&str; 9] = [
    "float32.pt",
    "views.pt",
    "training.pt",
    "protocol_4.pt",
    "deflated.pt",
    "renamed.pt",
    "without_checksums.pt",
    "float32.safetensors",
    "bfloat16.safetensors",
];

#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let interesting = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f), Just(0x80)];
    prop_oneof![
        4 => (any::<Index>(), interesting).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (any::<Index>(), any::<Index>(), 1..32_u8)
            .prop_map(|(from, to, length)| Damage::Copy(from, to, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
        Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Insert(at, new) => {
            let at = at.index(length);
            bytes.splice(at..at, new.iter().copied());
        }
        Damage::Copy(from, to, count) => {
            let (from, to) = (from.index(length), to.index(length));
            let count = usize::from(*count).min(length - from.max(to));
            bytes.copy_within(from..from + count, to);
        }
    }
}

/// Everything that a program does with a checkpoint.
fn use_it(bytes: Vec<u8>) {
    match Checkpoint::from_bytes("damaged", bytes) {
        Ok(checkpoint) => {
            for (name, info) in checkpoint.tensors() {
                if let Ok(values) = checkpoint.read_f32(name) {
                    assert_eq!(values.len(), info.elements());
                }
            }
            assert!(!Summary::of(&checkpoint).to_string().is_empty());
        }
        Err(error) => assert!(error.to_string().contains("damaged")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damage_never_panics(file in 0..FILES.len(), damages in prop::collection::vec(damage(), 1..5)) {
        let mut bytes = fixture_bytes(FILES[file]);
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        use_it(bytes);
    }

    /// Damage to the pickle alone, past the zip archive's checksum.
    #[test]
    fn a_damaged_pickle_never_panics(at in any::<Index>(), damages in prop::collection::vec(damage(), 1..5)) {
        let mut bytes = fixture_bytes("without_checksums.pt");
        let find = |needle: &[u8]| bytes.windows(needle.len()).position(|w| w == needle).unwrap();
        // The first member is the pickle, and the second begins with another local header.
        let start = find(b"\x80\x02}");
        let end = start + bytes[start..].windows(4).position(|w| w == b"PK\x07\x08").unwrap();
        let mut pickle = bytes[start..end].to_vec();
        for damage in &damages {
            apply(&mut pickle, damage);
        }
        pickle.resize(end - start, at.index(256) as u8);
        bytes[start..end].copy_from_slice(&pickle);
        use_it(bytes);
    }
}

#[test]
fn fixtures_convert_to_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for file in FILES {
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let checkpoint = Checkpoint::open(fixture_path(file)).unwrap();
            convert(&checkpoint, &folder.path().join("out"), precision).unwrap();
        }
    }
}
