//! IDX files, plain or gzipped as their first bytes say.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    aescope::data::fuzz_idx(bytes);
});
