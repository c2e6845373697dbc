//! Where `peek` looks into a body: containers by their path, and the members that mean something
//! there.

use crate::wire::peek::routed_members::Known;

/// Containers that are looked into, by their path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum PeekPath {
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
    /// `messages[i].content[j].source.content[k].source`
    InsetSource,
    /// `messages[i].content[j].content[k].source.content[l].source`
    ResultInsetSource,
    /// `messages[i].content[j].file`
    File,
    /// `messages[i].content[j].image_url`
    Address,
    /// `messages[i].content[j].input_audio`
    Audio,
    /// `tools`
    Tools,
    /// `tools[i]`
    Tool,
    /// `functions`
    Functions,
}

impl PeekPath {
    /// The place inside a container that opens here behind the name of such a member, if it is looked
    /// into.
    pub(in crate::wire) fn inside(
        self,
        is_object: bool,
        (known, inner): (Option<Known>, Option<Inner>),
        is_relayed: bool,
    ) -> Option<Self> {
        let place = match (self, is_object) {
            (Self::Outside, true) => Self::Root,
            (Self::Root, is_object) => return Self::inside_root(known?, is_object),
            (Self::Messages, true) => Self::Message,
            (Self::Content, true) => Self::Block,
            (Self::Results, true) => Self::Result,
            (Self::Insets, true) => Self::Inset,
            (Self::ResultInsets, true) => Self::ResultInset,
            (Self::Tools, true) => Self::Tool,
            (place, is_object) => match (place, inner?, is_object) {
                (Self::Message, Inner::Content, false) => Self::Content,
                (Self::Message, Inner::Output, false) if is_relayed => Self::Content,
                (Self::Block, Inner::Content, false) => Self::Results,
                (Self::Block, Inner::Source, true) => Self::Source,
                (Self::Block, Inner::File, true) => Self::File,
                (Self::Block, Inner::ImageUrl, true) => Self::Address,
                (Self::Block, Inner::InputAudio, true) => Self::Audio,
                (Self::Result, Inner::Source, true) => Self::ResultSource,
                (Self::Source, Inner::Content, false) => Self::Insets,
                (Self::ResultSource, Inner::Content, false) => Self::ResultInsets,
                (Self::Inset, Inner::Source, true) => Self::InsetSource,
                (Self::ResultInset, Inner::Source, true) => Self::ResultInsetSource,
                _ => return None,
            },
        };
        Some(place)
    }

    const fn inside_root(known: Known, is_object: bool) -> Option<Self> {
        match (known, is_object) {
            (Known::StreamOptions, true) => Some(Self::Options),
            (Known::Metadata, true) => Some(Self::Metadata),
            (Known::Messages, false) => Some(Self::Messages),
            (Known::Tools, false) => Some(Self::Tools),
            (Known::Functions, false) => Some(Self::Functions),
            _ => None,
        }
    }

    /// The place around it.
    pub(in crate::wire) const fn parent(self) -> Self {
        match self {
            Self::Outside | Self::Root => Self::Outside,
            Self::Options | Self::Metadata | Self::Messages | Self::Tools | Self::Functions => {
                Self::Root
            }
            Self::Message => Self::Messages,
            Self::Tool => Self::Tools,
            Self::Content => Self::Message,
            Self::Block => Self::Content,
            Self::Results | Self::Source | Self::File | Self::Address | Self::Audio => Self::Block,
            Self::Result => Self::Results,
            Self::ResultSource => Self::Result,
            Self::Insets => Self::Source,
            Self::Inset => Self::Insets,
            Self::ResultInsets => Self::ResultSource,
            Self::ResultInset => Self::ResultInsets,
            Self::InsetSource => Self::Inset,
            Self::ResultInsetSource => Self::ResultInset,
        }
    }
}

/// A member below the outermost object that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Inner {
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
    Data,
    File,
    FileData,
    ImageUrl,
    Url,
    InputAudio,
    Output,
}

impl Inner {
    /// Its name.
    pub(in crate::wire) const fn name(self) -> &'static str {
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
            Self::Data => "data",
            Self::ImageUrl => "image_url",
            Self::Url => "url",
            Self::InputAudio => "input_audio",
            Self::Output => "output",
        }
    }

    /// Every one of them.
    pub(in crate::wire) const ALL: [Self; 17] = [
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
        Self::Data,
        Self::ImageUrl,
        Self::Url,
        Self::InputAudio,
        Self::Output,
    ];

    /// The one called `name`.
    pub(in crate::wire) fn from_name(name: &[u8]) -> Option<Self> {
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
            b"data" => Self::Data,
            b"image_url" => Self::ImageUrl,
            b"url" => Self::Url,
            b"input_audio" => Self::InputAudio,
            b"output" => Self::Output,
            _ => return None,
        })
    }

    /// Whether a string of it may say what a part is, or be its data.
    pub(in crate::wire) const fn tells_of_parts(self) -> bool {
        match self {
            Self::Type
            | Self::MediaType
            | Self::Data
            | Self::FileData
            | Self::ImageUrl
            | Self::Url => true,
            Self::IncludeUsage
            | Self::UserId
            | Self::Role
            | Self::Content
            | Self::ToolCalls
            | Self::Function
            | Self::InputSchema
            | Self::Source
            | Self::File
            | Self::InputAudio
            | Self::Output => false,
        }
    }

    /// Whether the member means something in this place.
    pub(in crate::wire) const fn belongs_to(self, place: PeekPath) -> bool {
        match self {
            Self::IncludeUsage => matches!(place, PeekPath::Options),
            Self::UserId => matches!(place, PeekPath::Metadata),
            Self::Role | Self::ToolCalls | Self::Output => matches!(place, PeekPath::Message),
            Self::Content => matches!(
                place,
                PeekPath::Message | PeekPath::Block | PeekPath::Source | PeekPath::ResultSource
            ),
            Self::Type => matches!(
                place,
                PeekPath::Block
                    | PeekPath::Result
                    | PeekPath::Source
                    | PeekPath::ResultSource
                    | PeekPath::Inset
                    | PeekPath::ResultInset
                    | PeekPath::InsetSource
                    | PeekPath::ResultInsetSource
            ),
            Self::Source => matches!(
                place,
                PeekPath::Block | PeekPath::Result | PeekPath::Inset | PeekPath::ResultInset
            ),
            Self::MediaType => matches!(place, PeekPath::Source | PeekPath::ResultSource),
            Self::Data => matches!(
                place,
                PeekPath::Source
                    | PeekPath::ResultSource
                    | PeekPath::InsetSource
                    | PeekPath::ResultInsetSource
                    | PeekPath::Audio
            ),
            Self::File | Self::ImageUrl | Self::InputAudio => matches!(place, PeekPath::Block),
            Self::FileData => matches!(place, PeekPath::File | PeekPath::Block),
            Self::Url => matches!(place, PeekPath::Address),
            Self::Function | Self::InputSchema => matches!(place, PeekPath::Tool),
        }
    }
}
