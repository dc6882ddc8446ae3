//! `sotto config`: what is configured, where it came from, and whether it is right.

use super::{
    Global,
    error::CliError,
    output::{Format, json, say, table},
    warn,
};
use crate::config::{Fault, Warning};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Show or check the configuration
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print every key with its effective value and where it came from
    ///
    /// Secrets are not shown: of keys only where they are kept, of URLs only scheme and host.
    #[command(after_help = "Examples:\n  sotto config show\n  sotto --config prod.toml config show --json")]
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Tell everything that is wrong with the configuration, each with its source and a remedy
    ///
    /// Reads files and environment only; `sotto doctor` also asks the network.
    #[command(after_help = "Examples:\n  sotto config check\n  sotto --set server.port=8080 config check --json")]
    Check {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

impl Config {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        match self.verb {
            Verb::Show { json } => show(global, Format::of_switch(json)),
            Verb::Check { json } => check(global, Format::of_switch(json)),
        }
    }
}

fn show(global: &Global, format: Format) -> Result<(), CliError> {
    let rows = global.layers(Vec::new()).rows();
    if format == Format::Json {
        return json(&json!({ "values": rows }));
    }
    let unset = || "(not set)".to_owned();
    let cells = rows.into_iter().map(|row| [row.key, row.value.unwrap_or_else(unset), row.origin.unwrap_or_default()]);
    table(["key", "value", "from"], cells)
}

fn check(global: &Global, format: Format) -> Result<(), CliError> {
    let outcome = global.layers(Vec::new()).config();
    if format == Format::Text {
        let (_, warnings) = outcome?;
        warn(&warnings);
        return say("the configuration is valid");
    }
    let (faults, warnings) = match outcome {
        Ok((_, warnings)) => (Vec::new(), warnings),
        Err(faults) => (faults.0, Vec::new()),
    };
    json(&json!({
        "valid": faults.is_empty(),
        "faults": faults.iter().map(fault).collect::<Vec<_>>(),
        "warnings": warnings.iter().map(warning).collect::<Vec<_>>(),
    }))?;
    if faults.is_empty() { Ok(()) } else { Err(CliError::NotValid) }
}

fn fault(fault: &Fault) -> Value {
    let origin = fault.origin.as_ref().map(ToString::to_string);
    json!({ "key": fault.key, "origin": origin, "problem": fault.problem, "remedy": fault.remedy })
}

fn warning(warning: &Warning) -> Value {
    json!({ "key": warning.key, "text": warning.text })
}
