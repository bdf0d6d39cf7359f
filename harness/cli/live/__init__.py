"""The live display: what it shows, painted and kept up."""
