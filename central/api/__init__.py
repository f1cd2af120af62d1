"""The HTTP API of `contract.api`: routes that read, ask the writer and answer. Its rim is the only place with async."""
