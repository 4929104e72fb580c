//! The loss that no model gets below: gray pixels have entropy of their own.
//!
//! The binary cross-entropy of a pixel of brightness p against any prediction is smallest where the
//! prediction is p itself, and there it is -p ln p - (1-p) ln(1-p), which is zero only for black and
//! white.

use super::ImageSet;

/// Tables counted side by side: neighbouring pixels are mostly equal, and an increment that waits for
/// the one before it would set the speed.
const TABLES: usize = 8;

/// Mean binary entropy of the pixels (byte / 255), nats a pixel: the lowest binary cross-entropy that
/// any model can reach on these images. Zero for an empty set.
pub fn entropy_floor(images: &ImageSet) -> f64 {
    let counts = histogram(images.bytes());
    let total: u64 = counts.iter().sum();
    let sum: f64 = counts.iter().zip(0u8..).map(|(&count, byte)| count as f64 * entropy(byte)).sum();
    sum / total.max(1) as f64
}

/// How often each byte value occurs.
fn histogram(bytes: &[u8]) -> [u64; 256] {
    // So that no counter of 32 bits can overflow.
    const BLOCK: usize = 1 << 30;
    let mut counts = [0; 256];
    for block in bytes.chunks(BLOCK) {
        let mut tables = [[0u32; 256]; TABLES];
        let (groups, rest) = block.as_chunks::<TABLES>();
        for group in groups {
            for (table, &byte) in tables.iter_mut().zip(group) {
                table[usize::from(byte)] += 1;
            }
        }
        for &byte in rest {
            tables[0][usize::from(byte)] += 1;
        }
        for table in &tables {
            for (count, &more) in counts.iter_mut().zip(table) {
                *count += u64::from(more);
            }
        }
    }
    counts
}

/// Binary entropy of `byte / 255` in nats.
fn entropy(byte: u8) -> f64 {
    let p = f64::from(byte) / 255.0;
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor_of(bytes: Vec<u8>) -> f64 {
        entropy_floor(&ImageSet::new(1, bytes, None))
    }

    #[test]
    fn black_and_white_have_no_entropy() {
        assert_eq!(floor_of(vec![0, 255, 255, 0, 0]), 0.0);
        assert_eq!(floor_of(Vec::new()), 0.0);
    }

    #[test]
    fn the_floor_is_the_mean_entropy_of_a_pixel() {
        let bytes: Vec<u8> = (0..100_003u32).map(|i| (i * 7919 % 256) as u8).collect();
        let mean = bytes.iter().map(|&byte| entropy(byte)).sum::<f64>() / bytes.len() as f64;
        assert!((floor_of(bytes) - mean).abs() < 1e-12);
        assert!((entropy(51) - 0.500_402_423_538_188).abs() < 1e-12);
    }
}
