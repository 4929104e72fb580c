//! A rectangle to write into, from which nothing can stick out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::theme::{Role, Theme};

/// A part of the screen; coordinates count from its top left corner.
pub(crate) struct Pane<'a> {
    pub(crate) buf: &'a mut Buffer,
    pub(crate) area: Rect,
    pub(crate) theme: &'a Theme,
}

impl<'a> Pane<'a> {
    pub(crate) fn new(buf: &'a mut Buffer, area: Rect, theme: &'a Theme) -> Self {
        let area = area.intersection(buf.area);
        Self { buf, area, theme }
    }

    pub(crate) fn width(&self) -> u16 {
        self.area.width
    }

    pub(crate) fn height(&self) -> u16 {
        self.area.height
    }

    /// Writes `text` and returns the column after it.
    pub(crate) fn text(&mut self, x: u16, y: u16, text: &str, role: Role) -> u16 {
        self.styled(x, y, text, self.theme.style(role))
    }

    pub(crate) fn styled(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        if x >= self.area.width || y >= self.area.height {
            return x;
        }
        let room = usize::from(self.area.width - x);
        let (left, top) = (self.area.x + x, self.area.y + y);
        let (end, _) = if self.theme.glyphs.ascii && !text.is_ascii() {
            let plain: String = text.chars().map(to_ascii).collect();
            self.buf.set_stringn(left, top, plain, room, style)
        } else {
            self.buf.set_stringn(left, top, text, room, style)
        };
        end - self.area.x
    }

    /// Writes parts one after the other and returns the column after them.
    pub(crate) fn parts(&mut self, mut x: u16, y: u16, parts: &[(&str, Role)]) -> u16 {
        for (text, role) in parts {
            x = self.text(x, y, text, *role);
        }
        x
    }

    /// Writes parts so that they end at column `end` (exclusive), if they fit after column `start`.
    pub(crate) fn right(&mut self, start: u16, end: u16, y: u16, parts: &[(&str, Role)]) {
        let width = width_of(parts);
        if start.saturating_add(width) <= end {
            self.parts(end - width, y, parts);
        }
    }

    /// A heading: a line over the whole width with `title` in it.
    pub(crate) fn heading(&mut self, title: &[(&str, Role)]) {
        let rule = self.theme.glyphs.rule.repeat(usize::from(self.width()));
        self.text(0, 0, &rule, Role::Rule);
        let end = self.width().saturating_sub(1);
        let mut x = self.text(1, 0, " ", Role::Text);
        // Whole parts only: half a figure would be a wrong figure.
        for (text, role) in title {
            if x + width_of(&[(text, *role)]) > end {
                break;
            }
            x = self.text(x, 0, text, *role);
        }
        self.text(x, 0, " ", Role::Text);
    }

    pub(crate) fn sub(&mut self, x: u16, y: u16, width: u16, height: u16) -> Pane<'_> {
        let area = Rect {
            x: self.area.x.saturating_add(x),
            y: self.area.y.saturating_add(y),
            width: width.min(self.area.width.saturating_sub(x)),
            height: height.min(self.area.height.saturating_sub(y)),
        };
        Pane::new(self.buf, area, self.theme)
    }

    /// Blanks everything.
    pub(crate) fn clear(&mut self) {
        for position in self.area.positions() {
            if let Some(cell) = self.buf.cell_mut(position) {
                cell.reset();
            }
        }
    }
}

/// Columns that parts take; all of them are our own narrow characters or ASCII figures.
pub(crate) fn width_of(parts: &[(&str, Role)]) -> u16 {
    parts.iter().map(|(text, _)| text.chars().count() as u16).sum()
}

fn to_ascii(character: char) -> char {
    match character {
        ascii if ascii.is_ascii() => ascii,
        '→' | '▸' => '>',
        '←' => '<',
        '↑' => '^',
        '↓' => 'v',
        '…' => '~',
        '·' | '│' => '|',
        '─' | '┈' => '-',
        '●' | '•' => '*',
        _ => '?',
    }
}
