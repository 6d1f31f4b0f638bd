"""The main job: derive, certify, train, and report what was predicted, certified and measured."""
