//! Systems with a type that is known only at run time, from the name in an input.

use super::{ConditionAxis, DynamicScaling, REGISTRY, StatePoint, System};
use crate::{
    dynamics::{Dynamics, EvolveError, InLanes, Until},
    evaluation::{Observable, Symmetry},
    lattice::{Boundary, Shape},
    rng::{Purpose, stream},
    scores::Score,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};
use std::{any::Any, collections::BTreeMap, fmt, ops::Deref, path::Path, sync::Arc};

/// The part of [`System`] that does not depend on what a site is. Implemented for every system.
pub trait AnySystem: Any + fmt::Debug + Send + Sync + erased_serde::Serialize {
    /// The macroscopic observables.
    fn observables(&self) -> &'static [Observable];
    /// Unit of the law's time.
    fn time_unit(&self) -> &'static str;
    /// Shape of a system with `side` sites along each side.
    fn shape(&self, side: usize) -> Shape;
    /// As [`System::check`], for starts as an input lists them.
    ///
    /// # Errors
    /// When a start has another form than the system needs, and those of [`System::check`].
    fn check(&self, starts: &[toml::Value]) -> Result<(), String>;
    /// The step of dynamics that moves all sites at once.
    fn synchronous_step(&self) -> Option<f64>;
    /// Checks that the dynamics can evolve for this span.
    ///
    /// # Errors
    /// When they cannot stop there.
    fn check_span(&self, until: Until) -> Result<(), EvolveError>;
    /// As [`System::file`].
    fn file(&self) -> Option<&Path>;
    /// As [`System::condition_axes`].
    fn condition_axes(&self) -> Vec<ConditionAxis>;
    /// As [`System::conditions`].
    fn conditions(&self) -> Vec<StatePoint>;
    /// As [`System::at_conditions`].
    fn at_conditions(&self, indices: &[usize]) -> Arc<dyn AnySystem>;
    /// As [`System::events`], for the member at this condition.
    fn events(&self, condition: usize, sites: usize, time: f64) -> f64;
    /// As [`System::seconds`], for the member at this condition.
    fn seconds(&self, condition: usize) -> Option<f64>;
    /// The group that [`System::symmetries`] generate, identity first.
    fn symmetries(&self) -> Vec<Symmetry>;
    /// As [`System::dynamic_scaling`].
    fn dynamic_scaling(&self) -> Option<DynamicScaling>;
    /// As [`System::DETAILED_BALANCE`].
    fn keeps_detailed_balance(&self) -> bool;
    /// As [`System::scores`].
    fn scores(&self) -> Vec<Box<dyn Score>>;
    /// Bytes per site in memory.
    fn site_bytes(&self) -> usize;
    /// Bytes of a state of this shape in files.
    fn bytes_in_files(&self, shape: Shape) -> usize;
    /// Features of a site.
    fn channels(&self) -> usize;
    /// Bytes of a feature.
    fn feature_bytes(&self) -> usize;
    /// As [`System::moving_part_count`].
    fn moving_part_count(&self, sites: usize) -> Option<usize>;
    /// Whether trajectories can share a drawn start ([`System::draw_start`]).
    fn draws_starts(&self) -> bool;
    /// Whether the law of a smaller system at equal scaling variables is known ([`System::rescaled`]).
    fn can_be_rescaled(&self) -> bool;
    /// Whether windows can evolve in the lanes of words.
    fn has_lanes(&self) -> bool;
    /// Whether the law is known to give the drift of observables ([`System::GENERATOR`]).
    fn has_generator(&self) -> bool;
    /// Names of the functions of the library ([`System::library`]).
    fn library_names(&self) -> &'static [&'static str];
    /// Whether several ranks can share one lattice.
    fn is_local(&self) -> bool;
    /// The smallest side of a lattice on which a site reaches neither itself nor a neighbour twice.
    fn least_side(&self) -> usize;
    /// The boundary of the system.
    fn boundary(&self) -> Boundary;
    /// The [correlation length](super::correlation_length) of a system of this shape, the longest of the family.
    ///
    /// # Errors
    /// When the kernel cannot evolve the system.
    fn correlation_length(&self, shape: Shape, seed: u64) -> Result<f64, EvolveError>;
}

