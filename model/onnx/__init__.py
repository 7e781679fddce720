"""The encoders' layers as ONNX files with weights of 8 bits, run by onnxruntime instead of torch."""
