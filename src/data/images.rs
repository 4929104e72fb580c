//! A run of images and their labels in memory: bytes as they came, shared between its views.

use std::ops::Range;
use std::sync::Arc;

/// Images with their labels, if they have any: a view that is cheap to clone and to narrow.
#[derive(Clone)]
pub struct ImageSet {
    store: Arc<Store>,
    range: Range<usize>,
}

struct Store {
    pixels_per_image: usize,
    /// `[images, pixels_per_image]`
    pixels: Vec<u8>,
    /// `[images]`
    labels: Option<Vec<u8>>,
}

impl ImageSet {
    /// Images from `pixels`, `[images, pixels_per_image]`, with one label each or none at all.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    pub fn new(pixels_per_image: usize, pixels: Vec<u8>, labels: Option<Vec<u8>>) -> Self {
        assert!(pixels_per_image > 0 && pixels.len().is_multiple_of(pixels_per_image), "no whole images");
        let images = pixels.len() / pixels_per_image;
        assert!(labels.as_ref().is_none_or(|labels| labels.len() == images), "not one label an image");
        Self { store: Arc::new(Store { pixels_per_image, pixels, labels }), range: 0..images }
    }

    /// The images of this set from `range.start` up to `range.end`, without copying.
    ///
    /// # Panics
    /// If the range does not lie within the set.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len(), "no such images");
        let start = self.range.start;
        Self { store: Arc::clone(&self.store), range: start + range.start..start + range.end }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is no image at all.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Rows times columns.
    pub fn pixels_per_image(&self) -> usize {
        self.store.pixels_per_image
    }

    /// Pixels of all images, `[len, rows * cols]`.
    pub fn bytes(&self) -> &[u8] {
        let size = self.store.pixels_per_image;
        &self.store.pixels[self.range.start * size..self.range.end * size]
    }

    /// Pixels of one image, `[rows * cols]`.
    ///
    /// # Panics
    /// If there is no image of that index.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.store.pixels_per_image;
        &self.bytes()[index * size..(index + 1) * size]
    }

    /// The class of each image, `[len]`; `None` where the set has no labels.
    pub fn labels(&self) -> Option<&[u8]> {
        self.store.labels.as_ref().map(|labels| &labels[self.range.clone()])
    }

    /// The class of one image; `None` where the set has no labels or no such image.
    pub fn label(&self, index: usize) -> Option<u8> {
        self.labels()?.get(index).copied()
    }
}

impl std::fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSet")
            .field("images", &self.len())
            .field("pixels_per_image", &self.pixels_per_image())
            .field("labelled", &self.labels().is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_shows_its_own_images() {
        let all = ImageSet::new(2, (0..10).collect(), Some(vec![10, 11, 12, 13, 14]));
        let part = all.slice(1..4).slice(1..3);
        assert_eq!(part.len(), 2);
        assert_eq!(part.bytes(), [4, 5, 6, 7]);
        assert_eq!(part.image(1), [6, 7]);
        assert_eq!(part.labels(), Some(&[12, 13][..]));
        assert_eq!([part.label(0), part.label(1), part.label(2)], [Some(12), Some(13), None]);
        assert_eq!(ImageSet::new(1, vec![1], None).label(0), None);
    }

    #[test]
    fn views_share_their_pixels_between_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        let all = ImageSet::new(1, vec![1, 2], None);
        shared(&all);
        assert_eq!(all.clone().bytes().as_ptr(), all.bytes().as_ptr());
    }
}
