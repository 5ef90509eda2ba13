loopback_down() { :; }
