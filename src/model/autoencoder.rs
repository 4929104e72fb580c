//! The stack of dense layers, its parameters as plain values, and its use without a tape.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::dense::{Dense, Side};
use super::kernels::storage::elements;
use super::kernels::{self, Columns, ColumnsMut, Sums};
use super::ops::{self, Images, Matrix, Scalar};
use crate::random::{Purpose, Random};

/// Images that are evaluated at a time: a constant, so that sums do not depend on the threads.
const CHUNK: usize = 64;

/// A stack of dense layers from image to image: `relu` after each, the code included, but sigmoid
/// after the last. Clones share their parameters until one of them is trained.
#[derive(Clone, Debug)]
pub struct Autoencoder {
    layers: Vec<Dense>,
    encoder_layers: usize,
}

/// A parameter as plain values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// For example `encoder.0.weight`.
    pub name: String,
    /// `[inputs, outputs]` of a weight, `[outputs]` of a bias.
    pub shape: Vec<usize>,
    /// The values, row after row.
    pub values: Vec<f32>,
}

/// Parameters that do not fit the sizes of the layers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Too many or too few tensors.
    #[error("{found} tensors instead of {expected}")]
    Count {
        /// Two a layer.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A tensor of another size.
    #[error("tensor `{name}` has {found} values instead of {expected}")]
    Length {
        /// Which one.
        name: String,
        /// Product of its shape.
        expected: usize,
        /// How many were given.
        found: usize,
    },
}

/// What is to be said about a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// For example `encoder 1`.
    pub name: String,
    /// Kind and activation, for example `dense, relu`.
    pub kind: &'static str,
    /// Units that it takes.
    pub inputs: usize,
    /// Units that it gives out.
    pub outputs: usize,
    /// Weights and biases.
    pub parameters: usize,
    /// Whether it stands before the code.
    pub encoder: bool,
}

/// Mean losses over images.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Mean binary cross-entropy, nats a pixel, from logits.
    pub loss: f64,
    /// Mean squared error of a pixel in 0..1.
    pub mse: f64,
}

impl Autoencoder {
    /// Glorot-uniform weights (Glorot and Bengio, 2010) and zero biases for layers of these `sizes`, from
    /// image to image, of which the first `encoder_layers` make the code.
    ///
    /// # Panics
    /// If there is no layer on either side of the code, or a size is zero.
    pub fn new(sizes: &[usize], encoder_layers: usize, seed: u64) -> Self {
        let tensors: Vec<Vec<f32>> = pairs(sizes)
            .enumerate()
            .flat_map(|(layer, (inputs, outputs))| {
                let mut random = Random::new(seed, Purpose::Weights(layer as u32));
                let limit = (6.0 / (inputs + outputs) as f32).sqrt();
                let weight = (0..inputs * outputs).map(|_| random.uniform(-limit, limit)).collect();
                [weight, vec![0.0; outputs]]
            })
            .collect();
        Self::from_parameters(sizes, encoder_layers, &tensors).expect("made for these sizes")
    }

    /// Layers with given parameters, in the order of [`Self::parameters`].
    ///
    /// # Errors
    /// If number or lengths of the tensors do not fit the sizes.
    ///
    /// # Panics
    /// If there is no layer on either side of the code, or a size is zero.
    pub fn from_parameters(
        sizes: &[usize],
        encoder_layers: usize,
        tensors: &[Vec<f32>],
    ) -> Result<Self, ParameterError> {
        assert!(encoder_layers > 0 && sizes.len() > encoder_layers + 1, "a layer on either side of the code");
        assert!(sizes.iter().all(|&size| size > 0), "layers have units");
        let expected = 2 * (sizes.len() - 1);
        if tensors.len() != expected {
            return Err(ParameterError::Count { expected, found: tensors.len() });
        }
        let count = sizes.len() - 1;
        let layers = pairs(sizes).zip(tensors.as_chunks::<2>().0).enumerate();
        let layers = layers.map(|(layer, ((inputs, outputs), [weight, bias]))| {
            for (part, values, expected) in [("weight", weight, inputs * outputs), ("bias", bias, outputs)] {
                if values.len() != expected {
                    let name = parameter_name(layer, encoder_layers, part);
                    return Err(ParameterError::Length { name, expected, found: values.len() });
                }
            }
            // The first layer and the last one are cut into halves of the pixels.
            let by_inputs = layer == 0 || (layer + 1 < count && inputs > outputs);
            let side = if by_inputs { Side::Inputs } else { Side::Outputs };
            Ok(Dense::new(side, (inputs, outputs), weight, bias))
        });
        Ok(Self { layers: layers.collect::<Result<_, _>>()?, encoder_layers })
    }

    /// All parameters from image to image, weight before bias.
    pub fn parameters(&self) -> Vec<Parameter> {
        let layers = self.layers.iter().enumerate();
        let both = layers.flat_map(|(index, layer)| {
            let (inputs, outputs) = layer.shape();
            let name = |part| parameter_name(index, self.encoder_layers, part);
            let weight = layer.in_order(elements(&layer.weight));
            [
                Parameter { name: name("weight"), shape: vec![inputs, outputs], values: weight },
                Parameter {
                    name: name("bias"),
                    shape: vec![outputs],
                    values: elements(&layer.bias).to_vec(),
                },
            ]
        });
        both.collect()
    }

