//! Checkpoints: as they come, and with all checksums made right again, since no mutation gets past those.
//! Whatever is accepted must be sound: it can be written and read back to the same bytes.
#![no_main]

#[path = "../mend.rs"]
mod mend;

use aescope::checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sound_or_refused(bytes);
    let mut mended = bytes.to_vec();
    if mend::mend(&mut mended).is_some() {
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
