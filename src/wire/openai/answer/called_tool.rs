//! The part of an answer's tool call that names its tool: `function`, or `custom` with free text.
//!
//! Whole answers and chunks are read by the same rules.

use crate::json::raw::Raw;
use crate::json::tape::Value;
use crate::wire::openai::reasoning::non_empty;

/// The tool and the arguments of a call, or of a piece of one.
#[derive(Clone, Copy, Debug)]
pub struct CalledTool<'t> {
    object: Value<'t>,
    /// The arguments are the free text of a custom tool.
    pub is_custom: bool,
}

impl<'t> CalledTool<'t> {
    /// What an entry of `tool_calls` says; nothing if it names no tool and brings no arguments.
    #[must_use]
    pub fn of(call: Value<'t>) -> Option<Self> {
        let function = call.get_set("function").map(Self::function);
        function.or_else(|| {
            let object = call.get_set("custom")?;
            Some(Self {
                object,
                is_custom: true,
            })
        })
    }

    /// What a `function`, or the `function_call` of the old form, says.
    #[must_use]
    pub const fn function(object: Value<'t>) -> Self {
        Self {
            object,
            is_custom: false,
        }
    }

    /// The name of the tool.
    #[must_use]
    pub fn name(&self) -> Option<Raw<'t>> {
        self.object.get_set("name").and_then(non_empty)
    }

    /// The arguments, in either spelling.
    #[must_use]
    pub fn arguments(&self) -> Option<Value<'t>> {
        let member = |name: &str| self.object.get_set(name);
        member("arguments").or_else(|| member("input"))
    }
}
