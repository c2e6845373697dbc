//! The order that readers of a stream rely on: each event closed by a blank line and told by its
//! name, blocks opened, filled and closed one after the other.

use crate::wire::Wire;

/// Where an event of the Anthropic wire belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    #[default]
    Any,
    /// Before everything else.
    Begin,
    /// It opens this block.
    Open(u64),
    /// Within this block.
    Within(u64),
    /// It closes this block.
    Close(u64),
    /// Behind all blocks.
    Behind,
}

/// What has come of a stream.
#[derive(Debug)]
pub struct Order {
    wire: Wire,
    /// The name that the event in hand has.
    name: Vec<u8>,
    /// Its data have come, its blank line has not.
    has_data: bool,
    has_begun: bool,
    /// The next block's number.
    next: u64,
    open: Option<u64>,
}

impl Order {
    /// Nothing has come.
    #[must_use]
    pub const fn new(wire: Wire) -> Self {
        Self {
            wire,
            name: Vec::new(),
            has_data: false,
            has_begun: false,
            next: 0,
            open: None,
        }
    }

    /// A blank line: the event in hand is over.
    pub fn blank(&mut self) {
        self.name.clear();
        self.has_data = false;
    }

    /// The name of the event in hand.
    pub fn named(&mut self, name: &[u8]) {
        self.name.clear();
        self.name
            .extend_from_slice(name.strip_prefix(b" ").unwrap_or(name));
    }

    /// Data; false where those before them had no blank line: a reader would take both for one.
    pub const fn data(&mut self) -> bool {
        !std::mem::replace(&mut self.has_data, true)
    }

    /// Whether the last event has no blank line: a reader would never see it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.has_data
    }

    /// Whether the event in hand is named as its kind is. Readers of the Anthropic wire go by it.
    #[must_use]
    pub fn is_named(&self, kind: &str) -> bool {
        self.wire == Wire::Openai || self.name == kind.as_bytes()
    }

    /// The event in hand, by its kind and where it belongs.
    ///
    /// # Errors
    /// That it has another's name, or does not belong here.
    pub fn event(&mut self, kind: &str, place: Place) -> Result<(), String> {
        if !self.is_named(kind) {
            let name = self.name.escape_ascii();
            return Err(format!("an event {kind:?} under the name \"{name}\""));
        }
        let fits = match place {
            Place::Any => true,
            Place::Begin => !self.has_begun,
            Place::Open(block) => self.has_begun && self.open.is_none() && block == self.next,
            Place::Within(block) | Place::Close(block) => self.open == Some(block),
            Place::Behind => self.has_begun && self.open.is_none(),
        };
        match place {
            Place::Begin => self.has_begun = true,
            Place::Open(block) => (self.open, self.next) = (Some(block), self.next + 1),
            Place::Close(_) => self.open = None,
            Place::Any | Place::Within(_) | Place::Behind => {}
        }
        match fits {
            true => Ok(()),
            false => Err(format!("an event {kind:?} out of its order: {place:?}")),
        }
    }
}
