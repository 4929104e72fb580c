//! Time of a training step and epoch beside dfdx's stock operations; validation, and decoding one image.
//!
//! `cargo bench --bench train`, with `AESCOPE_DATA_DIR` naming the folder that holds `mnist/`; without it
//! random bytes of the same density are used, and the output says so.

mod images;
mod stock;
mod timing;

use aescope::model::{Adam, Autoencoder, Learner, instruction_set};
use images::Images;
use std::hint::black_box;
use timing::{Times, repeat, time};

const BATCH: usize = 128;
const ROUNDS: usize = 7;

/// A network to be timed.
struct Network {
    name: &'static str,
    sizes: &'static [usize],
    encoder_layers: usize,
    /// Part of an epoch that is timed, so that the slow ones do not take all day.
    part: usize,
}

const NETWORKS: [Network; 3] = [
    Network { name: "reference", sizes: &[784, 32, 784], encoder_layers: 1, part: 1 },
    Network { name: "deep", sizes: &[784, 128, 64, 32, 64, 128, 784], encoder_layers: 3, part: 3 },
    Network { name: "wide", sizes: &[784, 512, 256, 32, 256, 512, 784], encoder_layers: 3, part: 10 },
];

fn main() {
    let images = Images::load();
    println!("{} images, {}; {} kernels", images.count(), images.origin(), instruction_set());
    let wish = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("best / median; a step is the best of single ones, an epoch is 375 of them in a row");
    println!(
        "{:<12} {:>7}  {:>16} {:>20} {:>20} {:>7}",
        "network", "threads", "step", "epoch", "epoch, dfdx stock", "ratio"
    );
    for network in NETWORKS {
        if wish.as_ref().is_some_and(|wish| !network.name.contains(wish.as_str())) {
            continue;
        }
        for threads in [1, 2] {
            compare(&network, threads, &images);
        }
    }
    validate(&images);
}

/// Alternating rounds of both, best and median, scaled to a whole epoch.
fn compare(network: &Network, threads: usize, images: &Images) {
    let pool = pool(threads);
    let steps = images.count() / BATCH / network.part;
    let order = images.shuffled();
    let scale = (images.count() / BATCH) as f64 / steps as f64;
    let model = Autoencoder::new(network.sizes, network.encoder_layers, 1);
    let mut learner = Learner::new(model, Adam::new(1e-3));
    let mut stock = stock::network(network.name);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut single = Vec::new();
    pool.install(|| {
        for (batch, next) in pairs(&order, steps) {
            single.push(time(|| {
                learner.step(batch, next);
            }));
        }
    });
    for round in 0..ROUNDS {
        ours.push(time(|| {
            pool.install(|| {
                for (batch, next) in pairs(&order, steps) {
                    learner.step(batch, next);
                }
            });
        }));
        // The stock epoch is long enough to be measured in few rounds.
        if round % 3 == 0 {
            theirs.push(time(|| {
                for batch in order.chunks_exact(BATCH).take(steps) {
                    stock(batch);
                }
            }));
        }
    }
    let (ours, theirs) = (Times::of(ours, scale), Times::of(theirs, scale));
    let step = Times::of(single, 1.0);
    let ratio = theirs.best / ours.best;
    println!("{:<12} {threads:>7}  {step:>16} {ours:>20} {theirs:>20} {ratio:>6.1}x", network.name);
}

/// Each batch with the one after it.
fn pairs<'a>(order: &'a [&'a [u8]], steps: usize) -> impl Iterator<Item = (&'a [&'a [u8]], &'a [&'a [u8]])> {
    let batches = order.chunks_exact(BATCH);
    batches.clone().zip(batches.cycle().skip(1)).take(steps)
}

fn validate(images: &Images) {
    let model = Autoencoder::new(&[784, 32, 784], 1, 1);
    let bytes = &images.bytes()[..784 * 12_000.min(images.count())];
    for threads in [1, 2] {
        let pool = pool(threads);
        let times = repeat(ROUNDS, || {
            black_box(pool.install(|| model.evaluate(bytes)));
        });
        println!("{:<12} {threads:>7}  {times:>16}", "validation");
    }
    let code = model.encode(&bytes[..784]);
    let times = repeat(1_000, || drop(black_box(model.decode(&code))));
    println!("{:<12} {:>7}  {times:>16}", "decode one", 1);
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}
