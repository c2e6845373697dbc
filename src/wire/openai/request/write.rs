//! A neutral request as a body of the OpenAI wire, in the dialect of the upstream.
//!
//! The caller has fitted the request: names, ids, blocks and members can be said. Here is how: who
//! the system speaks as, which results become messages of their own, when content is an array.
//! `messages` is written last, so that one turn's body is the start of the next one's.

use crate::chat::opaque::Seal;
use crate::chat::request::{
    Block, DocumentSource, Format, Message, Request, ResultContent, Role, ServiceTier, Source,
    TextRun, ToolResult,
};
use crate::json::raw::Raw;
use crate::json::write::Writer;
use crate::wire::common::foreign_reasoning;
use crate::wire::common::write as shared;
use crate::wire::kind::Dialect;
use crate::wire::openai::request::write_tools::{tool_call, tools, web_search};

/// Appends the body.
pub fn write(request: &Request<'_>, model: &str, dialect: &Dialect, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.open_object().name("model").string(model);
    if let Some(tokens) = request.max_tokens {
        let name = match dialect.max_completion_tokens {
            true => "max_completion_tokens",
            false => "max_tokens",
        };
        w.name(name).number(tokens);
    }
    if request.stream {
        w.name("stream").boolean(true);
        if dialect.stream_usage {
            w.name("stream_options").open_object();
            w.name("include_usage").boolean(true).close_object();
        }
    }
    sampling(request, &mut w);
    if let Some(effort) = request.reasoning.effort {
        w.name("reasoning_effort").string(effort.name());
    }
    format(&request.format, &mut w);
    if let Some(user) = request.user {
        if dialect.safety_identifier {
            w.name("safety_identifier").raw(user);
        }
        w.name("user").raw(user);
    }
    if request.service_tier == Some(ServiceTier::Standard) {
        w.name("service_tier").string("default");
    }
    if let Some(search) = &request.web_search {
        web_search(search, &mut w);
    }
    tools(request, dialect, &mut w);
    let mut writer = Messages { w: &mut w, dialect };
    writer.all(request);
    w.close_object();
}

fn sampling(request: &Request<'_>, w: &mut Writer<'_>) {
    for (name, digits) in [
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("top_k", request.top_k),
    ] {
        if let Some(digits) = digits {
            w.name(name).value(digits.as_bytes());
        }
    }
    if !request.stop.is_empty() {
        w.name("stop").open_array();
        for stop in &request.stop {
            w.raw(*stop);
        }
        w.close_array();
    }
}

fn format(format: &Format<'_>, w: &mut Writer<'_>) {
    match format {
        Format::Text => {}
        Format::JsonObject => {
            w.name("response_format").open_object();
            w.name("type").string("json_object").close_object();
        }
        Format::Schema(format) => {
            w.name("response_format").open_object();
            w.name("type").string("json_schema");
            w.name("json_schema").open_object();
            w.name("name").string("output");
            w.name("strict").boolean(format.strict);
            w.name("schema").value(&format.schema);
            w.close_object().close_object();
        }
    }
}

struct Messages<'w, 'o, 'd> {
    w: &'w mut Writer<'o>,
    dialect: &'d Dialect,
}

