//! The arithmetic, on slices: written once over [`simd::Simd`], compiled for each set of vector
//! instructions, chosen when the program runs.
//!
//! It knows no tensor but for [`storage`], no layer and no thread. This is the only place with `unsafe`:
//! every function here checks the lengths of its slices before it hands them to pointers.
#![allow(unsafe_code)]
// A body must be inlined into the wrapper that has the instructions enabled.
#![allow(clippy::inline_always)]

mod adam;
pub(super) mod aligned;
mod columns;
mod finish;
mod level;
mod loss;
mod places;
mod product;
mod simd;
mod sparse;
pub(super) mod storage;
pub(super) mod upcoming;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::buffers;
use std::cell::RefCell;

pub(super) use adam::AdamStep;
pub(super) use columns::{Columns, ColumnsMut};
use finish::{Activated, AddTo, Relu};
use level::{Level, level};
use loss::{Losses, Sigmoid};
pub(super) use places::Places;
pub(super) use product::Right;
use product::{Left, product};
use simd::{Portable, Simd};

pub use level::instruction_set;

/// Functions whose body, generic over the token `$s`, is compiled for each set of instructions.
macro_rules! kernels {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($s:ident, $($argument:ident: $type:ty),+ $(,)?) $(-> $result:ty)? $body:block
    )+) => {
        $(
            $(#[$doc])*
            #[allow(clippy::too_many_arguments)]
            pub(super) fn $name($($argument: $type),+) $(-> $result)? {
                #[inline(always)]
                #[allow(clippy::too_many_arguments)]
                fn body<S: Simd>($s: S, $($argument: $type),+) $(-> $result)? $body

                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma,popcnt,bmi1,bmi2")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($argument: $type),+) $(-> $result)? {
                    // SAFETY: this function is only called where the instructions are there.
                    body(unsafe { x86::Avx2::new() }, $($argument),+)
                }

                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx512f,avx2,fma,popcnt,bmi1,bmi2")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($argument: $type),+) $(-> $result)? {
                    // SAFETY: this function is only called where the instructions are there.
                    body(unsafe { x86::Avx512::new() }, $($argument),+)
                }

                match level() {
                    Level::Portable => body(Portable, $($argument),+),
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: the level was detected.
                    Level::Avx2 => unsafe { avx2($($argument),+) },
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: the level was detected.
                    Level::Avx512 => unsafe { avx512($($argument),+) },
                }
            }
        )+
    };
}

/// Mean losses are made of these sums over pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Binary cross-entropy, nats.
    pub(super) cross_entropy: f64,
    /// Squared error of the sigmoid, pixels in 0..1.
    pub(super) squared_error: f64,
}

/// Columns of a left-hand side that are transposed at a time.
const STRIP: usize = 48;
/// Rows whose distance is a multiple of so many floats share sets of the cache.
const CONFLICT: usize = 128;

