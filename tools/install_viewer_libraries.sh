#!/bin/sh
# Installs what the viewer needs: Open3D, and the system libraries it draws with, or says the one
# command that does.
set -eu
libraries="libgl1 libegl1 libusb-1.0-0 libvulkan1 mesa-vulkan-drivers"
# open3d and open3d-cpu hold the same files: never both
if ! .venv/bin/python -c "import importlib.util as u; assert u.find_spec('open3d')" 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint tools/constraints.txt --editable '.[viewer]'
fi
draws="from meshgan.apps.open3d_probe import offscreen_problem; assert not offscreen_problem()"
if .venv/bin/python -c "$draws" 2>/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $libraries
    .venv/bin/python -c "$draws"
else
    echo "Open3D lacks system libraries. Run this once:" >&2
    echo "    sudo apt-get install -y --no-install-recommends $libraries" >&2
    exit 1
fi
