//! Files of text that people write, with whichever editor they have.

use std::{io, path::Path};

/// Why a file is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NotText {
    /// The first two bytes say so.
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    /// Some bytes are none of UTF-8.
    #[error("it is not UTF-8; save it as UTF-8")]
    NotUtf8,
}

/// Reads a file of UTF-8; a byte-order mark before it is read over.
pub fn read_text(path: &Path) -> io::Result<String> {
    decode(std::fs::read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(NotText::Utf16);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| NotText::NotUtf8)?;
    strip_mark(&mut text);
    Ok(text)
}

/// Removes the byte-order mark that some editors write.
pub(super) fn strip_mark(text: &mut String) {
    const MARK: char = '\u{feff}';
    if text.starts_with(MARK) {
        drop(text.drain(..MARK.len_utf8()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_over_and_other_encodings_are_named() {
        assert_eq!(decode(b"\xef\xbb\xbfA=1".to_vec()), Ok("A=1".to_owned()));
        assert_eq!(decode("ä".as_bytes().to_vec()), Ok("ä".to_owned()));
        assert_eq!(decode(b"\xff\xfeA\0".to_vec()), Err(NotText::Utf16));
        assert_eq!(decode(b"\xfe\xff\0A".to_vec()), Err(NotText::Utf16));
        assert_eq!(decode(b"caf\xe9".to_vec()), Err(NotText::NotUtf8));
    }
}
