"""The catalogue: EMCO's 52 types of resource as models, a file for each part of the system."""
