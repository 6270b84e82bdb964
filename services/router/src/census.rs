//! How many conversations are open, for the metrics: each replica counts the organizations whose distribution partition
//! it leases, so that the sum over the replicas is right.

use std::{collections::BTreeMap, time::Duration};

use domain::{OrganizationId, Stage};
use runtime::names::{label, metric};
use tokio::time::Instant;

use crate::shell::Shell;

/// The least time between two counts.
const EVERY: Duration = Duration::from_secs(15);

/// What was counted last.
#[derive(Default)]
pub(crate) struct Census {
    at: Option<Instant>,
    counted: BTreeMap<(String, &'static str), u64>,
}

impl Census {
    /// Counts these organizations, unless it is too early. A channel and stage without conversations says 0.
    pub(crate) async fn take(&mut self, shell: &Shell, organizations: &[OrganizationId]) {
        if self.at.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.at = Some(Instant::now());
        let mut counted: BTreeMap<_, u64> = self.counted.keys().map(|key| (key.clone(), 0)).collect();
        for organization in organizations {
            match shell.env.views.counts(*organization, None).await {
                Ok(counts) => {
                    for one in counts {
                        *counted.entry((one.channel.to_string(), stage(one.stage))).or_default() += one.count;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the open conversations are counted later");
                    return;
                }
            }
        }
        for ((channel, stage), count) in &counted {
            #[expect(clippy::cast_precision_loss, reason = "a gauge beyond 2^53 may be off by one")]
            let count = *count as f64;
            let labels = [(label::CHANNEL, channel.as_str()), (label::STAGE, *stage)];
            shell.env.metrics.gauge(metric::CONVERSATIONS, &labels, count);
        }
        self.counted = counted;
    }
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Active => "active",
        Stage::Inactive => "inactive",
        Stage::Closed => "closed",
    }
}
