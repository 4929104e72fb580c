//! Sigmoid, binary cross-entropy and squared error of logits that are still in registers.
//!
//! For a logit `v` and a target `x` in 0..1 the cross-entropy is `max(v, 0) - v x + ln(1 + e^-|v|)`.
//! The sum of the logarithms is the logarithm of a product: factors in 1..2 are multiplied in `f32`, at
//! most 120 in a lane, the lanes then in `f64`, and one logarithm is taken for all of them.

use super::Sums;
use super::columns::{Columns, ColumnsMut};
use super::finish::{Activation, Finish};
use super::product::VECTORS as PANEL;
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
    let x = s.max(s.minus_abs(v), s.splat(-86.0));
    let log2e = s.splat(std::f32::consts::LOG2_E);
    let shifted = s.mul_add(x, log2e, s.splat(ROUND));
    let t = s.mul_add(x, log2e, s.sub(s.splat(ROUND), shifted));
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

/// `1 / (1 + e^-v)`.
pub(super) struct Sigmoid;

impl<S: Simd> Activation<S> for Sigmoid {
    #[inline(always)]
    fn of(s: S, logits: S::V) -> S::V {
        factor_and_sigmoid(s, logits).1
    }
}

/// The losses of logits `product + bias` against bytes.
///
/// Products of a panel of columns are kept in the first cache until the panel is complete; then one loop
/// takes all of them, with nothing but its own constants in registers.
pub(super) struct Losses<'a, S: Simd, const GRADIENT: bool> {
    bias: &'a [f32],
    targets: Columns<'a, u8>,
    /// Where the gradient goes if there is one to compute: `(sigmoid - target) * scale`.
    gradient: ColumnsMut<'a>,
    /// Its sum over the rows.
    bias_gradient: &'a mut [f32],
    scale: f32,
    /// Products of the panel, `[rows, PANEL vectors]`.
    panel: &'a mut Vec<f32>,
    sums: LaneSums<S>,
    cross_entropy: f64,
    squared_error: f64,
}

/// Sums in the lanes of vectors, over few enough logits for `f32`.
#[derive(Clone, Copy)]
struct LaneSums<S: Simd> {
    /// Product of `1 + e^-|v|`.
    product: S::V,
    /// Sum of `max(v, 0) - v x`.
    linear: S::V,
    /// Sum of `(sigmoid - x)^2`.
    squares: S::V,
}

impl<S: Simd> LaneSums<S> {
    #[inline(always)]
    fn new(s: S) -> Self {
        Self { product: s.splat(1.0), linear: s.splat(0.0), squares: s.splat(0.0) }
    }
}

impl<'a, S: Simd, const GRADIENT: bool> Losses<'a, S, GRADIENT> {
    #[inline(always)]
    pub(super) fn new(
        s: S,
        bias: &'a [f32],
        targets: Columns<'a, u8>,
        gradient: ColumnsMut<'a>,
        bias_gradient: &'a mut [f32],
        scale: f32,
        panel: &'a mut Vec<f32>,
    ) -> Self {
        let (rows, columns) = (targets.rows(), targets.width());
        assert_eq!(bias.len(), columns);
        assert!(
            !GRADIENT || (gradient.rows(), gradient.width(), bias_gradient.len()) == (rows, columns, columns)
        );
        panel.resize(rows * PANEL * S::LANES, 0.0);
        let sums = LaneSums::new(s);
        let (cross_entropy, squared_error) = (0.0, 0.0);
        Self { bias, targets, gradient, bias_gradient, scale, panel, sums, cross_entropy, squared_error }
    }

    /// Moves the sums of the lanes to the totals.
    #[inline(always)]
    fn settle(&mut self, s: S) {
        let mut lanes = [1.0_f32; 16];
        // SAFETY: no vector has more than 16 lanes.
        unsafe { s.store(lanes.as_mut_ptr(), self.sums.product) };
        let product: f64 = lanes.iter().map(|&lane| f64::from(lane)).product();
        self.cross_entropy += product.ln() + f64::from(s.total(self.sums.linear));
        self.squared_error += f64::from(s.total(self.sums.squares));
        self.sums = LaneSums::new(s);
    }

