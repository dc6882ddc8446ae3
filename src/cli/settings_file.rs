//! A configuration file for other commands: `sotto --config FILE ...`.

use crate::config::{self, Kind};
use std::{io, path::Path};

/// Writes the settings as TOML, over what was there.
pub(super) fn write(path: &Path, settings: &[(&str, String)]) -> io::Result<()> {
    std::fs::write(path, text(settings))
}

/// Every key under its section, sections and keys in the order of the configuration's own list.
fn text(settings: &[(&str, String)]) -> String {
    let mut text = "# Written by sotto for the network that runs now; another start writes another one.\n".to_owned();
    let mut section = "";
    for key in config::keys() {
        let Some((_, value)) = settings.iter().find(|(path, _)| *path == key.path()) else { continue };
        if key.section != section {
            section = key.section;
            text.extend(["\n[", section, "]\n"]);
        }
        let value = match key.kind {
            Kind::Integer | Kind::Switch => value.clone(),
            Kind::Text => toml::Value::from(value.as_str()).to_string(),
            Kind::List => toml::Value::from(value.split(',').collect::<Vec<_>>()).to_string(),
        };
        text.extend([key.name, " = ", &value, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Layers, NetworkConfig};

    #[test]
    fn what_is_written_is_what_the_configuration_reads() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sotto.toml");
        let settings = [
            ("network.name", "solana:localnet".to_owned()),
            ("network.rpc_urls", "http://127.0.0.1:8899".to_owned()),
            ("asset.decimals", "9".to_owned()),
        ];
        write(&file, &settings).unwrap();
        let flags = Flags { file: Some(file), ..Flags::default() };
        let layers = Layers::gather(Environment::of(directory.path(), []), &flags);
        let (network, _) = layers.extract(NetworkConfig::read).unwrap();
        assert_eq!(network.rpc_urls[0].expose(), "http://127.0.0.1:8899/");
        assert!(text(&settings).contains("decimals = 9\n"));
    }
}
