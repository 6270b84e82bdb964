//! The project's own source files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold what others wrote or what a build made.
const FOREIGN: &[&str] = &["target", "node_modules", "dist", "data", "test-results", "tmp"];

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// From the workspace's root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// Its lines that are neither empty nor a comment.
    pub fn code_lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"))
    }
}

/// The workspace's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// All files of the project that end with one of `endings`, in the order of their paths.
pub fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
            walk(&path, endings, found);
        } else if kind.is_file()
            && endings.iter().any(|ending| name.ends_with(ending))
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}
