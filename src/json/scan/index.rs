//! Tokens found 64 bytes at a time.
//!
//! The masks of a block tell where its strings begin and end, and so what stands outside of them; what a
//! block ends within (a string, an escape, a number or word) is carried into the next. So every quote of a
//! string is a token, and its bytes are looked at by themselves only where that is told at its closing
//! quote: it holds what no string may hold, bytes beyond ASCII, or escapes by number.
//!
//! Not here: which token may follow which (see `grammar`), how masks are made (see `simd`).

use core::ops::Range;

use crate::json::lexeme::string_end;
use crate::json::scan::tokens::Tokens;
use crate::json::simd::isa::{BLOCK, Isa, Task};

/// Tokens of a text.
pub(super) struct Index<'t, 'b, I> {
    text: &'t [u8],
    isa: I,
    rest: Rest,
    blocks: &'b mut Blocks,
}

/// What is not handed out yet of a block. That of the block at hand has no pointer to it, so that it is kept
/// in registers.
#[derive(Clone, Copy, Default)]
struct Rest {
    base: usize,
    tokens: u64,
    /// Closing quotes of strings that are more than plain ASCII: `Block` has what they hold.
    marked: u64,
}

/// Blocks that are read in one go.
pub(super) struct Blocks {
    each: [Block; BLOCKS],
    /// The one at hand; behind the last one, the next ones are read.
    at: usize,
    /// How many there are.
    count: usize,
    /// Where the next one begins.
    next: usize,
    carried: Carried,
}

#[derive(Clone, Copy, Default)]
struct Block {
    rest: Rest,
    /// Closing quotes of strings that hold a backslash.
    escaped: u64,
    /// Closing quotes of strings that hold bytes beyond ASCII.
    high: u64,
    /// Closing quotes of strings that are checked byte by byte: they hold what no string may hold, or an
    /// escape by number.
    suspect: u64,
}

/// What a block ends within, which the next one begins with.
#[derive(Clone, Copy, Default)]
struct Carried {
    /// All ones in a string.
    string: u64,
    /// 1 if the next byte is escaped.
    escape: u64,
    /// 1 in a number or a word.
    bare: u64,
    /// The string holds a backslash.
    is_escaped: bool,
    /// The string holds bytes beyond ASCII.
    is_high: bool,
    /// The string holds what no string may hold, or an escape by number.
    is_suspect: bool,
}

impl Blocks {
    /// Before the one that begins at an offset.
    pub(super) fn new(next: usize) -> Self {
        Self {
            each: [Block::default(); BLOCKS],
            at: 0,
            count: 0,
            next,
            carried: Carried::default(),
        }
    }

    #[inline(always)]
    fn block(&self) -> &Block {
        // `at` is always less: the compiler cannot see it.
        &self.each[self.at % BLOCKS]
    }

    /// Whether the string whose closing quote this is holds an escape; nothing of one with a fault.
    fn marked_string(&self, text: &[u8], body: Range<usize>, quote: u64) -> Option<bool> {
        let block = self.block();
        let is_string = if block.suspect & quote != 0 {
            string_end(text, body.start).is_ok()
        } else if block.high & quote != 0 {
            core::str::from_utf8(text.get(body).unwrap_or_default()).is_ok()
        } else {
            true
        };
        is_string.then_some(block.escaped & quote != 0)
    }
}

impl<'t, 'b, I: Isa> Index<'t, 'b, I> {
    /// Tokens of the blocks, which are new.
    #[inline(always)]
    pub(super) fn new(text: &'t [u8], isa: I, blocks: &'b mut Blocks) -> Self {
        Self {
            text,
            isa,
            rest: Rest::default(),
            blocks,
        }
    }

    /// Passes a token: its offset, and its bit in the block.
    #[inline(always)]
    fn take(&mut self) -> Option<(usize, u64)> {
        while self.rest.tokens == 0 {
            self.blocks.at += 1;
            if self.blocks.at >= self.blocks.count {
                if self.blocks.next >= self.text.len() {
                    return None;
                }
                self.isa.apart(ReadBlocks {
                    text: self.text,
                    blocks: self.blocks,
                });
            }
            self.rest = self.blocks.block().rest;
        }
        let lowest = self.rest.tokens & self.rest.tokens.wrapping_neg();
        self.rest.tokens ^= lowest;
        let place = lowest.trailing_zeros() as usize;
        // It lies in the text.
        Some((self.rest.base.wrapping_add(place), lowest))
    }
}

