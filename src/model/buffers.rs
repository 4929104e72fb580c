//! Large buffers that go from one step to the next without being allocated or cleared again.

use std::cell::RefCell;

/// Buffers that a thread keeps at most.
const KEPT: usize = 4;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of `count` floats of any value.
pub(super) fn take(count: usize) -> Vec<f32> {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    buffer.resize(count, 0.0);
    buffer
}

/// Gives a buffer back.
pub(super) fn give(buffer: Vec<f32>) {
    BUFFERS.with_borrow_mut(|buffers| {
        if buffers.len() < KEPT {
            buffers.push(buffer);
        }
    });
}
