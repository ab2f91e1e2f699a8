//! A server on this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rayon::ThreadPoolBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::api;
use super::app::App;
use super::gate::Gate;
use super::guard::Guard;
use super::{Explorer, ServeError};
use crate::base::Observer;

/// Connections at once at most; others wait.
const MAX_CONNECTIONS: usize = 256;
/// Time until the head of a request must be there.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of the head of a request at most.
const MAX_HEAD: usize = 32 << 10;
/// Time that answers under way have when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// How a server listens, and whom it answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Where it listens; with port 0 at a free port.
    pub listen: SocketAddr,
    /// What requests must bring; needed where other machines reach the address.
    pub token: Option<String>,
    /// Names of the server beside localhost and its address.
    pub host_names: Vec<String>,
    /// The one other origin whose pages may ask.
    pub cors: Option<String>,
    /// Time that a request may take.
    pub limit: Duration,
    /// Requests that are worked on at once.
    pub cores: usize,
}

impl Default for ServeOptions {
    /// Listens at a free port that only this machine reaches.
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            token: None,
            host_names: Vec::new(),
            cors: None,
            limit: Duration::from_secs(10),
            cores: rayon::current_num_threads(),
        }
    }
}

impl ServeOptions {
    /// Listens at an address, with a token: the one given, or one that nobody can guess where other machines reach the address and none is.
    ///
    /// # Errors
    /// [`ServeError::Io`] where the system has no random numbers.
    pub fn at(listen: SocketAddr, token: Option<String>) -> Result<Self, ServeError> {
        let token = match token {
            None if !listen.ip().is_loopback() => Some(Self::random_token()?),
            token => token,
        };
        Ok(Self {
            listen,
            token,
            ..Self::default()
        })
    }

    /// Returns a token that nobody can guess.
    fn random_token() -> Result<String, ServeError> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// A server that answers until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    token: Option<String>,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts to answer for an explorer, and to trace its samples beside that.
    ///
    /// # Errors
    /// [`ServeError`]: an address that cannot be listened on, or that needs a token; words of another form.
    pub fn start(explorer: Explorer, options: ServeOptions) -> Result<Self, ServeError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bitquilt-serve")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(options.listen));
        let listener = listener.map_err(|error| ServeError::Listen {
            address: options.listen,
            error,
        })?;
        let address = listener.local_addr()?;
        let guard = Guard::new(
            address,
            &options.host_names,
            options.token.clone(),
            options.cors,
        )?;
        let app = Arc::new(App {
            digest: explorer.digest(),
            explorer: Arc::new(explorer),
            gate: Gate::new(options.cores.max(1), options.limit),
            guard,
        });
        let (stop, stopped) = watch::channel(false);
        let (router, tracer) = (api::router(app.clone()), app.clone());
        // Half of the cores trace, on threads of their own: those that answer do not wait for them.
        let tracing = thread::Builder::new().name("bitquilt-trace".to_owned());
        let half = options.cores.div_ceil(2);
        let pool = ThreadPoolBuilder::new()
            .num_threads(half)
            .build()
            .map_err(std::io::Error::other)?;
        let tracing = tracing.spawn(move || {
            let observer = UntilStopped(&tracer.gate);
            pool.install(|| tracer.explorer.trace(&observer));
        })?;
        let serving = thread::Builder::new().name("bitquilt-serve".to_owned());
        let serving = serving.spawn(move || serve(runtime, listener, router, stopped))?;
        Ok(Self {
            address,
            token: options.token,
            app,
            stop,
            threads: vec![tracing, serving],
        })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what requests must bring.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Returns the address of its page, with the token where it needs one.
    pub fn url(&self) -> String {
        // An address that stands for all of them is none to ask.
        let ip = match self.address.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let address = SocketAddr::new(ip, self.address.port());
        match &self.token {
            Some(token) => format!("http://{address}/?token={token}"),
            None => format!("http://{address}/"),
        }
    }

    /// Returns how many samples are traced, and of how many.
    pub fn traced(&self) -> (usize, usize) {
        let sets = self.app.explorer.sets.iter();
        (
            self.app.explorer.traced(),
            sets.map(super::set::Set::len).sum(),
        )
    }

    /// Returns why samples could not be traced to their end, if so.
    pub fn failed(&self) -> Option<String> {
        self.app.explorer.failure()
    }

    /// Stops: work under way is told to, answers are finished where that takes a moment.
    pub fn stop(&mut self) {
        self.app.gate.stopping.store(true, Ordering::Relaxed);
        // Nobody listens any more: then it has stopped.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            // Its panic is on stderr.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Goes on until the server stops.
struct UntilStopped<'a>(&'a Gate);

impl Observer for UntilStopped<'_> {
    fn stage(&self, _name: &str, _total: u64, _unit: &str) {}

    fn advance(&self, _done: u64) {}

    fn stop_requested(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }
}

/// Answers until it is told to stop.
fn serve(
    runtime: Runtime,
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    runtime.block_on(async {
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let next = next(&listener, &connections);
            let (stream, permit) = tokio::select! {
                next = next => match next {
                    Some(next) => next,
                    None => continue,
                },
                _ = stopped.changed() => break,
            };
            let service = TowerToHyperService::new(router.clone());
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that breaks off, or sends what is no HTTP.
                let _ = connection.await;
                drop(permit);
            });
        }
        // Those that do not end by themselves are cut.
        let _ = timeout(GRACE, graceful.shutdown()).await;
    });
    // Work under way looks at its watch.
    runtime.shutdown_timeout(GRACE);
}

/// Returns the next connection, as soon as there is room for it.
async fn next(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Small answers are not to wait for more.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(_) => {
            // Out of files, perhaps: a little later there may be one.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
