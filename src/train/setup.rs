//! What a trainer is made of, and its ends of the channels.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::progress::TrainState;
use crate::checkpoint::{DataIdentity, RunFolder, RunIdentity};
use crate::config::{Pace, RunConfig};
use crate::data::Dataset;
use crate::message::{Command, Event, RunInfo, Snapshot};
use crate::model::Learner;

/// The trainer's ends of the channels.
pub struct Links {
    /// Wishes. When all senders are gone nobody can ask any more: training goes on to the last epoch,
    /// and a trainer that waits ends.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// Facts. Unbounded, so that a reader that has stopped reading cannot hold up training; there are only
    /// a few for each epoch.
    pub events: mpsc::UnboundedSender<Event>,
    /// The latest state; nothing is computed for it while nobody subscribes.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// For waiting on commands with a time limit.
    pub runtime: Handle,
}

/// What a trainer is made of.
pub struct Setup {
    /// Who this run is.
    pub run: RunIdentity,
    /// What determines the result.
    pub config: RunConfig,
    /// The images.
    pub dataset: Dataset,
    /// Model and optimizer.
    pub learner: Learner,
    /// Where the run stands.
    pub state: TrainState,
    /// Where checkpoints go; `None` when browsing.
    pub folder: Option<RunFolder>,
    /// Whether the newest state is on disk already, as after a resume.
    pub saved: bool,
    /// Checkpoint at the end of every this many epochs.
    pub save_every: u32,
    /// How fast to go at first.
    pub pace: Pace,
    /// Whether to stay for browsing and more epochs after the last epoch, until told to stop.
    pub linger: bool,
    /// Step after which to panic, where a test wants to see what follows.
    pub panic_after: Option<u64>,
    /// What the first event tells.
    pub info: RunInfo,
    /// What a person should know right after it, such as damaged checkpoints that were passed over.
    pub warnings: Vec<String>,
}

impl Setup {
    /// The identity of this data set, as a checkpoint keeps it.
    pub fn data_identity(dataset: &Dataset) -> DataIdentity {
        DataIdentity {
            name: dataset.name.clone(),
            rows: dataset.rows as u32,
            cols: dataset.cols as u32,
            train_images: dataset.train.len() as u32,
            validation_images: dataset.validation.len() as u32,
            test_images: dataset.test.len() as u32,
            fingerprint: dataset.fingerprint,
        }
    }
}
