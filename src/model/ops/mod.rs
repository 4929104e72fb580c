//! Fused operations on dfdx's tape.
//!
//! Each computes what a chain of dfdx's stock operations does (`matmul`, `add`, `relu`,
//! `bce_with_logits`), values and gradients, without the intermediate tensors. Gradients are added to
//! what is there, as dfdx does it. Two threads share the work of each, cut as the layer is.

mod backward;

use std::ops::Range;

use dfdx::prelude::*;

use super::buffers;
use super::dense::{Dense, Side};
use super::halves::both;
use super::kernels::storage::elements;
use super::kernels::{self, Columns, ColumnsMut, Places, Right, Sums};
use backward::{Delta, add_by_inputs, add_by_outputs, relu_delta};
pub(super) use backward::{give_back, lend};

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

/// All columns of a matrix.
pub(super) fn columns<T>(matrix: &Matrix<T>) -> Columns<'_> {
    Columns::all(elements(matrix), *matrix.shape())
}

fn bytes<T>(images: &Images<T>) -> Columns<'_, u8> {
    Columns::all(elements(images), *images.shape())
}

/// `relu(x * weight + bias)`: `x` as `[n, inputs]`.
pub fn dense_relu<T: Tape<f32, Cpu>>(x: Matrix<T>, layer: &Dense) -> Matrix<T> {
    let (x, mut tape) = x.split_tape();
    let (rows, outputs) = (x.shape().0, layer.shape().1);
    let [front, back] = layer.halves();
    let bias = elements(&layer.bias);
    let mut y = vec![0.0; rows * outputs];
    match layer.side() {
        Side::Inputs => {
            relu_of_halves(layer, rows, &mut y, |range, sums| {
                sums.fill(0.0);
                let (sums, part) = (ColumnsMut::all(sums, (rows, outputs)), Right::Rows(layer.part(range)));
                kernels::add_product(columns(&x).range(range), part, sums);
            });
        }
        Side::Outputs => {
            let (to_front, to_back) = ColumnsMut::all(&mut y, (rows, outputs)).split_at(front.end);
            let half = |range: Range<usize>, out| {
                let part = Right::Transposed(layer.part(&range));
                kernels::dense_relu(columns(&x), part, &bias[range], out);
            };
            both(rows * layer.work(), || half(front, to_front), || half(back, to_back));
        }
    }
    let y = x.device().tensor_from_vec(y, (rows, outputs));
    let (layer, saved) = (layer.clone(), y.clone());
    tape.add_backward_op(move |gradients| {
        let upstream = lend(gradients, &saved)?;
        match layer.side() {
            Side::Inputs => {
                let mut delta = Delta::of(rows, &(0..outputs));
                relu_delta(&saved, &upstream, &mut delta);
                add_by_inputs(gradients, &x, &layer, &delta)?;
                delta.give();
            }
            Side::Outputs => {
                let mut deltas = layer.halves().map(|range| Delta::of(rows, &range));
                add_by_outputs(gradients, &x, &layer, &mut deltas, |half| {
                    relu_delta(&saved, &upstream, half);
                })?;
                deltas.into_iter().for_each(Delta::give);
            }
        }
        give_back(gradients, &saved, upstream)
    });
    y.put_tape(tape)
}

/// Images as the first layer multiplies them.
enum Pixels {
    /// Where those are that are not black, if they are few.
    Sparse(Places),
    /// All of them in 0..1.
    Dense(Vec<f32>),
}

impl Pixels {
    fn of(images: Columns<'_, u8>) -> Self {
        let count = images.rows() * images.width();
        if images.width() <= Places::MOST_PIXELS {
            let mut places = Places::default();
            kernels::find_places(images, &mut places);
            if places.count() as f64 <= SPARSE_BELOW * count as f64 {
                return Self::Sparse(places);
            }
        }
        let bytes = (0..images.rows()).flat_map(|row| images.row(row));
        Self::Dense(bytes.map(|&byte| f32::from(byte) / 255.0).collect())
    }
}

