//! One step of Adam on a run of parameters.

use super::simd::Simd;

/// Constants of one step (Kingma and Ba, "Adam", 2015, end of section 2; Keras computes it so).
#[derive(Clone, Copy)]
pub(in crate::model) struct AdamStep {
    /// Learning rate with the bias of both moments corrected: `rate * sqrt(1 - b2^t) / (1 - b1^t)`.
    pub(in crate::model) rate: f32,
    /// Decay of the first moment.
    pub(in crate::model) beta1: f32,
    /// Decay of the second moment.
    pub(in crate::model) beta2: f32,
    /// Added to the root of the second moment.
    pub(in crate::model) epsilon: f32,
}

/// Moves `parameters` by `gradients`, and leaves those zero for the next step.
#[inline(always)]
pub(super) fn adam<S: Simd>(
    s: S,
    step: AdamStep,
    parameters: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    gradients: &mut [f32],
) {
    let count = parameters.len();
    assert_eq!([first.len(), second.len(), gradients.len()], [count; 3]);
    let tail = count % S::LANES;
    let whole = count - tail;
    let [p, m, v, g] = [parameters, first, second, gradients].map(<[f32]>::as_mut_ptr);
    // SAFETY: all four have `count` floats; whole vectors end before `whole`, the rest is `tail` floats.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            let [p, m, v, g] = [p, m, v, g].map(|x| x.add(at));
            let (np, nm, nv) = update(s, step, s.load(p), s.load(m), s.load(v), s.load(g));
            s.store(p, np);
            s.store(m, nm);
            s.store(v, nv);
            s.store(g, s.splat(0.0));
        }
        if tail != 0 {
            let [p, m, v, g] = [p, m, v, g].map(|x| x.add(whole));
            let [p0, m0, v0, g0] = [p, m, v, g].map(|x| s.load_part(x, tail));
            let (np, nm, nv) = update(s, step, p0, m0, v0, g0);
            s.store_part(p, np, tail);
            s.store_part(m, nm, tail);
            s.store_part(v, nv, tail);
            s.store_part(g, s.splat(0.0), tail);
        }
    }
}

/// Parameter and moments after the update.
#[inline(always)]
fn update<S: Simd>(s: S, step: AdamStep, p: S::V, m: S::V, v: S::V, g: S::V) -> (S::V, S::V, S::V) {
    let m = s.mul_add(s.sub(g, m), s.splat(1.0 - step.beta1), m);
    let v = s.mul_add(s.sub(s.mul(g, g), v), s.splat(1.0 - step.beta2), v);
    let change = s.div(s.mul(m, s.splat(step.rate)), s.add(s.sqrt(v), s.splat(step.epsilon)));
    (s.sub(p, change), m, v)
}
