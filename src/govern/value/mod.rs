//! Small values that all of governance uses: money, prices, days.

pub mod date;
pub mod estimate;
pub mod money;
pub mod price;
pub mod spent;
pub mod text;
