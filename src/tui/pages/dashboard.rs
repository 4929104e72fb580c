//! The main page: how training goes and what the model sees.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use crate::tui::state::{Focus, State, Want};
use crate::tui::view::{self, Pane};

pub(super) const PAGE: Page = Page { view: draw, pictures, step };

/// The least that the sample alone needs.
const LEAST: (u16, u16) = (31, 10);

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Panel {
    Loss,
    Batches,
    Epochs,
    Model,
    Sample,
    Gallery,
}

/// Where the panels stand.
///
/// ```text
/// 120x40 and more               80x24                  60x20               31x10
/// header                        header                 header              sample, two pictures
/// progress                      progress               progress            footer
/// loss chart  │ sample          loss as bars           loss as bars
///             │  28x28          test images            sample
/// batch loss  │ test images      14x14, three rows      14x14, three
/// epochs      │  three rows     footer                 footer
/// (model)     │
/// footer
/// ```
///
/// With room to spare the left column holds the model too, and the test images stand in full. In tall
/// but narrow places the loss becomes a chart and the sample joins in. A panel in focus has it all.
fn layout(area: Rect, state: &State) -> Vec<(Panel, Rect)> {
    let body = body(area);
    let (width, height) = (body.width, body.height);
    let at = |x: u16, y: u16, width: u16, height: u16| Rect::new(body.x + x, body.y + y, width, height);
    match state.focus {
        Focus::All => {}
        Focus::Sample => return vec![(Panel::Sample, body)],
        Focus::Gallery => return vec![(Panel::Gallery, body)],
        Focus::Loss => return vec![(Panel::Loss, body)],
        Focus::Epochs => return vec![(Panel::Epochs, body)],
        Focus::Model => return vec![(Panel::Model, body)],
    }
    if width >= 176 && height >= 50 {
        // As many images in full as leave the chart a good width.
        let images = ((width - 82) / 29).max(4);
        let left = width - 2 - images * 29;
        let right = left + 2;
        let gallery = 33;
        let model = state.info.as_ref().map_or(6, |info| info.layers.len() as u16 + 5).min(height / 4);
        let chart = (height - model) / 2;
        return vec![
            (Panel::Loss, at(0, 0, left, chart)),
            (Panel::Batches, at(0, chart, left, 5)),
            (Panel::Epochs, at(0, chart + 5, left, height - model - chart - 5)),
            (Panel::Model, at(0, height - model, left, model)),
            (Panel::Sample, at(right, 0, width - right, height - gallery)),
            (Panel::Gallery, at(right, height - gallery, width - right, gallery)),
        ];
    }
    if width >= 116 && height >= 36 {
        let left = (width * 35 / 100).max(40);
        let right = left + 2;
        let sample = height - 18;
        let chart = sample;
        return vec![
            (Panel::Loss, at(0, 0, left, chart)),
            (Panel::Batches, at(0, chart, left, 4)),
            (Panel::Epochs, at(0, chart + 4, left, height - chart - 4)),
            (Panel::Sample, at(right, 0, width - right, sample)),
            (Panel::Gallery, at(right, sample, width - right, 18)),
        ];
    }
    if width >= 70 && height >= 20 {
        let mut panels = vec![(Panel::Gallery, at(0, height - 18, width, 18))];
        let mut rest = height - 18;
        if rest >= 28 {
            panels.push((Panel::Sample, at(0, rest - 19, width, 19)));
            rest -= 19;
        }
        if rest >= 7 && width >= 90 {
            let left = width - 42;
            panels.push((Panel::Loss, at(0, 0, left, rest)));
            panels.push((Panel::Epochs, at(left + 2, 0, 40, rest)));
        } else {
            panels.push((Panel::Loss, at(0, 0, width, rest)));
        }
        return panels;
    }
    if width >= 46 && height >= 13 {
        let sample = (height - 3).min(14);
        return vec![
            (Panel::Loss, at(0, 0, width, height - sample)),
            (Panel::Sample, at(0, height - sample, width, sample)),
        ];
    }
    vec![(Panel::Sample, body)]
}

/// Whether header and progress have a line each.
fn has_head(area: Rect) -> bool {
    area.height >= 13
}

/// What is left between header and footer.
fn body(area: Rect) -> Rect {
    let head = if has_head(area) { 2 } else { 0 };
    Rect { y: area.y + head, height: area.height.saturating_sub(head + 1), ..area }
}

fn draw(state: &State, buf: &mut Buffer, area: Rect) {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return view::too_small(state, buf, area, LEAST);
    }
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area };
    if has_head(area) {
        view::header(&mut Pane::new(buf, row(0), &state.theme), state);
        view::progress(&mut Pane::new(buf, row(1), &state.theme), state);
    }
    for (panel, place) in layout(area, state) {
        let mut pane = Pane::new(buf, place, &state.theme);
        match panel {
            Panel::Loss => view::loss(&mut pane, state),
            Panel::Batches => view::batches(&mut pane, state),
            Panel::Epochs => view::epochs(&mut pane, state),
            Panel::Model => view::model(&mut pane, state),
            Panel::Sample => view::sample::sample(&mut pane, state),
            Panel::Gallery => view::gallery::gallery(&mut pane, state),
        }
    }
    view::footer(&mut Pane::new(buf, row(area.height - 1), &state.theme), state);
}

fn panels(state: &State) -> Vec<(Panel, Rect)> {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    if area.width < LEAST.0 || area.height < LEAST.1 { Vec::new() } else { layout(area, state) }
}

fn pictures(state: &State) -> Vec<Want> {
    let mut wants: Vec<Want> = panels(state)
        .into_iter()
        .flat_map(|(panel, place)| match panel {
            Panel::Sample => view::sample::wants(place, state),
            Panel::Gallery => view::gallery::wants(place, state),
            _ => Vec::new(),
        })
        .collect();
    if state.test_images() == 0 {
        wants.clear();
    }
    wants
}

fn step(state: &State) -> u32 {
    let gallery = panels(state).into_iter().find(|(panel, _)| *panel == Panel::Gallery);
    gallery.map_or(10, |(_, place)| view::gallery::plan(place, state).tiles.into())
}
