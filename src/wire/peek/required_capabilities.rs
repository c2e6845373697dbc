//! What the content of a request needs of a model, as `peek` sees it in passing.

/// Something that a model takes or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Images.
    Vision,
    /// PDF documents.
    Pdf,
    /// Recorded sound.
    Audio,
    /// Declared tools.
    Tools,
}

impl Need {
    /// Every one of them.
    pub const ALL: [Self; NEED_COUNT] = [Self::Vision, Self::Pdf, Self::Audio, Self::Tools];

    /// What a model takes that has it, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vision => "images",
            Self::Pdf => "PDF documents",
            Self::Audio => "audio input",
            Self::Tools => "tools",
        }
    }
}

/// What a request needs, each with the place where it first does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    first: [Option<u32>; NEED_COUNT],
}

impl Needs {
    /// Notes a need; `message`: the place of the message that has it, nought for tools.
    pub(in crate::wire) fn add(&mut self, need: Need, message: u32) {
        if let Some(first) = self.first.get_mut(need as usize) {
            first.get_or_insert(message);
        }
    }

    /// Whether any model will do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.iter().all(Option::is_none)
    }

    /// The needs, in the order of [`Need::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Need> + '_ {
        let has = |need: &Need| self.first.get(*need as usize).is_some_and(Option::is_some);
        Need::ALL.into_iter().filter(has)
    }

    /// The field of the request that first needs it, as a path.
    #[must_use]
    pub fn field(&self, need: Need) -> String {
        let message = self.first.get(need as usize).copied().flatten();
        match need {
            Need::Tools => "tools".to_owned(),
            Need::Vision | Need::Pdf | Need::Audio => {
                format!("messages[{}].content", message.unwrap_or(0))
            }
        }
    }
}

/// Count of [`Need::ALL`].
const NEED_COUNT: usize = 4;
