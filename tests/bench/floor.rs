//! The kernels without dfdx: one step of the reference network on plain vectors, and each kernel alone.
//!
//! The kernels are private to the model, so they are compiled into this bench from their source.
#![allow(dead_code, unused_imports)]

#[path = "../../src/model/buffers.rs"]
mod buffers;
#[path = "../../src/model/kernels/mod.rs"]
mod kernels;

use std::hint::black_box;
use std::ops::Range;

use kernels::{AdamStep, Columns, ColumnsMut, Places, Right};

use crate::timing::{Times, repeat};

const PIXELS: usize = 784;
const CODE: usize = 32;
/// Where the model cuts the pixels into halves.
pub(crate) const MIDDLE: usize = 400;
/// Where nothing is cut.
pub(crate) const UNCUT: usize = PIXELS;
/// Weights and biases, encoder before decoder; both weights are kept as `[pixels, code]`.
const LENGTHS: [usize; 4] = [PIXELS * CODE, CODE, CODE * PIXELS, PIXELS];
const ADAM: AdamStep = AdamStep { rate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

pub(crate) use kernels::instruction_set;

fn zeros() -> [Vec<f32>; 4] {
    LENGTHS.map(|length| vec![0.0; length])
}

/// What one half of the pixels needs.
struct Half {
    pixels: Range<usize>,
    images: usize,
    bytes: Vec<u8>,
    places: Places,
    sums: Vec<f32>,
    delta: Vec<f32>,
    bias_delta: Vec<f32>,
    code_delta: Vec<f32>,
}

impl Half {
    fn new(pixels: Range<usize>, images: usize) -> Self {
        let width = pixels.len();
        Self {
            pixels,
            images,
            bytes: vec![0; images * width],
            places: Places::default(),
            sums: vec![0.0; images * CODE],
            // Rows an odd number of vectors apart.
            delta: vec![0.0; images * (width.div_ceil(16) | 1) * 16],
            bias_delta: vec![0.0; width],
            code_delta: vec![0.0; images * CODE],
        }
    }

    fn bytes(&self) -> Columns<'_, u8> {
        Columns::all(&self.bytes, (self.images, self.pixels.len()))
    }

    fn delta(&self) -> Columns<'_> {
        let stride = self.delta.len() / self.images;
        Columns::all(&self.delta, (self.images, stride)).range(&(0..self.pixels.len()))
    }

    /// Its part of a weight, `[pixels, code]`.
    fn part<'a>(&self, weight: &'a [f32]) -> Columns<'a> {
        Columns::all(&weight[self.pixels.start * CODE..self.pixels.end * CODE], (self.pixels.len(), CODE))
    }

    fn load(&mut self, images: &[&[u8]]) {
        for (image, to) in images.iter().zip(self.bytes.chunks_exact_mut(self.pixels.len().max(1))) {
            to.copy_from_slice(&image[self.pixels.clone()]);
        }
    }

    fn encode(&mut self, w1: &[f32]) {
        let mut places = std::mem::take(&mut self.places);
        let mut sums = std::mem::take(&mut self.sums);
        kernels::find_places(self.bytes(), &mut places);
        kernels::sparse_product(self.bytes(), &places, self.part(w1), &mut sums);
        (self.places, self.sums) = (places, sums);
    }

    /// The loss, and what depends on its gradient alone.
    fn decode(&mut self, code: &[f32], w2: &[f32], b2: &[f32], g2: &mut [f32], scale: f32) -> f64 {
        let code = Columns::all(code, (code.len() / CODE, CODE));
        let (mut delta, mut bias_delta) =
            (std::mem::take(&mut self.delta), std::mem::take(&mut self.bias_delta));
        let (w2, b2) = (self.part(w2), &b2[self.pixels.clone()]);
        let stride = delta.len() / code.rows();
        let (deltas, _) = ColumnsMut::all(&mut delta, (code.rows(), stride)).split_at(self.pixels.len());
        let sums = kernels::dense_losses_gradient(
            code,
            Right::Transposed(w2),
            b2,
            self.bytes(),
            scale,
            deltas,
            &mut bias_delta,
        );
        (self.delta, self.bias_delta) = (delta, bias_delta);
        let g2 = ColumnsMut::all(g2, (self.pixels.len(), CODE));
        kernels::add_product_by_columns(self.delta(), code, g2);
        self.code_delta.fill(0.0);
        let shape = (code.rows(), CODE);
        let mut code_delta = std::mem::take(&mut self.code_delta);
        kernels::add_product(self.delta(), Right::Rows(w2), ColumnsMut::all(&mut code_delta, shape));
        self.code_delta = code_delta;
        sums.cross_entropy
    }
}