thread_local! {
    /// Where a product copies a part of its right-hand side together.
    static PANEL: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

fn with_panel<R>(work: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    PANEL.with_borrow_mut(work)
}

/// `max(0, x * weight + bias)`: `x` as `[n, inputs]`, `weight` as `[inputs, outputs]`.
pub(super) fn dense_relu(x: Columns<'_>, weight: Right<'_>, bias: &[f32], out: ColumnsMut<'_>) {
    with_panel(|panel| dense_relu_with(x, weight, bias, out, panel));
}

/// `sigmoid(x * weight + bias)`.
pub(super) fn dense_sigmoid(x: Columns<'_>, weight: Right<'_>, bias: &[f32], out: ColumnsMut<'_>) {
    with_panel(|panel| dense_sigmoid_with(x, weight, bias, out, panel));
}

/// Adds `x * weight` to `out`.
pub(super) fn add_product(x: Columns<'_>, weight: Right<'_>, out: ColumnsMut<'_>) {
    with_panel(|panel| add_product_with(x, weight, out, panel));
}

/// Losses of the logits `x * weight + bias` against `targets`, `[n, outputs]` bytes.
pub(super) fn dense_losses(
    x: Columns<'_>,
    weight: Right<'_>,
    bias: &[f32],
    targets: Columns<'_, u8>,
) -> Sums {
    with_panel(|panel| dense_losses_with(x, weight, bias, targets, panel))
}

/// The same cross-entropy; into `delta` its gradient with respect to the logits, times `scale`, and into
/// `bias_gradient` the sum of that over the rows.
pub(super) fn dense_losses_gradient(
    x: Columns<'_>,
    weight: Right<'_>,
    bias: &[f32],
    targets: Columns<'_, u8>,
    scale: f32,
    delta: ColumnsMut<'_>,
    bias_gradient: &mut [f32],
) -> Sums {
    with_panel(|panel| {
        dense_losses_gradient_with(x, weight, bias, targets, scale, delta, bias_gradient, panel)
    })
}

/// Adds `left^T * right` to `out`: `left` as `[n, rows]`, `right` as `[n, columns]`.
pub(super) fn add_product_by_columns(left: Columns<'_>, right: Columns<'_>, out: ColumnsMut<'_>) {
    with_panel(|panel| add_product_by_columns_with(left, right, out, panel));
}

kernels! {
    fn dense_relu_with(
        s, x: Columns<'_>, weight: Right<'_>, bias: &[f32], out: ColumnsMut<'_>, panel: &mut Vec<f32>,
    ) {
        assert_eq!((out.rows(), out.width()), (x.rows(), weight.columns()));
        product(s, Left::rows(x), weight, panel, &mut Activated::<Relu>::new(bias, out));
    }

    fn dense_sigmoid_with(
        s, x: Columns<'_>, weight: Right<'_>, bias: &[f32], out: ColumnsMut<'_>, panel: &mut Vec<f32>,
    ) {
        assert_eq!((out.rows(), out.width()), (x.rows(), weight.columns()));
        product(s, Left::rows(x), weight, panel, &mut Activated::<Sigmoid>::new(bias, out));
    }

    fn add_product_with(
        s, x: Columns<'_>, weight: Right<'_>, out: ColumnsMut<'_>, panel: &mut Vec<f32>,
    ) {
        assert_eq!((out.rows(), out.width()), (x.rows(), weight.columns()));
        product(s, Left::rows(x), weight, panel, &mut AddTo(out));
    }

    fn dense_losses_with(
        s, x: Columns<'_>, weight: Right<'_>, bias: &[f32], targets: Columns<'_, u8>, panel: &mut Vec<f32>,
    ) -> Sums {
        assert_eq!((targets.rows(), targets.width()), (x.rows(), weight.columns()));
        let mut products = buffers::take(targets.rows() * product::VECTORS * S::LANES);
        let none = ColumnsMut::all(&mut [], (0, 0));
        let mut losses = Losses::<_, false>::new(s, bias, targets, none, &mut [], 0.0, &mut products);
        product(s, Left::rows(x), weight, panel, &mut losses);
        let sums = losses.sums();
        buffers::give(products);
        sums
    }

    fn dense_losses_gradient_with(
        s, x: Columns<'_>, weight: Right<'_>, bias: &[f32], targets: Columns<'_, u8>, scale: f32,
        delta: ColumnsMut<'_>, bias_gradient: &mut [f32], panel: &mut Vec<f32>,
    ) -> Sums {
        assert_eq!((targets.rows(), targets.width()), (x.rows(), weight.columns()));
        let mut products = buffers::take(targets.rows() * product::VECTORS * S::LANES);
        let mut losses = Losses::<_, true>::new(s, bias, targets, delta, bias_gradient, scale, &mut products);
        product(s, Left::rows(x), weight, panel, &mut losses);
        let sums = losses.sums();
        buffers::give(products);
        sums
    }

    fn add_product_by_columns_with(
        s, left: Columns<'_>, right: Columns<'_>, out: ColumnsMut<'_>, panel: &mut Vec<f32>,
    ) {
        let (depth, rows) = (left.rows(), left.width());
        assert_eq!((out.rows(), out.width(), right.rows()), (rows, right.width(), depth));
        // Rows that are a power of two apart would fall into the same few sets of the cache: strips of them
        // that meet all of `right` are copied together.
        let copied = rows > STRIP && left.stride().is_multiple_of(CONFLICT);
        let mut strip = if copied { buffers::take(depth * STRIP) } else { Vec::new() };
        let mut rest = out;
        for first in (0..rows).step_by(STRIP) {
            let count = STRIP.min(rows - first);
            let (out, below) = rest.split_below(count);
            rest = below;
            let columns = if copied {
                for (row, to) in strip[..depth * count].chunks_exact_mut(count).enumerate() {
                    to.copy_from_slice(&left.row(row)[first..][..count]);
                }
                Columns::all(&strip[..depth * count], (depth, count))
            } else {
                left.range(&(first..first + count))
            };
            product(s, Left::columns(columns), Right::Rows(right), panel, &mut AddTo(out));
        }
        if copied {
            buffers::give(strip);
        }
    }

    /// Finds the pixels of `images` that are not zero.
    fn find_places(s, images: Columns<'_, u8>, found: &mut Places) {
        places::find(s, images, found);
    }

    /// `images / 255 * weight` from the pixels that are not zero.
    fn sparse_product(s, images: Columns<'_, u8>, found: &Places, weight: Columns<'_>, out: &mut [f32]) {
        sparse::product(s, images, found, weight, out);
    }

    /// Adds `images^T * delta` to `gradient`, from the pixels that are not zero.
    fn sparse_weight_gradient(
        s, images: Columns<'_, u8>, found: &Places, delta: Columns<'_>, gradient: &mut [f32],
    ) {
        sparse::weight_gradient(s, images, found, delta, gradient);
    }

    /// One step of Adam; leaves the gradients zero.
    fn adam_step(
        s, step: AdamStep, parameters: &mut [f32], first: &mut [f32], second: &mut [f32],
        gradients: &mut [f32],
    ) {
        adam::adam(s, step, parameters, first, second, gradients);
    }
}

#[cfg(test)]
mod tests {
    /// Every test of the model, run again with less than the best that the processor has.
    #[test]
    fn the_model_passes_its_tests_on_every_path() {
        if let Ok(wish) = std::env::var("AESCOPE_KERNELS") {
            assert_eq!(super::instruction_set(), wish, "the processor has what this run is to use");
            return;
        }
        let all = ["portable", "avx2", "avx512"];
        let most = all.iter().position(|&path| path == super::instruction_set()).expect("a known path");
        for path in &all[..most] {
            let this = std::env::current_exe().expect("this test has a file");
            let run = std::process::Command::new(this).arg("model::").env("AESCOPE_KERNELS", path).output();
            let run = run.expect("this test can be started");
            let text = String::from_utf8_lossy(&run.stdout);
            assert!(run.status.success() && text.contains("ops::tests"), "{path}:\n{text}");
        }
    }
}
