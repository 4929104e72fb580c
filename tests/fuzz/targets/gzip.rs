//! Gzip streams around IDX files: the magic number is put in place, so that every input is one.
#![no_main]

use libfuzzer_sys::fuzz_target;

const START: [u8; 3] = [0x1f, 0x8b, 8];

fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    if let Some(start) = file.get_mut(..START.len()) {
        start.copy_from_slice(&START);
    }
    aescope::data::fuzz_idx(&file);
});
