"""Hierarchical attention for backbones that were made without it."""

from .hat_plugin import HATPlugin
from .hosts import Host, HostWindow, Stage, register_host
from .insertion import build_hat_backbone, insert_hat, remove_hat

__all__ = [
    "HATPlugin",
    "Host",
    "HostWindow",
    "Stage",
    "build_hat_backbone",
    "insert_hat",
    "register_host",
    "remove_hat",
]
