//! What the readers are shown: snapshots, at most so often, and only while somebody looks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Trainer;
use crate::message::{Phase, Snapshot};
use crate::train::samples;

/// How often a snapshot is published while training, at most.
const NUMBERS_EVERY: Duration = Duration::from_millis(100);
/// How often the watched samples are computed anew while training, at most.
const SAMPLES_EVERY: Duration = Duration::from_millis(250);

impl Trainer {
    pub(super) fn measure_speed(&mut self) {
        let step = self.setup.state.progress.step;
        let seconds = self.speed_clock.take();
        self.speed.measured_steps(step - self.measured_step, seconds);
        self.measured_step = step;
    }

    pub(super) fn publish_when_due(&mut self) {
        if Instant::now() >= self.snapshot_due {
            self.measure_speed();
            self.publish();
        }
    }

    /// Publishes at once, for a reader that has just asked for something.
    pub(super) fn publish_now(&mut self) {
        if self.phase != Phase::Training {
            self.samples_due = Instant::now();
        }
        self.publish();
    }

    pub(super) fn publish(&mut self) {
        let now = Instant::now();
        self.snapshot_due = now + NUMBERS_EVERY;
        if self.links.snapshots.receiver_count() == 0 {
            return;
        }
        if now >= self.samples_due {
            let setup = &self.setup;
            self.samples = samples::take(setup.learner.model(), &setup.dataset.test, &self.watched);
            self.samples_due = now + SAMPLES_EVERY;
        }
        self.links.snapshots.send_replace(Arc::new(self.snapshot()));
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let state = &self.setup.state;
        let (progress, epochs) = (&state.progress, self.setup.config.epochs);
        let steps_in_all = u64::from(epochs) * self.setup.info.steps_per_epoch;
        let (steps_left, closings_left) =
            (steps_in_all.saturating_sub(progress.step), u64::from(epochs.saturating_sub(progress.epoch)));
        let batch_size = f64::from(self.setup.config.batch_size);
        Snapshot {
            phase: self.phase,
            epochs,
            step: progress.step,
            saved_step: self.saved_step,
            images_per_second: self.speed.steps_per_second(self.pace).unwrap_or(0.0) * batch_size,
            eta_seconds: self.speed.eta(self.pace, steps_left, closings_left),
            pace: self.pace,
            losses: state.losses.clone(),
            recent: state.recent.iter().copied().collect(),
            samples: self.samples.clone(),
        }
    }
}
