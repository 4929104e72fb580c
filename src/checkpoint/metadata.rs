//! What lies in the sections of a checkpoint.
//!
//! | section | content |
//! | --- | --- |
//! | `summary` | [`Summary`], bincode: all that a scan needs, alone |
//! | `state` | configuration, data, progress, names and shapes of the tensors, bincode |
//! | `losses` | loss history and newest losses, bincode |
//! | `history` | 44 bytes an epoch: epoch u32, step u64, then train loss, validation loss, seconds, images a second, f64 each |
//! | `weights`, `first_moments`, `second_moments` | f32, tensor after tensor |
//!
//! Everything is little-endian; bincode writes integers at their full width. Bincode sees only sections
//! whose checksums match, and never allocates more than [`LIMIT`]. Bincode does not describe itself: a
//! field that a later version adds goes into a section of its own, and a test pins the bytes.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::container::{Sealer, Sections};
use super::{Checkpoint, DataIdentity, Progress, Summary, Tensor, consistency};
use crate::config::RunConfig;
use crate::error::Fault;
use crate::message::{EpochRecord, LossHistory, SaveReason};

/// The most that one piece of metadata may take, in the file and decoded.
const LIMIT: usize = 1 << 20;
const FORMAT: Configuration<LittleEndian, Fixint, Limit<LIMIT>> =
    bincode::config::standard().with_fixed_int_encoding().with_limit::<LIMIT>();
/// Bytes of an epoch in `history`.
const RECORD: usize = 44;

pub(super) const SUMMARY: &str = "summary";
pub(super) const STATE: &str = "state";
pub(super) const LOSSES: &str = "losses";
pub(super) const HISTORY: &str = "history";
pub(super) const WEIGHTS: &str = "weights";
pub(super) const FIRST_MOMENTS: &str = "first_moments";
pub(super) const SECOND_MOMENTS: &str = "second_moments";

#[derive(Serialize)]
struct StateOut<'a> {
    config: &'a RunConfig,
    data: &'a DataIdentity,
    progress: &'a Progress,
    tensors: Vec<(&'a str, &'a [u32])>,
}

#[derive(Deserialize)]
struct State {
    config: RunConfig,
    data: DataIdentity,
    progress: Progress,
    tensors: Vec<(String, Vec<u32>)>,
}

/// Bytes that suffice for all but tensors and history.
const ROOM: usize = 128 << 10;

/// The file that holds `checkpoint` as saved for `reason`, in the space of `buffer`.
pub(super) fn encode(checkpoint: &Checkpoint, reason: SaveReason, buffer: Vec<u8>) -> Vec<u8> {
    let summary = Summary {
        run: checkpoint.run.clone(),
        reason,
        saved_at_ms: checkpoint.saved_at_ms,
        epoch: checkpoint.progress.epoch,
        step: checkpoint.progress.step,
        validation_loss: checkpoint.validation_loss(),
    };
    let state = StateOut {
        config: &checkpoint.config,
        data: &checkpoint.data,
        progress: &checkpoint.progress,
        tensors: checkpoint.weights.iter().map(|t| (t.name.as_str(), t.shape.as_slice())).collect(),
    };
    let mut buffer = buffer;
    buffer.clear();
    // Growing by doubling would take twice the memory; growing by each epoch's record would leave a hole behind
    // that the next save does not fit into.
    let floats: usize = checkpoint.weights.iter().map(|tensor| tensor.values.len()).sum();
    let bytes = 3 * 4 * floats + RECORD * checkpoint.history.len() + ROOM;
    buffer.reserve_exact(bytes.next_multiple_of(1 << 20));
    let mut sealer = Sealer::new(buffer, 7);
    sealer.section(SUMMARY, |out| pack(&summary, out));
    sealer.section(STATE, |out| pack(&state, out));
    sealer.section(LOSSES, |out| pack(&(&checkpoint.losses, &checkpoint.recent), out));
    sealer.section(HISTORY, |out| checkpoint.history.iter().for_each(|record| put_record(record, out)));
    sealer
        .section(WEIGHTS, |out| checkpoint.weights.iter().for_each(|tensor| put_floats(&tensor.values, out)));
    sealer.section(FIRST_MOMENTS, |out| checkpoint.first_moments.iter().for_each(|m| put_floats(m, out)));
    sealer.section(SECOND_MOMENTS, |out| checkpoint.second_moments.iter().for_each(|m| put_floats(m, out)));
    sealer.seal()
}

