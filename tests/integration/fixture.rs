//! A run as the trainer would report it, made of formulas: the same at every call, at any step.

use std::f32::consts::TAU;

use aescope::config::{Pace, RunConfig};
use aescope::message::{
    DataInfo, EpochRecord, Floors, LayerInfo, LossHistory, Phase, RunInfo, Sample, Snapshot, TestResult,
};

pub(crate) const STEPS_PER_EPOCH: u64 = 375;
pub(crate) const SIDE: usize = 28;
const TEST_IMAGES: u32 = 10_000;

/// Strokes of a seven-segment digit: top, upper left, upper right, middle, lower left, lower right, bottom.
const SEGMENTS: [[bool; 7]; 10] = {
    const fn segments(bits: u8) -> [bool; 7] {
        let mut on = [false; 7];
        let mut place = 0;
        while place < 7 {
            on[place] = bits >> (6 - place) & 1 == 1;
            place += 1;
        }
        on
    }
    [
        segments(0b111_0111),
        segments(0b001_0010),
        segments(0b101_1101),
        segments(0b101_1011),
        segments(0b011_1010),
        segments(0b110_1011),
        segments(0b110_1111),
        segments(0b101_0010),
        segments(0b111_1111),
        segments(0b111_1011),
    ]
};
const LINES: [[(f32, f32); 2]; 7] = [
    [(9.0, 5.0), (19.0, 5.0)],
    [(9.0, 5.0), (9.0, 14.0)],
    [(19.0, 5.0), (19.0, 14.0)],
    [(9.0, 14.0), (19.0, 14.0)],
    [(9.0, 14.0), (9.0, 23.0)],
    [(19.0, 14.0), (19.0, 23.0)],
    [(9.0, 23.0), (19.0, 23.0)],
];

/// A number in 0..1 that looks random.
fn noise(seed: u64) -> f32 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    bits = (bits ^ (bits >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 32)) >> 40) as f32 / (1_u64 << 24) as f32
}

pub(crate) fn label(index: u32) -> u8 {
    (noise(u64::from(index) + 77) * 10.0) as u8
}

/// A slanted seven-segment digit of a pen with a soft edge, pixels in 0..1.
fn digit(index: u32, pen: f32) -> Vec<f32> {
    let on = SEGMENTS[usize::from(label(index))];
    let slant = noise(u64::from(index) * 3 + 1) * 0.4 - 0.1;
    let wide = 0.8 + noise(u64::from(index) * 3 + 2) * 0.4;
    (0..SIDE * SIDE)
        .map(|pixel| {
            let y = (pixel / SIDE) as f32;
            let x = ((pixel % SIDE) as f32 - 14.0 + (y - 14.0) * slant) / wide + 14.0;
            let strokes = LINES.iter().zip(on).filter(|(_, on)| *on);
            let near = strokes.map(|([a, b], _)| distance((x, y), *a, *b)).fold(99.0, f32::min);
            (1.0 + pen - near).clamp(0.0, 1.0)
        })
        .collect()
}

