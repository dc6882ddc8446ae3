//! Bodies that merchants and facilitators send, read piece by piece and never past a limit.

use reqwest::Response;

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Longer than the caller wants to read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(u64),
    /// The connection broke, or the time was up.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// The body of a response, at most so many bytes of it.
#[derive(Debug)]
pub struct BoundedBody {
    response: Response,
    most: u64,
    left: u64,
}

impl BoundedBody {
    /// The body of `response`, of which at most `most` bytes are read.
    pub fn of(response: Response, most: u64) -> Self {
        Self { response, most, left: most }
    }

    /// The next piece, as it arrives; `None` at the end. A length that is announced is refused before anything is read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        if self.response.content_length().is_some_and(|announced| announced > self.left) {
            return Err(BodyError::TooLong(self.most));
        }
        let broken = |error: reqwest::Error| BodyError::Broken(error.without_url());
        let Some(piece) = self.response.chunk().await.map_err(broken)? else { return Ok(None) };
        let left = u64::try_from(piece.len()).ok().and_then(|length| self.left.checked_sub(length));
        self.left = left.ok_or(BodyError::TooLong(self.most))?;
        Ok(Some(piece.into()))
    }

    /// Reads all of it into memory.
    pub async fn bytes(mut self) -> Result<Vec<u8>, BodyError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}
