//! Names from outside, made safe to print.
//!
//! A file may be called anything: escape sequences, line breaks, marks that turn text around, bytes
//! that are no text. In a message each of them is spelled out, so that none reaches a terminal.

use std::ffi::OsStr;
use std::fmt::Write;

use crate::format;

/// `text` with everything that is not plainly visible spelled out: `\u{1b}`, `\xff`.
pub fn printable(text: impl AsRef<OsStr>) -> String {
    let bytes = text.as_ref().as_encoded_bytes();
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&format::printable(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_stays_as_it_is() {
        assert_eq!(printable("checkpoints/Übung 7/step-1.aescope"), "checkpoints/Übung 7/step-1.aescope");
    }

    #[test]
    fn escapes_and_marks_are_spelled_out() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("x\u{202e}y\u{9b}"), "x\\u{202e}y\\u{9b}");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_spelled_out() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(printable(OsStr::from_bytes(b"a\xff\xc3z")), "a\\xff\\xc3z");
    }
}
