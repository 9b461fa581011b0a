"""The Open3D window; nothing outside this folder draws with Open3D."""
