//! Bytes of a terminal to keys: ASCII, UTF-8, and the `CSI` and `SS3` sequences of cursor and function
//! keys. What it does not know it drops; its memory is a few bytes whatever comes in.

use crossterm::event::{KeyCode, KeyModifiers};

use crate::tui::keys::Key;

const ESC: u8 = 0x1b;
/// Longer sequences are no keys; they are read to their end and dropped.
const LONGEST: usize = 16;

/// Where the decoder stands in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ground,
    Escape,
    /// After `ESC [`: parameters up to a final byte.
    Csi,
    /// After `ESC O`: one final byte.
    Ss3,
    /// In a character of this many bytes more.
    Utf8(u8),
}

/// Turns bytes into keys, however they are cut.
#[derive(Debug)]
pub(super) struct Decoder {
    place: Place,
    held: [u8; LONGEST],
    length: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { place: Place::Ground, held: [0; LONGEST], length: 0 }
    }

    /// Whether bytes are held back; if nothing follows soon, [`Decoder::flush`] them.
    pub(super) fn is_waiting(&self) -> bool {
        self.place != Place::Ground
    }

    /// Nothing followed: an escape on its own is the key.
    pub(super) fn flush(&mut self) -> Option<Key> {
        let alone = self.place == Place::Escape;
        self.place = Place::Ground;
        alone.then_some((KeyCode::Esc, KeyModifiers::NONE))
    }

    /// Takes the next byte; there is at most one key a byte.
    pub(super) fn push(&mut self, byte: u8) -> Option<Key> {
        match self.place {
            Place::Ground => self.ground(byte),
            Place::Escape => match byte {
                b'[' => self.begin(Place::Csi),
                b'O' => self.begin(Place::Ss3),
                // Two in a row: the first was the key.
                ESC => Some((KeyCode::Esc, KeyModifiers::NONE)),
                _ => {
                    self.place = Place::Ground;
                    let (code, modifiers) = self.ground(byte)?;
                    Some((code, modifiers | KeyModifiers::ALT))
                }
            },
            Place::Csi => match byte {
                0x20..=0x3f => {
                    self.hold(byte);
                    None
                }
                0x40..=0x7e => {
                    self.place = Place::Ground;
                    let held = self.held.get(..self.length)?;
                    csi(held, byte)
                }
                _ => self.restart(byte),
            },
            Place::Ss3 => {
                self.place = Place::Ground;
                if byte < 0x20 { self.restart(byte) } else { csi(&[], byte) }
            }
            Place::Utf8(more) if byte & 0xc0 == 0x80 => {
                self.hold(byte);
                self.place = if more > 1 { Place::Utf8(more - 1) } else { Place::Ground };
                if more > 1 {
                    return None;
                }
                let text = std::str::from_utf8(self.held.get(..self.length)?).ok()?;
                Some((KeyCode::Char(text.chars().next()?), KeyModifiers::NONE))
            }
            Place::Utf8(_) => self.restart(byte),
        }
    }

    /// A control byte in the middle of a sequence breaks it off and counts for itself.
    fn restart(&mut self, byte: u8) -> Option<Key> {
        self.place = Place::Ground;
        self.ground(byte)
    }

    fn begin(&mut self, place: Place) -> Option<Key> {
        self.place = place;
        self.length = 0;
        None
    }

    /// Keeps `byte` if it fits; what does not fit makes the sequence unknown.
    fn hold(&mut self, byte: u8) {
        if let Some(free) = self.held.get_mut(self.length) {
            *free = byte;
        }
        self.length = (self.length + 1).min(LONGEST + 1);
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        let plain = |code| Some((code, KeyModifiers::NONE));
        match byte {
            ESC => self.begin(Place::Escape),
            b'\r' | b'\n' => plain(KeyCode::Enter),
            b'\t' => plain(KeyCode::Tab),
            0x08 | 0x7f => plain(KeyCode::Backspace),
            0x01..=0x1a => Some((KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL)),
            0x20..=0x7e => plain(KeyCode::Char(char::from(byte))),
            0xc2..=0xf4 => {
                self.begin(Place::Utf8(match byte {
                    0xc2..=0xdf => 1,
                    0xe0..=0xef => 2,
                    _ => 3,
                }));
                self.hold(byte);
                None
            }
            _ => None,
        }
    }
}

/// The decoder, for the fuzzer: the number of keys in these bytes.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_keys(bytes: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let keys = bytes.iter().filter_map(|&byte| decoder.push(byte)).count();
    keys + usize::from(decoder.flush().is_some())
}

