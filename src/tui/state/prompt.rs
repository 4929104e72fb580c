//! A line that the person types: which image to go to, how many epochs to add.

use super::State;

/// What is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    GoTo,
    MoreEpochs,
}

/// A line in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) question: Question,
    pub(crate) text: String,
    /// Why the line was not taken.
    pub(crate) complaint: Option<String>,
}

/// The most that is taken: more than any answer needs.
const LIMIT: usize = 40;

impl Prompt {
    pub(super) fn new(question: Question) -> Self {
        let text = match question {
            Question::GoTo => String::new(),
            Question::MoreEpochs => "5".into(),
        };
        Self { question, text, complaint: None }
    }

    pub(super) fn push(&mut self, character: char) {
        if self.text.len() < LIMIT && (character.is_ascii_graphic() || character == ' ') {
            self.text.push(character);
            self.complaint = None;
        }
    }

    pub(super) fn pop(&mut self) {
        self.text.pop();
        self.complaint = None;
    }
}

/// The image that `text` means: an index, or `digit:4` for the next of that class after the cursor.
pub(super) fn target(text: &str, state: &State) -> Result<u32, String> {
    let images = state.test_images();
    if images == 0 {
        return Err("there are no test images".into());
    }
    let text = text.trim();
    if let Some(class) = text.strip_prefix("digit:").or_else(|| text.strip_prefix("class:")) {
        let class: u8 = class.trim().parse().map_err(|_| format!("`{class}` is no class: try digit:4"))?;
        return next_of_class(class, state);
    }
    let last = images - 1;
    match text.parse::<u32>() {
        Ok(index) if index <= last => Ok(index),
        Ok(_) => Err(format!("test images are 0 to {last}")),
        Err(_) => Err(format!("type an index, 0 to {last}, or digit:4")),
    }
}

fn next_of_class(class: u8, state: &State) -> Result<u32, String> {
    let labels = state.info.as_ref().map_or(&[][..], |info| &info.data.test_labels);
    if labels.is_empty() {
        return Err("these images have no labels".into());
    }
    let start = state.cursor as usize + 1;
    (0..labels.len())
        .map(|step| (start + step) % labels.len())
        .find(|&index| labels[index] == class)
        .map(|index| index as u32)
        .ok_or_else(|| format!("no test image is of class {class}"))
}

/// A number of epochs to add.
pub(super) fn epochs(text: &str) -> Result<u32, String> {
    match text.trim().parse::<u32>() {
        Ok(epochs) if (1..=100_000).contains(&epochs) => Ok(epochs),
        _ => Err("type a number of epochs, 1 to 100000".into()),
    }
}
