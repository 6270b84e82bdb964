//! Who wrote, where, and what a tapped button said.

use domain::Profile;
use serde_json::{Value, json};

use crate::content::{integer, text};

/// The chat, when it is a person's. Groups and channels are nobody's conversation.
pub fn private_chat(of: &Value) -> Option<&Value> {
    let chat = of.get("chat")?;
    (text(chat, "/type")? == "private" && integer(chat, "/id").is_some()).then_some(chat)
}

/// What Telegram tells about who wrote.
pub fn profile(from: &Value) -> Profile {
    let names: Vec<_> = ["/first_name", "/last_name"].iter().filter_map(|field| text(from, field)).collect();
    let name = (!names.is_empty()).then(|| names.join(" "));
    Profile { name, username: text(from, "/username"), ..Profile::default() }
}

/// Our id of a message, `<chat>:<message>`. Message ids are unique in their chat only.
pub fn message_id(message: &Value) -> String {
    let part = |pointer| integer(message, pointer).unwrap_or_default();
    format!("{}:{}", part("/chat/id"), part("/message_id"))
}

/// What the button of `message` says that `data` stands behind; the data itself when the button is gone.
pub fn label(message: &Value, data: &str) -> String {
    let rows = message.pointer("/reply_markup/inline_keyboard").and_then(Value::as_array).into_iter().flatten();
    let mut buttons = rows.filter_map(Value::as_array).flatten();
    let tapped = buttons.find(|button| text(button, "/callback_data").as_deref() == Some(data));
    tapped.and_then(|button| text(button, "/text")).unwrap_or_else(|| data.to_owned())
}

/// `reply_parameters` for an id of [`message_id`]'s form. A quoted message that is gone must not stop the answer.
pub fn quote(id: Option<&str>) -> Option<Value> {
    let id: i64 = id?.rsplit(':').next()?.parse().ok()?;
    Some(json!({"message_id": id, "allow_sending_without_reply": true}))
}
