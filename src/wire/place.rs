//! Where `peek` looks into a body: containers by their path, and the members that mean something
//! there.

/// Containers that are looked into, by their path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside the outermost object.
    Outside,
    /// The outermost object.
    Root,
    /// `stream_options`
    Options,
    /// `metadata`
    Metadata,
    /// `messages`
    Messages,
    /// `messages[i]`
    Message,
    /// `messages[i].content`
    Content,
    /// `messages[i].content[j]`
    Block,
    /// `messages[i].content[j].content`
    Results,
    /// `messages[i].content[j].content[k]`
    Result,
    /// `messages[i].content[j].source`
    Source,
    /// `messages[i].content[j].content[k].source`
    ResultSource,
    /// `messages[i].content[j].source.content`
    Insets,
    /// `messages[i].content[j].source.content[k]`
    Inset,
    /// `messages[i].content[j].content[k].source.content`
    ResultInsets,
    /// `messages[i].content[j].content[k].source.content[l]`
    ResultInset,
    /// `messages[i].content[j].file`
    File,
    /// `tools`
    Tools,
    /// `tools[i]`
    Tool,
    /// `functions`
    Functions,
}

impl Place {
    /// The place around it.
    pub(super) const fn parent(self) -> Self {
        match self {
            Self::Outside | Self::Root => Self::Outside,
            Self::Options | Self::Metadata | Self::Messages | Self::Tools | Self::Functions => {
                Self::Root
            }
            Self::Message => Self::Messages,
            Self::Tool => Self::Tools,
            Self::Content => Self::Message,
            Self::Block => Self::Content,
            Self::Results | Self::Source | Self::File => Self::Block,
            Self::Result => Self::Results,
            Self::ResultSource => Self::Result,
            Self::Insets => Self::Source,
            Self::Inset => Self::Insets,
            Self::ResultInsets => Self::ResultSource,
            Self::ResultInset => Self::ResultInsets,
        }
    }
}

/// A member below the outermost object that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inner {
    IncludeUsage,
    UserId,
    Role,
    Content,
    ToolCalls,
    Type,
    Function,
    InputSchema,
    Source,
    MediaType,
    File,
    FileData,
}

impl Inner {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::IncludeUsage => "include_usage",
            Self::UserId => "user_id",
            Self::Role => "role",
            Self::Content => "content",
            Self::ToolCalls => "tool_calls",
            Self::Type => "type",
            Self::Function => "function",
            Self::InputSchema => "input_schema",
            Self::Source => "source",
            Self::MediaType => "media_type",
            Self::File => "file",
            Self::FileData => "file_data",
        }
    }

    /// Every one of them.
    pub(super) const ALL: [Self; 12] = [
        Self::IncludeUsage,
        Self::UserId,
        Self::Role,
        Self::Content,
        Self::ToolCalls,
        Self::Type,
        Self::Function,
        Self::InputSchema,
        Self::Source,
        Self::MediaType,
        Self::File,
        Self::FileData,
    ];

    /// The one called `name`.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"include_usage" => Self::IncludeUsage,
            b"user_id" => Self::UserId,
            b"role" => Self::Role,
            b"content" => Self::Content,
            b"tool_calls" => Self::ToolCalls,
            b"type" => Self::Type,
            b"function" => Self::Function,
            b"input_schema" => Self::InputSchema,
            b"source" => Self::Source,
            b"media_type" => Self::MediaType,
            b"file" => Self::File,
            b"file_data" => Self::FileData,
            _ => return None,
        })
    }

    /// Whether the member means something in this place.
    pub(super) const fn belongs_to(self, place: Place) -> bool {
        match self {
            Self::IncludeUsage => matches!(place, Place::Options),
            Self::UserId => matches!(place, Place::Metadata),
            Self::Role | Self::ToolCalls => matches!(place, Place::Message),
            Self::Content => matches!(
                place,
                Place::Message | Place::Block | Place::Source | Place::ResultSource
            ),
            Self::Type => matches!(
                place,
                Place::Block
                    | Place::Result
                    | Place::Source
                    | Place::ResultSource
                    | Place::Inset
                    | Place::ResultInset
            ),
            Self::Source => matches!(place, Place::Block | Place::Result),
            Self::MediaType => matches!(place, Place::Source | Place::ResultSource),
            Self::File => matches!(place, Place::Block),
            Self::FileData => matches!(place, Place::File),
            Self::Function | Self::InputSchema => matches!(place, Place::Tool),
        }
    }
}
