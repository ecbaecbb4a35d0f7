"""The loop's REST interface: parse, call a service, encode."""
