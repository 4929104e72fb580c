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
mod loss;
mod product;
mod simd;
mod sparse;
pub(super) mod storage;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::buffers;
use std::cell::RefCell;
use std::sync::OnceLock;

pub(super) use adam::AdamStep;
use loss::{BiasSigmoid, Losses};
use product::{AddTo, BiasRelu, Left, product, product_transposed};
use simd::{Portable, Simd};
pub(super) use sparse::Places;

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best that the processor has, or less if `AESCOPE_KERNELS` names less (`avx2`, `portable`); looked
/// up once.
fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let wish = std::env::var("AESCOPE_KERNELS");
        let most = match wish.as_deref() {
            Ok("portable") => return Level::Portable,
            #[cfg(target_arch = "x86_64")]
            Ok("avx2") => Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            _ => Level::Avx512,
            #[cfg(not(target_arch = "x86_64"))]
            _ => Level::Portable,
        };
        detected().min(most)
    })
}

fn detected() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        if !avx2 {
            Level::Portable
        } else if is_x86_feature_detected!("avx512f") {
            Level::Avx512
        } else {
            Level::Avx2
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Level::Portable
}

/// The vector instructions in use: `avx512`, `avx2` or `portable`.
pub fn instruction_set() -> &'static str {
    match level() {
        Level::Portable => "portable",
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => "avx2",
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => "avx512",
    }
}

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

/// Inputs of a layer whose part of a weight gradient is computed at a time.
const STRIP: usize = 48;