fn distance(p: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let along = (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (p.0 - a.0 - along * dx).hypot(p.1 - a.1 - along * dy)
}

/// The loss of the batch at `step`.
fn batch_loss(step: u64) -> f32 {
    let at = step as f32;
    0.0935 + 0.45 * (-at / 60.0).exp() + 0.15 * (-at / 650.0).exp() + (noise(step) - 0.5) * 0.008
}

pub(crate) fn config() -> RunConfig {
    RunConfig::default()
}

pub(crate) fn info() -> RunInfo {
    let layer = |name: &str, kind: &str, outputs, parameters, encoder| LayerInfo {
        name: name.into(),
        kind: kind.into(),
        outputs,
        parameters,
        encoder,
    };
    RunInfo {
        run: "2026-11-23-1904".into(),
        folder: Some("checkpoints/2026-11-23-1904".into()),
        config: config(),
        data: DataInfo {
            name: "mnist".into(),
            rows: 28,
            cols: 28,
            train_images: 48_000,
            validation_images: 12_000,
            test_images: TEST_IMAGES,
            floors: Floors { train: Some(0.05842), validation: Some(0.05815), test: 0.05808 },
            test_labels: (0..TEST_IMAGES).map(label).collect(),
        },
        layers: vec![
            layer("encoder 1", "dense, relu", 32, 25_120, true),
            layer("decoder 1", "dense, sigmoid", 784, 25_872, false),
        ],
        steps_per_epoch: STEPS_PER_EPOCH,
        threads: 2,
        history: Vec::new(),
        step: 0,
    }
}

pub(crate) fn epoch(epoch: u32) -> EpochRecord {
    let step = u64::from(epoch) * STEPS_PER_EPOCH;
    let train = (step - STEPS_PER_EPOCH..step).map(|step| f64::from(batch_loss(step))).sum::<f64>();
    let seconds = 0.0871 + f64::from(noise(u64::from(epoch))) * 0.01;
    EpochRecord {
        epoch,
        step,
        train_loss: train / STEPS_PER_EPOCH as f64,
        validation_loss: f64::from(batch_loss(step) - (noise(step) - 0.5) * 0.0072) - 0.0008,
        seconds,
        images_per_second: 48_000.0 / seconds,
    }
}

pub(crate) fn test_result() -> TestResult {
    TestResult { loss: 0.092_24, mse: 0.009_31 }
}

pub(crate) fn sample(index: u32, step: u64) -> Sample {
    let original = digit(index, 0.9);
    let blurred = digit(index, 1.7);
    let learned = 1.0 - (-(step as f32) / 700.0).exp();
    let reconstruction = (0..SIDE * SIDE)
        .map(|pixel| {
            let (x, y) = ((pixel % SIDE) as f32 - 13.5, (pixel / SIDE) as f32 - 13.5);
            let blob = 0.45 * (-(x * x / 50.0 + y * y / 80.0)).exp();
            let wobble = (step as f32 / 90.0 + noise(pixel as u64 + u64::from(index)) * TAU).sin();
            let value = learned * (blurred[pixel] * 0.75 + original[pixel] * 0.2) + (1.0 - learned) * blob;
            (value + wobble * 0.04 * (value + 0.02)).clamp(0.0, 1.0)
        })
        .collect();
    let code = (0..32)
        .map(|unit| {
            let seed = u64::from(index) * 32 + unit;
            let wobble = (step as f32 / 200.0 + noise(seed + 9) * TAU).sin() * 0.2;
            ((noise(seed) * 1.4 - 0.35 + wobble) * (1.0 + learned * 9.0)).max(0.0)
        })
        .collect();
    Sample {
        index,
        label: Some(label(index)),
        original: original.iter().map(|value| (value * 255.0) as u8).collect(),
        code,
        reconstruction,
        loss: 0.081 + 0.2 * (1.0 - learned) + noise(index.into()) * 0.02,
        mse: 0.008 + 0.05 * (1.0 - learned),
    }
}

/// What the trainer would publish at `step` with `watch` in view.
pub(crate) fn snapshot(phase: Phase, step: u64, watch: &[u32]) -> Snapshot {
    let mut losses = LossHistory::default();
    (0..step).for_each(|step| losses.push(batch_loss(step)));
    let rate = 512_000.0 + 9_000.0 * f64::from(noise(step / 40));
    let left = 7_500_u64.saturating_sub(step) as f64;
    Snapshot {
        phase,
        epochs: 20,
        step,
        saved_step: (step >= STEPS_PER_EPOCH).then_some(step / STEPS_PER_EPOCH * STEPS_PER_EPOCH),
        images_per_second: rate,
        eta_seconds: (phase == Phase::Training || phase == Phase::Paused)
            .then_some(left * 128.0 / rate + 0.6),
        pace: Pace::Full,
        losses,
        recent: (step.saturating_sub(Snapshot::RECENT as u64)..step).map(batch_loss).collect(),
        samples: watch.iter().map(|&index| sample(index, step)).collect(),
    }
}
