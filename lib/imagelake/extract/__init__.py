"""What is computed from one picture: hashes, EXIF, thumbnails, embeddings; and the stages that do it."""
