//! Makes a container's length, section table and checksums those of its bytes, so that damage gets past them.
//! Shared by the fuzz target and the default tests.

use sha2::{Digest, Sha256};

pub const HEADER: usize = 32;
pub const ENTRY: usize = 40;
pub const DIGEST: usize = 32;

/// Mends `bytes` as far as they are a container; `None` where they cannot be one. The lengths of the sections are
/// taken from the table as far as there is room, and the last section takes the rest.
pub fn mend(bytes: &mut [u8]) -> Option<()> {
    let total = bytes.len();
    bytes.get(..HEADER + DIGEST)?;
    bytes[..8].copy_from_slice(b"\x89AESCOP\n");
    bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
    bytes[16..24].copy_from_slice(&(total as u64).to_le_bytes());
    bytes[28..32].fill(0);
    let count = u32::from_le_bytes(bytes[12..16].try_into().ok()?) as usize;
    let head = HEADER + count.min(64) * ENTRY;
    if count == 0 || head + DIGEST > total {
        return None;
    }
    let mut next = head;
    for index in 0..count.min(64) {
        let entry = HEADER + index * ENTRY;
        let room = total - DIGEST - next;
        let wished = u64::from_le_bytes(bytes[entry + 24..entry + 32].try_into().ok()?) as usize;
        let length = if index + 1 == count { room } else { wished.min(room) };
        bytes[entry + 16..entry + 24].copy_from_slice(&(next as u64).to_le_bytes());
        bytes[entry + 24..entry + 32].copy_from_slice(&(length as u64).to_le_bytes());
        let crc = crc32fast::hash(&bytes[next..next + length]);
        bytes[entry + 32..entry + 36].copy_from_slice(&crc.to_le_bytes());
        bytes[entry + 36..entry + 40].fill(0);
        next += length;
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..24]);
    crc.update(&bytes[28..head]);
    bytes[24..28].copy_from_slice(&crc.finalize().to_le_bytes());
    let digest = Sha256::digest(&bytes[..total - DIGEST]);
    bytes[total - DIGEST..].copy_from_slice(&digest);
    Some(())
}
