//! Published packages of other languages, which tests run as they are: installed by name in exact versions, once for each
//! list of them.
//!
//! They need Node or Python and, once, a package registry. Without them a test says loudly that it was skipped; with
//! `SOTTO_REQUIRE_PACKAGES=1`, as CI sets it, that is a failure.

use sha2::{Digest as _, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
};

/// What a script ends with where something is missing that it cannot do without.
const MISSING: i32 = 77;

/// Runs a command to its end, and gives what it wrote when it succeeded.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|fault| format!("{command:?}: {fault}"))?;
    if output.status.success() { Ok(output) } else { Err(told(command, &output)) }
}

fn told(command: &Command, output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{command:?}: {}\n{stdout}\n{stderr}", output.status)
}

/// Runs a script that needs a package: `None`, said loudly, where it says that it misses something.
#[track_caller]
pub fn run_script(what: &str, command: &mut Command) -> Option<String> {
    let output = command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    if output.status.code() == Some(MISSING) {
        return found(what, Err(told(command, &output)));
    }
    assert!(output.status.success(), "{}", told(command, &output));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What was found; what is missing is told as a reason to skip `what`, or is a failure where it is required.
#[track_caller]
pub fn found<T>(what: &str, found: Result<T, String>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(why) if is_required() => panic!("required, and missing: {why}"),
        Err(why) => {
            eprintln!("SKIPPED: {what} did not run, for want of packages or what runs them: {why}");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's switch, and a test has no configuration to read it from")]
fn is_required() -> bool {
    std::env::var("SOTTO_REQUIRE_PACKAGES").is_ok_and(|value| value == "1")
}

/// A folder with the packages that `sources` lists in `package.json` (and pins in `package-lock.json`, where there is one), and
/// with the files of `sources` beside them: modules are looked up from where a script is.
pub fn node(sources: &Path) -> Result<PathBuf, String> {
    run(Command::new("node").arg("--version"))?;
    let lock = sources.join("package-lock.json").exists();
    let lists: &[&str] = if lock { &["package.json", "package-lock.json"] } else { &["package.json"] };
    let quiet = ["--no-audit", "--no-fund", "--ignore-scripts"];
    let install: &[&str] = if lock { &["ci"] } else { &["install", "--no-package-lock"] };
    installed(sources, "node", lists, |folder| {
        run(Command::new("npm").args(install).args(quiet).current_dir(folder)).map(drop)
    })
}

/// A folder with a virtual environment `venv` of the packages that `sources` pins in `requirements.txt`, and with the files
/// of `sources` beside it.
pub fn python(sources: &Path) -> Result<PathBuf, String> {
    installed(sources, "python", &["requirements.txt"], |folder| {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder))?;
        // Every package is named, and none is built: what is installed is what the list says.
        let exactly =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
        let python = folder.join("venv/bin/python");
        run(Command::new(python).args(exactly).args(["-r", "requirements.txt"]).current_dir(folder)).map(drop)
    })
}

/// The folder for these lists, made once and kept as long as they stay the same.
fn installed(
    sources: &Path,
    kind: &str,
    lists: &[&str],
    install: impl Fn(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    /// One at a time: tests run side by side.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = |fault: io::Error| format!("{}: {fault}", sources.display());
    let mut sum = Sha256::new();
    for list in lists {
        sum.update(std::fs::read(sources.join(list)).map_err(text)?);
    }
    let name = format!("{kind}-{}", hex::encode(&sum.finalize()[..8]));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !folder.exists() {
        // Beside it, and then moved in one go: another process may be at it too.
        let draft = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(text)?;
        copy(sources, draft.path()).map_err(text)?;
        install(draft.path())?;
        match std::fs::rename(draft.path(), &folder) {
            Err(fault) if !folder.exists() => return Err(text(fault)),
            // Or another one has moved its own there before.
            Ok(()) | Err(_) => {}
        }
    }
    copy(sources, &folder).map_err(text)?;
    Ok(folder)
}

/// Copies what differs, each file in one step: another process may be reading it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let (text, target) = (std::fs::read(entry.path())?, to.join(entry.file_name()));
        if std::fs::read(&target).is_ok_and(|there| there == text) {
            continue;
        }
        let mut draft = tempfile::NamedTempFile::new_in(to)?;
        io::Write::write_all(&mut draft, &text)?;
        draft.persist(target)?;
    }
    Ok(())
}
