//! The documents against the code: what they list is what there is.

#[cfg(test)]
mod configuration;
#[cfg(test)]
mod governance;
#[cfg(test)]
mod map;
#[cfg(all(test, feature = "server"))]
mod shell;
#[cfg(test)]
mod support;
