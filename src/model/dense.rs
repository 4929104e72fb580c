//! A dense layer's parameters, kept so that half of a layer is one run of memory.

use std::ops::Range;

use dfdx::prelude::*;

use super::halves::{HALVES, halves};
use super::kernels::storage::elements;
use super::kernels::{Columns, Right};
use super::ops::{Matrix, Row, columns};

/// Along which of its sides a layer is cut into halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The weight is kept as `[inputs, outputs]`; what both halves add up to is added.
    Inputs,
    /// The weight is kept as `[outputs, inputs]`, as the `Linear` of dfdx does.
    Outputs,
}

/// `x * weight + bias`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// The side that is cut, then the other one.
    pub weight: Matrix,
    /// `[outputs]`.
    pub bias: Row,
    side: Side,
}

impl Dense {
    /// A layer of these parameters, `weight` as `[inputs, outputs]`.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn new(side: Side, (inputs, outputs): (usize, usize), weight: &[f32], bias: &[f32]) -> Self {
        let device = Cpu::default();
        assert_eq!((weight.len(), bias.len()), (inputs * outputs, outputs), "parameters of a layer");
        let (kept, shape) = match side {
            Side::Inputs => (weight.to_vec(), (inputs, outputs)),
            Side::Outputs => (transposed(weight, inputs), (outputs, inputs)),
        };
        Self {
            weight: device.tensor_from_vec(kept, shape),
            bias: device.tensor_from_vec(bias.to_vec(), (outputs,)),
            side,
        }
    }

    /// Along which side it is cut.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Inputs and outputs.
    pub fn shape(&self) -> (usize, usize) {
        let (cut, other) = *self.weight.shape();
        match self.side {
            Side::Inputs => (cut, other),
            Side::Outputs => (other, cut),
        }
    }

    /// The halves of the side that is cut.
    pub(super) fn halves(&self) -> [Range<usize>; HALVES] {
        halves(self.weight.shape().0)
    }

    /// Multiplications for each row of `x`.
    pub(super) fn work(&self) -> usize {
        let (cut, other) = *self.weight.shape();
        cut * other
    }

    /// Values of the weight's size, as the weight is kept, in the order of `[inputs, outputs]`.
    pub fn in_order(&self, kept: &[f32]) -> Vec<f32> {
        match self.side {
            Side::Inputs => kept.to_vec(),
            Side::Outputs => transposed(kept, self.weight.shape().0),
        }
    }

    /// Values of the weight's size in the order of `[inputs, outputs]`, as the weight is kept.
    pub fn as_kept(&self, in_order: &[f32]) -> Vec<f32> {
        match self.side {
            Side::Inputs => in_order.to_vec(),
            Side::Outputs => transposed(in_order, self.weight.shape().1),
        }
    }

    /// What `x` is multiplied by.
    pub(super) fn factor(&self) -> Right<'_> {
        match self.side {
            Side::Inputs => Right::Rows(columns(&self.weight)),
            Side::Outputs => Right::Transposed(columns(&self.weight)),
        }
    }

    /// Part of the side that is cut, as it is kept.
    pub(super) fn part(&self, range: &Range<usize>) -> Columns<'_> {
        let other = self.weight.shape().1;
        let kept = &elements(&self.weight)[range.start * other..range.end * other];
        Columns::all(kept, (range.len(), other))
    }
}

/// The transpose of a matrix of so many rows, row after row.
fn transposed(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_back_as_they_were_given() {
        let weight = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        for (side, kept) in [(Side::Inputs, weight), (Side::Outputs, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0])] {
            let layer = Dense::new(side, (2, 3), &weight, &[0.0; 3]);
            assert_eq!((layer.shape(), layer.work()), ((2, 3), 6));
            assert_eq!(elements(&layer.weight), kept);
            assert_eq!(layer.in_order(&kept), weight);
            assert_eq!(layer.as_kept(&weight), kept);
        }
    }
}
