//! The kernels without dfdx: one step of the reference network on plain vectors, and each kernel alone.
//!
//! The kernels are private to the model, so they are compiled into this bench from their source.
#![allow(dead_code)]

#[path = "../../src/model/buffers.rs"]
mod buffers;
#[path = "../../src/model/kernels/mod.rs"]
mod kernels;

use std::hint::black_box;

use kernels::{AdamStep, Places};

use crate::timing::{Times, repeat};

const PIXELS: usize = 784;
const CODE: usize = 32;
/// Weights and biases, encoder before decoder.
const LENGTHS: [usize; 4] = [PIXELS * CODE, CODE, CODE * PIXELS, PIXELS];
const ADAM: AdamStep = AdamStep { rate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

pub(crate) use kernels::instruction_set;

fn zeros() -> [Vec<f32>; 4] {
    LENGTHS.map(|length| vec![0.0; length])
}

/// What half a batch needs.
struct Lane {
    bytes: Vec<u8>,
    places: Places,
    cursors: Vec<usize>,
    code: Vec<f32>,
    logits: Vec<f32>,
    code_delta: Vec<f32>,
    gradients: [Vec<f32>; 4],
}

impl Lane {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            places: Places::default(),
            cursors: Vec::new(),
            code: Vec::new(),
            logits: Vec::new(),
            code_delta: Vec::new(),
            gradients: zeros(),
        }
    }

    fn load(&mut self, images: &[&[u8]]) {
        self.bytes.clear();
        for image in images {
            self.bytes.extend_from_slice(image);
        }
        self.code.resize(images.len() * CODE, 0.0);
        self.code_delta.resize(images.len() * CODE, 0.0);
        self.logits.resize(images.len() * PIXELS, 0.0);
    }

    fn gradients(&mut self, [w1, b1, w2, b2]: &[Vec<f32>; 4], images: &[&[u8]], scale: f32) -> f64 {
        self.load(images);
        self.gradients.iter_mut().for_each(|gradient| gradient.fill(0.0));
        kernels::find_places(&self.bytes, PIXELS, &mut self.places);
        kernels::sparse_dense_relu(&self.bytes, &self.places, w1, b1, &mut self.code);
        let sums = kernels::dense_losses_gradient(&self.code, w2, b2, &self.bytes, scale, &mut self.logits);
        let [g1, gb1, g2, gb2] = &mut self.gradients;
        kernels::bias_gradient(&self.logits, gb2);
        kernels::weight_gradient(&self.code, &self.logits, images.len(), g2);
        self.code_delta.fill(0.0);
        kernels::input_gradient(&self.logits, w2, PIXELS, &mut self.code_delta);
        for (delta, &unit) in self.code_delta.iter_mut().zip(&self.code) {
            *delta = if unit > 0.0 { *delta } else { 0.0 };
        }
        kernels::bias_gradient(&self.code_delta, gb1);
        self.code_delta.iter_mut().for_each(|delta| *delta /= 255.0);
        let Self { bytes, places, code_delta, cursors, .. } = self;
        kernels::sparse_weight_gradient(bytes, places, code_delta, CODE, cursors, g1);
        sums.cross_entropy
    }
}

/// Reference network and Adam as plain vectors.
pub(crate) struct Floor {
    parameters: [Vec<f32>; 4],
    moments: [[Vec<f32>; 4]; 2],
    lanes: [Lane; 2],
}

impl Floor {
    /// Starts from `parameters` in the order of the model.
    pub(crate) fn new(parameters: [Vec<f32>; 4]) -> Self {
        Self { parameters, moments: [zeros(), zeros()], lanes: [Lane::new(), Lane::new()] }
    }

    /// One step on the current rayon pool; returns the loss.
    pub(crate) fn step(&mut self, batch: &[&[u8]]) -> f64 {
        let count = batch.len() * PIXELS;
        let scale = 1.0 / count as f32;
        let (front, back) = batch.split_at(batch.len().div_ceil(2));
        let ([a, b], parameters) = (&mut self.lanes, &self.parameters);
        let (front, back) =
            rayon::join(|| a.gradients(parameters, front, scale), || b.gradients(parameters, back, scale));
        let [first, second] = &mut self.moments;
        for at in 0..4 {
            let gradients = [&a.gradients[at][..], &b.gradients[at][..]];
            let parameters = &mut self.parameters[at];
            kernels::adam_step(ADAM, parameters, &mut first[at], &mut second[at], gradients);
        }
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
    let mut lane = Lane::new();
    lane.gradients(parameters, batch, 1e-5);
    let [w1, b1, w2, b2] = parameters;
    let n = batch.len() as f64;
    let (pixels, code, weights) = (n * 784.0, n * 32.0, 784.0 * 32.0);
    let lit = lane.bytes.iter().filter(|&&byte| byte > 0).count() as f64;
    let Lane { bytes, places, cursors, code: x, logits, code_delta, gradients: [g1, _, g2, gb2] } = &mut lane;
    let mut rows = Vec::new();
    let mut row = |name, flop, bytes, times| rows.push(Row { name, times, flop, bytes });
    let mut copied = Vec::new();
    row(
        "batch assembly",
        0.0,
        2.0 * pixels,
        repeat(rounds, || {
            copied.clear();
            for image in batch {
                copied.extend_from_slice(image);
            }
            black_box(&mut copied);
        }),
    );
    row(
        "places not black",
        0.0,
        pixels + 2.0 * lit,
        repeat(rounds, || {
            kernels::find_places(black_box(bytes), PIXELS, places);
        }),
    );
    row(
        "forward, first layer",
        2.0 * 32.0 * lit,
        3.0 * lit + 4.0 * (weights + code),
        repeat(rounds, || {
            kernels::sparse_dense_relu(black_box(bytes), places, w1, b1, x);
        }),
    );
    row(
        "forward, loss, its gradient",
        2.0 * 32.0 * pixels,
        4.0 * (weights + code) + 5.0 * pixels,
        repeat(rounds, || {
            black_box(kernels::dense_losses_gradient(black_box(x), w2, b2, bytes, 1e-5, logits));
        }),
    );
    row(
        "weight gradient, last layer",
        2.0 * 32.0 * pixels,
        4.0 * (2.0 * weights + pixels + code),
        repeat(rounds, || {
            kernels::weight_gradient(black_box(x), logits, batch.len(), g2);
        }),
    );
    row(
        "bias gradient, last layer",
        pixels,
        4.0 * pixels,
        repeat(rounds, || {
            kernels::bias_gradient(black_box(logits), gb2);
        }),
    );
    row(
        "input gradient, last layer",
        2.0 * 32.0 * pixels,
        4.0 * (weights + pixels + code),
        repeat(rounds, || {
            kernels::input_gradient(black_box(logits), w2, PIXELS, code_delta);
        }),
    );
    row(
        "weight gradient, first layer",
        2.0 * 32.0 * lit,
        3.0 * lit + 4.0 * (2.0 * weights + code),
        repeat(rounds, || {
            kernels::sparse_weight_gradient(black_box(bytes), places, code_delta, CODE, cursors, g1);
        }),
    );
    let mut moved = parameters.clone();
    let (mut first, mut second) = (zeros(), zeros());
    let all = LENGTHS.iter().sum::<usize>() as f64;
    row(
        "Adam",
        14.0 * all,
        4.0 * 8.0 * all,
        repeat(rounds, || {
            for at in 0..4 {
                let gradients = [&lane.gradients[at][..], &lane.gradients[at][..]];
                kernels::adam_step(ADAM, &mut moved[at], &mut first[at], &mut second[at], gradients);
            }
        }),
    );
    rows
}
