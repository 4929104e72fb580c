//! Numbers and texts as people read them: the same on the screen, in lines and in errors.
//!
//! It knows nothing but the standard library.

use std::borrow::Cow;
use std::fmt::Write;

/// A count with its thousands set apart: `50,992`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count in at most five columns, for narrow places: `800`, `3.2k`, `48k`, `1.5M`.
pub fn short_count(count: u64) -> String {
    const UNITS: [(u64, char); 4] =
        [(1_000_000_000_000, 'T'), (1_000_000_000, 'G'), (1_000_000, 'M'), (1_000, 'k')];
    for (size, unit) in UNITS {
        // 999,500 is already `1M`: rounded to thousands it would need a seventh digit.
        if count >= size || (size > 1_000 && count >= size - size / 2_000) {
            let tenths = (u128::from(count) * 10 + u128::from(size) / 2) / u128::from(size);
            return if tenths < 100 && tenths % 10 != 0 {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            } else {
                format!("{}{unit}", (u128::from(count) + u128::from(size) / 2) / u128::from(size))
            };
        }
    }
    count.to_string()
}

/// A count of things in words: `1 thread`, `7,500 steps`.
pub fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", thousands(count))
}

/// Images a second, whole: `512,000`; a dash for what was not measured.
pub fn rate(per_second: f64) -> String {
    if per_second.is_finite() && per_second >= 0.0 {
        thousands(per_second.round() as u64)
    } else {
        "-".into()
    }
}

/// Seconds as hours, minutes and seconds: `00:01:05`; dashes for what is not a length of time.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "--:--:--".into();
    }
    let whole = seconds.round() as u64;
    format!("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

/// A loss in nats a pixel, to the fourth place: `0.0921`; one that has blown up keeps its column: `3.47e4`.
pub fn loss(value: f64) -> String {
    if value.abs() < 1e3 || !value.is_finite() { format!("{value:.4}") } else { format!("{value:.2e}") }
}

/// Whether a character could act on a terminal or on the text around it instead of being seen: controls
/// (C0 with escape, delete, C1), marks that are invisible or change the direction or the line of what follows.
pub fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text from outside (file names, labels, messages of the system) with every active character
/// written out as an escape, so that it can be printed anywhere.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            active if is_active(active) => {
                write!(safe, "\\u{{{:x}}}", u32::from(active)).expect("a string takes every text");
            }
            seen => safe.push(seen),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 999, 1_000, 50_992, 1_234_567, u64::MAX].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "50,992", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn short_counts_take_few_columns() {
        let shown =
            [0, 800, 999, 1_000, 3_200, 9_949, 9_960, 48_000, 999_499, 999_500, 1_500_000, 47_000_000]
                .map(short_count);
        let expected = ["0", "800", "999", "1k", "3.2k", "9.9k", "10k", "48k", "999k", "1M", "1.5M", "47M"];
        assert_eq!(shown, expected);
        assert!((0..2_000_000).step_by(37).all(|count| short_count(count).len() <= 5));
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!(
            [counted(0, "step"), counted(1, "step"), counted(7500, "step")],
            ["0 steps", "1 step", "7,500 steps"]
        );
    }

    #[test]
    fn rates_are_whole_images() {
        assert_eq!([0.4, 512_345.6, f64::INFINITY, f64::NAN].map(rate), ["0", "512,346", "-", "-"]);
    }

    #[test]
    fn durations_are_hours_minutes_and_seconds() {
        let shown = [0.0, 0.6, 65.0, 3_599.6, 360_000.0].map(duration);
        assert_eq!(shown, ["00:00:00", "00:00:01", "00:01:05", "01:00:00", "100:00:00"]);
        assert_eq!([-1.0, f64::NAN, f64::INFINITY].map(duration), ["--:--:--"; 3]);
    }

    #[test]
    fn active_characters_are_written_out() {
        let text = "a\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{202e}b\u{2028}\nc\u{2066}\u{200f}ü\u{1f600}";
        let safe = printable(text);
        assert_eq!(
            safe,
            "a\\u{1b}[2J\\u{7}\\u{7f}\\u{9b}31m\\u{202e}b\\u{2028}\\nc\\u{2066}\\u{200f}ü\u{1f600}"
        );
        assert_eq!(printable(&safe), safe);
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert!(matches!(printable("checkpoints/äöü 1"), Cow::Borrowed(_)));
    }
}
