//! What a service is given: every port it may need, and nothing ambient.

use std::{path::PathBuf, sync::Arc};

use ports::{
    Blobs, Buckets, Bus, Clock, Consents, Cursors, Directory, Journal, Leases, Ledger, Mailboxes, Parking, Shelves,
    SignIns, Templates, Views, Windows,
};

use crate::{http::Http, metrics::Metrics};

/// The world of a service, built by `bootstrap` from the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// The name of this replica, unique in the mesh.
    pub replica: Arc<str>,
    /// How many partitions the mesh has; the same everywhere.
    pub partitions: u16,
    /// Where the outside reaches us, without a trailing slash: media links are made from it.
    pub public_url: Arc<str>,
    /// A folder for the disk spool.
    pub data: Arc<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The broker.
    pub bus: Arc<dyn Bus>,
    /// The router's store.
    pub journal: Arc<dyn Journal>,
    /// Read models.
    pub views: Arc<dyn Views>,
    /// Organizations, accounts, queues, people.
    pub directory: Arc<dyn Directory>,
    /// Send attempts.
    pub ledger: Arc<dyn Ledger>,
    /// Session windows.
    pub windows: Arc<dyn Windows>,
    /// Consent.
    pub consents: Arc<dyn Consents>,
    /// Rate buckets.
    pub buckets: Arc<dyn Buckets>,
    /// Places in providers' streams.
    pub cursors: Arc<dyn Cursors>,
    /// Named leases.
    pub leases: Arc<dyn Leases>,
    /// Media.
    pub blobs: Arc<dyn Blobs>,
    /// Mailboxes of link channels.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// Sign-ins at the desk.
    pub sign_ins: Arc<dyn SignIns>,
    /// Parked messages.
    pub parking: Arc<dyn Parking>,
    /// Templates as the providers listed them.
    pub templates: Arc<dyn Templates>,
    /// What accounts have beyond their share of a partition.
    pub shelves: Arc<dyn Shelves>,
    /// The one door for outgoing HTTP.
    pub http: Http,
    /// Counters and histograms.
    pub metrics: Metrics,
}
