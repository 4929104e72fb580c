//! What a run has come to: everything that changes from step to step, apart from the parameters.
//!
//! It is a function of (configuration, data, seed) and the number of steps, but for the measured times;
//! so it can be taken down in the middle of an epoch and taken up again bit for bit.

use std::collections::VecDeque;

use crate::checkpoint::{Best, Progress};
use crate::config::RunConfig;
use crate::message::{EpochRecord, LossHistory, Snapshot};
use crate::random::{Purpose, Random};

/// Before the first step.
const START: Progress = Progress {
    epoch: 0,
    step: 0,
    step_in_epoch: 0,
    epoch_loss_sum: 0.0,
    epoch_images: 0,
    epoch_seconds: 0.0,
    optimizer_step: 0,
    best: None,
};

/// Where a run stands.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// Counters and partial sums.
    pub progress: Progress,
    /// One record for each epoch that was trained.
    pub history: Vec<EpochRecord>,
    /// Loss of every batch.
    pub losses: LossHistory,
    /// Losses of the newest batches.
    pub recent: VecDeque<f32>,
    /// Order of the training images in the present epoch.
    order: Vec<u32>,
    steps_per_epoch: u64,
    batch_size: usize,
}

impl TrainState {
    /// The state before the first step.
    pub fn new(config: &RunConfig, train_images: usize) -> Self {
        Self::resume(config, train_images, START, Vec::new(), LossHistory::default(), &[])
    }

    /// The state that a checkpoint took down.
    pub fn resume(
        config: &RunConfig,
        train_images: usize,
        progress: Progress,
        history: Vec<EpochRecord>,
        losses: LossHistory,
        recent: &[f32],
    ) -> Self {
        Self {
            order: epoch_order(config.seed, progress.epoch, train_images),
            steps_per_epoch: config.steps_per_epoch(train_images),
            batch_size: config.batch_size as usize,
            recent: recent.iter().copied().collect(),
            progress,
            history,
            losses,
        }
    }

    /// Indices of the training images in the next batch.
    pub fn next_batch(&self) -> &[u32] {
        self.batch(self.progress.step_in_epoch)
    }

    /// Those of the batch after that; none at the end of the epoch.
    pub fn batch_after_next(&self) -> &[u32] {
        self.batch(self.progress.step_in_epoch + 1)
    }

    fn batch(&self, step_in_epoch: u64) -> &[u32] {
        let start = (step_in_epoch as usize * self.batch_size).min(self.order.len());
        let end = (start + self.batch_size).min(self.order.len());
        &self.order[start..end]
    }

    /// Counts the step that was made on [`Self::next_batch`], with the mean `loss` of its images.
    pub fn count_step(&mut self, loss: f64) {
        let images = self.next_batch().len() as u64;
        let progress = &mut self.progress;
        progress.step += 1;
        progress.step_in_epoch += 1;
        progress.epoch_loss_sum += loss * images as f64;
        progress.epoch_images += images;
        self.losses.push(loss as f32);
        if self.recent.len() == Snapshot::RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(loss as f32);
    }

    /// Whether the present epoch has no batch left.
    pub fn epoch_is_over(&self) -> bool {
        self.progress.step_in_epoch == self.steps_per_epoch
    }

    /// Closes an epoch that is over, and lays out the order of the next.
    pub fn close_epoch(&mut self, seed: u64, validation_loss: f64) -> EpochRecord {
        let progress = &mut self.progress;
        progress.epoch += 1;
        let record = EpochRecord {
            epoch: progress.epoch,
            step: progress.step,
            train_loss: progress.epoch_loss_sum / progress.epoch_images as f64,
            validation_loss,
            seconds: progress.epoch_seconds,
            images_per_second: progress.epoch_images as f64 / progress.epoch_seconds.max(1e-9),
        };
        if progress.best.is_none_or(|best| validation_loss < best.validation_loss) {
            progress.best = Some(Best { epoch: record.epoch, step: record.step, validation_loss });
        }
        progress.step_in_epoch = 0;
        progress.epoch_loss_sum = 0.0;
        progress.epoch_images = 0;
        progress.epoch_seconds = 0.0;
        self.history.push(record);
        self.order = epoch_order(seed, self.progress.epoch, self.order.len());
        record
    }
}

fn epoch_order(seed: u64, epoch: u32, images: usize) -> Vec<u32> {
    Random::new(seed, Purpose::Shuffle(epoch)).permutation(images as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RunConfig {
        RunConfig { batch_size: 4, ..RunConfig::default() }
    }

    #[test]
    fn an_epoch_shows_every_image_once() {
        let mut state = TrainState::new(&config(), 10);
        let mut seen = Vec::new();
        while !state.epoch_is_over() {
            seen.extend_from_slice(state.next_batch());
            state.count_step(1.0);
        }
        assert_eq!(state.progress.step, 3);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..10));
    }

    #[test]
    fn a_smaller_last_batch_weighs_less() {
        let mut state = TrainState::new(&config(), 6);
        state.count_step(1.0);
        state.count_step(4.0);
        assert!(state.epoch_is_over());
        let record = state.close_epoch(1, 0.5);
        assert_eq!(record.train_loss, (4.0 * 1.0 + 2.0 * 4.0) / 6.0);
        assert_eq!(state.progress.best.map(|best| best.step), Some(2));
    }

    #[test]
    fn epochs_differ_in_order_and_a_resumed_one_does_not() {
        let mut state = TrainState::new(&config(), 100);
        let first = state.order.clone();
        while !state.epoch_is_over() {
            state.count_step(1.0);
        }
        state.close_epoch(1, 1.0);
        assert_ne!(state.order, first);
        state.count_step(1.0);
        let resumed = TrainState::resume(
            &config(),
            100,
            state.progress.clone(),
            state.history.clone(),
            state.losses.clone(),
            &[],
        );
        assert_eq!(resumed.next_batch(), state.next_batch());
    }
}
