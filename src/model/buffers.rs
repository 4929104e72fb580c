//! Large buffers that go from one step to the next without being allocated or cleared again.

use std::cell::RefCell;

/// Buffers that a thread keeps at most.
const KEPT: usize = 16;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of `count` floats of any value.
pub(super) fn take(count: usize) -> Vec<f32> {
    BUFFERS.with_borrow_mut(|buffers| {
        // Every step asks for the same lengths.
        match buffers.iter().rposition(|buffer| buffer.len() == count) {
            Some(at) => buffers.swap_remove(at),
            None => vec![0.0; count],
        }
    })
}

/// Gives a buffer back.
pub(super) fn give(buffer: Vec<f32>) {
    BUFFERS.with_borrow_mut(|buffers| {
        if buffers.len() == KEPT {
            // The one that has waited longest may be of a length that nobody asks for any more.
            buffers.remove(0);
        }
        buffers.push(buffer);
    });
}
