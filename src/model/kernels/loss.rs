//! Sigmoid, binary cross-entropy and squared error of logits that are still in registers.
//!
//! For a logit `v` and a target `x` in 0..1 the cross-entropy is `max(v, 0) - v x + ln(1 + e^-|v|)`.
//! The sum of the logarithms is the logarithm of a product: factors in 1..2 are multiplied in `f32`, at
//! most 120 in a lane, the lanes then in `f64`, and one logarithm is taken for all of them.

use super::product::{Finish, total};
use super::simd::Simd;

/// Factors that a lane takes before the logarithm: their product stays below `2^120`, that of all lanes
/// below `2^960`.
const fn factors(lanes: usize) -> usize {
    if lanes > 8 { 960 / lanes } else { 120 }
}

/// `e^-|v|`, relative error below 3e-7; `|v|` is taken as at most 86.
#[inline(always)]
fn exp_of_minus_abs<S: Simd>(s: S, v: S::V) -> S::V {
    // 2^t for t in -0.5..0.5, by interpolation at Chebyshev points.
    const POLYNOMIAL: [f32; 6] =
        [1.339_086_3e-3, 9.676_032e-3, 5.550_357e-2, 2.402_210_7e-1, 6.931_472e-1, 1.000_000_1];
    // 1.5 * 2^23: adding it leaves a float rounded to an integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = s.max(s.sub(s.splat(0.0), s.abs(v)), s.splat(-86.0));
    let log2e = s.splat(std::f32::consts::LOG2_E);
    let shifted = s.mul_add(x, log2e, s.splat(ROUND));
    let whole = s.sub(shifted, s.splat(ROUND));
    let t = s.mul_add(x, log2e, s.sub(s.splat(0.0), whole));
    let mut power = s.splat(POLYNOMIAL[0]);
    for &coefficient in &POLYNOMIAL[1..] {
        power = s.mul_add(power, t, s.splat(coefficient));
    }
    s.scale(power, shifted)
}

/// `(1 + e^-|v|, sigmoid(v))`.
#[inline(always)]
fn factor_and_sigmoid<S: Simd>(s: S, v: S::V) -> (S::V, S::V) {
    let e = exp_of_minus_abs(s, v);
    let factor = s.add(e, s.splat(1.0));
    let likely = s.div(s.splat(1.0), factor);
    (factor, s.by_sign(v, s.mul(e, likely), likely))
}

/// `sigmoid(product + bias)`.
pub(super) struct BiasSigmoid<'a> {
    pub(super) bias: &'a [f32],
    pub(super) out: &'a mut [f32],
}

impl<S: Simd> Finish<S> for BiasSigmoid<'_> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V) {
        // SAFETY: the place lies inside the product, `bias` is as long as its rows, `out` as large as all.
        unsafe {
            let to = self.out.as_mut_ptr().add(row * self.bias.len() + col);
            let bias = self.bias.as_ptr().add(col);
            if WHOLE {
                s.store(to, factor_and_sigmoid(s, s.add(sum, s.load(bias))).1);
            } else {
                s.store_part(to, factor_and_sigmoid(s, s.add(sum, s.load_part(bias, width))).1, width);
            }
        }
    }
}

/// The losses of logits `product + bias` against bytes.
pub(super) struct Losses<'a, S: Simd, const GRADIENT: bool> {
    bias: &'a [f32],
    targets: &'a [u8],
    /// Where the gradient goes if there is one to compute: `(sigmoid - target) * scale`.
    gradient: &'a mut [f32],
    scale: f32,
    product: S::V,
    factors: usize,
    /// Sum of `max(v, 0) - v x`, in bytes.
    linear: S::V,
    squares: S::V,
    cross_entropy: f64,
    squared_error: f64,
}

