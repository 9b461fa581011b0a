#!/bin/sh
# Installs the system libraries that Open3D needs, or says the one command that does.
set -eu
libraries="libgl1 libegl1 libusb-1.0-0 libvulkan1 mesa-vulkan-drivers"
if .venv/bin/python -c "import open3d" 2>/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $libraries
    .venv/bin/python -c "import open3d"
else
    echo "Open3D lacks system libraries. Run this once:" >&2
    echo "    sudo apt-get install -y --no-install-recommends $libraries" >&2
    exit 1
fi
