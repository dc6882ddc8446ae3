//! The `sotto` binary.

fn main() -> std::process::ExitCode {
    sotto::cli::run(std::env::args_os())
}
