//! Compiles the server again if the console was built, because the program contains it.

fn main() {
    println!("cargo::rerun-if-changed=../web/dist");
}
