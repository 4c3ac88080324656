//! Where the program finds MPI, HDF5 and libtorch when it starts: tessera's own build has looked for them.

fn main() {
    for folder in std::env::var("DEP_TESSERA_LIBRARIES").unwrap_or_default().split(':').filter(|name| !name.is_empty())
    {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