    /// Sums over all pixels; no squared error if the gradient is taken.
    #[inline(always)]
    pub(super) fn sums(self) -> Sums {
        Sums { cross_entropy: self.cross_entropy, squared_error: self.squared_error }
    }

    /// One vector of columns of all rows of the panel.
    ///
    /// # Safety
    /// `col + width` lies inside the product, `panel` points at the products from `col` on.
    #[inline(always)]
    unsafe fn column<const WHOLE: bool>(&mut self, s: S, col: usize, width: usize, panel: *const f32) {
        let rows = self.targets.rows();
        // Lanes beyond the last column count neither as factors nor as errors.
        let mut mask = [0.0_f32; 16];
        mask[..width].fill(1.0);
        // SAFETY: no vector has more than 16 lanes; the rest is the caller's.
        let (mask, bias) = unsafe {
            let bias = self.bias.as_ptr().add(col);
            let bias = if WHOLE { s.load(bias) } else { s.load_part(bias, width) };
            (s.load(mask.as_ptr()), bias)
        };
        let (one, scale, minus_white) = (s.splat(1.0), s.splat(self.scale), s.splat(-1.0 / 255.0));
        let mut gradients = s.splat(0.0);
        for begin in (0..rows).step_by(factors(S::LANES)) {
            let end = rows.min(begin + factors(S::LANES));
            let mut sums = self.sums;
            for row in begin..end {
                // SAFETY: the row lies inside targets, gradient and panel.
                unsafe {
                    let from = self.targets.data().as_ptr().add(row * self.targets.stride() + col);
                    let bytes = if WHOLE {
                        s.load_bytes(from)
                    } else {
                        let mut bytes = [0_u8; 16];
                        bytes[..width].copy_from_slice(std::slice::from_raw_parts(from, width));
                        s.load_bytes(bytes.as_ptr())
                    };
                    let minus_target = s.mul(bytes, minus_white);
                    let v = s.add(s.load(panel.add(row * PANEL * S::LANES)), bias);
                    let (factor, sigmoid) = factor_and_sigmoid(s, v);
                    // Masked lanes have the logit 0: no linear part, and the factor is made 1.
                    let factor = if WHOLE { factor } else { s.mul_add(s.sub(factor, one), mask, one) };
                    sums.product = s.mul(sums.product, factor);
                    let linear = s.mul_add(v, minus_target, s.max(v, s.splat(0.0)));
                    sums.linear = s.add(sums.linear, linear);
                    let error = s.add(sigmoid, minus_target);
                    if GRADIENT {
                        let gradient = s.mul(error, scale);
                        gradients = s.add(gradients, gradient);
                        let to = self.gradient.at(row, col);
                        if WHOLE { s.store(to, gradient) } else { s.store_part(to, gradient, width) }
                    } else {
                        let error = if WHOLE { error } else { s.mul(error, mask) };
                        sums.squares = s.mul_add(error, error, sums.squares);
                    }
                }
            }
            self.sums = sums;
            self.settle(s);
        }
        if GRADIENT {
            // SAFETY: as many as columns.
            unsafe {
                let to = self.bias_gradient.as_mut_ptr().add(col);
                if WHOLE { s.store(to, gradients) } else { s.store_part(to, gradients, width) }
            }
        }
    }
}

impl<S: Simd, const GRADIENT: bool> Finish<S> for Losses<'_, S, GRADIENT> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, _: usize, sum: S::V) {
        let at = row * PANEL * S::LANES + col % (PANEL * S::LANES);
        // SAFETY: panels begin at multiples of their width, and there is room for as many rows as the
        // product has.
        unsafe { s.store(self.panel.as_mut_ptr().add(at), sum) }
    }

    #[inline(always)]
    unsafe fn panel(&mut self, s: S, col: usize, width: usize) {
        for at in (0..width).step_by(S::LANES) {
            let width = S::LANES.min(width - at);
            // SAFETY: the caller grants the columns.
            unsafe {
                let panel = self.panel.as_ptr().add(at);
                if width == S::LANES {
                    self.column::<true>(s, col + at, width, panel);
                } else {
                    self.column::<false>(s, col + at, width, panel);
                }
            }
        }
    }
}
