"""The studio: a Gradio app that shows the denoiser at work and takes a person's corrections."""
