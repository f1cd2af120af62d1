"""The shop's devices on real wires: tills and a dock over MQTT, a till, shelves and a label base over ptys."""
