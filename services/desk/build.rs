//! Makes the folders that the binary embeds exist, so that the crate builds before the page was built.

use std::{fs, path::Path};

const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Afluente</title>\
    <p>The desk's page is not built. Run <code>npm ci &amp;&amp; npm run build</code> in services/desk/web.</p></html>\n";

fn main() -> std::io::Result<()> {
    let page = Path::new("web/dist");
    fs::create_dir_all(page)?;
    let index = page.join("index.html");
    if !index.exists() {
        fs::write(&index, PLACEHOLDER)?;
    }
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=../../docs/errors");
    Ok(())
}
