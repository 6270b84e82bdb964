//! What each stable code says to a person, in the languages of the desk. One table, held against `domain` by a test.

use domain::Language;

/// Code, Portuguese, Spanish, English.
const WORDS: &[(&str, &str, &str, &str)] = &[
    (
        "window_closed",
        "A janela de atendimento está fechada. Envie um modelo aprovado.",
        "La ventana de atención está cerrada. Envíe una plantilla aprobada.",
        "The messaging window is closed. Send an approved template.",
    ),
    (
        "no_opt_in",
        "O contato ainda não autorizou receber mensagens.",
        "El contacto aún no autorizó recibir mensajes.",
        "The contact has not agreed to receive messages.",
    ),
    (
        "opted_out",
        "O contato pediu para não receber mensagens.",
        "El contacto pidió no recibir mensajes.",
        "The contact asked not to receive messages.",
    ),
    (
        "unsupported_content",
        "O canal não transporta este tipo de conteúdo.",
        "El canal no admite este tipo de contenido.",
        "The channel cannot carry this kind of content.",
    ),
    (
        "template_unavailable",
        "O modelo não pode ser enviado agora. Escolha outro.",
        "La plantilla no se puede enviar ahora. Elija otra.",
        "The template cannot be sent now. Choose another.",
    ),
    (
        "template_unfilled",
        "Os valores não preenchem o modelo.",
        "Los valores no completan la plantilla.",
        "The values do not fill the template.",
    ),
    (
        "provider_rejected",
        "O provedor recusou a mensagem.",
        "El proveedor rechazó el mensaje.",
        "The provider refused the message.",
    ),
    (
        "unreachable",
        "O contato não pode ser alcançado neste canal.",
        "No se puede llegar al contacto por este canal.",
        "The contact cannot be reached on this channel.",
    ),
    (
        "provider_unavailable",
        "O provedor não respondeu e as tentativas acabaram.",
        "El proveedor no respondió y se agotaron los intentos.",
        "The provider could not be reached and the tries ran out.",
    ),
    (
        "in_doubt",
        "Não se sabe se a mensagem foi enviada.",
        "No se sabe si el mensaje fue enviado.",
        "Nobody knows whether the message was sent.",
    ),
    (
        "account_misconfigured",
        "A conta do canal não pode enviar. Avise o administrador.",
        "La cuenta del canal no puede enviar. Avise al administrador.",
        "The channel account cannot send. Tell the administrator.",
    ),
    (
        "permit_invalid",
        "A autorização de envio não é válida.",
        "La autorización de envío no es válida.",
        "The leave to send is not valid.",
    ),
    (
        "permit_expired",
        "A autorização de envio venceu enquanto a mensagem esperava.",
        "La autorización de envío venció mientras el mensaje esperaba.",
        "The leave to send ran out while the message waited.",
    ),
    ("not_found", "Não encontrado.", "No encontrado.", "Not found."),
    (
        "already_taken",
        "Outro agente já assumiu este atendimento.",
        "Otro agente ya tomó esta conversación.",
        "Another agent already took this conversation.",
    ),
    (
        "conversation_closed",
        "O atendimento está encerrado.",
        "La conversación está cerrada.",
        "The conversation is closed.",
    ),
    (
        "not_yours",
        "Só o agente do atendimento ou um supervisor pode fazer isto.",
        "Solo el agente de la conversación o un supervisor puede hacer esto.",
        "Only the conversation's agent or a supervisor may do this.",
    ),
    (
        "at_capacity",
        "O agente já está no limite de atendimentos.",
        "El agente ya está en su límite de conversaciones.",
        "The agent already serves as many conversations as allowed.",
    ),
    (
        "agent_unavailable",
        "O agente não está disponível.",
        "El agente no está disponible.",
        "The agent is not available.",
    ),
    (
        "changed_meanwhile",
        "Mudou nesse meio-tempo. Tente de novo.",
        "Cambió mientras tanto. Inténtelo de nuevo.",
        "It changed meanwhile. Try again.",
    ),
    ("bad_credentials", "E-mail ou senha incorretos.", "Correo o contraseña incorrectos.", "Wrong e-mail or password."),
    ("not_signed_in", "Entre para continuar.", "Inicie sesión para continuar.", "Sign in to go on."),
    (
        "not_permitted",
        "Você não tem permissão para isto.",
        "Usted no tiene permiso para esto.",
        "You are not allowed to do this.",
    ),
    (
        "too_many_attempts",
        "Muitas tentativas. Espere um pouco.",
        "Demasiados intentos. Espere un momento.",
        "Too many tries. Wait a moment.",
    ),
    (
        "bad_request",
        "O pedido não está bem formado.",
        "La solicitud no está bien formada.",
        "The request is not well formed.",
    ),
    ("too_large", "Maior do que o permitido.", "Más grande de lo permitido.", "Larger than allowed."),
    (
        "unavailable",
        "Indisponível no momento. Tente de novo.",
        "No disponible por ahora. Inténtelo de nuevo.",
        "Not available right now. Try again.",
    ),
    (
        "internal",
        "Algo deu errado do nosso lado.",
        "Algo salió mal de nuestro lado.",
        "Something went wrong on our side.",
    ),
    (
        "webhook_unverified",
        "Chamada do provedor sem o segredo correto.",
        "Llamada del proveedor sin el secreto correcto.",
        "A provider's call without the right secret.",
    ),
    (
        "webhook_malformed",
        "Chamada do provedor fora do formato; ficou retida.",
        "Llamada del proveedor fuera de formato; quedó retenida.",
        "A provider's call that is not well formed; it is parked.",
    ),
    (
        "poison",
        "Mensagem interna ilegível; ficou retida.",
        "Mensaje interno ilegible; quedó retenido.",
        "An internal message that cannot be read; it is parked.",
    ),
    (
        "store_refused",
        "O banco de dados recusou a mensagem; ficou retida.",
        "La base de datos rechazó el mensaje; quedó retenido.",
        "The store refused the message; it is parked.",
    ),
    (
        "account_unknown",
        "Mensagem para uma conta que não existe aqui; ficou retida.",
        "Mensaje para una cuenta que no existe aquí; quedó retenido.",
        "A message for an account that does not exist here; it is parked.",
    ),
    (
        "already_decided",
        "Outra pessoa já decidiu sobre esta mensagem.",
        "Otra persona ya decidió sobre este mensaje.",
        "Somebody else has already decided about this message.",
    ),
    (
        "discarded",
        "Um supervisor encerrou esta mensagem; ela não será enviada.",
        "Un supervisor dio por terminado este mensaje; no se enviará.",
        "A supervisor ended this message; it will not be sent.",
    ),
    (
        "media_lost",
        "O arquivo não pôde ser buscado a tempo.",
        "El archivo no pudo obtenerse a tiempo.",
        "The file could not be fetched in time.",
    ),
];

