//! Observes the effects of a fault: failed calls, errors in the logs, and attempts at jobs that failed or were left to
//! another worker, before their intent or with it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::load::Load;
use crate::cluster::Cluster;

/// The counts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub calls: u64,
    pub complaints: u64,
    pub attempts: u64,
}

impl Observed {
    pub fn since(self, before: &Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            complaints: self.complaints - before.complaints,
            attempts: self.attempts - before.attempts,
        }
    }

    pub fn total(self) -> u64 {
        self.calls + self.complaints + self.attempts
    }
}

/// The observer.
pub struct Harm {
    attempts: Arc<Mutex<HashSet<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Harm {
    /// Starts to observe the jobs.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached.
    pub async fn begin(cluster: &Cluster) -> Result<Self> {
        let connection = Database::connect(cluster.postgres.url()).await?;
        let attempts = Arc::new(Mutex::new(HashSet::new()));
        let filled = Arc::clone(&attempts);
        let task = tokio::spawn(async move {
            loop {
                // The fault may affect the database itself.
                if let Ok(found) = failed(&connection).await {
                    filled
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(found);
                }
                sleep(Duration::from_millis(40)).await;
            }
        });
        Ok(Self {
            attempts,
            _task: AbortOnDropHandle::new(task),
        })
    }

    pub fn seen(&self, load: &Load, cluster: &Cluster) -> Observed {
        let members = cluster.servers.iter().chain(&cluster.workers);
        let complaints = members
            .map(|member| {
                let log = std::fs::read_to_string(member.log_file()).unwrap_or_default();
                log.lines().filter(|line| is_complaint(line)).count() as u64
            })
            .sum();
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        Observed {
            calls: load.errors(),
            complaints,
            attempts: attempts.len() as u64,
        }
    }
}

fn is_complaint(line: &str) -> bool {
    let mut words = line.split_whitespace().skip(1);
    matches!(words.next(), Some("WARN" | "ERROR"))
}

async fn failed(connection: &DatabaseConnection) -> Result<Vec<String>> {
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT id || '/' || claim_epoch AS attempt FROM jobs WHERE (state = 'RUNNING' AND claims > 1) OR failures > 0 \
         UNION ALL SELECT 'effect/' || id AS attempt FROM effects WHERE state = 'INTENDED' \
         AND not_after < EXTRACT(EPOCH FROM clock_timestamp()) * 1000 \
         UNION ALL SELECT publish_job_id || '#' || number AS attempt FROM publish_steps WHERE outcome = 'FAILED'",
    );
    let rows = connection.query_all_raw(statement).await?;
    Ok(rows
        .iter()
        .filter_map(|row| row.try_get("", "attempt").ok())
        .collect())
}