impl Messages<'_, '_, '_> {
    fn all(&mut self, request: &Request<'_>) {
        self.w.name("messages").open_array();
        if !request.system.is_empty() {
            self.plain(self.system_role(), &request.system);
        }
        let last = request.messages.len().wrapping_sub(1);
        for (at, message) in request.messages.iter().enumerate() {
            self.message(message, at == last);
        }
        self.w.close_array();
    }

    const fn system_role(&self) -> &'static str {
        match self.dialect.developer_role {
            true => "developer",
            false => "system",
        }
    }

    fn message(&mut self, message: &Message<'_>, is_last: bool) {
        match message.role {
            Role::System => self.plain(self.system_role(), &message.blocks),
            Role::Assistant => self.assistant(message, is_last),
            Role::User => {
                for block in &message.blocks {
                    if let Block::ToolResult(result) = block {
                        self.result(result);
                    }
                }
                let is_rest = |block: &&Block<'_>| !matches!(block, Block::ToolResult(_));
                if message.blocks.iter().any(|block| is_rest(&block)) || message.blocks.is_empty() {
                    self.user(message.blocks.iter().filter(is_rest).collect());
                }
            }
        }
    }

    fn user(&mut self, blocks: Vec<&Block<'_>>) {
        self.open("user");
        self.content(&blocks, "\\n\\n");
        self.w.close_object();
    }

    fn plain(&mut self, role: &str, blocks: &[Block<'_>]) {
        self.open(role);
        self.content(&blocks.iter().collect::<Vec<_>>(), "\\n\\n");
        self.w.close_object();
    }

    fn result(&mut self, result: &ToolResult<'_>) {
        self.open("tool");
        self.w.name("tool_call_id").string(&result.id);
        match &result.content {
            ResultContent::Absent if result.is_error => {
                self.w.name("content").raw(tool_error());
            }
            ResultContent::Absent => {
                self.w.name("content").raw(Raw::EMPTY);
            }
            ResultContent::Text(text) if result.is_error => {
                self.w.name("content").raw_parts(&[tool_error(), *text]);
            }
            ResultContent::Text(text) => {
                self.w.name("content").raw(*text);
            }
            ResultContent::Blocks(blocks) => {
                let opening = result.is_error.then(|| failed(blocks.first()));
                let rest = match blocks.first() {
                    Some(Block::Text { .. }) if result.is_error => blocks.get(1..),
                    _ => Some(blocks.as_slice()),
                };
                let rest = rest.unwrap_or_default();
                self.content(&opening.iter().chain(rest).collect::<Vec<_>>(), "\\n");
            }
        }
        if let Some(mark) = result.cache.as_ref().filter(|_| self.marks()) {
            self.w.name("cache_control").value(mark);
        }
        self.w.close_object();
    }

    fn open(&mut self, role: &str) {
        self.w.open_object().name("role").string(role);
    }

    /// Text alone in one block, or where no arrays are taken, is a string; the rest is an array.
    fn content(&mut self, blocks: &[&Block<'_>], joint: &str) {
        let mut texts = Vec::with_capacity(blocks.len());
        for block in blocks {
            match block {
                Block::Text { text, cache } if !(self.marks() && cache.is_some()) => {
                    texts.push(text)
                }
                _ => break,
            }
        }
        self.w.name("content");
        if texts.len() == blocks.len() && (texts.len() <= 1 || !self.dialect.array_content) {
            return self.joined(&texts, joint);
        }
        self.w.open_array();
        for block in blocks {
            self.part(block);
        }
        self.w.close_array();
    }

    const fn marks(&self) -> bool {
        self.dialect.cache_control && self.dialect.array_content
    }

    fn joined(&mut self, texts: &[&TextRun<'_>], joint: &str) {
        let joint = Raw::from_checked(joint.as_bytes());
        let mut parts = Vec::with_capacity(texts.len() * 2);
        let ours: Vec<Option<Vec<u8>>> = texts.iter().map(|text| escaped(text)).collect();
        for (index, (text, ours)) in texts.iter().zip(&ours).enumerate() {
            if index > 0 {
                parts.push(joint);
            }
            match (text, ours) {
                (TextRun::Raw(raw), _) => parts.push(*raw),
                (TextRun::Joined(more), _) => parts.extend(more),
                (TextRun::Plain(_), Some(ours)) => parts.push(Raw::from_checked(ours)),
                (TextRun::Plain(_), None) => {}
            }
        }
        self.w.raw_parts(&parts);
    }

    fn assistant(&mut self, message: &Message<'_>, is_last: bool) {
        self.open("assistant");
        let mut texts = Vec::new();
        let mut calls = Vec::new();
        let mut marked = false;
        for block in &message.blocks {
            match block {
                Block::Text { text, cache } => {
                    texts.push(text);
                    marked |= self.marks() && cache.is_some();
                }
                Block::ToolUse(call) => calls.push(call),
                // Written by `reasoning`.
                Block::Thinking { .. } | Block::Redacted { .. } => {}
                // The caller leaves none of these to the assistant.
                Block::Image { .. }
                | Block::Document { .. }
                | Block::SearchResult { .. }
                | Block::ToolResult(_)
                | Block::Foreign { .. } => {}
            }
        }
        if marked {
            let is_text = |block: &&Block<'_>| matches!(block, Block::Text { .. });
            self.content(
                &message.blocks.iter().filter(is_text).collect::<Vec<_>>(),
                "",
            );
        } else if texts.is_empty() && !calls.is_empty() {
            self.w.name("content").null();
        } else {
            self.w.name("content");
            self.joined(&texts, "");
        }
        self.reasoning(message);
        if is_last && calls.is_empty() && self.dialect.assistant_prefix {
            self.w.name("prefix").boolean(true);
        }
        if !calls.is_empty() {
            self.w.name("tool_calls").open_array();
            for call in calls {
                tool_call(call, self.w);
            }
            self.w.close_array();
        }
        self.w.close_object();
    }

    /// Reasoning of history, where the upstream wants it back.
    fn reasoning(&mut self, message: &Message<'_>) {
        let thinking = |block: &Block<'_>| match block {
            Block::Thinking { signature, .. } => {
                foreign_reasoning::of_message(*signature).is_none()
            }
            Block::Redacted { .. } => true,
            _ => false,
        };
        if let Some(signature) = message.blocks.iter().find_map(message_signature) {
            self.w.name("extra_content").open_object();
            self.w.name("google").open_object();
            self.w.name("thought_signature").raw(signature);
            self.w.close_object().close_object();
        }
        if !message.blocks.iter().any(thinking) {
            return;
        }
        if self.dialect.reasoning_content_back {
            let texts: Vec<&TextRun<'_>> = message
                .blocks
                .iter()
                .filter(|block| thinking(block))
                .filter_map(|block| match block {
                    Block::Thinking { text, .. } => Some(text),
                    _ => None,
                })
                .collect();
            self.w.name("reasoning_content");
            self.joined(&texts, "");
        }
        if self.dialect.reasoning_details_back {
            self.w.name("reasoning_details").open_array();
            let blocks = message.blocks.iter().filter(|block| thinking(block));
            for (index, block) in blocks.enumerate() {
                self.detail(block, index);
            }
            self.w.close_array();
        }
    }

    fn detail(&mut self, block: &Block<'_>, index: usize) {
        self.w.open_object();
        match block {
            Block::Thinking { text, signature } => {
                if let Some(origin) = signature.and_then(summary_origin) {
                    self.summary(text, origin, index);
                    return;
                }
                self.w.name("type").string("reasoning.text").name("text");
                shared::text(text, self.w);
                if let Some(signature) = signature.filter(|signature| !signature.is_empty()) {
                    self.opaque("signature", signature);
                }
            }
            Block::Redacted { data } => {
                self.w.name("type").string("reasoning.encrypted");
                self.opaque("data", *data);
            }
            _ => {}
        }
        self.w.name("index").number(index as u64).close_object();
    }

    /// A summary as it came: with its own format and id.
    fn summary(&mut self, text: &TextRun<'_>, [format, id]: [Raw<'_>; 2], index: usize) {
        self.w.name("type").string("reasoning.summary");
        self.w.name("summary");
        shared::text(text, self.w);
        for (name, value) in [("format", format), ("id", id)] {
            if !value.is_empty() {
                self.w.name(name).raw(value);
            }
        }
        self.w.name("index").number(index as u64).close_object();
    }

    /// Of a Claude model, or of the one that it was taken from.
    fn opaque(&mut self, name: &str, data: Raw<'_>) {
        let sealed = foreign_reasoning::split(data);
        let parts = sealed.and_then(|sealed| Some((sealed.origin?, sealed.data)));
        let Some(([format, id], data)) = parts else {
            self.w.name(name).raw(data);
            self.w.name("format").string("anthropic-claude-v1");
            return;
        };
        self.w.name(name).raw(data).name("format").raw(format);
        if !id.is_empty() {
            self.w.name("id").raw(id);
        }
    }

    fn part(&mut self, block: &Block<'_>) {
        self.w.open_object();
        let mark = match block {
            Block::Text { text, cache } => {
                self.w.name("type").string("text").name("text");
                shared::text(text, self.w);
                cache.as_ref()
            }
            Block::Image { source, cache } => {
                self.w.name("type").string("image_url");
                self.w.name("image_url").open_object().name("url");
                self.address(source);
                self.w.close_object();
                cache.as_ref()
            }
            Block::Document {
                source: DocumentSource::Pdf(source),
                title,
                cache,
            } => {
                self.w
                    .name("type")
                    .string("file")
                    .name("file")
                    .open_object();
                self.w.name("filename");
                match title.filter(|title| !title.is_empty()) {
                    Some(title) => self.w.raw(title),
                    None => self.w.string("document.pdf"),
                };
                self.w.name("file_data");
                self.address(source);
                self.w.close_object();
                cache.as_ref()
            }
            // The caller has made text of these, or written them elsewhere.
            Block::Document {
                source: DocumentSource::Text(_) | DocumentSource::Content(_),
                ..
            }
            | Block::SearchResult { .. }
            | Block::ToolUse(_)
            | Block::ToolResult(_)
            | Block::Thinking { .. }
            | Block::Redacted { .. }
            | Block::Foreign { .. } => {
                self.w
                    .name("type")
                    .string("text")
                    .name("text")
                    .raw(Raw::EMPTY);
                None
            }
        };
        if let Some(mark) = mark.filter(|_| self.marks()) {
            self.w.name("cache_control").value(mark);
        }
        self.w.close_object();
    }

    fn address(&mut self, source: &Source<'_>) {
        match source {
            Source::Base64 { media, data } => {
                let mut head = b"data:".to_vec();
                crate::json::write::escape_into(media, &mut head);
                head.extend_from_slice(b";base64,");
                self.w.raw_parts(&[Raw::from_checked(&head), *data]);
            }
            Source::Url(url) | Source::File(url) => {
                self.w.raw(*url);
            }
        }
    }
}

