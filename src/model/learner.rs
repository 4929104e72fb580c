//! One step of learning: the loss of a batch and its gradients on dfdx's tape, then the optimizer.

use std::ops::Range;

use dfdx::optim::UnusedTensors;
use dfdx::prelude::*;

use super::adam::{Adam, AdamState};
use super::autoencoder::Autoencoder;
use super::halves::{both, halves, with_partner};
use super::kernels::storage::elements_mut;
use super::kernels::{ColumnsMut, upcoming};
use super::ops::Images;

/// A model, its optimizer, and the gradients, which are zero between steps.
pub struct Learner {
    model: Autoencoder,
    adam: Adam,
    gradients: Gradients<f32, Cpu>,
    /// The batch of the last step, whose memory the next one uses.
    images: Option<Images>,
}

impl Learner {
    /// A learner that goes on from where model and optimizer stand.
    pub fn new(model: Autoencoder, adam: Adam) -> Self {
        let mut parameters = UnusedTensors::default();
        for layer in model.dense() {
            parameters.add(&layer.weight);
            parameters.add(&layer.bias);
        }
        let mut gradients = Gradients::leaky();
        gradients.retain_leafs(&parameters.ids);
        Self { model, adam, gradients, images: None }
    }

    /// Learns from the images of `batch` (at least one) and returns their mean binary cross-entropy
    /// before the update, nats a pixel. Uses the current rayon pool. The images of the `next` step, if they
    /// are known, come from memory meanwhile.
    ///
    /// # Panics
    /// If the batch is empty or an image has another number of pixels than the model.
    pub fn step(&mut self, batch: &[&[u8]], next: &[&[u8]]) -> f64 {
        with_partner(|| self.step_on_this_thread(batch, next))
    }

    fn step_on_this_thread(&mut self, batch: &[&[u8]], next: &[&[u8]]) -> f64 {
        let device = self.model.dense()[0].weight.device();
        let shape = (batch.len(), self.model.pixels());
        let mut images = self
            .images
            .take()
            .filter(|images| *images.shape() == shape)
            .unwrap_or_else(|| device.tensor_from_vec(vec![0; shape.0 * shape.1], shape));
        assemble(batch, next, &mut images);
        self.images = Some(images.clone());
        let gradients = std::mem::replace(&mut self.gradients, Gradients::leaky());
        let loss = self.model.loss(images.traced(gradients), shape.0 * shape.1);
        let value = f64::from(loss.array());
        self.gradients = loss.backward();
        self.adam.update_and_clear(&mut self.model, &mut self.gradients).expect("the gradients are there");
        value
    }

    /// The model as trained so far.
    pub fn model(&self) -> &Autoencoder {
        &self.model
    }

    /// The optimizer's step and moments.
    pub fn adam_state(&self) -> AdamState {
        self.adam.state(&self.model)
    }
}

/// What copying a pixel from memory costs, in multiplications of a product.
const COPY: usize = 8;

