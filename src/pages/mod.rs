//! The sections of a page: metrics and arrays in, sections out.

pub mod equilibrium;
pub mod finite_size;
pub mod glossary;
pub mod roles;
pub mod run;
pub mod scaling;
pub mod sizes;
pub mod sweep;
pub mod training;
pub mod trust;
