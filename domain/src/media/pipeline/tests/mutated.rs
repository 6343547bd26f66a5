//! Damaged files of every kind: some still give a photo, but none may cause a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// The number of files in a run. The environment variable `MUTATIONS` overrides it.
const FILES: usize = 1_500;
const SEED: u64 = 20_261_130;
/// The length of the part with headers and tables, in bytes. Half of the mutations are made there.
const HEAD: usize = 700;

#[test]
fn mutated_file_never_panics() {
    let files = std::env::var("MUTATIONS").map_or(FILES, |files| files.parse().expect("a number"));
    let kinds = every_kind();
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut taken, mut panics) = (0, Vec::new());
    for number in 0..files {
        let (kind, whole) = &kinds[number % kinds.len()];
        let bytes = mutated(whole, &mut chance);
        match catch_unwind(AssertUnwindSafe(|| process(&bytes, &Limits::default()).is_ok())) {
            Ok(is_photo) => taken += usize::from(is_photo),
            Err(_) => panics.push((number, *kind)),
        }
    }
    println!(
        "{files} files, {taken} of them photos still, {} panics",
        panics.len()
    );
    assert!(panics.is_empty(), "{panics:?}");
}

fn mutated(whole: &[u8], chance: &mut StdRng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..chance.random_range(1..6) {
        let end = if chance.random() {
            bytes.len()
        } else {
            bytes.len().min(HEAD)
        };
        let at = chance.random_range(0..end);
        match chance.random_range(0..8) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, chance.random()),
            2 => bytes[at] ^= 1 << chance.random_range(0..8),
            3 => bytes[at] = 0xFF,
            4 => bytes[at] = 0,
            5 => {
                let length = chance.random_range(0..40).min(bytes.len() - at);
                let part = bytes[at..at + length].to_vec();
                let to = chance.random_range(0..bytes.len());
                bytes.splice(to..to, part);
            }
            _ => bytes[at] = chance.random(),
        }
    }
    bytes
}
