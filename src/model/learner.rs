//! One step of learning: two halves of a batch on a tape each, then the optimizer.
//!
//! The halves are fixed by the batch alone and their gradients are added in a fixed order, so the result
//! is the same to the bit for any number of threads.

use dfdx::optim::UnusedTensors;
use dfdx::prelude::*;

use super::adam::{Adam, AdamState};
use super::autoencoder::Autoencoder;

/// Parts that each batch is cut into, so the most threads that a step can use.
pub const LANES: usize = 2;

/// A model, its optimizer, and the gradients of two lanes.
pub struct Learner {
    model: Autoencoder,
    adam: Adam,
    lanes: [Gradients<f32, Cpu>; LANES],
}

impl Learner {
    /// A learner that goes on from where model and optimizer stand.
    pub fn new(model: Autoencoder, adam: Adam) -> Self {
        let mut parameters = UnusedTensors::default();
        for layer in model.dense() {
            parameters.add(&layer.weight);
            parameters.add(&layer.bias);
        }
        let lane = || {
            let mut gradients = Gradients::leaky();
            gradients.retain_leafs(&parameters.ids);
            gradients
        };
        let lanes = [lane(), lane()];
        Self { model, adam, lanes }
    }

    /// Learns from the images of `batch` (at least one) and returns their mean binary cross-entropy
    /// before the update, nats a pixel. Uses the current rayon pool.
    ///
    /// # Panics
    /// If the batch is empty or an image has another number of pixels than the model.
    pub fn step(&mut self, batch: &[&[u8]]) -> f64 {
        let count = batch.len() * self.model.pixels();
        let (front, back) = batch.split_at(batch.len().div_ceil(2));
        let [a, b] = &mut self.lanes;
        let model = &self.model;
        let (front, back) =
            rayon::join(|| backward(model, front, count, a), || backward(model, back, count, b));
        self.adam.update_by_sum(&mut self.model, [a, b]).expect("the gradients are there");
        front + back
    }

    /// The model as trained so far.
    pub fn model(&self) -> &Autoencoder {
        &self.model
    }

    /// The optimizer's step and moments.
    pub fn adam_state(&self) -> &AdamState {
        self.adam.state()
    }
}

/// Puts the gradients of the loss of `images` into `gradients`; returns the loss: their sum over all
/// pixels divided by `count`.
fn backward(model: &Autoencoder, images: &[&[u8]], count: usize, gradients: &mut Gradients<f32, Cpu>) -> f64 {
    for layer in model.dense() {
        gradients.get_or_alloc_mut(&layer.weight).expect("memory").fill(0.0);
        gradients.get_or_alloc_mut(&layer.bias).expect("memory").fill(0.0);
    }
    if images.is_empty() {
        return 0.0;
    }
    let pixels = model.pixels();
    let bytes = images.concat();
    let device = model.dense()[0].weight.device();
    let images: Tensor<_, u8, _> = device.tensor_from_vec(bytes, (images.len(), pixels));
    let loss = model.loss(images.traced(std::mem::replace(gradients, Gradients::leaky())), count);
    let value = f64::from(loss.array());
    *gradients = loss.backward();
    value
}
