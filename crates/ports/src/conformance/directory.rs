//! The promises of [`crate::Directory`].

use std::{collections::BTreeMap, sync::Arc};

use domain::{Account, Distribution, Language, Organization, Queue, Role, Secret, User};

use super::samples::{World, channel};
use crate::{Directory, StoreError};

fn account(world: &World) -> Account {
    Account {
        id: world.account,
        organization: world.organization,
        channel: world.channel.clone(),
        name: format!("hook-{}", world.account),
        label: "Vendas".into(),
        queue: world.queue,
        settings: BTreeMap::from([("base_url".into(), "https://example.com".into())]),
        secrets: BTreeMap::from([("api_key".into(), Secret::new("s3cret"))]),
        active: true,
    }
}

fn queue(world: &World) -> Queue {
    Queue {
        id: world.queue,
        organization: world.organization,
        name: "Vendas".into(),
        distribution: Distribution::Circular,
        inactive_after: 1_800,
        abandon_after: 172_800,
        members: vec![world.user(1), world.user(2)],
        active: true,
    }
}

fn user(world: &World) -> User {
    User {
        id: world.user(1),
        organization: world.organization,
        email: format!("{}@example.com", world.user(1)),
        name: "Ângela".into(),
        role: Role::SupervisorAgent,
        language: Language::Es,
        password: Secret::new("$argon2id$v=19$x"),
        capacity: 4,
        active: true,
    }
}

async fn save(directory: &Arc<dyn Directory>, world: &World) {
    let organization = Organization { id: world.organization, name: "Padaria".into() };
    directory.save_organization(&organization).await.unwrap();
    directory.save_queue(&queue(world)).await.unwrap();
    directory.save_account(&account(world)).await.unwrap();
    directory.save_user(&user(world)).await.unwrap();
}

/// Secrets included, and of one organization.
pub async fn what_is_saved_is_read_back(directory: Arc<dyn Directory>) {
    let (world, other) = (World::new(), World::new());
    save(&directory, &world).await;
    save(&directory, &other).await;
    let organizations = directory.organizations().await.unwrap();
    assert!(organizations.iter().any(|organization| organization.id == world.organization));
    assert_eq!(directory.accounts_of(world.organization).await.unwrap(), [account(&world)]);
    assert_eq!(directory.queues(world.organization).await.unwrap(), [queue(&world)]);
    assert_eq!(directory.users(world.organization).await.unwrap(), [user(&world)]);
    assert_eq!(directory.user_by_email(&user(&world).email).await.unwrap(), Some(user(&world)));
    assert_eq!(directory.user_by_email("nobody@example.com").await.unwrap(), None);
    assert!(directory.accounts(Some(&world.channel)).await.unwrap().contains(&account(&world)));
    assert!(directory.accounts(None).await.unwrap().contains(&account(&other)));
    assert!(!directory.accounts(Some(&channel("telegram"))).await.unwrap().contains(&account(&world)));
}

/// Saving again is changing.
pub async fn a_change_replaces(directory: Arc<dyn Directory>) {
    let world = World::new();
    save(&directory, &world).await;
    let account = Account { active: false, label: "Pós-venda".into(), ..account(&world) };
    let queue = Queue { members: vec![], distribution: Distribution::Manual, ..queue(&world) };
    let user = User { role: Role::Administrator, email: format!("x{}", user(&world).email), ..user(&world) };
    directory.save_account(&account).await.unwrap();
    directory.save_queue(&queue).await.unwrap();
    directory.save_user(&user).await.unwrap();
    assert_eq!(directory.accounts_of(world.organization).await.unwrap(), [account]);
    assert_eq!(directory.queues(world.organization).await.unwrap(), [queue]);
    assert_eq!(directory.users(world.organization).await.unwrap(), [user]);
}

/// A path and an e-mail lead to one place.
pub async fn a_hook_and_an_email_belong_to_one(directory: Arc<dyn Directory>) {
    let (world, other) = (World::new(), World::new());
    save(&directory, &world).await;
    let double = Account { name: account(&world).name, ..account(&other) };
    let taken = format!("the name {} is taken on {}", double.name, double.channel);
    assert_eq!(directory.save_account(&double).await, Err(StoreError::Refused(taken)));
    let elsewhere = Account { channel: channel("telegram"), ..double };
    directory.save_account(&elsewhere).await.unwrap();
    let double = User { email: user(&world).email, ..user(&other) };
    let taken = format!("the e-mail {} is taken", double.email);
    assert_eq!(directory.save_user(&double).await, Err(StoreError::Refused(taken)));
}

/// Isolation (invariant 6).
pub async fn nothing_changes_its_organization(directory: Arc<dyn Directory>) {
    let (world, other) = (World::new(), World::new());
    save(&directory, &world).await;
    let stolen = Account { organization: other.organization, ..account(&world) };
    assert!(matches!(directory.save_account(&stolen).await, Err(StoreError::Refused(_))));
    let stolen = User { organization: other.organization, ..user(&world) };
    assert!(matches!(directory.save_user(&stolen).await, Err(StoreError::Refused(_))));
    assert_eq!(directory.accounts_of(other.organization).await.unwrap(), []);
}
