//! The stack of dense layers, its parameters as plain values, and its use without a tape.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::kernels::storage::elements;
use super::kernels::{self, Sums};
use super::ops::{self, Images, Matrix, Row, Scalar};
use crate::random::{Purpose, Random};

/// Images that are evaluated at a time: a constant, so that sums do not depend on the threads.
const CHUNK: usize = 64;

/// `x * weight + bias`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// `[inputs, outputs]`.
    pub weight: Matrix,
    /// `[outputs]`.
    pub bias: Row,
}

/// A stack of dense layers from image to image: ReLU after each, the code included, but sigmoid after
/// the last. Clones share their parameters until one of them is trained.
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
        let device = Cpu::default();
        let layers = pairs(sizes).zip(tensors.as_chunks::<2>().0).enumerate();
        let layers = layers.map(|(layer, ((inputs, outputs), [weight, bias]))| {
            for (part, values, expected) in [("weight", weight, inputs * outputs), ("bias", bias, outputs)] {
                if values.len() != expected {
                    let name = parameter_name(layer, encoder_layers, part);
                    return Err(ParameterError::Length { name, expected, found: values.len() });
                }
            }
            Ok(Dense {
                weight: device.tensor_from_vec(weight.clone(), (inputs, outputs)),
                bias: device.tensor_from_vec(bias.clone(), (outputs,)),
            })
        });
        Ok(Self { layers: layers.collect::<Result<_, _>>()?, encoder_layers })
    }

    /// All parameters from image to image, weight before bias.
    pub fn parameters(&self) -> Vec<Parameter> {
        let layers = self.layers.iter().enumerate();
        let both = layers.flat_map(|(layer, Dense { weight, bias })| {
            let (inputs, outputs) = *weight.shape();
            let name = |part| parameter_name(layer, self.encoder_layers, part);
            [
                Parameter {
                    name: name("weight"),
                    shape: vec![inputs, outputs],
                    values: elements(weight).to_vec(),
                },
                Parameter { name: name("bias"), shape: vec![outputs], values: elements(bias).to_vec() },
            ]
        });
        both.collect()
    }

    /// The layers from image to image.
    pub fn layers(&self) -> impl Iterator<Item = LayerSummary> {
        self.layers.iter().enumerate().map(|(layer, Dense { weight, .. })| {
            let (inputs, outputs) = *weight.shape();
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
        self.layers[0].weight.shape().0
    }

    /// Units of the code.
    pub fn code(&self) -> usize {
        self.layers[self.encoder_layers].weight.shape().0
    }

    /// Codes of images: `[n, pixels]` bytes to `[n, code]`.
    pub fn encode(&self, images: &[u8]) -> Vec<f32> {
        if images.is_empty() {
            return Vec::new();
        }
        elements(&self.hidden(self.images(images), self.encoder_layers)).to_vec()
    }

    /// Images of codes: `[n, code]` to `[n, pixels]` in 0..1.
    pub fn decode(&self, codes: &[f32]) -> Vec<f32> {
        let count = codes.len() / self.code();
        let mut out = vec![0.0; count * self.pixels()];
        if count > 0 {
            let (last, hidden) =
                self.layers[self.encoder_layers..].split_last().expect("a decoder has layers");
            let codes = last.weight.device().tensor_from_vec(codes.to_vec(), (count, self.code()));
            let x = hidden.iter().fold(codes, |x, layer| ops::dense_relu(x, &layer.weight, &layer.bias));
            kernels::dense_sigmoid(elements(&x), elements(&last.weight), elements(&last.bias), &mut out);
        }
        out
    }

    /// Mean losses over `[n, pixels]` bytes; zero if there are none. On all threads of the current rayon
    /// pool, with a result that does not depend on their number.
    pub fn evaluate(&self, images: &[u8]) -> Evaluation {
        let last = self.last();
        let chunks = images.par_chunks(CHUNK * self.pixels()).map(|images| {
            let x = self.hidden(self.images(images), self.layers.len() - 1);
            kernels::dense_losses(elements(&x), elements(&last.weight), elements(&last.bias), images)
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
        let last = self.last();
        ops::dense_cross_entropy(x, &last.weight, &last.bias, &targets, count)
    }

    /// What the first `depth` layers make of images.
    fn hidden<T: Tape<f32, Cpu>>(&self, images: Images<T>, depth: usize) -> Matrix<T> {
        let first = &self.layers[0];
        let x = ops::images_dense_relu(images, &first.weight, &first.bias);
        self.layers[1..depth].iter().fold(x, |x, layer| ops::dense_relu(x, &layer.weight, &layer.bias))
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
mod tests {
    use super::*;

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// Loss and mean squared error of `[784..., 784]`-like stacks in `f64`, straight from the definition;
    /// no term is rearranged.
    fn losses(parameters: &[Vec<f64>], pixels: usize, images: &[u8]) -> (f64, f64) {
        let (mut loss, mut mse) = (0.0, 0.0);
        for image in images.chunks(pixels) {
            let target: Vec<f64> = image.iter().map(|&byte| f64::from(byte) / 255.0).collect();
            let mut x = target.clone();
            for (layer, pair) in parameters.chunks(2).enumerate() {
                let (weight, bias) = (&pair[0], &pair[1]);
                let column = |j: usize| -> f64 {
                    x.iter().enumerate().map(|(i, x)| x * weight[i * bias.len() + j]).sum::<f64>() + bias[j]
                };
                let last = layer + 1 == parameters.len() / 2;
                x = (0..bias.len())
                    .map(|j| if last { sigmoid(column(j)) } else { column(j).max(0.0) })
                    .collect();
            }
            for (y, t) in x.iter().zip(&target) {
                loss -= t * y.ln() + (1.0 - t) * (1.0 - y).ln();
                mse += (y - t) * (y - t);
            }
        }
        (loss / images.len() as f64, mse / images.len() as f64)
    }

    fn widened(model: &Autoencoder) -> Vec<Vec<f64>> {
        let values = model.parameters().into_iter().map(|p| p.values);
        values.map(|values| values.into_iter().map(f64::from).collect()).collect()
    }

    /// Three images of six pixels.
    const IMAGES: [u8; 18] = [0, 0, 255, 128, 0, 7, 0, 90, 0, 0, 200, 0, 33, 0, 0, 255, 0, 0];

    #[test]
    fn gradients_are_finite_differences_in_f64() {
        for (sizes, encoder_layers) in [(&[6, 4, 6][..], 1), (&[6, 5, 3, 5, 6][..], 2)] {
            // Biases keep the units away from the kink of ReLU, where there is no derivative.
            let mut tensors: Vec<_> = Autoencoder::new(sizes, encoder_layers, 6)
                .parameters()
                .into_iter()
                .map(|p| p.values)
                .collect();
            tensors.iter_mut().skip(1).step_by(2).for_each(|bias| bias.fill(0.1));
            let model = Autoencoder::from_parameters(sizes, encoder_layers, &tensors).expect("its own");
            let device = Cpu::default();
            let images: Images = device.tensor_from_vec(IMAGES.to_vec(), (3, 6));
            let loss = model.loss(images.leaky_traced(), 18);
            let parameters = widened(&model);
            assert!((f64::from(loss.array()) - losses(&parameters, 6, &IMAGES).0).abs() < 1e-7);
            let gradients = loss.backward();
            let found: Vec<Vec<f32>> = model
                .dense()
                .iter()
                .flat_map(|layer| {
                    [gradients.get(&layer.weight).as_vec(), gradients.get(&layer.bias).as_vec()]
                })
                .collect();
            let mut large = 0;
            for (tensor, values) in parameters.iter().enumerate() {
                for at in 0..values.len() {
                    let moved = |by: f64| {
                        let mut moved = parameters.clone();
                        moved[tensor][at] += by;
                        losses(&moved, 6, &IMAGES).0
                    };
                    let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    let found = f64::from(found[tensor][at]);
                    assert!((found - expected).abs() < 1e-7, "tensor {tensor}: {found} for {expected}");
                    large += usize::from(expected.abs() > 1e-3);
                }
            }
            assert!(large > 20, "only {large} gradients are not about zero");
        }
    }

    #[test]
    fn evaluation_is_the_definition_of_both_losses() {
        let model = Autoencoder::new(&[6, 5, 3, 5, 6], 2, 2);
        let images: Vec<u8> = IMAGES.repeat(50);
        let found = model.evaluate(&images);
        let (loss, mse) = losses(&widened(&model), 6, &images);
        assert!((found.loss - loss).abs() < 1e-7, "{} instead of {loss}", found.loss);
        assert!((found.mse - mse).abs() < 1e-7, "{} instead of {mse}", found.mse);
        assert_eq!(model.evaluate(&[]), Evaluation::default());
    }

    #[test]
    fn encoder_and_decoder_together_are_the_model() {
        let model = Autoencoder::new(&[6, 5, 3, 5, 6], 2, 2);
        let codes = model.encode(&IMAGES);
        assert_eq!(codes.len(), 3 * model.code());
        assert!(codes.iter().all(|&unit| unit >= 0.0) && codes.iter().any(|&unit| unit > 0.0));
        let decoded = model.decode(&codes);
        let errors =
            decoded.iter().zip(&IMAGES).map(|(&y, &x)| (f64::from(y) - f64::from(x) / 255.0).powi(2));
        let mse = errors.sum::<f64>() / 18.0;
        assert!((mse - model.evaluate(&IMAGES).mse).abs() < 1e-7);
        // One at a time or all at once is the same to the bit.
        assert_eq!(decoded[6..12], model.decode(&codes[3..6]));
        assert!(model.decode(&[]).is_empty() && model.encode(&[]).is_empty());
    }

    #[test]
    fn the_reference_model_has_50992_parameters() {
        let model = Autoencoder::new(&[784, 32, 784], 1, 1);
        let layers: Vec<LayerSummary> = model.layers().collect();
        assert_eq!(layers.iter().map(|layer| layer.parameters).collect::<Vec<_>>(), [25_120, 25_872]);
        assert_eq!(layers[0].name, "encoder 1");
        assert_eq!((layers[1].name.as_str(), layers[1].kind), ("decoder 1", "dense, sigmoid"));
        let parameters = model.parameters();
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["encoder.0.weight", "encoder.0.bias", "decoder.0.weight", "decoder.0.bias"]);
        assert_eq!(parameters[0].shape, [784, 32]);
        let limit = (6.0_f32 / 816.0).sqrt();
        let most = parameters[0].values.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        assert!(most <= limit && most > 0.99 * limit);
        assert!(parameters[1].values.iter().all(|&bias| bias == 0.0));
    }

    #[test]
    fn parameters_that_do_not_fit_are_refused_by_name() {
        let sizes = [6, 3, 6];
        let mut tensors: Vec<_> =
            Autoencoder::new(&sizes, 1, 2).parameters().into_iter().map(|p| p.values).collect();
        tensors[2].pop();
        let fault = Autoencoder::from_parameters(&sizes, 1, &tensors).expect_err("one value is missing");
        assert_eq!(fault.to_string(), "tensor `decoder.0.weight` has 17 values instead of 18");
        tensors.pop();
        let fault = Autoencoder::from_parameters(&sizes, 1, &tensors).expect_err("a tensor is missing");
        assert_eq!(fault.to_string(), "3 tensors instead of 4");
    }
}
