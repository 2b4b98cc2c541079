//! [`Server`]: from options to answers.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use masklet::Model;
use masklet_engine::{ModelFacts, Project, TaskQuery};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::auth::{Gate, random_token};
use crate::exports::Exports;
use crate::guard::{Guard, keep};
use crate::live::Live;
use crate::media::Media;
use crate::options::{ServerOptions, StartError};
use crate::page;
use crate::routes::Routes;
use crate::searches::Searches;
use crate::state::{Shared, State};
use crate::work::{Sessions, Worker};

/// Threads that wait for the disk, at most.
const DISK_THREADS: usize = 32;
/// How often leases are looked at.
const LEASE_CHECK: Duration = Duration::from_secs(1);
/// How often it is asked whether the server ends.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// For how long requests may go on when the server ends.
const GRACE: Duration = Duration::from_secs(3);

/// A server that listens.
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    token: String,
    guard: Guard,
    state: State,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. Requests are answered by [`run`](Self::run). What a killed server left in the project
    /// is removed, unless another process has the project open.
    ///
    /// # Errors
    /// [`StartError`], saying what to do.
    pub fn bind(
        mut project: Project,
        model: &Model,
        facts: ModelFacts,
        options: &ServerOptions,
    ) -> Result<Self, StartError> {
        options.check()?;
        let token = options.token.clone().unwrap_or_else(random_token);
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(DISK_THREADS)
            .enable_all()
            .build()?;
        let (host, port) = (options.host, options.port);
        let listener = runtime.block_on(TcpListener::bind((host, port)));
        let listener = listener.map_err(|source| StartError::Listen { host, port, source })?;
        let address = listener.local_addr()?;
        project.remove_leftovers();
        let project = Arc::new(project);
        let live = Arc::new(Live::new());
        for task in project.tasks(TaskQuery::default())? {
            live.task(&task);
        }
        let sessions = Sessions::new(
            model,
            facts.clone(),
            Arc::clone(&project),
            Arc::clone(&live),
        );
        let state = State(Arc::new(Shared {
            project,
            gate: Gate::new(&token, address.port()),
            limits: options.limits,
            model: facts,
            worker: Worker::start(sessions)?,
            live,
            media: Media::default(),
            exports: Exports::default(),
            searches: Searches::new(model.clone()),
            importing: Arc::new(Semaphore::new(1)),
        }));
        Ok(Self {
            runtime,
            listener,
            address,
            token,
            guard: Guard::new(host, &options.names),
            state,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser on this machine.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}/")
    }

    /// The address with the token that acts as the project's owner. The part after `#` never leaves
    /// the browser; but where it is an argument of a program or is logged, others can read it.
    pub fn url_with_token(&self) -> String {
        format!("{}#token={}", self.url(), self.token)
    }

    /// Answers until `stopped` says so. What was being propagated is saved then.
    ///
    /// # Errors
    /// If the machine refuses.
    pub fn run(self, stopped: impl Fn() -> bool + Send + 'static) -> std::io::Result<()> {
        let Self {
            runtime,
            listener,
            guard,
            state,
            ..
        } = self;
        let body_bytes = state.limits.body_bytes;
        let router: Router = Routes::all()
            .router
            .fallback(page::file)
            .layer(DefaultBodyLimit::max(body_bytes))
            .layer(middleware::from_fn_with_state(guard, keep))
            .with_state(state.clone());
        let ended = runtime.block_on(async {
            tokio::spawn(watch_leases(state.clone()));
            let (stopping, mut ending) = tokio::sync::watch::channel(false);
            let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
                while !stopped() {
                    tokio::time::sleep(STOP_CHECK).await;
                }
                let _ = stopping.send(true);
            });
            tokio::select! {
                ended = serving.into_future() => ended,
                // A WebSocket would go on for ever.
                () = async {
                    let _ = ending.wait_for(|ending| *ending).await;
                    tokio::time::sleep(GRACE).await;
                } => Ok(()),
            }
        });
        state.searches.close();
        state.worker.close();
        runtime.shutdown_timeout(GRACE);
        ended
    }
}

/// Tells those whose leases end.
async fn watch_leases(state: State) {
    loop {
        tokio::time::sleep(LEASE_CHECK).await;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_millis() as i64);
        for ended in state.live.take_ended(now) {
            let told = state.blocking(move |state| {
                let task = state.tell_task(ended.task)?;
                if task.lease.is_none_or(|lease| lease.user != ended.user) {
                    state.live.lease_lost(&ended);
                }
                Ok(())
            });
            if let Err(error) = told.await
                && error.code() != "not-found"
            {
                eprintln!("error: {}", error.to_json()["message"]);
            }
        }
    }
}
