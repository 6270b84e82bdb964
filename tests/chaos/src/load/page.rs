//! What a visitor sees: the items that came, by the numbers that the widget's protocol gives them.

use serde_json::{Value, json};

/// One bubble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) sequence: u64,
    pub(crate) id: String,
    /// Whether the visitor wrote it.
    pub(crate) own: bool,
    pub(crate) words: String,
}

/// A page and what the browser keeps for it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Proves who the visitor is. None before the first welcome.
    pub(crate) token: Option<String>,
    /// In the order in which they came.
    pub(crate) items: Vec<Item>,
}

impl Page {
    /// The number after which the page wants more.
    pub(crate) fn after(&self) -> u64 {
        self.items.last().map_or(0, |item| item.sequence)
    }

    /// The first frame of a link.
    pub(crate) fn hello(&self) -> Value {
        json!({"type": "hello", "token": self.token, "after": self.after(), "profile": {"name": "Maria"}})
    }

    /// Shows what a frame holds, unless its number says that it was shown before.
    pub(crate) fn show(&mut self, frame: &Value) -> Option<&Item> {
        let sequence = frame["sequence"].as_u64().filter(|sequence| *sequence > self.after())?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = frame["from"] == "visitor";
        self.items.push(Item { sequence, id: text(&frame["id"]), own, words: text(&frame["content"]["text"]) });
        self.items.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_once_and_never_behind_a_later_one() {
        let mut page = Page::default();
        let frame =
            |sequence: u64| json!({"sequence": sequence, "id": "a", "from": "company", "content": {"text": "x"}});
        assert!(page.show(&frame(1)).is_some());
        assert!(page.show(&frame(3)).is_some());
        assert!(page.show(&frame(3)).is_none());
        assert!(page.show(&frame(2)).is_none());
        assert_eq!(page.after(), 3);
    }
}
