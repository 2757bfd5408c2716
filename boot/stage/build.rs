//! Links the stage into the upper half of the address space: the lower one is for the identity map.

fn main() {
    println!("cargo::rustc-link-arg-bins=--image-base=0xffffffffc0000000");
}
