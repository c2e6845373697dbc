//! Deltas on a terminal, as they come.
//!
//! Every delta is flushed: what is seen is when it came. Colour only where asked for; control
//! characters of an answer never reach the terminal.

use std::io::{self, Write};

use crate::demo::meaning::Delta;

/// Prints one answer.
pub struct Show<'o, W: Write> {
    out: &'o mut W,
    colour: bool,
    at: Part,
}

/// What was printed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    None,
    Thinking,
    Text,
    Call,
}

impl<'o, W: Write> Show<'o, W> {
    /// Nothing was printed yet.
    pub const fn new(out: &'o mut W, colour: bool) -> Self {
        Self {
            out,
            colour,
            at: Part::None,
        }
    }

    /// Prints a delta.
    ///
    /// # Errors
    /// The output does not take it.
    pub fn delta(&mut self, delta: &Delta) -> io::Result<()> {
        match delta {
            Delta::Silent => return Ok(()),
            Delta::Thinking(text) => {
                self.part(Part::Thinking, "thinking  ")?;
                self.text(text, DIM)?;
            }
            Delta::Text(text) => {
                self.part(Part::Text, "text      ")?;
                self.text(text, PLAIN)?;
            }
            Delta::Call(name) => {
                self.at = Part::None;
                self.part(Part::Call, "tool      ")?;
                self.text(name, CYAN)?;
                self.text(" ", PLAIN)?;
            }
            Delta::Arguments(text) => {
                self.part(Part::Call, "tool      ")?;
                self.text(text, CYAN)?;
            }
        }
        self.out.flush()
    }

    /// Ends the last line.
    ///
    /// # Errors
    /// As [`Show::delta`].
    pub fn end(&mut self) -> io::Result<()> {
        writeln!(self.out)?;
        self.out.flush()
    }

    fn part(&mut self, part: Part, title: &str) -> io::Result<()> {
        if self.at != part {
            self.at = part;
            write!(self.out, "\n  {title}")?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str, colour: &str) -> io::Result<()> {
        let is_coloured = self.colour && !colour.is_empty();
        if is_coloured {
            write!(self.out, "{colour}")?;
        }
        for character in text.chars() {
            match character {
                '\n' => write!(self.out, "\n{INDENT}")?,
                '\t' => write!(self.out, " ")?,
                other if other.is_control() => write!(self.out, "?")?,
                other => write!(self.out, "{other}")?,
            }
        }
        if is_coloured {
            write!(self.out, "{RESET}")?;
        }
        Ok(())
    }
}

const PLAIN: &str = "";
const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";
/// As wide as a part's title.
const INDENT: &str = "            ";

#[cfg(test)]
mod tests {
    use super::Show;
    use crate::demo::meaning::Delta;

    fn shown(colour: bool) -> String {
        let mut out = Vec::new();
        let mut show = Show::new(&mut out, colour);
        for delta in [
            Delta::Thinking("hm".to_owned()),
            Delta::Text("a\x1b[1m".to_owned()),
            Delta::Text("b\nc".to_owned()),
            Delta::Call("f".to_owned()),
            Delta::Arguments("{".to_owned()),
            Delta::Arguments("}".to_owned()),
            Delta::Call("g".to_owned()),
        ] {
            show.delta(&delta).unwrap();
        }
        show.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn show_without_colour_prints_parts_and_no_escape() {
        let expected = "\n  thinking  hm\n  text      a?[1mb\n            c\
                        \n  tool      f {}\n  tool      g \n";
        assert_eq!(shown(false), expected);
    }

    #[test]
    fn show_with_colour_resets_after_every_piece() {
        let text = shown(true);
        assert!(text.contains("\x1b[2mhm\x1b[0m"), "{text:?}");
        assert!(!text.contains("\x1b[1m"), "{text:?}");
    }
}
