"""Tools for your own training loop: delayed optimizers, learning rates, monitors; needs torch.

Import the modules by name (``delaystability.training.delayed_optimizer``) or their classes from
``delaystability`` itself: this package loads nothing.
"""
