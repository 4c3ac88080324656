//! The parameters of the alloy, and the family that lists of temperatures and compositions make.

use crate::systems::{Condition, ConditionAxis, StatePoint};
use serde::{Deserialize, Serialize};

/// Parameters of the alloy, the `[system.alloy]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlloyParameters {
    /// Temperature in K, above 0, or a list for a family of systems.
    pub temperature: Condition,
    /// Model of the barriers: `builtin`, `balanced`, the published network (`.npz`), or a model of `tessera barriers
    /// fit` (`.safetensors`).
    #[serde(default = "builtin")]
    pub barriers: String,
    /// Shares of Nb, Mo and Ta among the atoms, whose sum is 1, or a list of such triples for a family, each at every
    /// temperature.
    #[serde(default = "equimolar")]
    pub composition: Condition<[f64; 3]>,
    /// Sites per vacancy.
    #[serde(default = "sites_per_vacancy")]
    pub sites_per_vacancy: usize,
    /// E_ref of the unit of time in eV, or a list with one value per temperature, because the barriers of typical jumps
    /// are lower in a colder alloy. A model between the temperatures of a family has the unit of the linearly
    /// interpolated E_ref.
    #[serde(default = "reference_barrier")]
    pub reference_barrier: Condition,
    /// Whether a vacancy with no other one near escapes at once from the states among which it flickers. Exact either
    /// way.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub basins: bool,
}

fn yes() -> bool {
    true
}

fn equimolar() -> Condition<[f64; 3]> {
    [1.0 / 3.0; 3].into()
}

fn builtin() -> String {
    "builtin".into()
}

fn sites_per_vacancy() -> usize {
    1024
}

fn reference_barrier() -> Condition {
    1.2.into()
}

impl Default for AlloyParameters {
    /// Equimolar, one vacancy in 1024 sites, 2000 K, the built-in barriers.
    fn default() -> Self {
        Self {
            temperature: 2000.0.into(),
            barriers: builtin(),
            composition: equimolar(),
            sites_per_vacancy: sites_per_vacancy(),
            reference_barrier: reference_barrier(),
            basins: true,
        }
    }
}

impl AlloyParameters {
    /// The first composition; NaN for an empty list.
    pub fn shares(&self) -> [f64; 3] {
        self.composition.all().first().copied().unwrap_or([f64::NAN; 3])
    }

    /// Temperature and, for several compositions, the shares of Nb, Mo and Ta: every composition at every temperature,
    /// the first temperature first.
    pub fn state_points(&self) -> Vec<StatePoint> {
        let compositions = self.composition.all();
        let shares = |shares: &[f64; 3]| if compositions.len() > 1 { shares.to_vec() } else { Vec::new() };
        let at = |&temperature: &f64| {
            compositions.iter().map(move |own| StatePoint([vec![temperature], shares(own)].concat()))
        };
        self.temperature.all().iter().flat_map(at).collect()
    }

    /// What the state points differ in.
    pub fn condition_axes(&self) -> Vec<ConditionAxis> {
        let shares = ["Nb", "Mo", "Ta"].map(|name| ConditionAxis { name, unit: "1" });
        let shares = if self.composition.all().len() > 1 { &shares[..] } else { &[] };
        [&[ConditionAxis { name: "temperature", unit: "K" }], shares].concat()
    }

    /// The parameters of the members of the family with these indices, which make a grid of their own.
    pub fn at_conditions(&self, indices: &[usize]) -> Self {
        let each = self.composition.all().len();
        let distinct = |part: fn(usize, usize) -> usize| {
            let mut found: Vec<usize> = indices.iter().map(|&index| part(index, each)).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let temperatures = distinct(|index, each| index / each);
        let compositions = distinct(|index, each| index % each);
        Self {
            temperature: self.temperature.at_conditions(&temperatures),
            reference_barrier: self.reference_barrier.at_conditions(&temperatures),
            composition: self.composition.at_conditions(&compositions),
            ..self.clone()
        }
    }

    /// Checks every parameter on its own.
    ///
    /// # Errors
    /// When a value is not allowed, with its name.
    pub fn check(&self) -> Result<(), String> {
        let Self { temperature, composition, sites_per_vacancy, reference_barrier, .. } = self;
        let bad = temperature.all().iter().find(|value| !(**value > 0.0 && value.is_finite()));
        if temperature.all().is_empty() || bad.is_some() {
            let found = bad.map_or("an empty list".into(), f64::to_string);
            return Err(format!("system.alloy.temperature is {found}; it must be above 0 K"));
        }
        let valid = |shares: &[f64; 3]| {
            (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6 && shares.iter().all(|share| *share > 0.0)
        };
        let wrong = composition.all().iter().find(|shares| !valid(shares));
        if composition.all().is_empty() || wrong.is_some() {
            let found = wrong.map_or("an empty list".into(), |shares| format!("{shares:?}"));
            return Err(format!("system.alloy.composition is {found}; it must be three shares above 0 with the sum 1"));
        }
        if *sites_per_vacancy < 2 {
            return Err(format!("system.alloy.sites_per_vacancy is {sites_per_vacancy}; it must be at least 2"));
        }
        let barriers = reference_barrier.all();
        if let Some(barrier) = barriers.iter().find(|barrier| !barrier.is_finite()) {
            return Err(format!("system.alloy.reference_barrier is {barrier}; it must be a finite number"));
        }
        if barriers.len() != 1 && barriers.len() != temperature.all().len() {
            return Err(format!(
                "system.alloy.reference_barrier lists {} numbers, but system.alloy.temperature lists {}; give one per \
                 temperature, or one number for all",
                barriers.len(),
                temperature.all().len()
            ));
        }
        Ok(())
    }
}
