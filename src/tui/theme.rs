//! Every colour and every glyph of the screen.
//!
//! Text and rules stand on the terminal's own background (`Reset`), so that light and dark ones work;
//! pictures bring their own black. Without colours every style is empty and pictures are drawn in
//! characters.

use ratatui::style::{Color, Modifier, Style};

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// 24 bits a colour.
    True,
    /// The 256-colour palette.
    Palette,
    /// The 16 basic colours.
    Basic,
    /// None.
    None,
}

/// What a piece of text is, and so how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Ordinary text.
    Text,
    /// Headings and figures that matter.
    Strong,
    /// Captions and units.
    Dim,
    /// Lines between panels.
    Rule,
    /// What is chosen: the cursor, keys.
    Accent,
    /// The training loss.
    Train,
    /// The validation loss.
    Validation,
    /// Bars: seen, but not loud.
    Bars,
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Something went wrong.
    Bad,
    /// A line of text over the whole width that must be seen.
    Banner,
}

/// Colours and glyphs for one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) depth: Depth,
    pub(crate) glyphs: &'static Glyphs,
}

/// The characters that differ between UTF-8 and ASCII terminals.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Glyphs {
    pub(crate) ascii: bool,
    pub(crate) rule: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) arrow: &'static str,
    pub(crate) cursor: &'static str,
    pub(crate) best: &'static str,
    pub(crate) separator: &'static str,
    pub(crate) left_right: &'static str,
    pub(crate) bar_full: &'static str,
    pub(crate) bar_tip: &'static str,
    pub(crate) bar_rest: &'static str,
    /// Box corners and sides: top left, top right, bottom left, bottom right, across, down.
    pub(crate) frame: [&'static str; 6],
    /// Bars that fill a cell from below, lowest first.
    pub(crate) levels: &'static [&'static str],
}

static UTF8: Glyphs = Glyphs {
    ascii: false,
    rule: "─",
    dot: "●",
    arrow: "→",
    cursor: "▸",
    best: "•",
    separator: "·",
    left_right: "←→",
    bar_full: "━",
    bar_tip: "╸",
    bar_rest: "─",
    frame: ["╭", "╮", "╰", "╯", "─", "│"],
    levels: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
};

static ASCII: Glyphs = Glyphs {
    ascii: true,
    rule: "-",
    dot: "*",
    arrow: "-",
    cursor: ">",
    best: "*",
    separator: "|",
    left_right: "<-/->",
    bar_full: "=",
    bar_tip: ">",
    bar_rest: ".",
    frame: ["+", "+", "+", "+", "-", "|"],
    levels: &["_", ".", ":", "|"],
};

/// Characters by the ink they put on a cell, none first.
const INK: &[u8] = b" .:-=+*#%@";
/// Greys of the 256-colour palette: black, the ramp of 24, white.
const GREYS: i8 = 25;
const MISSING_256: [u8; 8] = [16, 17, 18, 19, 20, 27, 33, 39];
const EXCESS_256: [u8; 8] = [16, 52, 88, 124, 160, 202, 208, 214];

impl Theme {
    /// The look of a terminal.
    pub(crate) fn new(depth: Depth, ascii: bool) -> Self {
        Self { depth, glyphs: if ascii { &ASCII } else { &UTF8 } }
    }

    pub(crate) fn style(&self, role: Role) -> Style {
        // Text stands on whatever was there before, and must not inherit from it.
        let plain = Style::reset();
        if self.depth == Depth::None {
            return plain;
        }
        let color = |palette: u8, basic: Color| {
            plain.fg(if self.depth == Depth::Basic { basic } else { Color::Indexed(palette) })
        };
        match role {
            Role::Text => plain,
            Role::Strong => plain.add_modifier(Modifier::BOLD),
            Role::Dim => color(244, Color::DarkGray),
            Role::Rule => color(241, Color::DarkGray),
            Role::Accent => color(37, Color::Cyan).add_modifier(Modifier::BOLD),
            Role::Train => color(33, Color::Blue),
            Role::Validation => color(172, Color::Magenta),
            Role::Bars => color(67, Color::Blue),
            Role::Good => color(34, Color::Green),
            Role::Warning => color(172, Color::Yellow),
            Role::Bad => color(160, Color::Red).add_modifier(Modifier::BOLD),
            Role::Banner => color(172, Color::Yellow).add_modifier(Modifier::REVERSED),
        }
    }

