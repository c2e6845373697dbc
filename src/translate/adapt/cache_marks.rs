//! Cache marks, of which the Anthropic wire takes four in a request.

use memchr::memmem;

use crate::chat::member::Member;
use crate::chat::request::{Block, DocumentSource, Json, Request, ResultContent, Tool};
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::Tape;
use crate::json::write::Writer;
use crate::translate::adapt::fit::Fit;

/// Keeps at most four marks: the earliest go first. The whole request's own mark counts as one.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let whole = usize::from(request.cache.is_some());
    let mut marks = 0usize;
    each_mark(request, || {
        marks += 1;
        Keep::Yes
    });
    if fit.hints.auto_cache && marks + whole == 0 {
        request.cache = Some(Json::Borrowed(br#"{"type":"ephemeral"}"#));
        return;
    }
    let fixed = foreign_marks(request);
    let mut over = (marks + whole + fixed).saturating_sub(MARKS_MAX);
    if over == 0 {
        return;
    }
    fit.notes.dropped(Member::CacheControl);
    each_mark(request, || {
        if over == 0 {
            return Keep::Yes;
        }
        over -= 1;
        Keep::No
    });
}

/// Marks of blocks that go on as they stand.
fn foreign_marks(request: &Request<'_>) -> usize {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let is_marked = |block: &&Block<'_>| match block {
        Block::Foreign { source, .. } if memmem::find(source, MARK.as_bytes()).is_some() => {
            let mut tape = Tape::new();
            let root = tape.read(source, DEPTH_MAX, usize::MAX);
            root.is_ok_and(|root| root.get_set(MARK).is_some())
        }
        _ => false,
    };
    blocks.filter(is_marked).count()
}

/// Whether a mark stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

/// Asks `keep` of every mark that is set, in the order tools, system, messages.
fn each_mark(request: &mut Request<'_>, mut keep: impl FnMut() -> Keep) {
    for tool in &mut request.tools {
        match tool {
            Tool::Function(function) => slot_mark(&mut function.cache, &mut keep),
            Tool::Versioned { source, .. } => source_mark(source, &mut keep),
        }
    }
    let turns = request.messages.iter_mut().flat_map(|m| &mut m.blocks);
    for block in request.system.iter_mut().chain(turns) {
        block_marks(block, &mut keep);
    }
}

/// The marks of a block, those within its content first, as the provider counts them.
fn block_marks(block: &mut Block<'_>, keep: &mut impl FnMut() -> Keep) {
    let inner = match block {
        Block::ToolResult(result) => match &mut result.content {
            ResultContent::Blocks(inner) => Some(inner),
            ResultContent::Absent | ResultContent::Text(_) => None,
        },
        Block::Document {
            source: DocumentSource::Content(inner),
            ..
        } => Some(inner),
        _ => None,
    };
    for block in inner.into_iter().flatten() {
        block_marks(block, keep);
    }
    if let Some(slot) = block.cache_mut() {
        slot_mark(slot, keep);
    }
}

fn slot_mark(slot: &mut Option<Json<'_>>, keep: &mut impl FnMut() -> Keep) {
    if slot.is_some() && keep() == Keep::No {
        *slot = None;
    }
}

/// The mark of a tool that goes on as it stands.
fn source_mark(source: &mut Json<'_>, keep: &mut impl FnMut() -> Keep) {
    let mut tape = Tape::new();
    let Ok(tool) = tape.read(source, DEPTH_MAX, usize::MAX) else {
        return;
    };
    if tool.get_set(MARK).is_none() || keep() == Keep::Yes {
        return;
    }
    let mut rest = Vec::with_capacity(source.len());
    let mut w = Writer::new(&mut rest);
    w.open_object();
    for (name, value) in tool.members().filter(|(name, _)| !name.is(MARK)) {
        w.name_raw(name).value(value.source());
    }
    w.close_object();
    *source = Json::Owned(rest);
}

const MARK: &str = "cache_control";
const MARKS_MAX: usize = 4;
