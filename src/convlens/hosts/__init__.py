"""Places where people meet convlens. A host asks the lens and shows its answers; it computes nothing itself."""
