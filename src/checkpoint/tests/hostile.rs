//! Files whose checksums are right and whose content is not.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::example::{small, state};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::consistency::{MAX_HIDDEN, MAX_NAME, MAX_TENSOR_NAME};
use crate::checkpoint::container::{Sealer, Sections};
use crate::config::RunConfig;
use crate::error::Fault;

const NAMES: [&str; 7] =
    ["summary", "state", "losses", "history", "weights", "first_moments", "second_moments"];
const HEADER: usize = 32;
const ENTRY: usize = 40;

/// The sections of the small checkpoint.
fn sections() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = small().encode();
    let sections = Sections::open(&bytes).unwrap();
    NAMES.iter().map(|&name| (name, sections.get(name).unwrap().to_vec())).collect()
}

fn seal(sections: &[(impl AsRef<str>, Vec<u8>)]) -> Vec<u8> {
    let mut sealer = Sealer::new(Vec::new(), sections.len());
    for (name, bytes) in sections {
        sealer.section(name.as_ref(), |out| out.extend(bytes));
    }
    sealer.seal()
}

/// Makes all checksums right again after header or table were changed, as far as they describe anything.
fn mend(bytes: &mut [u8]) {
    let field = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let count = (field(bytes, 12) as u32 as usize).min((bytes.len() - HEADER) / ENTRY);
    for at in (0..count).map(|index| HEADER + index * ENTRY) {
        let (start, length) = (field(bytes, at + 16) as usize, field(bytes, at + 24) as usize);
        if let Some(section) = start.checked_add(length).and_then(|end| bytes.get(start..end)) {
            let crc = crc32fast::hash(section).to_le_bytes();
            bytes[at + 32..at + 36].copy_from_slice(&crc);
        }
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..24]);
    crc.update(&bytes[28..HEADER + count * ENTRY]);
    bytes[24..28].copy_from_slice(&crc.finalize().to_le_bytes());
    let content = bytes.len() - 32;
    let digest = Sha256::digest(&bytes[..content]);
    bytes[content..].copy_from_slice(&digest);
}

/// Whatever was read can be trained on and written again.
fn sound_or_refused(bytes: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::decode(bytes) {
        checkpoint.check().unwrap();
        let again = Checkpoint::decode(&checkpoint.encode()).unwrap();
        assert_eq!(again.encode(), checkpoint.encode());
    }
}

#[test]
fn unknown_sections_are_skipped_and_missing_ones_named() {
    let mut all: Vec<_> = sections();
    all.insert(3, ("later", vec![1, 2, 3]));
    assert_eq!(Checkpoint::decode(&seal(&all)).unwrap(), small());
    for name in NAMES {
        let rest: Vec<_> = sections().into_iter().filter(|(other, _)| *other != name).collect();
        assert_eq!(Checkpoint::decode(&seal(&rest)), Err(Fault::NoSection { section: name }));
    }
}

#[test]
fn sections_in_another_order_are_read_and_exchanged_ones_are_not_confused() {
    let mut all = sections();
    all.reverse();
    assert_eq!(Checkpoint::decode(&seal(&all)).unwrap(), small());
    for a in 0..NAMES.len() {
        for b in 0..a {
            let mut all = sections();
            let (first, second) = all.split_at_mut(a);
            std::mem::swap(&mut first[b].1, &mut second[0].1);
            // Tensors are arrays of the same length; which is which only their place tells.
            let tensors = b >= 4;
            assert_eq!(Checkpoint::decode(&seal(&all)).is_ok(), tensors, "{a} {b}");
        }
    }
    let bytes = small().encode();
    let mut swapped = bytes.clone();
    // The table's entries exchanged without their checksums: found at once.
    for at in 0..ENTRY {
        swapped.swap(HEADER + at, HEADER + ENTRY + at);
    }
    assert!(matches!(Checkpoint::decode(&swapped), Err(Fault::Checksum { section }) if section == "header"));
}

#[test]
fn a_later_format_is_told_from_a_damaged_one() {
    let mut bytes = small().encode();
    bytes[8] = 2;
    assert!(matches!(Checkpoint::decode(&bytes), Err(Fault::Checksum { .. })));
    mend(&mut bytes);
    assert_eq!(Checkpoint::decode(&bytes), Err(Fault::NewerFormat { found: 2, known: 1 }));
}

