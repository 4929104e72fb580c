//! The file format: what was written is what is read, and nothing else is.

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
