//! How speed and memory change with the size of batch, code, image and data set.
//!
//! Why the curves bend:
//!
//! - **Batch.** Adam and the meetings of both threads cost the same for any batch, so small ones pay for them
//!   with few images. The gradient of the logits takes 3 KB an image: above a thousand images it no longer fits
//!   the second caches.
//! - **Code.** Work grows with the units. Below a whole vector (16 with AVX-512, 8 with AVX2) most lanes are
//!   masked, so 16 units are faster than 8. Above 64 units the parameters with their moments and gradients (16
//!   bytes each) outgrow the second caches, and Adam waits for the third.
//! - **Pixels.** Work and bytes an image grow with the pixels, the time a pixel rises as weights leave the
//!   second cache (128x128x32 floats are 2 MB a matrix).
//! - **Images.** Nothing: a step touches its batch only. Shuffled rows come from memory instead of the
//!   third cache once the set is larger than that; memory is one byte a pixel.

mod images;
mod timing;

use std::hint::black_box;

use aescope::model::{Adam, Autoencoder, Learner};
use aescope::random::{Purpose, Random};
use images::Images;
use timing::{Times, time};

struct Case {
    batch: usize,
    code: usize,
    side: usize,
    count: usize,
}

const START: Case = Case { batch: 128, code: 32, side: 28, count: 48_000 };

fn main() {
    let mnist = Images::load();
    println!("{}; two threads", mnist.origin());
    println!(
        "{:>6} {:>5} {:>9} {:>10} {:>11} {:>16} {:>9} {:>10}",
        "batch", "code", "image", "images", "images/s", "ns/pixel, best", "data MB", "peak MB"
    );
    for batch in [32, 64, 128, 256, 512, 1024, 2048, 4096] {
        run(&mnist, &Case { batch, ..START });
    }
    for code in [2, 4, 8, 16, 32, 64, 128, 256, 512] {
        run(&mnist, &Case { code, ..START });
    }
    for side in [28, 56, 84, 112, 128] {
        run(&mnist, &Case { side, count: 6_000, ..START });
    }
    for count in [10_000, 100_000, 1_000_000] {
        run(&mnist, &Case { count, ..START });
    }
}

fn run(mnist: &Images, case: &Case) {
    forget_peak();
    let pixels = case.side * case.side;
    let bytes = repeated(mnist.bytes(), case.side, case.count);
    let order = Random::new(1, Purpose::Shuffle(0)).permutation(case.count as u32);
    let rows: Vec<&[u8]> = order.iter().map(|&at| &bytes[at as usize * pixels..][..pixels]).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started");
    let mut learner = Learner::new(Autoencoder::new(&[pixels, case.code, pixels], 1, 1), Adam::new(1e-3));
    let steps = (200 * 128 * 784 / (case.batch * pixels)).clamp(8, 400);
    let mut times = Vec::new();
    pool.install(|| {
        let batches = rows.chunks_exact(case.batch);
        for (batch, next) in batches.clone().cycle().zip(batches.cycle().skip(1)).take(steps) {
            times.push(time(|| {
                black_box(learner.step(batch, next));
            }));
        }
    });
    let times = Times::of(times, 1.0);
    println!(
        "{:>6} {:>5} {:>9} {:>10} {:>11.0} {:>16.3} {:>9.0} {:>10}",
        case.batch,
        case.code,
        format!("{0}x{0}", case.side),
        case.count,
        case.batch as f64 / times.best,
        times.best * 1e9 / (case.batch * pixels) as f64,
        bytes.len() as f64 / 1e6,
        peak_megabytes().map_or_else(|| "?".into(), |peak| format!("{peak:.0}")),
    );
}

/// `count` images of `side` x `side`: the digits over and over, each pixel as a square or cut off.
fn repeated(mnist: &[u8], side: usize, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count * side * side);
    for digit in mnist.chunks_exact(784).cycle().take(count) {
        for at in 0..side * side {
            let (y, x) = (at / side * 28 / side, at % side * 28 / side);
            bytes.push(digit[y * 28 + x]);
        }
    }
    bytes
}

/// Lets the system count the peak of memory anew, where it can.
fn forget_peak() {
    // Without this file the peak is that of all cases so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}