impl<S: System> AnySystem for S {
    fn observables(&self) -> &'static [Observable] {
        S::OBSERVABLES
    }

    fn time_unit(&self) -> &'static str {
        S::TIME_UNIT
    }

    fn shape(&self, side: usize) -> Shape {
        S::shape(side)
    }

    fn check(&self, starts: &[toml::Value]) -> Result<(), String> {
        starts_of::<S>(starts).and_then(|starts| System::check(self, &starts))
    }

    fn synchronous_step(&self) -> Option<f64> {
        crate::dynamics::Law::synchronous_step(self)
    }

    fn check_span(&self, until: Until) -> Result<(), EvolveError> {
        S::Dynamics::check(self, until)
    }

    fn file(&self) -> Option<&Path> {
        System::file(self)
    }

    fn condition_axes(&self) -> Vec<ConditionAxis> {
        System::condition_axes(self)
    }

    fn conditions(&self) -> Vec<StatePoint> {
        System::conditions(self)
    }

    fn at_conditions(&self, indices: &[usize]) -> Arc<dyn AnySystem> {
        Arc::new(System::at_conditions(self, indices))
    }

    fn events(&self, condition: usize, sites: usize, time: f64) -> f64 {
        System::events(&self.at_condition(condition), sites, time)
    }

    fn seconds(&self, condition: usize) -> Option<f64> {
        System::seconds(&self.at_condition(condition))
    }

    fn symmetries(&self) -> Vec<Symmetry> {
        Symmetry::group(&System::symmetries(self), S::OBSERVABLES.len())
    }

    fn dynamic_scaling(&self) -> Option<DynamicScaling> {
        System::dynamic_scaling(self)
    }

    fn keeps_detailed_balance(&self) -> bool {
        S::DETAILED_BALANCE
    }

    fn scores(&self) -> Vec<Box<dyn Score>> {
        System::scores(self)
    }

    fn site_bytes(&self) -> usize {
        size_of::<S::Site>()
    }

    fn bytes_in_files(&self, shape: Shape) -> usize {
        let [depth, rows, columns] = shape.0;
        let row = S::TWO_STATES.map_or(columns * size_of::<S::Site>(), |_| columns.div_ceil(8));
        depth * rows * row
    }

    fn channels(&self) -> usize {
        S::CHANNELS
    }

    fn feature_bytes(&self) -> usize {
        size_of::<S::Feature>()
    }

    fn moving_part_count(&self, sites: usize) -> Option<usize> {
        System::moving_part_count(self, sites)
    }

    fn draws_starts(&self) -> bool {
        self.draw_start(&mut stream(0, Purpose::SmallDraw, [0, 1])).is_some()
    }

    fn can_be_rescaled(&self) -> bool {
        self.rescaled(1.0).is_some()
    }

    fn has_lanes(&self) -> bool {
        InLanes::<S, 1>::new(self).is_some()
    }

    fn has_generator(&self) -> bool {
        S::GENERATOR.is_some()
    }

    fn library_names(&self) -> &'static [&'static str] {
        S::LIBRARY
    }

    fn is_local(&self) -> bool {
        S::LOCAL
    }

    fn least_side(&self) -> usize {
        S::REACH.max(2)
    }

    fn boundary(&self) -> Boundary {
        S::BOUNDARY
    }

    fn correlation_length(&self, shape: Shape, seed: u64) -> Result<f64, EvolveError> {
        let family = self.family();
        let mut lengths = family.iter().map(|member| super::correlation_length(member, shape, seed));
        lengths.try_fold(0.0, |longest: f64, length| Ok(longest.max(length?)))
    }
}

/// Converts the starts of the direct simulation from an input to those of a system.
///
/// # Errors
/// When a start has another form than the system needs.
pub fn starts_of<S: System>(starts: &[toml::Value]) -> Result<Vec<S::Start>, String> {
    let start = |value: &toml::Value| {
        value.clone().try_into().map_err(|error| format!("truth.starts holds {value}, which is not a start: {error}"))
    };
    starts.iter().map(start).collect()
}

/// The `[system.<name>]` table of an input.
#[derive(Clone, Debug)]
pub struct SystemInput {
    name: &'static str,
    system: Arc<dyn AnySystem>,
}

