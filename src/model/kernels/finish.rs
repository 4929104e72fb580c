//! What is done with each vector of a product while it is still in registers.

use std::marker::PhantomData;

use super::columns::ColumnsMut;
use super::simd::Simd;

/// Takes each vector of a product once it is summed up.
pub(super) trait Finish<S: Simd> {
    /// `sum` stands in `row` from column `col` on; its first `width` lanes count, all of them if
    /// it is `WHOLE`.
    ///
    /// # Safety
    /// `row` and `col + width` lie inside the product.
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V);

    /// All rows of the panel of `width` columns from `col` on have been taken.
    ///
    /// # Safety
    /// `col + width` lies inside the product.
    #[inline(always)]
    unsafe fn panel(&mut self, s: S, col: usize, width: usize) {
        let _ = (s, col, width);
    }
}

/// Adds the product to what is there, which is as large as the product.
pub(super) struct AddTo<'a>(pub(super) ColumnsMut<'a>);

impl<S: Simd> Finish<S> for AddTo<'_> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V) {
        // SAFETY: the place lies inside the product.
        unsafe {
            let to = self.0.at(row, col);
            if WHOLE {
                s.store(to, s.add(s.load(to), sum));
            } else {
                s.store_part(to, s.add(s.load_part(to, width), sum), width);
            }
        }
    }
}

/// A function of each logit.
pub(super) trait Activation<S: Simd> {
    /// What it makes of a vector.
    fn of(s: S, logits: S::V) -> S::V;
}

/// `max(0, v)`.
pub(super) struct Relu;

impl<S: Simd> Activation<S> for Relu {
    #[inline(always)]
    fn of(s: S, logits: S::V) -> S::V {
        s.max(logits, s.splat(0.0))
    }
}

/// The activation of `product + bias`, written over what is there.
pub(super) struct Activated<'a, A> {
    bias: &'a [f32],
    out: ColumnsMut<'a>,
    activation: PhantomData<A>,
}

impl<'a, A> Activated<'a, A> {
    /// `bias` and `out` are as wide as the product, `out` as high.
    pub(super) fn new(bias: &'a [f32], out: ColumnsMut<'a>) -> Self {
        assert_eq!(bias.len(), out.width());
        Self { bias, out, activation: PhantomData }
    }
}

impl<S: Simd, A: Activation<S>> Finish<S> for Activated<'_, A> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V) {
        // SAFETY: the place lies inside the product, and `bias` is as long as its rows.
        unsafe {
            let to = self.out.at(row, col);
            let bias = self.bias.as_ptr().add(col);
            if WHOLE {
                s.store(to, A::of(s, s.add(sum, s.load(bias))));
            } else {
                s.store_part(to, A::of(s, s.add(sum, s.load_part(bias, width))), width);
            }
        }
    }
}
