//! Everything that crosses the boundary between training and its readers.
//!
//! [`Event`] and [`Snapshot`] go out, [`Command`] comes in. All of them are plain serialisable values
//! (numbers, bytes, strings), never a tensor and never a terminal type: the dashboard, the headless
//! printer and, one day, a socket read the same stream.

mod history;

pub use history::{Bucket, LossHistory};

use serde::{Deserialize, Serialize};

use crate::config::{Pace, RunConfig};

/// A fact that must arrive, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The first event: what is being trained or browsed, and how far it has come.
    Start(Box<RunInfo>),
    /// An epoch was trained and validated.
    Epoch(EpochRecord),
    /// A checkpoint is durable on disk.
    Saved(SavedCheckpoint),
    /// The last epoch is done; the run can still be browsed and continued.
    Completed(TestResult),
    /// Something a person should know that does not end the run, such as a failed save.
    Warning(String),
    /// The run broke off; what was trained is saved up to the last checkpoint.
    Failed(String),
    /// The last event.
    End(EndReport),
}

/// What is being trained or browsed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run's name, for example `2026-11-23-1904`.
    pub run: String,
    /// Where its checkpoints go; `None` where nothing is written (browsing).
    pub folder: Option<String>,
    /// What determines the result.
    pub config: RunConfig,
    /// The images.
    pub data: DataInfo,
    /// The layers from image to image.
    pub layers: Vec<LayerInfo>,
    /// Batches in an epoch.
    pub steps_per_epoch: u64,
    /// Threads that compute.
    pub threads: u32,
    /// Epochs trained before this session began.
    pub history: Vec<EpochRecord>,
    /// Steps trained before this session began.
    pub step: u64,
}

impl RunInfo {
    /// Number of trainable parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }
}

/// A set of images and its split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
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
    /// Images to test on and to browse.
    pub test_images: u32,
    /// Entropy of the gray pixels themselves, nats a pixel: the loss that no model gets below.
    pub floors: Floors,
    /// The class of each test image; empty when the set has no labels.
    pub test_labels: Vec<u8>,
}

/// The lowest binary cross-entropy that any model can reach on each part of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// On the training images; not known where a run is browsed with images other than its own.
    pub train: Option<f64>,
    /// On the validation images, likewise.
    pub validation: Option<f64>,
    /// On the test images.
    pub test: f64,
}

/// One row of the model's summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// For example `encoder 1`.
    pub name: String,
    /// Kind and activation, for example `dense, relu`.
    pub kind: String,
    /// Units that the layer gives out.
    pub outputs: u32,
    /// Weights and biases.
    pub parameters: u64,
    /// Whether it stands before the code.
    pub encoder: bool,
}

/// The figures of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from one.
    pub epoch: u32,
    /// Batches since the start of the run.
    pub step: u64,
    /// Mean binary cross-entropy over the epoch's batches, while the weights moved.
    pub train_loss: f64,
    /// Mean binary cross-entropy on the validation images after the epoch.
    pub validation_loss: f64,
    /// Time of training alone: validation, saving and pauses apart.
    pub seconds: f64,
    /// Training images a second of that time.
    pub images_per_second: f64,
}

/// Why a checkpoint was written; retention treats them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaveReason {
    /// An epoch ended.
    Epoch,
    /// A person asked for it: never pruned.
    Hand,
    /// The run stopped, by a key or a signal.
    Stop,
}

/// A checkpoint that is durable on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCheckpoint {
    /// The file.
    pub path: String,
    /// The step it holds.
    pub step: u64,
    /// Why it was written.
    pub reason: SaveReason,
}

/// Mean losses over the test images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Mean binary cross-entropy, nats a pixel.
    pub loss: f64,
    /// Mean squared error of a pixel in 0..1.
    pub mse: f64,
}

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    /// All epochs are trained.
    Finished,
    /// A person stopped it.
    Stopped,
    /// A signal stopped it.
    Signal,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndReport {
    /// Why.
    pub reason: EndReason,
    /// Result of the final weights on the test images.
    pub test: TestResult,
}

/// What the trainer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Steps are being made.
    #[default]
    Training,
    /// Held by a person.
    Paused,
    /// All epochs are trained; more can be added.
    Finished,
    /// A checkpoint is shown; nothing can be trained.
    Browsing,
}

/// The latest state; readers may miss some of them. The default stands for the time before the first one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the trainer is doing.
    pub phase: Phase,
    /// Epochs that the run is to have.
    pub epochs: u32,
    /// Batches since the start of the run.
    pub step: u64,
    /// The newest step that is durable on disk, if any.
    pub saved_step: Option<u64>,
    /// Recent training speed; zero before the first measurement.
    pub images_per_second: f64,
    /// Time to the end of the run at the present speed, validation and saving included.
    pub eta_seconds: Option<f64>,
    /// The pace that is set.
    pub pace: Pace,
    /// Loss of every batch of the run, at a bounded resolution.
    pub losses: LossHistory,
    /// Losses of the newest batches, oldest first, at most [`Snapshot::RECENT`].
    pub recent: Vec<f32>,
    /// The watched test images through the present weights, in the order they were asked for.
    pub samples: Vec<Sample>,
}

impl Snapshot {
    /// How many batch losses [`Snapshot::recent`] holds at most.
    pub const RECENT: usize = 256;
}

/// A test image, its code and its reconstruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Index among the test images.
    pub index: u32,
    /// Its class, where the data have labels.
    pub label: Option<u8>,
    /// Pixels, `[rows * cols]`.
    pub original: Vec<u8>,
    /// Activations, `[code]`.
    pub code: Vec<f32>,
    /// Pixels in 0..1, `[rows * cols]`.
    pub reconstruction: Vec<f32>,
    /// Mean binary cross-entropy of this image, nats a pixel.
    pub loss: f32,
    /// Mean squared error of this image.
    pub mse: f32,
}

/// A wish of a reader; taken between two batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Hold training.
    Pause,
    /// Go on.
    Resume,
    /// Write a checkpoint that is never pruned.
    Save,
    /// Go slower or faster.
    SetPace(Pace),
    /// Put these test images into every snapshot from now on.
    Watch(Vec<u32>),
    /// Raise the number of epochs of the run.
    AddEpochs(u32),
    /// Nobody will look any more: do not stay after the last epoch, and do not stay paused.
    EndWhenDone,
    /// Save and end.
    Stop(EndReason),
}
