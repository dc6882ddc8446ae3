//! The command line: the composition root, and the only importer of `config`.
//!
//! One file a command: its arguments with the texts of `--help`, and what it does. Results go to standard output, as
//! tables for people or with `--json` as one object for programs; logs, warnings and errors go to standard error. The
//! exit code is 0 when it worked, 1 when it did not, 2 when it was called wrongly, 3 when something was sent whose outcome is
//! not known.

#[cfg(feature = "client")]
mod balance;
#[cfg(feature = "client")]
mod buyer;
mod config;
#[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
mod demo;
mod descriptors;
#[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
mod dev;
mod doctor;
mod error;
#[cfg(feature = "client")]
mod follow;
#[cfg(feature = "client")]
mod foreign;
#[cfg(feature = "client")]
mod kept_payment;
mod keygen;
#[cfg(feature = "localnet")]
mod local_network;
#[cfg(feature = "localnet")]
mod localnet;
mod mpp;
#[cfg(feature = "client")]
mod outcome;
mod output;
#[cfg(feature = "client")]
mod pay;
#[cfg(feature = "client")]
mod payer;
mod probing;
mod reach;
#[cfg(all(feature = "client", feature = "merchant"))]
mod receipts;
#[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
mod sandbox;
mod serve;
#[cfg(feature = "client")]
mod session;
#[cfg(feature = "client")]
mod session_file;
#[cfg(feature = "client")]
mod session_pay;
#[cfg(feature = "localnet")]
mod settings_file;
mod settlement;
#[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
mod shop;
mod spending;
mod start;
mod stop;
#[cfg(all(test, feature = "client", feature = "merchant", feature = "localnet"))]
mod tests;
mod trust;
#[cfg(all(feature = "client", feature = "merchant"))]
mod verify_receipt;
#[cfg(feature = "client")]
mod wallet_sessions;
mod wiring;

use crate::{
    config::{Environment, Flags, Layers, LogFormat, TelemetryConfig, Warning},
    telemetry,
};
use clap::{Args, Parser, Subcommand};
use error::CliError;
use std::{ffi::OsString, path::PathBuf, process::ExitCode};

/// A confidential session facilitator for x402 payments on Solana.
#[derive(Debug, Parser)]
#[command(name = "sotto", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command accepts.
#[derive(Debug, Args)]
struct Global {
    /// Read this configuration file instead of ./sotto.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one configuration key, over file and environment; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "client")]
    Balance(balance::Balance),
    Config(config::Config),
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    Demo(demo::Demo),
    #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
    Dev(dev::Dev),
    Doctor(doctor::Doctor),
    Keygen(keygen::Keygen),
    #[cfg(feature = "localnet")]
    Localnet(localnet::LocalnetCommand),
    #[cfg(feature = "client")]
    #[command(subcommand)]
    Mpp(buyer::Mpp),
    #[cfg(feature = "client")]
    Pay(pay::Pay),
    #[cfg(all(feature = "client", feature = "merchant"))]
    Receipts(receipts::Receipts),
    Serve(serve::Serve),
    #[cfg(feature = "client")]
    #[command(subcommand)]
    Session(session::Session),
    #[command(subcommand)]
    Settlement(settlement::Settlement),
    Spending(spending::Spending),
}

/// Parses `args`, runs the command and tells how it went.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Where standard output is closed there is nobody left to tell.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli.command.run(&cli.global) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

impl Command {
    fn run(self, global: &Global) -> Result<(), CliError> {
        match self {
            #[cfg(feature = "client")]
            Self::Balance(command) => command.run(global),
            Self::Config(command) => command.run(global),
            #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
            Self::Demo(command) => command.run(global),
            #[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
            Self::Dev(command) => command.run(global),
            Self::Doctor(command) => command.run(global),
            Self::Keygen(command) => command.run(),
            #[cfg(feature = "localnet")]
            Self::Localnet(command) => command.run(global),
            #[cfg(feature = "client")]
            Self::Mpp(command) => command.run(global),
            #[cfg(feature = "client")]
            Self::Pay(command) => command.run(global),
            #[cfg(all(feature = "client", feature = "merchant"))]
            Self::Receipts(command) => command.run(global),
            Self::Serve(command) => command.run(global),
            #[cfg(feature = "client")]
            Self::Session(command) => command.run(global),
            Self::Settlement(command) => command.run(global),
            Self::Spending(command) => command.run(global),
        }
    }
}

impl Global {
    /// All layers, with what the command's own flags set (flag, key, value).
    fn layers(&self, own: Vec<(String, String, String)>) -> Layers {
        let set = self.set.iter().map(|(key, value)| ("--set".to_owned(), key.clone(), value.clone()));
        let flags = Flags { file: self.config.clone(), values: set.chain(own).collect() };
        Layers::gather(Environment::of_process(), &flags)
    }
}

impl Global {
    /// Sets up the logs for a command that needs nothing else of the configuration.
    #[cfg(any(feature = "client", feature = "localnet"))]
    fn start_logs(&self) -> Result<(), CliError> {
        let (telemetry, warnings) = self.layers(Vec::new()).extract(TelemetryConfig::read)?;
        warn(&warnings);
        start_logs(&telemetry)
    }
}

fn start_logs(config: &TelemetryConfig) -> Result<(), CliError> {
    let format = match config.log_format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    Ok(telemetry::start(format, &config.log_filter)?)
}

/// The runtime of a command that waits for the network.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Tells warnings before anything else happens.
fn warn(warnings: &[Warning]) {
    warnings.iter().for_each(output::warn);
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write section.key=value, such as server.port=4021")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
