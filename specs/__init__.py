"""The zoo: one YAML file a network, installed as data so that a spec is found by its name from anywhere."""
