//! Batching, isolation, back-pressure and crashes of the writer.
