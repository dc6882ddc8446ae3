//! The processes of a benchmark. Each is its own, so that what they cost each other is what it would be.

use crate::Outcome;
use serde_json::Value;
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running process that printed one JSON object once it was ready. Killed when dropped.
pub struct Process {
    child: Child,
    /// What it printed.
    pub said: Value,
    /// From its start to that.
    pub ready_after: Duration,
}

impl Process {
    /// Starts a process and waits for its object; its log goes into `log`.
    pub fn start(mut command: Command, log: fs::File) -> Outcome<Self> {
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let said = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>().next();
        let ready_after = started.elapsed();
        if let Some(Ok(said)) = said {
            return Ok(Self { child, said, ready_after });
        }
        drop(child.kill());
        drop(child.wait());
        Err(format!("{command:?} said nothing").into())
    }

    /// A text of the object.
    pub fn text(&self, name: &str) -> Outcome<String> {
        let text = self.said.get(name).and_then(Value::as_str);
        Ok(text.ok_or_else(|| format!("{name} is missing in {}", self.said))?.to_owned())
    }

    /// Resident memory now and at its highest, in MiB.
    pub fn resident(&self) -> Outcome<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mebibytes = |name: &str| -> Outcome<f64> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no memory figures")?;
            let kibibytes: f64 = line.split_whitespace().nth(1).ok_or("no memory figures")?.parse()?;
            Ok(kibibytes / 1024.0)
        };
        Ok((mebibytes("VmRSS:")?, mebibytes("VmHWM:")?))
    }

    /// Processor seconds so far, of all its threads.
    pub fn processor_seconds(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(')').ok_or("no times")?.1;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        let (user, system) = (ticks.next().ok_or("no times")??, ticks.next().ok_or("no times")??);
        // The unit is fixed at 100 a second for every Linux that this runs on.
        Ok((user + system) / 100.0)
    }

    /// SIGKILL, as when the machine ends it.
    pub fn kill(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits until it has gone.
    pub fn stop(mut self) -> Outcome<()> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        if !asked.success() {
            return Err("the process cannot be asked to stop".into());
        }
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the process ended with {status}").into()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
