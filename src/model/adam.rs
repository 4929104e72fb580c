//! Adam behind dfdx's `Optimizer`, with moments and step that can be saved.
//!
//! dfdx's own keeps them private, so a run could not be resumed exactly.

use dfdx::optim::{Optimizer, OptimizerUpdateError};
use dfdx::prelude::*;

use super::autoencoder::Autoencoder;
use super::kernels::storage::elements_mut;
use super::kernels::{self, AdamStep};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f32 = 1e-7;

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
    state: AdamState,
}

/// A run of parameters with their moments and gradients.
struct Part<'a> {
    parameters: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradients: [&'a [f32]; 2],
}

impl Adam {
    /// An optimizer that has made no update yet.
    pub fn new(learning_rate: f32) -> Self {
        Self::with_state(learning_rate, AdamState::default())
    }

    /// An optimizer that goes on from `state`, whose moments fit the model (or are empty).
    pub fn with_state(learning_rate: f32, state: AdamState) -> Self {
        Self { rate: learning_rate, state }
    }

    /// Step and moments.
    pub fn state(&self) -> &AdamState {
        &self.state
    }

    /// Moves the parameters by the sum of two gradients; a parameter without one has the gradient zero.
    ///
    /// Each parameter is on its own, so work is split in halves without an effect on the result.
    pub(super) fn update_by_sum(
        &mut self,
        model: &mut Autoencoder,
        gradients: [&mut Gradients<f32, Cpu>; 2],
    ) -> Result<(), CpuError> {
        self.state.step += 1;
        let [a, b] = gradients;
        // The gradients are moved out, because dfdx lends only one of them at a time.
        let mut taken = Vec::new();
        for layer in model.dense() {
            taken.push([take(a.get_or_alloc_mut(&layer.weight)?), take(b.get_or_alloc_mut(&layer.weight)?)]);
            taken.push([take(a.get_or_alloc_mut(&layer.bias)?), take(b.get_or_alloc_mut(&layer.bias)?)]);
        }
        self.update_parameters(model, &taken);
        let mut taken = taken.into_iter();
        for layer in model.dense() {
            for [of_a, of_b] in taken.by_ref().take(1) {
                **a.get_or_alloc_mut(&layer.weight)? = of_a;
                **b.get_or_alloc_mut(&layer.weight)? = of_b;
            }
            for [of_a, of_b] in taken.by_ref().take(1) {
                **a.get_or_alloc_mut(&layer.bias)? = of_a;
                **b.get_or_alloc_mut(&layer.bias)? = of_b;
            }
        }
        Ok(())
    }

    fn update_parameters(&mut self, model: &mut Autoencoder, gradients: &[[Vec<f32>; 2]]) {
        if self.state.first.is_empty() {
            self.state.first = gradients.iter().map(|[gradient, _]| vec![0.0; gradient.len()]).collect();
            self.state.second = self.state.first.clone();
        }
        let t = self.state.step as f64;
        let rate = f64::from(self.rate) * (1.0 - BETA2.powf(t)).sqrt() / (1.0 - BETA1.powf(t));
        let step = AdamStep { rate: rate as f32, beta1: BETA1 as f32, beta2: BETA2 as f32, epsilon: EPSILON };
        let tensors = model
            .dense_mut()
            .iter_mut()
            .flat_map(|layer| [elements_mut(&mut layer.weight), elements_mut(&mut layer.bias)]);
        let moments = self.state.first.iter_mut().zip(&mut self.state.second);
        let (mut front, mut back) = (Vec::new(), Vec::new());
        for ((parameters, (first, second)), [a, b]) in tensors.zip(moments).zip(gradients) {
            let middle = parameters.len() / 2;
            let (parameters, parameters_back) = parameters.split_at_mut(middle);
            let (first, first_back) = first.split_at_mut(middle);
            let (second, second_back) = second.split_at_mut(middle);
            front.push(Part { parameters, first, second, gradients: [&a[..middle], &b[..middle]] });
            back.push(Part {
                parameters: parameters_back,
                first: first_back,
                second: second_back,
                gradients: [&a[middle..], &b[middle..]],
            });
        }
        let work = |parts: Vec<Part>| {
            for part in parts {
                kernels::adam_step(step, part.parameters, part.first, part.second, part.gradients);
            }
        };
        rayon::join(|| work(front), || work(back));
    }
}

fn take(gradient: &mut Vec<f32>) -> Vec<f32> {
    std::mem::take(gradient)
}

impl Optimizer<Autoencoder, Cpu, f32> for Adam {
    fn update(
        &mut self,
        model: &mut Autoencoder,
        gradients: &Gradients<f32, Cpu>,
    ) -> Result<(), OptimizerUpdateError<CpuError>> {
        self.update_by_sum(model, [&mut gradients.clone(), &mut Gradients::leaky()])
            .map_err(OptimizerUpdateError::DeviceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten updates with gradients that change size and sign, against Keras's formula in `f64`.
    #[test]
    fn updates_are_those_of_keras() {
        let mut model = Autoencoder::new(&[5, 3, 5], 1, 4);
        let mut adam = Adam::new(1e-2);
        let mut expected: Vec<f64> =
            model.parameters().iter().flat_map(|p| p.values.clone()).map(f64::from).collect();
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
            let rate = 1e-2 * (1.0 - 0.999_f64.powi(t as i32)).sqrt() / (1.0 - 0.9_f64.powi(t as i32));
            for at in 0..expected.len() {
                let g = f64::from(gradient(at) as f32);
                m[at] = 0.9 * m[at] + 0.1 * g;
                v[at] = 0.999 * v[at] + 0.001 * g * g;
                expected[at] -= rate * m[at] / (v[at].sqrt() + 1e-7);
            }
        }
        let found = model.parameters().into_iter().flat_map(|p| p.values);
        for (found, expected) in found.zip(expected) {
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
        assert_eq!(adam.state().step, 10);
        assert_eq!(adam.state().first.len(), 4);
    }
}
