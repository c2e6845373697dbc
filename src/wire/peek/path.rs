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

    /// Whether each value in it is counted, or its end noted.
    pub(in crate::wire) const fn has_counted_values(self) -> bool {
        matches!(
            self,
            Self::Outside
                | Self::Root
                | Self::Options
                | Self::Messages
                | Self::Tools
                | Self::Functions
        )
    }

    /// The members that mean something in it, by their names.
    pub(in crate::wire) const fn members(self) -> &'static [(&'static str, Inner)] {
        match self {
            Self::Options => &[("include_usage", Inner::IncludeUsage)],
            Self::Metadata => &[("user_id", Inner::UserId)],
            Self::Message => &[
                ("role", Inner::Role),
                ("content", Inner::Content),
                ("tool_calls", Inner::ToolCalls),
                ("output", Inner::Output),
            ],
            Self::Block => &[
                ("type", Inner::Type),
                ("content", Inner::Content),
                ("source", Inner::Source),
                ("file", Inner::File),
                ("file_data", Inner::FileData),
                ("image_url", Inner::ImageUrl),
                ("input_audio", Inner::InputAudio),
            ],
            Self::Result | Self::Inset | Self::ResultInset => {
                &[("type", Inner::Type), ("source", Inner::Source)]
            }
            Self::Source | Self::ResultSource => &[
                ("type", Inner::Type),
                ("media_type", Inner::MediaType),
                ("data", Inner::Data),
                ("content", Inner::Content),
            ],
            Self::InsetSource | Self::ResultInsetSource => {
                &[("type", Inner::Type), ("data", Inner::Data)]
            }
            Self::File => &[("file_data", Inner::FileData)],
            Self::Address => &[("url", Inner::Url)],
            Self::Audio => &[("data", Inner::Data)],
            Self::Tool => &[
                ("function", Inner::Function),
                ("input_schema", Inner::InputSchema),
            ],
            Self::Outside
            | Self::Root
            | Self::Messages
            | Self::Content
            | Self::Results
            | Self::Insets
            | Self::ResultInsets
            | Self::Tools
            | Self::Functions => &[],
        }
    }

    /// The name of a member in it.
    pub(in crate::wire) fn name_of(self, inner: Inner) -> &'static str {
        let mut members = self.members().iter();
        members
            .find(|member| member.1 == inner)
            .map_or("", |member| member.0)
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
    /// Whether only what lies in it may mean something.
    pub(in crate::wire) const fn is_container(self) -> bool {
        match self {
            Self::Content | Self::Source | Self::File | Self::InputAudio | Self::Output => true,
            Self::IncludeUsage
            | Self::UserId
            | Self::Role
            | Self::ToolCalls
            | Self::Type
            | Self::Function
            | Self::InputSchema
            | Self::MediaType
            | Self::Data
            | Self::FileData
            | Self::ImageUrl
            | Self::Url => false,
        }
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
}
