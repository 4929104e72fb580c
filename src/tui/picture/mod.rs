//! Images as the screen shows them: scaled to whole cells, in a few levels, and calm.
//!
//! A pixel keeps its level until its value has moved by 0.9 of a step, so that a picture that hardly
//! changes costs hardly a byte. Knows values and sizes, no colours: the theme turns levels into those.

mod paint;
mod scale;

pub(crate) use paint::{Look, paint};
pub(crate) use scale::{fit, grid, resample};

/// How far a pixel must move, in steps, before its level follows.
const HYSTERESIS: f32 = 0.9;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    pub(crate) width: u16,
    pub(crate) height: u16,
}

/// A picture as it stands on the screen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) size: Size,
    /// `[height * width]`; 0 is black (or no error), the theme knows the top.
    pub(crate) levels: Vec<i8>,
}

impl Picture {
    /// A picture of `values` `[height * width]`, where `top` levels make 1.
    pub(crate) fn new(size: Size, values: &[f32], top: i8) -> Self {
        Self { size, levels: values.iter().map(|&value| level(value, top)).collect() }
    }

    /// Moves on to `values`, leaving alone what has hardly moved.
    pub(crate) fn settle(&mut self, values: &[f32], top: i8) {
        for (shown, &value) in self.levels.iter_mut().zip(values) {
            if (value * f32::from(top) - f32::from(*shown)).abs() > HYSTERESIS {
                *shown = level(value, top);
            }
        }
    }
}

fn level(value: f32, top: i8) -> i8 {
    // A value that is no number shows as black: the conversion gives zero.
    (value.clamp(-1.0, 1.0) * f32::from(top)).round() as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Size = Size { width: 1, height: 1 };

    #[test]
    fn a_pixel_keeps_its_level_until_it_moved_nine_tenths_of_a_step() {
        let mut picture = Picture::new(ONE, &[0.5], 10);
        assert_eq!(picture.levels, [5]);
        picture.settle(&[0.58], 10);
        assert_eq!(picture.levels, [5]);
        picture.settle(&[0.42], 10);
        assert_eq!(picture.levels, [5]);
        picture.settle(&[0.595], 10);
        assert_eq!(picture.levels, [6]);
        picture.settle(&[0.0], 10);
        assert_eq!(picture.levels, [0]);
    }

    #[test]
    fn what_is_no_number_is_black() {
        let picture = Picture::new(ONE, &[f32::NAN], 25);
        assert_eq!(picture.levels, [0]);
        assert_eq!(Picture::new(ONE, &[f32::INFINITY], 25).levels, [25]);
    }
}
