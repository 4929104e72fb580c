//! The README's pictures: the real program on a pseudo-terminal, its screen drawn as SVG.
//!
//! `cargo test --release --test integration picture -- --ignored` draws them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::program::Terminal;

/// Size of a cell in the picture.
const CELL: (usize, usize) = (10, 20);
/// The colours that a terminal gives where a program names none.
const PAPER: &str = "#1e1e1e";
const INK: &str = "#d4d4d4";

const BASIC: [&str; 16] = [
    "#000000", "#cd3131", "#0dbc79", "#c5a332", "#2472c8", "#bc3fbc", "#11a8cd", "#d0d0d0", "#666666",
    "#f14c4c", "#23d18b", "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff",
];

fn color(color: vt100::Color, default: &str) -> String {
    match color {
        vt100::Color::Default => default.into(),
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        vt100::Color::Idx(i @ 0..=15) => BASIC[i as usize].into(),
        vt100::Color::Idx(i @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let (r, g, b) = ((i - 16) / 36, (i - 16) / 6 % 6, (i - 16) % 6);
            format!("#{:02x}{:02x}{:02x}", level(r), level(g), level(b))
        }
        vt100::Color::Idx(i) => {
            let gray = 8 + 10 * (i - 232);
            format!("#{gray:02x}{gray:02x}{gray:02x}")
        }
    }
}

/// A rectangle of one colour, merged with its left neighbour where it can be.
struct Rectangles {
    drawn: String,
    open: Option<(usize, usize, usize, usize, String)>,
}

impl Rectangles {
    fn put(&mut self, x: usize, y: usize, width: usize, height: usize, fill: &str) {
        if let Some((left, top, so_far, tall, color)) = &mut self.open
            && *left + *so_far == x
            && (*top, *tall) == (y, height)
            && color == fill
        {
            *so_far += width;
            return;
        }
        self.close();
        self.open = Some((x, y, width, height, fill.into()));
    }

    fn close(&mut self) {
        if let Some((x, y, width, height, fill)) = self.open.take()
            && fill != PAPER
        {
            let _ = writeln!(self.drawn, r#"<path fill="{fill}" d="M{x} {y}h{width}v{height}h-{width}z"/>"#);
        }
    }
}

/// Where the ink of a block element is, in eighths of a cell: `(left, top, width, height)`.
fn block(text: &str) -> Option<(usize, usize, usize, usize)> {
    let code = text.chars().next()? as usize;
    match code {
        0x2580 => Some((0, 0, 8, 4)),
        0x2581..=0x2588 => Some((0, 8 - (code - 0x2580), 8, code - 0x2580)),
        0x2589..=0x258f => Some((0, 0, 8 - (code - 0x2588), 8)),
        _ => None,
    }
}

fn svg(screen: &vt100::Screen) -> String {
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let (width, height) = (cols as usize * CELL.0, rows as usize * CELL.1);
    let mut upper = Rectangles { drawn: String::new(), open: None };
    let mut lower = Rectangles { drawn: String::new(), open: None };
    let mut text = String::new();
    for row in 0..rows {
        for col in 0..cols {
            let Some(cell) = screen.cell(row, col) else { continue };
            let (mut ink, mut paper) = (color(cell.fgcolor(), INK), color(cell.bgcolor(), PAPER));
            if cell.inverse() {
                std::mem::swap(&mut ink, &mut paper);
            }
            let (x, y) = (col as usize * CELL.0, row as usize * CELL.1);
            let half = CELL.1 / 2;
            let contents = cell.contents();
            let (top, bottom) = match contents {
                "▀" => (&ink, &paper),
                "▄" => (&paper, &ink),
                "█" => (&ink, &ink),
                _ => (&paper, &paper),
            };
            upper.put(x, y, CELL.0, half, top);
            lower.put(x, y + half, CELL.0, half, bottom);
            if contents.trim().is_empty() || matches!(contents, "▀" | "▄" | "█") {
                continue;
            }
            let code = contents.chars().next().map_or(0, |c| c as u32);
            if let Some((left, top, wide, high)) = block(contents) {
                let (x, y) = (x + left * CELL.0 / 8, y + top * CELL.1 / 8);
                let (wide, high) = (wide * CELL.0 / 8, high * CELL.1 / 8);
                let _ = writeln!(text, r#"<path fill="{ink}" d="M{x} {y}h{wide}v{high}h-{wide}z"/>"#);
            } else if (0x2800..=0x28ff).contains(&code) {
                let dots = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
                let mut path = String::new();
                for (bit, (dx, dy)) in
                    dots.iter().enumerate().filter(|(bit, _)| (code - 0x2800) >> bit & 1 == 1)
                {
                    let _ = bit;
                    let _ = write!(path, "M{} {}h2v2h-2z", x + 2 + dx * 5, y + 2 + dy * 5);
                }
                let _ = writeln!(text, r#"<path fill="{ink}" d="{path}"/>"#);
            } else {
                let weight = if cell.bold() { r#" font-weight="bold""# } else { "" };
                let escaped = contents.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let _ =
                    writeln!(text, r#"<text x="{x}" y="{}" fill="{ink}"{weight}>{escaped}</text>"#, y + 15);
            }
        }
    }
    upper.close();
    lower.close();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans Mono, \
         Menlo, Consolas, monospace\" font-size=\"16\" shape-rendering=\"crispEdges\">\n\
         <path fill=\"{PAPER}\" d=\"M0 0h{width}v{height}H0z\"/>\n{}{}{text}</svg>\n",
        upper.drawn, lower.drawn
    )
}

#[test]
#[ignore = "draws the README's pictures anew"]
fn picture_of_the_dashboard() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start_with(
        folder.path(),
        "train --data mnist-5k",
        (120, 40),
        &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
    );
    terminal.wait_for("finished");
    terminal.read_for(Duration::from_millis(1_500));
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    std::fs::create_dir_all(&pictures).expect("a folder");
    std::fs::write(pictures.join("dashboard.svg"), svg(terminal.screen())).expect("written");
    terminal.press("\u{3}");
    terminal.end();
}
