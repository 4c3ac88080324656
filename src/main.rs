fn main() {
    println!("{:?} {:?}", tch::Cuda::is_available(), hdf5::library_version());
}
