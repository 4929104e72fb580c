//! The file format: what was written is what is read, and nothing else is.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::example;
use crate::checkpoint::Checkpoint;
use crate::error::Fault;

#[test]
fn a_checkpoint_reads_back_to_the_same_bits() {
    for checkpoint in [example::small(), example::reference(20)] {
        let bytes = checkpoint.encode();
        let read = Checkpoint::decode(&bytes).unwrap();
        assert_eq!(read, checkpoint);
        assert_eq!(read.encode(), bytes);
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let mut bytes = example::small().encode();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let fault = Checkpoint::decode(&bytes).unwrap_err();
        let named =
            if bit < 64 { fault == Fault::NotACheckpoint } else { matches!(fault, Fault::Checksum { .. }) };
        assert!(named, "bit {bit}: {fault}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_truncation_and_extension_is_found() {
    let mut bytes = example::small().encode();
    for length in 0..bytes.len() {
        Checkpoint::decode(&bytes[..length]).unwrap_err();
    }
    for extra in 1..100 {
        bytes.push(0);
        let fault = Checkpoint::decode(&bytes).unwrap_err();
        assert!(matches!(fault, Fault::Length { section: "header", .. }), "{extra} more: {fault}");
    }
}

/// Bincode does not describe itself: a field added to a stored type would silently make every older file
/// unreadable. If this fails, put the new field into a section of its own instead.
#[test]
fn the_bytes_of_the_format_stay_as_they_are() {
    let mut digest = String::new();
    for byte in Sha256::digest(example::small().encode()) {
        write!(digest, "{byte:02x}").unwrap();
    }
    assert_eq!(digest, "cfc9c8d9d4175a8dec832abca455c0c62db4868add1c7a976eae14dae46a1fce");
}
