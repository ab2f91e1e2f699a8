//! `bitquilt serve`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::copies::JudgeArgs;
use super::drawer::{Drawer, ModelArgs};
use super::ids::WithoutArgs;
use super::preload::PreloadArgs;
use super::ui::Ui;
use super::{grouped, print};
use bitquilt::Observer;
use bitquilt::engine::{Session, TraceRequest, WindowChoice};
use bitquilt::latent::Level;
use bitquilt::samples::SampleSet;
use bitquilt::serve::{Draw, Explorer, Photos, ServeOptions, Server, SetSource};

/// Open a page on this machine: where samples come from, who copies, and new samples
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bitquilt serve mnist.index samples.safetensors\n  \
    bitquilt serve mnist.index samples.safetensors others.safetensors --against held-out.safetensors --port 8000\n  \
    bitquilt serve codes.index samples.safetensors --model codes.blae.safetensors --pictures photos/\n  \
    bitquilt serve mnist.index samples.safetensors --listen 0.0.0.0 --port 8000 --host-name quilt.example.org\n\n\
    Prints the address of the page and answers until Ctrl-C. Samples are traced while you look. Only this machine reaches it: with\n\
    --listen others do, who need the token in the address that is printed. Programs ask the same addresses as the page:\n\
    /openapi.json describes them. Answers are those of trace, query, info and generate with --json.")]
pub(super) struct ServeArgs {
    /// The index
    index: PathBuf,

    /// Sets of samples, or any latents of the same channels
    samples: Vec<PathBuf>,

    /// Port to listen at, or 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// Address to listen at; one that other machines reach needs a token, which is made if --token does not name it
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,

    /// What requests must bring: in the address of the page, or as bearer token
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,

    /// A name under which the server is asked beside localhost and its address; again for more
    #[arg(long = "host-name", value_name = "NAME")]
    host_names: Vec<String>,

    /// Another origin whose pages may ask, as https://example.org
    #[arg(long, value_name = "ORIGIN")]
    cors: Option<String>,

    /// Whoever reaches the server may generate [default: where only this machine reaches it]
    #[arg(long, conflicts_with = "no_generate")]
    allow_generate: bool,

    /// Nobody may generate
    #[arg(long)]
    no_generate: bool,

    /// Pictures of training latents, in a folder and named by their ids: 17.png, or 000017.jpg
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,

    /// A window of the quilt, as for trace; again for each smaller one
    #[arg(short, long = "window", value_name = "WINDOW")]
    windows: Vec<WindowChoice>,

    #[command(flatten)]
    copies: JudgeArgs,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    without: WithoutArgs,

    #[command(flatten)]
    preload: PreloadArgs,

    /// Replace the file of --save-calibration
    #[arg(long)]
    force: bool,

    /// Print the address as JSON
    #[arg(long)]
    json: bool,
}

impl ServeArgs {
    fn options(&self) -> anyhow::Result<ServeOptions> {
        let listen = SocketAddr::new(self.listen, self.port);
        let mut options = ServeOptions::at(listen, self.token.clone())?;
        options.host_names.clone_from(&self.host_names);
        options.cors.clone_from(&self.cors);
        Ok(options)
    }

    fn request(&self) -> TraceRequest {
        TraceRequest {
            windows: self.windows.clone(),
            preload: self.preload.preload(),
            ..TraceRequest::default()
        }
    }

    /// Returns what draws latents through a model; `None` without one.
    fn draw(&self, session: &Session) -> anyhow::Result<Option<Draw>> {
        let index = session.index();
        let (levels, codecs) = (index.shape(), index.manifest().codecs());
        let drawers = self.model.drawers(&self.index, levels.levels(), &codecs)?;
        if !self.model.is_given() {
            return Ok(None);
        }
        // A model draws one latent at a time.
        let drawers: Mutex<Vec<Drawer>> = Mutex::new(drawers);
        let path = self.index.clone();
        let draw = move |level: &Level, packed: &[u8]| {
            let drawers = drawers.lock().unwrap_or_else(PoisonError::into_inner);
            let drawn = drawers[level.number()].one(level.shape(), packed, &path);
            drawn.map_err(|error| format!("{error:#}"))
        };
        Ok(Some(Box::new(draw)))
    }
}

pub(super) fn run(args: &ServeArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    args.copies.check(args.force)?;
    let options = args.options()?;
    let session = Arc::new(args.without.open(&args.index, args.preload.options())?);
    let draw = args.draw(&session)?;
    let mut explorer = Explorer::new(session.clone(), args.index.display().to_string())
        .generating(!args.no_generate && (args.allow_generate || args.listen.is_loopback()));
    if let Some(draw) = draw {
        explorer = explorer.drawn_by(draw);
    }
    if let Some(folder) = &args.pictures {
        explorer = explorer.with_photos(Photos::of(folder).context("--pictures")?);
    }
    let held_out = args.copies.read_held_out()?;
    let copies = args.copies.request();
    for path in &args.samples {
        let source = SetSource {
            name: name_of(path),
            file: path.display().to_string(),
            samples: SampleSet::read(path)?,
            request: args.request(),
        };
        let by = args.copies.by(held_out.as_ref());
        explorer
            .add(source, by.map(|by| (by, &copies)), ui)
            .with_context(|| format!("{}{}", path.display(), args.copies.words()))?;
    }
    if let Some((latents, path)) = held_out.zip(args.copies.held_out_path()) {
        explorer
            .add_held_out(latents, path.display().to_string(), args.request(), ui)
            .with_context(|| path.display().to_string())?;
    }
    ui.finish();
    let server = Server::start(explorer, options)?;
    tell(args, &server, &session, ui)?;
    wait(server, ui);
    Ok(ExitCode::SUCCESS)
}

/// Prints where the page is.
fn tell(args: &ServeArgs, server: &Server, session: &Session, ui: &Ui) -> anyhow::Result<()> {
    if args.json {
        // One line, so that whoever starts the server can read it while it runs.
        return print(json!({ "url": server.url(), "address": server.address().to_string(), "token": server.token() }).to_string());
    }
    print(server.url())?;
    let index = session.index();
    let (_, samples) = server.traced();
    ui.note(format!(
        "{} training latents {}, {} samples to be traced; Ctrl-C stops",
        grouped(index.latents()),
        index.shape(),
        grouped(samples as u64)
    ));
    Ok(())
}

/// Waits for Ctrl-C.
fn wait(mut server: Server, ui: &Ui) {
    ui.runs_until_stopped();
    let mut is_failed = false;
    while !ui.stop_requested() {
        if !is_failed && let Some(why) = server.failed() {
            is_failed = true;
            ui.note(format!("bitquilt: {why}"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    server.stop();
}

/// Returns what a set is called: its file's name without its ending.
fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
