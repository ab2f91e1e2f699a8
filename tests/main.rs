//! Every promise of the design, tested through the library and through the real binary.
//!
//! `BITQUILT_LONG=1` runs twenty times as many random cases, flips forty times as many
//! bytes, and kills 50 builds.

/// Reports on sets of samples.
mod audit;
/// P2, P3 with several windows: which one answers.
mod backoff;
/// Bad files and folders end with exit code 2 and a message that names the file and what to do.
mod bad_input;
/// So do options that cannot be, with one that can.
mod bad_options;
/// P7: what is not finished looks so, and can go on.
mod build;
/// P5 in bulk: many blocks, runs, parts and spills.
mod bulk;
/// Exit codes, Ctrl-C, pipes, help.
mod cli;
/// P3: whatever a sample must satisfy, every search finds exactly the samples that do.
mod constraints;
/// P9: a verdict keeps its rate, and copies are found with their sources.
mod copies;
/// Damaged files are reported or change no answer; never a panic.
mod corruption;
/// P3 by number: how many samples there are.
mod counting;
/// P1, P5: counts are exact, postings complete and true.
mod counts;
/// The JSON that the command prints: schemas, and the names that scripts stand on.
mod documents;
/// Rows follow their exact distribution under temperature and a least count, and below each other.
mod draws;
/// Sessions, requests and reports: what the command, Python and a server share.
mod engine;
/// Metrics put together: the report of an encoder and its schema.
mod eval;
/// P8, P4 with a network: whose bits it answers, that they are marked and no others are.
mod fallback;
/// What fuzzing found.
mod fuzzed;
/// Files of every format version open for ever.
mod golden;
/// Where the methods differ by more than anybody can wait for.
mod hard;
/// Images whole are what the importer sees of them.
mod images;
/// Images and codes become the latents that they say.
mod import;
/// Transparent images.
mod import_alpha;
/// Arrays of every kind: axes, indices, packed rows.
mod import_arrays;
/// CIFAR-100.
mod import_cifar;
/// Images that lie on their side, or are mirrored.
mod import_images;
/// Standard input and pipes.
mod import_pipes;
/// Arrays of bfloat16, files of tensors.
mod import_tensors;
/// Context keys byte by byte.
mod keys;
/// P7: killed, on a full disk, among many readers.
mod kill;
/// Contexts bound to labels: the command, bad input, manifests, builds that go on.
mod labels;
/// Pyramids told plainly.
mod levels;
/// Lies with right checksums are found out.
mod lies;
/// P10: how much samples carry of any one training latent is limited.
mod limit;
/// Choices and their names.
mod names;
/// The networks.
#[cfg(feature = "neural")]
mod neural;
/// Networks over bits: what they see, what they learn, and that they answer as they were trained.
#[cfg(feature = "neural")]
mod neural_bits;
/// Codes of a network, drawn as what they stand for.
#[cfg(feature = "neural")]
mod neural_codes;
/// Checkpoints of every format version open for ever.
#[cfg(feature = "neural")]
mod neural_golden;
/// Networks in pyramids.
#[cfg(feature = "neural")]
mod neural_pyramids;
/// What `generate` can be told, through the real program.
mod options;
/// The right answers, by brute force.
mod oracle;
/// Traces as web pages.
mod page;
/// P1 past one machine: builds in tasks.
mod parts;
/// P7 with the command, past one machine.
mod parts_cli;
/// P7 past one machine.
mod parts_damage;
/// P2: every bit is supported, and can be proved to be.
mod proof;
/// Tasks small enough to try every latent.
mod puzzles;
/// P5, P6 over pyramids: support, quilts and neighbours of each level.
mod pyramid_traces;
/// P1 to P5 over pyramids: several levels, windows that see the coarser one.
mod pyramids;
/// Pyramids through the real binary.
mod pyramids_cli;
/// The right quilts, by exhaustive search.
mod quilts;
/// P4, P6: runs shared out by sample numbers are those of one.
mod ranges;
/// P1 again: what is held in memory answers as the index does.
mod resident;
/// P3, P4: search is complete; same seed, same samples.
mod search;
/// The explorer's answers.
#[cfg(feature = "serve")]
mod serve;
/// What the explorer makes of those who mean it no good.
#[cfg(feature = "serve")]
mod serve_hostile;
/// Samples of another size than the training latents.
mod size;
/// The same of pyramids.
mod sized_pyramids;
/// Random latent sets, indexes of them, and the binary.
mod support;
/// Removal requests: latents left out.
mod takedown;
/// P5, P6: traces and quilts.
mod trace;
/// `bitquilt trace`, through the real program.
mod trace_cli;
/// What the rows above tell of a context.
mod upper;
