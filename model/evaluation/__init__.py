"""The proof: compressors compared on tasks that the denoiser was never trained on, and timed side by side."""
