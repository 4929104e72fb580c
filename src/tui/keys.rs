//! The one table of keys: dispatch, help, footer and documentation all read it.

use crossterm::event::{KeyCode, KeyModifiers};

/// A key press: the key and the modifiers held.
pub type Key = (KeyCode, KeyModifiers);

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hold training or go on.
    Pause,
    /// Write a checkpoint.
    Save,
    /// The image before.
    Previous,
    /// The next image.
    Next,
    /// The first image.
    First,
    /// The last image.
    Last,
    /// A page of images back.
    PageBack,
    /// A page of images forward.
    PageForward,
    /// Ask for an image to go to.
    GoTo,
    /// Show the next panel alone.
    Focus,
    /// Show the panel before alone.
    FocusBack,
    /// Show fewer steps in the chart.
    ZoomIn,
    /// Show more steps in the chart.
    ZoomOut,
    /// Show all steps in the chart.
    ZoomAll,
    /// Logarithmic or linear losses.
    LogScale,
    /// Train more slowly.
    Slower,
    /// Train faster.
    Faster,
    /// Ask for more epochs.
    MoreEpochs,
    /// Show or leave the help.
    Help,
    /// Close what is open.
    Back,
    /// End the program.
    Quit,
    /// Save and end without asking; the second time end at once.
    Interrupt,
    /// Go to the background.
    Suspend,
    /// Draw everything again.
    Repaint,
    /// A line up in a list.
    Up,
    /// A line down in a list.
    Down,
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    /// What happens.
    pub action: Action,
    /// Any of these does it.
    pub keys: &'static [Key],
    /// The keys as people write them.
    pub label: &'static str,
    /// What it does, for help and documentation.
    pub help: &'static str,
    /// Keys and a word for the footer, for those that stand there.
    pub footer: Option<(&'static str, &'static str)>,
}

const fn plain(code: KeyCode) -> Key {
    (code, KeyModifiers::NONE)
}

const fn letter(character: char) -> Key {
    plain(KeyCode::Char(character))
}

const fn control(character: char) -> Key {
    (KeyCode::Char(character), KeyModifiers::CONTROL)
}

macro_rules! bindings {
    ($($action:ident [$($key:expr),+] $label:literal $help:literal $footer:expr;)+) => {
        &[$(Binding {
            action: Action::$action, keys: &[$($key),+], label: $label, help: $help, footer: $footer,
        }),+]
    };
}

/// All keys; those of the footer stand in its order, the most needed first.
pub static BINDINGS: &[Binding] = bindings! {
    Pause [letter(' ')] "Space" "pause, go on" Some(("Space", "pause"));
    Save [letter('s')] "s" "save a checkpoint that is never pruned" Some(("s", "save"));
    Previous [plain(KeyCode::Left), letter('h')] "← h" "image before" None;
    Next [plain(KeyCode::Right), letter('l')] "→ l" "next image" Some(("←→", "image"));
    First [plain(KeyCode::Home), letter('g')] "Home g" "first image" None;
    Last [plain(KeyCode::End), letter('G')] "End G" "last image" None;
    PageBack [plain(KeyCode::PageUp)] "PgUp" "page of images back" None;
    PageForward [plain(KeyCode::PageDown)] "PgDn" "page of images forward" None;
    GoTo [letter('/')] "/" "go to an image: 17 or digit:4" Some(("/", "go to"));
    Focus [plain(KeyCode::Tab)] "Tab" "next panel alone, then all again" Some(("Tab", "panel"));
    FocusBack [plain(KeyCode::BackTab)] "Shift-Tab" "panel before alone" None;
    Slower [letter('<'), letter(',')] "<" "slower, down to one step a second" Some(("< >", "pace"));
    Faster [letter('>'), letter('.')] ">" "faster, up to full speed" None;
    ZoomIn [letter('+'), letter('=')] "+" "chart: newest steps only" None;
    ZoomOut [letter('-')] "-" "chart: more steps" None;
    ZoomAll [letter('0')] "0" "chart: all steps" None;
    LogScale [letter('y')] "y" "chart: logarithmic or linear" None;
    MoreEpochs [letter('e')] "e" "train more epochs" Some(("e", "more epochs"));
    Up [plain(KeyCode::Up), letter('k')] "↑ k" "scroll up" None;
    Down [plain(KeyCode::Down), letter('j')] "↓ j" "scroll down" None;
    Help [letter('?'), plain(KeyCode::F(1))] "? F1" "this help" Some(("?", "help"));
    Back [plain(KeyCode::Esc)] "Esc" "close what is open; never quits" None;
    Quit [letter('q')] "q" "quit; asks when something is unsaved" Some(("q", "quit"));
    Interrupt [control('c')] "Ctrl-C" "save and stop; twice: at once, unsaved" None;
    Suspend [control('z')] "Ctrl-Z" "to the background (fg comes back)" None;
    Repaint [control('l')] "Ctrl-L" "draw everything again" None;
};

/// What `key` does, if anything.
pub(crate) fn action(key: Key) -> Option<Action> {
    BINDINGS.iter().find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// Keys and what they do, in order: for the documentation.
pub fn key_table() -> impl Iterator<Item = (&'static str, &'static str)> {
    BINDINGS.iter().map(|binding| (binding.label, binding.help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let keys: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.keys).collect();
        for (place, key) in keys.iter().enumerate() {
            assert!(!keys[place + 1..].contains(key), "{key:?} stands twice");
        }
    }

    #[test]
    fn every_action_has_a_key() {
        assert_eq!(action(letter('q')), Some(Action::Quit));
        assert_eq!(action(control('c')), Some(Action::Interrupt));
        assert_eq!(action(letter('G')), Some(Action::Last));
        assert_eq!(action(control('q')), None);
        assert!(key_table().all(|(label, help)| !label.is_empty() && !help.is_empty()));
    }
}
