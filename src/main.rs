//! The `sotto` binary.

// A service that decodes bodies on some threads and frees them on others spends a seventh of its time in glibc's
// allocator, and less in this one (ADR 0028).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    sotto::cli::run(std::env::args_os())
}
