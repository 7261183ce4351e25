"""A page on this machine's loopback, and nowhere else."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

from .ports import HOST, not_free

SESSIONS = 10  # visitors who are remembered; with one more the oldest is forgotten
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
        OSError: The port is taken; the message is for who gave it by ``--port``.
    """
    try:
        _, address, _ = page.launch(
            server_name=HOST,
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            max_file_size=max_upload * 2**20,
            state_session_capacity=SESSIONS,
            theme=gr.themes.Default(font=FONT, font_mono=MONO),
            quiet=True,
            footer_links=[],
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            show_error=True,
        )
    except OSError as error:
        raise OSError(not_free(port, "it is taken")) from error
    return address
