//! Bytes that others wrote, on their way to standard output: as they are to a file or a pipe, printable to a terminal.

use crate::domain::printable::printable_but;
use std::io::{self, IsTerminal as _, Write, stdout};

/// What a terminal may be shown of a text of several lines.
const LAYOUT: &[char] = &['\n', '\t'];

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A person, whose terminal acts on control characters.
    Terminal,
    /// A program or a file, which gets every byte.
    Program,
}

/// Writes what arrives, piece by piece.
pub(super) struct Foreign<W> {
    out: W,
    reader: Reader,
    /// The beginning of a character whose end has not arrived.
    unfinished: Vec<u8>,
    ends_line: bool,
}

/// The writer of what others sent, to standard output.
pub(super) fn foreign() -> Foreign<io::Stdout> {
    let reader = if stdout().is_terminal() { Reader::Terminal } else { Reader::Program };
    Foreign::new(stdout(), reader)
}

impl<W: Write> Foreign<W> {
    const fn new(out: W, reader: Reader) -> Self {
        Self { out, reader, unfinished: Vec::new(), ends_line: true }
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self.reader {
            Reader::Program => self.out.write_all(piece)?,
            Reader::Terminal => {
                self.unfinished.extend_from_slice(piece);
                self.show(whole(&self.unfinished))?;
            }
        }
        self.out.flush()
    }

    /// The end of what arrives; a terminal goes on with a new line.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.show(self.unfinished.len())?;
        if self.reader == Reader::Terminal && !self.ends_line {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Shows the first bytes of what is unfinished.
    fn show(&mut self, length: usize) -> io::Result<()> {
        let bytes: Vec<u8> = self.unfinished.drain(..length).collect();
        if let Some(last) = bytes.last() {
            self.ends_line = *last == b'\n';
        }
        write!(self.out, "{}", printable_but(String::from_utf8_lossy(&bytes), LAYOUT))
    }
}

/// How many bytes there are without a character at the end that is not whole.
fn whole(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let begins = bytes.iter().enumerate().skip(tail).rfind(|(_, byte)| **byte >= 0xc0);
    let Some((at, first)) = begins else { return bytes.len() };
    let length = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    if bytes.len() - at < length { at } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reader: Reader, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut foreign = Foreign::new(&mut out, reader);
        for piece in pieces {
            foreign.write(piece).expect("memory");
        }
        foreign.end().expect("memory");
        out
    }

    #[test]
    fn a_program_gets_every_byte() {
        let bytes = b"\x1b[2J\x00\xff\r\nno line end";
        assert_eq!(shown(Reader::Program, &[&bytes[..3], &bytes[3..]]), bytes);
        assert!(shown(Reader::Program, &[]).is_empty());
    }

    #[test]
    fn a_terminal_is_not_steered_wherever_a_piece_ends() {
        let bytes = "a\u{1b}[2J\u{9b}1m\tb\u{1f327}\u{202e}c\n\u{fc}".as_bytes();
        let expected = "a\\u001b[2J\\u009b1m\tb\u{1f327}\\u202ec\n\u{fc}\n";
        for cut in 0..bytes.len() {
            let (one, two) = bytes.split_at(cut);
            assert_eq!(String::from_utf8(shown(Reader::Terminal, &[one, two])).expect("UTF-8"), expected, "{cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(shown(Reader::Terminal, &single), expected.as_bytes());
        // Bytes that are no text: C1 as a terminal without UTF-8 reads it, and a character that never ends.
        assert_eq!(shown(Reader::Terminal, &[b"x\x9b\n", b"\xf0\x9f"]), "x\u{fffd}\n\u{fffd}\n".as_bytes());
        assert_eq!(shown(Reader::Terminal, &[b"line\n"]), b"line\n");
        assert!(shown(Reader::Terminal, &[b""]).is_empty());
    }
}
