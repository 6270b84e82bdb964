//! Configuration: a TOML file, then the environment. An error is one line that names the key.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use figment::{
    Figment,
    error::Kind,
    providers::{Format as _, Serialized, Toml},
};
use serde::{Serialize, de::DeserializeOwned};

/// What a process exits with when its configuration is wrong (`EX_USAGE`).
pub const EXIT_CONFIG: u8 = 64;
/// The prefix of the environment.
pub const PREFIX: &str = "AFLUENTE_";

/// Variables with our prefix that are for the command line, the logs and the tests, not settings.
const NOT_SETTINGS: [&str; 4] = ["bin", "load", "log", "password"];

/// A configuration that cannot be used: one line, with the key and never with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: '{key}' {problem}")]
pub struct ConfigError {
    /// The file or the environment variable that it comes from.
    pub origin: String,
    /// The key, dotted (`broker.url`).
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ConfigError {
    /// An error that a service found when it looked at the values.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { origin: "configuration".to_owned(), key: key.into(), problem: problem.into() }
    }
}

/// Reads `T` from the file, if one is named, then from environment variables that start with `prefix` (usually
/// [`PREFIX`]); `__` goes one level down: `AFLUENTE_BROKER__URL` is `broker.url`.
///
/// # Errors
/// [`ConfigError`] for the first key that is wrong, missing or unknown.
#[expect(clippy::disallowed_methods, reason = "this is how a Config reads the environment")]
pub fn load<T: DeserializeOwned>(file: Option<&Path>, prefix: &str) -> Result<T, ConfigError> {
    let variables = std::env::vars().filter_map(|(name, value)| {
        let key = name.strip_prefix(prefix)?.to_ascii_lowercase().replace("__", ".");
        let tool = NOT_SETTINGS.contains(&key.as_str()) || key.starts_with("test_");
        (!tool).then_some((key, value))
    });
    read(file, prefix, &variables.collect())
}

/// [`load`] with an environment of the caller's: the keys are dotted and lower case already.
///
/// # Errors
/// As [`load`].
pub fn read<T: DeserializeOwned>(
    file: Option<&Path>,
    prefix: &str,
    variables: &BTreeMap<String, String>,
) -> Result<T, ConfigError> {
    let mut figment = Figment::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            origin: path.display().to_string(),
            key: "file".to_owned(),
            problem: format!("cannot be read: {error}"),
        })?;
        figment = figment.merge(Toml::string(&text));
    }
    for (key, value) in variables {
        figment = figment.merge(Serialized::global(key, typed(value)));
    }
    // A value like `12345` in the environment is read as a number; where a text is wanted, it is given again as text.
    let mut as_text: Vec<String> = Vec::new();
    loop {
        let error = match figment.extract::<T>() {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let key = error.path.join(".");
        let wants_text = matches!(&error.kind, Kind::InvalidType(_, wanted) if wanted.contains("string"));
        match variables.get(&key) {
            Some(value) if wants_text && !as_text.contains(&key) => {
                figment = figment.merge(Serialized::global(&key, value));
                as_text.push(key);
            }
            _ => return Err(explain(&error, file, prefix, variables)),
        }
    }
}

/// A value of the environment with the type that it looks like, by the rules of figment's own reader.
fn typed(value: &str) -> figment::value::Value {
    match value.parse() {
        Ok(typed) => typed,
        Err(never) => match never {},
    }
}

