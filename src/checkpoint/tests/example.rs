//! States to save.

use crate::checkpoint::{Best, Checkpoint, DataIdentity, Progress, RunIdentity, Tensor};
use crate::config::RunConfig;
use crate::message::{EpochRecord, LossHistory, SaveReason};

/// The smallest state with everything in it: 2x2 images, a code of one, two epochs of three steps and
/// one step more.
pub(crate) fn small() -> Checkpoint {
    let config = RunConfig { code: 1, epochs: 5, batch_size: 2, ..RunConfig::default() };
    state(config, (2, 2), 5, 2, 1)
}

/// The reference model after `epoch` epochs.
pub(crate) fn reference(epoch: u32) -> Checkpoint {
    state(RunConfig::default(), (28, 28), 48_000, epoch, 0)
}

/// The small state at the end of `epoch`, with this validation loss in its last record.
pub(crate) fn at_epoch(epoch: u32, validation_loss: f64) -> Checkpoint {
    let config = RunConfig { code: 1, epochs: 500, batch_size: 2, ..RunConfig::default() };
    let mut checkpoint = state(config, (2, 2), 5, epoch, 0);
    checkpoint.progress.best = None;
    if let Some(last) = checkpoint.history.last_mut() {
        last.validation_loss = validation_loss;
    }
    checkpoint
}

/// A state of any model and progress.
pub(crate) fn state(
    config: RunConfig,
    (rows, cols): (u32, u32),
    train_images: u32,
    epoch: u32,
    step_in_epoch: u64,
) -> Checkpoint {
    let steps = config.steps_per_epoch(train_images as usize);
    let step = u64::from(epoch) * steps + step_in_epoch;
    let mut losses = LossHistory::default();
    (0..step).for_each(|step| losses.push(1.0 / (step as f32 + 1.0)));
    let history: Vec<_> = (1..=epoch)
        .map(|epoch| EpochRecord {
            epoch,
            step: u64::from(epoch) * steps,
            train_loss: 0.2 / f64::from(epoch),
            validation_loss: 0.3 / f64::from(epoch),
            seconds: 0.1,
            images_per_second: 480_000.0,
        })
        .collect();
    let layers = config.layer_sizes((rows * cols) as usize);
    let mut weights = Vec::new();
    for (index, layer) in layers.windows(2).enumerate() {
        for (kind, shape) in [("weight", layer), ("bias", &layer[1..])] {
            let size: usize = shape.iter().product();
            weights.push(Tensor {
                name: format!("layer {} {kind}", index + 1),
                shape: shape.iter().map(|&size| size as u32).collect(),
                values: (0..size).map(|value| (value * 37 % 101) as f32 / 101.0 - 0.5).collect(),
            });
        }
    }
    let moments = |scale: f32| weights.iter().map(|t| t.values.iter().map(|v| v * scale).collect()).collect();
    Checkpoint {
        run: RunIdentity { id: [7; 16], name: "2026-11-23-1904".into(), started_at_ms: 1_790_000_000_000 },
        reason: SaveReason::Epoch,
        saved_at_ms: 1_790_000_001_000 + step,
        data: DataIdentity {
            name: "mnist".into(),
            rows,
            cols,
            train_images,
            validation_images: 2,
            test_images: 3,
            fingerprint: [9; 32],
        },
        progress: Progress {
            epoch,
            step,
            step_in_epoch,
            epoch_loss_sum: 0.5 * step_in_epoch as f64,
            epoch_images: (step_in_epoch * u64::from(config.batch_size)).min(u64::from(train_images)),
            epoch_seconds: 0.01,
            optimizer_step: step,
            best: history.last().map(|last| Best {
                epoch: last.epoch,
                step: last.step,
                validation_loss: last.validation_loss,
            }),
        },
        config,
        history,
        recent: (0..step.min(256)).map(|step| step as f32).collect(),
        losses,
        first_moments: moments(0.1),
        second_moments: moments(0.01),
        weights,
    }
}
