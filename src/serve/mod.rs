//! The explorer: an index and samples traced to it, looked at in a browser, and asked by programs over HTTP.
//!
//! What is explored is an [`Explorer`], which knows nothing of HTTP; a [`Server`] answers for it on this machine. Requests and
//! reports are those of the [engine](crate::engine): the pages and the API have no logic of their own.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use std::sync::Arc;
//!
//! use bitquilt::engine::{Session, SessionOptions, TraceRequest};
//! use bitquilt::serve::{Explorer, ServeOptions, Server, SetSource};
//! # use bitquilt::{BuildOptions, LatentSet, Shape, Unobserved, build};
//! # let mut set = LatentSet::new(Shape::new(1, 6, 1)?);
//! # for bits in ["101100", "111010"] {
//! #     set.push_bits(bits.chars().map(|bit| bit == '1'))?;
//! # }
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("index");
//! # build(&set, &path, &BuildOptions::new("seq:3".parse()?), &Unobserved)?;
//! // `path` is an index of 101100 and 111010, and `set` these two.
//! let session = Arc::new(Session::open(&path, &SessionOptions::default())?);
//! let mut explorer = Explorer::new(session, "index");
//! let request = TraceRequest::default();
//! let source = SetSource { name: "mine".to_owned(), file: "mine".to_owned(), samples: set.into(), request };
//! explorer.add(source, None, &Unobserved)?;
//!
//! let mut server = Server::start(explorer, ServeOptions::default())?;
//! let mut stream = TcpStream::connect(server.address())?;
//! let host = "Host: localhost\r\nConnection: close";
//! write!(stream, "GET /api/v1/sets/mine/samples/1 HTTP/1.1\r\n{host}\r\n\r\n")?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""exact_copies":[1]"#));
//! server.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api;
mod app;
mod error;
mod explorer;
mod gate;
mod guard;
mod listing;
mod photos;
mod problem;
mod server;
mod set;

pub use error::ServeError;
pub use explorer::{Draw, Explorer};
pub use photos::Photos;
pub use server::{ServeOptions, Server};
pub use set::SetSource;