    /// Whether pictures are drawn as half-blocks, two pixels a cell; otherwise one pixel takes a cell.
    pub(crate) fn half_blocks(&self) -> bool {
        self.depth != Depth::None && !self.glyphs.ascii
    }

    /// The level of a white pixel; black is zero.
    pub(crate) fn top_level(&self) -> i8 {
        match self.depth {
            Depth::True => 63,
            Depth::Palette => GREYS,
            Depth::Basic => 3,
            Depth::None => INK.len() as i8 - 1,
        }
    }

    /// The level of the greatest error; the smallest is its negative.
    pub(crate) fn top_error(&self) -> i8 {
        match self.depth {
            Depth::True => 15,
            Depth::Palette => 7,
            Depth::Basic | Depth::None => 2,
        }
    }

    /// The grey of a pixel at `level`.
    pub(crate) fn grey(&self, level: i8) -> Color {
        let level = level.clamp(0, self.top_level());
        match self.depth {
            Depth::True => {
                let grey = (i32::from(level) * 255 / i32::from(self.top_level())) as u8;
                Color::Rgb(grey, grey, grey)
            }
            Depth::Palette => Color::Indexed(match level {
                0 => 16,
                GREYS => 231,
                ramp => 231 + ramp as u8,
            }),
            Depth::Basic => [Color::Black, Color::DarkGray, Color::Gray, Color::White][level as usize],
            Depth::None => Color::Reset,
        }
    }

    /// The colour of an error: blue where ink is missing (negative), red where there is too much.
    pub(crate) fn error(&self, level: i8) -> Color {
        let level = level.clamp(-self.top_error(), self.top_error());
        let size = usize::from(level.unsigned_abs());
        match self.depth {
            Depth::True => {
                let part = |full: usize| (full * size / 15) as u8;
                if level < 0 {
                    Color::Rgb(0, part(150), part(255))
                } else {
                    Color::Rgb(part(255), part(120), 0)
                }
            }
            Depth::Palette => Color::Indexed(if level < 0 { MISSING_256[size] } else { EXCESS_256[size] }),
            Depth::Basic if level < 0 => [Color::Black, Color::Blue, Color::LightBlue][size],
            Depth::Basic => [Color::Black, Color::Red, Color::LightRed][size],
            Depth::None => Color::Reset,
        }
    }

    /// The character of a pixel at `level` where there are no colours.
    pub(crate) fn ink(&self, level: i8) -> char {
        let step = usize::from(level.max(0).unsigned_abs()) * (INK.len() - 1)
            / usize::from(self.top_level().unsigned_abs());
        char::from(INK[step.min(INK.len() - 1)])
    }

    /// The character of an error where there are no colours.
    pub(crate) fn error_ink(level: i8) -> char {
        match level {
            i8::MIN..=-2 => '=',
            -1 => '-',
            0 => ' ',
            1 => '+',
            2.. => '#',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTHS: [Depth; 4] = [Depth::True, Depth::Palette, Depth::Basic, Depth::None];

    #[test]
    fn every_level_has_a_colour_and_the_ends_are_black_and_white() {
        for theme in DEPTHS.map(|depth| Theme::new(depth, false)) {
            for level in i8::MIN..=i8::MAX {
                let _ = (theme.grey(level), theme.error(level), theme.ink(level), Theme::error_ink(level));
            }
        }
        let palette = Theme::new(Depth::Palette, false);
        let ramp: Vec<_> = (0..=palette.top_level()).map(|level| palette.grey(level)).collect();
        assert_eq!(ramp[0], Color::Indexed(16));
        assert_eq!(ramp[1], Color::Indexed(232));
        assert_eq!(ramp[24], Color::Indexed(255));
        assert_eq!(ramp[25], Color::Indexed(231));
    }

    #[test]
    fn without_colours_every_style_is_empty() {
        let theme = Theme::new(Depth::None, false);
        for role in [Role::Strong, Role::Dim, Role::Accent, Role::Bad, Role::Banner] {
            assert_eq!(theme.style(role), Style::reset());
        }
        assert_eq!(theme.grey(5), Color::Reset);
        assert_eq!(theme.error(-2), Color::Reset);
    }
}
