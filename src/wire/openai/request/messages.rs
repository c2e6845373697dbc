//! Messages of the OpenAI wire as turns of blocks.
//!
//! The run of `system` and `developer` messages at the start becomes the system text; later ones
//! stay in place. Every `tool` message becomes a user turn with one result. `function` messages
//! and `function_call` have no ids: they get one by their count, the same for call and result.

use std::borrow::Cow;

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Block, Json, Message, Request, ResultContent, Role, ToolResult, ToolUse,
};
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::arguments;
use crate::wire::common::members::Members;
use crate::wire::common::read::{self, FieldPath};
use crate::wire::openai::request::carriers::{self, Carried};
use crate::wire::openai::request::parts;

/// Reads `messages`.
///
/// # Errors
/// A refusal that names the message where one is of the wrong form.
pub fn read<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("messages");
    let messages = members.get("messages");
    let messages = messages.ok_or_else(|| place.refuse("expected an array, found nothing"))?;
    read::array(messages, &place)?;
    let mut reader = Reader {
        request,
        functions: 0,
    };
    for (index, message) in messages.elements().enumerate() {
        reader.message(message, index, &place.element(index))?;
    }
    if reader.request.messages.is_empty() && reader.request.system.is_empty() {
        return Err(place.refuse("expected at least one message that says something"));
    }
    Ok(())
}

struct Reader<'r, 't> {
    request: &'r mut Request<'t>,
    /// Legacy calls so far.
    functions: usize,
}