    /// The layers from image to image.
    pub fn layers(&self) -> impl Iterator<Item = LayerSummary> {
        self.layers.iter().enumerate().map(|(layer, dense)| {
            let (inputs, outputs) = dense.shape();
            let (side, index) = side(layer, self.encoder_layers);
            LayerSummary {
                name: format!("{side} {}", index + 1),
                kind: if layer + 1 == self.layers.len() { "dense, sigmoid" } else { "dense, relu" },
                inputs,
                outputs,
                parameters: (inputs + 1) * outputs,
                encoder: layer < self.encoder_layers,
            }
        })
    }

    /// The layers' tensors, from image to image.
    pub(super) fn dense(&self) -> &[Dense] {
        &self.layers
    }

    /// The layers' tensors, to be trained.
    pub(super) fn dense_mut(&mut self) -> &mut [Dense] {
        &mut self.layers
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.layers[0].shape().0
    }

    /// Units of the code.
    pub fn code(&self) -> usize {
        self.layers[self.encoder_layers].shape().0
    }

    /// Codes of images: `[n, pixels]` bytes to `[n, code]`.
    pub fn encode(&self, images: &[u8]) -> Vec<f32> {
        if images.is_empty() {
            return Vec::new();
        }
        elements(&self.hidden(self.images(images), self.encoder_layers)).to_vec()
    }

    /// Images of codes: `[n, code]` to `[n, pixels]` in 0..1.
    ///
    /// # Panics
    /// If the codes are not a whole number of them.
    pub fn decode(&self, codes: &[f32]) -> Vec<f32> {
        let count = codes.len() / self.code();
        assert_eq!(codes.len(), count * self.code(), "whole codes");
        let mut out = vec![0.0; count * self.pixels()];
        if count > 0 {
            let (last, hidden) =
                self.layers[self.encoder_layers..].split_last().expect("a decoder has layers");
            let codes = last.weight.device().tensor_from_vec(codes.to_vec(), (count, self.code()));
            let x = hidden.iter().fold(codes, ops::dense_relu);
            let out = ColumnsMut::all(&mut out, (count, self.pixels()));
            kernels::dense_sigmoid(ops::columns(&x), last.factor(), elements(&last.bias), out);
        }
        out
    }

    /// Mean losses over `[n, pixels]` bytes; zero if there are none. On all threads of the current rayon
    /// pool, with a result that does not depend on their number.
    pub fn evaluate(&self, images: &[u8]) -> Evaluation {
        let last = self.last();
        let chunks = images.par_chunks(CHUNK * self.pixels()).map(|images| {
            let x = self.hidden(self.images(images), self.layers.len() - 1);
            let images = Columns::all(images, (x.shape().0, self.pixels()));
            kernels::dense_losses(ops::columns(&x), last.factor(), elements(&last.bias), images)
        });
        let chunks: Vec<Sums> = chunks.collect();
        let count = images.len().max(1) as f64;
        Evaluation {
            loss: chunks.iter().map(|sums| sums.cross_entropy).sum::<f64>() / count,
            mse: chunks.iter().map(|sums| sums.squared_error).sum::<f64>() / count,
        }
    }

    /// Binary cross-entropy of the reconstruction of `images`, summed over all pixels and divided by
    /// `count`.
    pub fn loss<T: Tape<f32, Cpu>>(&self, images: Images<T>, count: usize) -> Scalar<T> {
        let (images, tape) = images.split_tape();
        let targets = images.clone();
        let x = self.hidden(images.put_tape(tape), self.layers.len() - 1);
        ops::dense_cross_entropy(x, self.last(), &targets, count)
    }

    /// What the first `depth` layers make of images.
    fn hidden<T: Tape<f32, Cpu>>(&self, images: Images<T>, depth: usize) -> Matrix<T> {
        let x = ops::images_dense_relu(images, &self.layers[0]);
        self.layers[1..depth].iter().fold(x, |x, layer| ops::dense_relu(x, layer))
    }

    fn last(&self) -> &Dense {
        self.layers.last().expect("an autoencoder has layers")
    }

    fn images(&self, images: &[u8]) -> Images {
        let pixels = self.pixels();
        self.last().weight.device().tensor_from_vec(images.to_vec(), (images.len() / pixels, pixels))
    }
}

/// Inputs and outputs of each layer.
fn pairs(sizes: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    sizes.windows(2).map(|pair| (pair[0], pair[1]))
}

/// On which side of the code a layer stands, and its index there.
fn side(layer: usize, encoder_layers: usize) -> (&'static str, usize) {
    if layer < encoder_layers { ("encoder", layer) } else { ("decoder", layer - encoder_layers) }
}

fn parameter_name(layer: usize, encoder_layers: usize, part: &str) -> String {
    let (side, index) = side(layer, encoder_layers);
    format!("{side}.{index}.{part}")
}

#[cfg(test)]
mod tests;
