//! The autoencoder against formulas, and its parts against each other.

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
            x = (0..bias.len()).map(|j| if last { sigmoid(column(j)) } else { column(j).max(0.0) }).collect();
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
        let mut tensors: Vec<_> =
            Autoencoder::new(sizes, encoder_layers, 6).parameters().into_iter().map(|p| p.values).collect();
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
                let weight = layer.in_order(&gradients.get(&layer.weight).as_vec());
                [weight, gradients.get(&layer.bias).as_vec()]
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
    let errors = decoded.iter().zip(&IMAGES).map(|(&y, &x)| (f64::from(y) - f64::from(x) / 255.0).powi(2));
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
