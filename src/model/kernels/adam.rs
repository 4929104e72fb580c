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

/// Moves `parameters` by the sum of two gradients.
#[inline(always)]
pub(super) fn adam<S: Simd>(
    s: S,
    step: AdamStep,
    parameters: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    gradients: [&[f32]; 2],
) {
    let count = parameters.len();
    assert_eq!([first.len(), second.len(), gradients[0].len(), gradients[1].len()], [count; 4]);
    let tail = count % S::LANES;
    let whole = count - tail;
    let (p, m, v) = (parameters.as_mut_ptr(), first.as_mut_ptr(), second.as_mut_ptr());
    let g = gradients.map(<[f32]>::as_ptr);
    // SAFETY: all five have `count` floats; whole vectors end before `whole`, the rest is `tail` floats.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            let g = [s.load(g[0].add(at)), s.load(g[1].add(at))];
            let (np, nm, nv) = update(s, step, s.load(p.add(at)), s.load(m.add(at)), s.load(v.add(at)), g);
            s.store(p.add(at), np);
            s.store(m.add(at), nm);
            s.store(v.add(at), nv);
        }
        if tail != 0 {
            let g = [s.load_part(g[0].add(whole), tail), s.load_part(g[1].add(whole), tail)];
            let [p0, m0, v0] = [
                s.load_part(p.add(whole), tail),
                s.load_part(m.add(whole), tail),
                s.load_part(v.add(whole), tail),
            ];
            let (np, nm, nv) = update(s, step, p0, m0, v0, g);
            s.store_part(p.add(whole), np, tail);
            s.store_part(m.add(whole), nm, tail);
            s.store_part(v.add(whole), nv, tail);
        }
    }
}

/// Parameter and moments after the update.
#[inline(always)]
fn update<S: Simd>(s: S, step: AdamStep, p: S::V, m: S::V, v: S::V, g: [S::V; 2]) -> (S::V, S::V, S::V) {
    let g = s.add(g[0], g[1]);
    let m = s.mul_add(s.sub(g, m), s.splat(1.0 - step.beta1), m);
    let v = s.mul_add(s.sub(s.mul(g, g), v), s.splat(1.0 - step.beta2), v);
    let change = s.div(s.mul(m, s.splat(step.rate)), s.add(s.sqrt(v), s.splat(step.epsilon)));
    (s.sub(p, change), m, v)
}