/// The words for `code`; the words of `internal` stand in for a code of another release.
pub(crate) fn title(code: &str, language: Language) -> &'static str {
    let row = WORDS.iter().find(|row| row.0 == code).or_else(|| WORDS.iter().find(|row| row.0 == "internal"));
    row.map_or("", |(_, portuguese, spanish, english)| match language {
        Language::PtBr => portuguese,
        Language::Es => spanish,
        Language::En => english,
    })
}

/// The best of our languages for an `Accept-Language` header; English when it names none of them.
pub(crate) fn negotiate(header: Option<&str>) -> Language {
    let ranked = header.unwrap_or("").split(',').filter_map(|entry| {
        let (tag, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
        let weight: f32 = weight.trim().strip_prefix("q=").and_then(|text| text.trim().parse().ok()).unwrap_or(0.0);
        let primary = tag.trim().split('-').next().unwrap_or("").to_ascii_lowercase();
        let language = match primary.as_str() {
            "pt" => Language::PtBr,
            "es" => Language::Es,
            "en" => Language::En,
            _ => return None,
        };
        (weight > 0.0).then_some((weight, language))
    });
    // The first of equals wins, as the header lists them.
    ranked.fold((0.0, Language::En), |best, next| if next.0 > best.0 { next } else { best }).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_in_three_languages() {
        for code in domain::error::codes::ALL {
            let rows: Vec<_> = WORDS.iter().filter(|row| row.0 == *code).collect();
            assert_eq!(rows.len(), 1, "{code}");
            for (_, portuguese, spanish, english) in rows {
                assert!(![portuguese, spanish, english].iter().any(|text| text.is_empty()), "{code}");
            }
        }
        for (code, ..) in WORDS {
            assert!(domain::error::codes::ALL.contains(code), "{code} is no code of domain");
        }
    }

    #[test]
    fn the_language_is_negotiated() {
        assert_eq!(negotiate(None), Language::En);
        assert_eq!(negotiate(Some("fr, de;q=0.5")), Language::En);
        assert_eq!(negotiate(Some("pt-BR,pt;q=0.9,en;q=0.8")), Language::PtBr);
        assert_eq!(negotiate(Some("en;q=0.3, es-AR;q=0.7")), Language::Es);
        assert_eq!(negotiate(Some("pt;q=0, en;q=0.1")), Language::En);
    }
}
