//! Evidence -> statistics -> verdict; pure, time is an argument.
