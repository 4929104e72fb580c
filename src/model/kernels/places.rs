//! Where the pixels are that are not black.

use super::columns::Columns;
use super::simd::Simd;

/// Pixels that are looked at together.
pub(super) const GROUP: usize = 16;

/// Where the pixels of images are that are not zero, image after image.
#[derive(Default)]
pub(in crate::model) struct Places {
    /// Indices of pixels.
    places: Vec<u16>,
    /// Where in `places` each image begins; one more than images.
    starts: Vec<usize>,
}

impl Places {
    /// Pixels of the largest image whose places can be told.
    pub(in crate::model) const MOST_PIXELS: usize = 1 << 16;

    /// Number of all.
    pub(in crate::model) fn count(&self) -> usize {
        self.places.len()
    }

    /// Number of images.
    pub(super) fn images(&self) -> usize {
        self.starts.len() - 1
    }

    /// Those of one image.
    pub(super) fn of(&self, image: usize) -> &[u16] {
        &self.places[self.starts[image]..self.starts[image + 1]]
    }
}

/// Finds them in `images`, `[n, pixels]`.
#[inline(always)]
pub(super) fn find<S: Simd>(s: S, images: Columns<u8>, found: &mut Places) {
    let pixels = images.width();
    assert!(pixels <= Places::MOST_PIXELS);
    found.starts.clear();
    found.starts.push(0);
    found.places.clear();
    found.places.reserve(images.rows() * pixels + GROUP);
    let to = found.places.as_mut_ptr();
    let mut count = 0;
    for row in 0..images.rows() {
        let (groups, tail) = images.row(row).as_chunks::<GROUP>();
        for (group, bytes) in groups.iter().enumerate() {
            // SAFETY: at most one place a pixel was written before, and there is room for a group more.
            count += unsafe { s.places(bytes, (group * GROUP) as u16, to.add(count)) };
        }
        for (place, &pixel) in tail.iter().enumerate() {
            // SAFETY: as above.
            unsafe { to.add(count).write((groups.len() * GROUP + place) as u16) };
            count += usize::from(pixel != 0);
        }
        found.starts.push(count);
    }
    // SAFETY: `count` places were written.
    unsafe { found.places.set_len(count) };
}

/// For each pattern of eight pixels, where those are that are not zero.
static PATTERNS: [[u16; 8]; 256] = patterns();

const fn patterns() -> [[u16; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut pattern = 0;
    while pattern < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if pattern & (1 << bit) != 0 {
                table[pattern][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        pattern += 1;
    }
    table
}

/// The places of a group without vectors: [`Simd::places`].
///
/// # Safety
/// `to` is valid for writing as many places as the group has pixels.
#[inline(always)]
pub(super) unsafe fn of_group(bytes: &[u8; GROUP], first: u16, to: *mut u16) -> usize {
    let mut count = 0;
    for (word, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let x = u64::from_le_bytes(*bytes);
        // The high bit of each byte that is not zero, gathered into eight bits.
        let high = (((x & 0x7f7f_7f7f_7f7f_7f7f) + 0x7f7f_7f7f_7f7f_7f7f) | x) & 0x8080_8080_8080_8080;
        let pattern = ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize;
        let base = first + (word * 8) as u16;
        // SAFETY: the second word has at most eight places before it, and the caller grants sixteen.
        unsafe {
            let to = to.add(count).cast::<[u16; 8]>();
            to.write_unaligned(PATTERNS[pattern].map(|place| place + base));
        }
        count += pattern.count_ones() as usize;
    }
    count
}
