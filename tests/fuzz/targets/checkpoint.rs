//! Checkpoints: as they come, and with all checksums made right again, since no mutation gets past those.
//! Whatever is accepted must be sound: it can be written and read back to the same bytes.
#![no_main]

use aescope::checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

const HEADER: usize = 32;
const ENTRY: usize = 40;
const DIGEST: usize = 32;

fuzz_target!(|bytes: &[u8]| {
    sound_or_refused(bytes);
    let mut mended = bytes.to_vec();
    if mend(&mut mended).is_some() {
        sound_or_refused(&mended);
    }
});

fn sound_or_refused(bytes: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::decode(bytes) {
        checkpoint.check().expect("what was read fits together");
        let written = checkpoint.encode();
        let again = Checkpoint::decode(&written).expect("what was written can be read");
        assert!(again.encode() == written);
    }
}

/// Makes length, section table and checksums those of the bytes, as far as there are any.
fn mend(bytes: &mut [u8]) -> Option<()> {
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
