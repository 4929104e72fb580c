//! From the gradient of a layer's sums to those of its input, weight and bias.

use std::ops::Range;

use dfdx::prelude::*;

use super::super::buffers;
use super::super::dense::Dense;
use super::super::halves::both;
use super::super::kernels::{self, Columns, ColumnsMut, Right};
use super::{Matrix, columns};

/// Floats of the widest vector.
const VECTOR: usize = 16;

/// The gradient of some columns of a layer's sums `x * weight + bias`.
pub(super) struct Delta {
    rows: usize,
    range: Range<usize>,
    /// `[rows, columns]`, rows an odd number of vectors apart: they are read along columns too, and would
    /// fall into the same few sets of the cache.
    values: Vec<f32>,
    stride: usize,
    /// Their sum over the rows.
    sums: Vec<f32>,
}

impl Delta {
    /// Room for that of these columns.
    pub(super) fn of(rows: usize, range: &Range<usize>) -> Self {
        let stride = (range.len().div_ceil(VECTOR) | 1) * VECTOR;
        let (values, sums) = (buffers::take(rows * stride), buffers::take(range.len()));
        Self { rows, range: range.clone(), values, stride, sums }
    }

    /// That of no column.
    pub(super) fn none() -> Self {
        Self { rows: 0, range: 0..0, values: Vec::new(), stride: 0, sums: Vec::new() }
    }

    /// Values and their sums.
    pub(super) fn parts(&mut self) -> (ColumnsMut<'_>, &mut [f32]) {
        let values = ColumnsMut::all(&mut self.values, (self.rows, self.stride));
        (values.split_at(self.range.len()).0, &mut self.sums)
    }

    pub(super) fn columns(&self) -> Columns<'_> {
        Columns::all(&self.values, (self.rows, self.stride)).range(&(0..self.range.len()))
    }

    /// Multiplies all of it.
    pub(super) fn scale(&mut self, factor: f32) {
        if factor != 1.0 {
            self.values.iter_mut().chain(&mut self.sums).for_each(|x| *x *= factor);
        }
    }

    /// Adds the sums to the gradient of these columns' bias.
    pub(super) fn add_sums(&self, bias: &mut [f32]) {
        bias.iter_mut().zip(&self.sums).for_each(|(to, from)| *to += from);
    }

    /// Gives its memory back.
    pub(super) fn give(self) {
        buffers::give(self.values);
        buffers::give(self.sums);
    }
}

/// The gradient before a `relu` that gave `y`, from that after it.
pub(super) fn relu_delta(y: &Matrix, upstream: &[f32], delta: &mut Delta) {
    let upstream = Columns::all(upstream, *y.shape()).range(&delta.range);
    let y = columns(y).range(&delta.range);
    let (mut values, sums) = delta.parts();
    sums.fill(0.0);
    for row in 0..values.rows() {
        let of_row = values.row(row).iter_mut().zip(&mut *sums).zip(y.row(row)).zip(upstream.row(row));
        for (((to, sum), &y), &g) in of_row {
            *to = if y > 0.0 { g } else { 0.0 };
            *sum += *to;
        }
    }
}

/// Takes a gradient out of its container, because dfdx lends only one at a time.
pub(in crate::model) fn lend<S: Shape>(
    gradients: &mut Gradients<f32, Cpu>,
    of: &Tensor<S, f32, Cpu>,
) -> Result<Vec<f32>, CpuError> {
    Ok(std::mem::take(&mut **gradients.get_or_alloc_mut(of)?))
}

/// Puts it back.
pub(in crate::model) fn give_back<S: Shape>(
    gradients: &mut Gradients<f32, Cpu>,
    of: &Tensor<S, f32, Cpu>,
    gradient: Vec<f32>,
) -> Result<(), CpuError> {
    **gradients.get_or_alloc_mut(of)? = gradient;
    Ok(())
}

/// Adds the gradients of a layer that is cut by its inputs.
pub(super) fn add_by_inputs(
    gradients: &mut Gradients<f32, Cpu>,
    x: &Matrix,
    layer: &Dense,
    delta: &Delta,
) -> Result<(), CpuError> {
    let (rows, (inputs, outputs)) = (x.shape().0, layer.shape());
    let [front, back] = layer.halves();
    delta.add_sums(gradients.get_or_alloc_mut(&layer.bias)?);
    let (mut of_weight, mut of_x) = (lend(gradients, &layer.weight)?, lend(gradients, x)?);
    let (weight_front, weight_back) = of_weight.split_at_mut(front.end * outputs);
    let (x_front, x_back) = ColumnsMut::all(&mut of_x, (rows, inputs)).split_at(front.end);
    let half = |range: Range<usize>, of_weight: &mut [f32], of_x| {
        let of_weight = ColumnsMut::all(of_weight, (range.len(), outputs));
        kernels::add_product_by_columns(columns(x).range(&range), delta.columns(), of_weight);
        kernels::add_product(delta.columns(), Right::Transposed(layer.part(&range)), of_x);
    };
    let work = rows * layer.work();
    both(work, || half(front, weight_front, x_front), || half(back, weight_back, x_back));
    give_back(gradients, &layer.weight, of_weight)?;
    give_back(gradients, x, of_x)
}

/// Adds the gradients of a layer that is cut by its outputs; `complete` makes its two deltas ready.
pub(super) fn add_by_outputs(
    gradients: &mut Gradients<f32, Cpu>,
    x: &Matrix,
    layer: &Dense,
    [front, back]: &mut [Delta; 2],
    complete: impl Fn(&mut Delta) + Sync,
) -> Result<(), CpuError> {
    let (rows, (inputs, _)) = (x.shape().0, layer.shape());
    let middle = front.range.end;
    let (mut of_weight, mut of_bias) = (lend(gradients, &layer.weight)?, lend(gradients, &layer.bias)?);
    let (weight_front, weight_back) = of_weight.split_at_mut(middle * inputs);
    let (bias_front, bias_back) = of_bias.split_at_mut(middle);
    let (mut a, mut b) = (buffers::take(rows * inputs), buffers::take(rows * inputs));
    let half = |delta: &mut Delta, of_weight: &mut [f32], of_bias: &mut [f32], of_x: &mut [f32]| {
        complete(delta);
        delta.add_sums(of_bias);
        let of_weight = ColumnsMut::all(of_weight, (delta.range.len(), inputs));
        kernels::add_product_by_columns(delta.columns(), columns(x), of_weight);
        of_x.fill(0.0);
        let of_x = ColumnsMut::all(of_x, (rows, inputs));
        kernels::add_product(delta.columns(), Right::Rows(layer.part(&delta.range)), of_x);
    };
    both(
        rows * layer.work(),
        || half(front, weight_front, bias_front, &mut a),
        || half(back, weight_back, bias_back, &mut b),
    );
    let of_x = gradients.get_or_alloc_mut(x)?;
    for ((to, a), b) in of_x.iter_mut().zip(&a).zip(&b) {
        *to += a + b;
    }
    buffers::give(a);
    buffers::give(b);
    give_back(gradients, &layer.weight, of_weight)?;
    give_back(gradients, &layer.bias, of_bias)
}