impl<'a, S: Simd, const GRADIENT: bool> Losses<'a, S, GRADIENT> {
    #[inline(always)]
    pub(super) fn new(s: S, bias: &'a [f32], targets: &'a [u8], gradient: &'a mut [f32], scale: f32) -> Self {
        assert!(!GRADIENT || gradient.len() == targets.len());
        let zero = s.splat(0.0);
        Self {
            bias,
            targets,
            gradient,
            scale,
            product: s.splat(1.0),
            factors: 0,
            linear: zero,
            squares: zero,
            cross_entropy: 0.0,
            squared_error: 0.0,
        }
    }

    /// Moves the sums of the lanes to the totals.
    #[inline(always)]
    fn settle(&mut self, s: S) {
        let mut lanes = [1.0_f32; 16];
        // SAFETY: no vector has more than 16 lanes.
        unsafe { s.store(lanes.as_mut_ptr(), self.product) };
        let product: f64 = lanes.iter().map(|&lane| f64::from(lane)).product();
        self.cross_entropy += product.ln() + f64::from(total(s, self.linear)) / 255.0;
        self.squared_error += f64::from(total(s, self.squares)) / (255.0 * 255.0);
        self.product = s.splat(1.0);
        self.linear = s.splat(0.0);
        self.squares = s.splat(0.0);
        self.factors = 0;
    }

    /// Sums over all pixels: cross-entropy in nats, and squared error (zero if the gradient is taken).
    #[inline(always)]
    pub(super) fn sums(mut self, s: S) -> (f64, f64) {
        self.settle(s);
        (self.cross_entropy, self.squared_error)
    }
}

impl<S: Simd, const GRADIENT: bool> Finish<S> for Losses<'_, S, GRADIENT> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V) {
        let at = row * self.bias.len() + col;
        // SAFETY: the place lies inside the product, `bias` is as long as its rows, `targets` as large as all.
        let (bias, target) = unsafe {
            let bias = self.bias.as_ptr().add(col);
            let targets = self.targets.as_ptr().add(at);
            if WHOLE {
                (s.load(bias), s.load_bytes(targets))
            } else {
                let mut bytes = [0_u8; 16];
                bytes[..width].copy_from_slice(std::slice::from_raw_parts(targets, width));
                (s.load_part(bias, width), s.load_bytes(bytes.as_ptr()))
            }
        };
        let v = s.add(sum, bias);
        let (factor, sigmoid) = factor_and_sigmoid(s, v);
        let factor = if WHOLE {
            factor
        } else {
            // Lanes beyond the last column have the logit 0 and the factor 2.
            let mut lanes = [0.5_f32; 16];
            lanes[..width].fill(1.0);
            // SAFETY: no vector has more than 16 lanes.
            s.mul(factor, unsafe { s.load(lanes.as_ptr()) })
        };
        self.product = s.mul(self.product, factor);
        let positive = s.max(v, s.splat(0.0));
        let byte = s.splat(255.0);
        self.linear = s.add(self.linear, s.sub(s.mul(positive, byte), s.mul(v, target)));
        if GRADIENT {
            let part = s.mul(target, s.splat(-self.scale / 255.0));
            let gradient = s.mul_add(sigmoid, s.splat(self.scale), part);
            // SAFETY: the gradient is as large as the targets.
            unsafe {
                let to = self.gradient.as_mut_ptr().add(at);
                if WHOLE { s.store(to, gradient) } else { s.store_part(to, gradient, width) }
            }
        } else {
            let mut error = s.sub(s.mul(sigmoid, byte), target);
            if !WHOLE {
                // SAFETY: the vector goes through an array of as many lanes as there can be.
                unsafe {
                    let mut lanes = [0.0_f32; 16];
                    s.store_part(lanes.as_mut_ptr(), error, width);
                    error = s.load(lanes.as_ptr());
                }
            }
            self.squares = s.mul_add(error, error, self.squares);
        }
        self.factors += 1;
        if self.factors == factors(S::LANES) {
            self.settle(s);
        }
    }
}
