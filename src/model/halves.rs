//! How a layer is cut into two halves, each worked on by one thread at a time.
//!
//! A layer is cut along the larger of its two sides. Each half of its parameters is one run of memory that
//! the same core reads, differentiates and updates, and stays in that core's caches; what goes from core to
//! core is as small as the smaller side. The cut depends on the sizes alone and what both halves make is
//! added in order, so the number of threads has no effect on any result.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Threads that a step can use.
pub const HALVES: usize = 2;

/// Multiplications below which handing half of the work to another thread takes longer than doing it.
const WORTH_SHARING: usize = 1 << 17;

/// The first half is a multiple of this, the widest vector of any processor, if there are as many.
const ALIGNED: usize = 16;

/// Times that a thread without work looks for it before it offers its core to others: some microseconds.
const PATIENCE: u32 = 200;

/// The halves of a side.
pub(super) fn halves(count: usize) -> [Range<usize>; HALVES] {
    let middle = (count / 2).next_multiple_of(ALIGNED).min(count);
    [0..middle, middle..count]
}

/// Does `work` while another thread of the pool, if there is one, stands by for halves of it.
///
/// A thread without work would sleep between two halves and take longer to wake than a half takes.
pub(super) fn with_partner<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let over = AtomicBool::new(false);
    let stand_by = || {
        let mut idle = 0;
        while !over.load(Ordering::Acquire) {
            if rayon::yield_now() == Some(rayon::Yield::Executed) {
                idle = 0;
            } else if idle < PATIENCE {
                idle += 1;
                std::hint::spin_loop();
            } else {
                // The other one may be waiting for this core.
                std::thread::yield_now();
            }
        }
    };
    let work = || {
        let _over = Over(&over);
        work()
    };
    rayon::join(work, stand_by).0
}

/// Does both, at once if there is so much to do (multiplications) that it helps.
pub(super) fn both<A: Send, B: Send>(
    work: usize,
    front: impl FnOnce() -> A + Send,
    back: impl FnOnce() -> B + Send,
) -> (A, B) {
    if work < WORTH_SHARING { (front(), back()) } else { rayon::join(front, back) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_whole_vectors_and_nothing_is_left_out() {
        assert_eq!(halves(784), [0..400, 400..784]);
        assert_eq!(halves(9), [0..9, 9..9]);
        assert_eq!(halves(1), [0..0, 0..1]);
        assert_eq!(halves(33), [0..16, 16..33]);
    }
}