fn explain(
    error: &figment::Error,
    file: Option<&Path>,
    prefix: &str,
    variables: &BTreeMap<String, String>,
) -> ConfigError {
    let mut path = error.path.clone();
    let problem = match &error.kind {
        Kind::MissingField(name) => {
            path.push(name.to_string());
            "is missing".to_owned()
        }
        Kind::UnknownField(name, known) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            format!("is not a setting here; there are: {}", known.join(", "))
        }
        Kind::UnknownVariant(_, known) => format!("must be one of: {}", known.join(", ")),
        Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => format!("must be {wanted}"),
        Kind::Message(text) if path.last().is_some_and(|key| is_secret(key)) => {
            let _ = text;
            "is not valid".to_owned()
        }
        other => format!("is not valid: {other}").replace('\n', " "),
    };
    let key = path.join(".");
    let from_environment = variables.keys().any(|name| *name == key);
    let origin = match (from_environment, file) {
        (true, _) => format!("{prefix}{}", key.replace('.', "__").to_ascii_uppercase()),
        (false, Some(path)) => path.display().to_string(),
        (false, None) => "configuration".to_owned(),
    };
    let key = if key.is_empty() { "file".to_owned() } else { key };
    ConfigError { origin, key, problem }
}

/// The configuration as `--print` shows it: JSON, secrets hidden by the names of their keys, passwords cut out of URLs.
pub fn printable<T: Serialize>(config: &T) -> String {
    let mut value = match serde_json::to_value(config) {
        Ok(value) => value,
        Err(error) => return format!("(cannot be shown: {error})"),
    };
    hide(&mut value, false);
    let mut text = String::new();
    let _ = write!(text, "{value:#}");
    text
}

const HIDDEN: &str = "[secret]";

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "token", "credential", "private", "api_key", "signing_key", "access_key"]
        .iter()
        .any(|word| key.contains(word))
}

fn hide(value: &mut serde_json::Value, secret: bool) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                hide(member, secret || is_secret(key));
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secret)),
        serde_json::Value::String(text) if secret && !text.is_empty() => HIDDEN.clone_into(text),
        serde_json::Value::Number(_) if secret => *value = HIDDEN.into(),
        serde_json::Value::String(text) => {
            if let Ok(mut url) = url::Url::parse(text)
                && url.password().is_some()
                && url.set_password(Some("secret")).is_ok()
            {
                *text = url.to_string().replacen(":secret@", ":[secret]@", 1);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        listen: String,
        #[serde(default)]
        partitions: u16,
        broker: Broker,
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Broker {
        url: String,
        password: domain::Secret,
    }

    fn from(pairs: &[(&str, &str)]) -> Result<Sample, ConfigError> {
        let variables = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        read(None, PREFIX, &variables)
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("afluente.toml");
        std::fs::write(&path, "listen = 'a:1'\npartitions = 4\n[broker]\nurl = 'amqp://x'\npassword = 'p'\n").unwrap();
        let variables = BTreeMap::from([("broker.password".to_owned(), "12345".to_owned())]);
        let sample: Sample = read(Some(&path), PREFIX, &variables).unwrap();
        assert_eq!(sample.partitions, 4);
        assert_eq!(sample.broker.password.expose(), "12345", "a number is a fine password");
    }

    #[test]
    fn an_error_is_one_line_that_names_the_key() {
        let good = [("listen", "a:1"), ("broker.url", "u"), ("broker.password", "p")];
        let missing = from(&good[..2]).unwrap_err();
        assert_eq!(missing.key, "broker.password");
        let mut wrong = good.to_vec();
        wrong.push(("partitions", "many"));
        let wrong = from(&wrong).unwrap_err();
        assert_eq!(wrong.to_string(), "AFLUENTE_PARTITIONS: 'partitions' must be u16");
        let mut unknown = good.to_vec();
        unknown.push(("broker.uri", "x"));
        let unknown = from(&unknown).unwrap_err();
        assert_eq!(unknown.key, "broker.uri");
        assert!(!unknown.to_string().contains('\n'));
        let file = read::<Sample>(Some(Path::new("/nowhere/afluente.toml")), PREFIX, &BTreeMap::new()).unwrap_err();
        assert!(file.to_string().starts_with("/nowhere/afluente.toml"), "{file}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let sample =
            from(&[("listen", "a:1"), ("broker.url", "amqp://me:hunter2@h/v"), ("broker.password", "hunter2")]);
        let text = printable(&sample.unwrap());
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("amqp://me:[secret]@h/v"), "{text}");
    }
}
