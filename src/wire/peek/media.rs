//! Images, documents and recordings that a request carries in base64, as `peek` sees them in passing.
//!
//! What a part is its type says, whatever its strings look like: a string of base64 in a text is text.
//! Only the data of a part whose type has such data is counted here.

use crate::json::raw::Raw;
use crate::wire::peek::required_capabilities::Need;

/// Data in base64 that a request carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Images, documents and recordings of a noteworthy size.
    pub count: u64,
    /// Bytes of all of them in the body, escapes included.
    pub bytes: usize,
}

/// What the part at hand has said of itself so far, in whichever order.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::wire) struct Part {
    kind: Option<PartKind>,
    /// Its source is base64.
    base64: bool,
    /// Its source is a PDF document.
    pdf: bool,
    /// Bytes of its source.
    source: usize,
    /// Bytes of its `data:` address of an image.
    address: usize,
    /// Bytes of its recording.
    recording: usize,
    /// Bytes of its file, if that is an image or a PDF document.
    file: usize,
}

/// The types of parts that may carry such data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum PartKind {
    /// `image`, with a source.
    Image,
    /// `document`, with a source.
    Document,
    /// `image_url`, with an address.
    Address,
    /// `input_image`, with an address.
    InputImage,
    /// `input_audio`.
    Audio,
    /// `file` or `input_file`.
    File,
}

impl PartKind {
    /// The kind of part that this word is the type of.
    #[inline]
    pub(in crate::wire) fn of(word: Raw<'_>, is_escaped: bool) -> Option<Self> {
        if is_escaped {
            return Self::of_text(word.decode().as_bytes());
        }
        Self::of_text(word.bytes())
    }

    fn of_text(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"image_url" => Self::Address,
            b"image" => Self::Image,
            b"document" => Self::Document,
            b"input_audio" => Self::Audio,
            b"file" | b"input_file" => Self::File,
            b"input_image" => Self::InputImage,
            _ => return None,
        })
    }
}

impl Part {
    /// Takes its type. Of several the last counts.
    pub(in crate::wire) const fn is_of(&mut self, kind: Option<PartKind>) {
        self.kind = kind;
    }

    /// Takes the type of its source.
    pub(in crate::wire) fn has_source(&mut self, kind: Raw<'_>) {
        self.base64 = kind.is("base64");
    }

    /// Takes the media type of its source.
    pub(in crate::wire) const fn has_pdf(&mut self, is_pdf: bool) {
        self.pdf = is_pdf;
    }

    /// Takes the data of its source.
    pub(in crate::wire) const fn has_data(&mut self, data: Raw<'_>) {
        self.source = data.bytes().len();
    }

    /// Takes its address.
    pub(in crate::wire) fn has_address(&mut self, address: Raw<'_>) {
        self.address = bytes_if(address.starts_with("data:"), address);
    }

    /// Takes the data of its recording.
    pub(in crate::wire) const fn has_recording(&mut self, data: Raw<'_>) {
        self.recording = data.bytes().len();
    }

    /// Takes its file, and tells what a model must take of it. One of another kind is a text.
    pub(in crate::wire) fn has_file(&mut self, data: Raw<'_>) -> Option<Need> {
        let need = match data {
            _ if data.starts_with("data:application/pdf") => Some(Need::Pdf),
            _ if data.starts_with("data:image/") => Some(Need::Vision),
            _ => None,
        };
        self.file = bytes_if(need.is_some(), data);
        need
    }

    /// Counts the part, which is whole.
    pub(in crate::wire) const fn count(&self, media: &mut Media) {
        let bytes = match self.kind {
            Some(PartKind::Image) if self.base64 => self.source,
            Some(PartKind::Document) if self.base64 && self.pdf => self.source,
            Some(PartKind::Address | PartKind::InputImage) => self.address,
            Some(PartKind::Audio) => self.recording,
            Some(PartKind::File) => self.file,
            Some(PartKind::Image | PartKind::Document) | None => 0,
        };
        if bytes >= BYTES_MIN {
            media.count = media.count.saturating_add(1);
            media.bytes = media.bytes.saturating_add(bytes);
        }
    }
}

const fn bytes_if(is_media: bool, text: Raw<'_>) -> usize {
    if is_media { text.bytes().len() } else { 0 }
}

/// Smaller ones count by their length, as text does.
const BYTES_MIN: usize = 2_048;
