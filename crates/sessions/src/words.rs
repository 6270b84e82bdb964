//! Words by which a contact takes their agreement back, or gives it again (SES-5).
//!
//! Only a message that consists of the word counts: "cancelar o pedido 12" is not an opt-out. The lists follow the
//! shared provider notes 6.5: what carriers and AWS require in English and French, and practice in Portuguese and
//! Spanish. Words that are also ordinary menu words (CANCELAR, SAIR, PARAR, END, YES...) count only where the policy
//! says so (SMS): in a chat they may speak of an order, so the agent decides there.

use domain::{ConsentChange, Content};

use crate::{Policy, policy::StopWords};

/// Nobody writes these for another reason.
const STOP: &[&str] = &[
    "STOP",
    "STOPALL",
    "STOP ALL",
    "UNSUBSCRIBE",
    "OPTOUT",
    "OPT-OUT",
    "OPT OUT",
    "ARRET",
    "DESCADASTRAR",
    "DESCADASTRE",
    "DESINSCREVER",
    "BAJA",
    "DARME DE BAJA",
    "DESUSCRIBIR",
];
/// These are menu words too.
const STOP_AMBIGUOUS: &[&str] = &[
    "CANCEL", "END", "QUIT", "REVOKE", "REMOVE", "TD", "SAIR", "PARAR", "PARE", "CANCELAR", "REMOVER", "ALTO", "SALIR",
];
/// Agreement given again, unambiguous.
const START: &[&str] = &["START", "UNSTOP", "OPTIN", "OPT-IN", "OPT IN", "SUBSCRIBE", "CADASTRAR", "SUSCRIBIR", "ALTA"];
/// Agreement given again where the ambiguous words count.
const START_AMBIGUOUS: &[&str] = &["YES", "VOLTAR", "ATIVAR"];

/// The change of consent that the contact's words make on this channel, with the words as its evidence. None for
/// ordinary words.
///
/// `refused` is whether the contact has opted out: START from somebody who never did is an ordinary word (on Telegram
/// every chat begins with /start).
pub fn heard(policy: &Policy, content: &Content, refused: bool) -> Option<ConsentChange> {
    let words = match content {
        Content::Text { text } => text,
        Content::Choice { label, .. } => label,
        _ => return None,
    };
    // Longer than any word of the lists: not worth the folding.
    if words.len() > 64 {
        return None;
    }
    let folded = fold(words);
    let says = |sure: &[&str], ambiguous: &[&str]| match policy.stop_words {
        StopWords::Nothing => false,
        StopWords::Unambiguous => sure.contains(&folded.as_str()),
        StopWords::All => sure.contains(&folded.as_str()) || ambiguous.contains(&folded.as_str()),
    };
    let granted = if says(STOP, STOP_AMBIGUOUS) {
        false
    } else if refused && says(START, START_AMBIGUOUS) {
        true
    } else {
        return None;
    };
    Some(ConsentChange { granted, source: "keyword".to_owned(), evidence: words.trim().to_owned() })
}

/// Whether these words change the consent of anybody on this channel, of a contact who agreed or of one who refused.
pub fn bears_on_consent(policy: &Policy, content: &Content) -> bool {
    heard(policy, content, true).is_some()
}

/// Trimmed, compatibility forms and accents of the Latin letters folded, inner space single, outer punctuation off,
/// upper case. A small table instead of all of Unicode: the lists are Latin.
fn fold(words: &str) -> String {
    let letters: String = words.chars().filter_map(letter).flat_map(char::to_uppercase).collect();
    let outer = |c: char| c.is_ascii_punctuation() || matches!(c, '¡' | '¿' | '…' | '“' | '”' | '‘' | '’' | '«' | '»');
    letters.trim_matches(|c: char| outer(c) || c.is_whitespace()).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One character folded; none for marks that add nothing.
fn letter(c: char) -> Option<char> {
    Some(match c {
        // Full-width forms of keyboards in Asia.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'Á' | 'À' | 'Â' | 'Ã' | 'Ä' | 'Å' => 'A',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'É' | 'È' | 'Ê' | 'Ë' => 'E',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'Í' | 'Ì' | 'Î' | 'Ï' => 'I',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ö' => 'O',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'Ú' | 'Ù' | 'Û' | 'Ü' => 'U',
        'ç' => 'c',
        'Ç' => 'C',
        'ñ' => 'n',
        'Ñ' => 'N',
        // Combining accents, variation selectors, zero-width characters.
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => {
            return None;
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::policy_of;

    fn says(channel: &str, words: &str, refused: bool) -> Option<bool> {
        heard(policy_of(channel), &Content::text(words), refused).map(|change| change.granted)
    }

    #[test]
    fn ses_5_unambiguous_words_opt_out_on_every_chat() {
        for words in
            ["STOP", "stop", " Stop. ", "¡BAJA!", "descadastrar", "Unsubscribe", "ARRÊT", "ＳＴＯＰ", "stop  all"]
        {
            assert_eq!(says("whatsapp", words, false), Some(false), "{words}");
            assert_eq!(says("sms", words, false), Some(false), "{words}");
        }
        let change = heard(policy_of("whatsapp"), &Content::text(" Stop. "), false).unwrap();
        assert_eq!((change.source.as_str(), change.evidence.as_str()), ("keyword", "Stop."));
    }

    #[test]
    fn ses_5_menu_words_opt_out_on_sms_only() {
        for words in ["SAIR", "Cancelar", "parar", "salir", "END", "quit"] {
            assert_eq!(says("sms", words, false), Some(false), "{words}");
            assert_eq!(says("whatsapp", words, false), None, "{words}");
        }
    }

    #[test]
    fn ses_5_only_the_whole_message_counts() {
        for words in ["please stop", "stop that", "cancelar o pedido", "", "...", "não", &"STOP ".repeat(40)] {
            assert_eq!(says("sms", words, false), None, "{words}");
        }
        assert_eq!(says("webchat", "STOP", false), None, "a visitor closes the page");
    }

    #[test]
    fn ses_5_agreement_is_given_again_by_its_own_words() {
        for words in ["START", "start", "/start", "Alta", "UNSTOP"] {
            assert_eq!(says("whatsapp", words, true), Some(true), "{words}");
            assert_eq!(says("whatsapp", words, false), None, "an ordinary word before any refusal: {words}");
        }
        assert_eq!(says("whatsapp", "bom dia", true), None, "other words do not undo a refusal");
        assert_eq!(says("sms", "yes", true), Some(true));
    }

    #[test]
    fn ses_5_words_of_either_kind_bear_on_consent_and_others_do_not() {
        let bears = |channel: &str, words: &str| bears_on_consent(policy_of(channel), &Content::text(words));
        for words in ["stop", "START", "baja", "alta"] {
            assert!(bears("whatsapp", words), "{words}");
        }
        assert!(bears("sms", "voltar") && !bears("whatsapp", "voltar"));
        assert!(!bears("whatsapp", "bom dia") && !bears("webchat", "stop"));
    }

    #[test]
    fn a_tapped_button_counts_like_words() {
        let tapped = Content::Choice { label: "Stop".into(), payload: None };
        assert_eq!(heard(policy_of("whatsapp"), &tapped, false).map(|change| change.granted), Some(false));
    }
}
