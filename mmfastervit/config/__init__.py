"""Configs of mmengine: their files, their tree of dicts and lists, their source text."""
