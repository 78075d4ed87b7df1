//! Nothing: Cargo wants a target before it pins dependencies. See `build.sh`.