/// The key of a `CSI` sequence with `parameters` and `last` byte.
fn csi(parameters: &[u8], last: u8) -> Option<Key> {
    let mut numbers = parameters
        .split(|byte| *byte == b';')
        .map(|number| std::str::from_utf8(number).ok().and_then(|number| number.parse::<u8>().ok()));
    let first = numbers.next().flatten();
    // One more than a bit set of shift, alt and control.
    let held = numbers.next().flatten().unwrap_or(1).saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        if held & bit != 0 {
            modifiers |= modifier;
        }
    }
    let code = match (last, first) {
        (b'A', _) => KeyCode::Up,
        (b'B', _) => KeyCode::Down,
        (b'C', _) => KeyCode::Right,
        (b'D', _) => KeyCode::Left,
        (b'H', _) | (b'~', Some(1 | 7)) => KeyCode::Home,
        (b'F', _) | (b'~', Some(4 | 8)) => KeyCode::End,
        (b'Z', _) => return Some((KeyCode::BackTab, KeyModifiers::NONE)),
        (b'P', _) | (b'~', Some(11)) => KeyCode::F(1),
        (b'~', Some(3)) => KeyCode::Delete,
        (b'~', Some(5)) => KeyCode::PageUp,
        (b'~', Some(6)) => KeyCode::PageDown,
        _ => return None,
    };
    Some((code, modifiers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        let mut keys: Vec<Key> = bytes.iter().filter_map(|byte| decoder.push(*byte)).collect();
        keys.extend(decoder.flush());
        keys
    }

    fn plain(code: KeyCode) -> Key {
        (code, KeyModifiers::NONE)
    }

    #[test]
    fn keys_of_a_terminal() {
        let control = |character| (KeyCode::Char(character), KeyModifiers::CONTROL);
        let seen =
            keys(b"q \x03\x1a\x0c\t\r\x7f\x1b[A\x1b[D\x1bOC\x1b[H\x1b[4~\x1b[5~\x1b[6~\x1bOP\x1b[11~\x1b[Z");
        let expected = [
            plain(KeyCode::Char('q')),
            plain(KeyCode::Char(' ')),
            control('c'),
            control('z'),
            control('l'),
            plain(KeyCode::Tab),
            plain(KeyCode::Enter),
            plain(KeyCode::Backspace),
            plain(KeyCode::Up),
            plain(KeyCode::Left),
            plain(KeyCode::Right),
            plain(KeyCode::Home),
            plain(KeyCode::End),
            plain(KeyCode::PageUp),
            plain(KeyCode::PageDown),
            plain(KeyCode::F(1)),
            plain(KeyCode::F(1)),
            plain(KeyCode::BackTab),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_escape_alone_is_a_key() {
        assert_eq!(keys(b"\x1b"), [plain(KeyCode::Esc)]);
        assert_eq!(keys(b"\x1b\x1b"), [plain(KeyCode::Esc); 2]);
        assert_eq!(keys(b"\x1bx"), [(KeyCode::Char('x'), KeyModifiers::ALT)]);
    }

    #[test]
    fn characters_of_several_bytes_and_modifiers() {
        assert_eq!(keys("é→".as_bytes()), [plain(KeyCode::Char('é')), plain(KeyCode::Char('→'))]);
        assert_eq!(keys(b"\x1b[1;5C"), [(KeyCode::Right, KeyModifiers::CONTROL)]);
    }

    #[test]
    fn a_bracketed_paste_that_never_ends_swallows_nothing() {
        assert_eq!(
            keys(b"\x1b[200~ab\x03"),
            [
                plain(KeyCode::Char('a')),
                plain(KeyCode::Char('b')),
                (KeyCode::Char('c'), KeyModifiers::CONTROL)
            ]
        );
    }

    #[test]
    fn a_control_byte_breaks_a_sequence_off() {
        assert_eq!(keys(b"\x1b[12\x03"), [(KeyCode::Char('c'), KeyModifiers::CONTROL)]);
        assert_eq!(keys(b"\xe2\x03"), [(KeyCode::Char('c'), KeyModifiers::CONTROL)]);
    }

    proptest! {
        #[test]
        fn q_works_after_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::new();
            for byte in bytes {
                decoder.push(byte);
            }
            decoder.flush();
            prop_assert!(!decoder.is_waiting());
            prop_assert_eq!(decoder.push(b'q'), Some(plain(KeyCode::Char('q'))));
        }
    }
}