impl<I: Isa> Tokens for Index<'_, '_, I> {
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        self.take().map(|(at, _)| at)
    }

    #[inline(always)]
    fn string(&mut self, start: usize) -> Option<(usize, bool)> {
        let (end, quote) = self.take()?;
        if self.rest.marked & quote == 0 {
            return Some((end, false));
        }
        let escaped = self.blocks.marked_string(self.text, start..end, quote)?;
        Some((end, escaped))
    }

    #[inline(always)]
    fn pass(&mut self, end: usize) -> bool {
        // A byte that is no token of its own touches what ended.
        matches!(
            self.text.get(end),
            None | Some(
                b' ' | b'\n' | b'\r' | b'\t' | b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"'
            )
        )
    }
}

/// Reads the next blocks.
struct ReadBlocks<'t, 'b> {
    text: &'t [u8],
    blocks: &'b mut Blocks,
}

impl Task for ReadBlocks<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        self.blocks.read(isa, self.text);
    }
}

impl Blocks {
    #[inline(always)]
    fn read<I: Isa>(&mut self, isa: I, text: &[u8]) {
        self.at = 0;
        let mut carried = self.carried;
        let (mut count, mut next) = (0, self.next);
        let mut skips = false;
        let mut room = [b' '; BLOCK];
        for block in &mut self.each {
            if skips {
                let rest = text.get(next..).unwrap_or_default();
                for block in rest.as_chunks().0 {
                    if !isa.is_plain(block) {
                        break;
                    }
                    next += BLOCK;
                }
            }
            if next >= text.len() {
                break;
            }
            let bytes = block_at(text, next, &mut room);
            *block = carried.read_block(isa, bytes);
            block.rest.base = next;
            // A string of more than a block may be one of very many.
            skips = block.rest.tokens == 0 && carried.string != 0 && carried.escape == 0;
            count += 1;
            next += BLOCK;
        }
        self.carried = carried;
        self.count = count;
        self.next = next;
    }
}

impl Carried {
    #[inline(always)]
    fn read_block<I: Isa>(&mut self, isa: I, bytes: &[u8; BLOCK]) -> Block {
        let masks = isa.outside(bytes);
        let inside = masks.inside;
        let mut suspect = inside.controls;
        let mut quotes = inside.quotes;
        if (inside.backslashes | self.escape) != 0 {
            let escaped = self.escaped(inside.backslashes);
            quotes &= !escaped;
            suspect |= escaped & !isa.escapable(bytes);
        }
        // From each opening quote to before its closing one.
        let strings = isa.parity(quotes) ^ self.string;
        let bare = !(strings | quotes | masks.operators | masks.blanks);
        let first = bare & !((bare << 1) | self.bare);
        self.string = (strings >> 63).wrapping_neg();
        self.bare = bare >> 63;
        let mut block = Block::default();
        block.rest.tokens = quotes | ((masks.operators | first) & !strings);
        let carries = self.is_escaped | self.is_high | self.is_suspect;
        if carries || (inside.backslashes | inside.high | suspect) & strings != 0 {
            block.escaped = ends_of(strings, inside.backslashes, &mut self.is_escaped);
            block.high = ends_of(strings, inside.high, &mut self.is_high);
            block.suspect = ends_of(strings, suspect, &mut self.is_suspect);
            block.rest.marked = block.escaped | block.high | block.suspect;
        }
        block
    }

    /// The bytes that a backslash before them escapes.
    ///
    /// Of a run of backslashes every second byte is escaped, and the one behind it if the run is of odd
    /// length. A subtraction that ripples through each run leaves at the place behind it whether it began
    /// at an even place; where that differs from the place's own parity, the length is odd.
    #[inline(always)]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let escaping = backslashes & !self.escape;
        let both = ((escaping << 1) | ODD).wrapping_sub(escaping) ^ ODD;
        let escaped = both ^ (backslashes | self.escape);
        self.escape = (both & backslashes) >> 63;
        escaped
    }
}

/// The places behind those runs of `strings` that hold one of `marks`; `carried` says whether the run that
/// goes on from the block before does, and then whether that which goes on behind this one does.
///
/// A mark that is added to the run of ones that it lies in carries to the place behind the run, however many
/// there are.
#[inline(always)]
fn ends_of(strings: u64, marks: u64, carried: &mut bool) -> u64 {
    let (sum, over) = strings.carrying_add(strings & marks, *carried);
    *carried = over;
    sum & !strings
}

/// The block at `at`; behind the text's end it has the blanks of `room`.
#[inline(always)]
fn block_at<'t>(text: &'t [u8], at: usize, room: &'t mut [u8; BLOCK]) -> &'t [u8; BLOCK] {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        return block;
    }
    if let Some(front) = room.get_mut(..rest.len()) {
        front.copy_from_slice(rest);
    }
    room
}

/// Blocks read in one go.
const BLOCKS: usize = 8;
