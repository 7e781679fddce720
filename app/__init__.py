"""The studio: a Gradio app that shows the denoiser at work and takes corrections (not built yet)."""
