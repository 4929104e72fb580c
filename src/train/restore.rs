//! From a run to a checkpoint and back.

use std::time::{SystemTime, UNIX_EPOCH};

use super::progress::TrainState;
use super::setup::Setup;
use crate::checkpoint::{Checkpoint, Tensor};
use crate::config::RunConfig;
use crate::error::Error;
use crate::message::SaveReason;
use crate::model::{Adam, AdamState, Autoencoder, Learner};

impl Setup {
    /// Everything that exact resume needs, as it stands. The history, which grows with the run, is lent, not
    /// copied: [`Self::take_back`] ends that.
    pub(super) fn checkpoint(&mut self, reason: SaveReason) -> Checkpoint {
        let parameters = self.learner.model().parameters();
        let adam = self.learner.adam_state();
        let moments = |moments: Vec<Vec<f32>>| {
            if moments.is_empty() {
                return parameters.iter().map(|parameter| vec![0.0; parameter.values.len()]).collect();
            }
            moments
        };
        let (first_moments, second_moments) = (moments(adam.first), moments(adam.second));
        let mut progress = self.state.progress.clone();
        progress.optimizer_step = adam.step;
        Checkpoint {
            run: self.run.clone(),
            reason,
            saved_at_ms: unix_milliseconds(),
            config: self.config.clone(),
            data: Self::data_identity(&self.dataset),
            progress,
            history: std::mem::take(&mut self.state.history),
            losses: self.state.losses.clone(),
            recent: self.state.recent.iter().copied().collect(),
            weights: parameters
                .into_iter()
                .map(|parameter| Tensor {
                    name: parameter.name,
                    shape: parameter.shape.iter().map(|&size| size as u32).collect(),
                    values: parameter.values,
                })
                .collect(),
            first_moments,
            second_moments,
        }
    }

    /// Ends what [`Self::checkpoint`] began.
    pub(super) fn take_back(&mut self, checkpoint: Checkpoint) {
        self.state.history = checkpoint.history;
    }
}

/// Milliseconds since 1970; zero on a clock that stands before it.
fn unix_milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The model of a checkpoint alone, for browsing and evaluation.
///
/// # Errors
/// When its tensors do not have the shapes that its configuration asks for.
pub fn model(checkpoint: &Checkpoint) -> Result<Autoencoder, Error> {
    let pixels = checkpoint.data.rows as usize * checkpoint.data.cols as usize;
    let config = &checkpoint.config;
    let tensors: Vec<Vec<f32>> = checkpoint.weights.iter().map(|tensor| tensor.values.clone()).collect();
    Autoencoder::from_parameters(&config.layer_sizes(pixels), config.encoder_layers(), &tensors).map_err(
        |error| Error::Training(format!("the checkpoint does not fit its own configuration: {error}")),
    )
}

/// Model and optimizer of a checkpoint.
///
/// # Errors
/// As [`model`].
pub fn learner(checkpoint: &Checkpoint) -> Result<Learner, Error> {
    let model = model(checkpoint)?;
    let state = AdamState {
        step: checkpoint.progress.optimizer_step,
        first: checkpoint.first_moments.clone(),
        second: checkpoint.second_moments.clone(),
    };
    let adam = Adam::with_state(checkpoint.config.learning_rate, &state, &model);
    Ok(Learner::new(model, adam))
}

/// Model and optimizer before the first step.
pub fn fresh_learner(config: &RunConfig, pixels: usize) -> Learner {
    let model = Autoencoder::new(&config.layer_sizes(pixels), config.encoder_layers(), config.seed);
    Learner::new(model, Adam::new(config.learning_rate))
}

/// Where the run of a checkpoint stands.
pub fn state(checkpoint: &Checkpoint) -> TrainState {
    TrainState::resume(
        &checkpoint.config,
        checkpoint.data.train_images as usize,
        checkpoint.progress.clone(),
        checkpoint.history.clone(),
        checkpoint.losses.clone(),
        &checkpoint.recent,
    )
}
