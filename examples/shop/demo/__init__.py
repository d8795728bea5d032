"""The main job on the local stack: `python -m examples.shop.demo`."""
