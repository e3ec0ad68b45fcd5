"""What is computed from one picture: hashes, EXIF, thumbnails, quality, embeddings; and the stages that do it."""
