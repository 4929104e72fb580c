//! Everything that exact resume needs, kept so that nothing is lost.
//!
//! [`Checkpoint`] is the whole state of a run between two batches, as plain numbers. It becomes one
//! file: `container` is the sealed box, `metadata` what lies in its sections, `consistency` whether
//! that fits together. [`RunFolder`] writes such files durably and prunes old ones by the rule in
//! [`retention`]; [`read`], [`newest_valid`] and [`newest_run`] find and read them again. What is newest
//! is found by reading, never by a file's time and never by a pointer that can lie.
//!
//! This layer knows no tensor, no task and no screen, and it never decides when to save.

mod consistency;
mod container;
mod disk;
mod find;
mod identity;
mod lock;
mod metadata;
mod read;
pub mod retention;
mod store;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use find::{Newest, newest_run, newest_valid};
pub use read::{Summary, peek, read};
pub use store::RunFolder;

use crate::config::RunConfig;
use crate::error::Fault;
use crate::message::{EpochRecord, LossHistory, SaveReason};

/// The whole state of a run between two batches.
///
/// Randomness is a function of seed, purpose and epoch (see [`crate::random`]), so no generator's state
/// is part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which run it belongs to.
    pub run: RunIdentity,
    /// Why it was written.
    pub reason: SaveReason,
    /// When it was written, milliseconds since 1970 (UTC).
    pub saved_at_ms: u64,
    /// What determines the result.
    pub config: RunConfig,
    /// The images that it was trained on.
    pub data: DataIdentity,
    /// How far it has come.
    pub progress: Progress,
    /// The figures of every finished epoch, first epoch first.
    pub history: Vec<EpochRecord>,
    /// Loss of every batch, at a bounded resolution.
    pub losses: LossHistory,
    /// Losses of the newest batches, oldest first, at most
    /// [`Snapshot::RECENT`](crate::message::Snapshot::RECENT).
    pub recent: Vec<f32>,
    /// Weight `[inputs, outputs]` and bias `[outputs]` of each layer, from image to image.
    pub weights: Vec<Tensor>,
    /// Adam's running mean of the gradient, one vector for each tensor of [`weights`](Self::weights).
    pub first_moments: Vec<Vec<f32>>,
    /// Adam's running mean of the squared gradient, likewise.
    pub second_moments: Vec<Vec<f32>>,
}

/// Which run a checkpoint belongs to. Two runs differ in it even where everything else is equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIdentity {
    /// Unique for each run.
    pub id: [u8; 16],
    /// For people, for example `2026-11-23-1904`.
    pub name: String,
    /// When the run began, milliseconds since 1970 (UTC).
    pub started_at_ms: u64,
}

/// The images of a run: enough to show what they were and to refuse others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataIdentity {
    /// Name or folder of the set.
    pub name: String,
    /// Pixel rows of an image.
    pub rows: u32,
    /// Pixel columns of an image.
    pub cols: u32,
    /// Images to train on.
    pub train_images: u32,
    /// Images to validate on.
    pub validation_images: u32,
    /// Images to test on.
    pub test_images: u32,
    /// Digest of all pixels and the split.
    pub fingerprint: [u8; 32],
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Finished epochs.
    pub epoch: u32,
    /// Batches since the start of the run.
    pub step: u64,
    /// Batches of the unfinished epoch; zero between two epochs.
    pub step_in_epoch: u64,
    /// Sum of what [`EpochRecord::train_loss`] is the mean of, over the unfinished epoch.
    pub epoch_loss_sum: f64,
    /// Images of the unfinished epoch.
    pub epoch_images: u64,
    /// Time of training spent on the unfinished epoch.
    pub epoch_seconds: f64,
    /// Updates that the optimizer has made; its bias correction depends on it.
    pub optimizer_step: u64,
    /// The epoch with the smallest validation loss so far.
    pub best: Option<Best>,
}

/// The epoch with the smallest validation loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Counted from one.
    pub epoch: u32,
    /// Batches since the start of the run at its end.
    pub step: u64,
    /// Its mean binary cross-entropy on the validation images.
    pub validation_loss: f64,
}

/// A named array of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// For example `encoder 1 weight`.
    pub name: String,
    /// Size along each axis.
    pub shape: Vec<u32>,
    /// The numbers, last axis fastest.
    pub values: Vec<f32>,
}

impl Checkpoint {
    /// The file that holds this state.
    ///
    /// It is readable only if the state fits together, which [`Checkpoint::check`] says.
    pub fn encode(&self) -> Vec<u8> {
        metadata::encode(self, self.reason, Vec::new())
    }

    /// The state that a file holds.
    ///
    /// # Errors
    ///
    /// If any byte is not as it was written, or if parts contradict each other. Nothing is allocated
    /// that the file has not proven to hold.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        metadata::decode(bytes)
    }

    /// Whether all parts fit together: layers and configuration, shapes and values, steps and history.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Fault> {
        consistency::check(self)
    }

    /// Whether every weight, moment and sum is a finite number, so that training can go on from here.
    pub fn is_finite(&self) -> bool {
        let weights = self.weights.iter().map(|tensor| &tensor.values);
        let mut tensors = weights.chain(&self.first_moments).chain(&self.second_moments);
        // Without a branch for each number, so that it costs next to nothing beside the checksums.
        let all = |values: &Vec<f32>| values.iter().fold(true, |all, value| all & value.is_finite());
        self.progress.epoch_loss_sum.is_finite() && tensors.all(all)
    }

    /// Mean validation loss of exactly this state, known only at the end of an epoch.
    pub fn validation_loss(&self) -> Option<f64> {
        let last = self.history.last()?;
        (last.step == self.progress.step).then_some(last.validation_loss)
    }
}
