//! The templates of an app: the list, what an administrator of the provider would do to one, and what a sent one says.
//!
//! Every app has the same few: approved ones in three languages, with and without places, with a picture above, with a
//! code; and some that may not be sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, events};
use crate::{
    config::{Envelope, Provider, SimulatedAccount, app_id},
    world::{Button, ChatKey, Says, Simulator, now},
};

/// States that differ from the built-in ones, by template id.
pub(crate) type States = BTreeMap<String, String>;

/// A template of the built-in list.
struct Kept {
    name: &'static str,
    language: &'static str,
    category: &'static str,
    status: &'static str,
    kind: &'static str,
    header: Option<&'static str>,
    body: &'static str,
    footer: Option<&'static str>,
    buttons: &'static str,
}

const PLAIN: Kept = Kept {
    name: "",
    language: "pt_BR",
    category: "UTILITY",
    status: "APPROVED",
    kind: "TEXT",
    header: None,
    body: "",
    footer: Some("Loja Demo"),
    buttons: "[]",
};

const ALL: &[Kept] = &[
    Kept {
        name: "retomar_atendimento",
        body: "Olá, {{1}}! Aqui é {{2}}, da Loja Demo. Ficou faltando responder à sua última mensagem. Podemos continuar por aqui?",
        buttons: r#"[{"type":"QUICK_REPLY","text":"Podemos, sim"},{"type":"QUICK_REPLY","text":"Agora não"}]"#,
        ..PLAIN
    },
    Kept {
        name: "retomar_atendimento",
        language: "es",
        body: "¡Hola, {{1}}! Soy {{2}}, de Loja Demo. Quedó pendiente responder a su último mensaje. ¿Seguimos por aquí?",
        buttons: r#"[{"type":"QUICK_REPLY","text":"Sí, sigamos"},{"type":"QUICK_REPLY","text":"Ahora no"}]"#,
        ..PLAIN
    },
    Kept {
        name: "retomar_atendimento",
        language: "en",
        body: "Hello {{1}}, this is {{2}} from Loja Demo. We still owe you an answer. Shall we go on here?",
        buttons: r#"[{"type":"QUICK_REPLY","text":"Yes, please"},{"type":"QUICK_REPLY","text":"Not now"}]"#,
        ..PLAIN
    },
    Kept {
        name: "pedido_pronto",
        header: Some("Seu pedido está pronto"),
        body: "Oi, {{1}}! O pedido {{2}} já pode ser retirado na loja, até as {{3}}. Leve um documento com foto.",
        buttons: r#"[{"type":"URL","text":"Acompanhar","url":"https://loja.example/pedidos/{{1}}","example":["https://loja.example/pedidos/42"]},
            {"type":"PHONE_NUMBER","text":"Ligar","phone_number":"+551130000000"}]"#,
        ..PLAIN
    },
    Kept {
        name: "horario_de_domingo",
        body: "Neste domingo a loja abre das 10h às 16h. Esperamos você!",
        footer: Some("Responda SAIR para não receber mais"),
        category: "MARKETING",
        ..PLAIN
    },
    Kept {
        name: "novidades_da_semana",
        category: "MARKETING",
        kind: "IMAGE",
        body: "{{1}}, chegaram as novidades da semana. Dê uma olhada!",
        ..PLAIN
    },
    Kept {
        name: "codigo_de_acesso",
        category: "AUTHENTICATION",
        body: "{{1}} é o seu código de verificação.",
        footer: None,
        buttons: r#"[{"type":"OTP","otp_type":"COPY_CODE","text":"Copiar código"}]"#,
        ..PLAIN
    },
    Kept {
        name: "pesquisa_de_satisfacao",
        status: "PENDING",
        body: "{{1}}, de 0 a 10, como foi o seu atendimento?",
        ..PLAIN
    },
    Kept { name: "oferta_imperdivel", category: "MARKETING", status: "REJECTED", body: "Só hoje, {{1}}!", ..PLAIN },
    Kept { name: "lembrete_de_pagamento", status: "PAUSED", body: "{{1}}, o boleto {{2}} vence amanhã.", ..PLAIN },
];

impl Kept {
    /// The same for each start of the simulator.
    fn id(&self, account: &str) -> String {
        domain::EventId::derive(&[account, self.name, self.language]).uuid().to_string()
    }

    /// As the list has it.
    fn shown(&self, account: &SimulatedAccount, states: &States) -> Value {
        let id = self.id(&account.name);
        let buttons: Value = serde_json::from_str(self.buttons).unwrap_or_default();
        let mut parts = json!({"appId": app_of(account), "data": self.body, "sampleText": self.body, "enableSample": true,
            "buttons": buttons, "allowTemplateCategoryChange": false, "addSecurityRecommendation": false});
        let run_together: Vec<_> = [Some(self.body), self.footer].into_iter().flatten().collect();
        for (field, text) in [("header", self.header), ("footer", self.footer)] {
            if let Some(text) = text {
                parts[field] = json!(text);
            }
        }
        json!({"id": id, "appId": app_of(account), "elementName": self.name, "languageCode": self.language,
            "languagePolicy": "deterministic", "category": self.category, "templateType": self.kind,
            "status": states.get(&id).map_or(self.status, String::as_str), "containerMeta": parts.to_string(),
            "data": run_together.join("\n"), "quality": "UNKNOWN", "createdOn": 1_718_003_620_000_i64,
            "modifiedOn": 1_718_003_620_000_i64, "namespace": "simulated", "vertical": "Loja"})
    }

