//! Memory for large buffers that begins where a line of the cache does.
//!
//! A `Vec<f32>` promises only four bytes, so half of all vector loads would cross from one line to the
//! next and take twice as long; the storage of dfdx's tensors and gradients is such a `Vec`, made by dfdx.
//! Alignment is therefore a matter of the program's allocator.

use std::alloc::{GlobalAlloc, Layout, System};

/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Blocks of fewer bytes are left to the system.
const LARGE: usize = 1024;

/// The system's allocator, with blocks of 1 KiB and more at the beginning of a line of the cache.
pub struct LineAligned;

/// What the system is asked for: a function of the layout alone, so that freeing asks for the same.
fn aligned(layout: Layout) -> Layout {
    if layout.size() < LARGE {
        return layout;
    }
    // A size that no alignment fits stays as it is, and the system refuses or grants it.
    Layout::from_size_align(layout.size(), layout.align().max(LINE)).unwrap_or(layout)
}

// SAFETY: every block comes from `System` with the layout of `aligned`, which is at least as strict as the
// one asked for, and goes back with the same.
unsafe impl GlobalAlloc for LineAligned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` holds for `aligned(layout)`, which is as long.
        unsafe { System.alloc(aligned(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(aligned(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` was allocated with `aligned(layout)`.
        unsafe { System.dealloc(block, aligned(layout)) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller grants that `size` rounded up to the alignment is no overflow.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if aligned(layout).align() == layout.align() && aligned(new).align() == layout.align() {
            // SAFETY: the layout is as it was asked of the system, before and after.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: both blocks hold the shorter of both sizes, and the new one is not yet anybody else's.
        unsafe {
            let to = self.alloc(new);
            if !to.is_null() {
                std::ptr::copy_nonoverlapping(block, to, layout.size().min(size));
                self.dealloc(block, layout);
            }
            to
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn large_buffers_begin_a_line_and_keep_their_values_as_they_grow_and_shrink() {
        let mut values: Vec<f32> = Vec::new();
        for at in 0..10_000 {
            values.push(at as f32);
            if values.capacity() * 4 >= super::LARGE {
                assert_eq!(values.as_ptr().addr() % super::LINE, 0);
            }
        }
        values.truncate(100);
        values.shrink_to_fit();
        assert!(values.iter().enumerate().all(|(at, &value)| value == at as f32));
        let large = vec![0.0_f32; 4096];
        assert_eq!(large.as_ptr().addr() % super::LINE, 0);
    }
}