thread_local! {
    /// Where a product copies a part of its right-hand side together.
    static PANEL: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

fn with_panel<R>(work: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    PANEL.with_borrow_mut(work)
}

/// `max(0, x * weight + bias)`: `x` as `[n, inputs]`, `weight` as `[inputs, outputs]`.
pub(super) fn dense_relu(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    with_panel(|panel| dense_relu_with(x, weight, bias, out, panel));
}

/// `sigmoid(x * weight + bias)`.
pub(super) fn dense_sigmoid(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    with_panel(|panel| dense_sigmoid_with(x, weight, bias, out, panel));
}

/// Losses of the logits `x * weight + bias` against `targets`, `[n, outputs]` bytes.
pub(super) fn dense_losses(x: &[f32], weight: &[f32], bias: &[f32], targets: &[u8]) -> Sums {
    with_panel(|panel| dense_losses_with(x, weight, bias, targets, panel))
}

/// The same cross-entropy, and into `gradient` its gradient with respect to the logits, times `scale`.
pub(super) fn dense_losses_gradient(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    targets: &[u8],
    scale: f32,
    gradient: &mut [f32],
) -> Sums {
    with_panel(|panel| dense_losses_gradient_with(x, weight, bias, targets, scale, gradient, panel))
}

/// Adds `x^T * delta` to `gradient`: `x` as `[n, inputs]`, `delta` as `[n, outputs]`.
pub(super) fn weight_gradient(x: &[f32], delta: &[f32], rows: usize, gradient: &mut [f32]) {
    with_panel(|panel| weight_gradient_with(x, delta, rows, gradient, panel));
}

kernels! {
    fn dense_relu_with(s, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32], panel: &mut Vec<f32>) {
        let (rows, inputs) = (out.len() / bias.len(), weight.len() / bias.len());
        assert_eq!(out.len(), rows * bias.len());
        product(s, Left::rows(x, rows, inputs), weight, bias.len(), panel, &mut BiasRelu { bias, out });
    }

    fn dense_sigmoid_with(s, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32], panel: &mut Vec<f32>) {
        let (rows, inputs) = (out.len() / bias.len(), weight.len() / bias.len());
        assert_eq!(out.len(), rows * bias.len());
        product(s, Left::rows(x, rows, inputs), weight, bias.len(), panel, &mut BiasSigmoid { bias, out });
    }

    fn dense_losses_with(
        s, x: &[f32], weight: &[f32], bias: &[f32], targets: &[u8], panel: &mut Vec<f32>,
    ) -> Sums {
        let (rows, inputs) = (targets.len() / bias.len(), weight.len() / bias.len());
        assert_eq!(targets.len(), rows * bias.len());
        let mut products = buffers::take(0);
        let mut losses = Losses::<_, false>::new(s, bias, targets, &mut [], 0.0, &mut products);
        product(s, Left::rows(x, rows, inputs), weight, bias.len(), panel, &mut losses);
        let (cross_entropy, squared_error) = losses.sums();
        buffers::give(products);
        Sums { cross_entropy, squared_error }
    }

    fn dense_losses_gradient_with(
        s, x: &[f32], weight: &[f32], bias: &[f32], targets: &[u8], scale: f32, gradient: &mut [f32],
        panel: &mut Vec<f32>,
    ) -> Sums {
        let (rows, inputs) = (targets.len() / bias.len(), weight.len() / bias.len());
        assert_eq!(targets.len(), rows * bias.len());
        let mut products = buffers::take(0);
        let mut losses = Losses::<_, true>::new(s, bias, targets, gradient, scale, &mut products);
        product(s, Left::rows(x, rows, inputs), weight, bias.len(), panel, &mut losses);
        let (cross_entropy, squared_error) = losses.sums();
        buffers::give(products);
        Sums { cross_entropy, squared_error }
    }

    fn weight_gradient_with(
        s, x: &[f32], delta: &[f32], rows: usize, gradient: &mut [f32], panel: &mut Vec<f32>,
    ) {
        let (inputs, outputs) = (x.len() / rows, delta.len() / rows);
        assert_eq!(gradient.len(), inputs * outputs);
        // The strips of `x` that meet all of `delta` are copied together, so that they and the part of the
        // gradient that they make stay in the caches.
        let mut strip = Vec::new();
        for first in (0..inputs).step_by(STRIP) {
            let count = STRIP.min(inputs - first);
            let left = if count == inputs {
                Left::columns(x, inputs, rows)
            } else {
                strip.clear();
                x.chunks_exact(inputs).for_each(|row| strip.extend_from_slice(&row[first..][..count]));
                Left::columns(&strip, count, rows)
            };
            let out = &mut gradient[first * outputs..][..count * outputs];
            product(s, left, delta, outputs, panel, &mut AddTo { out, columns: outputs });
        }
    }

    /// Adds `delta * weight^T` to `gradient`: `delta` as `[n, outputs]`, `weight` as `[inputs, outputs]`.
    fn input_gradient(s, delta: &[f32], weight: &[f32], outputs: usize, gradient: &mut [f32]) {
        product_transposed(s, delta, weight, outputs, gradient);
    }

    /// Adds the sum of the rows of `delta`, `[n, outputs]`, to `gradient`.
    fn bias_gradient(s, delta: &[f32], gradient: &mut [f32]) {
        let outputs = gradient.len();
        let (whole, tail) = (outputs - outputs % S::LANES, outputs % S::LANES);
        for row in delta.chunks_exact(outputs) {
            let (to, from) = (gradient.as_mut_ptr(), row.as_ptr());
            // SAFETY: both have `outputs` floats.
            unsafe {
                for at in (0..whole).step_by(S::LANES) {
                    s.store(to.add(at), s.add(s.load(to.add(at)), s.load(from.add(at))));
                }
                if tail != 0 {
                    let sum = s.add(s.load_part(to.add(whole), tail), s.load_part(from.add(whole), tail));
                    s.store_part(to.add(whole), sum, tail);
                }
            }
        }
    }

    /// Finds the pixels of `images` that are not zero.
    fn find_places(s, images: &[u8], pixels: usize, found: &mut Places) {
        let _ = s;
        sparse::find_places(images, pixels, found);
    }

    /// `max(0, images / 255 * weight + bias)` from the pixels that are not zero.
    fn sparse_dense_relu(
        s, images: &[u8], found: &Places, weight: &[f32], bias: &[f32], out: &mut [f32],
    ) {
        sparse::forward(s, images, found, weight, bias, out);
    }

    /// Adds `images^T * delta` to `gradient`, from the pixels that are not zero.
    fn sparse_weight_gradient(
        s, images: &[u8], found: &Places, delta: &[f32], outputs: usize, cursors: &mut Vec<usize>,
        gradient: &mut [f32],
    ) {
        sparse::weight_gradient(s, images, found, delta, outputs, cursors, gradient);
    }

    /// One step of Adam with the sum of two gradients.
    fn adam_step(
        s, step: AdamStep, parameters: &mut [f32], first: &mut [f32], second: &mut [f32],
        gradients: [&[f32]; 2],
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
