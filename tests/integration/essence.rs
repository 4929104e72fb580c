//! What must be the same where two runs are said to be the same.

use std::path::Path;

use aescope::checkpoint::{self, Checkpoint};

/// Steps, numbers in single and in double precision, as bits.
pub type Essence = (u64, Vec<u32>, Vec<u64>);

/// Everything of a folder's newest checkpoint that must be the same, as bits; measured times and dates are not.
pub fn essence(folder: &Path) -> Essence {
    of(checkpoint::newest_valid(folder).expect("a checkpoint").checkpoint)
}

/// [`essence`] of a checkpoint at hand.
pub fn of(checkpoint: Checkpoint) -> Essence {
    let Checkpoint { progress, history, losses, recent, weights, first_moments, second_moments, .. } =
        checkpoint;
    let parameters = weights.iter().flat_map(|tensor| &tensor.values);
    let moments = first_moments.iter().chain(&second_moments).flatten();
    let buckets = losses.buckets().iter().flat_map(|b| [b.min, b.max]);
    let floats = parameters.chain(moments).copied().chain(recent).chain(buckets).map(f32::to_bits).collect();
    let epochs = history.iter().flat_map(|record| [record.train_loss, record.validation_loss]);
    let sums = losses.buckets().iter().map(|bucket| bucket.sum);
    let partial = [progress.epoch_loss_sum, progress.best.map_or(0.0, |best| best.validation_loss)];
    let doubles = epochs.chain(sums).chain(partial).map(f64::to_bits).collect();
    (progress.step, floats, doubles)
}
