//! Adam behind dfdx's `Optimizer`, with moments and step that can be saved.
//!
//! dfdx's own keeps them private, so a run could not be resumed exactly.

use dfdx::optim::{Optimizer, OptimizerUpdateError};
use dfdx::prelude::*;

use super::autoencoder::Autoencoder;
use super::dense::Dense;
use super::halves::both;
use super::kernels::storage::elements_mut;
use super::kernels::{self, AdamStep};
use super::ops::{give_back, lend};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f32 = 1e-7;

/// What updating a parameter costs, in multiplications of a product.
const WORK: usize = 8;

/// Everything that Adam remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdamState {
    /// Updates made.
    pub step: u64,
    /// First moments, in the order of [`Autoencoder::parameters`]; empty before the first update.
    pub first: Vec<Vec<f32>>,
    /// Second moments.
    pub second: Vec<Vec<f32>>,
}

/// Adam (Kingma and Ba, 2015) as Keras computes it: betas 0.9 and 0.999, epsilon 1e-7 added to the root
/// of the uncorrected second moment.
#[derive(Clone, Debug)]
pub struct Adam {
    rate: f32,
    step: u64,
    /// First and second, each as the model keeps its parameters; empty before the first update.
    moments: [Vec<Vec<f32>>; 2],
}

/// Moments of a model's parameters, those of the weights in another order.
fn reorder(
    model: &Autoencoder,
    moments: &[Vec<f32>],
    of_weight: impl Fn(&Dense, &[f32]) -> Vec<f32>,
) -> Vec<Vec<f32>> {
    let layers = model.dense().iter().zip(moments.as_chunks::<2>().0);
    layers.flat_map(|(layer, [weight, bias])| [of_weight(layer, weight), bias.clone()]).collect()
}

impl Adam {
    /// An optimizer that has made no update yet.
    pub fn new(learning_rate: f32) -> Self {
        Self { rate: learning_rate, step: 0, moments: [Vec::new(), Vec::new()] }
    }

    /// An optimizer of `model` that goes on from `state`, whose moments fit it (or are empty).
    pub fn with_state(learning_rate: f32, state: &AdamState, model: &Autoencoder) -> Self {
        let kept = |moments: &[Vec<f32>]| reorder(model, moments, Dense::as_kept);
        Self { rate: learning_rate, step: state.step, moments: [kept(&state.first), kept(&state.second)] }
    }

    /// Step and moments of the optimizer of `model`.
    pub fn state(&self, model: &Autoencoder) -> AdamState {
        let [first, second] = self.moments.each_ref().map(|moments| reorder(model, moments, Dense::in_order));
        AdamState { step: self.step, first, second }
    }

    /// Moves the parameters by their gradients and leaves those zero; a parameter without one has the
    /// gradient zero.
    ///
    /// Each parameter is on its own, so halves are updated at once without an effect on the result: those
    /// halves that the operations cut a layer into, so that each is in the right cache.
    pub(super) fn update_and_clear(
        &mut self,
        model: &mut Autoencoder,
        gradients: &mut Gradients<f32, Cpu>,
    ) -> Result<(), CpuError> {
        let mut taken = Vec::new();
        for layer in model.dense() {
            taken.push(lend(gradients, &layer.weight)?);
            taken.push(lend(gradients, &layer.bias)?);
        }
        self.update_parameters(model, &mut taken);
        for (layer, [of_weight, of_bias]) in model.dense().iter().zip(taken.as_chunks_mut().0) {
            give_back(gradients, &layer.weight, std::mem::take(of_weight))?;
            give_back(gradients, &layer.bias, std::mem::take(of_bias))?;
        }
        Ok(())
    }