#[test]
fn lengths_that_ask_for_terabytes_are_refused_at_once() {
    let begin = Instant::now();
    for (index, name) in NAMES.iter().enumerate().take(4) {
        let length = sections()[index].1.len();
        for at in 0..length.saturating_sub(8) {
            for value in [u64::MAX, 1 << 62, 1 << 40, 1 << 20, u64::from(u32::MAX)] {
                let mut all = sections();
                all[index].1[at..at + 8].copy_from_slice(&value.to_le_bytes());
                sound_or_refused(&seal(&all));
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{name}");
    }
}

#[test]
fn left_over_bytes_are_refused() {
    for index in 0..NAMES.len() {
        let mut all = sections();
        all[index].1.push(0);
        Checkpoint::decode(&seal(&all)).unwrap_err();
    }
}

#[test]
fn every_contradiction_is_named() {
    type Change = fn(&mut Checkpoint);
    let changes: [(&str, Change); 22] = [
        ("shape of `layer 1 weight`", |c| c.config.code = 2),
        ("code size", |c| c.config.code = 0),
        ("batch size", |c| c.config.batch_size = 0),
        ("hidden layer size", |c| c.config.hidden = vec![0]),
        ("number of tensors", |c| c.config.hidden = vec![3]),
        ("learning rate", |c| c.config.learning_rate = f32::NAN),
        ("pixel rows", |c| c.data.rows = 0),
        ("pixels of an image", |c| (c.data.rows, c.data.cols) = (u32::MAX, u32::MAX)),
        ("training images", |c| c.data.train_images = 0),
        ("step", |c| c.data.train_images = 500),
        ("step", |c| c.progress.step += 1),
        ("step in the epoch", |c| c.progress.step_in_epoch = u64::MAX),
        ("images of the unfinished epoch", |c| c.progress.epoch_images = 3),
        ("optimizer step", |c| c.progress.optimizer_step = u64::MAX),
        ("seconds of the unfinished epoch", |c| c.progress.epoch_seconds = f64::INFINITY),
        ("best epoch", |c| c.progress.best.as_mut().unwrap().epoch = 3),
        ("best epoch", |c| c.progress.best.as_mut().unwrap().validation_loss = 0.0),
        ("number of epochs", |c| c.history.truncate(1)),
        ("step of epoch 2", |c| c.history[1].step = 7),
        ("loss history", |c| c.losses.push(0.0)),
        ("number of newest losses", |c| c.recent = vec![0.0; 8]),
        ("shape of `layer 2 bias`", |c| c.weights[3].shape = vec![4, 1]),
    ];
    for (expected, change) in changes {
        let mut checkpoint = small();
        change(&mut checkpoint);
        for fault in [checkpoint.check().unwrap_err(), Checkpoint::decode(&checkpoint.encode()).unwrap_err()]
        {
            assert!(
                matches!(&fault, Fault::Contradiction { what, .. } if what == expected),
                "{expected}: {fault}"
            );
        }
    }
}

#[test]
fn the_longest_names_that_can_be_written_can_be_read() {
    let config = RunConfig { hidden: vec![1; MAX_HIDDEN], code: 1, ..RunConfig::default() };
    let mut checkpoint = state(config, (1, 1), 5, 0, 0);
    checkpoint.run.name = "x".repeat(MAX_NAME);
    checkpoint.data.name = "y".repeat(MAX_NAME);
    for tensor in &mut checkpoint.weights {
        tensor.name = "z".repeat(MAX_TENSOR_NAME);
    }
    assert_eq!(Checkpoint::decode(&checkpoint.encode()).unwrap(), checkpoint);
    checkpoint.weights[0].name.push('z');
    checkpoint.check().unwrap_err();
}

#[test]
fn numbers_that_are_none_come_back_as_they_were() {
    let mut checkpoint = small();
    checkpoint.weights[0].values[1] = f32::from_bits(0x7fa0_1234);
    checkpoint.progress.epoch_loss_sum = f64::NAN;
    let bytes = checkpoint.encode();
    assert_eq!(Checkpoint::decode(&bytes).unwrap().encode(), bytes);
}

proptest! {
    #[test]
    fn scrambled_content_is_sound_or_refused(
        index in 0..NAMES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut all = sections();
        let bytes = &mut all[index].1;
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        sound_or_refused(&seal(&all));
    }

    #[test]
    fn a_scrambled_table_is_sound_or_refused(
        edits in proptest::collection::vec((8..HEADER + 7 * ENTRY, prop_oneof![0_u8..8, any::<u8>()]), 1..5),
    ) {
        let mut bytes = small().encode();
        for (at, value) in edits {
            bytes[at] = value;
        }
        mend(&mut bytes);
        sound_or_refused(&bytes);
    }

    #[test]
    fn bytes_that_mean_nothing_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        prop_assert!(Checkpoint::decode(&bytes).is_err());
        let mut begun = small().encode()[..24].to_vec();
        begun.extend(bytes);
        prop_assert!(Checkpoint::decode(&begun).is_err());
    }
}
