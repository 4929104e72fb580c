//! What a terminal may send: at most one key a byte.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(aescope::tui::fuzz_keys(bytes) <= bytes.len());
});