impl<'t> Reader<'_, 't> {
    fn message(
        &mut self,
        value: Value<'t>,
        index: usize,
        place: &FieldPath<'_>,
    ) -> Result<(), Rejection> {
        read::object(value, place)?;
        let role = read::string_member(value, "role", place)?;
        let role_is_function = role.is("function");
        if !role.is("assistant") {
            no_calls(value, place)?;
        }
        let (role, blocks) = match read::decoded(role).as_ref() {
            "system" | "developer" => (Role::System, self.system(value, place)?),
            "user" => (Role::User, self.content(value, Role::User, place)?),
            "assistant" => (Role::Assistant, self.assistant(value, place)?),
            "tool" => (Role::User, vec![self.tool(value, place)?]),
            "function" => (Role::User, vec![self.function(value, place)?]),
            _ => {
                let place = place.member("role");
                return Err(place.refuse("expected system, developer, user, assistant or tool"));
            }
        };
        if !role_is_function {
            self.strays(value, role);
        }
        if role == Role::System && self.request.messages.is_empty() {
            self.request.system.extend(blocks);
            return Ok(());
        }
        self.request.messages.push(Message {
            role,
            blocks,
            index,
        });
        Ok(())
    }

    /// Members of a message that have no word: named once, `null` asks for nothing.
    fn strays(&mut self, message: Value<'t>, role: Role) {
        // The name of a tool message repeats its call's.
        let repeats = role == Role::User && message.get("tool_call_id").is_some();
        for (name, value) in message.members() {
            let known = KNOWN.iter().any(|known| name.is(known));
            let silent = known || (repeats && name.is("name"));
            let cites = name.is("annotations") && value.elements().next().is_some();
            if cites || (!silent && !value.is_null()) {
                self.request.list(read::unknown(name));
            }
        }
    }

    fn assistant(
        &mut self,
        value: Value<'t>,
        place: &FieldPath<'_>,
    ) -> Result<Vec<Block<'t>>, Rejection> {
        let content = |request: &mut Request<'t>| {
            let place = place.member("content");
            parts::read(value.get("content"), Role::Assistant, &place, request)
        };
        let mut blocks = match carriers::read(value, place)? {
            Carried::Content(blocks) => blocks,
            Carried::Thinking(mut blocks) => {
                // Thinking within the content only repeats it.
                let content = content(self.request)?.into_iter();
                blocks.extend(content.filter(|block| !block.is_thinking()));
                blocks
            }
            Carried::None => {
                let mut blocks = content(self.request)?;
                blocks.sort_by_key(|block| !block.is_thinking());
                blocks
            }
        };
        if let Some(refusal) = read::string_maybe(value, "refusal", place)? {
            blocks.push(Block::text(refusal));
        }
        if let Some(calls) = value.get_set("tool_calls") {
            let place = place.member("tool_calls");
            read::array(calls, &place)?;
            for (index, call) in calls.elements().enumerate() {
                blocks.push(self.call(call, &place.element(index))?);
            }
        }
        if let Some(call) = value.get_set("function_call") {
            self.functions += 1;
            let id = Cow::Owned(format!("call_function_{}", self.functions));
            let place = place.member("function_call");
            let call = read::object(call, &place)?;
            blocks.push(self.function_call(call, id, &place)?);
        }
        mark_last(&mut blocks, parts::mark(value, place)?);
        Ok(blocks)
    }

    fn call(&mut self, value: Value<'t>, place: &FieldPath<'_>) -> Result<Block<'t>, Rejection> {
        read::object(value, place)?;
        read::strays(value, &CALL, self.request);
        let id = read::string_member(value, "id", place)?;
        let mut block = match value.get_set("custom") {
            Some(custom) => {
                let place = place.member("custom");
                let input = read::string_member(read::object(custom, &place)?, "input", &place)?;
                read::strays(custom, &["name", "input"], self.request);
                Block::ToolUse(ToolUse {
                    id: read::decoded(id),
                    name: read::decoded(read::string_member(custom, "name", &place)?),
                    input: arguments::wrap("input", input),
                    signature: None,
                    cache: None,
                })
            }
            None => {
                let function = read::object_member(value, "function", place)?;
                self.function_call(function, read::decoded(id), &place.member("function"))?
            }
        };
        if let Some(slot) = block.cache_mut() {
            *slot = parts::mark(value, place)?;
        }
        Ok(block)
    }

    fn function_call(
        &mut self,
        value: Value<'t>,
        id: Cow<'t, str>,
        place: &FieldPath<'_>,
    ) -> Result<Block<'t>, Rejection> {
        let name = read::decoded(read::string_member(value, "name", place)?);
        read::strays(value, &["name", "arguments"], self.request);
        let (input, whole) = match value.get_set("arguments") {
            None => (Json::Borrowed(&b"{}"[..]), true),
            // Some local servers give the object itself.
            Some(object) if object.kind() == JsonKind::Object => {
                (Json::Borrowed(object.source()), true)
            }
            Some(text) => arguments::to_object(read::string(text, &place.member("arguments"))?),
        };
        if !whole {
            self.request.list(Member::ToolCalls);
        }
        Ok(Block::ToolUse(ToolUse {
            id,
            name,
            input,
            signature: None,
            cache: None,
        }))
    }

    fn system(
        &mut self,
        value: Value<'t>,
        place: &FieldPath<'_>,
    ) -> Result<Vec<Block<'t>>, Rejection> {
        let blocks = self.content(value, Role::System, place)?;
        if blocks
            .iter()
            .all(|block| matches!(block, Block::Text { .. }))
        {
            return Ok(blocks);
        }
        Err(place
            .member("content")
            .refuse("system messages take text only"))
    }

    /// The content with the message's own mark on its last block.
    fn content(
        &mut self,
        value: Value<'t>,
        role: Role,
        place: &FieldPath<'_>,
    ) -> Result<Vec<Block<'t>>, Rejection> {
        let content = place.member("content");
        let mut blocks = parts::read(value.get("content"), role, &content, self.request)?;
        mark_last(&mut blocks, parts::mark(value, place)?);
        Ok(blocks)
    }

    fn tool(&mut self, value: Value<'t>, place: &FieldPath<'_>) -> Result<Block<'t>, Rejection> {
        let id = read::string_member(value, "tool_call_id", place)?;
        self.result(value, read::decoded(id), place)
    }

    fn function(
        &mut self,
        value: Value<'t>,
        place: &FieldPath<'_>,
    ) -> Result<Block<'t>, Rejection> {
        let id = Cow::Owned(format!("call_function_{}", self.functions));
        self.result(value, id, place)
    }

    fn result(
        &mut self,
        value: Value<'t>,
        id: Cow<'t, str>,
        place: &FieldPath<'_>,
    ) -> Result<Block<'t>, Rejection> {
        let content = value.get_set("content");
        let mut cache = parts::mark(value, place)?;
        let content = match content.and_then(Value::as_raw) {
            Some(text) if text.is_empty() => ResultContent::Absent,
            Some(text) => ResultContent::Text(text),
            None => {
                let place = place.member("content");
                let mut blocks = parts::read(content, Role::User, &place, self.request)?;
                // A mark within a result belongs on the result.
                for block in &mut blocks {
                    let inner = block.cache_mut().and_then(Option::take);
                    cache = inner.or(cache);
                }
                match blocks.is_empty() {
                    true => ResultContent::Absent,
                    false => ResultContent::Blocks(blocks),
                }
            }
        };
        Ok(Block::ToolResult(ToolResult {
            id,
            content,
            is_error: false,
            cache,
        }))
    }
}

/// Calls stand in messages of the assistant alone: elsewhere they would vanish, their results with them.
fn no_calls(message: Value<'_>, place: &FieldPath<'_>) -> Result<(), Rejection> {
    for name in ["tool_calls", "function_call"] {
        let calls = message
            .get_set(name)
            .filter(|calls| calls.elements().next().is_some() || calls.members().next().is_some());
        if calls.is_some() {
            let place = place.member(name);
            return Err(place.refuse("calls can only be in assistant messages"));
        }
    }
    Ok(())
}

/// A message's mark stands on its last block that may have one.
fn mark_last<'t>(blocks: &mut [Block<'t>], mark: Option<Json<'t>>) {
    let Some(mark) = mark else { return };
    if let Some(slot) = blocks.iter_mut().rev().find_map(Block::cache_mut) {
        *slot = Some(mark);
    }
}

/// Members of a call that have a word; its place in a list is one.
const CALL: [&str; 7] = [
    "id",
    "index",
    "type",
    "function",
    "custom",
    "cache_control",
    "prompt_cache_breakpoint",
];
/// Members of messages that are read, or that repeat what is read.
const KNOWN: [&str; 15] = [
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "annotations",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "content_blocks",
    "cache_control",
    "prompt_cache_breakpoint",
    "type",
];
