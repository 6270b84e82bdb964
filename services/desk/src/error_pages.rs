//! `/errors/<code>`: the page of docs/errors about a code, where the `type` of problem details leads.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../docs/errors"]
#[allow_missing = true]
struct Pages;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = "body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;\
    color:CanvasText;background:Canvas;color-scheme:light dark}code,pre{font-family:ui-monospace,monospace;\
    background:color-mix(in srgb,CanvasText 8%,Canvas);border-radius:.3rem;padding:.1rem .3rem}\
    pre{padding:1rem;overflow:auto}";

pub(crate) fn routes() -> Router {
    Router::new().route("/errors/{code}", get(page))
}

async fn page(Path(code): Path<String>) -> Response {
    let name = code.strip_suffix(".md").unwrap_or(&code);
    let text = Pages::get(&format!("{name}.md")).and_then(|file| String::from_utf8(file.data.into_owned()).ok());
    let (status, body) = match text {
        Some(text) => (StatusCode::OK, html(&text)),
        None => (StatusCode::NOT_FOUND, "<h1>No such code</h1>".to_owned()),
    };
    let title = escape(name);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Afluente</title><style>{STYLE}</style><main>{body}</main></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, page).into_response()
}

/// What is open while the lines are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Paragraph,
    List(&'static str),
    Code,
}

/// The little Markdown of these pages: headings, paragraphs, lists, fenced code, `code`, **bold**, links. All else is
/// text.
fn html(markdown: &str) -> String {
    let mut out = String::new();
    let mut open = Open::Nothing;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            let was = open;
            close(&mut out, &mut open);
            if was != Open::Code {
                out.push_str("<pre><code>");
                open = Open::Code;
            }
        } else if open == Open::Code {
            out.push_str(&escape(line));
            out.push('\n');
        } else {
            block(&mut out, &mut open, line);
        }
    }
    close(&mut out, &mut open);
    out
}

fn block(out: &mut String, open: &mut Open, line: &str) {
    let text = line.trim();
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    if text.is_empty() {
        close(out, open);
    } else if let Some(heading) = text.get(level..).and_then(|rest| rest.strip_prefix(' ')).filter(|_| level > 0) {
        close(out, open);
        let level = level.min(6);
        out.push_str(&format!("<h{level}>{}</h{level}>", inline(heading)));
    } else if let Some(item) = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")) {
        entry(out, open, "ul", item);
    } else if let Some(item) = text.split_once(". ").filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit())) {
        entry(out, open, "ol", item.1);
    } else {
        if *open == Open::Nothing {
            out.push_str("<p>");
            *open = Open::Paragraph;
        } else {
            out.push(' ');
        }
        out.push_str(&inline(text));
    }
}

fn entry(out: &mut String, open: &mut Open, list: &'static str, item: &str) {
    if *open != Open::List(list) {
        close(out, open);
        out.push_str(&format!("<{list}>"));
        *open = Open::List(list);
    }
    // The end tag of an item may be left out, so that the lines that follow continue it.
    out.push_str(&format!("<li>{}", inline(item)));
}

fn close(out: &mut String, open: &mut Open) {
    match std::mem::replace(open, Open::Nothing) {
        Open::Nothing => {}
        Open::Paragraph => out.push_str("</p>"),
        Open::List(list) => out.push_str(&format!("</{list}>")),
        Open::Code => out.push_str("</code></pre>"),
    }
}

fn inline(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split('`').enumerate() {
        if n % 2 == 1 {
            out.push_str(&format!("<code>{}</code>", escape(part)));
        } else {
            out.push_str(&links(&bold(&escape(part))));
        }
    }
    out
}

fn bold(escaped: &str) -> String {
    let parts: Vec<_> = escaped.split("**").collect();
    if parts.len() % 2 == 0 {
        return escaped.to_owned();
    }
    let mark =
        |(n, part): (usize, &&str)| if n % 2 == 1 { format!("<strong>{part}</strong>") } else { (*part).to_owned() };
    parts.iter().enumerate().map(mark).collect()
}

/// `[words](target)`; only to our own pages and to the web.
fn links(escaped: &str) -> String {
    let Some((before, rest)) = escaped.split_once('[') else { return escaped.to_owned() };
    let Some((words, rest)) = rest.split_once("](") else { return escaped.to_owned() };
    let Some((target, after)) = rest.split_once(')') else { return escaped.to_owned() };
    let safe = target.starts_with("https://") || !target.contains(':');
    let link = if safe { format!("<a href=\"{target}\">{words}</a>") } else { words.to_owned() };
    format!("{before}{link}{}", links(after))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_little_markdown_is_rendered_and_nothing_else_passes() {
        let page =
            html("# A `b`\n\nOne\ntwo **three**.\n\n- x [y](z.md)\n- <script>\n\n```\na < b\n```\n[j](javascript:x)");
        let expected = "<h1>A <code>b</code></h1><p>One two <strong>three</strong>.</p>\
            <ul><li>x <a href=\"z.md\">y</a><li>&lt;script&gt;</ul><pre><code>a &lt; b\n</code></pre><p>j</p>";
        assert_eq!(page, expected);
    }
}