    fn update_parameters(&mut self, model: &mut Autoencoder, gradients: &mut [Vec<f32>]) {
        self.step += 1;
        let [first, second] = &mut self.moments;
        if first.is_empty() {
            *first = gradients.iter().map(|gradient| vec![0.0; gradient.len()]).collect();
            second.clone_from(first);
        }
        let t = self.step as f64;
        let rate = f64::from(self.rate) * (1.0 - BETA2.powf(t)).sqrt() / (1.0 - BETA1.powf(t));
        let step = AdamStep { rate: rate as f32, beta1: BETA1 as f32, beta2: BETA2 as f32, epsilon: EPSILON };
        let (mut front, mut back, mut count) = (Vec::new(), Vec::new(), 0);
        let moments = first.iter_mut().zip(second);
        let mut others =
            moments.zip(gradients).map(|((first, second), gradients)| [first, second, gradients]);
        for layer in model.dense_mut() {
            let ([half, _], other) = (layer.halves(), layer.weight.shape().1);
            for parameters in [elements_mut(&mut layer.weight), elements_mut(&mut layer.bias)] {
                count += parameters.len();
                let middle = (half.end * other).min(parameters.len());
                let others = others.next().expect("moments fit the model");
                let [m, v, g] = others.map(|data| data.split_at_mut(middle));
                let p = parameters.split_at_mut(middle);
                front.push([p.0, m.0, v.0, g.0]);
                back.push([p.1, m.1, v.1, g.1]);
            }
        }
        let work = |parts: Vec<[&mut [f32]; 4]>| {
            for [parameters, first, second, gradients] in parts {
                kernels::adam_step(step, parameters, first, second, gradients);
            }
        };
        both(count * WORK, || work(front), || work(back));
    }
}

impl Optimizer<Autoencoder, Cpu, f32> for Adam {
    fn update(
        &mut self,
        model: &mut Autoencoder,
        gradients: &Gradients<f32, Cpu>,
    ) -> Result<(), OptimizerUpdateError<CpuError>> {
        let mut gradients = gradients.clone();
        self.update_and_clear(model, &mut gradients).map_err(OptimizerUpdateError::DeviceError)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::storage::elements;
    use super::*;

    /// Ten updates with gradients that change size and sign, against Keras's formula in `f64`.
    #[test]
    fn updates_are_those_of_keras() {
        let mut model = Autoencoder::new(&[5, 3, 5], 1, 4);
        let mut adam = Adam::new(1e-2);
        let kept = |model: &Autoencoder| -> Vec<f64> {
            let layers = model.dense().iter();
            let values = layers.flat_map(|layer| [elements(&layer.weight), elements(&layer.bias)].concat());
            values.map(f64::from).collect()
        };
        let mut expected = kept(&model);
        let (mut m, mut v) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
        for t in 1..=10 {
            let gradient = |at: usize| ((at * 7 + t * 3) % 11) as f64 * 1e-3 - 4e-3;
            let mut gradients = Gradients::<f32, Cpu>::leaky();
            let mut at = 0;
            for layer in model.dense() {
                for g in gradients.get_or_alloc_mut(&layer.weight).expect("memory").iter_mut() {
                    *g = gradient(at) as f32;
                    at += 1;
                }
                for g in gradients.get_or_alloc_mut(&layer.bias).expect("memory").iter_mut() {
                    *g = gradient(at) as f32;
                    at += 1;
                }
            }
            adam.update(&mut model, &gradients).expect("an update");
            let rate = 1e-2 * (1.0 - 0.999_f64.powf(t as f64)).sqrt() / (1.0 - 0.9_f64.powf(t as f64));
            for at in 0..expected.len() {
                let g = f64::from(gradient(at) as f32);
                m[at] = 0.9 * m[at] + 0.1 * g;
                v[at] = 0.999 * v[at] + 0.001 * g * g;
                expected[at] -= rate * m[at] / (v[at].sqrt() + 1e-7);
            }
        }
        for (found, expected) in kept(&model).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
        let state = adam.state(&model);
        assert_eq!((state.step, state.first.len()), (10, 4));
        assert_eq!(Adam::with_state(1e-2, &state, &model).moments, adam.moments);
    }
}
