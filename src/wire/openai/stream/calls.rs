//! Tool calls in a stream's chunks: in the present form, the old one, and as custom tools.
//!
//! Invariants: calls are numbered from 0 without gaps; no two have the same id; inputs of custom
//! tools that are held back are at most `held_bytes_max` bytes in all.

use crate::chat::event::StreamFault;
use crate::json::raw::Raw;
use crate::json::tape::Tape;
use crate::json::write::number_into;
use crate::limits::TOOL_CALLS_MAX;
use crate::wire::common::ids::{fingerprint, push_id};
use crate::wire::openai::custom;
use crate::wire::openai::settings::Needs;
use crate::wire::openai::stream::chunk::Chunk;

/// The calls of one stream.
#[derive(Debug, Default)]
pub struct Calls {
    calls: Vec<Call>,
    /// Index of the next call.
    next: u32,
    /// Bytes of all inputs of custom tools that are held back.
    held_bytes: usize,
    /// Reads the input of custom tools.
    tape: Tape,
}

#[derive(Debug)]
struct Call {
    /// Of the id as it was written.
    id: u64,
    form: Form,
    /// `{"tool_calls":[{"index":N,"function":{"arguments":"`: copied for every fragment.
    prefix: Vec<u8>,
    index: u32,
}

#[derive(Debug)]
enum Form {
    Function,
    Legacy,
    /// Input of a custom tool: emitted when whole, because its wrapping must come off.
    Custom(Vec<u8>),
    /// A second call of a client that knows of one only.
    Untold,
}

impl Calls {
    /// Bytes of inputs that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the client was told of any call.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.next > 0
    }

    /// A call begins.
    ///
    /// # Errors
    /// More calls than the limit.
    pub fn start(
        &mut self,
        id: Raw<'_>,
        name: Raw<'_>,
        (needs, seed): (&Needs, u64),
        chunk: &Chunk,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamFault> {
        if self.calls.len() >= TOOL_CALLS_MAX {
            return Err(StreamFault::TooMany);
        }
        let mut print = fingerprint(id.bytes());
        let mut made = Vec::new();
        if id.is_empty() || self.calls.iter().any(|call| call.id == print) {
            made.extend_from_slice(b"call_");
            push_id(seed, self.calls.len() as u64, &mut made);
            print = fingerprint(&made);
        }
        let id = if made.is_empty() {
            id
        } else {
            Raw::from_checked(&made)
        };
        let index = self.next;
        let form = if needs.legacy_function {
            legacy_start(index, name, chunk, out)
        } else if needs.is_custom(name) {
            call_start(index, [id, name], ["custom", "input"], chunk, out);
            Form::Custom(Vec::new())
        } else {
            call_start(index, [id, name], ["function", "arguments"], chunk, out);
            Form::Function
        };
        if !matches!(form, Form::Untold) {
            self.next = index.saturating_add(1);
        }
        let prefix = prefix(&form, index);
        self.calls.push(Call {
            id: print,
            form,
            prefix,
            index,
        });
        Ok(())
    }

    /// A piece of a call's arguments.
    ///
    /// # Errors
    /// The call never began, or too much is held back.
    pub fn arguments(
        &mut self,
        tool: u32,
        json: Raw<'_>,
        held_bytes_max: usize,
        chunk: &Chunk,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamFault> {
        let Some(call) = self.calls.get_mut(tool as usize) else {
            return Err(StreamFault::ClosedTool);
        };
        let prefix = call.prefix.as_slice();
        match &mut call.form {
            Form::Function => chunk.pieces(out, [prefix, json.bytes(), b"\"}}]}"]),
            Form::Legacy => chunk.pieces(out, [prefix, json.bytes(), b"\"}}"]),
            Form::Custom(input) => {
                input.extend_from_slice(json.bytes());
                self.held_bytes = self.held_bytes.saturating_add(json.bytes().len());
                if self.held_bytes > held_bytes_max {
                    return Err(StreamFault::TooLarge);
                }
            }
            Form::Untold => {}
        }
        Ok(())
    }

    /// A call is over.
    pub fn stop(&mut self, tool: usize, chunk: &Chunk, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(tool) else {
            return;
        };
        let Form::Custom(held) = &mut call.form else {
            return;
        };
        if held.is_empty() {
            return;
        }
        let index = u64::from(call.index);
        let held = core::mem::take(held);
        self.held_bytes = self.held_bytes.saturating_sub(held.len());
        custom::with_input(Raw::from_checked(&held), &mut self.tape, |input| {
            chunk.with(out, |w| {
                w.name("tool_calls").open_array().open_object();
                w.name("index").number(index).name("custom").open_object();
                w.name("input").raw(input);
                w.close_object().close_object().close_array();
            });
        });
    }

    /// The answer is over, and with it every call.
    pub fn stop_all(&mut self, chunk: &Chunk, out: &mut Vec<u8>) {
        for tool in 0..self.calls.len() {
            self.stop(tool, chunk, out);
        }
    }
}

fn legacy_start(index: u32, name: Raw<'_>, chunk: &Chunk, out: &mut Vec<u8>) -> Form {
    if index > 0 {
        return Form::Untold;
    }
    chunk.with(out, |w| {
        w.name("function_call").open_object();
        w.name("name").raw(name);
        w.name("arguments").string("").close_object();
    });
    Form::Legacy
}

fn call_start(
    index: u32,
    [id, name]: [Raw<'_>; 2],
    [kind, body]: [&str; 2],
    chunk: &Chunk,
    out: &mut Vec<u8>,
) {
    chunk.with(out, |w| {
        w.name("tool_calls").open_array().open_object();
        w.name("index").number(u64::from(index));
        w.name("id").raw(id).name("type").string(kind);
        w.name(kind).open_object();
        w.name("name").raw(name).name(body).string("");
        w.close_object().close_object().close_array();
    });
}

fn prefix(form: &Form, index: u32) -> Vec<u8> {
    match form {
        Form::Function => {
            let mut prefix = b"{\"tool_calls\":[{\"index\":".to_vec();
            number_into(u64::from(index), &mut prefix);
            prefix.extend_from_slice(b",\"function\":{\"arguments\":\"");
            prefix
        }
        Form::Legacy => b"{\"function_call\":{\"arguments\":\"".to_vec(),
        Form::Custom(_) | Form::Untold => Vec::new(),
    }
}
