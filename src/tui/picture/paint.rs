//! Levels to cells: half-blocks where there are colours and UTF-8, otherwise a cell a pixel.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Style};

use super::Picture;
use crate::tui::theme::{Depth, Theme};

/// What the levels of a picture mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// White ink on black.
    Ink,
    /// Signed errors in two colours.
    Error,
}

/// Draws `picture` with its top left corner at (`x`, `y`), each pixel `stretch` columns wide.
pub(crate) fn paint(
    buf: &mut Buffer,
    (x, y): (u16, u16),
    picture: &Picture,
    look: Look,
    stretch: u16,
    theme: &Theme,
) {
    let (width, height) = (picture.size.width, picture.size.height);
    let level = |column: u16, row: u16| {
        let place = usize::from(row) * usize::from(width) + usize::from(column);
        (row < height).then(|| picture.levels.get(place).copied()).flatten()
    };
    let rows_a_cell = if theme.half_blocks() { 2 } else { 1 };
    for row in 0..height.div_ceil(rows_a_cell) {
        for column in 0..width {
            let (text, style) = if theme.half_blocks() {
                half_block(level(column, row * 2), level(column, row * 2 + 1), look, theme)
            } else {
                whole_cell(level(column, row).unwrap_or(0), look, theme)
            };
            for shift in 0..stretch {
                let at = (x.saturating_add(column * stretch + shift), y.saturating_add(row));
                if let Some(cell) = buf.cell_mut(at) {
                    cell.set_char(text).set_style(style);
                }
            }
        }
    }
}

fn color(level: i8, look: Look, theme: &Theme) -> Color {
    match look {
        Look::Ink => theme.grey(level),
        Look::Error => theme.error(level),
    }
}

fn half_block(top: Option<i8>, bottom: Option<i8>, look: Look, theme: &Theme) -> (char, Style) {
    let shade = |level: Option<i8>| level.map_or(Color::Reset, |level| color(level, look, theme));
    let (top, bottom) = (shade(top), shade(bottom));
    if top == bottom {
        // A blank with a background is a third of the bytes.
        return (' ', Style::new().fg(Color::Reset).bg(top));
    }
    ('▀', Style::new().fg(top).bg(bottom))
}

fn whole_cell(level: i8, look: Look, theme: &Theme) -> (char, Style) {
    match (theme.depth, look) {
        (Depth::None, Look::Ink) => (theme.ink(level), Style::new()),
        (Depth::None, Look::Error) => (Theme::error_ink(level), Style::new()),
        _ => (' ', Style::new().fg(Color::Reset).bg(color(level, look, theme))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::picture::Size;
    use ratatui::layout::Rect;

    fn painted(depth: Depth, ascii: bool) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 2, 2));
        let theme = Theme::new(depth, ascii);
        let top = theme.top_level();
        let size = Size { width: 2, height: 2 };
        let picture = Picture { size, levels: vec![0, top, 0, 0] };
        paint(&mut buf, (0, 0), &picture, Look::Ink, 1, &theme);
        buf
    }

    #[test]
    fn a_cell_is_two_pixels() {
        let buf = painted(Depth::Palette, false);
        assert_eq!(buf[(0, 0)].symbol(), " ");
        assert_eq!(buf[(0, 0)].bg, Color::Indexed(16));
        assert_eq!(buf[(1, 0)].symbol(), "▀");
        assert_eq!((buf[(1, 0)].fg, buf[(1, 0)].bg), (Color::Indexed(231), Color::Indexed(16)));
        assert_eq!(buf[(0, 1)].bg, Color::Reset);
    }

    #[test]
    fn without_colours_ink_is_characters() {
        let buf = painted(Depth::None, false);
        assert_eq!((buf[(1, 0)].symbol(), buf[(1, 0)].fg, buf[(1, 0)].bg), ("@", Color::Reset, Color::Reset));
        let ascii = painted(Depth::Palette, true);
        assert_eq!((ascii[(1, 0)].symbol(), ascii[(1, 0)].bg), (" ", Color::Indexed(231)));
    }

    #[test]
    fn a_picture_over_the_edge_is_cut() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 3, 1));
        let picture = Picture { size: Size { width: 8, height: 8 }, levels: vec![1; 64] };
        paint(&mut buf, (u16::MAX - 1, 0), &picture, Look::Ink, 2, &Theme::new(Depth::True, false));
        paint(&mut buf, (2, 0), &picture, Look::Ink, 2, &Theme::new(Depth::True, false));
        assert_eq!(buf[(2, 0)].symbol(), " ");
    }
}