/// Reference network and Adam as plain vectors, cut into halves as the model is, or not.
pub(crate) struct Floor {
    parameters: [Vec<f32>; 4],
    moments: [[Vec<f32>; 4]; 2],
    gradients: [Vec<f32>; 4],
    middle: usize,
    halves: [Half; 2],
    code: Vec<f32>,
    code_delta: Vec<f32>,
}

impl Floor {
    /// Starts from `parameters` as the model keeps them, for batches of `images`; the second half of the pixels
    /// begins in the `middle`.
    pub(crate) fn new(parameters: [Vec<f32>; 4], images: usize, middle: usize) -> Self {
        Self {
            parameters,
            moments: [zeros(), zeros()],
            gradients: zeros(),
            middle,
            halves: [Half::new(0..middle, images), Half::new(middle..PIXELS, images)],
            code: vec![0.0; images * CODE],
            code_delta: vec![0.0; images * CODE],
        }
    }

    /// One step on the current rayon pool; returns the loss.
    pub(crate) fn step(&mut self, batch: &[&[u8]]) -> f64 {
        let count = batch.len() * PIXELS;
        let scale = 1.0 / count as f32;
        let Self {
            parameters: [w1, b1, w2, b2],
            moments: [m, v],
            gradients,
            halves: [a, b],
            code,
            code_delta,
            middle,
        } = self;
        let middle = *middle;
        rayon::join(|| a.load(batch), || b.load(batch));
        rayon::join(|| a.encode(w1), || b.encode(w1));
        for (at, unit) in code.iter_mut().enumerate() {
            *unit = (a.sums[at] + b.sums[at] + b1[at % CODE]).max(0.0);
        }
        let [g1, gb1, g2, gb2] = &mut *gradients;
        let (front, back) = g2.split_at_mut(middle * CODE);
        let (front, back) =
            rayon::join(|| a.decode(code, w2, b2, front, scale), || b.decode(code, w2, b2, back, scale));
        for (to, from) in gb2.iter_mut().zip(a.bias_delta.iter().chain(&b.bias_delta)) {
            *to += from;
        }
        for (at, delta) in code_delta.iter_mut().enumerate() {
            *delta = if code[at] > 0.0 { a.code_delta[at] + b.code_delta[at] } else { 0.0 };
            gb1[at % CODE] += *delta;
        }
        let delta = Columns::all(code_delta, (batch.len(), CODE));
        let (g1_front, g1_back) = g1.split_at_mut(middle * CODE);
        rayon::join(
            || kernels::sparse_weight_gradient(a.bytes(), &a.places, delta, g1_front),
            || kernels::sparse_weight_gradient(b.bytes(), &b.places, delta, g1_back),
        );
        let (mut front_parts, mut back_parts) = (Vec::new(), Vec::new());
        let parameters = [(w1, CODE), (b1, CODE), (w2, CODE), (b2, 1)];
        for ((((p, columns), m), v), g) in parameters.into_iter().zip(m).zip(v).zip(gradients) {
            let middle = (middle * columns).min(p.len());
            let [p, m, v, g] = [p, m, v, g].map(|data| data.split_at_mut(middle));
            front_parts.push([p.0, m.0, v.0, g.0]);
            back_parts.push([p.1, m.1, v.1, g.1]);
        }
        let work = |parts: Vec<[&mut [f32]; 4]>| {
            for [p, m, v, g] in parts {
                kernels::adam_step(ADAM, p, m, v, g);
            }
        };
        rayon::join(|| work(front_parts), || work(back_parts));
        (front + back) / count as f64
    }
}