/// `relu(images / 255 * weight + bias)`: the first layer, from bytes, cut by its inputs. Where most pixels
/// are black only the others are multiplied.
///
/// # Panics
/// If the layer is not cut by its inputs.
pub fn images_dense_relu<T: Tape<f32, Cpu>>(images: Images<T>, layer: &Dense) -> Matrix<T> {
    assert_eq!(layer.side(), Side::Inputs, "images are cut into halves of their pixels");
    let (images, mut tape) = images.split_tape();
    let (rows, outputs) = (images.shape().0, layer.shape().1);
    let mut y = vec![0.0; rows * outputs];
    let pixels = relu_of_halves(layer, rows, &mut y, |range, sums| {
        let images = bytes(&images).range(range);
        let pixels = Pixels::of(images);
        match &pixels {
            Pixels::Sparse(places) => kernels::sparse_product(images, places, layer.part(range), sums),
            Pixels::Dense(x) => {
                sums.fill(0.0);
                let (sums, part) = (ColumnsMut::all(sums, (rows, outputs)), Right::Rows(layer.part(range)));
                kernels::add_product(Columns::all(x, (rows, range.len())), part, sums);
            }
        }
        pixels
    });
    let y = layer.weight.device().tensor_from_vec(y, (rows, outputs));
    let (layer, saved) = (layer.clone(), y.clone());
    tape.add_backward_op(move |gradients| {
        let upstream = lend(gradients, &saved)?;
        let mut delta = Delta::of(rows, &(0..outputs));
        relu_delta(&saved, &upstream, &mut delta);
        delta.add_sums(gradients.get_or_alloc_mut(&layer.bias)?);
        let mut of_weight = lend(gradients, &layer.weight)?;
        let [front, back] = layer.halves();
        let (to_front, to_back) = of_weight.split_at_mut(front.end * outputs);
        let half = |range: Range<usize>, pixels: &Pixels, gradient: &mut [f32]| match pixels {
            Pixels::Sparse(places) => {
                let images = bytes(&images).range(&range);
                kernels::sparse_weight_gradient(images, places, delta.columns(), gradient);
            }
            Pixels::Dense(x) => {
                let gradient = ColumnsMut::all(gradient, (range.len(), outputs));
                kernels::add_product_by_columns(
                    Columns::all(x, (rows, range.len())),
                    delta.columns(),
                    gradient,
                );
            }
        };
        both(rows * layer.work(), || half(front, &pixels.0, to_front), || half(back, &pixels.1, to_back));
        delta.give();
        give_back(gradients, &layer.weight, of_weight)?;
        give_back(gradients, &saved, upstream)
    });
    y.put_tape(tape)
}

/// `relu(front + back + bias)` of what both halves of the inputs add up to; `half` writes its sums.
fn relu_of_halves<R: Send>(
    layer: &Dense,
    rows: usize,
    y: &mut [f32],
    half: impl Fn(&Range<usize>, &mut [f32]) -> R + Sync,
) -> (R, R) {
    let [front, back] = layer.halves();
    let bias = elements(&layer.bias);
    let (mut a, mut b) = (buffers::take(y.len()), buffers::take(y.len()));
    let results = both(rows * layer.work(), || half(&front, &mut a), || half(&back, &mut b));
    let sums = a.chunks_exact(bias.len()).zip(b.chunks_exact(bias.len()));
    for (y, (a, b)) in y.chunks_exact_mut(bias.len()).zip(sums) {
        for (((y, a), b), bias) in y.iter_mut().zip(a).zip(b).zip(bias) {
            *y = (a + b + bias).max(0.0);
        }
    }
    buffers::give(a);
    buffers::give(b);
    results
}

/// Binary cross-entropy of the logits `x * weight + bias` against `targets / 255`, summed over all pixels
/// and divided by `count`: the mean if `count` is their number.
///
/// # Panics
/// If the layer is not cut by its outputs.
pub fn dense_cross_entropy<T: Tape<f32, Cpu>>(
    x: Matrix<T>,
    layer: &Dense,
    targets: &Images,
    count: usize,
) -> Scalar<T> {
    assert_eq!(layer.side(), Side::Outputs, "targets are cut into halves of their pixels");
    let (x, mut tape) = x.split_tape();
    let rows = x.shape().0;
    let scale = 1.0 / count as f32;
    let halves = layer.halves();
    let room = |range| if T::OWNS_TAPE { Delta::of(rows, range) } else { Delta::none() };
    let mut deltas = halves.each_ref().map(room);
    let half = |range: &Range<usize>, delta: &mut Delta| -> Sums {
        let (part, targets) = (Right::Transposed(layer.part(range)), bytes(targets).range(range));
        let bias = &elements(&layer.bias)[range.clone()];
        if T::OWNS_TAPE {
            let (values, sums) = delta.parts();
            kernels::dense_losses_gradient(columns(&x), part, bias, targets, scale, values, sums)
        } else {
            kernels::dense_losses(columns(&x), part, bias, targets)
        }
    };
    let [front, back] = &mut deltas;
    let sums = both(rows * layer.work(), || half(&halves[0], front), || half(&halves[1], back));
    let cross_entropy = sums.0.cross_entropy + sums.1.cross_entropy;
    let loss = x.device().tensor((cross_entropy / count as f64) as f32);
    let (layer, ghost) = (layer.clone(), loss.ghost());
    tape.add_backward_op(move |gradients| {
        let upstream = gradients.get_or_alloc_mut(&ghost)?[0];
        add_by_outputs(gradients, &x, &layer, &mut deltas, |half| half.scale(upstream))?;
        deltas.into_iter().for_each(Delta::give);
        Ok(())
    });
    loss.put_tape(tape)
}

#[cfg(test)]
mod tests;