impl SystemInput {
    /// A system under the name that it is registered with.
    pub fn new(name: &'static str, system: impl System) -> Self {
        Self { name, system: Arc::new(system) }
    }

    /// The error in the `[system]` table of an input with its position in the text, which [`Deserialize`] does not
    /// know.
    pub fn find_fault(text: &str) -> Option<toml::de::Error> {
        let input: toml::Table = toml::from_str(text).ok()?;
        let (name, _) = input.get("system")?.as_table()?.iter().next()?;
        (REGISTRY.get(name).ok()?.find_fault)(text)
    }

    /// Name in inputs.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The system as its own type.
    ///
    /// # Panics
    /// When the system has another type.
    pub fn downcast<S: System>(&self) -> &S {
        (&*self.system as &dyn Any).downcast_ref().expect("a system is registered under its own name")
    }

    /// The family of the members at the conditions with these indices.
    pub fn at_conditions(&self, indices: &[usize]) -> Self {
        Self { name: self.name, system: self.system.at_conditions(indices) }
    }

    /// A condition of a family in words, with units; `None` for a single system.
    pub fn named_condition(&self, index: usize) -> Option<String> {
        let (conditions, axes) = (self.conditions(), self.condition_axes());
        (conditions.len() > 1).then(|| conditions[index].with_units(axes.iter().map(|axis| (axis.name, axis.unit))))
    }

    /// Whether there are several conditions, with one data set and one model for all of them.
    pub fn is_family(&self) -> bool {
        self.conditions().len() > 1
    }
}

impl Deref for SystemInput {
    type Target = dyn AnySystem;

    fn deref(&self) -> &dyn AnySystem {
        &*self.system
    }
}

impl PartialEq for SystemInput {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_value(self).ok() == serde_json::to_value(other).ok()
    }
}

impl Serialize for SystemInput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Erased<'a>(&'a dyn AnySystem);
        impl Serialize for Erased<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                erased_serde::serialize(self.0, serializer)
            }
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, &Erased(&**self))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for SystemInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneSystem)
    }
}

/// Reads a map with one entry. The key names the type of the value.
struct OneSystem;

impl<'de> Visitor<'de> for OneSystem {
    type Value = SystemInput;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("one table [system.<name>]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SystemInput, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(A::Error::custom(
                "the input has no system; add a table [system.<name>], such as [system.ising]",
            ));
        };
        let entry = REGISTRY.get(&name).map_err(A::Error::custom)?;
        let found = map.next_value_seed(ParametersSeed { read: entry.read })?;
        let name = REGISTRY.entries().into_iter().map(|(known, _)| known).find(|known| *known == name);
        match (map.next_key::<String>()?, name) {
            (None, Some(name)) => Ok(SystemInput { name, system: found }),
            (other, _) => Err(A::Error::custom(format!(
                "the input has a second system `{}`; remove one of the two",
                other.unwrap_or_default()
            ))),
        }
    }
}

/// Reads the parameters of a system of one type.
struct ParametersSeed {
    read: ReadSystem,
}

impl<'de> DeserializeSeed<'de> for ParametersSeed {
    type Value = Arc<dyn AnySystem>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        (self.read)(&mut <dyn erased_serde::Deserializer>::erase(deserializer)).map_err(D::Error::custom)
    }
}

/// Reads the parameters of a system.
pub type ReadSystem = fn(&mut dyn erased_serde::Deserializer) -> Result<Arc<dyn AnySystem>, erased_serde::Error>;

/// [`ReadSystem`] of one type.
///
/// # Errors
/// When the table is not one of this system's.
pub fn read<S: System>(from: &mut dyn erased_serde::Deserializer) -> Result<Arc<dyn AnySystem>, erased_serde::Error> {
    Ok(Arc::new(erased_serde::deserialize::<S>(from)?))
}

/// The error in the `[system]` table of an input, with its position in the text; `None` for a valid one.
pub type FindFault = fn(&str) -> Option<toml::de::Error>;

/// [`FindFault`] of one type.
pub fn find_fault<S: System>(text: &str) -> Option<toml::de::Error> {
    #[derive(Deserialize)]
    struct Whole<S> {
        #[serde(rename = "system")]
        _system: BTreeMap<String, S>,
    }
    toml::from_str::<Whole<S>>(text).err()
}
