//! A ratatui backend that turns changed cells into as few bytes as it can and keeps them.

use std::convert::Infallible;
use std::fmt::Write as _;

use crossterm::Command;
use crossterm::cursor::MoveTo;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// Collects the bytes of one frame.
#[derive(Debug, Default)]
pub(crate) struct AnsiBackend {
    size: Size,
    bytes: String,
}

impl AnsiBackend {
    pub(crate) fn new(width: u16, height: u16) -> Self {
        Self { size: Size { width, height }, bytes: String::new() }
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.size = Size { width, height };
    }

    /// The frame, to be shown in one go (DEC private mode 2026), or nothing if nothing changed.
    pub(crate) fn take_frame(&mut self) -> Option<Vec<u8>> {
        if self.bytes.is_empty() {
            return None;
        }
        let mut frame = String::with_capacity(self.bytes.len() + 16);
        sequence(&mut frame, &BeginSynchronizedUpdate);
        frame.push_str(&std::mem::take(&mut self.bytes));
        sequence(&mut frame, &EndSynchronizedUpdate);
        Some(frame.into_bytes())
    }
}

/// Adds a control sequence.
pub(super) fn sequence(to: &mut String, command: &impl Command) {
    command.write_ansi(to).expect("a string takes every text");
}

/// What the terminal's pen is set to.
#[derive(Clone, Copy, PartialEq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Pen {
    const PLAIN: Self = Self { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

    /// Changes to `next` with only the parameters that differ.
    fn turn(&mut self, next: Self, to: &mut String) {
        let mut codes = Codes { to, any: false };
        if self.modifier != next.modifier {
            // Leaving a modifier differs from terminal to terminal; starting afresh does not.
            if !next.modifier.contains(self.modifier) {
                codes.add(format_args!("0"));
                *self = Self::PLAIN;
            }
            for (modifier, code) in MODIFIERS {
                if (next.modifier - self.modifier).contains(modifier) {
                    codes.add(format_args!("{code}"));
                }
            }
        }
        if self.fg != next.fg {
            codes.color(next.fg, 30);
        }
        if self.bg != next.bg {
            codes.color(next.bg, 40);
        }
        codes.finish();
        *self = next;
    }
}

const MODIFIERS: [(Modifier, u8); 5] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::REVERSED, 7),
];

/// The parameters of one "select graphic rendition".
struct Codes<'a> {
    to: &'a mut String,
    any: bool,
}

impl Codes<'_> {
    fn add(&mut self, code: std::fmt::Arguments) {
        self.to.push_str(if self.any { ";" } else { "\x1b[" });
        self.to.write_fmt(code).expect("a string takes every text");
        self.any = true;
    }

    /// `base` is 30 for the foreground and 40 for the background.
    fn color(&mut self, color: Color, base: u8) {
        let basic = |number: u8| if number < 8 { base + number } else { base + 60 + number - 8 };
        let code = match color {
            Color::Reset => base + 9,
            Color::Indexed(index) => return self.add(format_args!("{};5;{index}", base + 8)),
            Color::Rgb(r, g, b) => return self.add(format_args!("{};2;{r};{g};{b}", base + 8)),
            Color::Black => basic(0),
            Color::Red => basic(1),
            Color::Green => basic(2),
            Color::Yellow => basic(3),
            Color::Blue => basic(4),
            Color::Magenta => basic(5),
            Color::Cyan => basic(6),
            Color::Gray => basic(7),
            Color::DarkGray => basic(8),
            Color::LightRed => basic(9),
            Color::LightGreen => basic(10),
            Color::LightYellow => basic(11),
            Color::LightBlue => basic(12),
            Color::LightMagenta => basic(13),
            Color::LightCyan => basic(14),
            Color::White => basic(15),
        };
        self.add(format_args!("{code}"));
    }

    fn finish(self) {
        if self.any {
            self.to.push('m');
        }
    }
}

impl Backend for AnsiBackend {
    type Error = Infallible;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> Result<(), Infallible> {
        let mut pen = Pen::PLAIN;
        let mut next: Option<(u16, u16)> = None;
        let mut any = false;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                sequence(&mut self.bytes, &MoveTo(x, y));
            }
            let symbol = cell.symbol();
            let mut turned = Pen { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
            if symbol == " " && !cell.modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED) {
                // Nothing of the foreground shows.
                turned.fg = pen.fg;
            }
            if turned != pen {
                pen.turn(turned, &mut self.bytes);
            }
            self.bytes.push_str(symbol);
            // Other than ASCII and our own glyphs may be wide, or be taken for wide: say where it goes on.
            next = cell_is_narrow(symbol).then_some((x + 1, y));
            any = true;
        }
        if any && pen != Pen::PLAIN {
            self.bytes.push_str("\x1b[m");
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _position: P) -> Result<(), Infallible> {
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.bytes.push_str("\x1b[m\x1b[2J");
        Ok(())
    }

    fn clear_region(&mut self, _region: ClearType) -> Result<(), Infallible> {
        self.clear()
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Whether every terminal takes `symbol` for one column: ASCII, block elements and braille. Box lines
/// and bullets are ambiguous and wide in some East Asian settings.
fn cell_is_narrow(symbol: &str) -> bool {
    let mut characters = symbol.chars();
    let narrow = |character: char| matches!(character, ' '..='~' | '\u{2580}'..='\u{2590}' | '\u{2800}'..='\u{28ff}' | '\u{2500}' | '\u{2501}');
    characters.next().is_some_and(narrow) && characters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    fn bytes(cells: &[(u16, u16, Cell)]) -> String {
        let mut backend = AnsiBackend::new(10, 10);
        let Ok(()) = backend.draw(cells.iter().map(|(x, y, cell)| (*x, *y, cell)));
        let frame = backend.take_frame().unwrap_or_default();
        let frame = String::from_utf8_lossy(&frame);
        frame.replace("\x1b[?2026h", "").replace("\x1b[?2026l", "")
    }

    fn cell(symbol: &'static str, style: Style) -> Cell {
        let mut cell = Cell::new(symbol);
        cell.set_style(style);
        cell
    }

    #[test]
    fn only_what_differs_is_written() {
        let red = Style::new().fg(Color::Red);
        let cells = [
            (1, 1, cell("a", red)),
            (2, 1, cell("b", red)),
            (3, 1, cell(" ", Style::new())),
            (4, 1, cell("c", red.bg(Color::Indexed(240)))),
        ];
        assert_eq!(bytes(&cells), "\x1b[2;2H\x1b[31mab \x1b[48;5;240mc\x1b[m");
    }

    #[test]
    fn leaving_bold_starts_afresh() {
        let bold = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
        let cells = [(0, 0, cell("a", bold)), (1, 0, cell("b", Style::new().fg(Color::Cyan)))];
        assert_eq!(bytes(&cells), "\x1b[1;1H\x1b[1;36ma\x1b[0;36mb\x1b[m");
    }

    #[test]
    fn a_frame_without_changes_is_no_frame() {
        assert_eq!(bytes(&[]), "");
        assert_eq!(AnsiBackend::new(1, 1).take_frame(), None);
    }
}
