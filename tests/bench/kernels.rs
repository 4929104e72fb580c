//! Each kernel beside the machine's measured peak, and the whole step beside the same kernels without dfdx.
//!
//! `cargo bench --bench kernels`, with `AESCOPE_DATA_DIR` as for the bench `train`.

mod images;
#[path = "floor.rs"]
mod model;
mod peak;
mod timing;

use std::hint::black_box;

use aescope::model::{Adam, Autoencoder, Learner};
use images::Images;
use model::Floor;
use timing::{Times, time};

const BATCH: usize = 128;

fn main() {
    let images = Images::load();
    println!("{} images, {}; {} kernels", images.count(), images.origin(), model::instruction_set());
    let peak = peak::gflops();
    if let Some((peak, floats)) = peak {
        println!("peak of one thread: {peak:.1} GFLOP/s (multiply-adds of {floats} floats)");
    }
    for (bytes, cache) in [(8 << 10, "first cache"), (256 << 10, "second cache"), (64 << 20, "memory")] {
        println!("copies in the {cache}: {:.1} GB/s, read and written", peak::copy_gbs(bytes));
    }
    let order = images.shuffled();
    let model = Autoencoder::new(&[784, 32, 784], 1, 1);
    let parameters = || {
        let mut values = model.parameters().into_iter().map(|parameter| parameter.values);
        let mut next = || values.next().expect("the reference network has four parameters");
        let [w1, b1, w2, b2] = [next(), next(), next(), next()];
        // The decoder's weight is kept by outputs.
        let kept = (0..784).flat_map(|pixel| w2[pixel..].iter().step_by(784).copied()).collect();
        [w1, b1, kept, b2]
    };
    println!(
        "{:<28} {:>18} {:>9} {:>8} {:>9}",
        "kernel, batch of 128", "best / median", "GFLOP/s", "of peak", "GB/s"
    );
    for row in model::rows(&parameters(), &order[..BATCH], 1_000) {
        let gflops = row.flop / row.times.best / 1e9;
        let part = peak.map_or(String::new(), |(peak, _)| format!("{:.0} %", gflops / peak * 100.0));
        let gbs = row.bytes / row.times.best / 1e9;
        println!("{:<28} {:>18} {gflops:>9.1} {part:>8} {gbs:>9.1}", row.name, row.times);
    }
    for threads in [1, 2] {
        against_floor(threads, &order, &model, parameters());
    }
    cost_of_halves(&order, parameters());
}

/// What it costs that one thread works as two would, in halves whose sums are added in order, so that the bits
/// are the same for any number of threads.
fn cost_of_halves(order: &[&[u8]], parameters: [Vec<f32>; 4]) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    let mut cut = Floor::new(parameters.clone(), BATCH, model::MIDDLE);
    let mut uncut = Floor::new(parameters, BATCH, model::UNCUT);
    let (mut in_halves, mut whole) = (Vec::new(), Vec::new());
    pool.install(|| {
        let batches = order.chunks_exact(BATCH);
        for (batch, other) in batches.clone().cycle().zip(batches.rev().cycle()).take(1_500) {
            in_halves.push(time(|| {
                black_box(cut.step(batch));
            }));
            whole.push(time(|| {
                black_box(uncut.step(other));
            }));
        }
    });
    let (in_halves, whole) = (Times::of(in_halves, 1.0), Times::of(whole, 1.0));
    println!(
        "one thread without dfdx: {in_halves} in halves, {whole} uncut: the fixed order takes {:+.1} % by best, {:+.1} % by median",
        (in_halves.best / whole.best - 1.0) * 100.0,
        (in_halves.median / whole.median - 1.0) * 100.0
    );
}

/// Steps of both in turn, so that both meet the same disturbances.
fn against_floor(threads: usize, order: &[&[u8]], model: &Autoencoder, parameters: [Vec<f32>; 4]) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    let mut learner = Learner::new(model.clone(), Adam::new(1e-4));
    let mut floor = Floor::new(parameters, BATCH, model::MIDDLE);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (mut loss, mut floor_loss) = (0.0, 0.0);
    pool.install(|| {
        let batches = order.chunks_exact(BATCH);
        let others = batches.clone().rev().cycle();
        let pairs = batches.clone().cycle().zip(batches.cycle().skip(1));
        for ((batch, next), other) in pairs.zip(others).take(1_500) {
            with.push(time(|| loss = learner.step(batch, next)));
            // Another batch, which is as far away.
            without.push(time(|| floor_loss = floor.step(other)));
        }
    });
    let (with, without) = (Times::of(with, 1.0), Times::of(without, 1.0));
    println!(
        "step, {threads} threads: {with} with dfdx (loss {loss:.4}), {without} without ({floor_loss:.4}): {:.2} times",
        with.best / without.best
    );
}
