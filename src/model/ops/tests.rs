//! Each operation against dfdx's stock ones and against `f64`, values and gradients.

use dfdx::prelude::*;

use super::*;
use crate::random::{Purpose, Random};

/// Rows, inputs and outputs: batch 1, odd sizes, whole and broken vectors, one unit, several tiles.
const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (1, 784, 32),
    (2, 3, 5),
    (3, 1, 40),
    (3, 17, 7),
    (4, 8, 24),
    (5, 31, 33),
    (7, 64, 16),
    (13, 50, 100),
    (16, 32, 784),
    (31, 29, 49),
    (64, 300, 65),
    (65, 700, 130),
    (9, 128, 303),
];

/// Random numbers of one test.
struct Source(Random);

impl Source {
    fn new(seed: u64) -> Self {
        Self(Random::new(seed, Purpose::Weights(99)))
    }

    fn values(&mut self, count: usize, limit: f32) -> Vec<f32> {
        (0..count).map(|_| self.0.uniform(-limit, limit)).collect()
    }

    /// Bytes of which a part of `density` is not zero.
    fn bytes(&mut self, count: usize, density: f32) -> Vec<u8> {
        let mut byte = || if self.0.uniform(0.0, 1.0) < density { self.0.below(256) as u8 } else { 0 };
        (0..count).map(|_| byte()).collect()
    }
}

fn matrix(device: &Cpu, values: Vec<f32>, rows: usize) -> Matrix {
    let columns = values.len() / rows;
    device.tensor_from_vec(values, (rows, columns))
}

/// Fails unless the largest difference is below 1e-6 of the largest value.
fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs())).max(1e-20);
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-6 * scale, "{what}[{at}]: {a} instead of {b}, scale {scale}");
    }
}

fn layer(side: Side, weight: &Matrix, bias: &Row) -> Dense {
    Dense::new(side, *weight.shape(), &weight.as_vec(), &bias.as_vec())
}

fn stock_dense(x: Matrix<OwnedTape<f32, Cpu>>, weight: &Matrix, bias: &Row) -> Matrix<OwnedTape<f32, Cpu>> {
    let y = x.matmul(weight.clone());
    let shape = *y.shape();
    y + bias.leaky_trace().broadcast_like::<_, Axis<0>>(&shape)
}

/// Values, then gradients of input, weight and bias, for a loss that weighs every output differently.
fn check_dense_relu(side: Side, rows: usize, inputs: usize, outputs: usize) {
    let device = Cpu::default();
    let mut source = Source::new((rows * 1_000_003 + inputs * 1_009 + outputs) as u64);
    let x = matrix(&device, source.values(rows * inputs, 1.0), rows);
    let weight = matrix(&device, source.values(inputs * outputs, 1.0), inputs);
    let bias = device.tensor_from_vec(source.values(outputs, 1.0), (outputs,));
    let weigh = matrix(&device, source.values(rows * outputs, 1.0), rows);
    let layer = layer(side, &weight, &bias);

    let y = dense_relu(x.leaky_trace(), &layer);
    let y_stock = stock_dense(x.leaky_trace(), &weight, &bias).relu();
    assert_close("y", &y.as_vec(), &y_stock.as_vec());
    let ours = (y * weigh.clone()).sum().backward();
    let stock = (y_stock * weigh).sum().backward();
    assert_close("dx", &ours.get(&x).as_vec(), &stock.get(&x).as_vec());
    assert_close("dw", &layer.in_order(&ours.get(&layer.weight).as_vec()), &stock.get(&weight).as_vec());
    assert_close("db", &ours.get(&layer.bias).as_vec(), &stock.get(&bias).as_vec());
}

#[test]
fn dense_relu_is_matmul_add_relu() {
    for (rows, inputs, outputs) in SHAPES {
        check_dense_relu(Side::Inputs, rows, inputs, outputs);
        check_dense_relu(Side::Outputs, rows, inputs, outputs);
    }
}

