//! The numbers of a dfdx tensor as a slice.
//!
//! dfdx 0.13 hands out the storage of a tensor only by copy or element by element. A tensor made from a
//! vector or by `zeros` is one contiguous vector, so its first element is where all of them begin.
//!
//! What the slices rest on: dfdx indexes into its `Vec`, so the reference to the first element points into
//! one allocation that holds all of them, initialised, and the borrow of the tensor keeps anybody else from
//! writing to it (`elements`) or from touching it at all (`elements_mut`). A reference to one element is
//! taken to reach its neighbours in that allocation, which the model of Tree Borrows allows and Stacked
//! Borrows does not; dfdx has no function that lends the whole.

use dfdx::prelude::*;

/// All elements, row after row.
pub(in crate::model) fn elements<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> &[E] {
    let first = &tensor[S::Concrete::default()];
    // SAFETY: the tensors of this crate are never broadcast, permuted or sliced: the storage is one
    // vector of as many elements as the shape has, and it is borrowed as long as the tensor is.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(first), tensor.shape().num_elements()) }
}

/// All elements, to be changed; copied first if another tensor shares them.
pub(in crate::model) fn elements_mut<S: Shape, E: Unit>(tensor: &mut Tensor<S, E, Cpu>) -> &mut [E] {
    let count = tensor.shape().num_elements();
    let first = &mut tensor[S::Concrete::default()];
    // SAFETY: as above; the mutable index has made the storage unshared.
    unsafe { std::slice::from_raw_parts_mut(std::ptr::from_mut(first), count) }
}
