"""Workers of each executor behind one interface: `interface.ShardWorkers`."""
