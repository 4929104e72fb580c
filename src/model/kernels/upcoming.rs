//! What a thread will read in the next step, fetched a few lines of the cache at a time while it computes.
//!
//! Products keep the processor busy and leave the memory idle, reading a batch does the opposite: rows from
//! all over the images come no faster than memory can answer.

use std::cell::Cell;

/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Lines that are asked for with each tile of a product.
const AT_A_TIME: usize = 3;

/// Addresses of the lines, and how many have been asked for.
#[derive(Default)]
pub(super) struct Upcoming {
    lines: Vec<usize>,
    asked: usize,
}

thread_local! {
    static UPCOMING: Cell<Upcoming> = const { Cell::new(Upcoming { lines: Vec::new(), asked: 0 }) };
}

/// Tells what this thread will read next; products on this thread fetch it.
pub(in crate::model) fn expect<'a>(rows: impl Iterator<Item = &'a [u8]>) {
    let mut upcoming = UPCOMING.take();
    upcoming.lines.clear();
    upcoming.lines.extend(rows.flat_map(|row| row.chunks(LINE).map(|line| line.as_ptr().addr())));
    upcoming.asked = 0;
    UPCOMING.set(upcoming);
}

/// The list of this thread, for the time of a product.
pub(super) fn lend() -> Upcoming {
    UPCOMING.take()
}

impl Upcoming {
    /// Puts the list back.
    pub(super) fn give_back(self) {
        UPCOMING.set(self);
    }

    /// Asks for a few lines.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        for &line in self.lines.iter().skip(self.asked).take(AT_A_TIME) {
            prefetch(std::ptr::without_provenance(line));
        }
        self.asked += AT_A_TIME;
    }
}

/// Asks for a line to be brought into the caches. What is no longer there is not brought.
#[inline(always)]
fn prefetch(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: SSE is part of x86-64, and a prefetch of any address neither fails nor changes a value.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
