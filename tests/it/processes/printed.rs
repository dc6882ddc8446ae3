//! The commands that `sotto dev` prints, followed to the letter.

use super::{Desk, Process};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// `sotto dev` on free ports, and every command that it prints, on one line each.
fn dev(desk: &Desk) -> (Process, Vec<String>) {
    let free = ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0", "--slot-ms", "40"];
    let mut command = desk.command(&[&["dev"], &free[..]].concat());
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let process = Process(process, Value::Null);
    let mut commands = Vec::new();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with("sotto ") {
            continue;
        }
        let mut command = line.trim().to_owned();
        while let Some(begun) = command.strip_suffix('\\') {
            command = format!("{begun}{}", lines.next().unwrap().trim());
        }
        let is_last = command.contains(" mpp close ");
        commands.push(command);
        if is_last {
            break;
        }
    }
    (process, commands)
}

/// What a command says on a shell's command line.
fn says(desk: &Desk, command: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_sotto")).parent().unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).current_dir(&desk.path).env_clear().env("PATH", programs);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_commands_that_the_sandbox_prints_pay_in_every_way() {
    let desk = Desk::new();
    let (sandbox, commands) = dev(&desk);
    let [open_session, pay_session, balance, charge, onboard, open, pay, close] = commands.as_slice() else {
        panic!("{commands:#?}");
    };
    says(&desk, open_session);
    assert!(says(&desk, pay_session).contains("the chain does not show"));
    assert!(says(&desk, balance).contains("999.99"));
    assert!(says(&desk, charge).contains("everybody can see"));
    assert!(says(&desk, onboard).contains("left to move  5"));
    let opened = says(&desk, open);
    let channel = opened.split_whitespace().find(|word| word.starts_with("ch_")).expect("a channel");
    assert!(says(&desk, pay).contains("\"owed\":\"1000\""));
    assert!(says(&desk, pay).contains("\"owed\":\"2000\""));
    let closed = says(&desk, &close.replace("CHANNEL", channel));
    assert!(closed.contains("settled      0.002 to ") && closed.contains("vouchers     2"), "{closed}");
    sandbox.stop();
}
