"""Raw scans to registered faces: pose, statistical face prior, automatic start."""