    fn places(&self) -> usize {
        let in_body = (1..=9).filter(|n| self.body.contains(&format!("{{{{{n}}}}}"))).count();
        in_body + self.buttons.matches(r"{{1}}").count()
    }

    fn says(&self, params: &[&str]) -> Says {
        let mut text = self.body.to_owned();
        for (n, value) in params.iter().enumerate() {
            text = text.replace(&format!("{{{{{}}}}}", n + 1), value);
        }
        let all: Vec<Value> = serde_json::from_str(self.buttons).unwrap_or_default();
        let labels = |quick: bool| {
            let fits = all.iter().filter(move |button| (button["type"] == "QUICK_REPLY") == quick);
            fits.filter_map(|button| button["text"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let button = |label: String| Button { payload: label.clone(), label };
        Says::Template {
            header: self.header.map(str::to_owned),
            text,
            footer: self.footer.map(str::to_owned),
            buttons: labels(true).into_iter().map(button).collect(),
            links: labels(false),
        }
    }
}

fn app_of(account: &SimulatedAccount) -> String {
    match &account.provider {
        Provider::Gupshup { app_name, .. } => app_id(app_name),
        Provider::Telegram { .. } => String::new(),
    }
}

/// What a sent template says, and the code with which the provider fails it later, if it may not go out.
pub(super) fn sent(simulator: &Simulator, account: &str, said: &Value) -> Option<(Says, Option<(u32, String)>)> {
    let id = said.get("id")?.as_str()?;
    let params: Vec<_> =
        said.get("params").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let world = simulator.world();
    let Some(kept) = ALL.iter().find(|kept| kept.id(account) == id) else {
        let says = Says::Other { name: format!("template {id}") };
        return Some((says, Some((4003, "Template Did Not Match".to_owned()))));
    };
    let state = world.templates.get(id).map_or(kept.status, String::as_str);
    let fail = match state {
        "PAUSED" => Some((4005, "Template is Paused".to_owned())),
        "APPROVED" if params.len() == kept.places() => None,
        "APPROVED" => Some((132_000, "Number of parameters does not match the expected number of params".to_owned())),
        _ => Some((4003, "Template Did Not Match".to_owned())),
    };
    Some((kept.says(&params), fail))
}

/// `GET /wa/app/{app}/template`.
pub(super) async fn list(
    State(simulator): State<Arc<Simulator>>,
    Path(app): Path<String>,
    headers: HeaderMap,
) -> Response {
    let key = headers.get("apikey").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let world = simulator.world();
    let known = simulator.config.accounts.iter().find(|account| match &account.provider {
        Provider::Gupshup { api_key, .. } => api_key.expose() == key && app_of(account) == app,
        Provider::Telegram { .. } => false,
    });
    let Some(account) = known.filter(|_| !world.gupshup.faults.token_revoked) else {
        return Answer::error(401, "Authentication Failed").into_response();
    };
    let all: Vec<_> = ALL.iter().map(|kept| kept.shown(account, &world.templates)).collect();
    Json(json!({"status": "success", "templates": all})).into_response()
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    account: Option<String>,
}

/// All of an account, for tests and curious people.
pub(super) async fn all(State(simulator): State<Arc<Simulator>>, Query(which): Query<Which>) -> Response {
    let Some(account) = simulator.account_of("whatsapp", which.account.as_deref()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let world = simulator.world();
    let all: Vec<_> = ALL.iter().map(|kept| kept.shown(account, &world.templates)).collect();
    Json(json!({"templates": all})).into_response()
}

/// The states to which the provider may bring a template.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Brought {
    Approved,
    Rejected,
    Deleted,
    Disabled,
    Paused,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewState {
    status: Brought,
}

/// Brings a template to another state and tells the mesh. Version 3 has no form for that.
pub(super) async fn set(
    State(simulator): State<Arc<Simulator>>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
    Json(NewState { status }): Json<NewState>,
) -> StatusCode {
    let Some(account) = simulator.account_of("whatsapp", which.account.as_deref()) else {
        return StatusCode::NOT_FOUND;
    };
    let Some(kept) = ALL.iter().find(|kept| kept.id(&account.name) == id) else { return StatusCode::NOT_FOUND };
    let status = json!(status);
    let name = status.as_str().unwrap_or_default();
    simulator.world().templates.insert(id.clone(), name.to_ascii_uppercase());
    let Provider::Gupshup { app_name, envelope: Envelope::V2, .. } = &account.provider else {
        return StatusCode::NO_CONTENT;
    };
    let body = json!({"app": app_name, "timestamp": now(), "version": 2, "type": "template-event",
        "payload": {"type": "status-update", "id": id, "status": status, "elementName": kept.name,
            "languageCode": kept.language}});
    let key = ChatKey { account: account.name.clone(), address: String::new() };
    events::call(&simulator, &key, body, None, Duration::ZERO);
    StatusCode::NO_CONTENT
}
