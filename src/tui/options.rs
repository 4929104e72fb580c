//! What the terminal can show: found out once from the environment, then passed on as values.
//!
//! Pure functions of a look-up of variables, so that a test needs no environment.

use crate::config::ColorChoice;
use crate::tui::theme::Depth;

/// How the screen is to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScreenOptions {
    /// Colours to use; [`ColorChoice::Auto`] asks the environment.
    pub color: ColorChoice,
    /// Whether borders and glyphs keep to ASCII; `None` asks the locale and `TERM`.
    pub ascii: Option<bool>,
}

impl ScreenOptions {
    /// The colours to use, given the environment.
    pub(crate) fn depth(self, variable: impl Fn(&str) -> Option<String>) -> Depth {
        match self.color {
            ColorChoice::Auto => detect(variable),
            ColorChoice::TrueColor => Depth::True,
            ColorChoice::Palette256 => Depth::Palette,
            ColorChoice::Basic16 => Depth::Basic,
            ColorChoice::None => Depth::None,
        }
    }

    /// Whether to keep to ASCII, given the environment.
    pub(crate) fn is_ascii(self, variable: impl Fn(&str) -> Option<String>) -> bool {
        self.ascii.unwrap_or_else(|| {
            let term = variable("TERM").unwrap_or_default();
            is_plain(&term) || !locale_takes_utf8(variable)
        })
    }
}

/// `NO_COLOR` first (no-color.org), then `COLORTERM`, then what is known of `TERM`.
fn detect(variable: impl Fn(&str) -> Option<String>) -> Depth {
    if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return Depth::None;
    }
    let term = variable("TERM").unwrap_or_default();
    if is_plain(&term) {
        return Depth::None;
    }
    if matches!(variable("COLORTERM").as_deref(), Some("truecolor" | "24bit")) || term.ends_with("-direct") {
        return Depth::True;
    }
    let full = ["256color", "kitty", "alacritty", "ghostty", "foot", "wezterm"];
    if full.iter().any(|name| term.contains(name)) {
        return Depth::Palette;
    }
    if term.starts_with("vt") && !term.starts_with("vte") { Depth::None } else { Depth::Basic }
}

/// A terminal that promises nothing.
fn is_plain(term: &str) -> bool {
    matches!(term, "" | "dumb" | "unknown")
}

/// The first of the three variables that is set decides, as in POSIX. None set says nothing about the
/// terminal (a container, a bare SSH session), and terminals today take UTF-8.
fn locale_takes_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| variable(name)).find(|v| !v.is_empty());
    set.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + Copy + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
    }

    #[test]
    fn colours_follow_the_environment() {
        let depth = |pairs: &[(&str, &str)]| detect(lookup(pairs));
        assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Palette);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), Depth::Palette);
        assert_eq!(depth(&[("TERM", "linux")]), Depth::Basic);
        assert_eq!(depth(&[("TERM", "vt100")]), Depth::None);
        assert_eq!(depth(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]), Depth::None);
        assert_eq!(depth(&[]), Depth::None);
    }

    #[test]
    fn what_was_chosen_wins() {
        let chosen = ScreenOptions { color: ColorChoice::Basic16, ascii: Some(true) };
        assert_eq!(chosen.depth(lookup(&[("NO_COLOR", "1")])), Depth::Basic);
        assert!(chosen.is_ascii(lookup(&[("LANG", "C.UTF-8"), ("TERM", "xterm")])));
    }

    #[test]
    fn the_locale_decides_on_ascii() {
        let ascii = |pairs: &[(&str, &str)]| ScreenOptions::default().is_ascii(lookup(pairs));
        assert!(ascii(&[("TERM", "xterm"), ("LANG", "C")]));
        assert!(ascii(&[("TERM", "xterm"), ("LC_ALL", "POSIX"), ("LANG", "de_DE.UTF-8")]));
        assert!(ascii(&[("TERM", "dumb"), ("LANG", "C.UTF-8")]));
        assert!(!ascii(&[("TERM", "xterm"), ("LANG", "C.utf8")]));
        assert!(!ascii(&[("TERM", "xterm")]));
    }
}
