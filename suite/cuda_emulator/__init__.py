"""A CUDA driver on host memory: the GPU path of NIXL, UCX and cuFile without a GPU.

`build` compiles it, `environment` says what a process needs to run on it,
`counters` what such a process asked for in vain. Nothing measured on it is a
speed of anything.
"""