/// Puts the images of a batch into `to`, `[n, pixels]`; each half of the columns by the thread that will need it.
fn assemble(batch: &[&[u8]], next: &[&[u8]], to: &mut Images) {
    let shape = *to.shape();
    let [front, back] = halves(shape.1);
    let (to_front, to_back) = ColumnsMut::all(elements_mut(to), shape).split_at(front.end);
    let copy = |range: Range<usize>, mut to: ColumnsMut<'_, u8>| {
        for (row, image) in batch.iter().enumerate() {
            assert_eq!(image.len(), shape.1, "an image of the model's size");
            to.row(row).copy_from_slice(&image[range.clone()]);
        }
        upcoming::expect(next.iter().filter_map(|image| image.get(range.clone())));
    };
    both(shape.0 * shape.1 * COPY, || copy(front, to_front), || copy(back, to_back));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    /// Images with as many black pixels as digits have.
    fn images(count: usize, pixels: usize) -> Vec<u8> {
        let mut random = Random::new(11, Purpose::Weights(0));
        let mut byte = || if random.below(5) == 0 { random.below(256) as u8 } else { 0 };
        (0..count * pixels).map(|_| byte()).collect()
    }

    /// The parameters after a few steps with batches that come out uneven, and the losses.
    fn train(sizes: &[usize], encoder_layers: usize, threads: usize) -> (Vec<u32>, Vec<f64>) {
        let images = images(300, sizes[0]);
        let rows: Vec<&[u8]> = images.chunks(sizes[0]).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut learner = Learner::new(Autoencoder::new(sizes, encoder_layers, 3), Adam::new(1e-2));
            let losses = rows.chunks(77).map(|batch| learner.step(batch, &[])).collect();
            let parameters = learner.model().parameters();
            let evaluation = learner.model().evaluate(&images);
            let bits = parameters.iter().flat_map(|parameter| &parameter.values).map(|x| x.to_bits());
            let evaluated = [evaluation.loss as f32, evaluation.mse as f32].map(f32::to_bits);
            (bits.chain(evaluated).collect(), losses)
        })
    }

    #[test]
    fn results_are_the_same_to_the_bit_for_any_number_of_threads() {
        for (sizes, encoder_layers) in [(&[100, 13, 100][..], 1), (&[90, 40, 7, 20, 90][..], 2)] {
            let one = train(sizes, encoder_layers, 1);
            assert_eq!(one, train(sizes, encoder_layers, 1));
            for threads in [2, 3, 8] {
                assert_eq!(one, train(sizes, encoder_layers, threads), "{threads} threads");
            }
        }
    }

    #[test]
    fn a_step_moves_by_the_gradient_of_the_whole_batch() {
        let sizes = [50, 9, 50];
        let images = images(5, 50);
        let model = Autoencoder::new(&sizes, 1, 8);
        let rows: Vec<&[u8]> = images.chunks(50).collect();
        let mut learner = Learner::new(model.clone(), Adam::new(1e-2));
        let loss = learner.step(&rows, &[]);

        let device = Cpu::default();
        let batch: Tensor<_, u8, _> = device.tensor_from_vec(images, (5, 50));
        let whole = model.loss(batch.leaky_traced(), 250);
        assert!((loss - f64::from(whole.array())).abs() < 1e-6);
        let gradients = whole.backward();
        let mut expected = model.clone();
        dfdx::optim::Optimizer::update(&mut Adam::new(1e-2), &mut expected, &gradients).expect("an update");
        for (found, expected) in learner.model().parameters().iter().zip(expected.parameters()) {
            assert_eq!(found.name, expected.name);
            for (a, b) in found.values.iter().zip(&expected.values) {
                assert!((a - b).abs() < 1e-5, "{a} instead of {b}");
            }
        }
    }

    #[test]
    fn a_snapshot_stays_as_it_was() {
        let images = images(4, 30);
        let rows: Vec<&[u8]> = images.chunks(30).collect();
        let mut learner = Learner::new(Autoencoder::new(&[30, 4, 30], 1, 1), Adam::new(1e-2));
        learner.step(&rows, &[]);
        let snapshot = learner.model().clone();
        let before = snapshot.parameters();
        learner.step(&rows, &[]);
        assert_eq!(snapshot.parameters(), before);
        assert_ne!(learner.model().parameters(), before);
    }

    #[test]
    fn a_run_that_goes_on_from_its_state_is_the_same_to_the_bit() {
        let images = images(40, 30);
        let rows: Vec<&[u8]> = images.chunks(30).collect();
        let sizes = [30, 8, 4, 8, 30];
        let mut straight = Learner::new(Autoencoder::new(&sizes, 2, 1), Adam::new(1e-2));
        let (mut model, mut state) = (Autoencoder::new(&sizes, 2, 1), AdamState::default());
        for batch in rows.chunks(7) {
            straight.step(batch, &[]);
            let adam = Adam::with_state(1e-2, &state, &model);
            let mut resumed = Learner::new(model, adam);
            resumed.step(batch, &[]);
            let tensors: Vec<_> = resumed.model().parameters().into_iter().map(|p| p.values).collect();
            model = Autoencoder::from_parameters(&sizes, 2, &tensors).expect("its own parameters");
            state = resumed.adam_state();
        }
        assert_eq!(straight.model().parameters(), model.parameters());
        assert_eq!(straight.adam_state(), state);
    }
}
