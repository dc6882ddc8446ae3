//! Base64 as writers of all languages write it: either alphabet, with padding or without.
//!
//! Promises that each text has one meaning: white space, other characters and stray bits in the last character are refused. The
//! spelling tells nothing apart, so whoever compares what they read compares the bytes.

use base64::{
    DecodeError, Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const READER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a text; whoever calls bounds its length.
pub fn decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    let standard: String = text.chars().map(in_standard_alphabet).collect();
    READER.decode(standard)
}

/// A character of the alphabet for URLs in the standard one.
const fn in_standard_alphabet(c: char) -> char {
    match c {
        '-' => '+',
        '_' => '/',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_one_meaning_is_read_and_no_other() {
        for text in ["+/+/AQ==", "-_-_AQ==", "+/+/AQ=", "+/+/AQ", "-_+/AQ"] {
            assert_eq!(decode(text).as_deref(), Ok(&[0xfb, 0xff, 0xbf, 1][..]), "{text}");
        }
        for text in ["+/+/AR==", "+/+/AQ===", " +/+/AQ==", "+/+/AQ==\n", "+/+/A", "+/+/AQ==+/+/", "é"] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }
}
