"""A page on this machine's loopback, and nowhere else."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

HOST = "127.0.0.1"
FONT, MONO = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")


def serve(page: gr.Blocks, port: int | None, max_upload: int) -> str:
    """Serve a page, by a thread of its own.

    It is reached from this machine alone, shared by no tunnel, and loads nothing from elsewhere:
    fonts are the reader's own.

    Args:
        page: What is served.
        port: None takes the first that is free from 7860 on.
        max_upload: Largest file that is taken, in megabytes.

    Returns:
        Its address.

    Raises:
        OSError: The port is taken.
    """
    _, address, _ = page.launch(
        server_name=HOST,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        max_file_size=max_upload * 2**20,
        theme=gr.themes.Default(font=FONT, font_mono=MONO),
        quiet=True,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=True,
    )
    return address