#[test]
fn the_first_layer_is_the_same_from_bytes_dense_or_sparse() {
    let device = Cpu::default();
    for (rows, inputs, outputs) in SHAPES {
        for density in [0.0, 0.02, 0.2, 0.39, 0.41, 1.0] {
            let mut source = Source::new((rows + inputs + outputs) as u64);
            let bytes = source.bytes(rows * inputs, density);
            let x: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let x = matrix(&device, x, rows);
            let images: Images = device.tensor_from_vec(bytes, (rows, inputs));
            let weight = matrix(&device, source.values(inputs * outputs, 1.0), inputs);
            let bias = device.tensor_from_vec(source.values(outputs, 1.0), (outputs,));
            let weigh = matrix(&device, source.values(rows * outputs, 1.0), rows);

            let layer = layer(Side::Inputs, &weight, &bias);
            let y = images_dense_relu(images.leaky_traced(), &layer);
            let y_stock = stock_dense(x.leaky_trace(), &weight, &bias).relu();
            assert_close("y", &y.as_vec(), &y_stock.as_vec());
            let ours = (y * weigh.clone()).sum().backward();
            let stock = (y_stock * weigh).sum().backward();
            assert_close(
                "dw",
                &layer.in_order(&ours.get(&layer.weight).as_vec()),
                &stock.get(&weight).as_vec(),
            );
            assert_close("db", &ours.get(&layer.bias).as_vec(), &stock.get(&bias).as_vec());
        }
    }
}

/// Cross-entropy of logits in `f64`, divided by `count`.
fn reference_loss(x: &[f64], weight: &[f64], bias: &[f64], targets: &[u8], count: usize) -> f64 {
    let (outputs, inputs) = (bias.len(), weight.len() / bias.len());
    let mut sum = 0.0;
    for (at, &target) in targets.iter().enumerate() {
        let (row, col) = (at / outputs, at % outputs);
        let dot: f64 = (0..inputs).map(|i| x[row * inputs + i] * weight[i * outputs + col]).sum();
        let v = dot + bias[col];
        sum += v.max(0.0) - v * f64::from(target) / 255.0 + (-v.abs()).exp().ln_1p();
    }
    sum / count as f64
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn cross_entropy_is_dfdx_bce_with_logits_and_right_in_f64() {
    let device = Cpu::default();
    for (rows, inputs, outputs) in SHAPES {
        // The widest logits reach far beyond where the exponential vanishes; sums of many large terms
        // would differ by their own rounding.
        for limit in [0.1, 0.5, 30.0 / inputs as f32] {
            let mut source = Source::new((rows + inputs + outputs) as u64);
            let x = matrix(&device, source.values(rows * inputs, 1.0), rows);
            let weight = matrix(&device, source.values(inputs * outputs, limit), inputs);
            let bias = device.tensor_from_vec(source.values(outputs, 1.0), (outputs,));
            let bytes = source.bytes(rows * outputs, 0.5);
            let count = rows * outputs;
            let targets = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let targets = matrix(&device, targets, rows);
            let images: Images = device.tensor_from_vec(bytes.clone(), (rows, outputs));

            let layer = layer(Side::Outputs, &weight, &bias);
            let loss = dense_cross_entropy(x.leaky_trace(), &layer, &images, count);
            let without = dense_cross_entropy(x.clone(), &layer, &images, count);
            assert_eq!(loss.array(), without.array());
            let expected = reference_loss(
                &to_f64(&x.as_vec()),
                &to_f64(&weight.as_vec()),
                &to_f64(&bias.as_vec()),
                &bytes,
                count,
            );
            let found = f64::from(loss.array());
            assert!((found - expected).abs() <= 1e-6 * expected, "{found} instead of {expected}");

            let logits = stock_dense(x.leaky_trace(), &weight, &bias);
            let stock = logits.bce_with_logits(targets).mean().backward();
            let ours = loss.backward();
            assert_close("dx", &ours.get(&x).as_vec(), &stock.get(&x).as_vec());
            assert_close(
                "dw",
                &layer.in_order(&ours.get(&layer.weight).as_vec()),
                &stock.get(&weight).as_vec(),
            );
            assert_close("db", &ours.get(&layer.bias).as_vec(), &stock.get(&bias).as_vec());
        }
    }
}

#[test]
fn a_loss_that_is_used_further_passes_its_gradient_on() {
    let device = Cpu::default();
    let mut source = Source::new(5);
    let x = matrix(&device, source.values(12, 1.0), 3);
    let weight = matrix(&device, source.values(20, 1.0), 4);
    let bias = device.tensor_from_vec(source.values(5, 1.0), (5,));
    let images: Images = device.tensor_from_vec(source.bytes(15, 0.5), (3, 5));
    let layer = layer(Side::Outputs, &weight, &bias);
    let once = dense_cross_entropy(x.leaky_trace(), &layer, &images, 15).backward();
    let tripled = (dense_cross_entropy(x.leaky_trace(), &layer, &images, 15) * 3.0).backward();
    let expected: Vec<f32> = once.get(&layer.weight).as_vec().iter().map(|g| g * 3.0).collect();
    assert_close("dw", &tripled.get(&layer.weight).as_vec(), &expected);
}
