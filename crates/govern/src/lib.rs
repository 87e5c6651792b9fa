//! The control plane: store, ledger, stages, pulse, HTTP API, dashboard.
