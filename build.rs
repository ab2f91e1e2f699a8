//! With the feature `neural`: lets the binary find libtorch where it was built against, without
//! `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Set by torch-sys, which only a direct dependant hears of.
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        // The libraries of CUDA that libtorch_cpu.so needs lie beside it in the wheels; libtorch finds
        // them by a path of its own, but only from its real place: no copies, no links.
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
