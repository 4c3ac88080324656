//! What pairs hold beyond observables, for closure variables out of a system's library.

/// Functions of the library in a patch.
#[derive(Clone, Debug, PartialEq)]
pub struct LibraryChange {
    /// Means over the patch before its evolution.
    pub before: Vec<f64>,
    /// K times the change of the lattice's means.
    pub increment: Vec<f64>,
}

/// What is known of a whole state beyond its observables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WholeState {
    /// The drift of the observables, L z per site, where there are compensators.
    pub drift: Option<Vec<f64>>,
    /// The means of the functions of the library, if they are asked for.
    pub library: Option<Vec<f64>>,
}
