"""Domain-free shells: clock, settings, logs, MQTT link, supervised threads, status page, counters that outlive a kill."""