/// The signature of the whole message, which stands in a block of thinking.
fn message_signature<'a>(block: &Block<'a>) -> Option<Raw<'a>> {
    match block {
        Block::Thinking { signature, .. } => foreign_reasoning::of_message(*signature),
        _ => None,
    }
}

/// Format and id, if the block is the text of a summary.
fn summary_origin(signature: Raw<'_>) -> Option<[Raw<'_>; 2]> {
    let sealed = foreign_reasoning::split(signature)?;
    sealed.origin.filter(|_| sealed.seal == Seal::Summary)
}

/// Text of our making as a string body.
fn escaped(text: &TextRun<'_>) -> Option<Vec<u8>> {
    let TextRun::Plain(text) = text else {
        return None;
    };
    let mut out = Vec::with_capacity(text.len());
    crate::json::write::escape_into(text, &mut out);
    Some(out)
}

/// The first block of a failed tool's answer: its text says that it failed.
fn failed<'a>(first: Option<&Block<'a>>) -> Block<'a> {
    let Some(Block::Text { text, cache }) = first else {
        return Block::text(tool_error());
    };
    let text = match text {
        TextRun::Raw(raw) => TextRun::Joined(vec![tool_error(), *raw]),
        TextRun::Joined(parts) => {
            let parts = core::iter::once(tool_error()).chain(parts.iter().copied());
            TextRun::Joined(parts.collect())
        }
        TextRun::Plain(plain) => TextRun::Plain(format!("[tool error] {plain}")),
    };
    Block::Text {
        text,
        cache: cache.clone(),
    }
}

/// What a failed tool's answer opens with.
fn tool_error() -> Raw<'static> {
    Raw::from_checked(b"[tool error] ")
}
