//! Fused operations on dfdx's tape.
//!
//! Each computes what a chain of dfdx's stock operations does (`matmul`, `add`, `relu`,
//! `bce_with_logits`), values and gradients, without the intermediate tensors. Gradients are added to
//! what is there, as dfdx does it.

use dfdx::prelude::*;

use super::buffers;
use super::kernels::storage::elements;
use super::kernels::{self, Places};

/// `[rows, columns]` floats.
pub type Matrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;
/// `[columns]` floats.
pub type Row = Tensor<(usize,), f32, Cpu>;
/// `[n, pixels]` bytes, 255 is white.
pub type Images<T = NoneTape> = Tensor<(usize, usize), u8, Cpu, T>;
/// A scalar.
pub type Scalar<T = NoneTape> = Tensor<Rank0, f32, Cpu, T>;

/// Part of the pixels that are not black above which the full product is faster. A constant, so that a
/// result depends on the images and never on a machine.
const SPARSE_BELOW: f64 = 0.4;

/// `relu(x * weight + bias)`: `x` as `[n, inputs]`, `weight` as `[inputs, outputs]`.
pub fn dense_relu<T: Tape<f32, Cpu>>(x: Matrix<T>, weight: &Matrix, bias: &Row) -> Matrix<T> {
    let (x, mut tape) = x.split_tape();
    let (rows, outputs) = (x.shape().0, bias.shape().0);
    let mut y = vec![0.0; rows * outputs];
    kernels::dense_relu(elements(&x), elements(weight), elements(bias), &mut y);
    let y = x.device().tensor_from_vec(y, (rows, outputs));
    let (weight, bias, saved) = (weight.clone(), bias.clone(), y.clone());
    tape.add_backward_op(move |gradients| {
        let delta = relu_delta(&saved, gradients.get_or_alloc_mut(&saved)?);
        kernels::bias_gradient(&delta, gradients.get_or_alloc_mut(&bias)?);
        kernels::weight_gradient(elements(&x), &delta, rows, gradients.get_or_alloc_mut(&weight)?);
        kernels::input_gradient(&delta, elements(&weight), outputs, gradients.get_or_alloc_mut(&x)?);
        Ok(())
    });
    y.put_tape(tape)
}

/// `relu(images / 255 * weight + bias)`: the first layer, from bytes. Where most pixels are black only
/// the others are multiplied.
pub fn images_dense_relu<T: Tape<f32, Cpu>>(images: Images<T>, weight: &Matrix, bias: &Row) -> Matrix<T> {
    let (images, mut tape) = images.split_tape();
    let ((rows, pixels), outputs) = (*images.shape(), bias.shape().0);
    let bytes = elements(&images);
    let mut y = vec![0.0; rows * outputs];
    let places = sparse_places(bytes, pixels);
    // Pixels in 0..1, for the full product.
    let mut x = Vec::new();
    if let Some(places) = &places {
        kernels::sparse_dense_relu(bytes, places, elements(weight), elements(bias), &mut y);
    } else {
        x.extend(bytes.iter().map(|&byte| f32::from(byte) / 255.0));
        kernels::dense_relu(&x, elements(weight), elements(bias), &mut y);
    }
    let y = weight.device().tensor_from_vec(y, (rows, outputs));
    let (weight, bias, saved) = (weight.clone(), bias.clone(), y.clone());
    tape.add_backward_op(move |gradients| {
        let mut delta = relu_delta(&saved, gradients.get_or_alloc_mut(&saved)?);
        kernels::bias_gradient(&delta, gradients.get_or_alloc_mut(&bias)?);
        let gradient = gradients.get_or_alloc_mut(&weight)?;
        if let Some(places) = &places {
            delta.iter_mut().for_each(|d| *d /= 255.0);
            let mut cursors = Vec::new();
            let bytes = elements(&images);
            kernels::sparse_weight_gradient(bytes, places, &delta, outputs, &mut cursors, gradient);
        } else {
            kernels::weight_gradient(&x, &delta, rows, gradient);
        }
        Ok(())
    });
    y.put_tape(tape)
}

/// Where the pixels are that are not black, if they are few.
fn sparse_places(bytes: &[u8], pixels: usize) -> Option<Places> {
    if pixels > Places::MOST_PIXELS {
        return None;
    }
    let mut places = Places::default();
    kernels::find_places(bytes, pixels, &mut places);
    (places.density(pixels) < SPARSE_BELOW).then_some(places)
}

/// Binary cross-entropy of the logits `x * weight + bias` against `targets / 255`, summed over all pixels
/// and divided by `count`: the mean if `count` is their number.
pub fn dense_cross_entropy<T: Tape<f32, Cpu>>(
    x: Matrix<T>,
    weight: &Matrix,
    bias: &Row,
    targets: &Images,
    count: usize,
) -> Scalar<T> {
    let (x, mut tape) = x.split_tape();
    let (rows, outputs) = *targets.shape();
    let (inputs, weights, biases) = (elements(&x), elements(weight), elements(bias));
    let scale = 1.0 / count as f32;
    let mut delta = Vec::new();
    let sums = if T::OWNS_TAPE {
        delta = buffers::take(rows * outputs);
        kernels::dense_losses_gradient(inputs, weights, biases, elements(targets), scale, &mut delta)
    } else {
        kernels::dense_losses(inputs, weights, biases, elements(targets))
    };
    let loss = x.device().tensor((sums.cross_entropy / count as f64) as f32);
    let (weight, bias, ghost) = (weight.clone(), bias.clone(), loss.ghost());
    tape.add_backward_op(move |gradients| {
        let upstream = gradients.get_or_alloc_mut(&ghost)?[0];
        if upstream != 1.0 {
            delta.iter_mut().for_each(|d| *d *= upstream);
        }
        kernels::bias_gradient(&delta, gradients.get_or_alloc_mut(&bias)?);
        kernels::weight_gradient(elements(&x), &delta, rows, gradients.get_or_alloc_mut(&weight)?);
        kernels::input_gradient(&delta, elements(&weight), outputs, gradients.get_or_alloc_mut(&x)?);
        buffers::give(delta);
        Ok(())
    });
    loss.put_tape(tape)
}

/// The gradient before a ReLU that gave `y`, from that after it.
fn relu_delta(y: &Matrix, gradient: &[f32]) -> Vec<f32> {
    elements(y).iter().zip(gradient).map(|(&y, &g)| if y > 0.0 { g } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests;