/// The state that a whole file holds.
pub(super) fn decode(bytes: &[u8]) -> Result<Checkpoint, Fault> {
    let sections = Sections::open(bytes)?;
    let summary = decode_summary(sections.get(SUMMARY)?)?;
    let state: State = unpack(STATE, sections.get(STATE)?)?;
    let (losses, recent): (LossHistory, Vec<f32>) = unpack(LOSSES, sections.get(LOSSES)?)?;
    let history = records(sections.get(HISTORY)?)?;

    // Shapes must account for every byte before space is made for the numbers.
    let sizes = consistency::tensor_sizes(&state.config, &state.data, &state.tensors)?;
    let count = sizes.iter().sum::<usize>() as u64;
    let section = |name: &'static str| {
        let bytes = sections.get(name)?;
        if bytes.len() as u64 == 4 * count {
            Ok(bytes)
        } else {
            Err(Fault::Length { section: name, expected: 4 * count, found: bytes.len() as u64 })
        }
    };
    let (weights, first, second) = (section(WEIGHTS)?, section(FIRST_MOMENTS)?, section(SECOND_MOMENTS)?);
    let checkpoint = Checkpoint {
        run: summary.run.clone(),
        reason: summary.reason,
        saved_at_ms: summary.saved_at_ms,
        config: state.config,
        data: state.data,
        progress: state.progress,
        history,
        losses,
        recent,
        weights: state
            .tensors
            .into_iter()
            .zip(split(weights, &sizes))
            .map(|((name, shape), values)| Tensor { name, shape, values })
            .collect(),
        first_moments: split(first, &sizes),
        second_moments: split(second, &sizes),
    };
    consistency::check(&checkpoint)?;
    consistency::check_summary(&summary, &checkpoint)?;
    Ok(checkpoint)
}

pub(super) fn decode_summary(bytes: &[u8]) -> Result<Summary, Fault> {
    unpack(SUMMARY, bytes)
}

fn pack(value: &impl Serialize, out: &mut Vec<u8>) {
    bincode::serde::encode_into_std_write(value, out, FORMAT)
        .expect("plain values of known length can always be written to memory");
}

fn unpack<T: DeserializeOwned>(section: &'static str, bytes: &[u8]) -> Result<T, Fault> {
    let meaning = |problem: String| Fault::Meaning { section, problem };
    let (value, used) = bincode::serde::decode_from_slice(bytes, FORMAT).map_err(|error| {
        meaning(match error {
            bincode::error::DecodeError::UnexpectedEnd { .. } => "it ends too early".into(),
            bincode::error::DecodeError::LimitExceeded => "it asks for too much memory".into(),
            _ => "a value is not possible".into(),
        })
    })?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(meaning(format!("{} bytes are left over", bytes.len() - used)))
    }
}

fn put_record(record: &EpochRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(&record.epoch.to_le_bytes());
    out.extend_from_slice(&record.step.to_le_bytes());
    for value in [record.train_loss, record.validation_loss, record.seconds, record.images_per_second] {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn records(bytes: &[u8]) -> Result<Vec<EpochRecord>, Fault> {
    let rows = bytes.chunks_exact(RECORD);
    if !rows.remainder().is_empty() {
        let problem = format!("{} bytes are not whole records of {RECORD}", bytes.len());
        return Err(Fault::Meaning { section: HISTORY, problem });
    }
    let f64_at = |row: &[u8], at: usize| f64::from_bits(u64_at(row, at));
    Ok(rows
        .map(|row| EpochRecord {
            epoch: u64_at(row, 0) as u32,
            step: u64_at(row, 4),
            train_loss: f64_at(row, 12),
            validation_loss: f64_at(row, 20),
            seconds: f64_at(row, 28),
            images_per_second: f64_at(row, 36),
        })
        .collect())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

fn put_floats(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// The numbers of `bytes`, one vector for each of `sizes`, which add up to all of it.
fn split(mut bytes: &[u8], sizes: &[usize]) -> Vec<Vec<f32>> {
    let mut tensors = Vec::with_capacity(sizes.len());
    for &size in sizes {
        let (head, tail) = bytes.split_at(4 * size);
        tensors.push(
            head.chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect(),
        );
        bytes = tail;
    }
    tensors
}
