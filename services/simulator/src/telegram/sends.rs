//! The send methods, checked as Telegram checks them.

use serde_json::{Value, json};

use super::{answers::Refusal, params::Params, updates};
use crate::{
    config::SimulatedAccount,
    world::{Bubble, Button, ChatKey, Says, Simulator, Tick, now},
};

/// Checks a send and puts it into the chat; answers Telegram's `Message`.
pub(super) fn take(
    simulator: &Simulator,
    account: &SimulatedAccount,
    method: &str,
    mut params: Params,
) -> Result<Value, Refusal> {
    let bad = |words: &str| Refusal::new(400, &format!("Bad Request: {words}"));
    let chat: i64 = params.number("chat_id").filter(|id| *id > 0).ok_or_else(|| bad("chat not found"))?;
    let key = ChatKey { account: account.name.clone(), address: chat.to_string() };
    let (blocked, reading) = {
        let mut world = simulator.world();
        let chat = world.chat(&key);
        (chat.blocked, chat.reading)
    };
    if blocked {
        return Err(Refusal::new(403, "Forbidden: bot was blocked by the user"));
    }
    let (says, shown) = match method {
        "sendMessage" => message(&params).map_err(bad)?,
        "sendLocation" | "sendVenue" => location(&params).ok_or_else(|| bad("latitude and longitude are needed"))?,
        "sendContact" => {
            let phone = params.text("phone_number").ok_or_else(|| bad("phone number is empty"))?;
            let name = params.text("first_name").ok_or_else(|| bad("contact name is empty"))?;
            let shown = json!({"contact": {"phone_number": phone, "first_name": name}});
            (Says::Contact { name, phone }, shown)
        }
        _ => file(simulator, method, &mut params)?,
    };
    let reply_to = params.get("reply_parameters").and_then(|quoted| quoted.get("message_id")?.as_i64());
    let number = simulator.world().number();
    let bubble = Bubble {
        id: number,
        provider_id: number.to_string(),
        mine: false,
        at: now(),
        says,
        reply_to: reply_to.map(|id| id.to_string()),
        tick: if reading { Tick::Read } else { Tick::Delivered },
        tapped: None,
    };
    simulator.add(&key, bubble);
    let mut sent = json!({"message_id": number, "date": now() / 1000, "from": updates::me(account),
        "chat": {"id": chat, "type": "private"}});
    if let (Some(sent), Value::Object(shown)) = (sent.as_object_mut(), shown) {
        sent.extend(shown);
    }
    Ok(sent)
}

fn message(params: &Params) -> Result<(Says, Value), &'static str> {
    let text = params.text("text").ok_or("message text is empty")?;
    if text.encode_utf16().count() > 4096 {
        return Err("message is too long");
    }
    let Some(markup) = params.get("reply_markup").filter(|markup| markup.get("inline_keyboard").is_some()) else {
        return Ok((Says::Text { text: text.clone() }, json!({"text": text})));
    };
    let rows = markup.get("inline_keyboard").and_then(Value::as_array).into_iter().flatten();
    let mut buttons = Vec::new();
    for button in rows.filter_map(Value::as_array).flatten() {
        let word = |field: &str| button.get(field).and_then(Value::as_str).map(str::to_owned);
        let payload =
            word("callback_data").filter(|data| (1..=64).contains(&data.len())).ok_or("BUTTON_DATA_INVALID")?;
        buttons.push(Button { label: word("text").ok_or("text buttons are needed")?, payload });
    }
    Ok((Says::Buttons { text: text.clone(), buttons }, json!({"text": text, "reply_markup": markup})))
}

fn location(params: &Params) -> Option<(Says, Value)> {
    let degrees = |name: &str, most: f64| params.number::<f64>(name).filter(|value| value.abs() <= most);
    let (latitude, longitude) = (degrees("latitude", 90.0)?, degrees("longitude", 180.0)?);
    let says = Says::Location { latitude, longitude, name: params.text("title"), address: params.text("address") };
    Some((says, json!({"location": {"latitude": latitude, "longitude": longitude}})))
}

/// Method, field, kind.
const FILES: [(&str, &str, &str); 8] = [
    ("sendPhoto", "photo", "image"),
    ("sendDocument", "document", "document"),
    ("sendVideo", "video", "video"),
    ("sendAudio", "audio", "audio"),
    ("sendVoice", "voice", "audio"),
    ("sendAnimation", "animation", "video"),
    ("sendVideoNote", "video_note", "video"),
    ("sendSticker", "sticker", "sticker"),
];

fn file(simulator: &Simulator, method: &str, params: &mut Params) -> Result<(Says, Value), Refusal> {
    let Some((_, field, media)) = FILES.iter().find(|(name, _, _)| *name == method) else {
        return Err(Refusal::new(404, "Not Found: method not found"));
    };
    let Some((_, file)) = params.file.take().filter(|(given, _)| given == field) else {
        return Err(Refusal::new(400, &format!("Bad Request: there is no {field} in the request")));
    };
    let size = file.bytes.len();
    if size > if *field == "photo" { 10 << 20 } else { 50 << 20 } {
        return Err(Refusal::new(413, "Request Entity Too Large"));
    }
    let caption = params.text("caption");
    if caption.as_ref().is_some_and(|words| words.encode_utf16().count() > 1024) {
        return Err(Refusal::new(400, "Bad Request: message caption is too long"));
    }
    let (mime, name) = (file.mime.clone(), file.name.clone());
    // An animated picture is a picture in a browser.
    let media = if mime.starts_with("image/") && *media == "video" { "image" } else { media };
    let id = simulator.keep(file);
    let about = json!({"file_id": id, "file_unique_id": id, "file_size": size, "mime_type": mime, "file_name": name});
    let shown = if *field == "photo" { json!([about]) } else { about };
    let says = Says::Media {
        media: media.to_owned(),
        url: format!("/sim/files/{id}"),
        mime,
        name,
        size: Some(size),
        caption: caption.clone(),
    };
    let mut sent = json!({"caption": caption});
    sent[*field] = shown;
    Ok((says, sent))
}
