"""The venues' messages as they come: typed structs, raw payloads, and where each is documented; one module a venue."""
