# What of FasterViT and of HAT has no weight decay: norms, MLPs of positions, scales of branches,
# gates and the biases of carriers. By parts of parameter names, as mmengine's custom_keys; those of
# FasterViT are longer than "backbone", because the longest that a name has decides.
undecayed = {
    key: dict(decay_mult=0.0)
    for key in (
        "stem.norm",
        "blocks.0.norm",
        "blocks.1.norm",
        "blocks.2.norm",
        "window.norm",
        "carrier.norm",
        "downsamples.0.norm",
        "downsamples.1.norm",
        "downsamples.2.norm",
        "out_norms",
        ".position.fc",
        "relative_bias.fc",
        ".scale1.gamma",
        ".scale2.gamma",
        "carrier_key_bias",
        ".gate",
    )
}
