"""Quality of one picture: damages by blur, noise, exposure and compression; cheap raw measures."""