/// A kernel's time with what it has to do.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) times: Times,
    /// Multiplications and additions, those by zero left out.
    pub(crate) flop: f64,
    /// Bytes read and written at least once.
    pub(crate) bytes: f64,
}

/// Each kernel of a step of the reference network, on the whole `batch` by one thread.
pub(crate) fn rows(parameters: &[Vec<f32>; 4], batch: &[&[u8]], rounds: usize) -> Vec<Row> {
    let mut half = Half::new(0..PIXELS, batch.len());
    let [w1, _, w2, b2] = parameters;
    half.load(batch);
    half.encode(w1);
    let n = batch.len() as f64;
    let (pixels, code, weights) = (n * 784.0, n * 32.0, 784.0 * 32.0);
    let lit = half.bytes.iter().filter(|&&byte| byte > 0).count() as f64;
    let [mut g1, _, mut g2, _] = zeros();
    let x = half.sums.clone();
    let x = Columns::all(&x, (batch.len(), CODE));
    let mut rows = Vec::new();
    let mut row = |name, flop, bytes, times| rows.push(Row { name, times, flop, bytes });
    row("batch assembly", 0.0, 2.0 * pixels, repeat(rounds, || half.load(black_box(batch))));
    let Half { bytes, places, sums, delta, bias_delta, code_delta, .. } = &mut half;
    let images = Columns::all(bytes, (batch.len(), PIXELS));
    let w1 = Columns::all(w1, (PIXELS, CODE));
    let w2 = Columns::all(w2, (PIXELS, CODE));
    row(
        "places not black",
        0.0,
        pixels + 2.0 * lit,
        repeat(rounds, || kernels::find_places(black_box(images), places)),
    );
    row(
        "forward, first layer",
        2.0 * 32.0 * lit,
        3.0 * lit + 4.0 * (weights + code),
        repeat(rounds, || kernels::sparse_product(black_box(images), places, w1, sums)),
    );
    row(
        "forward, loss, its gradient",
        2.0 * 32.0 * pixels,
        4.0 * (weights + code) + 5.0 * pixels,
        repeat(rounds, || {
            black_box(kernels::dense_losses_gradient(
                black_box(x),
                Right::Transposed(w2),
                b2,
                images,
                1e-5,
                ColumnsMut::all(delta, (batch.len(), PIXELS)),
                bias_delta,
            ));
        }),
    );
    let delta = Columns::all(delta, (batch.len(), PIXELS));
    row(
        "weight gradient, last layer",
        2.0 * 32.0 * pixels,
        4.0 * (2.0 * weights + pixels + code),
        repeat(rounds, || {
            kernels::add_product_by_columns(delta, black_box(x), ColumnsMut::all(&mut g2, (PIXELS, CODE)));
        }),
    );
    row(
        "input gradient, last layer",
        2.0 * 32.0 * pixels,
        4.0 * (weights + pixels + code),
        repeat(rounds, || {
            let to = ColumnsMut::all(code_delta, (batch.len(), CODE));
            kernels::add_product(black_box(delta), Right::Rows(w2), to);
        }),
    );
    let code_delta = Columns::all(code_delta, (batch.len(), CODE));
    row(
        "weight gradient, first layer",
        2.0 * 32.0 * lit,
        3.0 * lit + 4.0 * (2.0 * weights + code),
        repeat(rounds, || {
            kernels::sparse_weight_gradient(black_box(images), places, code_delta, &mut g1);
        }),
    );
    let (mut moved, mut first, mut second, mut gradients) = (parameters.clone(), zeros(), zeros(), zeros());
    let all = LENGTHS.iter().sum::<usize>() as f64;
    row(
        "Adam",
        14.0 * all,
        4.0 * 8.0 * all,
        repeat(rounds, || {
            for at in 0..4 {
                let parts = [&mut moved, &mut first, &mut second, &mut gradients];
                let [p, m, v, g] = parts.map(|part| &mut part[at][..]);
                kernels::adam_step(ADAM, p, m, v, g);
            }
        }),
    );
    rows
}
