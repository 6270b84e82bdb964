//! The promises of [`crate::Templates`].

use std::sync::Arc;

use domain::{
    Failure, Template, TemplateAction, TemplateButton, TemplateCategory, TemplateHeader, TemplateStatus,
    error::codes::PROVIDER_UNAVAILABLE,
};

use super::samples::{World, at};
use crate::{TemplateList, Templates};

fn template(id: &str, name: &str, status: TemplateStatus) -> Template {
    let button = |label: &str, action| TemplateButton { label: label.into(), action };
    Template {
        id: id.into(),
        name: name.into(),
        language: "pt_BR".into(),
        category: TemplateCategory::Utility,
        status,
        header: Some(TemplateHeader::Text { text: "Pedido 🎉".into() }),
        body: "Olá {{1}}, ${tudo} 'bem'?".into(),
        footer: Some("Loja".into()),
        buttons: vec![
            button("Sim", TemplateAction::Reply),
            button("Ver", TemplateAction::Link { url: "https://loja.example/{{1}}".into() }),
            button("Ligar", TemplateAction::Call { phone: "+551130000000".into() }),
        ],
    }
}

/// Whole, by name, and nothing of the former list is left.
pub async fn a_list_takes_the_place_of_the_former(templates: Arc<dyn Templates>) {
    let world = World::new();
    let (organization, account) = (world.organization, world.account);
    assert_eq!(templates.list(organization, account).await.unwrap(), TemplateList::default());
    let (a, b) = (
        template("1", "aviso", TemplateStatus::Approved),
        Template { header: None, footer: None, buttons: vec![], ..template("2", "boleto", TemplateStatus::Rejected) },
    );
    templates.replace(organization, account, &[b.clone(), a.clone()], at(1)).await.unwrap();
    let list = templates.list(organization, account).await.unwrap();
    assert_eq!(list.templates, [a.clone(), b.clone()]);
    assert_eq!((list.read_at, list.changed_at, list.failed), (Some(at(1)), None, None));
    let renamed = template("2", "carta", TemplateStatus::Approved);
    templates.replace(organization, account, std::slice::from_ref(&renamed), at(2)).await.unwrap();
    assert_eq!(templates.list(organization, account).await.unwrap().templates, std::slice::from_ref(&renamed));
    templates.replace(organization, account, &[a], at(1)).await.unwrap();
    let list = templates.list(organization, account).await.unwrap();
    assert_eq!((list.templates, list.read_at), (vec![renamed], Some(at(2))), "an older reading comes too late");
    templates.replace(organization, account, &[], at(3)).await.unwrap();
    assert_eq!(templates.list(organization, account).await.unwrap().templates, []);
}

/// What was known stays, and says so until a reading works.
pub async fn a_failed_reading_leaves_the_list(templates: Arc<dyn Templates>) {
    let world = World::new();
    let (organization, account) = (world.organization, world.account);
    let failure = Failure { reason: Some("503".into()), ..Failure::of(PROVIDER_UNAVAILABLE) };
    templates.failed(organization, account, &failure, at(1)).await.unwrap();
    let list = templates.list(organization, account).await.unwrap();
    assert_eq!((list.read_at, list.failed), (None, Some((at(1), failure.clone()))));
    let one = template("1", "aviso", TemplateStatus::Approved);
    templates.replace(organization, account, std::slice::from_ref(&one), at(2)).await.unwrap();
    assert_eq!(templates.list(organization, account).await.unwrap().failed, None);
    templates.failed(organization, account, &failure, at(3)).await.unwrap();
    let list = templates.list(organization, account).await.unwrap();
    assert_eq!((list.templates, list.read_at, list.failed), (vec![one], Some(at(2)), Some((at(3), failure))));
}

/// The provider's news count at once, and ask for a reading that began after them.
pub async fn a_change_counts_at_once(templates: Arc<dyn Templates>) {
    let world = World::new();
    let (organization, account) = (world.organization, world.account);
    let all = ["1", "2"].map(|id| template(id, id, TemplateStatus::Approved));
    templates.replace(organization, account, &all, at(1)).await.unwrap();
    let paused = [("2".to_owned(), TemplateStatus::Paused), ("3".to_owned(), TemplateStatus::Approved)];
    templates.changed(organization, account, &paused, at(5)).await.unwrap();
    let list = templates.list(organization, account).await.unwrap();
    let states: Vec<_> = list.templates.iter().map(|one| (one.id.as_str(), one.status)).collect();
    assert_eq!(states, [("1", TemplateStatus::Approved), ("2", TemplateStatus::Paused)]);
    assert_eq!((list.read_at, list.changed_at), (Some(at(1)), Some(at(5))));
    templates.changed(organization, account, &[], at(4)).await.unwrap();
    assert_eq!(templates.list(organization, account).await.unwrap().changed_at, Some(at(5)), "it only moves forward");
    templates.replace(organization, account, &all, at(4)).await.unwrap();
    let list = templates.list(organization, account).await.unwrap();
    assert_eq!((list.read_at, list.changed_at), (Some(at(4)), Some(at(5))), "this reading may have missed it");
    let new = World::new();
    templates.changed(new.organization, new.account, &paused, at(1)).await.unwrap();
    let list = templates.list(new.organization, new.account).await.unwrap();
    assert_eq!(list, TemplateList { changed_at: Some(at(1)), ..TemplateList::default() }, "the first of an account");
}

/// Isolation (invariant 6).
pub async fn nobody_reads_or_changes_anothers(templates: Arc<dyn Templates>) {
    let (world, other) = (World::new(), World::new());
    let one = template("1", "aviso", TemplateStatus::Approved);
    templates.replace(world.organization, world.account, std::slice::from_ref(&one), at(1)).await.unwrap();
    templates.replace(other.organization, other.account, std::slice::from_ref(&one), at(1)).await.unwrap();
    assert_eq!(templates.list(other.organization, world.account).await.unwrap(), TemplateList::default());
    let off = [("1".to_owned(), TemplateStatus::Disabled)];
    templates.changed(other.organization, other.account, &off, at(2)).await.unwrap();
    assert!(templates.changed(other.organization, world.account, &off, at(2)).await.is_err());
    assert!(templates.replace(other.organization, world.account, &[], at(3)).await.is_err());
    let list = templates.list(world.organization, world.account).await.unwrap();
    assert_eq!((list.templates, list.changed_at), (vec![one], None));
}
